/* An attempt at the secret of an account: what Basic and Digest share */

#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_zone.h"


/* a search hands this on to its judge */
typedef struct {
    ngx_http_request_t       *r;
    ngx_dm_sec_ctx_t         *ctx;
    ngx_dm_sec_credential_t  *cred;
    ngx_dm_sec_attempt_pt     try;
    void                     *data;
} ngx_dm_sec_trial_t;


static ngx_int_t ngx_dm_sec_attempt_begin(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, dm_str_t name);
static ngx_int_t ngx_dm_sec_attempt_judge(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static ngx_int_t ngx_dm_sec_attempt_keep_secret(ngx_http_request_t *r,
    dm_account_t *account, ngx_dm_sec_derived_t *derived, dm_slot_t *slot);
static ngx_int_t ngx_dm_sec_attempt_secret(ngx_http_request_t *r,
    dm_account_t *account, dm_slot_t *slot);
static ngx_int_t ngx_dm_sec_attempt_again(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred);
static ngx_int_t ngx_dm_sec_attempt_compare(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);


void
ngx_dm_sec_attempt(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, dm_store_index_t index, dm_str_t key,
    dm_str_t name, ngx_dm_sec_attempt_pt try, void *data)
{
    ngx_dm_sec_trial_t   trial;
    ngx_dm_sec_search_t  search;

    (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED, NGX_DM_SEC_R_STORE);

    if (ngx_dm_sec_attempt_begin(r, ctx, name) != NGX_OK) {
        return;
    }

    trial.r = r;
    trial.ctx = ctx;
    trial.cred = cred;
    trial.try = try;
    trial.data = data;

    ngx_memzero(&search, sizeof(ngx_dm_sec_search_t));

    search.index = index;
    search.key = key;
    search.judge = ngx_dm_sec_attempt_judge;
    search.data = &trial;
    search.kind = NGX_DM_SEC_ACCOUNT_HTTP;
    search.recall = key;
    search.now = ctx->version;

    if (ngx_dm_sec_account_find(ngx_http_get_module_main_conf(r,
                                                          ngx_dm_sec_module),
                                r->connection, &search)
        == NGX_ERROR)
    {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
        return;
    }

    ngx_dm_sec_attempt_count(r, ctx, cred);
}


static ngx_int_t
ngx_dm_sec_attempt_begin(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    dm_str_t name)
{
    ngx_dm_sec_attempt_t  *attempt;

    attempt = ngx_pcalloc(r->pool, sizeof(ngx_dm_sec_attempt_t));
    if (attempt == NULL) {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_account_dup(r->pool, name, &attempt->who.claimed)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    attempt->who.name = attempt->who.claimed;
    ctx->attempt = attempt;

    return NGX_OK;
}


/* NGX_OK: verified; NGX_DECLINED: the credential says what else; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_attempt_judge(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    ngx_dm_sec_trial_t    *trial;
    ngx_dm_sec_outcome_e   outcome;
    ngx_dm_sec_attempt_t  *attempt;

    trial = search->data;
    attempt = trial->ctx->attempt;

    attempt->seen = search->version;

    if (known) {
        attempt->who.known = 1;
        attempt->who.unlocks = account->unlocks;
    }

    if (known
        && search->index != DM_BY_NAME
        && ngx_dm_sec_account_dup(trial->r->pool, account->name,
                                  &attempt->who.name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    attempt->derived = search->derived;

    outcome = trial->try(trial->r, trial->ctx, trial->cred, account,
                         trial->data);

    attempt->derived = NULL;

    if ((outcome == NGX_DM_SEC_VERIFIED || outcome == NGX_DM_SEC_PENDING)
        && ngx_dm_sec_attempt_keep_secret(trial->r, account, search->derived,
                                          &attempt->secret)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return outcome == NGX_DM_SEC_VERIFIED ? NGX_OK : NGX_DECLINED;
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


/* as ngx_dm_sec_attempt_secret(), once for an account that is remembered */
static ngx_int_t
ngx_dm_sec_attempt_keep_secret(ngx_http_request_t *r, dm_account_t *account,
    ngx_dm_sec_derived_t *derived, dm_slot_t *slot)
{
    if (!derived->has_secret
        && ngx_dm_sec_attempt_secret(r, account, &derived->secret) != NGX_OK)
    {
        return NGX_ERROR;
    }

    derived->has_secret = 1;
    *slot = derived->secret;

    return NGX_OK;
}


/* the slot of all that a password can be verified with: it does not tell it */
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
    if (cred->outcome != NGX_DM_SEC_VERIFIED
        || (ctx->version && ctx->version == ctx->attempt->seen))
    {
        return;
    }

    switch (ngx_dm_sec_attempt_again(r, ctx, cred)) {

    case NGX_OK:
        return;

    case NGX_DECLINED:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_BAD_CREDENTIALS);
        cred->detail = NGX_DM_SEC_D_CHANGED_MEANWHILE;
        ngx_dm_sec_attempt_count(r, ctx, cred);
        return;

    default:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }
}


/* NGX_OK; NGX_DECLINED: it is not what was verified any more; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_attempt_again(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred)
{
    ngx_int_t            rc;
    ngx_dm_sec_trial_t   trial;
    ngx_dm_sec_search_t  search;

    trial.r = r;
    trial.ctx = ctx;
    trial.cred = cred;

    ngx_memzero(&search, sizeof(ngx_dm_sec_search_t));

    search.index = DM_BY_ID;
    search.key = ngx_dm_sec_set_dm_str(cred->account->id);
    search.judge = ngx_dm_sec_attempt_compare;
    search.data = &trial;

    rc = ngx_dm_sec_account_find(ngx_http_get_module_main_conf(r,
                                                          ngx_dm_sec_module),
                                 r->connection, &search);

    ctx->attempt->seen = search.version;

    return rc;
}


static ngx_int_t
ngx_dm_sec_attempt_compare(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    dm_slot_t             secret;
    ngx_dm_sec_trial_t   *trial;

    if (!known) {
        return NGX_DECLINED;
    }

    trial = search->data;

    if (ngx_dm_sec_attempt_secret(trial->r, account, &secret) != NGX_OK) {
        return NGX_ERROR;
    }

    if (CRYPTO_memcmp(&secret, &trial->ctx->attempt->secret,
                      sizeof(dm_slot_t))
        != 0)
    {
        return NGX_DECLINED;
    }

    trial->cred->account = ngx_dm_sec_account_copy(trial->r->pool, account);

    return trial->cred->account ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_dm_sec_attempt_may(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred)
{
    ngx_int_t  rc;

    rc = ngx_dm_sec_lockout_may(r, &ctx->attempt->who, &ctx->retry_after);

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_LOCKED,
                                   NGX_DM_SEC_R_LOCKED);
        cred->detail = ctx->attempt->who.detail;
        break;

    default:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    return rc;
}


void
ngx_dm_sec_attempt_count(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred)
{
    if (cred->reason != NGX_DM_SEC_R_BAD_CREDENTIALS) {
        return;
    }

    /* it is known already: nothing is looked up for the log */

    if (!ctx->attempt->who.known) {
        cred->detail = NGX_DM_SEC_D_UNKNOWN_NAME;

    } else if (cred->detail == NGX_DM_SEC_D_NONE) {
        cred->detail = NGX_DM_SEC_D_WRONG_PASSWORD;
    }

    switch (ngx_dm_sec_lockout_fail(r, &ctx->attempt->who,
                                    &ctx->retry_after))
    {

    case NGX_OK:
        return;

    case NGX_DECLINED:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_LOCKED,
                                   NGX_DM_SEC_R_LOCKED);
        cred->detail = ctx->attempt->who.detail;
        return;

    default:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }
}


void
ngx_dm_sec_attempt_malformed(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred, int rc, dm_err_t *err, ngx_uint_t detail,
    dm_str_t name)
{
    ngx_dm_sec_ctx_t  *ctx;

    if (rc == DM_ERROR) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "dm_sec: %s",
                      err->text);

        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "dm_sec: %s",
                  err->text);

    (void) ngx_dm_sec_conclude(cred, rc == DM_USELESS ? NGX_DM_SEC_USELESS
                                                      : NGX_DM_SEC_MALFORMED,
                               NGX_DM_SEC_R_MALFORMED);
    cred->detail = detail;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    /* the log may miss it: what is refused stays refused */

    if (name.len
        && ngx_dm_sec_account_dup(r->pool, name, &ctx->malformed) != NGX_OK)
    {
        ngx_str_null(&ctx->malformed);
    }
}


ngx_str_t
ngx_dm_sec_attempt_claim(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    u_char *buf, size_t max)
{
    ngx_str_t          claim;
    ngx_dm_sec_ctx_t  *ctx;

    ngx_str_null(&claim);
    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx->attempt) {
        claim = ctx->attempt->who.name;
    }

    return ngx_dm_sec_log_whole(buf, max, &claim);
}
