/* TLS sessions: which of them a server resumes */

#include "ngx_dm_sec_resume.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_x509.h"


/* marks a session whose certificate was not verified; it is no key's mark */
#define NGX_DM_SEC_RESUME_BAD  "bad"


static ngx_int_t ngx_dm_sec_resume_wants(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_resume_want(ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_loc_conf_t *dlcf);
static void ngx_dm_sec_resume_no_builtin(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_uint_t auth, SSL_CTX *ctx);
static ngx_dm_sec_srv_conf_t *ngx_dm_sec_resume_server(SSL *ssl);
static SSL_TICKET_RETURN ngx_dm_sec_resume_ticket(SSL *ssl,
    SSL_SESSION *session, const u_char *name, size_t len,
    SSL_TICKET_STATUS status, void *arg);
static SSL_SESSION *ngx_dm_sec_resume_cached(SSL *ssl, const u_char *id,
    int len, int *copy);
static ngx_uint_t ngx_dm_sec_resumes(SSL *ssl, SSL_SESSION *session);
static ngx_uint_t ngx_dm_sec_resume_serves(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_uint_t ngx_dm_sec_resume_fits(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_uint_t ngx_dm_sec_resume_suite(SSL *ssl, SSL_SESSION *session);
static ngx_uint_t ngx_dm_sec_resume_certificate(SSL *ssl,
    SSL_SESSION *session, ngx_dm_sec_srv_conf_t *dscf);
static ngx_uint_t ngx_dm_sec_resume_bound(SSL *ssl, X509 *cert,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_uint_t ngx_dm_sec_resume_bad(SSL_SESSION *session);
static void ngx_dm_sec_resume_keep_end(SSL_SESSION *session);


/* an SSL_CTX keeps its ngx_dm_sec_srv_conf_t under this index */
static int  ngx_dm_sec_resume_index = -1;

/* nginx's own, which is the same for all servers */
static SSL_SESSION *(*ngx_dm_sec_resume_next)(SSL *ssl, const u_char *id,
    int len, int *copy);


ngx_int_t
ngx_dm_sec_resume_init_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    SSL_CTX                  *ctx;
    ngx_uint_t                auth;
    ngx_dm_sec_main_conf_t   *dmcf;
    ngx_http_ssl_srv_conf_t  *sscf;

    dmcf = ngx_http_conf_get_module_main_conf(cf, ngx_dm_sec_module);
    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (ngx_dm_sec_resume_index == -1) {
        ngx_dm_sec_resume_index = SSL_CTX_get_ex_new_index(0, NULL, NULL,
                                                           NULL, NULL);
    }

    if (ngx_dm_sec_resume_index == -1
        || SSL_CTX_set_ex_data(ctx, ngx_dm_sec_resume_index, dscf) != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: cannot keep the server in its SSL_CTX");
        return NGX_ERROR;
    }

    /* the default server's callbacks serve all servers of an address */

    (void) SSL_CTX_set_session_ticket_cb(ctx, NULL, ngx_dm_sec_resume_ticket,
                                         NULL);

    if (SSL_CTX_sess_get_get_cb(ctx)) {
        ngx_dm_sec_resume_next = SSL_CTX_sess_get_get_cb(ctx);
        SSL_CTX_sess_set_get_cb(ctx, ngx_dm_sec_resume_cached);
    }

    auth = dmcf->auth & (NGX_DM_SEC_PSK|NGX_DM_SEC_X509);

    if (auth) {
        ngx_dm_sec_resume_no_builtin(cf, dscf, auth, ctx);
    }

    return ngx_dm_sec_resume_wants(cf, dscf);
}


/* finds out what the levels of the server want of a certificate */
static ngx_int_t
ngx_dm_sec_resume_wants(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    if (ngx_array_init(&dscf->x509_ways, cf->pool, 1, sizeof(ngx_array_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_resume_want(dscf, dscf->dlcf) != NGX_OK) {
        return NGX_ERROR;
    }

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {
        if (ngx_dm_sec_resume_want(dscf, location[i].dlcf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_resume_want(ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_uint_t     i;
    ngx_array_t  **ways;

    if (!(dlcf->auth & NGX_DM_SEC_X509)) {
        return NGX_OK;
    }

    if (dlcf->auth_all || dlcf->http_auth == 0) {
        dscf->x509_alone = 1;
    }

    ways = dscf->x509_ways.elts;

    for (i = 0; i < dscf->x509_ways.nelts; i++) {
        if (ways[i] == dlcf->x509_identity) {
            return NGX_OK;
        }
    }

    ways = ngx_array_push(&dscf->x509_ways);
    if (ways == NULL) {
        return NGX_ERROR;
    }

    *ways = dlcf->x509_identity;

    return NGX_OK;
}


/* OpenSSL resumes sessions of its own cache without asking anybody */
static void
ngx_dm_sec_resume_no_builtin(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_uint_t auth, SSL_CTX *ctx)
{
    long  mode;

    mode = SSL_CTX_get_session_cache_mode(ctx);

    if ((mode & SSL_SESS_CACHE_SERVER)
        && !(mode & SSL_SESS_CACHE_NO_INTERNAL_STORE)
        && SSL_CTX_sess_get_get_cb(ctx) == NULL)
    {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                           "\"ssl_session_cache builtin\" is of no use "
                           "beside \"dm_sec_auth %s\": its sessions would "
                           "outlive their %s, and are not resumed; write "
                           "\"shared\"",
                           auth & NGX_DM_SEC_PSK ? "psk" : "x509",
                           auth & NGX_DM_SEC_PSK ? "keys" : "certificates");
    }

    SSL_CTX_set_session_cache_mode(ctx,
                                   mode | SSL_SESS_CACHE_NO_INTERNAL_LOOKUP);
}


/* finds the server that the handshake is with; NULL: it is not known */
static ngx_dm_sec_srv_conf_t *
ngx_dm_sec_resume_server(SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ngx_dm_sec_resume_index);
}


/*
 * A ticket that is refused here is passed over for what the client offers
 * next, which may be a key.  Otherwise as OpenSSL does without such a
 * callback.
 */
static SSL_TICKET_RETURN
ngx_dm_sec_resume_ticket(SSL *ssl, SSL_SESSION *session, const u_char *name,
    size_t len, SSL_TICKET_STATUS status, void *arg)
{
    switch (status) {

    case SSL_TICKET_SUCCESS:
        return ngx_dm_sec_resumes(ssl, session)
               ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE_RENEW;

    case SSL_TICKET_SUCCESS_RENEW:
        return ngx_dm_sec_resumes(ssl, session)
               ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;

    case SSL_TICKET_EMPTY:
    case SSL_TICKET_NO_DECRYPT:
        ngx_dm_sec_psk_tickets(ssl, ngx_dm_sec_resume_server(ssl), 0);
        return SSL_TICKET_RETURN_IGNORE_RENEW;

    case SSL_TICKET_NONE:
        return SSL_TICKET_RETURN_IGNORE;

    default:
        return SSL_TICKET_RETURN_ABORT;
    }
}


static SSL_SESSION *
ngx_dm_sec_resume_cached(SSL *ssl, const u_char *id, int len, int *copy)
{
    SSL_SESSION  *session;

    session = ngx_dm_sec_resume_next(ssl, id, len, copy);

    if (session == NULL) {
        ngx_dm_sec_psk_tickets(ssl, ngx_dm_sec_resume_server(ssl), 0);
        return NULL;
    }

    if (ngx_dm_sec_resumes(ssl, session)) {
        return session;
    }

    if (*copy == 0) {
        SSL_SESSION_free(session);
    }

    return NULL;
}


/* 1 if the session may be resumed, else 0 */
static ngx_uint_t
ngx_dm_sec_resumes(SSL *ssl, SSL_SESSION *session)
{
    ngx_uint_t              serves;
    ngx_dm_sec_srv_conf_t  *dscf;

    dscf = ngx_dm_sec_resume_server(ssl);
    serves = dscf ? ngx_dm_sec_resume_serves(ssl, session, dscf) : 0;

    ngx_dm_sec_psk_tickets(ssl, dscf, serves);

    return serves;
}


static ngx_uint_t
ngx_dm_sec_resume_serves(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf)
{
    if (!ngx_dm_sec_resume_fits(ssl, session, dscf)
        || !ngx_dm_sec_psk_resumes(ssl, session, dscf))
    {
        return 0;
    }

    if (!(dscf->auth & NGX_DM_SEC_X509) || ngx_dm_sec_psk_marked(session)) {
        return 1;
    }

    if (!ngx_dm_sec_resume_certificate(ssl, session, dscf)) {
        return 0;
    }

    ngx_dm_sec_resume_keep_end(session);

    return 1;
}


/*
 * Version, context and age are OpenSSL's own conditions.  It looks at them
 * when it has chosen a session, and then goes on with a certificate: a key
 * that the client offers beside the session would never be looked at.
 */
static ngx_uint_t
ngx_dm_sec_resume_fits(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf)
{
    time_t         end;
    unsigned       len;
    const u_char  *context;

    context = SSL_SESSION_get0_id_context(session, &len);

    if (SSL_SESSION_get_protocol_version(session) != SSL_version(ssl)
        || len != dscf->session_context_len
        || ngx_memcmp(context, dscf->session_context, len) != 0)
    {
        return 0;
    }

    /* the session ends a second early: OpenSSL looks at the clock later */

    end = SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session);

    return time(NULL) < end && ngx_dm_sec_resume_suite(ssl, session);
}


/*
 * The suite of TLS 1.2 and less stays that of the session, also where the
 * server does not offer it any more, and the policy would refuse each request.
 * In TLS 1.3 it is chosen before.
 */
static ngx_uint_t
ngx_dm_sec_resume_suite(SSL *ssl, SSL_SESSION *session)
{
    if (SSL_version(ssl) >= TLS1_3_VERSION) {
        return 1;
    }

    return sk_SSL_CIPHER_find(SSL_get_ciphers(ssl),
                              (SSL_CIPHER *) SSL_SESSION_get0_cipher(session))
           >= 0;
}


/*
 * 1 if the session has what it takes to get in somewhere, else 0.  Who has a
 * certificate is asked for it in a full handshake only.
 */
static ngx_uint_t
ngx_dm_sec_resume_certificate(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf)
{
    X509  *cert;

    cert = SSL_SESSION_get0_peer(session);

    if (cert == NULL) {
        return !dscf->x509_alone;
    }

    return !ngx_dm_sec_resume_bad(session)
           && ngx_dm_sec_x509_valid(cert)
           && ngx_dm_sec_resume_bound(ssl, cert, dscf);
}


/*
 * It takes a session that this server made, and so a certificate that was
 * verified, to have the store asked here.  Where that fails the request will
 * say so.
 */
static ngx_uint_t
ngx_dm_sec_resume_bound(SSL *ssl, X509 *cert, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_array_t            **ways;
    ngx_connection_t        *c;
    ngx_dm_sec_main_conf_t  *dmcf;

    c = ngx_ssl_get_connection(ssl);
    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    /* a single process may have been reloaded without the module */

    if (dmcf == NULL || dmcf->keys == NULL) {
        return 1;
    }

    ways = dscf->x509_ways.elts;

    for (i = 0; i < dscf->x509_ways.nelts; i++) {
        rc = ngx_dm_sec_x509_bound(dmcf, c, ways[i], cert);

        if (rc != NGX_DECLINED) {
            return 1;
        }
    }

    return 0;
}


/*
 * RFC 8446, section 4.6.1: in TLS 1.3 each resumption brings a new ticket,
 * which would live as long as the first.  What a session without a key
 * promises is looked at anew when its first ticket is over.
 */
static void
ngx_dm_sec_resume_keep_end(SSL_SESSION *session)
{
    time_t  now, end;

    now = time(NULL);
    end = SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session);

    (void) SSL_SESSION_set_time(session, now);
    (void) SSL_SESSION_set_timeout(session, end - now);
}


/* nothing else in a session says that its certificate was not verified */
void
ngx_dm_sec_resume_note(SSL *ssl)
{
    SSL_SESSION  *session;

    if (SSL_get_verify_result(ssl) == X509_V_OK
        || SSL_session_reused(ssl)
        || SSL_get0_peer_certificate(ssl) == NULL)
    {
        return;
    }

    session = SSL_get_session(ssl);

    if (session && !ngx_dm_sec_resume_bad(session)) {
        (void) SSL_SESSION_set1_ticket_appdata(session, NGX_DM_SEC_RESUME_BAD,
                                            sizeof(NGX_DM_SEC_RESUME_BAD) - 1);
    }
}


static ngx_uint_t
ngx_dm_sec_resume_bad(SSL_SESSION *session)
{
    void    *data;
    size_t   len;

    return SSL_SESSION_get0_ticket_appdata(session, &data, &len) == 1
           && len == sizeof(NGX_DM_SEC_RESUME_BAD) - 1
           && ngx_memcmp(data, NGX_DM_SEC_RESUME_BAD, len) == 0;
}
