/* The request's body, hashed as it arrives: for qop=auth-int */

#ifndef NGX_DM_SEC_BODY_H
#define NGX_DM_SEC_BODY_H


#include "ngx_dm_sec.h"


/* puts the filter that hashes in front of those that are there */
void ngx_dm_sec_body_init(void);

/*
 * Begins to hash the request's body as it is read from here on, or hashes what
 * ngx_dm_sec_body_read() has read already.  NGX_OK; NGX_DECLINED: it was read
 * or thrown away by others; NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_body_start(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    const EVP_MD *md);

/*
 * Reads the body, and then runs the phases again, from the handler on that
 * called it.  Returns what that has to return.
 */
ngx_int_t ngx_dm_sec_body_read(ngx_http_request_t *r);

/*
 * Writes the hash of the body that was read.  NGX_OK; NGX_DECLINED: it did not
 * come whole, and an error_page led here; NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_body_finish(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    u_char *hash);


#endif /* NGX_DM_SEC_BODY_H */
