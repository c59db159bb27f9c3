/* What "nginx -t" finds: conflicts between directives and between levels */

#ifndef NGX_DM_SEC_CHECK_H
#define NGX_DM_SEC_CHECK_H


#include "ngx_dm_sec.h"


/*
 * Checks the whole configuration after the merge, and decides where the
 * module is on.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_check_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);


#endif /* NGX_DM_SEC_CHECK_H */
