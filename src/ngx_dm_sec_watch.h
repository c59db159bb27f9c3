/*
 * A second, tiny module that is placed before ngx_http_ssl_module, to see
 * what the operator wrote in a server before that module merges it.
 */

#ifndef NGX_DM_SEC_WATCH_H
#define NGX_DM_SEC_WATCH_H


#include "ngx_dm_sec.h"


/* 1 if "ssl_prefer_server_ciphers off" is written in the server, else 0 */
ngx_uint_t ngx_dm_sec_watch_client_order(ngx_http_core_srv_conf_t *cscf);


#endif /* NGX_DM_SEC_WATCH_H */
