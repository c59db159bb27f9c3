/* What "nginx -t" finds: conflicts between directives and between levels */

#ifndef NGX_DM_SEC_CHECK_H
#define NGX_DM_SEC_CHECK_H


#include "ngx_dm_sec.h"


/*
 * Checks the whole configuration after the merge, and decides where the
 * module is on.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_check_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);

/*
 * Logs a finding with the server, and where clcf is not NULL the location,
 * that it is about; without a server it is about http{}.
 */
void ngx_dm_sec_conf_log(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    const char *fmt, ...);


#endif /* NGX_DM_SEC_CHECK_H */
