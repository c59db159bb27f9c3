/* Servers on one address: each handshake gets its own server's policy */

#include "ngx_dm_sec_hello.h"
#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_psk.h"

#include "dm_hello.h"


#if (NGX_DM_SEC_STOCK_HELLO)
static ngx_uint_t ngx_dm_sec_hello_differs(ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_srv_conf_t *other);
#else
static int ngx_dm_sec_hello(SSL *ssl, int *alert, void *arg);
static ngx_http_core_srv_conf_t *ngx_dm_sec_hello_find(
    ngx_http_virtual_names_t *names, ngx_str_t *host);
static ngx_int_t ngx_dm_sec_hello_apply(SSL *ssl,
    ngx_http_core_srv_conf_t *cscf);
#endif
static ngx_int_t ngx_dm_sec_hello_session_context(
    ngx_dm_sec_srv_conf_t *dscf, SSL_CTX *ctx);
static ngx_int_t ngx_dm_sec_hello_hash_certs(EVP_MD_CTX *md, SSL_CTX *ctx);
static ngx_int_t ngx_dm_sec_hello_hash_trust(EVP_MD_CTX *md, SSL_CTX *ctx);


ngx_int_t
ngx_dm_sec_hello_init_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    SSL_CTX                  *ctx;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (ctx == NULL) {
        return NGX_OK;
    }

#if !(NGX_DM_SEC_STOCK_HELLO)
    SSL_CTX_set_client_hello_cb(ctx, ngx_dm_sec_hello, NULL);
#endif

    if (ngx_dm_sec_psk_init_server(cf, dscf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_hello_session_context(dscf, ctx) != NGX_OK) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: cannot set the session id context");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_hello_check_address(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                   s, hidden;
    ngx_dm_sec_srv_conf_t       *dscf;
    ngx_http_ssl_srv_conf_t     *sscf;
    ngx_http_core_srv_conf_t   **cscfp;

    hidden = 0;
    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {

        dscf = cscfp[s]->ctx->srv_conf[ngx_dm_sec_module.ctx_index];
        sscf = cscfp[s]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx) {
            dscf->listens = 1;
        }

        if (cscfp[s] == addr->default_server) {
            continue;
        }

        hidden |= dscf->tls;

#if (NGX_DM_SEC_STOCK_HELLO)
        if (ngx_dm_sec_hello_check_server(cf, dscf, addr) != NGX_OK) {
            return NGX_ERROR;
        }
#endif
    }

    if (hidden) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "dm_sec: a device that sends no SNI reaches only the "
                      "default server \"%V\" of %V",
                      &addr->default_server->server_name,
                      &addr->opt.addr_text);
    }

    return NGX_OK;
}


#if (NGX_DM_SEC_STOCK_HELLO)

/* nginx has a client hello callback of its own, with no way to chain it */
ngx_int_t
ngx_dm_sec_hello_check_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_conf_addr_t *addr)
{
    if (ngx_dm_sec_hello_differs(dscf, addr->default_server)) {
        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, NULL,
                            "server \"%V\" on the same address has another "
                            "TLS policy, which this version of nginx cannot "
                            "keep apart: give both the same, or \"listen\" on "
                            "another address",
                            &addr->default_server->server_name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_dm_sec_hello_differs(ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_srv_conf_t *other)
{
    ngx_uint_t              i;
    ngx_array_t            *suites[2];
    ngx_dm_sec_suite_t     *elt[2];
    ngx_dm_sec_loc_conf_t  *dlcf;
    ngx_dm_sec_srv_conf_t  *server;

    dlcf = other->ctx->loc_conf[ngx_dm_sec_module.ctx_index];
    server = other->ctx->srv_conf[ngx_dm_sec_module.ctx_index];

    suites[0] = dscf->dlcf->policy.suites;
    suites[1] = dlcf->policy.suites;

    if (((dscf->auth ^ server->auth) & NGX_DM_SEC_PSK)
        || dscf->dlcf->policy.versions != dlcf->policy.versions
        || (suites[0] == NULL) != (suites[1] == NULL))
    {
        return 1;
    }

    if (suites[0] == suites[1]) {
        return 0;
    }

    if (suites[0]->nelts != suites[1]->nelts) {
        return 1;
    }

    elt[0] = suites[0]->elts;
    elt[1] = suites[1]->elts;

    for (i = 0; i < suites[0]->nelts; i++) {
        if (elt[0][i].suite != elt[1][i].suite) {
            return 1;
        }
    }

    return 0;
}

#else

/*
 * nginx chooses the server in its servername callback, when the version has
 * been negotiated already with the default server's limits.  Whatever is
 * chosen here, nginx chooses again there, and a request that ends up in yet
 * another server is misdirected.
 */
static int
ngx_dm_sec_hello(SSL *ssl, int *alert, void *arg)
{
    int                        rc;
    size_t                     len;
    u_char                     name[DM_SERVERNAME_MAX];
    ngx_str_t                  host;
    const u_char              *ext;
    ngx_connection_t          *c;
    ngx_http_connection_t     *hc;
    ngx_http_core_srv_conf_t  *cscf;

    c = ngx_ssl_get_connection(ssl);

    if (c->ssl->handshaked) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    ngx_dm_sec_handshake_note(ssl);

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len)
        != 1)
    {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    rc = dm_hello_servername(ext, len, name, &host.len);

    if (rc == DM_INVALID) {
        *alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    if (rc == DM_DECLINED) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    host.data = name;
    hc = c->data;

    cscf = ngx_dm_sec_hello_find(hc->addr_conf->virtual_names, &host);

    if (cscf && ngx_dm_sec_hello_apply(ssl, cscf) != NGX_OK) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    return SSL_CLIENT_HELLO_SUCCESS;
}


/* as ngx_http_find_virtual_server(), which is static; NULL: the default */
static ngx_http_core_srv_conf_t *
ngx_dm_sec_hello_find(ngx_http_virtual_names_t *names, ngx_str_t *host)
{
    ngx_uint_t                 i;
    ngx_http_server_name_t    *sn;
    ngx_http_core_srv_conf_t  *cscf;

    if (names == NULL) {
        return NULL;
    }

    cscf = ngx_hash_find_combined(&names->names,
                                  ngx_hash_key(host->data, host->len),
                                  host->data, host->len);
    if (cscf) {
        return cscf;
    }

    sn = names->regex;

    for (i = 0; i < names->nregex; i++) {
        if (ngx_regex_exec(sn[i].regex->regex, host, NULL, 0) >= 0) {
            return sn[i].server;
        }
    }

    return NULL;
}


/* what SSL_set_SSL_CTX() leaves as it was copied at SSL_new() */
static ngx_int_t
ngx_dm_sec_hello_apply(SSL *ssl, ngx_http_core_srv_conf_t *cscf)
{
    SSL_CTX                  *ctx;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (ctx == NULL) {
        return NGX_OK;
    }

    if (SSL_set_SSL_CTX(ssl, ctx) == NULL) {
        return NGX_ERROR;
    }

    ngx_dm_sec_psk_apply(ssl, cscf->ctx->srv_conf[ngx_dm_sec_module
                                                  .ctx_index]);

    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx),
                   SSL_CTX_get_verify_callback(ctx));
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));

    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(ctx));
    SSL_set_options(ssl, SSL_CTX_get_options(ctx)|SSL_OP_NO_RENEGOTIATION);

    if (SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(ctx))
        != 1
        || SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(ctx))
           != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}

#endif


/*
 * nginx's context is the same for servers with the same certificate and CAs.
 * Here it is the server's own; it changes too when these or the CRLs change,
 * so that a session from before a reload does not bring an old trust with it:
 * it holds the leaf only, whose chain could not be verified anew.
 */
static ngx_int_t
ngx_dm_sec_hello_session_context(ngx_dm_sec_srv_conf_t *dscf, SSL_CTX *ctx)
{
    u_char                    *hash;
    unsigned                  *len;
    EVP_MD_CTX                *md;
    ngx_int_t                  rc;
    ngx_http_core_srv_conf_t  *cscf;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    cscf = dscf->cscf;
    hash = dscf->session_context;
    len = &dscf->session_context_len;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
        && EVP_DigestUpdate(md, cscf->server_name.data,
                            cscf->server_name.len) == 1
        && EVP_DigestUpdate(md, cscf->file_name, ngx_strlen(cscf->file_name))
           == 1
        && EVP_DigestUpdate(md, &cscf->line, sizeof(cscf->line)) == 1
        && ngx_dm_sec_hello_hash_certs(md, ctx) == NGX_OK
        && ngx_dm_sec_hello_hash_trust(md, ctx) == NGX_OK
        && EVP_DigestFinal_ex(md, hash, len) == 1
        && SSL_CTX_set_session_id_context(ctx, hash, *len) == 1)
    {
        rc = NGX_OK;
    }

    EVP_MD_CTX_free(md);

    return rc;
}


static ngx_int_t
ngx_dm_sec_hello_hash_certs(EVP_MD_CTX *md, SSL_CTX *ctx)
{
    long      rc;
    X509     *cert;
    u_char    hash[EVP_MAX_MD_SIZE];
    unsigned  len;

    for (rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
         rc;
         rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
    {
        cert = SSL_CTX_get0_certificate(ctx);

        if (X509_digest(cert, EVP_sha256(), hash, &len) != 1
            || EVP_DigestUpdate(md, hash, len) != 1)
        {
            return NGX_ERROR;
        }
    }

    /* the loop ends in an error by design */
    ERR_clear_error();

    return NGX_OK;
}


/* the CAs that are trusted, not only the names that are sent, and the CRLs */
static ngx_int_t
ngx_dm_sec_hello_hash_trust(EVP_MD_CTX *md, SSL_CTX *ctx)
{
    int                     i, rc;
    X509                   *cert;
    u_char                  hash[EVP_MAX_MD_SIZE];
    unsigned                len;
    X509_CRL               *crl;
    X509_OBJECT            *object;
    STACK_OF(X509_OBJECT)  *objects;

    objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));

    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        object = sk_X509_OBJECT_value(objects, i);

        cert = X509_OBJECT_get0_X509(object);
        crl = X509_OBJECT_get0_X509_CRL(object);

        rc = cert ? X509_digest(cert, EVP_sha256(), hash, &len)
                  : X509_CRL_digest(crl, EVP_sha256(), hash, &len);

        if (rc != 1 || EVP_DigestUpdate(md, hash, len) != 1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_dm_sec_hello_misdirected(ngx_http_request_t *r)
{
    SSL_CTX                  *ctx;
    ngx_uint_t                i;
    ngx_dm_sec_srv_conf_t    *dscf, **dscfp;
    ngx_dm_sec_main_conf_t   *dmcf;
    ngx_http_ssl_srv_conf_t  *sscf;

    if (r->connection->ssl == NULL) {
        return 0;
    }

    ctx = SSL_get_SSL_CTX(r->connection->ssl->connection);
    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (ctx == sscf->ssl.ctx) {
        return 0;
    }

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    if (dscf->tls) {
        return 1;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {

        sscf = dscfp[i]->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx == ctx) {
            return dscfp[i]->tls;
        }
    }

    return 1;
}
