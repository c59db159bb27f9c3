/* Headers of a request and of its answer: walked, folded, taken out, added */

#ifndef NGX_DM_SEC_HEADER_H
#define NGX_DM_SEC_HEADER_H


#include "ngx_dm_sec.h"


/* copies a literal to p, and returns its end there */
#define ngx_dm_sec_put(p, text)  ngx_cpymem(p, text, sizeof(text) - 1)


/* a walk through a request's headers: where it has come to */
typedef struct {
    ngx_list_part_t              *part;
    ngx_uint_t                    i;
} ngx_dm_sec_walk_t;

/* tells whether a header of the request is one of those that are meant */
typedef ngx_uint_t (*ngx_dm_sec_header_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *h);


/* begins a walk; the list must not change in it */
void ngx_dm_sec_walk(ngx_http_request_t *r, ngx_dm_sec_walk_t *walk);


/* the next header, NULL behind the last one */
static ngx_inline ngx_table_elt_t *
ngx_dm_sec_walk_next(ngx_dm_sec_walk_t *walk)
{
    ngx_table_elt_t  *h;

    while (walk->part && walk->i >= walk->part->nelts) {
        walk->part = walk->part->next;
        walk->i = 0;
    }

    if (walk->part == NULL) {
        return NULL;
    }

    h = walk->part->elts;

    return &h[walk->i++];
}


/* 1 if the header has that name, given in lower case, in whatever case */
ngx_uint_t ngx_dm_sec_header_is(ngx_table_elt_t *h, ngx_str_t *name);

/*
 * 1 if the name of a header becomes name, which is in lower case, in the
 * hands of CGI and what imitates it, which make one of "DM-Client-ID",
 * "dm_client_id" and "DM.Client.ID": an octet that is no letter or digit
 * counts as "-".
 */
ngx_uint_t ngx_dm_sec_header_folds_to(ngx_str_t *key, ngx_str_t *name);

/* the number of the request's headers that are meant */
ngx_uint_t ngx_dm_sec_header_count(ngx_http_request_t *r,
    ngx_dm_sec_header_pt meant);

/*
 * Rebuilds the request's list of headers without those that are meant, which
 * dropped gets unless it is NULL, and with room for some more.  The old
 * elements stay where they are, since r->headers_in points into them; an
 * element is never moved in its part.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_header_take_out(ngx_http_request_t *r,
    ngx_dm_sec_header_pt meant, ngx_array_t *dropped, ngx_uint_t room);

/* adds a copy of a header to the request; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_header_put(ngx_http_request_t *r, ngx_table_elt_t *h);

/* adds a header to the answer; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_header_answer(ngx_http_request_t *r, char *key,
    ngx_str_t *value);

/*
 * Writes src as it stands between quotes (RFC 7230, section 3.2.6): dst has
 * room for twice as much.  Returns the end of it.
 */
u_char *ngx_dm_sec_header_quote(u_char *dst, ngx_str_t *src);


#endif /* NGX_DM_SEC_HEADER_H */
