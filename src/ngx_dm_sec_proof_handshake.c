/* The proof of what a server offers: one handshake in memory */

#include "ngx_dm_sec_proof_internal.h"
#include "ngx_dm_sec_psk.h"


/* both ends need fewer rounds than this; each sends once in a round */
#define NGX_DM_SEC_PROOF_ROUNDS  16

#define NGX_DM_SEC_PROOF_ID      "proof"

#define NGX_DM_SEC_PROOF_RSA                                                  \
    "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512"
#define NGX_DM_SEC_PROOF_ECDSA                                                \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448"


static ngx_int_t ngx_dm_sec_proof_shake(ngx_dm_sec_proof_t *proof,
    SSL *client, SSL *server);
static ngx_int_t ngx_dm_sec_proof_chosen(ngx_dm_sec_proof_t *proof,
    SSL *server, const SSL_CIPHER *cipher);
static ngx_int_t ngx_dm_sec_proof_step(SSL *ssl);
static SSL *ngx_dm_sec_proof_new_client(ngx_dm_sec_proof_t *proof);
static SSL *ngx_dm_sec_proof_new_server(ngx_dm_sec_proof_t *proof);
static ngx_int_t ngx_dm_sec_proof_connect(SSL *client, SSL *server);
static void ngx_dm_sec_proof_free(SSL *ssl);
static void ngx_dm_sec_proof_info(const SSL *ssl, int where, int ret);
static unsigned ngx_dm_sec_proof_psk_client(SSL *ssl, const char *hint,
    char *identity, unsigned identity_max, u_char *key, unsigned max);
static unsigned ngx_dm_sec_proof_psk_server(SSL *ssl, const char *identity,
    u_char *key, unsigned max);
static int ngx_dm_sec_proof_psk_find_session(SSL *ssl, const u_char *identity,
    size_t len, SSL_SESSION **session);


ngx_int_t
ngx_dm_sec_proof_handshake(ngx_dm_sec_proof_t *proof)
{
    SSL        *client, *server;
    ngx_int_t   rc;

    client = ngx_dm_sec_proof_new_client(proof);
    server = ngx_dm_sec_proof_new_server(proof);

    rc = (client && server
          && ngx_dm_sec_proof_connect(client, server) == NGX_OK)
         ? ngx_dm_sec_proof_shake(proof, client, server) : NGX_ERROR;

    ngx_dm_sec_proof_free(client);
    ngx_dm_sec_proof_free(server);

    return rc;
}


static ngx_int_t
ngx_dm_sec_proof_shake(ngx_dm_sec_proof_t *proof, SSL *client, SSL *server)
{
    ngx_int_t   rc[2];
    ngx_uint_t  i;

    rc[0] = NGX_AGAIN;
    rc[1] = NGX_AGAIN;

    for (i = 0; i < NGX_DM_SEC_PROOF_ROUNDS; i++) {

        rc[0] = ngx_dm_sec_proof_step(client);
        if (rc[0] == NGX_ERROR) {
            return NGX_ERROR;
        }

        rc[1] = ngx_dm_sec_proof_step(server);
        if (rc[1] == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* the server has sent its parameters, and signed them */

        if (proof->kind->flags & NGX_DM_SEC_PROOF_DH) {
            return ngx_dm_sec_proof_chosen(proof, server,
                                           SSL_get_pending_cipher(server));
        }

        if (rc[0] == NGX_OK && rc[1] == NGX_OK) {
            break;
        }
    }

    if (rc[0] != NGX_OK || rc[1] != NGX_OK) {
        return NGX_ERROR;
    }

    /* a key of TLS 1.3 can be passed over in silence */

    if (proof->version == DM_TLSV1_3
        && SSL_session_reused(server) != (proof->by == DM_AUTH_PSK))
    {
        return NGX_ERROR;
    }

    return ngx_dm_sec_proof_chosen(proof, server,
                                   SSL_get_current_cipher(server));
}


static ngx_int_t
ngx_dm_sec_proof_chosen(ngx_dm_sec_proof_t *proof, SSL *server,
    const SSL_CIPHER *cipher)
{
    return cipher
           && SSL_CIPHER_get_protocol_id(cipher) == proof->suite->id
           && SSL_version(server) == dm_version_number(proof->version)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_dm_sec_proof_step(SSL *ssl)
{
    int  rc;

    rc = SSL_do_handshake(ssl);

    if (rc == 1) {
        return NGX_OK;
    }

    switch (SSL_get_error(ssl, rc)) {

    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return NGX_AGAIN;

    default:
        return NGX_ERROR;
    }
}


/* makes a client that offers this version and this suite, and nothing else */
static SSL *
ngx_dm_sec_proof_new_client(ngx_dm_sec_proof_t *proof)
{
    int   number, rc;
    SSL  *ssl;

    ssl = SSL_new(proof->client);
    if (ssl == NULL) {
        return NULL;
    }

    number = dm_version_number(proof->version);

    SSL_set_connect_state(ssl);
    SSL_set_security_level(ssl, 0);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_clear_options(ssl, SSL_OP_NO_SSLv3|SSL_OP_NO_TLSv1|SSL_OP_NO_TLSv1_1
                           |SSL_OP_NO_TLSv1_2|SSL_OP_NO_TLSv1_3);

    rc = (proof->version == DM_TLSV1_3)
         ? SSL_set_ciphersuites(ssl, proof->suite->openssl)
         : SSL_set_cipher_list(ssl, proof->suite->openssl);

    if (rc != 1
        || SSL_set_app_data(ssl, proof) != 1
        || SSL_set_min_proto_version(ssl, number) != 1
        || SSL_set_max_proto_version(ssl, number) != 1)
    {
        SSL_free(ssl);
        return NULL;
    }

    if (proof->by & DM_AUTH_PSK) {
        SSL_set_psk_client_callback(ssl, ngx_dm_sec_proof_psk_client);
    }

    if (proof->version == DM_TLSV1_3
        && (proof->by & (DM_AUTH_RSA|DM_AUTH_ECDSA)))
    {
        (void) SSL_set1_sigalgs_list(ssl, proof->by == DM_AUTH_RSA
                                          ? NGX_DM_SEC_PROOF_RSA
                                          : NGX_DM_SEC_PROOF_ECDSA);
    }

    return ssl;
}


/* makes a server as nginx does, without tickets, caches and log lines */
static SSL *
ngx_dm_sec_proof_new_server(ngx_dm_sec_proof_t *proof)
{
    SSL  *ssl;

    ssl = SSL_new(proof->sscf->ssl.ctx);
    if (ssl == NULL) {
        return NULL;
    }

    ngx_memzero(&proof->log, sizeof(ngx_log_t));
    ngx_memzero(&proof->c, sizeof(ngx_connection_t));
    ngx_memzero(&proof->ssl, sizeof(ngx_ssl_connection_t));
    ngx_memzero(&proof->hc, sizeof(ngx_http_connection_t));
    ngx_memzero(&proof->addr, sizeof(ngx_http_addr_conf_t));

    proof->addr.default_server = proof->dscf->cscf;
    proof->hc.addr_conf = &proof->addr;
    proof->hc.conf_ctx = proof->dscf->cscf->ctx;
    proof->ssl.connection = ssl;
    proof->ssl.session_ctx = proof->sscf->ssl.ctx;
    proof->c.fd = (ngx_socket_t) -1;
    proof->c.data = &proof->hc;
    proof->c.log = &proof->log;
    proof->c.pool = proof->cf->temp_pool;
    proof->c.ssl = &proof->ssl;

    SSL_set_accept_state(ssl);
    SSL_set_info_callback(ssl, ngx_dm_sec_proof_info);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_options(ssl, SSL_OP_NO_TICKET);

    if (SSL_set_ex_data(ssl, ngx_ssl_connection_index, &proof->c) != 1
        || SSL_set_app_data(ssl, proof) != 1
        || SSL_set_num_tickets(ssl, 0) != 1)
    {
        SSL_free(ssl);
        return NULL;
    }

    if (proof->auth & DM_AUTH_PSK) {
        SSL_set_psk_server_callback(ssl, ngx_dm_sec_proof_psk_server);
        SSL_set_psk_find_session_callback(ssl,
                                          ngx_dm_sec_proof_psk_find_session);
    }

    return ssl;
}


static ngx_int_t
ngx_dm_sec_proof_connect(SSL *client, SSL *server)
{
    BIO  *bio[2];

    if (BIO_new_bio_pair(&bio[0], 0, &bio[1], 0) != 1) {
        return NGX_ERROR;
    }

    SSL_set_bio(client, bio[0], bio[0]);
    SSL_set_bio(server, bio[1], bio[1]);

    return NGX_OK;
}


static void
ngx_dm_sec_proof_free(SSL *ssl)
{
    if (ssl) {
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN|SSL_RECEIVED_SHUTDOWN);
        SSL_free(ssl);
    }
}


/* nginx's own caches are in zones that are not there yet */
void
ngx_dm_sec_proof_quiet(SSL_CTX *ctx, ngx_dm_sec_proof_beside_t *beside)
{
    beside->mode = SSL_CTX_get_session_cache_mode(ctx);
    beside->new_session = SSL_CTX_sess_get_new_cb(ctx);
    beside->get_session = SSL_CTX_sess_get_get_cb(ctx);
    beside->remove_session = SSL_CTX_sess_get_remove_cb(ctx);
    beside->keylog = SSL_CTX_get_keylog_callback(ctx);

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(ctx, NULL);
    SSL_CTX_sess_set_get_cb(ctx, NULL);
    SSL_CTX_sess_set_remove_cb(ctx, NULL);
    SSL_CTX_set_keylog_callback(ctx, NULL);
}


void
ngx_dm_sec_proof_restore(SSL_CTX *ctx, ngx_dm_sec_proof_beside_t *beside)
{
    SSL_CTX_set_session_cache_mode(ctx, beside->mode);
    SSL_CTX_sess_set_new_cb(ctx, beside->new_session);
    SSL_CTX_sess_set_get_cb(ctx, beside->get_session);
    SSL_CTX_sess_set_remove_cb(ctx, beside->remove_session);
    SSL_CTX_set_keylog_callback(ctx, beside->keylog);
}


/* stands for nginx's callback and the module's, which log and count */
static void
ngx_dm_sec_proof_info(const SSL *ssl, int where, int ret)
{
}


static unsigned
ngx_dm_sec_proof_psk_client(SSL *ssl, const char *hint, char *identity,
    unsigned identity_max, u_char *key, unsigned max)
{
    if (identity_max < sizeof(NGX_DM_SEC_PROOF_ID)) {
        return 0;
    }

    ngx_memcpy(identity, NGX_DM_SEC_PROOF_ID, sizeof(NGX_DM_SEC_PROOF_ID));

    return ngx_dm_sec_proof_psk_server(ssl, identity, key, max);
}


static unsigned
ngx_dm_sec_proof_psk_server(SSL *ssl, const char *identity, u_char *key,
    unsigned max)
{
    ngx_dm_sec_proof_t  *proof;

    proof = SSL_get_app_data(ssl);

    if (max < NGX_DM_SEC_PROOF_KEY) {
        return 0;
    }

    ngx_memcpy(key, proof->key, NGX_DM_SEC_PROOF_KEY);

    return NGX_DM_SEC_PROOF_KEY;
}


static int
ngx_dm_sec_proof_psk_find_session(SSL *ssl, const u_char *identity,
    size_t len, SSL_SESSION **session)
{
    dm_str_t             key;
    ngx_dm_sec_proof_t  *proof;

    proof = SSL_get_app_data(ssl);

    key.data = proof->key;
    key.len = NGX_DM_SEC_PROOF_KEY;

    *session = ngx_dm_sec_psk_new_session(ssl, key);

    return *session != NULL;
}
