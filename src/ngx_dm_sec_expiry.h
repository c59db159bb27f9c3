/* Findings of "nginx -t": certificates and CRLs that are not in force */

#ifndef NGX_DM_SEC_EXPIRY_H
#define NGX_DM_SEC_EXPIRY_H


#include "ngx_dm_sec_dates.h"


/*
 * Warns of those of ngx_dm_sec_dates_find() that are over, not in force yet, or
 * missing.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_expiry_check(ngx_conf_t *cf, const ngx_array_t *found);


#endif /* NGX_DM_SEC_EXPIRY_H */
