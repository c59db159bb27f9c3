/* Digest authentication, RFC 7616 and RFC 2617 */

#ifndef NGX_DM_SEC_DIGEST_H
#define NGX_DM_SEC_DIGEST_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_DIGEST  0x02


/* refuses what digest cannot work with; NGX_OK, or NGX_ERROR, logged */
ngx_int_t ngx_dm_sec_digest_settle(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);

/*
 * Fills cred with what the request presents to this location.  One that is
 * PENDING waits for the body, and this is called again when it has come.
 */
void ngx_dm_sec_digest_verify(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);

/*
 * Adds Authentication-Info (RFC 7616, section 3.5) to the response to a
 * request that was verified; NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_digest_inform(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);

/*
 * Names, in the log phase, the account whose password was never set for the
 * algorithm, since an operator could look long for what is wrong with it.
 * Before the answer this would tell it from a name that nobody has, by time.
 */
void ngx_dm_sec_digest_log(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);

/* the algorithm that verified the request: "MD5-sess"; of length 0: none */
void ngx_dm_sec_digest_algorithm(ngx_dm_sec_credential_t *cred,
    ngx_str_t *name);


#endif /* NGX_DM_SEC_DIGEST_H */
