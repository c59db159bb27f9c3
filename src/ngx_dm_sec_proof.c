/* The proof of what a server offers: which handshakes are tried */

#include "ngx_dm_sec_proof.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_proof_internal.h"
#include "ngx_dm_sec_tls.h"


#define NGX_DM_SEC_PROOF_HASH    32     /* SHA-256 */


typedef ngx_uint_t (*ngx_dm_sec_proof_wanted_pt)(ngx_dm_sec_proof_t *proof);


static ngx_int_t ngx_dm_sec_proof_servers(ngx_dm_sec_proof_t *proof,
    ngx_dm_sec_main_conf_t *dmcf);
static ngx_int_t ngx_dm_sec_proof_server(ngx_dm_sec_proof_t *proof);
static ngx_int_t ngx_dm_sec_proof_done(ngx_dm_sec_proof_t *proof,
    ngx_uint_t versions);
static ngx_int_t ngx_dm_sec_proof_hash(ngx_dm_sec_proof_t *proof,
    ngx_uint_t versions, EVP_MD_CTX *md);
static ngx_int_t ngx_dm_sec_proof_hash_certs(ngx_dm_sec_proof_t *proof,
    EVP_MD_CTX *md);
static ngx_int_t ngx_dm_sec_proof_hash_cert(EVP_MD_CTX *md, X509 *cert);
static void ngx_dm_sec_proof_add_groups(ngx_dm_sec_proof_t *proof,
    const char *names);
static void ngx_dm_sec_proof_add_cert_group(ngx_dm_sec_proof_t *proof,
    X509 *cert);
static ngx_int_t ngx_dm_sec_proof_version(ngx_dm_sec_proof_t *proof);
static ngx_int_t ngx_dm_sec_proof_suites(ngx_dm_sec_proof_t *proof,
    ngx_dm_sec_proof_wanted_pt wanted);
static const ngx_dm_sec_proof_kind_t *ngx_dm_sec_proof_kind(
    const SSL_CIPHER *cipher);
static ngx_uint_t ngx_dm_sec_proof_is_cheap(ngx_dm_sec_proof_t *proof);
static ngx_uint_t ngx_dm_sec_proof_is_new(ngx_dm_sec_proof_t *proof);
static ngx_uint_t ngx_dm_sec_proof_is_first(ngx_dm_sec_proof_t *proof);
static ngx_int_t ngx_dm_sec_proof_suite(ngx_dm_sec_proof_t *proof);
static ngx_int_t ngx_dm_sec_proof_try(ngx_dm_sec_proof_t *proof,
    ngx_uint_t by);
static void ngx_dm_sec_proof_refused(ngx_dm_sec_proof_t *proof);
static ngx_str_t *ngx_dm_sec_proof_address(ngx_dm_sec_proof_t *proof);


static const ngx_dm_sec_proof_kind_t  ngx_dm_sec_proof_kinds[] = {
    { NID_kx_ecdhe, NID_auth_rsa, 0x01, 0 },
    { NID_kx_dhe, NID_auth_rsa, 0x01, NGX_DM_SEC_PROOF_DH },
    { NID_kx_ecdhe, NID_auth_ecdsa, 0x02, 0 },
    { NID_kx_psk, NID_undef, 0x04, 0 },
    { NID_kx_ecdhe_psk, NID_undef, 0x04, 0 },
    { NID_kx_dhe_psk, NID_undef, 0x04, NGX_DM_SEC_PROOF_DH },
    { NID_kx_rsa, NID_undef, 0x08, NGX_DM_SEC_PROOF_ONCE },
    { NID_kx_rsa_psk, NID_undef, 0x10, NGX_DM_SEC_PROOF_ONCE },

    /* TLS 1.3, and what is not known here */
    { NID_undef, NID_undef, 0x20, 0 }
};


ngx_int_t
ngx_dm_sec_proof_run(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_int_t            rc;
    ngx_dm_sec_proof_t  *proof;

    proof = ngx_pcalloc(cf->temp_pool, sizeof(ngx_dm_sec_proof_t));

    if (proof == NULL
        || ngx_array_init(&proof->done, cf->temp_pool, 8,
                          NGX_DM_SEC_PROOF_HASH)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    proof->cf = cf;
    proof->client = SSL_CTX_new(TLS_client_method());

    if (proof->client == NULL
        || RAND_bytes(proof->key, NGX_DM_SEC_PROOF_KEY) != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: cannot make a client to try the servers with");
        SSL_CTX_free(proof->client);
        return NGX_ERROR;
    }

    rc = ngx_dm_sec_proof_servers(proof, dmcf);

    SSL_CTX_free(proof->client);
    OPENSSL_cleanse(proof->key, NGX_DM_SEC_PROOF_KEY);

    return rc;
}


static ngx_int_t
ngx_dm_sec_proof_servers(ngx_dm_sec_proof_t *proof,
    ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_dm_sec_srv_conf_t     **dscfp;
    ngx_http_ssl_srv_conf_t    *sscf;
    ngx_dm_sec_proof_beside_t   beside;

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {

        sscf = dscfp[i]->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        /* certificates with variables are not known now */

        if (!dscfp[i]->listens
            || !ngx_dm_sec_policy_in_force(&dscfp[i]->dlcf->policy)
            || sscf->reject_handshake
            || sscf->certificate_values)
        {
            continue;
        }

        proof->dscf = dscfp[i];
        proof->sscf = sscf;

        ngx_dm_sec_proof_quiet(sscf->ssl.ctx, &beside);

        rc = ngx_dm_sec_proof_server(proof);

        ngx_dm_sec_proof_restore(sscf->ssl.ctx, &beside);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_proof_server(ngx_dm_sec_proof_t *proof)
{
    ngx_int_t   rc;
    ngx_uint_t  bit, versions;

    versions = ngx_dm_sec_tls_server_versions(proof->dscf);
    proof->auth = ngx_dm_sec_tls_auth(proof->dscf);
    proof->seen = 0;

    rc = ngx_dm_sec_proof_done(proof, versions);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    for (bit = DM_SSLV3; bit <= DM_TLSV1_3; bit <<= 1) {

        if (!(versions & bit)) {
            continue;
        }

        proof->version = (unsigned) bit;

        if (ngx_dm_sec_proof_version(proof) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * NGX_OK: one that is alike was tried; NGX_DECLINED: not yet, and it counts as
 * tried from now on; NGX_ERROR, logged.  Collects what is to be known of the
 * certificates.
 */
static ngx_int_t
ngx_dm_sec_proof_done(ngx_dm_sec_proof_t *proof, ngx_uint_t versions)
{
    u_char       hash[EVP_MAX_MD_SIZE], *done;
    unsigned     len;
    ngx_int_t    rc;
    ngx_uint_t   i;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();

    rc = (md && ngx_dm_sec_proof_hash(proof, versions, md) == NGX_OK
          && EVP_DigestFinal_ex(md, hash, &len) == 1)
         ? NGX_DECLINED : NGX_ERROR;

    EVP_MD_CTX_free(md);

    if (rc == NGX_ERROR) {
        ngx_ssl_error(NGX_LOG_EMERG, proof->cf->log, 0,
                      "dm_sec: cannot compare TLS policies");
        return NGX_ERROR;
    }

    done = proof->done.elts;

    for (i = 0; i < proof->done.nelts; i++) {
        if (ngx_memcmp(done + i * NGX_DM_SEC_PROOF_HASH, hash,
                       NGX_DM_SEC_PROOF_HASH)
            == 0)
        {
            return NGX_OK;
        }
    }

    done = ngx_array_push(&proof->done);
    if (done == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(done, hash, NGX_DM_SEC_PROOF_HASH);

    return NGX_DECLINED;
}


/* all that the outcome of a handshake depends on */
static ngx_int_t
ngx_dm_sec_proof_hash(ngx_dm_sec_proof_t *proof, ngx_uint_t versions,
    EVP_MD_CTX *md)
{
    int                       i, n;
    SSL_CTX                  *ctx;
    uint64_t                  number[4];
    ngx_uint_t                k;
    ngx_keyval_t             *command;
    STACK_OF(SSL_CIPHER)     *ciphers;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = proof->sscf;
    ctx = sscf->ssl.ctx;
    ciphers = SSL_CTX_get_ciphers(ctx);
    n = sk_SSL_CIPHER_num(ciphers);

    number[0] = versions;
    number[1] = proof->auth;
    number[2] = SSL_CTX_get_options(ctx);
    number[3] = (uint64_t) n;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1
        || EVP_DigestUpdate(md, number, sizeof(number)) != 1
        || EVP_DigestUpdate(md, sscf->dhparam.data, sscf->dhparam.len) != 1
        || EVP_DigestUpdate(md, "", 1) != 1
        || EVP_DigestUpdate(md, sscf->ecdh_curve.data, sscf->ecdh_curve.len)
           != 1)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        number[0] = SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(ciphers,
                                                                   i));

        if (EVP_DigestUpdate(md, number, sizeof(number[0])) != 1) {
            return NGX_ERROR;
        }
    }

    command = sscf->conf_commands ? sscf->conf_commands->elts : NULL;

    for (k = 0; command && k < sscf->conf_commands->nelts; k++) {
        if (EVP_DigestUpdate(md, command[k].key.data, command[k].key.len + 1)
            != 1
            || EVP_DigestUpdate(md, command[k].value.data,
                                command[k].value.len + 1)
               != 1)
        {
            return NGX_ERROR;
        }
    }

    return ngx_dm_sec_proof_hash_certs(proof, md);
}


static ngx_int_t
ngx_dm_sec_proof_hash_certs(ngx_dm_sec_proof_t *proof, EVP_MD_CTX *md)
{
    int              i;
    long             rc;
    X509            *cert;
    SSL_CTX         *ctx;
    STACK_OF(X509)  *chain;

    ctx = proof->sscf->ssl.ctx;
    proof->old_ecdsa = 0;
    proof->groups[0] = '\0';

    ngx_dm_sec_proof_add_groups(proof, "X25519:P-256:P-384:P-521");

    if (ngx_strcmp(proof->sscf->ecdh_curve.data, "auto") != 0) {
        ngx_dm_sec_proof_add_groups(proof,
                                    (char *) proof->sscf->ecdh_curve.data);
    }

    for (rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
         rc;
         rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
    {
        cert = SSL_CTX_get0_certificate(ctx);
        chain = NULL;

        if (EVP_PKEY_get_base_id(X509_get0_pubkey(cert)) == EVP_PKEY_EC) {
            proof->old_ecdsa = 1;
            ngx_dm_sec_proof_add_cert_group(proof, cert);
        }

        if (ngx_dm_sec_proof_hash_cert(md, cert) != NGX_OK
            || SSL_CTX_get0_chain_certs(ctx, &chain) != 1)
        {
            return NGX_ERROR;
        }

        for (i = 0; i < sk_X509_num(chain); i++) {
            if (ngx_dm_sec_proof_hash_cert(md, sk_X509_value(chain, i))
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    /* the loop ends in an error by design, as unknown groups do */
    ERR_clear_error();

    return NGX_OK;
}


/* hashes what a security level looks at: the key, and what signed it */
static ngx_int_t
ngx_dm_sec_proof_hash_cert(EVP_MD_CTX *md, X509 *cert)
{
    int        number[3];
    size_t     len;
    char       group[64];
    EVP_PKEY  *key;

    key = X509_get0_pubkey(cert);
    len = 0;

    if (key == NULL) {
        return NGX_ERROR;
    }

    number[0] = EVP_PKEY_get_base_id(key);
    number[1] = EVP_PKEY_get_bits(key);
    number[2] = X509_get_signature_nid(cert);

    (void) EVP_PKEY_get_group_name(key, group, sizeof(group), &len);

    return EVP_DigestUpdate(md, number, sizeof(number)) == 1
           && EVP_DigestUpdate(md, group, ngx_min(len, sizeof(group))) == 1
           ? NGX_OK : NGX_ERROR;
}


/*
 * Adds groups to those of the client, one by one: those that it has already,
 * or that OpenSSL does not know, are left out.
 */
static void
ngx_dm_sec_proof_add_groups(ngx_dm_sec_proof_t *proof, const char *names)
{
    char    longer[NGX_DM_SEC_PROOF_GROUPS];
    size_t  len;

    for ( ;; ) {
        len = strcspn(names, ":");

        ngx_snprintf((u_char *) longer, sizeof(longer), "%s%s%*s%Z",
                     proof->groups, proof->groups[0] ? ":" : "", len, names);
        longer[sizeof(longer) - 1] = '\0';

        if (SSL_CTX_set1_groups_list(proof->client, longer) == 1) {
            ngx_memcpy(proof->groups, longer, sizeof(longer));
        }

        if (names[len] == '\0') {
            return;
        }

        names += len + 1;
    }
}


static void
ngx_dm_sec_proof_add_cert_group(ngx_dm_sec_proof_t *proof, X509 *cert)
{
    char    group[64];
    size_t  len;

    if (EVP_PKEY_get_group_name(X509_get0_pubkey(cert), group, sizeof(group),
                                &len)
        == 1)
    {
        ngx_dm_sec_proof_add_groups(proof, group);
    }
}


/*
 * Tries in each version what differs between versions: signatures and the use
 * of a key.  The rest, such as RSA decryption and the parameters of DHE, is
 * tried once for the server.  A version that would come off with nothing has
 * its first suite tried.
 */
static ngx_int_t
ngx_dm_sec_proof_version(ngx_dm_sec_proof_t *proof)
{
    ngx_int_t  rc;

    proof->tried = 0;

    rc = ngx_dm_sec_proof_suites(proof, ngx_dm_sec_proof_is_cheap);

    if (rc == NGX_OK) {
        rc = ngx_dm_sec_proof_suites(proof, ngx_dm_sec_proof_is_new);
    }

    if (rc == NGX_OK && proof->tried == 0) {
        rc = ngx_dm_sec_proof_suites(proof, ngx_dm_sec_proof_is_first);
    }

    if (rc != NGX_OK || proof->tried) {
        return rc;
    }

    ngx_dm_sec_finding(NGX_LOG_EMERG, proof->cf, proof->dscf, NULL,
                       "%s is offered on %V, but no suite that it could "
                       "negotiate", dm_version_name(proof->version),
                       ngx_dm_sec_proof_address(proof));

    return NGX_ERROR;
}


static ngx_int_t
ngx_dm_sec_proof_suites(ngx_dm_sec_proof_t *proof,
    ngx_dm_sec_proof_wanted_pt wanted)
{
    int                    i;
    const dm_suite_t      *suite;
    const SSL_CIPHER      *cipher;
    STACK_OF(SSL_CIPHER)  *ciphers;

    ciphers = SSL_CTX_get_ciphers(proof->sscf->ssl.ctx);

    for (i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        cipher = sk_SSL_CIPHER_value(ciphers, i);
        suite = dm_suite_by_id(SSL_CIPHER_get_protocol_id(cipher));

        if (suite == NULL
            || !(suite->versions & proof->version)
            || (suite->auth & ~proof->auth))
        {
            continue;
        }

        if ((suite->auth & DM_AUTH_ECDSA)
            && proof->version < DM_TLSV1_2
            && !proof->old_ecdsa)
        {
            continue;
        }

        proof->suite = suite;
        proof->kind = ngx_dm_sec_proof_kind(cipher);

        if (!wanted(proof)) {
            continue;
        }

        proof->tried |= proof->kind->group;
        proof->seen |= (ngx_uint_t) 1 << (proof->kind
                                          - ngx_dm_sec_proof_kinds);

        if (ngx_dm_sec_proof_suite(proof) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static const ngx_dm_sec_proof_kind_t *
ngx_dm_sec_proof_kind(const SSL_CIPHER *cipher)
{
    const ngx_dm_sec_proof_kind_t  *kind;

    for (kind = ngx_dm_sec_proof_kinds; kind->kx != NID_undef; kind++) {
        if (kind->kx == SSL_CIPHER_get_kx_nid(cipher)
            && (kind->auth == NID_undef
                || kind->auth == SSL_CIPHER_get_auth_nid(cipher)))
        {
            break;
        }
    }

    return kind;
}


static ngx_uint_t
ngx_dm_sec_proof_is_cheap(ngx_dm_sec_proof_t *proof)
{
    return !(proof->kind->flags & (NGX_DM_SEC_PROOF_ONCE|NGX_DM_SEC_PROOF_DH))
           && !(proof->tried & proof->kind->group);
}


static ngx_uint_t
ngx_dm_sec_proof_is_new(ngx_dm_sec_proof_t *proof)
{
    if (!(proof->seen >> (proof->kind - ngx_dm_sec_proof_kinds) & 1)) {
        return 1;
    }

    return !(proof->kind->flags & NGX_DM_SEC_PROOF_ONCE)
           && !(proof->tried & proof->kind->group);
}


static ngx_uint_t
ngx_dm_sec_proof_is_first(ngx_dm_sec_proof_t *proof)
{
    return proof->tried == 0;
}


/* a suite of TLS 1.3 says nothing of what the server authenticates with */
static ngx_int_t
ngx_dm_sec_proof_suite(ngx_dm_sec_proof_t *proof)
{
    ngx_uint_t  by;

    if (!(proof->suite->auth & DM_AUTH_ANY)) {
        return ngx_dm_sec_proof_try(proof, proof->suite->auth);
    }

    for (by = DM_AUTH_RSA; by <= DM_AUTH_PSK; by <<= 1) {
        if ((proof->auth & by) && ngx_dm_sec_proof_try(proof, by) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (proof->auth & (DM_AUTH_RSA|DM_AUTH_ECDSA)) {
        return NGX_OK;
    }

    return ngx_dm_sec_proof_try(proof, DM_AUTH_ANY);
}


static ngx_int_t
ngx_dm_sec_proof_try(ngx_dm_sec_proof_t *proof, ngx_uint_t by)
{
    ngx_int_t  rc;

    ERR_clear_error();

    proof->by = by;

    rc = ngx_dm_sec_proof_handshake(proof);

    if (rc != NGX_OK) {
        ngx_dm_sec_proof_refused(proof);
    }

    ERR_clear_error();

    return rc;
}


static void
ngx_dm_sec_proof_refused(ngx_dm_sec_proof_t *proof)
{
    int            flags;
    const char    *reason, *data, *with;
    unsigned long  error;

    error = ERR_peek_error_data(&data, &flags);
    reason = error ? ERR_reason_error_string(error) : NULL;

    with = "";

    if (proof->version == DM_TLSV1_3) {
        with = proof->by == DM_AUTH_RSA ? " with an RSA certificate"
               : proof->by == DM_AUTH_ECDSA ? " with an ECDSA certificate"
               : proof->by == DM_AUTH_PSK ? " with a pre-shared key" : "";
    }

    ngx_dm_sec_finding(NGX_LOG_EMERG, proof->cf, proof->dscf, NULL,
                       "%s is offered on %V, but \"%s\"%s cannot be "
                       "negotiated: OpenSSL says \"%s\"%s%s",
                       dm_version_name(proof->version),
                       ngx_dm_sec_proof_address(proof), proof->suite->iana,
                       with, reason ? reason : "no reason",
                       (flags & ERR_TXT_STRING) && *data ? " " : "",
                       (flags & ERR_TXT_STRING) ? data : "");
}


/* the first one where the server is */
static ngx_str_t *
ngx_dm_sec_proof_address(ngx_dm_sec_proof_t *proof)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    static ngx_str_t  none = ngx_string("-");

    cmcf = ngx_http_conf_get_module_main_conf(proof->cf,
                                              ngx_http_core_module);
    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            cscfp = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (cscfp[s] == proof->dscf->cscf) {
                    return &addr[a].opt.addr_text;
                }
            }
        }
    }

    return &none;
}
