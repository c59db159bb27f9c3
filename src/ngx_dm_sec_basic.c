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


/* credentials that a request has; they are parsed where that is needed */
typedef struct {
    ngx_str_t   header;
    ngx_uint_t  parsed;
    ngx_uint_t  hashed;
    ngx_uint_t  same;       /* this connection's account was proven by them */
    u_char      hash[NGX_DM_SEC_DERIVED_HEADER];
    u_char      name[NGX_DM_SEC_RECALL_KEY];
    dm_basic_t  basic;
} ngx_dm_sec_basic_t;


static void ngx_dm_sec_basic_read(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred);
static ngx_uint_t ngx_dm_sec_basic_same(ngx_connection_t *c,
    ngx_dm_sec_basic_t *sent, dm_str_t *name);
static ngx_int_t ngx_dm_sec_basic_hash(ngx_dm_sec_basic_t *sent);
static EVP_MAC_CTX *ngx_dm_sec_basic_key(void);
static ngx_dm_sec_outcome_e ngx_dm_sec_basic_try(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    dm_account_t *account, void *data);
static void ngx_dm_sec_basic_keep(ngx_dm_sec_basic_t *sent,
    ngx_dm_sec_derived_t *derived);
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
    int                  rc;
    dm_err_t             err;
    dm_str_t             name;
    ngx_table_elt_t     *h;
    ngx_dm_sec_basic_t   sent;

    (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                               NGX_DM_SEC_R_NO_CREDENTIALS);

    h = r->headers_in.authorization;

    if (h == NULL) {
        return;
    }

    sent.header = h->value;
    sent.parsed = 0;
    sent.hashed = 0;
    sent.same = ngx_dm_sec_basic_same(r->connection, &sent, &name);

    rc = DM_OK;

    if (!sent.same) {
        rc = dm_basic_parse(&sent.basic, ngx_dm_sec_set_dm_str(sent.header),
                            &err);
        name = sent.basic.name;
        sent.parsed = (rc == DM_OK);
    }

    switch (rc) {

    case DM_OK:

        /* a name that is unknown goes the same way, with a decoy */

        ngx_dm_sec_attempt(r, ctx, cred, DM_BY_NAME, name, name,
                           ngx_dm_sec_basic_try, &sent);

        if (sent.parsed) {
            ngx_explicit_memzero(&sent.basic, sizeof(dm_basic_t));
        }

        return;

    case DM_DECLINED:
        return;
    }

    ngx_dm_sec_attempt_malformed(r, cred, rc, &err,
                                 NGX_DM_SEC_D_MALFORMED + sent.basic.malformed,
                                 dm_str(""));
}


/* 1 if they proved an account on this connection, whose name it was; else 0 */
static ngx_uint_t
ngx_dm_sec_basic_same(ngx_connection_t *c, ngx_dm_sec_basic_t *sent,
    dm_str_t *name)
{
    size_t                 len;
    ngx_dm_sec_derived_t  *derived;

    derived = ngx_dm_sec_account_last(c, NGX_DM_SEC_ACCOUNT_HTTP, DM_BY_NAME,
                                      sent->name, &len);

    if (derived == NULL
        || !derived->has_header
        || ngx_dm_sec_basic_hash(sent) != NGX_OK
        || CRYPTO_memcmp(derived->header, sent->hash,
                         NGX_DM_SEC_DERIVED_HEADER)
           != 0)
    {
        return 0;
    }

    name->data = sent->name;
    name->len = len;

    return 1;
}


static ngx_int_t
ngx_dm_sec_basic_hash(ngx_dm_sec_basic_t *sent)
{
    size_t        len;
    EVP_MAC_CTX  *mac;

    mac = ngx_dm_sec_basic_key();

    if (mac == NULL
        || EVP_MAC_update(mac, sent->header.data, sent->header.len) != 1
        || EVP_MAC_final(mac, sent->hash, &len, NGX_DM_SEC_DERIVED_HEADER)
           != 1
        || len != NGX_DM_SEC_DERIVED_HEADER)
    {
        ERR_clear_error();
        return NGX_ERROR;
    }

    sent->hashed = 1;

    return NGX_OK;
}


/* SipHash under a key that this process alone has; NULL: there is none */
static EVP_MAC_CTX *
ngx_dm_sec_basic_key(void)
{
    EVP_MAC  *siphash;

    static u_char        key[16];
    static ngx_uint_t    tried;
    static EVP_MAC_CTX  *mac;

    if (!tried) {
        tried = 1;

        siphash = EVP_MAC_fetch(NULL, "SIPHASH", NULL);

        if (siphash && RAND_bytes(key, sizeof(key)) == 1) {
            mac = EVP_MAC_CTX_new(siphash);
        }

        EVP_MAC_free(siphash);
    }

    return mac && EVP_MAC_init(mac, key, sizeof(key), NULL) == 1 ? mac : NULL;
}


static ngx_dm_sec_outcome_e
ngx_dm_sec_basic_try(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, dm_account_t *account, void *data)
{
    ngx_dm_sec_basic_t *sent = data;

    dm_err_t               err;
    ngx_int_t              rc;
    dm_algorithm_t         alg;
    ngx_dm_sec_derived_t  *derived;

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

    derived = ctx->attempt->derived;

    /* it is the account that they proved, at the same state of the store */

    if (sent->same && derived->remembered) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_VERIFIED,
                                   NGX_DM_SEC_R_NONE);
    }

    if (!sent->parsed) {
        if (dm_basic_parse(&sent->basic, ngx_dm_sec_set_dm_str(sent->header),
                           &err)
            != DM_OK)
        {
            return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                       NGX_DM_SEC_R_STORE);
        }

        sent->parsed = 1;
    }

    alg = ngx_dm_sec_basic_strongest(account);

    if (!account->has_ha1[alg] && account->crypt.len) {
        return ngx_dm_sec_hash_verify(r, cred, account, sent->basic.password,
                                      ngx_dm_sec_basic_may,
                                      ngx_dm_sec_basic_hashed);
    }

    rc = ngx_dm_sec_basic_match(account, &sent->basic, alg);

    if (rc == NGX_ERROR) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    if (rc == NGX_OK && ctx->attempt->who.known) {
        ngx_dm_sec_basic_keep(sent, derived);
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


/* a client that sends them twice will send them again */
static void
ngx_dm_sec_basic_keep(ngx_dm_sec_basic_t *sent, ngx_dm_sec_derived_t *derived)
{
    if (!derived->remembered
        || (!sent->hashed && ngx_dm_sec_basic_hash(sent) != NGX_OK))
    {
        return;
    }

    ngx_memcpy(derived->header, sent->hash, NGX_DM_SEC_DERIVED_HEADER);
    derived->has_header = 1;
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
