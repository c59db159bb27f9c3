/* Slow password hashes: in the thread pool, and remembered for a while */

#ifndef NGX_DM_SEC_HASH_H
#define NGX_DM_SEC_HASH_H


#include "ngx_dm_sec.h"


/*
 * Is called with the credential when a verification has ended, before the
 * request goes on or, where its client has gone, ends: NGX_OK the password is
 * right, NGX_DECLINED it is not, NGX_BUSY it was not computed any more,
 * NGX_ERROR internal.  Returns NGX_OK where the password may be remembered.
 */
typedef ngx_int_t (*ngx_dm_sec_hash_pt)(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred, ngx_int_t rc);

/* Asked before a hash that had to wait is computed: NGX_OK if it still may. */
typedef ngx_int_t (*ngx_dm_sec_hash_may_pt)(ngx_http_request_t *r);


/* setter of dm_sec_hash_threads */
char *ngx_dm_sec_hash_set_threads(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* what dm_sec_hash_threads is where it is not given */
void ngx_dm_sec_hash_init(ngx_dm_sec_main_conf_t *dmcf);

/*
 * Takes nginx's default thread pool, as soon as a directive accepts a method
 * that can have a slow hash.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_hash_pool(ngx_conf_t *cf);

/*
 * Verifies a password against the account's crypt(3) hash.  NGX_OK: it was
 * right a while ago, with this hash; NGX_AGAIN: it has begun, done is called
 * when it has ended; NGX_BUSY: too many wait; NGX_ERROR, logged where the hash
 * is one that takes too long.
 */
ngx_int_t ngx_dm_sec_hash_verify(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred, dm_account_t *account, dm_str_t password,
    ngx_dm_sec_hash_may_pt may, ngx_dm_sec_hash_pt done);


#endif /* NGX_DM_SEC_HASH_H */
