/* Basic authentication, RFC 7617 */

#ifndef NGX_DM_SEC_BASIC_H
#define NGX_DM_SEC_BASIC_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_BASIC  0x01


/*
 * Fills ctx->basic from the request's Authorization header.  Where that is
 * PENDING, the request goes on by itself when the outcome is there.
 */
void ngx_dm_sec_basic_verify(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx);

/* adds the challenge to the response; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_basic_challenge(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_str_t *realm);


#endif /* NGX_DM_SEC_BASIC_H */
