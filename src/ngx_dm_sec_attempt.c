/* An attempt at the secret of an account: what Basic and Digest share */

#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_recall.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_zone.h"


static ngx_int_t ngx_dm_sec_attempt_secret(ngx_http_request_t *r,
    dm_account_t *account, dm_slot_t *slot);
static ngx_int_t ngx_dm_sec_attempt_again(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred);


ngx_int_t
ngx_dm_sec_attempt_begin(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    dm_store_index_t index, dm_str_t key, dm_str_t name,
    dm_account_t **account)
{
    ngx_int_t              rc;
    ngx_str_t              value;
    ngx_dm_sec_attempt_t  *attempt;

    attempt = ngx_pcalloc(r->pool, sizeof(ngx_dm_sec_attempt_t));
    if (attempt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_store_dup(r->pool, name, &attempt->who.claimed) != NGX_OK) {
        return NGX_ERROR;
    }

    attempt->who.name = attempt->who.claimed;
    attempt->seen = ctx->version;
    ctx->attempt = attempt;

    value.data = (u_char *) key.data;
    value.len = key.len;

    rc = ngx_dm_sec_recall(r, NGX_DM_SEC_RECALL_HTTP, index, key, account);

    if (rc == NGX_DECLINED) {
        rc = ngx_dm_sec_store_lookup(r, index, &value, account);

        attempt->version = ngx_dm_sec_store_looked();
        attempt->seen = attempt->version;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    attempt->who.known = 1;
    attempt->who.unlocks = (*account)->unlocks;

    if (index != DM_BY_NAME
        && ngx_dm_sec_store_dup(r->pool, (*account)->name, &attempt->who.name)
           != NGX_OK)
    {
        ngx_dm_sec_store_release();
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_dm_sec_attempt_fits(ngx_dm_sec_ctx_t *ctx, dm_account_t *account)
{
    if (ctx->whose == NULL) {
        return 1;
    }

    return ctx->attempt->who.known
           && dm_str_eq(account->id, ngx_dm_sec_set_dm_str(ctx->whose->id));
}


ngx_int_t
ngx_dm_sec_attempt_end(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    dm_store_index_t index, dm_str_t key, dm_account_t *account, ngx_int_t rc)
{
    if ((rc == NGX_OK || rc == NGX_AGAIN)
        && ngx_dm_sec_attempt_secret(r, account, &ctx->attempt->secret)
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    if (rc == NGX_OK && ctx->attempt->version) {
        ngx_dm_sec_remember(r, NGX_DM_SEC_RECALL_HTTP, index, key, account,
                            ctx->attempt->version);
    }

    ngx_dm_sec_store_release();

    return rc;
}


/* all that a password can be verified with, and nothing that tells it */
static ngx_int_t
ngx_dm_sec_attempt_secret(ngx_http_request_t *r, dm_account_t *account,
    dm_slot_t *slot)
{
    dm_str_t        part[4 + DM_NALGORITHMS];
    ngx_uint_t      n;
    dm_algorithm_t  alg;

    part[0] = dm_str("secret");
    part[1] = account->id;
    part[2] = account->name;
    part[3] = account->crypt;
    n = 4;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        part[n].data = account->ha1[alg];
        part[n++].len = account->has_ha1[alg] ? dm_digest_size(alg) : 0;
    }

    return ngx_dm_sec_zone_slot(ngx_http_get_module_main_conf(r,
                                                          ngx_dm_sec_module),
                                part, n, slot);
}


void
ngx_dm_sec_attempt_renew(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred)
{
    ngx_int_t  rc;

    if (cred->outcome != NGX_DM_SEC_VERIFIED
        || (ctx->version && ctx->version == ctx->attempt->seen))
    {
        return;
    }

    rc = ngx_dm_sec_attempt_again(r, ctx, cred);

    if (rc != NGX_OK) {
        ngx_dm_sec_attempt_conclude(r, ctx, cred, rc);
    }
}


/* NGX_OK; NGX_DECLINED: it is not what was verified any more; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_attempt_again(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred)
{
    dm_slot_t      secret;
    ngx_int_t      rc;
    dm_account_t  *account;

    rc = ngx_dm_sec_store_lookup(r, DM_BY_ID, &cred->account->id, &account);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        rc = ngx_dm_sec_attempt_secret(r, account, &secret);
    }

    if (rc == NGX_OK
        && CRYPTO_memcmp(&secret, &ctx->attempt->secret, sizeof(dm_slot_t))
           != 0)
    {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        cred->account = ngx_dm_sec_store_copy(r->pool, account);
        rc = cred->account ? NGX_OK : NGX_ERROR;
    }

    ctx->attempt->seen = ngx_dm_sec_store_looked();

    ngx_dm_sec_store_release();

    return rc;
}


void
ngx_dm_sec_attempt_conclude(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, ngx_int_t rc)
{
    if (rc == NGX_DECLINED) {

        switch (ngx_dm_sec_lockout_fail(r, &ctx->attempt->who,
                                        &ctx->retry_after))
        {

        case NGX_DECLINED:
            rc = NGX_BUSY;
            break;

        case NGX_ERROR:
            rc = NGX_ERROR;
            break;
        }
    }

    switch (rc) {

    case NGX_OK:
        cred->outcome = NGX_DM_SEC_VERIFIED;
        return;

    case NGX_AGAIN:
        cred->outcome = NGX_DM_SEC_PENDING;
        cred->reason = NGX_DM_SEC_R_THREAD;
        return;

    case NGX_DECLINED:
        cred->outcome = NGX_DM_SEC_WRONG;
        cred->reason = NGX_DM_SEC_R_BAD_CREDENTIALS;
        break;

    case NGX_ABORT:
        cred->outcome = NGX_DM_SEC_WRONG;
        cred->reason = NGX_DM_SEC_R_MISMATCH;
        break;

    case NGX_BUSY:
        cred->outcome = ctx->retry_after ? NGX_DM_SEC_LOCKED
                                         : NGX_DM_SEC_FAILED;
        cred->reason = ctx->retry_after ? NGX_DM_SEC_R_LOCKED
                                        : NGX_DM_SEC_R_OVERLOADED;
        break;

    default:
        cred->outcome = NGX_DM_SEC_FAILED;
        cred->reason = NGX_DM_SEC_R_STORE;
    }

    cred->account = NULL;
}


void
ngx_dm_sec_attempt_claim(ngx_http_request_t *r, ngx_str_t *claim)
{
    ngx_dm_sec_ctx_t  *ctx;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx->attempt) {
        *claim = ctx->attempt->who.name;
    }
}
