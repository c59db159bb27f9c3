/* The device identity that the client states in OMADM-DevID */

#include "ngx_dm_sec_devid.h"
#include "ngx_dm_sec_header.h"

#include "dm_devid.h"


ngx_int_t
ngx_dm_sec_devid_read(ngx_http_request_t *r, ngx_str_t *devid)
{
    u_char              canonical[DM_DEVID_MAX];
    ngx_uint_t          n;
    ngx_table_elt_t    *h;
    ngx_dm_sec_walk_t   walk;

    static ngx_str_t  name = ngx_string("omadm-devid");

    n = 0;
    ngx_str_null(devid);
    ngx_dm_sec_walk(r, &walk);

    while ((h = ngx_dm_sec_walk_next(&walk))) {

        if (!ngx_dm_sec_header_folds_to(&h->key, &name)) {
            continue;
        }

        *devid = h->value;

        if (n++ || !ngx_dm_sec_header_is(h, &name)) {
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
