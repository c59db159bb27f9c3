/* Basic authentication, RFC 7617 */

#include "ngx_dm_sec_basic.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_hash.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_store.h"

#include "dm_basic.h"
#include "dm_digest.h"


static void ngx_dm_sec_basic_read(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred);
static ngx_dm_sec_outcome_e ngx_dm_sec_basic_try(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    dm_account_t *account, void *data);
static ngx_int_t ngx_dm_sec_basic_may(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);
static void ngx_dm_sec_basic_hashed(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);
static ngx_int_t ngx_dm_sec_basic_match(dm_account_t *account,
    dm_basic_t *basic, dm_algorithm_t alg);
static dm_algorithm_t ngx_dm_sec_basic_strongest(dm_account_t *account);


void
ngx_dm_sec_basic_verify(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred)
{
    /* after an internal redirect the header may be gone */

    if (!cred->seen) {
        cred->seen = 1;
        ngx_dm_sec_basic_read(r, ctx, cred);
    }

    ngx_dm_sec_attempt_renew(r, ctx, cred);
}


static void
ngx_dm_sec_basic_read(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred)
{
    int               rc;
    dm_err_t          err;
    dm_basic_t        basic;
    ngx_table_elt_t  *h;

    (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                               NGX_DM_SEC_R_NO_CREDENTIALS);

    h = r->headers_in.authorization;

    if (h == NULL) {
        return;
    }

    rc = dm_basic_parse(&basic, ngx_dm_sec_set_dm_str(h->value), &err);

    switch (rc) {

    case DM_OK:

        /* a name that is unknown goes the same way, with a decoy */

        ngx_dm_sec_attempt(r, ctx, cred, DM_BY_NAME, basic.name, basic.name,
                           ngx_dm_sec_basic_try, &basic);

        ngx_explicit_memzero(&basic, sizeof(dm_basic_t));
        return;

    case DM_DECLINED:
        return;
    }

    ngx_dm_sec_attempt_malformed(r, cred, rc, &err,
                                 NGX_DM_SEC_D_MALFORMED + basic.malformed,
                                 dm_str(""));
}


static ngx_dm_sec_outcome_e
ngx_dm_sec_basic_try(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, dm_account_t *account, void *data)
{
    dm_basic_t *basic = data;

    ngx_int_t       rc;
    dm_algorithm_t  alg;

    if (!ngx_dm_sec_attempt_fits(ctx, account)) {
        cred->seen = 0;     /* another location may take it */
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_MISMATCH);
    }

    if (ngx_dm_sec_attempt_may(r, ctx, cred) != NGX_OK) {
        return cred->outcome;
    }

    /* a decoy is copied, too, so that it takes the same time */

    cred->account = ngx_dm_sec_account_copy(r->pool, account);

    if (cred->account == NULL) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    alg = ngx_dm_sec_basic_strongest(account);

    if (!account->has_ha1[alg] && account->crypt.len) {
        return ngx_dm_sec_hash_verify(r, cred, account, basic->password,
                                      ngx_dm_sec_basic_may,
                                      ngx_dm_sec_basic_hashed);
    }

    rc = ngx_dm_sec_basic_match(account, basic, alg);

    if (rc == NGX_ERROR) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    if (rc == NGX_OK && ctx->attempt->who.known) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_VERIFIED,
                                   NGX_DM_SEC_R_NONE);
    }

    (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                               NGX_DM_SEC_R_BAD_CREDENTIALS);

    if (!account->has_ha1[alg]) {
        cred->detail = NGX_DM_SEC_D_NO_PASSWORD;
    }

    return cred->outcome;
}


/* the account may have been locked since the password began to wait */
static ngx_int_t
ngx_dm_sec_basic_may(ngx_http_request_t *r, ngx_dm_sec_credential_t *cred)
{
    return ngx_dm_sec_attempt_may(r, ngx_dm_sec_get_ctx(r, 0), cred);
}


/* answers a password that was underway when a lock came as if it came then */
static void
ngx_dm_sec_basic_hashed(ngx_http_request_t *r, ngx_dm_sec_credential_t *cred)
{
    ngx_dm_sec_ctx_t  *ctx;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (cred->reason != NGX_DM_SEC_R_STORE) {
        (void) ngx_dm_sec_attempt_may(r, ctx, cred);
    }

    ngx_dm_sec_attempt_count(r, ctx, cred);
}


/*
 * Returns NGX_OK: the password is the account's; NGX_DECLINED: it is not;
 * NGX_ERROR: a failure of ours.  An account that has no password runs the same
 * comparison.
 */
static ngx_int_t
ngx_dm_sec_basic_match(dm_account_t *account, dm_basic_t *basic,
    dm_algorithm_t alg)
{
    ngx_int_t  rc;
    u_char     ha1[DM_HASH_MAX];

    if (dm_digest_ha1(alg, basic->name, ngx_dm_sec_store_realm(),
                      basic->password, ha1)
        != DM_OK)
    {
        return NGX_ERROR;
    }

    rc = CRYPTO_memcmp(ha1, account->ha1[alg], dm_digest_size(alg)) == 0
         && account->has_ha1[alg] ? NGX_OK : NGX_DECLINED;

    ngx_explicit_memzero(ha1, sizeof(ha1));

    return rc;
}


static dm_algorithm_t
ngx_dm_sec_basic_strongest(dm_account_t *account)
{
    dm_algorithm_t  alg;

    for (alg = DM_NALGORITHMS - 1; alg > 0; alg--) {
        if (account->has_ha1[alg]) {
            return alg;
        }
    }

    return account->has_ha1[DM_MD5] ? DM_MD5 : DM_SHA256;
}


ngx_int_t
ngx_dm_sec_basic_challenge(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    const dm_store_meta_t *meta)
{
    u_char     *p;
    ngx_str_t   value, realm;

    realm = ctx->denied_by->realm;

    if (realm.len == 0) {
        realm.data = (u_char *) meta->realm.data;
        realm.len = meta->realm.len;
    }

    value.data = ngx_pnalloc(r->pool,
                             sizeof("Basic realm=\"\", charset=\"UTF-8\"")
                             + realm.len * 2);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value.data, "Basic realm=\"",
                   sizeof("Basic realm=\"") - 1);
    p = ngx_dm_sec_header_quote(p, &realm);
    *p++ = '"';

    if (ctx->denied_by->challenge_parameters & NGX_DM_SEC_CHALLENGE_CHARSET) {
        p = ngx_cpymem(p, ", charset=\"UTF-8\"",
                       sizeof(", charset=\"UTF-8\"") - 1);
    }

    value.len = p - value.data;

    return ngx_dm_sec_header_answer(r, "WWW-Authenticate", &value);
}
