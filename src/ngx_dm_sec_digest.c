/* Digest authentication, RFC 7616 and RFC 2617 */

#include "ngx_dm_sec_digest.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_body.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_nonce.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_zone.h"

#include "dm_digest_parse.h"


/* an algorithm to challenge with */
typedef struct {
    dm_algorithm_t        alg;
    unsigned              sess;
} ngx_dm_sec_algorithm_t;


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


static ngx_int_t ngx_dm_sec_digest_init(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);
static ngx_array_t *ngx_dm_sec_digest_default(ngx_conf_t *cf,
    ngx_uint_t md5_first);
static void ngx_dm_sec_digest_read(ngx_http_request_t *r,
    ngx_dm_sec_credential_t *cred);
static ngx_uint_t ngx_dm_sec_digest_is_target(ngx_http_request_t *r,
    dm_str_t uri);
static dm_str_t ngx_dm_sec_digest_method(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_digest_accepts(ngx_dm_sec_loc_conf_t *dlcf,
    dm_digest_answer_t *answer);
static void ngx_dm_sec_digest_judge(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_digest_t *digest);
static ngx_dm_sec_outcome_e ngx_dm_sec_digest_try(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    dm_account_t *account, void *data);
static ngx_dm_sec_outcome_e ngx_dm_sec_digest_compare(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_digest_t *digest, dm_account_t *account, const u_char *body);
static ngx_int_t ngx_dm_sec_digest_may(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_digest_t *digest);
static ngx_int_t ngx_dm_sec_digest_body(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_digest_t *digest, u_char *hash);
static ngx_int_t ngx_dm_sec_digest_match(ngx_http_request_t *r,
    ngx_dm_sec_digest_t *digest, dm_account_t *account, const u_char *body);
static ngx_int_t ngx_dm_sec_digest_add_challenge(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, const dm_store_meta_t *meta,
    ngx_dm_sec_algorithm_t *algorithm, u_char *nonce, ngx_uint_t stale);


/* indexed by algorithm, then 0 without and 1 with -sess */
static ngx_str_t  ngx_dm_sec_algorithm_names[DM_NALGORITHMS][2] = {
    [DM_MD5] = { ngx_string("MD5"), ngx_string("MD5-sess") },
    [DM_SHA512_256] = { ngx_string("SHA-512-256"),
                        ngx_string("SHA-512-256-sess") },
    [DM_SHA256] = { ngx_string("SHA-256"), ngx_string("SHA-256-sess") }
};


static ngx_str_t  ngx_dm_sec_qops[] = {
    ngx_null_string,
    ngx_string("auth"),
    ngx_string("auth-int"),
    ngx_string("auth, auth-int")
};


char *
ngx_dm_sec_digest_set_algorithms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    ngx_str_t               *value;
    ngx_uint_t               i, n;
    ngx_dm_sec_algorithm_t  *algorithm;

    if (dlcf->digest_algorithms != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    dlcf->digest_algorithms = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                               sizeof(ngx_dm_sec_algorithm_t));
    if (dlcf->digest_algorithms == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        algorithm = ngx_array_push(dlcf->digest_algorithms);

        if (dm_digest_by_sess_name(ngx_dm_sec_set_dm_str(value[i]),
                                   &algorithm->alg, &algorithm->sess)
            != DM_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": the algorithms are "
                               "MD5, SHA-256 and SHA-512-256, each also with "
                               "\"-sess\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        for (n = 1; n < i; n++) {
            if (value[n].len == value[i].len
                && ngx_strcasecmp(value[n].data, value[i].data) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate algorithm \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }
    }

    return NGX_CONF_OK;
}


/* makes the defaults, and says so, once; NGX_OK or NGX_ERROR */
static ngx_int_t
ngx_dm_sec_digest_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    if (dmcf->digest_algorithms) {
        return NGX_OK;
    }

    if (dmcf->lacks_sha256) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "dm_sec: %uL accounts have no SHA-256: Digest is "
                      "challenged with MD5 first; \"dm-account list --lacks "
                      "SHA-256\" names them", dmcf->lacks_sha256);
    }

    dmcf->digest_algorithms = ngx_dm_sec_digest_default(cf, 0);
    dmcf->digest_md5_first = ngx_dm_sec_digest_default(cf, 1);

    return dmcf->digest_algorithms && dmcf->digest_md5_first ? NGX_OK
                                                             : NGX_ERROR;
}


/*
 * Lists the algorithms, the strongest first.  But many clients answer the
 * first challenge or none, and an account with MD5 alone would not get in by
 * another one.
 */
static ngx_array_t *
ngx_dm_sec_digest_default(ngx_conf_t *cf, ngx_uint_t md5_first)
{
    ngx_uint_t               i;
    ngx_array_t             *algorithms;
    ngx_dm_sec_algorithm_t  *algorithm;

    static const dm_algorithm_t  order[] = {
        DM_MD5, DM_SHA256, DM_SHA512_256, DM_MD5
    };

    algorithms = ngx_array_create(cf->pool, DM_NALGORITHMS,
                                  sizeof(ngx_dm_sec_algorithm_t));
    if (algorithms == NULL) {
        return NULL;
    }

    for (i = 0; i < DM_NALGORITHMS; i++) {
        algorithm = ngx_array_push(algorithms);
        algorithm->alg = order[md5_first ? i : i + 1];
        algorithm->sess = 0;
    }

    return algorithms;
}


ngx_int_t
ngx_dm_sec_digest_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_uint_t               i;
    ngx_dm_sec_algorithm_t  *algorithm;

    if (!(dlcf->auth & NGX_DM_SEC_DIGEST)) {
        return NGX_OK;
    }

    if (dlcf->realm.len
        && (dlcf->realm.len != dmcf->realm.len
            || ngx_memcmp(dlcf->realm.data, dmcf->realm.data, dmcf->realm.len)
               != 0))
    {
        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, clcf,
                            "\"dm_sec_auth digest\" needs the realm of the "
                            "account store, \"%V\", which its hashes hold: "
                            "leave \"dm_sec_realm\" out", &dmcf->realm);
        return NGX_ERROR;
    }

    if (dlcf->digest_algorithms == NULL) {

        if (ngx_dm_sec_digest_init(cf, dmcf) != NGX_OK) {
            return NGX_ERROR;
        }

        dlcf->digest_algorithms = dmcf->digest_algorithms;
    }

    algorithm = dlcf->digest_algorithms->elts;

    for (i = 0; i < dlcf->digest_algorithms->nelts; i++) {
        dlcf->digest_accepted |= 1 << algorithm[i].alg;
    }

    if (dmcf->lacks_sha256
        && dlcf->digest_algorithms != dmcf->digest_algorithms
        && algorithm[0].alg != DM_MD5
        && dlcf->digest_algorithms != dmcf->digest_warned)
    {
        dmcf->digest_warned = dlcf->digest_algorithms;

        ngx_dm_sec_log_conf(NGX_LOG_WARN, cf, dscf, clcf,
                            "%uL accounts have no SHA-256, and a client that "
                            "answers the first of several challenges only "
                            "cannot log in with them: write MD5 first in "
                            "\"dm_sec_digest_algorithms\", or leave it out; "
                            "\"dm-account list --lacks SHA-256\" names them",
                            dmcf->lacks_sha256);
    }

    return NGX_OK;
}


char *
ngx_dm_sec_digest_directive(ngx_dm_sec_loc_conf_t *dlcf)
{
    if (dlcf->own_digest_algorithms) {
        return "dm_sec_digest_algorithms";
    }

    return dlcf->own_digest_qop ? "dm_sec_digest_qop" : NULL;
}


void
ngx_dm_sec_digest_verify(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred)
{
    ngx_dm_sec_digest_t  *digest;

    if (!cred->seen) {
        cred->seen = 1;
        ngx_dm_sec_digest_read(r, cred);
    }

    digest = cred->state;

    if (digest == NULL) {
        return;
    }

    if (!ngx_dm_sec_digest_accepts(dlcf, &digest->answer)) {
        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dm_sec digest: %s, qop \"%s\", is not accepted here",
                       dm_digest_name(digest->answer.alg),
                       digest->answer.auth_int ? "auth-int" : "auth");

        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                                   NGX_DM_SEC_R_NO_CREDENTIALS);
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

    if (rc == DM_OK && !ngx_dm_sec_digest_is_target(r, digest->answer.uri)) {
        rc = DM_INVALID;
        dm_err_set(&err, "the uri of the Digest credentials is not what was "
                   "requested");
    }

    if (rc == DM_OK) {
        cred->state = digest;
        return;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "dm_sec: %s", err.text);

    (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_MALFORMED,
                               NGX_DM_SEC_R_MALFORMED);
}


/* compares with the target as it was sent: RFC 7230, section 5.3 */
static ngx_uint_t
ngx_dm_sec_digest_is_target(ngx_http_request_t *r, dm_str_t uri)
{
    u_char    *p, *last;
    dm_str_t   target;

    if (dm_str_eq(uri, ngx_dm_sec_set_dm_str(r->unparsed_uri))) {
        return 1;
    }

    p = r->request_line.data;
    last = p + r->request_line.len;

    p = ngx_strlchr(p, last, ' ');

    if (p == NULL) {
        return 0;
    }

    target.data = ++p;

    p = ngx_strlchr(p, last, ' ');

    if (p == NULL) {
        return 0;
    }

    target.len = p - target.data;

    return dm_str_eq(uri, target);
}


/* the method as it was sent: an error_page makes a GET of a POST */
static dm_str_t
ngx_dm_sec_digest_method(ngx_http_request_t *r)
{
    u_char  *p, *last;

    p = r->request_line.data;
    last = ngx_strlchr(p, p + r->request_line.len, ' ');

    return last ? (dm_str_t) { p, last - p }
                : ngx_dm_sec_set_dm_str(r->method_name);
}


static ngx_uint_t
ngx_dm_sec_digest_accepts(ngx_dm_sec_loc_conf_t *dlcf,
    dm_digest_answer_t *answer)
{
    ngx_uint_t  qop;

    qop = answer->auth_int ? NGX_DM_SEC_QOP_AUTH_INT : NGX_DM_SEC_QOP_AUTH;

    return (dlcf->digest_accepted >> answer->alg & 1)
           && (dlcf->digest_qop & qop);
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
                              &digest->nonce)
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
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_STALE_NONCE);
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
    ngx_dm_sec_reason_e  reason;

    /* a decoy is copied, too, so that it takes the same time */

    cred->account = ngx_dm_sec_account_copy(r->pool, account);

    if (cred->account == NULL) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    rc = ngx_dm_sec_digest_match(r, digest, account, body);

    digest->lacking = (rc == NGX_DECLINED && ctx->attempt->who.known
                       && !account->has_ha1[digest->answer.alg])
                      ? cred->account : NULL;

    if (rc == NGX_ERROR) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }

    if (rc != NGX_OK || !ctx->attempt->who.known) {
        return ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_BAD_CREDENTIALS);
    }

    reason = ngx_dm_sec_nonce_use(r, &digest->nonce, digest->answer.nc);

    return ngx_dm_sec_conclude(cred, reason == NGX_DM_SEC_R_NONE
                                     ? NGX_DM_SEC_VERIFIED : NGX_DM_SEC_WRONG,
                               reason);
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
    dm_account_t *account, const u_char *body)
{
    u_char                expected[DM_HASH_MAX];
    dm_algorithm_t        alg;
    dm_digest_answer_t   *answer;
    dm_digest_request_t   request;

    answer = &digest->answer;
    alg = answer->alg;

    request.alg = alg;
    request.sess = answer->sess;
    request.nonce = answer->nonce;
    request.nc = answer->nc_text;
    request.cnonce = answer->cnonce;
    request.qop = answer->qop;
    request.method = ngx_dm_sec_digest_method(r);
    request.uri = answer->uri;
    request.body = body;

    if (dm_digest_response(&request, account->ha1[alg], expected) != DM_OK) {
        return NGX_ERROR;
    }

    if (CRYPTO_memcmp(expected, answer->response, dm_digest_size(alg)) != 0
        || !account->has_ha1[alg]
        || !dm_str_eq(answer->realm, ngx_dm_sec_store_realm()))
    {
        return NGX_DECLINED;
    }

    /* nothing is known here of the body of the answer */

    if (body) {
        return NGX_OK;
    }

    ngx_memzero(&request.method, sizeof(dm_str_t));

    if (dm_digest_response(&request, account->ha1[alg], expected) != DM_OK) {
        return NGX_ERROR;
    }

    digest->rspauth_len = dm_digest_hex(alg, expected, digest->rspauth);

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


ngx_int_t
ngx_dm_sec_digest_challenge(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    const dm_store_meta_t *meta)
{
    u_char                   nonce[DM_NONCE_LEN];
    ngx_uint_t               i, stale;
    ngx_array_t             *algorithms;
    ngx_dm_sec_algorithm_t  *algorithm;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    stale = (ctx->reason == NGX_DM_SEC_R_STALE_NONCE
             || ctx->reason == NGX_DM_SEC_R_REPLAY);

    if (ngx_dm_sec_nonce_make(dmcf, NULL, nonce) != NGX_OK) {
        return NGX_ERROR;
    }

    algorithms = ctx->denied_by->digest_algorithms;

    if (algorithms == dmcf->digest_algorithms && meta->lacks_sha256) {
        algorithms = dmcf->digest_md5_first;
    }

    algorithm = algorithms->elts;

    for (i = 0; i < algorithms->nelts; i++) {

        if (ngx_dm_sec_digest_add_challenge(r, ctx->denied_by, meta,
                                            &algorithm[i], nonce, stale)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_digest_add_challenge(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, const dm_store_meta_t *meta,
    ngx_dm_sec_algorithm_t *algorithm, u_char *nonce, ngx_uint_t stale)
{
    u_char                  *p;
    size_t                   size;
    ngx_str_t                value;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    size = sizeof("Digest realm=\"\", nonce=\"\", opaque=\"\", "
                  "algorithm=SHA-512-256-sess, qop=\"auth, auth-int\", "
                  "charset=UTF-8, userhash=true, stale=true")
           + meta->realm.len + DM_NONCE_LEN + 2 * DM_NONCE_NODE;

    value.data = ngx_pnalloc(r->pool, size);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    /* a store's realm has nothing that would need a backslash */

    p = ngx_sprintf(value.data, "Digest realm=\"%*s\", nonce=\"%*s\", "
                    "opaque=\"", meta->realm.len, meta->realm.data,
                    (size_t) DM_NONCE_LEN, nonce);

    /* the opaque that comes back is not looked at: the nonce says as much */

    p = ngx_hex_dump(p, ngx_dm_sec_zone_shared(dmcf)->node, DM_NONCE_NODE);

    p = ngx_sprintf(p, "\", algorithm=%V, qop=\"%V\", charset=UTF-8, "
                    "userhash=true%s",
                    &ngx_dm_sec_algorithm_names[algorithm->alg]
                                               [algorithm->sess],
                    &ngx_dm_sec_qops[dlcf->digest_qop & NGX_DM_SEC_QOPS],
                    stale ? ", stale=true" : "");

    value.len = p - value.data;

    return ngx_dm_sec_header_answer(r, "WWW-Authenticate", &value);
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
        p = ngx_sprintf(p, "rspauth=\"%*s\", qop=auth, cnonce=\"",
                        digest->rspauth_len, digest->rspauth);
        p = ngx_dm_sec_header_quote(p, &cnonce);
        p = ngx_sprintf(p, "\", nc=%*s", digest->answer.nc_text.len,
                        digest->answer.nc_text.data);
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
        *name = ngx_dm_sec_algorithm_names[digest->answer.alg]
                                          [digest->answer.sess];
    }
}
