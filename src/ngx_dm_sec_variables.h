/* The module's variables, and nginx's $remote_user */

#ifndef NGX_DM_SEC_VARIABLES_H
#define NGX_DM_SEC_VARIABLES_H


#include "ngx_dm_sec.h"


/* adds the variables, before the configuration is read; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_variables_add(ngx_conf_t *cf);

/*
 * Takes over $remote_user and finds $request_id, behind the configuration.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_variables_init(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);


#endif /* NGX_DM_SEC_VARIABLES_H */
