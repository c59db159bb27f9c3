/* Headers of a request and of its answer: walked, folded, taken out, added */

#include "ngx_dm_sec_header.h"


void
ngx_dm_sec_walk(ngx_http_request_t *r, ngx_dm_sec_walk_t *walk)
{
    walk->part = &r->headers_in.headers.part;
    walk->i = 0;
}


ngx_uint_t
ngx_dm_sec_header_is(ngx_table_elt_t *h, ngx_str_t *name)
{
    if (h->key.len != name->len) {
        return 0;
    }

    /* nginx has most names in lower case already */

    return (h->lowcase_key
            && ngx_memcmp(h->lowcase_key, name->data, name->len) == 0)
           || ngx_strncasecmp(h->key.data, name->data, name->len) == 0;
}


ngx_uint_t
ngx_dm_sec_header_folds_to(ngx_str_t *key, ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    if (key->len != name->len) {
        return 0;
    }

    for (i = 0; i < key->len; i++) {
        ch = ngx_tolower(key->data[i]);

        if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9')) {
            ch = '-';
        }

        if (ch != name->data[i]) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_dm_sec_header_count(ngx_http_request_t *r, ngx_dm_sec_header_pt meant)
{
    ngx_uint_t          n;
    ngx_table_elt_t    *h;
    ngx_dm_sec_walk_t   walk;

    n = 0;
    ngx_dm_sec_walk(r, &walk);

    while ((h = ngx_dm_sec_walk_next(&walk))) {
        n += meant(r, h);
    }

    return n;
}


ngx_int_t
ngx_dm_sec_header_take_out(ngx_http_request_t *r, ngx_dm_sec_header_pt meant,
    ngx_array_t *dropped, ngx_uint_t room)
{
    ngx_uint_t          n;
    ngx_list_t          list;
    ngx_list_part_t    *part;
    ngx_table_elt_t    *h, *copy;
    ngx_dm_sec_walk_t   walk;

    n = room + r->headers_in.headers.part.nelts;

    for (part = r->headers_in.headers.part.next; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_list_init(&list, r->pool, n ? n : 1, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dm_sec_walk(r, &walk);

    while ((h = ngx_dm_sec_walk_next(&walk))) {

        if (!meant(r, h)) {
            copy = ngx_list_push(&list);

        } else if (dropped) {
            copy = ngx_array_push(dropped);

        } else {
            continue;
        }

        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
    }

    r->headers_in.headers = list;
    r->headers_in.headers.last = &r->headers_in.headers.part;

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_header_put(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_table_elt_t  *copy;

    copy = ngx_list_push(&r->headers_in.headers);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *h;

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_header_answer(ngx_http_request_t *r, char *key, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value = *value;

    return NGX_OK;
}


u_char *
ngx_dm_sec_header_quote(u_char *dst, ngx_str_t *src)
{
    size_t  i;

    for (i = 0; i < src->len; i++) {
        if (src->data[i] == '"' || src->data[i] == '\\') {
            *dst++ = '\\';
        }

        *dst++ = src->data[i];
    }

    return dst;
}
