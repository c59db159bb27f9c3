/*
 * Faults of a configuration that only a request shows: each is said once of a
 * location, by each worker.
 */

#ifndef NGX_DM_SEC_ONCE_H
#define NGX_DM_SEC_ONCE_H


#include "ngx_dm_sec.h"


/* a variable about the account is read: perhaps before there can be one */
void ngx_dm_sec_once_read(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx);

/* looks where answers and headers have gone, when a request has ended */
void ngx_dm_sec_once_log(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx);


#endif /* NGX_DM_SEC_ONCE_H */
