/*
 * Faults of a configuration that only a request shows: each is said once of a
 * location, by each worker.
 */

#ifndef NGX_DM_SEC_ONCE_H
#define NGX_DM_SEC_ONCE_H


#include "ngx_dm_sec.h"


/* a variable about the account is read: perhaps before there can be one */
void ngx_dm_sec_once_read(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx);

/* handler of the log phase: where answers and headers have gone; NGX_OK */
ngx_int_t ngx_dm_sec_once_log(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_ONCE_H */
