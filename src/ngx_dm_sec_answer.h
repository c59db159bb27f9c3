/* Refusals: the status, the log line, the challenge */

#ifndef NGX_DM_SEC_ANSWER_H
#define NGX_DM_SEC_ANSWER_H


#include "ngx_dm_sec.h"


/*
 * Refuses the request: remembers the reason, logs one line for it, and
 * returns the status for the phase handler to return.
 */
ngx_int_t ngx_dm_sec_deny(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_reason_e reason);

/*
 * Says of a request that nginx has refused by itself, with that status, why;
 * logs one line for it.
 */
void ngx_dm_sec_deny_late(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_reason_e reason, ngx_uint_t detail, ngx_uint_t status);

/* the reason as it stands in logs: "no_credentials" */
ngx_str_t *ngx_dm_sec_reason_name(ngx_dm_sec_reason_e reason);

/* puts the filter that adds challenges and Retry-After in front */
void ngx_dm_sec_answer_init(void);


#endif /* NGX_DM_SEC_ANSWER_H */
