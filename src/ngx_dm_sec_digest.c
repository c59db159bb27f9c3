/* Digest authentication, RFC 7616 and RFC 2617 */

#include "ngx_dm_sec_digest.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_body.h"
#include "ngx_dm_sec_challenge.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_nonce.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_target.h"

#include "dm_digest_parse.h"


/* the credentials of a request */
typedef struct {
    dm_digest_answer_t        answer;
    ngx_dm_sec_nonce_t        nonce;
    ngx_uint_t                tried;
    ngx_dm_sec_credential_t   judged;   /* for all locations that accept it */
    ngx_dm_sec_account_t     *lacking;  /* that has no such hash; or NULL */
    u_char                    rspauth[2 * DM_HASH_MAX];
    size_t                    rspauth_len;
} ngx_dm_sec_digest_t;


static void ngx_dm_sec_digest_read(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);
static void ngx_dm_sec_digest_judge(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_digest_t *digest);
static ngx_dm_sec_outcome_e ngx_dm_sec_digest_try(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    dm_account_t *account, void *data);
static ngx_dm_sec_outcome_e ngx_dm_sec_digest_compare(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_digest_t *digest, dm_account_t *account, const u_char *body);
static ngx_uint_t ngx_dm_sec_digest_detail(ngx_http_request_t *r,
    ngx_dm_sec_digest_t *digest, dm_account_t *account);
static ngx_int_t ngx_dm_sec_digest_may(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_digest_t *digest);
static ngx_int_t ngx_dm_sec_digest_body(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_digest_t *digest, u_char *hash);
static ngx_int_t ngx_dm_sec_digest_match(ngx_http_request_t *r,
    ngx_dm_sec_digest_t *digest, dm_account_t *account,
    ngx_dm_sec_derived_t *derived, const u_char *body);
static ngx_int_t ngx_dm_sec_digest_match_begun(ngx_dm_sec_digest_t *digest,
    dm_account_t *account, ngx_dm_sec_derived_t *derived,
    dm_digest_request_t *request, EVP_MD_CTX *begun);
static EVP_MD_CTX *ngx_dm_sec_digest_begin(ngx_dm_sec_digest_t *digest,
    dm_account_t *account, ngx_dm_sec_derived_t *derived,
    dm_digest_request_t *request);
static ngx_int_t ngx_dm_sec_digest_ha2(ngx_dm_sec_derived_ha2_t *ha2,
    dm_digest_request_t *request);


ngx_int_t
ngx_dm_sec_digest_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    if (!(dlcf->auth & NGX_DM_SEC_DIGEST)) {
        return NGX_OK;
    }

    if (dlcf->realm.len
        && (dlcf->realm.len != dmcf->realm.len
            || ngx_memcmp(dlcf->realm.data, dmcf->realm.data, dmcf->realm.len)
               != 0))
    {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth digest\" needs the realm of the "
                           "account store, \"%V\", which its hashes hold: "
                           "leave \"dm_sec_realm\" out", &dmcf->realm);
        return NGX_ERROR;
    }

    ngx_dm_sec_challenge_settle(cf, dmcf, dscf, clcf, dlcf);

    return NGX_OK;
}


void
ngx_dm_sec_digest_verify(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred)
{
    dm_err_t              err;
    ngx_dm_sec_digest_t  *digest;

    if (!cred->seen) {
        cred->seen = 1;
        ngx_dm_sec_digest_read(r, cred);
    }

    digest = cred->state;

    if (digest == NULL) {
        return;
    }

    if (!ngx_dm_sec_challenge_accepts(dlcf, &digest->answer)) {
        dm_err_set(&err, "%s%s with qop %s is not accepted here",
                   dm_digest_name(digest->answer.alg),
                   digest->answer.sess ? "-sess" : "",
                   digest->answer.auth_int ? "auth-int" : "auth");

        ngx_dm_sec_attempt_malformed(r, cred, DM_USELESS, &err,
                                     NGX_DM_SEC_D_NOT_ACCEPTED,
                                     digest->answer.name);
        return;
    }

    /* a nonce's count is used up once, also where a redirect leads on */

    if (!digest->tried || digest->judged.outcome == NGX_DM_SEC_PENDING) {
        digest->tried = 1;
        ngx_dm_sec_digest_judge(r, ctx, digest);
    }

    ngx_dm_sec_attempt_renew(r, ctx, &digest->judged);

    cred->outcome = digest->judged.outcome;
    cred->reason = digest->judged.reason;
    cred->detail = digest->judged.detail;
    cred->account = digest->judged.account;
}


/* sets cred->state where there are credentials to be judged */
static void
ngx_dm_sec_digest_read(ngx_http_request_t *r, ngx_dm_sec_credential_t *cred)
{
    int                   rc;
    u_char               *buf;
    dm_err_t              err;
    ngx_table_elt_t      *h;
    ngx_dm_sec_digest_t  *digest;

    (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                               NGX_DM_SEC_R_NO_CREDENTIALS);

    h = r->headers_in.authorization;

    if (h == NULL) {
        return;
    }

    digest = ngx_pcalloc(r->pool, sizeof(ngx_dm_sec_digest_t));
    buf = ngx_pnalloc(r->pool, h->value.len);

    if (digest == NULL || buf == NULL) {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
        return;
    }

    rc = dm_digest_parse(&digest->answer, ngx_dm_sec_set_dm_str(h->value),
                         buf, &err);

    if (rc == DM_DECLINED) {
        return;
    }

    if (rc == DM_OK && !ngx_dm_sec_target_is(r, digest->answer.uri)) {
        rc = DM_INVALID;
        digest->answer.malformed = DM_MALFORMED_URI;
        dm_err_set(&err, "the uri of the Digest credentials is not what was "
                   "requested");
    }

    if (rc == DM_OK) {
        cred->state = digest;
        return;
    }

    ngx_dm_sec_attempt_malformed(r, cred, rc, &err, NGX_DM_SEC_D_MALFORMED
                                                    + digest->answer.malformed,
                                 digest->answer.name);
}


/* a name that is unknown goes the same way, with a decoy */
static void
ngx_dm_sec_digest_judge(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_digest_t *digest)
{
    dm_str_t          key;
    dm_store_index_t  index;

    index = DM_BY_NAME;
    key = digest->answer.name;

    if (digest->answer.userhash) {
        index = DM_BY_USERHASH_MD5 + digest->answer.alg;
        key.data = digest->answer.hash;
        key.len = dm_digest_size(digest->answer.alg);
    }

    ngx_dm_sec_attempt(r, ctx, &digest->judged, index, key,
                       digest->answer.name, ngx_dm_sec_digest_try, digest);
}


/*
 * Says nothing that counts for a lock where the secret is right and the nonce
 * is not, or where neither was looked at.
 */
static ngx_dm_sec_outcome_e
ngx_dm_sec_digest_try(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, dm_account_t *account, void *data)
{
    ngx_dm_sec_digest_t *digest = data;

    u_char                   body[DM_HASH_MAX];
    ngx_dm_sec_main_conf_t  *dmcf;

    if (!ngx_dm_sec_attempt_fits(ctx, account)) {
        digest->tried = 0;      /* another location may take it */
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_MISMATCH);
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    if (ngx_dm_sec_nonce_open(dmcf, digest->answer.nonce, account->id,
                              ctx->attempt->derived, &digest->nonce)
        != NGX_OK)
    {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    if (ngx_dm_sec_digest_may(r, ctx, cred, digest) != NGX_OK) {
        return cred->outcome;
    }

    /* it answers a challenge from before another store took its place */

    if (!dm_str_eq(digest->answer.realm, ngx_dm_sec_store_realm())
        && dm_str_eq(digest->answer.realm,
                     ngx_dm_sec_set_dm_str(dmcf->realm)))
    {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_STALE_NONCE);
        cred->detail = NGX_DM_SEC_D_NONCE_OTHER_REALM;
        return cred->outcome;
    }

    if (!digest->answer.auth_int) {
        return ngx_dm_sec_digest_compare(r, ctx, cred, digest, account, NULL);
    }

    switch (ngx_dm_sec_digest_body(r, ctx, digest, body)) {

    case NGX_OK:
        return ngx_dm_sec_digest_compare(r, ctx, cred, digest, account, body);

    case NGX_AGAIN:
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_PENDING,
                                   NGX_DM_SEC_R_BODY);

    default:
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }
}


static ngx_dm_sec_outcome_e
ngx_dm_sec_digest_compare(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, ngx_dm_sec_digest_t *digest,
    dm_account_t *account, const u_char *body)
{
    ngx_int_t            rc;
    ngx_uint_t           detail;
    ngx_dm_sec_reason_e  reason;

    /* a decoy is copied, too, so that it takes the same time */

    cred->account = ngx_dm_sec_account_copy(r->pool, account);

    if (cred->account == NULL) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    rc = ngx_dm_sec_digest_match(r, digest, account, ctx->attempt->derived,
                                 body);

    digest->lacking = (rc == NGX_DECLINED && ctx->attempt->who.known
                       && !account->has_ha1[digest->answer.alg])
                      ? cred->account : NULL;

    if (rc == NGX_ERROR) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    if (rc != NGX_OK || !ctx->attempt->who.known) {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_BAD_CREDENTIALS);
        cred->detail = ngx_dm_sec_digest_detail(r, digest, account);
        return cred->outcome;
    }

    reason = ngx_dm_sec_nonce_use(r, &digest->nonce, digest->answer.nc,
                                  &detail);

    (void) ngx_dm_sec_conclude(cred, reason == NGX_DM_SEC_R_NONE
                                     ? NGX_DM_SEC_VERIFIED : NGX_DM_SEC_WRONG,
                               reason);
    cred->detail = detail;

    return cred->outcome;
}


/*
 * Tells why a response may be wrong.  A name that is unknown goes the same way,
 * so nothing here depends on whether it is.  Who has used a nonce of an account
 * knew the password then: what is wrong is the body.
 */
static ngx_uint_t
ngx_dm_sec_digest_detail(ngx_http_request_t *r, ngx_dm_sec_digest_t *digest,
    dm_account_t *account)
{
    ngx_uint_t               bound, ours;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    ours = (ngx_uint_t) dm_str_eq(digest->answer.realm,
                                  ngx_dm_sec_store_realm());
    bound = digest->answer.auth_int
            && ngx_dm_sec_nonce_bound(dmcf, &digest->nonce);

    if (!ours) {
        return NGX_DM_SEC_D_WRONG_REALM;
    }

    if (!account->has_ha1[digest->answer.alg]) {
        return NGX_DM_SEC_D_LACKS_ALGORITHM;
    }

    if (digest->answer.auth_int) {
        return bound ? NGX_DM_SEC_D_BODY_CHANGED
                     : NGX_DM_SEC_D_BODY_OR_PASSWORD;
    }

    return NGX_DM_SEC_D_WRONG_PASSWORD;
}


/*
 * Says what ngx_dm_sec_attempt_may() says.  But a client that has a nonce of
 * the account has logged in before, and is not locked out by somebody else's
 * guesses.
 */
static ngx_int_t
ngx_dm_sec_digest_may(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, ngx_dm_sec_digest_t *digest)
{
    ngx_int_t                rc;
    ngx_dm_sec_main_conf_t  *dmcf;

    rc = ngx_dm_sec_attempt_may(r, ctx, cred);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    /* the order matters: a name that is unknown takes as long */

    return ngx_dm_sec_nonce_bound(dmcf, &digest->nonce)
           && ctx->attempt->who.known ? NGX_OK : NGX_DECLINED;
}


/* writes the body's hash: NGX_OK; NGX_AGAIN: it is to be read; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_digest_body(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_digest_t *digest, u_char *hash)
{
    ngx_int_t  rc;

    if (ctx->body_hash) {
        rc = ngx_dm_sec_body_finish(r, ctx, hash);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "dm_sec: auth-int cannot be verified: the request's "
                          "body could not be read to its end");
        }

        return rc == NGX_OK ? NGX_OK : NGX_ERROR;
    }

    rc = ngx_dm_sec_body_start(r, ctx, dm_digest_md(digest->answer.alg));

    if (rc == NGX_OK && ctx->body_whole) {
        return ngx_dm_sec_body_finish(r, ctx, hash);
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dm_sec: auth-int cannot be verified: the request's "
                      "body was read before an internal redirect led here");
        return NGX_ERROR;
    }

    return rc == NGX_OK ? NGX_AGAIN : NGX_ERROR;
}


/*
 * Returns NGX_OK: the response is the account's; NGX_DECLINED: it is not;
 * NGX_ERROR: a failure of ours.  An account that lacks the algorithm runs the
 * same comparison.
 */
static ngx_int_t
ngx_dm_sec_digest_match(ngx_http_request_t *r, ngx_dm_sec_digest_t *digest,
    dm_account_t *account, ngx_dm_sec_derived_t *derived, const u_char *body)
{
    ngx_int_t             rc;
    EVP_MD_CTX           *begun;
    dm_digest_answer_t   *answer;
    dm_digest_request_t   request;

    answer = &digest->answer;

    request.alg = answer->alg;
    request.sess = answer->sess;
    request.nonce = answer->nonce;
    request.nc = answer->nc_text;
    request.cnonce = answer->cnonce;
    request.qop = answer->qop;
    request.method = ngx_dm_sec_target_method(r);
    request.uri = answer->uri;
    request.body = body;

    begun = ngx_dm_sec_digest_begin(digest, account, derived, &request);
    if (begun == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_dm_sec_digest_match_begun(digest, account, derived, &request,
                                       begun);

    if (begun != derived->begun) {
        EVP_MD_CTX_free(begun);
    }

    return rc;
}


static ngx_int_t
ngx_dm_sec_digest_match_begun(ngx_dm_sec_digest_t *digest,
    dm_account_t *account, ngx_dm_sec_derived_t *derived,
    dm_digest_request_t *request, EVP_MD_CTX *begun)
{
    u_char               expected[DM_HASH_MAX];
    dm_digest_answer_t  *answer;

    answer = &digest->answer;

    if (ngx_dm_sec_digest_ha2(&derived->ha2[0], request) != NGX_OK
        || dm_digest_finish(request, begun, expected) != DM_OK)
    {
        return NGX_ERROR;
    }

    if (CRYPTO_memcmp(expected, answer->response, dm_digest_size(answer->alg))
        != 0
        || !account->has_ha1[answer->alg]
        || !dm_str_eq(answer->realm, ngx_dm_sec_store_realm()))
    {
        return NGX_DECLINED;
    }

    /* nothing is known here of the body of the answer; and who has a nonce that
       is not ours is not let in */

    if (request->body || !digest->nonce.ours) {
        return NGX_OK;
    }

    request->method = dm_str("");

    if (ngx_dm_sec_digest_ha2(&derived->ha2[1], request) != NGX_OK
        || dm_digest_finish(request, begun, expected) != DM_OK)
    {
        return NGX_ERROR;
    }

    digest->rspauth_len = dm_digest_hex(answer->alg, expected,
                                        digest->rspauth);

    return NGX_OK;
}


/*
 * Returns what the hashes begin with: that which is kept, or is from now on,
 * for the nonce of an account that is remembered; or one that the caller frees.
 * NULL: a failure of ours.
 */
static EVP_MD_CTX *
ngx_dm_sec_digest_begin(ngx_dm_sec_digest_t *digest, dm_account_t *account,
    ngx_dm_sec_derived_t *derived, dm_digest_request_t *request)
{
    EVP_MD_CTX  *begun;
    ngx_uint_t   keep;

    /* of a nonce that is ours derived has the text */

    keep = derived->remembered && digest->nonce.ours && !request->sess;

    if (keep && derived->begun && derived->begun_alg == request->alg) {
        return derived->begun;
    }

    begun = EVP_MD_CTX_new();
    if (begun == NULL) {
        return NULL;
    }

    if (dm_digest_begin(request, account->ha1[request->alg], begun) != DM_OK) {
        EVP_MD_CTX_free(begun);
        return NULL;
    }

    if (keep) {
        EVP_MD_CTX_free(derived->begun);
        derived->begun = begun;
        derived->begun_alg = request->alg;
    }

    return begun;
}


/*
 * Sets request->ha2 where it is kept, or can be from now on: a device asks for
 * the same again and again.  NGX_OK or NGX_ERROR.
 */
static ngx_int_t
ngx_dm_sec_digest_ha2(ngx_dm_sec_derived_ha2_t *ha2,
    dm_digest_request_t *request)
{
    size_t     len;
    u_char    *p;
    dm_str_t   kept_method, kept_uri;

    request->ha2 = NULL;
    len = request->method.len + request->uri.len;

    if (request->body || len == 0 || len > NGX_DM_SEC_DERIVED_TARGET) {
        return NGX_OK;
    }

    request->ha2 = ha2->digits;

    kept_method.data = ha2->target;
    kept_method.len = ha2->method_len;
    kept_uri.data = ha2->target + ha2->method_len;
    kept_uri.len = ha2->len - ha2->method_len;

    if (ha2->len
        && ha2->alg == request->alg
        && dm_str_eq(kept_method, request->method)
        && dm_str_eq(kept_uri, request->uri))
    {
        return NGX_OK;
    }

    /* until it is whole there is nothing */

    ha2->len = 0;

    if (dm_digest_ha2(request, ha2->digits) != DM_OK) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(ha2->target, request->method.data, request->method.len);
    ngx_memcpy(p, request->uri.data, request->uri.len);

    ha2->alg = request->alg;
    ha2->method_len = request->method.len;
    ha2->len = len;

    return NGX_OK;
}


void
ngx_dm_sec_digest_log(ngx_http_request_t *r, ngx_dm_sec_credential_t *cred)
{
    u_char                   buf[NGX_DM_SEC_LOG_ESCAPED];
    ngx_str_t                id;
    ngx_dm_sec_digest_t     *digest;
    ngx_dm_sec_main_conf_t  *dmcf;

    static ngx_str_t  reason = ngx_string("algorithm");

    digest = cred->state;

    if (digest == NULL || digest->lacking == NULL) {
        return;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    if (!ngx_dm_sec_log_may_name(dmcf->log_limit, NGX_LOG_WARN, &reason,
                                 ngx_dm_sec_set_dm_str(digest->lacking->id),
                                 buf, &id))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "dm_sec: account \"%V\" cannot log in with Digest and %s: "
                  "its password was never set for it", &id,
                  dm_digest_name(digest->answer.alg));
}


/*
 * Lets a nonce that ages be followed by one for the same account, so that the
 * client cannot be locked out between the two.
 */
ngx_int_t
ngx_dm_sec_digest_inform(ngx_http_request_t *r, ngx_dm_sec_credential_t *cred)
{
    u_char                  *p;
    u_char                   nonce[DM_NONCE_LEN];
    ngx_str_t                value, cnonce;
    ngx_dm_sec_digest_t     *digest;
    ngx_dm_sec_main_conf_t  *dmcf;

    digest = cred->state;

    if (digest == NULL || digest->judged.outcome != NGX_DM_SEC_VERIFIED) {
        return NGX_OK;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    cnonce.data = (u_char *) digest->answer.cnonce.data;
    cnonce.len = digest->answer.cnonce.len;

    value.data = ngx_pnalloc(r->pool,
                             sizeof("rspauth=\"\", qop=auth, cnonce=\"\", "
                                    "nc=, nextnonce=\"\"")
                             + digest->rspauth_len + 2 * cnonce.len
                             + digest->answer.nc_text.len + DM_NONCE_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = value.data;

    if (digest->rspauth_len) {
        p = ngx_dm_sec_put(p, "rspauth=\"");
        p = ngx_cpymem(p, digest->rspauth, digest->rspauth_len);
        p = ngx_dm_sec_put(p, "\", qop=auth, cnonce=\"");
        p = ngx_dm_sec_header_quote(p, &cnonce);
        p = ngx_dm_sec_put(p, "\", nc=");
        p = ngx_cpymem(p, digest->answer.nc_text.data,
                       digest->answer.nc_text.len);
    }

    if (ngx_dm_sec_nonce_ages(dmcf, &digest->nonce)) {

        if (ngx_dm_sec_nonce_make(dmcf, &digest->judged.account->id, nonce)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_sprintf(p, "%snextnonce=\"%*s\"",
                        digest->rspauth_len ? ", " : "",
                        (size_t) DM_NONCE_LEN, nonce);
    }

    value.len = p - value.data;

    if (value.len == 0) {
        return NGX_OK;
    }

    return ngx_dm_sec_header_answer(r, "Authentication-Info", &value);
}


void
ngx_dm_sec_digest_algorithm(ngx_dm_sec_credential_t *cred, ngx_str_t *name)
{
    ngx_dm_sec_digest_t  *digest;

    digest = cred->state;

    if (digest && digest->judged.outcome == NGX_DM_SEC_VERIFIED) {
        *name = *ngx_dm_sec_challenge_name(digest->answer.alg,
                                           digest->answer.sess);
    }
}
