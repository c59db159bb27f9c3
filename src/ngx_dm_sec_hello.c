/* Servers on one address: each handshake gets its own server's policy */

#include "ngx_dm_sec_hello.h"
#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_resume.h"

#include "dm_hello.h"


#define NGX_DM_SEC_HELLO_VERIFY  256     /* octets that say how to verify */

/* octets of SHA-256; the rest numbers servers that are alike */
#define NGX_DM_SEC_HELLO_ALIKE   28


/* a handshake's choice of a server; it lies in the connection's pool */
typedef struct {
    ngx_str_t                  ext;         /* the first ClientHello's SNI */
    ngx_http_conf_ctx_t       *chosen;
} ngx_dm_sec_hello_t;


static int ngx_dm_sec_hello(SSL *ssl, int *alert, void *arg);
static ngx_int_t ngx_dm_sec_hello_watch(ngx_conf_t *cf, SSL_CTX *ctx);
static void ngx_dm_sec_hello_info(const SSL *info, int where, int ret);
static ngx_int_t ngx_dm_sec_hello_remember(SSL *ssl, ngx_str_t *ext,
    ngx_dm_sec_hello_t **hello);
static int ngx_dm_sec_hello_choose(SSL *ssl, int *alert,
    ngx_dm_sec_hello_t *hello);
#if !(NGX_DM_SEC_STOCK_HELLO)
static ngx_http_core_srv_conf_t *ngx_dm_sec_hello_find(
    ngx_http_virtual_names_t *names, ngx_str_t *host);
static ngx_int_t ngx_dm_sec_hello_context(SSL *ssl, SSL_CTX *ctx);
static int ngx_dm_sec_hello_servername(SSL *ssl, int *alert, void *arg);
#endif
static ngx_int_t ngx_dm_sec_hello_apply(SSL *ssl, ngx_http_conf_ctx_t *conf);
static ngx_int_t ngx_dm_sec_hello_session_context(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_hello_hash_server(EVP_MD_CTX *md,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_hello_hash_verify(EVP_MD_CTX *md,
    ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_dm_sec_hello_hash_str(EVP_MD_CTX *md, ngx_str_t *str);
static ngx_int_t ngx_dm_sec_hello_hash_certs(EVP_MD_CTX *md, SSL_CTX *ctx);
static ngx_int_t ngx_dm_sec_hello_hash_trust(EVP_MD_CTX *md, SSL_CTX *ctx);
static ngx_int_t ngx_dm_sec_hello_hash_store(EVP_MD_CTX *md,
    X509_STORE *store);
static ngx_uint_t ngx_dm_sec_hello_guarded(ngx_http_core_srv_conf_t *cscf);


static int  ngx_dm_sec_hello_index = -1;

/* nginx's own callback, which is the same for all servers */
static void (*ngx_dm_sec_hello_next_info)(const SSL *ssl, int where, int ret);


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

    if (ngx_dm_sec_hello_index == -1) {
        ngx_dm_sec_hello_index = SSL_get_ex_new_index(0, NULL, NULL, NULL,
                                                      NULL);
        if (ngx_dm_sec_hello_index == -1) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "dm_sec: SSL_get_ex_new_index() failed");
            return NGX_ERROR;
        }
    }

    SSL_CTX_set_client_hello_cb(ctx, ngx_dm_sec_hello, NULL);

#if !(NGX_DM_SEC_STOCK_HELLO)
    SSL_CTX_set_tlsext_servername_callback(ctx, ngx_dm_sec_hello_servername);
#endif

    if (ngx_dm_sec_resume_init_server(cf, dscf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_dm_sec_psk_init_server(dscf);

    if (ngx_dm_sec_hello_session_context(cf, dscf, sscf) != NGX_OK) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: cannot set the session id context");
        return NGX_ERROR;
    }

    return dscf->on ? ngx_dm_sec_hello_watch(cf, ctx) : NGX_OK;
}


/* has the parts that judge a handshake told of its steps */
static ngx_int_t
ngx_dm_sec_hello_watch(ngx_conf_t *cf, SSL_CTX *ctx)
{
    if (ngx_dm_sec_handshake_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_dm_sec_hello_next_info = SSL_CTX_get_info_callback(ctx);
    SSL_CTX_set_info_callback(ctx, ngx_dm_sec_hello_info);

    return NGX_OK;
}


static void
ngx_dm_sec_hello_info(const SSL *info, int where, int ret)
{
    SSL               *ssl;
    ngx_connection_t  *c;

    if (ngx_dm_sec_hello_next_info) {
        ngx_dm_sec_hello_next_info(info, where, ret);
    }

    ssl = (SSL *) info;

    if (where & SSL_CB_LOOP) {
        ngx_dm_sec_resume_note(ssl);
    }

    if (where & SSL_CB_HANDSHAKE_DONE) {
        ngx_dm_sec_psk_handshaked(ssl);
        ngx_dm_sec_handshake_done(ssl);
    }

    /* an alert has its level above its description */

    if (!(where & SSL_CB_ALERT) || (ret >> 8) != SSL3_AL_FATAL) {
        return;
    }

    c = ngx_ssl_get_connection(ssl);

    if (!c->ssl->handshaked) {
        ngx_dm_sec_handshake_failed(ssl, ret & 0xff);
    }
}


ngx_int_t
ngx_dm_sec_hello_settle_address(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
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
            dscf->quic |= ngx_dm_sec_hello_quic(addr);
        }

        if (cscfp[s] == addr->default_server) {
            continue;
        }

        hidden |= dscf->tls;
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


/*
 * nginx chooses the server in its servername callback, when the version has
 * been negotiated already with the default server's limits: here it is chosen
 * before.  From version 1.29.2 on nginx does so too, and is asked.
 */
static int
ngx_dm_sec_hello(SSL *ssl, int *alert, void *arg)
{
    ngx_int_t            rc;
    ngx_str_t            ext;
    ngx_connection_t    *c;
    ngx_dm_sec_hello_t  *hello;

    c = ngx_ssl_get_connection(ssl);

    if (c->ssl->handshaked) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    ngx_dm_sec_handshake_note(ssl);

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name,
                                  (const u_char **) &ext.data, &ext.len)
        != 1)
    {
        ngx_str_null(&ext);
    }

    rc = ngx_dm_sec_hello_remember(ssl, &ext, &hello);

    if (rc == NGX_ERROR) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    if (rc == NGX_OK) {
        return ngx_dm_sec_hello_choose(ssl, alert, hello);
    }

    /* RFC 8446, section 4.1.2: sent again, it names the same server */

    if (ext.len != hello->ext.len
        || (ext.len && ngx_memcmp(ext.data, hello->ext.data, ext.len) != 0))
    {
        *alert = SSL_AD_ILLEGAL_PARAMETER;
        return SSL_CLIENT_HELLO_ERROR;
    }

    return SSL_CLIENT_HELLO_SUCCESS;
}


/* NGX_OK; NGX_DECLINED: this is not the first ClientHello; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_hello_remember(SSL *ssl, ngx_str_t *ext,
    ngx_dm_sec_hello_t **hello)
{
    ngx_connection_t  *c;

    *hello = SSL_get_ex_data(ssl, ngx_dm_sec_hello_index);
    if (*hello) {
        return NGX_DECLINED;
    }

    c = ngx_ssl_get_connection(ssl);

    *hello = ngx_pcalloc(c->pool, sizeof(ngx_dm_sec_hello_t));
    if (*hello == NULL) {
        return NGX_ERROR;
    }

    if (ext->len) {
        (*hello)->ext.len = ext->len;
        (*hello)->ext.data = ngx_pstrdup(c->pool, ext);

        if ((*hello)->ext.data == NULL) {
            return NGX_ERROR;
        }
    }

    return SSL_set_ex_data(ssl, ngx_dm_sec_hello_index, *hello) == 1
           ? NGX_OK : NGX_ERROR;
}


#if (NGX_DM_SEC_STOCK_HELLO)

static int
ngx_dm_sec_hello_choose(SSL *ssl, int *alert, ngx_dm_sec_hello_t *hello)
{
    int                     rc;
    ngx_connection_t       *c;
    ngx_http_conf_ctx_t    *made;
    ngx_http_connection_t  *hc;

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;
    made = hc->conf_ctx;

    rc = ngx_ssl_client_hello_callback(ssl, alert, NULL);

    if (rc != SSL_CLIENT_HELLO_SUCCESS) {
        return rc;
    }

    hello->chosen = hc->conf_ctx;

    /* it is as it was made; a handshake in memory has its own callbacks */

    if (hello->chosen == made) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    if (ngx_dm_sec_hello_apply(ssl, hello->chosen) != NGX_OK) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    return SSL_CLIENT_HELLO_SUCCESS;
}

#else

static int
ngx_dm_sec_hello_choose(SSL *ssl, int *alert, ngx_dm_sec_hello_t *hello)
{
    int                        rc;
    u_char                     name[DM_SERVERNAME_MAX];
    ngx_str_t                  host;
    ngx_connection_t          *c;
    ngx_http_connection_t     *hc;
    ngx_http_core_srv_conf_t  *cscf;

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;
    hello->chosen = hc->conf_ctx;

    if (hello->ext.len == 0) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    rc = dm_hello_servername(hello->ext.data, hello->ext.len, name, &host.len);

    if (rc == DM_INVALID) {
        *alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    if (rc == DM_DECLINED) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    host.data = name;
    cscf = ngx_dm_sec_hello_find(hc->addr_conf->virtual_names, &host);

    if (cscf == NULL) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }

    hello->chosen = cscf->ctx;

    if (ngx_dm_sec_hello_apply(ssl, hello->chosen) != NGX_OK) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

    return SSL_CLIENT_HELLO_SUCCESS;
}


/* ngx_http_find_virtual_server() does it, and is static; NULL: the default */
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


/* changes also what SSL_set_SSL_CTX() leaves as SSL_new() copied it */
static ngx_int_t
ngx_dm_sec_hello_context(SSL *ssl, SSL_CTX *ctx)
{
    if (SSL_set_SSL_CTX(ssl, ctx) == NULL) {
        return NGX_ERROR;
    }

    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx),
                   SSL_CTX_get_verify_callback(ctx));
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(ctx));

    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(ctx));
    SSL_set_options(ssl, SSL_CTX_get_options(ctx)|SSL_OP_NO_RENEGOTIATION);

    return NGX_OK;
}


/*
 * nginx's own choice, and the last word: who takes a name for another one than
 * nginx does is not served, whichever of the two is right.
 */
static int
ngx_dm_sec_hello_servername(SSL *ssl, int *alert, void *arg)
{
    int                     rc;
    ngx_connection_t       *c;
    ngx_dm_sec_hello_t     *hello;
    ngx_http_connection_t  *hc;

    rc = ngx_http_ssl_servername(ssl, alert, arg);

    if (rc == SSL_TLSEXT_ERR_ALERT_FATAL) {
        return rc;
    }

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;
    hello = SSL_get_ex_data(ssl, ngx_dm_sec_hello_index);

    if (hello == NULL || hello->chosen != hc->conf_ctx) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    return rc;
}

#endif


/* applies what nginx leaves as the default server has it */
static ngx_int_t
ngx_dm_sec_hello_apply(SSL *ssl, ngx_http_conf_ctx_t *conf)
{
    SSL_CTX                  *ctx;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = conf->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (ctx == NULL) {
        return NGX_OK;
    }

#if !(NGX_DM_SEC_STOCK_HELLO)
    if (ngx_dm_sec_hello_context(ssl, ctx) != NGX_OK) {
        return NGX_ERROR;
    }
#endif

    ngx_dm_sec_psk_apply(ssl, conf->srv_conf[ngx_dm_sec_module.ctx_index]);

    if (SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(ctx))
        != 1
        || SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(ctx))
           != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * nginx's context is the same for servers with the same certificate and CAs.
 * Here it is the server's own, and changes with whatever decides who may enter
 * at a handshake, so that a session from before a reload does not bring an old
 * trust with it: it holds the leaf only, whose chain could not be verified
 * anew.  Where the server is written says nothing: of those that are alike
 * each has its number.
 */
static ngx_int_t
ngx_dm_sec_hello_session_context(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_ssl_srv_conf_t *sscf)
{
    u_char                   *hash;
    uint32_t                  number;
    EVP_MD_CTX               *md;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_dm_sec_srv_conf_t   **dscfp;
    ngx_dm_sec_main_conf_t   *dmcf;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    hash = dscf->session_context;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
        && ngx_dm_sec_hello_hash_server(md, dscf, sscf) == NGX_OK
        && EVP_DigestFinal_ex(md, hash, &dscf->session_context_len) == 1)
    {
        rc = NGX_OK;
    }

    EVP_MD_CTX_free(md);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    number = 0;
    dmcf = ngx_http_conf_get_module_main_conf(cf, ngx_dm_sec_module);
    dscfp = dmcf->servers.elts;

    for (i = 0; dscfp[i] != dscf; i++) {
        if (ngx_memcmp(dscfp[i]->session_context, hash,
                       NGX_DM_SEC_HELLO_ALIKE)
            == 0)
        {
            number++;
        }
    }

    number = htonl(number);
    ngx_memcpy(hash + NGX_DM_SEC_HELLO_ALIKE, &number, sizeof(number));

    return SSL_CTX_set_session_id_context(sscf->ssl.ctx, hash,
                                          dscf->session_context_len)
           == 1 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dm_sec_hello_hash_server(EVP_MD_CTX *md, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_ssl_srv_conf_t *sscf)
{
    if (ngx_dm_sec_hello_hash_str(md, &dscf->cscf->server_name) != NGX_OK
        || ngx_dm_sec_hello_hash_verify(md, sscf) != NGX_OK
        || ngx_dm_sec_hello_hash_certs(md, sscf->ssl.ctx) != NGX_OK
        || ngx_dm_sec_hello_hash_trust(md, sscf->ssl.ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* hashes how clients are verified, in text that every machine has alike */
static ngx_int_t
ngx_dm_sec_hello_hash_verify(EVP_MD_CTX *md, ngx_http_ssl_srv_conf_t *sscf)
{
    u_char             text[NGX_DM_SEC_HELLO_VERIFY];
    SSL_CTX           *ctx;
    ngx_str_t          str;
    ngx_uint_t         i;
    X509_STORE        *store;
    ngx_keyval_t      *command;
    X509_VERIFY_PARAM *param, *common;

    ctx = sscf->ssl.ctx;
    store = SSL_CTX_get_cert_store(ctx);
    param = SSL_CTX_get0_param(ctx);
    common = X509_STORE_get0_param(store);

    str.data = text;
    str.len = ngx_slprintf(text, text + sizeof(text),
                           "verify %ui %ui %i %i %i ocsp %ui flags %uL %uL",
                           sscf->verify, sscf->verify_depth,
                           (ngx_int_t) SSL_CTX_get_verify_mode(ctx),
                           (ngx_int_t) SSL_CTX_get_verify_depth(ctx),
                           (ngx_int_t) X509_VERIFY_PARAM_get_depth(common),
                           (ngx_uint_t) sscf->ocsp,
                           (uint64_t) X509_VERIFY_PARAM_get_flags(param),
                           (uint64_t) X509_VERIFY_PARAM_get_flags(common))
              - text;

    if (ngx_dm_sec_hello_hash_str(md, &str) != NGX_OK) {
        return NGX_ERROR;
    }

    if (sscf->conf_commands == NULL) {
        return NGX_OK;
    }

    command = sscf->conf_commands->elts;

    for (i = 0; i < sscf->conf_commands->nelts; i++) {
        if (ngx_dm_sec_hello_hash_str(md, &command[i].key) != NGX_OK
            || ngx_dm_sec_hello_hash_str(md, &command[i].value) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* hashes the string and its end, so that no two of them are one */
static ngx_int_t
ngx_dm_sec_hello_hash_str(EVP_MD_CTX *md, ngx_str_t *str)
{
    if (EVP_DigestUpdate(md, str->data, str->len) != 1
        || EVP_DigestUpdate(md, "", 1) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
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


/*
 * The CAs that are trusted, not only the names that are sent, and the CRLs:
 * "ssl_conf_command VerifyCAFile" has put them into a store of its own.
 */
static ngx_int_t
ngx_dm_sec_hello_hash_trust(EVP_MD_CTX *md, SSL_CTX *ctx)
{
    X509_STORE  *store;

    store = NULL;

    if (ngx_dm_sec_hello_hash_store(md, SSL_CTX_get_cert_store(ctx)) != NGX_OK
        || SSL_CTX_get0_verify_cert_store(ctx, &store) != 1)
    {
        return NGX_ERROR;
    }

    return store ? ngx_dm_sec_hello_hash_store(md, store) : NGX_OK;
}


static ngx_int_t
ngx_dm_sec_hello_hash_store(EVP_MD_CTX *md, X509_STORE *store)
{
    int                     i, rc;
    X509                   *cert;
    u_char                  hash[EVP_MAX_MD_SIZE];
    unsigned                len;
    X509_CRL               *crl;
    X509_OBJECT            *object;
    STACK_OF(X509_OBJECT)  *objects;

    objects = X509_STORE_get0_objects(store);

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
    SSL_CTX                   *ctx;
    ngx_uint_t                 i;
    ngx_dm_sec_srv_conf_t    **dscfp;
    ngx_dm_sec_main_conf_t    *dmcf;
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_core_srv_conf_t  *cscf;

    if (r->connection->ssl == NULL) {
        return 0;
    }

    ctx = SSL_get_SSL_CTX(r->connection->ssl->connection);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (ctx == sscf->ssl.ctx) {
        return 0;
    }

    if (ngx_dm_sec_hello_guarded(cscf)) {
        return 1;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        cscf = dscfp[i]->cscf;
        sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx == ctx) {
            return ngx_dm_sec_hello_guarded(cscf);
        }
    }

    return 1;
}


/* 1 if a handshake proves something there, to the module or nginx, else 0 */
static ngx_uint_t
ngx_dm_sec_hello_guarded(ngx_http_core_srv_conf_t *cscf)
{
    ngx_dm_sec_srv_conf_t    *dscf;
    ngx_http_ssl_srv_conf_t  *sscf;

    dscf = cscf->ctx->srv_conf[ngx_dm_sec_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return dscf->tls || sscf->verify;
}
