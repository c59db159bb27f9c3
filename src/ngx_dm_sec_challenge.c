/* Digest challenges: what a location asks for, and takes for an answer */

#include "ngx_dm_sec_challenge.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_nonce.h"
#include "ngx_dm_sec_store.h"


/* the bit of an algorithm in digest_accepted */
#define ngx_dm_sec_challenge_bit(alg, sess)                                   \
    ((ngx_uint_t) 1 << (2 * (alg) + (sess)))

#define NGX_DM_SEC_CHALLENGE_DEFAULT                                          \
    (ngx_dm_sec_challenge_bit(DM_MD5, 0)                                      \
     | ngx_dm_sec_challenge_bit(DM_MD5, 1)                                    \
     | ngx_dm_sec_challenge_bit(DM_SHA256, 0)                                 \
     | ngx_dm_sec_challenge_bit(DM_SHA256, 1))


/* an algorithm to challenge with */
typedef struct {
    dm_algorithm_t        alg;
    unsigned              sess;
} ngx_dm_sec_algorithm_t;


static void ngx_dm_sec_challenge_tell(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_challenge_warn(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_challenge_add_one(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, const dm_store_meta_t *meta,
    ngx_dm_sec_algorithm_t *algorithm, ngx_uint_t qop, u_char *nonce,
    ngx_uint_t stale);


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
    ngx_string("auth,auth-int")     /* LWP wants no space */
};


/*
 * By default the first challenge and the last are the same.  Many clients look
 * at the first alone, and many at the last, and of both some know MD5 only.
 * Who does not take MD5 finds SHA-256 between them.
 */
static ngx_dm_sec_algorithm_t  ngx_dm_sec_challenge_any[] = {
    { DM_MD5, 0 }, { DM_SHA256, 0 }, { DM_MD5, 0 }
};

static ngx_dm_sec_algorithm_t  ngx_dm_sec_challenge_md5[] = {
    { DM_MD5, 0 }
};

static ngx_dm_sec_algorithm_t  ngx_dm_sec_challenge_sha256[] = {
    { DM_SHA256, 0 }
};

#define ngx_dm_sec_challenge_list(list)                                       \
    { list, sizeof(list) / sizeof(list[0]), sizeof(list[0]),                  \
      sizeof(list) / sizeof(list[0]), NULL }

static ngx_array_t  ngx_dm_sec_challenge_defaults[] = {
    [DM_CHALLENGE_ANY] = ngx_dm_sec_challenge_list(ngx_dm_sec_challenge_any),
    [DM_CHALLENGE_MD5] = ngx_dm_sec_challenge_list(ngx_dm_sec_challenge_md5),
    [DM_CHALLENGE_SHA256] =
                       ngx_dm_sec_challenge_list(ngx_dm_sec_challenge_sha256)
};


char *
ngx_dm_sec_challenge_set_algorithms(ngx_conf_t *cf, ngx_command_t *cmd,
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

        /* the first may be the last, too: see the default */

        n = (i > 2 && i == cf->args->nelts - 1) ? 2 : 1;

        for ( /* void */ ; n < i; n++) {
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


char *
ngx_dm_sec_challenge_set_parameters(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    char  *rv;

    rv = ngx_conf_set_bitmask_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK
        && (dlcf->challenge_parameters & NGX_DM_SEC_CHALLENGE_PLAIN)
        && cf->args->nelts > 2)
    {
        return "has \"off\" beside other parameters";
    }

    return rv;
}


void
ngx_dm_sec_challenge_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_uint_t               i;
    ngx_dm_sec_algorithm_t  *algorithm;

    if (dlcf->digest_algorithms == NULL) {
        dlcf->digest_accepted = NGX_DM_SEC_CHALLENGE_DEFAULT;
        ngx_dm_sec_challenge_tell(cf, dmcf);
        return;
    }

    /* -sess is taken with the algorithm itself, which is not with -sess */

    algorithm = dlcf->digest_algorithms->elts;

    for (i = 0; i < dlcf->digest_algorithms->nelts; i++) {
        dlcf->digest_accepted |=
            ngx_dm_sec_challenge_bit(algorithm[i].alg, algorithm[i].sess)
            | ngx_dm_sec_challenge_bit(algorithm[i].alg, 1);
    }

    if (dlcf->digest_algorithms != dmcf->digest_warned) {
        dmcf->digest_warned = dlcf->digest_algorithms;
        ngx_dm_sec_challenge_warn(cf, dmcf, dscf, clcf, dlcf);
    }
}


/* says once what the default is while accounts lack an algorithm */
static void
ngx_dm_sec_challenge_tell(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    uint64_t  neither, no_md5, no_sha256;

    if (dmcf->digest_told) {
        return;
    }

    dmcf->digest_told = 1;

    if (!dmcf->counted) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "dm_sec: the store is from a version that did not count "
                      "which hashes accounts have: the next change by "
                      "dm-account counts them, and until then \"dm-account "
                      "list --lacks MD5\" and \"--lacks SHA-256\" tell whom "
                      "Digest's challenges may not suit");
    }

    neither = dmcf->counts.hashes[1 << DM_SHA512_256];

    if (neither) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "dm_sec: %uL accounts have SHA-512-256 alone, which "
                      "Digest is not challenged with: they cannot log in by "
                      "it until \"dm_sec_digest_algorithms\" names it, or they "
                      "have another password", neither);
    }

    no_md5 = dm_store_lacking(&dmcf->counts, DM_MD5) - neither;
    no_sha256 = dm_store_lacking(&dmcf->counts, DM_SHA256) - neither;

    if (dmcf->challenge == DM_CHALLENGE_ANY && (no_md5 || no_sha256)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "dm_sec: %uL accounts have no SHA-256 and %uL no MD5: "
                      "whatever Digest is challenged with, some clients that "
                      "answer one challenge only cannot log in with them; "
                      "\"dm-account list --lacks SHA-256\" and \"--lacks "
                      "MD5\" name them", no_sha256, no_md5);

    } else if (dmcf->challenge == DM_CHALLENGE_MD5) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "dm_sec: %uL accounts have no SHA-256: Digest is "
                      "challenged with MD5 alone; \"dm-account list --lacks "
                      "SHA-256\" names them", no_sha256);

    } else if (dmcf->challenge == DM_CHALLENGE_SHA256) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "dm_sec: %uL accounts have no MD5: Digest is "
                      "challenged with SHA-256 alone, as none has it; "
                      "\"dm-account list --lacks MD5\" names them", no_md5);
    }
}


/* warns of challenges that shut out clients, where they were written */
static void
ngx_dm_sec_challenge_warn(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    uint64_t                 n;
    ngx_str_t               *name;
    ngx_uint_t               i, seen;
    ngx_dm_sec_algorithm_t  *algorithm;

    algorithm = dlcf->digest_algorithms->elts;
    seen = 0;

    for (i = 0; i < dlcf->digest_algorithms->nelts; i++) {

        n = dm_store_lacking(&dmcf->counts, algorithm[i].alg);

        if (n && !(seen & (ngx_uint_t) 1 << algorithm[i].alg)) {
            name = ngx_dm_sec_challenge_name(algorithm[i].alg, 0);

            ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                               "%uL accounts have no %V, and a client that "
                               "answers its challenge cannot log in with "
                               "them: write in \"dm_sec_digest_algorithms\" "
                               "those that all have, or leave it out; "
                               "\"dm-account list --lacks %V\" names them",
                               n, name, name);
        }

        seen |= (ngx_uint_t) 1 << algorithm[i].alg;
    }

    algorithm += dlcf->digest_algorithms->nelts - 1;

    if (dlcf->digest_algorithms->nelts > 1 && algorithm->alg == DM_SHA512_256)
    {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "\"%V\" is the last of "
                           "\"dm_sec_digest_algorithms\": clients that keep "
                           "the last challenge that they see, and do not "
                           "know it, do not log in; write another one behind "
                           "it",
                           ngx_dm_sec_challenge_name(algorithm->alg,
                                                     algorithm->sess));
    }
}


char *
ngx_dm_sec_challenge_directive(ngx_dm_sec_loc_conf_t *dlcf)
{
    if (dlcf->own_digest_algorithms) {
        return "dm_sec_digest_algorithms";
    }

    return dlcf->own_digest_qop ? "dm_sec_digest_qop" : NULL;
}


ngx_uint_t
ngx_dm_sec_challenge_accepts(ngx_dm_sec_loc_conf_t *dlcf,
    dm_digest_answer_t *answer)
{
    ngx_uint_t  bit, qop;

    bit = ngx_dm_sec_challenge_bit(answer->alg, answer->sess);
    qop = answer->auth_int ? NGX_DM_SEC_QOP_AUTH_INT : NGX_DM_SEC_QOP_AUTH;

    return (dlcf->digest_accepted & bit) && (dlcf->digest_qop & qop);
}


ngx_str_t *
ngx_dm_sec_challenge_name(dm_algorithm_t alg, unsigned sess)
{
    return &ngx_dm_sec_algorithm_names[alg][sess];
}


ngx_int_t
ngx_dm_sec_challenge_add(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    const dm_store_meta_t *meta)
{
    u_char                   nonce[DM_NONCE_LEN];
    ngx_uint_t               i, qop, stale;
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

    if (algorithms == NULL) {
        algorithms = &ngx_dm_sec_challenge_defaults[
                                  ngx_dm_sec_store_challenge(dmcf, r)];
    }

    algorithm = algorithms->elts;
    qop = ctx->denied_by->digest_qop & NGX_DM_SEC_QOPS;

    for (i = 0; i < algorithms->nelts; i++) {

        if (ngx_dm_sec_challenge_add_one(r, ctx->denied_by, meta,
                                         &algorithm[i], qop, nonce, stale)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* a list is unknown to some that look at the last alone, as to wget */

    if (qop == NGX_DM_SEC_QOPS) {
        return ngx_dm_sec_challenge_add_one(r, ctx->denied_by, meta,
                                            &algorithm[algorithms->nelts - 1],
                                            NGX_DM_SEC_QOP_AUTH, nonce, stale);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_challenge_add_one(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, const dm_store_meta_t *meta,
    ngx_dm_sec_algorithm_t *algorithm, ngx_uint_t qop, u_char *nonce,
    ngx_uint_t stale)
{
    u_char                  *p;
    size_t                   size;
    ngx_str_t                value, *name;
    ngx_uint_t               parameters;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    size = sizeof("Digest realm=\"\", nonce=\"\", opaque=\"\", "
                  "algorithm=SHA-512-256-sess, qop=\"auth,auth-int\", "
                  "charset=UTF-8, userhash=true, stale=true")
           + meta->realm.len + DM_NONCE_LEN + 2 * DM_NONCE_NODE;

    value.data = ngx_pnalloc(r->pool, size);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    /* a store's realm has nothing that would need a backslash */

    p = ngx_dm_sec_put(value.data, "Digest realm=\"");
    p = ngx_cpymem(p, meta->realm.data, meta->realm.len);
    p = ngx_dm_sec_put(p, "\", nonce=\"");
    p = ngx_cpymem(p, nonce, DM_NONCE_LEN);

    /* the opaque that comes back is not looked at: the nonce says as much */

    p = ngx_dm_sec_put(p, "\", opaque=\"");
    p = ngx_hex_dump(p, ngx_dm_sec_zone_shared(dmcf)->node, DM_NONCE_NODE);

    name = ngx_dm_sec_challenge_name(algorithm->alg, algorithm->sess);
    parameters = dlcf->challenge_parameters;

    p = ngx_dm_sec_put(p, "\", algorithm=");
    p = ngx_cpymem(p, name->data, name->len);
    p = ngx_dm_sec_put(p, ", qop=\"");
    p = ngx_cpymem(p, ngx_dm_sec_qops[qop].data, ngx_dm_sec_qops[qop].len);
    *p++ = '"';

    if (parameters & NGX_DM_SEC_CHALLENGE_CHARSET) {
        p = ngx_dm_sec_put(p, ", charset=UTF-8");
    }

    if (parameters & NGX_DM_SEC_CHALLENGE_USERHASH) {
        p = ngx_dm_sec_put(p, ", userhash=true");
    }

    if (stale) {
        p = ngx_dm_sec_put(p, ", stale=true");
    }

    value.len = p - value.data;

    return ngx_dm_sec_header_answer(r, "WWW-Authenticate", &value);
}
