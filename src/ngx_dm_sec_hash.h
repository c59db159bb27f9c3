/* Slow password hashes: in threads, and remembered for a while */

#ifndef NGX_DM_SEC_HASH_H
#define NGX_DM_SEC_HASH_H


#include "ngx_dm_sec.h"


/*
 * Is called when a verification has ended, before the request goes on or,
 * where its client has gone, ends; the credential says what came of it:
 * VERIFIED, WRONG, or FAILED, which is NGX_DM_SEC_R_OVERLOADED where nothing
 * was computed any more.  If it is VERIFIED after the call, the password is
 * remembered.
 */
typedef void (*ngx_dm_sec_hash_pt)(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);

/* Is asked before a hash that had to wait: NGX_OK if it may be computed. */
typedef ngx_int_t (*ngx_dm_sec_hash_may_pt)(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);


/* setter of dm_sec_hash_threads */
char *ngx_dm_sec_hash_set_threads(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* gives dm_sec_hash_threads its default where it is not said */
void ngx_dm_sec_hash_init(ngx_dm_sec_main_conf_t *dmcf);

/*
 * Verifies a password against the account's crypt(3) hash, and says in cred
 * what came of it.  VERIFIED: it was right a while ago, with this hash;
 * PENDING: it has begun, and done is called when it has ended; FAILED: too
 * many wait, or a failure that is logged, as of a hash that takes too long.
 * Returns the outcome.
 */
ngx_dm_sec_outcome_e ngx_dm_sec_hash_verify(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred, dm_account_t *account, dm_str_t password,
    ngx_dm_sec_hash_may_pt may, ngx_dm_sec_hash_pt done);


#endif /* NGX_DM_SEC_HASH_H */
