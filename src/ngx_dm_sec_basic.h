/* Basic authentication, RFC 7617 */

#ifndef NGX_DM_SEC_BASIC_H
#define NGX_DM_SEC_BASIC_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_BASIC  0x01


/*
 * Fills cred from the request's Authorization header.  Where it is PENDING,
 * the request goes on by itself when the outcome is there.
 */
void ngx_dm_sec_basic_verify(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);

/* adds the challenge to the response; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_basic_challenge(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, const dm_store_meta_t *meta);


#endif /* NGX_DM_SEC_BASIC_H */
