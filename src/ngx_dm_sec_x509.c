/* Client certificates, RFC 5280: the account that one is bound to */

#include "ngx_dm_sec_x509.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_verify.h"

#include "dm_cert.h"
#include "dm_cert_logged.h"
#include "dm_devid.h"


/* the whole subject must match, whatever the pattern says */
#define NGX_DM_SEC_X509_ANCHORED  "\\A(?:%V)\\z"


/* when a certificate is valid, seconds since 1970 */
typedef struct {
    X509         *cert;             /* whose times these are; NULL: of none */
    time_t        not_before;
    time_t        not_after;
} ngx_dm_sec_validity_t;


/* a certificate whose account is searched, one key after the other */
typedef struct {
    ngx_dm_sec_main_conf_t   *dmcf;
    ngx_log_t                *log;
    X509                     *cert;

    ngx_array_t              *ways;     /* ngx_dm_sec_x509_identity_t */
    ngx_uint_t                way;      /* the one whose keys are tried */
    ngx_uint_t                begun;    /* a key of this way was tried */
    dm_cert_names_t           names;    /* the next ones, where it is SAN */
    u_char                    key[DM_CERT_KEY_MAX];

    ngx_pool_t               *pool;     /* to verify */
    ngx_dm_sec_credential_t  *cred;
} ngx_dm_sec_x509_owner_t;


static void ngx_dm_sec_x509_check_on(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_x509_add_identity(ngx_conf_t *cf,
    ngx_array_t *identities, ngx_str_t *value);
static ngx_int_t ngx_dm_sec_x509_compile(ngx_conf_t *cf, ngx_str_t *pattern,
    ngx_regex_t **regex);
static ngx_dm_sec_reason_e ngx_dm_sec_x509_judge(ngx_http_request_t *r,
    X509 *cert, ngx_uint_t *detail);
static ngx_uint_t ngx_dm_sec_x509_in_time(ngx_http_request_t *r, X509 *cert);
static ngx_int_t ngx_dm_sec_x509_times(X509 *cert,
    ngx_dm_sec_validity_t *validity);
static ngx_int_t ngx_dm_sec_x509_time(const ASN1_TIME *src, time_t *dst);
static ngx_int_t ngx_dm_sec_x509_account(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_array_t *ways, X509 *cert,
    ngx_dm_sec_credential_t *cred);
static ngx_int_t ngx_dm_sec_x509_accept(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static ngx_int_t ngx_dm_sec_x509_known(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static void ngx_dm_sec_x509_search(ngx_dm_sec_search_t *search,
    ngx_dm_sec_x509_owner_t *owner);
static ngx_int_t ngx_dm_sec_x509_next(ngx_dm_sec_search_t *search,
    dm_store_index_t *index, dm_str_t *key);
static ngx_int_t ngx_dm_sec_x509_by_key(ngx_dm_sec_x509_owner_t *owner,
    ngx_uint_t kind, dm_str_t *key);
static ngx_int_t ngx_dm_sec_x509_by_regex(ngx_dm_sec_x509_owner_t *owner,
    ngx_regex_t *regex, dm_str_t *key);
static void ngx_dm_sec_x509_complain(ngx_dm_sec_x509_owner_t *owner,
    ngx_int_t rc);
static ngx_str_t ngx_dm_sec_x509_claim_key(ngx_http_request_t *r,
    ngx_dm_sec_x509_owner_t *owner, u_char *buf, size_t max);
static void ngx_dm_sec_x509_claim_subject(X509 *cert, ngx_str_t *claim,
    u_char *buf, size_t max);
static ngx_int_t ngx_dm_sec_x509_chain(ngx_http_request_t *r,
    STACK_OF(X509) *chain, ngx_str_t *value);
static ngx_int_t ngx_dm_sec_x509_encode(ngx_http_request_t *r, X509 *cert,
    ngx_str_t *value);


static const ngx_dm_sec_keep_t  ngx_dm_sec_validity_keep = {
    "validity", sizeof(ngx_dm_sec_validity_t), NULL
};


static ngx_conf_enum_t  ngx_dm_sec_x509_kinds[] = {
    { ngx_string("fingerprint"), DM_CERT_FINGERPRINT },
    { ngx_string("issuer-serial"), DM_CERT_ISSUER_SERIAL },
    { ngx_string("san"), DM_CERT_SAN },
    { ngx_string("subject"), DM_CERT_SUBJECT },
    { ngx_null_string, 0 }
};


char *
ngx_dm_sec_x509_set_identity(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (dlcf->x509_identity != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    dlcf->own_x509_identity = 1;
    dlcf->x509_identity = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                           sizeof(ngx_dm_sec_x509_identity_t));
    if (dlcf->x509_identity == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_dm_sec_x509_add_identity(cf, dlcf->x509_identity, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_array_t *
ngx_dm_sec_x509_default_identity(ngx_conf_t *cf)
{
    ngx_uint_t    i;
    ngx_array_t  *identities;

    static ngx_str_t  names[] = {
        ngx_string("fingerprint"), ngx_string("san"), ngx_string("subject")
    };

    identities = ngx_array_create(cf->pool, 3,
                                  sizeof(ngx_dm_sec_x509_identity_t));
    if (identities == NULL) {
        return NULL;
    }

    for (i = 0; i < 3; i++) {
        if (ngx_dm_sec_x509_add_identity(cf, identities, &names[i])
            != NGX_OK)
        {
            return NULL;
        }
    }

    return identities;
}


static ngx_int_t
ngx_dm_sec_x509_add_identity(ngx_conf_t *cf, ngx_array_t *identities,
    ngx_str_t *value)
{
    ngx_uint_t                   i;
    ngx_dm_sec_x509_identity_t  *identity;

    identity = ngx_array_push(identities);
    if (identity == NULL) {
        return NGX_ERROR;
    }

    identity->regex = NULL;

    for (i = 0; ngx_dm_sec_x509_kinds[i].name.len; i++) {

        if (ngx_dm_sec_x509_kinds[i].name.len == value->len
            && ngx_strcmp(ngx_dm_sec_x509_kinds[i].name.data, value->data)
               == 0)
        {
            identity->kind = ngx_dm_sec_x509_kinds[i].value;
            return NGX_OK;
        }
    }

    return ngx_dm_sec_x509_compile(cf, value, &identity->regex);
}


static ngx_int_t
ngx_dm_sec_x509_compile(ngx_conf_t *cf, ngx_str_t *pattern,
    ngx_regex_t **regex)
{
    u_char               *p;
    ngx_regex_compile_t   rc;
    u_char                errstr[NGX_MAX_CONF_ERRSTR];

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern = *pattern;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    /* it is compiled alone first: a parenthesis must not meet the anchors' */

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_ERROR;
    }

    if (rc.captures == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": neither fingerprint, "
                           "issuer-serial, san or subject nor a regular "
                           "expression with a group for the account's id",
                           pattern);
        return NGX_ERROR;
    }

    rc.pattern.data = ngx_pnalloc(cf->pool, pattern->len
                                  + sizeof(NGX_DM_SEC_X509_ANCHORED));
    if (rc.pattern.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(rc.pattern.data, NGX_DM_SEC_X509_ANCHORED "%Z", pattern);
    rc.pattern.len = p - rc.pattern.data - 1;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_ERROR;
    }

    *regex = rc.regex;

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_x509_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (!dscf->listens) {
        return NGX_OK;
    }

    if ((dlcf->auth & NGX_DM_SEC_X509) && sscf->verify == 0) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth x509\" needs client certificates: "
                           "write \"ssl_verify_client optional\" and "
                           "\"ssl_client_certificate\"");
        return NGX_ERROR;
    }

    if (clcf && sscf->verify == 1) {
        ngx_dm_sec_x509_check_on(cf, dscf, clcf, dlcf);
    }

    return NGX_OK;
}


/* "ssl_verify_client on": nginx answers 400 before any method is asked */
static void
ngx_dm_sec_x509_check_on(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf)
{
    if (dlcf->auth & NGX_DM_SEC_X509) {

        if (dlcf->http_auth && !dlcf->auth_all) {
            ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                               "\"ssl_verify_client on\" refuses a device "
                               "that has a password and no certificate: write "
                               "\"ssl_verify_client optional\" or, if it is "
                               "to have both, \"dm_sec_auth_all on\"");
        }

        return;
    }

    if (dscf->auth & NGX_DM_SEC_X509) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "\"ssl_verify_client on\" demands a certificate "
                           "also where \"dm_sec_auth\" has no x509: write "
                           "\"ssl_verify_client optional\"");
        return;
    }

    if (dlcf->http_auth) {
        ngx_dm_sec_finding(NGX_LOG_NOTICE, cf, dscf, clcf,
                           "\"ssl_verify_client on\" refuses a device that "
                           "has a password and no certificate: write "
                           "\"ssl_verify_client optional\" or, if it is to "
                           "have both, add x509 to \"dm_sec_auth\", with "
                           "\"dm_sec_auth_all on\"");
    }
}


char *
ngx_dm_sec_x509_directive(ngx_dm_sec_loc_conf_t *dlcf)
{
    return dlcf->own_x509_identity ? "dm_sec_x509_identity" : NULL;
}


void
ngx_dm_sec_x509_verify(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred)
{
    X509                 *cert;
    ngx_uint_t            detail;
    ngx_dm_sec_reason_e   reason;

    cert = r->connection->ssl
           ? SSL_get0_peer_certificate(r->connection->ssl->connection) : NULL;

    if (cert == NULL) {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                                   NGX_DM_SEC_R_CERT_REQUIRED);
        return;
    }

    reason = ngx_dm_sec_x509_judge(r, cert, &detail);

    if (reason != NGX_DM_SEC_R_NONE) {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG, reason);
        cred->detail = detail;
        return;
    }

    switch (ngx_dm_sec_x509_account(r, ctx, dlcf->x509_identity, cert, cred)) {

    case NGX_OK:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_VERIFIED,
                                   NGX_DM_SEC_R_NONE);
        return;

    case NGX_DECLINED:

        /* a certificate of nobody is as if it had not been presented */

        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                                   NGX_DM_SEC_R_CERT_UNBOUND);
        return;

    default:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }
}


/*
 * NGX_OK found, NGX_DECLINED bound to no account, NGX_ERROR internal.  What is
 * remembered holds for this way of looking only, whose address is the key.
 */
static ngx_int_t
ngx_dm_sec_x509_account(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_array_t *ways, X509 *cert, ngx_dm_sec_credential_t *cred)
{
    ngx_dm_sec_search_t      search;
    ngx_dm_sec_x509_owner_t  owner;

    owner.dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    owner.log = r->connection->log;
    owner.ways = ways;
    owner.cert = cert;
    owner.pool = r->pool;
    owner.cred = cred;

    ngx_dm_sec_x509_search(&search, &owner);

    search.judge = ngx_dm_sec_x509_accept;
    search.kind = NGX_DM_SEC_ACCOUNT_CERT;
    search.recall.data = (u_char *) &ways;
    search.recall.len = sizeof(ngx_array_t *);
    search.now = ctx->version;

    return ngx_dm_sec_account_find(owner.dmcf, r->connection, &search);
}


/* a certificate that was verified needs no decoy */
static ngx_int_t
ngx_dm_sec_x509_accept(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    ngx_dm_sec_x509_owner_t  *owner;

    if (!known) {
        return NGX_DECLINED;
    }

    owner = search->data;
    owner->cred->account = ngx_dm_sec_account_copy(owner->pool, account);

    return owner->cred->account ? NGX_OK : NGX_ERROR;
}


/*
 * NGX_DM_SEC_R_NONE, or why the certificate proves nothing now.  A resumed
 * session was verified with the CAs and CRLs of today, see
 * ngx_dm_sec_hello_session_context().  What OCSP says nginx has refused, but
 * an error_page for that comes here too.
 */
static ngx_dm_sec_reason_e
ngx_dm_sec_x509_judge(ngx_http_request_t *r, X509 *cert, ngx_uint_t *detail)
{
    ngx_dm_sec_reason_e  reason;

    reason = ngx_dm_sec_verify_reason(r->connection, detail);

    if (reason != NGX_DM_SEC_R_NONE) {
        return reason;
    }

    /* it may have expired since the handshake, also that of a session */

    return ngx_dm_sec_x509_in_time(r, cert) ? NGX_DM_SEC_R_NONE
                                            : NGX_DM_SEC_R_CERT_EXPIRED;
}


/* 1 if the certificate is valid now, else 0; its times are read once */
static ngx_uint_t
ngx_dm_sec_x509_in_time(ngx_http_request_t *r, X509 *cert)
{
    ngx_dm_sec_validity_t  *validity;

    validity = ngx_dm_sec_kept(r->connection->pool,
                               &ngx_dm_sec_validity_keep, 1);

    if (validity == NULL) {
        return 0;
    }

    if (validity->cert != cert
        && ngx_dm_sec_x509_times(cert, validity) != NGX_OK)
    {
        return 0;
    }

    return ngx_time() >= validity->not_before
           && ngx_time() < validity->not_after;
}


ngx_uint_t
ngx_dm_sec_x509_valid(X509 *cert)
{
    ngx_dm_sec_validity_t  validity;

    return ngx_dm_sec_x509_times(cert, &validity) == NGX_OK
           && ngx_time() >= validity.not_before
           && ngx_time() < validity.not_after;
}


static ngx_int_t
ngx_dm_sec_x509_times(X509 *cert, ngx_dm_sec_validity_t *validity)
{
    validity->cert = NULL;

    if (ngx_dm_sec_x509_time(X509_get0_notBefore(cert), &validity->not_before)
        != NGX_OK
        || ngx_dm_sec_x509_time(X509_get0_notAfter(cert),
                                &validity->not_after)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    validity->cert = cert;

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_x509_time(const ASN1_TIME *src, time_t *dst)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(src, &tm) != 1) {
        return NGX_ERROR;
    }

    *dst = timegm(&tm);

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_x509_bound(ngx_dm_sec_main_conf_t *dmcf, ngx_connection_t *c,
    ngx_array_t *ways, X509 *cert)
{
    ngx_dm_sec_search_t      search;
    ngx_dm_sec_x509_owner_t  owner;

    owner.dmcf = dmcf;
    owner.log = c->log;
    owner.ways = ways;
    owner.cert = cert;

    ngx_dm_sec_x509_search(&search, &owner);

    search.judge = ngx_dm_sec_x509_known;

    return ngx_dm_sec_account_find(dmcf, c, &search);
}


static ngx_int_t
ngx_dm_sec_x509_known(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    return known ? NGX_OK : NGX_DECLINED;
}


static void
ngx_dm_sec_x509_search(ngx_dm_sec_search_t *search,
    ngx_dm_sec_x509_owner_t *owner)
{
    owner->way = 0;
    owner->begun = 0;

    ngx_memzero(search, sizeof(ngx_dm_sec_search_t));

    search->index = DM_BY_CERT;
    search->next = ngx_dm_sec_x509_next;
    search->data = owner;
}


/* the certificate's next key in the order of the ways, in owner->key */
static ngx_int_t
ngx_dm_sec_x509_next(ngx_dm_sec_search_t *search, dm_store_index_t *index,
    dm_str_t *key)
{
    ngx_int_t                    rc;
    ngx_dm_sec_x509_owner_t     *owner;
    ngx_dm_sec_x509_identity_t  *identity;

    owner = search->data;
    identity = owner->ways->elts;

    for ( /* void */ ; owner->way < owner->ways->nelts; owner->way++) {

        if (identity[owner->way].regex) {
            *index = DM_BY_ID;
            rc = ngx_dm_sec_x509_by_regex(owner, identity[owner->way].regex,
                                          key);

        } else {
            *index = DM_BY_CERT;
            rc = ngx_dm_sec_x509_by_key(owner, identity[owner->way].kind, key);
        }

        if (rc != NGX_DECLINED) {
            return rc;
        }

        owner->begun = 0;
    }

    return NGX_DECLINED;
}


/* a SAN has as many keys as it has names, and some of these are no key */
static ngx_int_t
ngx_dm_sec_x509_by_key(ngx_dm_sec_x509_owner_t *owner, ngx_uint_t kind,
    dm_str_t *key)
{
    int         rc;
    ngx_uint_t  first;

    first = !owner->begun;
    owner->begun = 1;
    key->data = owner->key;

    if (kind != DM_CERT_SAN) {
        rc = first ? dm_cert_key(owner->cert, kind, 0, owner->key, &key->len)
                   : DM_DECLINED;

    } else {
        if (first) {
            dm_cert_names(owner->cert, &owner->names);
        }

        do {
            rc = dm_cert_names_next(&owner->names, owner->key, &key->len);
        } while (rc == DM_INVALID);
    }

    return rc == DM_OK ? NGX_OK : rc == DM_ERROR ? NGX_ERROR : NGX_DECLINED;
}


static ngx_int_t
ngx_dm_sec_x509_by_regex(ngx_dm_sec_x509_owner_t *owner, ngx_regex_t *regex,
    dm_str_t *key)
{
    int        rc;
    int        captures[6];
    dm_str_t   group;
    ngx_str_t  subject;
    u_char     buf[DM_CERT_KEY_MAX];

    if (owner->begun) {
        return NGX_DECLINED;
    }

    owner->begun = 1;

    rc = dm_cert_subject(owner->cert, buf, sizeof(buf), &subject.len);

    if (rc != DM_OK) {
        return rc == DM_ERROR ? NGX_ERROR : NGX_DECLINED;
    }

    subject.data = buf;

    /* 0: matched, but there are more groups than were asked for */

    rc = ngx_regex_exec(regex, &subject, captures, 6);

    if (rc == NGX_REGEX_NO_MATCHED) {
        return NGX_DECLINED;
    }

    if (rc < 0) {
        ngx_dm_sec_x509_complain(owner, rc);
        return NGX_ERROR;
    }

    if (rc == 1 || captures[2] < 0) {
        return NGX_DECLINED;
    }

    group.data = buf + captures[2];
    group.len = captures[3] - captures[2];

    if (group.len > DM_DEVID_MAX
        || dm_devid_canonical(group, owner->key) != DM_OK)
    {
        return NGX_DECLINED;
    }

    key->data = owner->key;
    key->len = group.len;

    return NGX_OK;
}


static void
ngx_dm_sec_x509_complain(ngx_dm_sec_x509_owner_t *owner, ngx_int_t rc)
{
    static ngx_str_t  reason = ngx_string("regex");

    if (ngx_dm_sec_log_may(owner->dmcf->log_limit, NGX_LOG_CRIT, &reason)) {
        ngx_log_error(NGX_LOG_CRIT, owner->log, 0,
                      "dm_sec: " ngx_regex_exec_n " failed: %i on a "
                      "certificate's subject", rc);
    }
}


ngx_str_t
ngx_dm_sec_x509_claim(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    u_char *buf, size_t max)
{
    ngx_str_t                claim;
    ngx_uint_t               detail;
    ngx_dm_sec_x509_owner_t  owner;

    ngx_str_null(&claim);
    owner.cert = NULL;

    if (r->connection->ssl) {
        owner.cert = SSL_get0_peer_certificate(r->connection->ssl->connection);
    }

    if (owner.cert == NULL) {
        return ngx_dm_sec_log_whole(buf, max, &claim);
    }

    owner.dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    owner.log = r->connection->log;
    owner.ways = dlcf->x509_identity;

    claim = ngx_dm_sec_x509_claim_key(r, &owner, buf, max);

    /* one that is not verified is not found by its key: whose was it? */

    if (ngx_dm_sec_x509_judge(r, owner.cert, &detail) != NGX_DM_SEC_R_NONE) {
        ngx_dm_sec_x509_claim_subject(owner.cert, &claim, buf, max);
    }

    return claim;
}


/* the first key that can be written, or else the first, cut */
static ngx_str_t
ngx_dm_sec_x509_claim_key(ngx_http_request_t *r,
    ngx_dm_sec_x509_owner_t *owner, u_char *buf, size_t max)
{
    size_t               len;
    dm_str_t             key;
    ngx_str_t            claim;
    dm_store_index_t     index;
    ngx_dm_sec_search_t  search;

    ngx_str_null(&claim);
    ngx_dm_sec_x509_search(&search, owner);

    while (ngx_dm_sec_x509_next(&search, &index, &key) == NGX_OK) {

        if (index == DM_BY_CERT
            && dm_cert_logged(key, buf, max, &len) == DM_OK)
        {
            return (ngx_str_t) { len, buf };
        }

        if (claim.data == NULL
            && ngx_dm_sec_account_dup(r->pool, key, &claim) != NGX_OK)
        {
            break;
        }

        if (index == DM_BY_ID) {
            break;
        }
    }

    return ngx_dm_sec_log_whole(buf, max, &claim);
}


/* adds the subject behind the key, if it is another and has room */
static void
ngx_dm_sec_x509_claim_subject(X509 *cert, ngx_str_t *claim, u_char *buf,
    size_t max)
{
    size_t      len, used;
    dm_str_t    subject;
    u_char      key[DM_CERT_KEY_MAX], text[NGX_DM_SEC_LOG_CLAIM];

    subject.data = key;

    if (dm_cert_key(cert, DM_CERT_SUBJECT, 0, key, &subject.len) != DM_OK
        || dm_cert_logged(subject, text, sizeof(text), &len) != DM_OK)
    {
        return;
    }

    used = claim->data == buf ? claim->len + 1 : 0;

    if (used + len > max
        || (used == len + 1 && ngx_memcmp(buf, text, len) == 0))
    {
        return;
    }

    if (used) {
        buf[used - 1] = ' ';
    }

    ngx_memcpy(buf + used, text, len);

    claim->data = buf;
    claim->len = used + len;
}


ngx_int_t
ngx_dm_sec_x509_client_cert(ngx_http_request_t *r, ngx_str_t *cert,
    ngx_str_t *chain)
{
    SSL         *ssl;
    X509        *leaf;
    ngx_uint_t   detail;

    ngx_str_null(cert);
    ngx_str_null(chain);

    if (r->connection->ssl == NULL) {
        return NGX_OK;
    }

    ssl = r->connection->ssl->connection;
    leaf = SSL_get0_peer_certificate(ssl);

    if (leaf == NULL
        || ngx_dm_sec_x509_judge(r, leaf, &detail) != NGX_DM_SEC_R_NONE)
    {
        return NGX_OK;
    }

    if (ngx_dm_sec_x509_encode(r, leaf, cert) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dm_sec_x509_chain(r, SSL_get0_verified_chain(ssl), chain);
}


/*
 * Writes the certificates between the leaf and the trust anchor, as the chain
 * was verified.  A resumed session keeps the leaf only, and has no chain.
 */
static ngx_int_t
ngx_dm_sec_x509_chain(ngx_http_request_t *r, STACK_OF(X509) *chain,
    ngx_str_t *value)
{
    int         i, last;
    u_char     *p;
    ngx_str_t   item, joined;

    last = sk_X509_num(chain) - 1;

    for (i = 1; i < last; i++) {

        if (ngx_dm_sec_x509_encode(r, sk_X509_value(chain, i), &item)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (value->len == 0) {
            *value = item;
            continue;
        }

        joined.len = value->len + 2 + item.len;
        joined.data = ngx_pnalloc(r->pool, joined.len);
        if (joined.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(joined.data, value->data, value->len);
        *p++ = ',';
        *p++ = ' ';
        ngx_memcpy(p, item.data, item.len);

        *value = joined;
    }

    return NGX_OK;
}


/* writes a byte sequence of RFC 8941: the DER in Base64, between colons */
static ngx_int_t
ngx_dm_sec_x509_encode(ngx_http_request_t *r, X509 *cert, ngx_str_t *value)
{
    int         len;
    u_char     *p;
    ngx_str_t   der, b64;

    len = i2d_X509(cert, NULL);
    if (len < 0) {
        return NGX_ERROR;
    }

    der.len = len;
    der.data = ngx_pnalloc(r->pool, der.len);
    if (der.data == NULL) {
        return NGX_ERROR;
    }

    p = der.data;
    (void) i2d_X509(cert, &p);

    value->data = ngx_pnalloc(r->pool, ngx_base64_encoded_length(der.len) + 2);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    b64.data = value->data + 1;
    ngx_encode_base64(&b64, &der);

    value->data[0] = ':';
    value->data[b64.len + 1] = ':';
    value->len = b64.len + 2;

    return NGX_OK;
}
