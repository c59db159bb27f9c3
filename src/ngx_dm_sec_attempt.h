/* An attempt at the secret of an account: what Basic and Digest share */

#ifndef NGX_DM_SEC_ATTEMPT_H
#define NGX_DM_SEC_ATTEMPT_H


#include "ngx_dm_sec.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_lockout.h"

#include "dm_table.h"


typedef struct ngx_dm_sec_attempt_s {
    ngx_dm_sec_claimant_t  who;
    uint64_t               seen;    /* the store's number it is true of */
    dm_slot_t              secret;  /* of what was verified, and its name */
    ngx_dm_sec_derived_t  *derived; /* of the account, while it is tried */
} ngx_dm_sec_attempt_t;


/*
 * Tries the credentials on the account, or on a decoy that matches nothing
 * where ctx->attempt->who.known is 0; says in cred what came of it, and
 * returns its outcome.
 */
typedef ngx_dm_sec_outcome_e (*ngx_dm_sec_attempt_pt)(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    dm_account_t *account, void *data);

/*
 * Begins the request's attempt, ctx->attempt, of one who claims a name, at the
 * account that has the key, which need not be the name; data goes to try.
 * What came of it is in cred: what try says, with its wrong credentials
 * counted, or a failure of the store.
 */
void ngx_dm_sec_attempt(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, dm_store_index_t index, dm_str_t key,
    dm_str_t name, ngx_dm_sec_attempt_pt try, void *data);

/*
 * 1 if the account that is tried is one whose secret may be looked at,
 * ctx->whose where that is set; else 0.
 */
ngx_uint_t ngx_dm_sec_attempt_fits(ngx_dm_sec_ctx_t *ctx,
    dm_account_t *account);

/*
 * NGX_OK: the attempt may go on; else cred says why not.  NGX_DECLINED: it is
 * locked, for ctx->retry_after seconds; NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_attempt_may(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred);

/*
 * Counts a credential with NGX_DM_SEC_R_BAD_CREDENTIALS, and no other.  Where
 * a lock came meanwhile the credential is LOCKED then: whether it was wrong is
 * not to be learnt.
 */
void ngx_dm_sec_attempt_count(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);

/*
 * Looks the account of a verified credential up again where the store has
 * changed since, ctx->version, as while a slow hash waited: what it is now is
 * what counts, and with another name or secret the credential is wrong.
 */
void ngx_dm_sec_attempt_renew(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);

/*
 * Concludes of credentials that were not even tried, by what their parser
 * returned, and says in the log why; err is the parser's, and name the one
 * that it read, if any.
 */
void ngx_dm_sec_attempt_malformed(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred, int rc, dm_err_t *err, ngx_uint_t detail,
    dm_str_t name);

/* the name that was tried, for the log; of length 0: none was */
ngx_str_t ngx_dm_sec_attempt_claim(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, u_char *buf, size_t max);


#endif /* NGX_DM_SEC_ATTEMPT_H */
