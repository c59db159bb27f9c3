/* The device identity that the client states in OMADM-DevID */

#include "ngx_dm_sec_devid.h"
#include "ngx_dm_sec_identity.h"

#include "dm_devid.h"


ngx_int_t
ngx_dm_sec_devid_read(ngx_http_request_t *r, ngx_str_t *devid)
{
    u_char            canonical[DM_DEVID_MAX];
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("omadm-devid");

    n = 0;
    part = &r->headers_in.headers.part;
    h = part->elts;

    ngx_str_null(devid);

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (!ngx_dm_sec_folds_to(&h[i].key, &name)) {
            continue;
        }

        *devid = h[i].value;

        if (n++ || ngx_strncasecmp(h[i].key.data, name.data, name.len) != 0) {
            return NGX_ERROR;
        }
    }

    if (n == 0) {
        return NGX_DECLINED;
    }

    if (devid->len > DM_DEVID_MAX
        || dm_devid_canonical(ngx_dm_sec_set_dm_str(*devid), canonical)
           != DM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_devid_match(ngx_str_t *devid, ngx_str_t *id)
{
    u_char  canonical[DM_DEVID_MAX];

    if (devid->len != id->len
        || dm_devid_canonical(ngx_dm_sec_set_dm_str(*devid), canonical)
           != DM_OK
        || ngx_memcmp(canonical, id->data, id->len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
