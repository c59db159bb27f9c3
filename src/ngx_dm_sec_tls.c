/* The TLS policy at work: on a server's SSL_CTX, and on each request */

#include "ngx_dm_sec_tls.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_security.h"
#include "ngx_dm_sec_watch.h"


/* a cipher string takes so much for a suite: a name and a colon */
#define NGX_DM_SEC_CIPHER_LEN    64

#define NGX_DM_SEC_NO_VERSIONS                                                \
    (SSL_OP_NO_SSLv3|SSL_OP_NO_TLSv1|SSL_OP_NO_TLSv1_1                        \
     |SSL_OP_NO_TLSv1_2|SSL_OP_NO_TLSv1_3)


/* RSA_PSK needs both a certificate and psk, other suites need one thing */
#define ngx_dm_sec_tls_usable(suite, has)                                     \
    (((suite)->auth & ~(has)) == 0)


static ngx_int_t ngx_dm_sec_tls_apply(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_tls_conflicts(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_tls_check_quic(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_uint_t versions);
static ngx_uint_t ngx_dm_sec_tls_offered(ngx_dm_sec_policy_t *policy,
    ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_tls_check_suites(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_uint_t versions);
static ngx_int_t ngx_dm_sec_tls_check_named(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_array_t *suites, ngx_uint_t versions, ngx_uint_t auth);
static void ngx_dm_sec_tls_warn_idle(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_array_t *suites, ngx_uint_t auth);
static ngx_int_t ngx_dm_sec_tls_check_versions(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_policy_t *policy, ngx_uint_t versions, ngx_uint_t auth);
static ngx_int_t ngx_dm_sec_tls_check_psk(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_ssl_srv_conf_t *sscf);
static ngx_uint_t ngx_dm_sec_tls_certificates(ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_tls_set_versions(SSL_CTX *ctx,
    ngx_uint_t versions);
static ngx_int_t ngx_dm_sec_tls_set_suites(ngx_conf_t *cf, SSL_CTX *ctx,
    ngx_array_t *suites);
static void ngx_dm_sec_tls_say_old(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_uint_t versions);
static ngx_int_t ngx_dm_sec_tls_check_location_suites(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location,
    ngx_uint_t versions);
static ngx_uint_t ngx_dm_sec_tls_has(ngx_dm_sec_srv_conf_t *dscf,
    ngx_uint_t id);


static struct {
    unsigned    version;
    ngx_uint_t  nginx;
    uint64_t    no;
} ngx_dm_sec_tls_versions[] = {
    { DM_SSLV3, NGX_SSL_SSLv3, SSL_OP_NO_SSLv3 },
    { DM_TLSV1, NGX_SSL_TLSv1, SSL_OP_NO_TLSv1 },
    { DM_TLSV1_1, NGX_SSL_TLSv1_1, SSL_OP_NO_TLSv1_1 },
    { DM_TLSV1_2, NGX_SSL_TLSv1_2, SSL_OP_NO_TLSv1_2 },
    { DM_TLSV1_3, NGX_SSL_TLSv1_3, SSL_OP_NO_TLSv1_3 }
};


ngx_int_t
ngx_dm_sec_tls_init_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (!dscf->listens) {
        return NGX_OK;
    }

    ngx_dm_sec_security_level(sscf->ssl.ctx);

    /* a server that refuses every handshake may lack a certificate */

    if (sscf->reject_handshake) {
        return NGX_OK;
    }

    if (ngx_dm_sec_policy_in_force(&dscf->dlcf->policy)
        && ngx_dm_sec_tls_apply(cf, dscf, sscf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (dscf->auth & NGX_DM_SEC_PSK) {
        return ngx_dm_sec_tls_check_psk(cf, dscf, sscf);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_tls_apply(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_ssl_srv_conf_t *sscf)
{
    SSL_CTX              *ctx;
    ngx_uint_t            versions;
    ngx_dm_sec_policy_t  *policy;

    policy = &dscf->dlcf->policy;
    ctx = sscf->ssl.ctx;

    if (ngx_dm_sec_tls_conflicts(cf, dscf, sscf) != NGX_OK) {
        return NGX_ERROR;
    }

    versions = ngx_dm_sec_tls_offered(policy, sscf);

    if (ngx_dm_sec_tls_check_quic(cf, dscf, versions) != NGX_OK) {
        return NGX_ERROR;
    }

    if (policy->suites
        && (ngx_dm_sec_tls_check_suites(cf, dscf, versions) != NGX_OK
            || ngx_dm_sec_tls_set_suites(cf, ctx, policy->suites) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_tls_set_versions(ctx, versions) != NGX_OK) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "OpenSSL refuses these versions");
        return NGX_ERROR;
    }

    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);

    ngx_dm_sec_security_open(ctx);

    if (sscf->dhparam.len == 0) {
        SSL_CTX_set_dh_auto(ctx, 1);
    }

    ngx_dm_sec_tls_say_old(cf, dscf, versions);

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_tls_conflicts(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_ssl_srv_conf_t *sscf)
{
    ngx_uint_t     i, n;
    ngx_keyval_t  *command;

    static char  *pinned[] = {
        "CipherString", "Ciphersuites", "MinProtocol", "MaxProtocol",
        "Protocol", NULL
    };

    if (ngx_dm_sec_watch_client_order(dscf->cscf)) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"ssl_prefer_server_ciphers off\" contradicts "
                           "the TLS policy, which is in the server's order: "
                           "remove it");
        return NGX_ERROR;
    }

    if (sscf->early_data) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                           "\"ssl_early_data on\" is of no use: requests in "
                           "early data are answered 425");
    }

    if (sscf->conf_commands == NULL) {
        return NGX_OK;
    }

    command = sscf->conf_commands->elts;

    for (i = 0; i < sscf->conf_commands->nelts; i++) {
        for (n = 0; pinned[n]; n++) {

            if (ngx_strcasecmp(command[i].key.data, (u_char *) pinned[n])
                != 0)
            {
                continue;
            }

            ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                               "\"ssl_conf_command %V\" contradicts the TLS "
                               "policy: remove it, and use "
                               "\"dm_sec_protocols\" and \"dm_sec_ciphers\"",
                               &command[i].key);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* RFC 9001, section 4.2: there is no other version in QUIC */
static ngx_int_t
ngx_dm_sec_tls_check_quic(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_uint_t versions)
{
    if (!dscf->quic || (versions & DM_TLSV1_3)) {
        return NGX_OK;
    }

    ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                       "\"listen ... quic\" needs TLSv1.3, which the TLS "
                       "policy does not offer: add \"modern\" to "
                       "\"dm_sec_profile\" or TLSv1.3 to "
                       "\"dm_sec_protocols\"");

    return NGX_ERROR;
}


/* finds the versions that the handshake offers */
static ngx_uint_t
ngx_dm_sec_tls_offered(ngx_dm_sec_policy_t *policy,
    ngx_http_ssl_srv_conf_t *sscf)
{
    ngx_uint_t  i, versions;

    if (policy->versions) {
        return policy->versions;
    }

    versions = 0;

    for (i = 0; i < DM_VERSIONS; i++) {
        if (sscf->protocols & ngx_dm_sec_tls_versions[i].nginx) {
            versions |= ngx_dm_sec_tls_versions[i].version;
        }
    }

    return versions;
}


ngx_uint_t
ngx_dm_sec_tls_server_versions(ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return ngx_dm_sec_tls_offered(&dscf->dlcf->policy, sscf);
}


static ngx_int_t
ngx_dm_sec_tls_check_suites(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_uint_t versions)
{
    ngx_uint_t    auth;
    ngx_array_t  *suites;

    suites = dscf->dlcf->policy.suites;
    auth = ngx_dm_sec_tls_auth(dscf);

    if (ngx_dm_sec_tls_check_named(cf, dscf, NULL, suites, versions, auth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dm_sec_tls_warn_idle(cf, dscf, suites, auth);

    return ngx_dm_sec_tls_check_versions(cf, dscf, NULL, &dscf->dlcf->policy,
                                         versions, auth);
}


/* refuses a suite that was asked for by name and is not possible */
static ngx_int_t
ngx_dm_sec_tls_check_named(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_array_t *suites, ngx_uint_t versions,
    ngx_uint_t auth)
{
    ngx_uint_t           i;
    ngx_dm_sec_suite_t  *elt;

    elt = suites->elts;

    for (i = 0; i < suites->nelts; i++) {

        if (elt[i].wanted != NGX_DM_SEC_NAMED) {
            continue;
        }

        if (!(elt[i].suite->versions & versions)) {
            ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                               "suite \"%s\" can never be negotiated: no "
                               "version that is offered has it; add one to "
                               "\"dm_sec_protocols\"", elt[i].suite->iana);
            return NGX_ERROR;
        }

        if ((elt[i].suite->auth & DM_AUTH_PSK) && !(auth & DM_AUTH_PSK)) {
            ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                               "suite \"%s\" can never be negotiated: it "
                               "needs a pre-shared key, which no "
                               "\"dm_sec_auth\" here accepts",
                               elt[i].suite->iana);
            return NGX_ERROR;
        }

        if (!ngx_dm_sec_tls_usable(elt[i].suite, auth)) {
            ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                               "suite \"%s\" can never be negotiated: it "
                               "needs an %s certificate; add an "
                               "\"ssl_certificate\"", elt[i].suite->iana,
                               elt[i].suite->auth & DM_AUTH_ECDSA ? "ECDSA"
                                                                  : "RSA");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* warns once of the suites of a DM list that lack a certificate */
static void
ngx_dm_sec_tls_warn_idle(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_array_t *suites, ngx_uint_t auth)
{
    u_char              *p, *last;
    u_char               text[1024];
    ngx_uint_t           i;
    ngx_dm_sec_suite_t  *elt;

    p = text;
    last = text + sizeof(text);
    elt = suites->elts;

    for (i = 0; i < suites->nelts; i++) {
        if (elt[i].wanted == NGX_DM_SEC_LISTED
            && !ngx_dm_sec_tls_usable(elt[i].suite, auth))
        {
            p = ngx_slprintf(p, last, " %s", elt[i].suite->iana);
        }
    }

    if (p == text) {
        return;
    }

    ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                       "no certificate for these suites, which are not "
                       "negotiated:%*s", (size_t) (p - text), text);
}


/* refuses a version without a suite, and a TLS 1.3 suite without TLS 1.3 */
static ngx_int_t
ngx_dm_sec_tls_check_versions(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_policy_t *policy,
    ngx_uint_t versions, ngx_uint_t auth)
{
    ngx_uint_t           i, usable, bit;
    ngx_dm_sec_suite_t  *elt;

    usable = 0;
    elt = policy->suites->elts;

    for (i = 0; i < policy->suites->nelts; i++) {
        if (ngx_dm_sec_tls_usable(elt[i].suite, auth)) {
            usable |= elt[i].suite->versions;
        }
    }

    if (policy->listed && (usable & DM_TLSV1_3) && !(versions & DM_TLSV1_3)) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_ciphers\" has TLS 1.3 suites, but "
                           "TLSv1.3 is not offered: add it to "
                           "\"dm_sec_protocols\" or name other suites");
        return NGX_ERROR;
    }

    for (bit = DM_SSLV3; bit <= DM_TLSV1_3; bit <<= 1) {

        if (!(versions & bit) || (usable & bit)) {
            continue;
        }

        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "%s is offered, but no suite that it could "
                           "negotiate: add one to \"dm_sec_ciphers\", or "
                           "leave %s out of \"dm_sec_protocols\"",
                           dm_version_name((unsigned) bit),
                           dm_version_name((unsigned) bit));
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A key that is no session's is tried in TLS 1.3 with SHA-256 only, so the
 * suite that the server prefers must be one of that hash: with another a right
 * key would be passed over in silence.
 */
static ngx_int_t
ngx_dm_sec_tls_check_psk(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_ssl_srv_conf_t *sscf)
{
    int                    i;
    SSL_CTX               *ctx;
    const SSL_CIPHER      *cipher;
    STACK_OF(SSL_CIPHER)  *ciphers;

    ctx = sscf->ssl.ctx;

    if (!(ngx_dm_sec_tls_offered(&dscf->dlcf->policy, sscf) & DM_TLSV1_3)) {
        return NGX_OK;
    }

    if (!(SSL_CTX_get_options(ctx) & SSL_OP_CIPHER_SERVER_PREFERENCE)) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"dm_sec_auth psk\" with TLSv1.3 needs the "
                           "server's order of suites: write "
                           "\"dm_sec_profile\" or "
                           "\"ssl_prefer_server_ciphers on\"");
        return NGX_ERROR;
    }

    ciphers = SSL_CTX_get_ciphers(ctx);

    for (i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        cipher = sk_SSL_CIPHER_value(ciphers, i);

        if (SSL_CIPHER_get_kx_nid(cipher) != NID_kx_any) {
            continue;
        }

        if (ngx_dm_sec_tls_sha256(cipher)) {
            return NGX_OK;
        }

        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"dm_sec_auth psk\" needs a SHA-256 suite as "
                           "the first of TLSv1.3, but that is \"%s\": write "
                           "\"TLS_AES_128_GCM_SHA256\" before it in "
                           "\"dm_sec_ciphers\"",
                           SSL_CIPHER_standard_name(cipher));
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_dm_sec_tls_sha256(const SSL_CIPHER *cipher)
{
    const EVP_MD  *md;

    md = cipher ? SSL_CIPHER_get_handshake_digest(cipher) : NULL;

    return md && EVP_MD_get_type(md) == NID_sha256;
}


ngx_uint_t
ngx_dm_sec_tls_psk(ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_loc_conf_t *dlcf)
{
    int                       i;
    ngx_uint_t                ways, auth, versions;
    const dm_suite_t         *suite;
    const SSL_CIPHER         *cipher;
    ngx_dm_sec_policy_t      *policy;
    STACK_OF(SSL_CIPHER)     *ciphers;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ciphers = SSL_CTX_get_ciphers(sscf->ssl.ctx);
    policy = &dlcf->policy;
    auth = ngx_dm_sec_tls_auth(dscf);

    versions = policy->versions
               ? policy->versions
               : ngx_dm_sec_tls_offered(&dscf->dlcf->policy, sscf);

    ways = 0;

    for (i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        cipher = sk_SSL_CIPHER_value(ciphers, i);
        suite = dm_suite_by_id(SSL_CIPHER_get_protocol_id(cipher));

        if (suite == NULL
            || !(suite->versions & versions)
            || !ngx_dm_sec_tls_usable(suite, auth)
            || (policy->suites
                && !ngx_dm_sec_policy_has(policy->suites, suite->id)))
        {
            continue;
        }

        if (suite->auth & DM_AUTH_PSK) {
            ways |= (suite->auth & DM_AUTH_RSA) ? NGX_DM_SEC_TLS_RSA_PSK
                                                : NGX_DM_SEC_TLS_PSK;

        } else if ((suite->auth & DM_AUTH_ANY)
                   && ngx_dm_sec_tls_sha256(cipher))
        {
            ways |= NGX_DM_SEC_TLS_PSK;
        }
    }

    return ways;
}


ngx_uint_t
ngx_dm_sec_tls_auth(ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t                auth;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    auth = ngx_dm_sec_tls_certificates(sscf);

    return (dscf->auth & NGX_DM_SEC_PSK) ? auth | DM_AUTH_PSK : auth;
}


static ngx_uint_t
ngx_dm_sec_tls_certificates(ngx_http_ssl_srv_conf_t *sscf)
{
    long        rc;
    X509       *cert;
    SSL_CTX    *ctx;
    ngx_uint_t  auth;

    if (sscf->certificate_values) {
        /* loaded for each connection: not known now */
        return DM_AUTH_RSA|DM_AUTH_ECDSA|DM_AUTH_ANY;
    }

    auth = 0;
    ctx = sscf->ssl.ctx;

    for (rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
         rc;
         rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
    {
        cert = SSL_CTX_get0_certificate(ctx);

        if (cert == NULL) {
            continue;
        }

        auth |= DM_AUTH_ANY;

        switch (EVP_PKEY_get_base_id(X509_get0_pubkey(cert))) {

        case EVP_PKEY_RSA:
            auth |= DM_AUTH_RSA;
            break;

        case EVP_PKEY_EC:
        case EVP_PKEY_ED25519:
        case EVP_PKEY_ED448:
            auth |= DM_AUTH_ECDSA;
            break;
        }
    }

    return auth;
}


static ngx_int_t
ngx_dm_sec_tls_set_versions(SSL_CTX *ctx, ngx_uint_t versions)
{
    int         min, max;
    uint64_t    no;
    ngx_uint_t  i;

    no = 0;
    min = 0;
    max = 0;

    for (i = 0; i < DM_VERSIONS; i++) {

        if (!(versions & ngx_dm_sec_tls_versions[i].version)) {
            no |= ngx_dm_sec_tls_versions[i].no;
            continue;
        }

        max = dm_version_number(ngx_dm_sec_tls_versions[i].version);

        if (min == 0) {
            min = max;
        }
    }

    SSL_CTX_clear_options(ctx, NGX_DM_SEC_NO_VERSIONS);
    SSL_CTX_set_options(ctx, no);

    if (SSL_CTX_set_min_proto_version(ctx, min) == 0
        || SSL_CTX_set_max_proto_version(ctx, max) == 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_tls_set_suites(ngx_conf_t *cf, SSL_CTX *ctx, ngx_array_t *suites)
{
    size_t               len;
    u_char              *p[2], *last[2], *list[2];
    ngx_uint_t           i, n;
    ngx_dm_sec_suite_t  *elt;

    len = suites->nelts * NGX_DM_SEC_CIPHER_LEN + 1;
    elt = suites->elts;

    /* OpenSSL takes TLS 1.3 suites apart from the others */

    for (n = 0; n < 2; n++) {
        list[n] = ngx_pnalloc(cf->temp_pool, len);
        if (list[n] == NULL) {
            return NGX_ERROR;
        }

        p[n] = list[n];
        last[n] = p[n] + len - 1;
    }

    for (i = 0; i < suites->nelts; i++) {
        n = (elt[i].suite->versions & DM_TLSV1_3) ? 1 : 0;
        p[n] = ngx_slprintf(p[n], last[n], "%s%s",
                            p[n] == list[n] ? "" : ":",
                            elt[i].suite->openssl);
    }

    *p[0] = '\0';
    *p[1] = '\0';

    if (p[0] != list[0] && SSL_CTX_set_cipher_list(ctx, (char *) list[0]) == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_cipher_list(\"%s\") failed", list[0]);
        return NGX_ERROR;
    }

    if (SSL_CTX_set_ciphersuites(ctx, (char *) list[1]) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_ciphersuites(\"%s\") failed", list[1]);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_dm_sec_tls_say_old(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_uint_t versions)
{
    ngx_uint_t            i, weak;
    ngx_array_t          *suites;
    ngx_dm_sec_suite_t   *elt;

    weak = 0;
    suites = dscf->dlcf->policy.suites;

    for (i = 0; suites && i < suites->nelts; i++) {
        elt = suites->elts;
        weak |= (ngx_uint_t) dm_suite_weak(elt[i].suite);
    }

    if (versions & DM_SSLV3) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                           "SSL 3.0 is offered%s, which attackers on the way "
                           "can read", weak ? " with RC4 and 3DES" : "");

    } else if (weak) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                           "RC4 and 3DES are not negotiated: they are for "
                           "SSL 3.0 only, which is not offered");
    }

    if ((versions & (DM_TLSV1|DM_TLSV1_1)) && !dscf->dlcf->policy.worded) {
        ngx_dm_sec_finding(NGX_LOG_NOTICE, cf, dscf, NULL,
                           "TLS 1.0 or 1.1 is offered: if it is meant, name "
                           "the versions in \"dm_sec_protocols\"");
    }
}


ngx_int_t
ngx_dm_sec_tls_check_location(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    ngx_uint_t                offered, excess;
    ngx_dm_sec_policy_t      *policy;
    ngx_http_ssl_srv_conf_t  *sscf;

    if (!dscf->listens) {
        return NGX_OK;
    }

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    policy = &location->dlcf->policy;
    offered = ngx_dm_sec_tls_offered(&dscf->dlcf->policy, sscf);
    excess = policy->versions & ~offered;

    if (excess) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, location->clcf,
                           "%s is allowed here, but the server does not "
                           "offer it: add it to \"dm_sec_profile\" or "
                           "\"dm_sec_protocols\" of the server",
                           dm_version_name((unsigned)
                                           (excess & (~excess + 1))));
        return NGX_ERROR;
    }

    if (policy->suites == NULL || policy->suites == dscf->dlcf->policy.suites)
    {
        return NGX_OK;
    }

    return ngx_dm_sec_tls_check_location_suites(cf, dscf, location,
                                                policy->versions
                                                ? policy->versions : offered);
}


static ngx_int_t
ngx_dm_sec_tls_check_location_suites(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location,
    ngx_uint_t versions)
{
    ngx_uint_t            i, auth;
    ngx_dm_sec_suite_t   *elt;
    ngx_dm_sec_policy_t  *policy;

    policy = &location->dlcf->policy;
    elt = policy->suites->elts;

    for (i = 0; i < policy->suites->nelts; i++) {

        if (ngx_dm_sec_tls_has(dscf, elt[i].suite->id)) {
            continue;
        }

        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, location->clcf,
                           "suite \"%s\" is allowed here, but the server "
                           "does not offer it: add it to \"dm_sec_profile\" "
                           "or \"dm_sec_ciphers\" of the server",
                           elt[i].suite->iana);
        return NGX_ERROR;
    }

    /* inherited suites may be narrowed to less than they name */

    if (policy->suites != policy->own_suites) {
        return NGX_OK;
    }

    auth = ngx_dm_sec_tls_auth(dscf);

    if (ngx_dm_sec_tls_check_named(cf, dscf, location->clcf, policy->suites,
                                   versions, auth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (policy->own_versions == NGX_CONF_UNSET_UINT) {
        return NGX_OK;
    }

    return ngx_dm_sec_tls_check_versions(cf, dscf, location->clcf, policy,
                                         versions, auth);
}


/* 1 if the server offers the suite, else 0 */
static ngx_uint_t
ngx_dm_sec_tls_has(ngx_dm_sec_srv_conf_t *dscf, ngx_uint_t id)
{
    int                       i;
    const SSL_CIPHER         *cipher;
    STACK_OF(SSL_CIPHER)     *ciphers;
    ngx_http_ssl_srv_conf_t  *sscf;

    if (dscf->dlcf->policy.suites) {
        return ngx_dm_sec_policy_has(dscf->dlcf->policy.suites, id);
    }

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ciphers = SSL_CTX_get_ciphers(sscf->ssl.ctx);

    for (i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        cipher = sk_SSL_CIPHER_value(ciphers, i);

        if (SSL_CIPHER_get_protocol_id(cipher) == id) {
            return 1;
        }
    }

    return 0;
}


ngx_dm_sec_reason_e
ngx_dm_sec_tls_judge(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf)
{
    SSL                  *ssl;
    const SSL_CIPHER     *cipher;
    ngx_dm_sec_policy_t  *policy;

    policy = &dlcf->policy;

    if (!ngx_dm_sec_policy_in_force(policy) && dlcf->auth == 0) {
        return NGX_DM_SEC_R_NONE;
    }

    if (r->connection->ssl == NULL) {

        if (!ngx_dm_sec_policy_in_force(policy) && dlcf->plaintext_auth) {
            return NGX_DM_SEC_R_NONE;
        }

        return NGX_DM_SEC_R_PLAINTEXT;
    }

    ssl = r->connection->ssl->connection;

    if (!SSL_is_init_finished(ssl)) {
        return NGX_DM_SEC_R_EARLY_DATA;
    }

    if (policy->versions
        && !(policy->versions & dm_version_by_number(SSL_version(ssl))))
    {
        return NGX_DM_SEC_R_TLS_PROTOCOL;
    }

    if (policy->suites == NULL) {
        return NGX_DM_SEC_R_NONE;
    }

    cipher = SSL_get_current_cipher(ssl);

    if (cipher == NULL
        || !ngx_dm_sec_policy_has(policy->suites,
                                  SSL_CIPHER_get_protocol_id(cipher)))
    {
        return NGX_DM_SEC_R_TLS_CIPHER;
    }

    return NGX_DM_SEC_R_NONE;
}


void
ngx_dm_sec_tls_facts(ngx_http_request_t *r, ngx_str_t *protocol,
    ngx_str_t *cipher)
{
    SSL               *ssl;
    const char        *name;
    const SSL_CIPHER  *current;

    ngx_str_set(protocol, "-");
    ngx_str_set(cipher, "-");

    if (r->connection->ssl == NULL) {
        return;
    }

    ssl = r->connection->ssl->connection;

    protocol->data = (u_char *) SSL_get_version(ssl);
    protocol->len = ngx_strlen(protocol->data);

    current = SSL_get_current_cipher(ssl);
    name = current ? SSL_CIPHER_standard_name(current) : NULL;

    if (name) {
        cipher->data = (u_char *) name;
        cipher->len = ngx_strlen(name);
    }
}
