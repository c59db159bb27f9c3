/* The methods of authentication */

#include "ngx_dm_sec_method.h"


void
ngx_dm_sec_method_name(ngx_uint_t method, ngx_str_t *name)
{
    switch (method) {

    case NGX_DM_SEC_BASIC:
        ngx_str_set(name, "basic");
        break;

    case NGX_DM_SEC_DIGEST:
        ngx_str_set(name, "digest");
        break;

    case NGX_DM_SEC_PSK:
        ngx_str_set(name, "psk");
        break;

    case NGX_DM_SEC_X509:
        ngx_str_set(name, "x509");
        break;

    default:
        ngx_str_set(name, "-");
    }
}
