/*
 * The upgrade to TLS within HTTP, RFC 2817.
 *
 * A request that asks for it in the clear is read to its end and gets 101;
 * then the handshake is done, and only then the request goes on: through all
 * phases, as if it had come so.  Whoever is on the way may have written it,
 * so what the handshake proves is not said of it, but of those that follow.
 */

#include "ngx_dm_sec_upgrade.h"
#include "ngx_dm_sec_body.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_star.h"
#include "ngx_dm_sec_tls.h"

#include "dm_upgrade.h"


/* an upgrade; it lies in the request's pool while it lasts */
typedef struct ngx_dm_sec_upgrade_s {
    dm_str_t              token;        /* it is echoed */
    ngx_event_handler_pt  read;         /* nginx's own handlers */
    ngx_event_handler_pt  write;
} ngx_dm_sec_upgrade_t;


/* "client_body_in_file_only clean", whose name nginx keeps to itself */
#define NGX_DM_SEC_UPGRADE_FILE_CLEAN  2


static ngx_int_t ngx_dm_sec_upgrade_wanted(ngx_http_request_t *r,
    ngx_dm_sec_srv_conf_t *dscf, dm_str_t *token);
static ngx_int_t ngx_dm_sec_upgrade_read(ngx_http_request_t *r);
static void ngx_dm_sec_upgrade_keep_body(ngx_http_request_t *r,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_dm_sec_upgrade_switch(ngx_http_request_t *r,
    ngx_dm_sec_upgrade_t *upgrade);
static ngx_int_t ngx_dm_sec_upgrade_accept(ngx_http_request_t *r,
    ngx_dm_sec_upgrade_t *upgrade);
static ngx_int_t ngx_dm_sec_upgrade_handshake(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_upgrade_call(ngx_http_request_t *r);
static void ngx_dm_sec_upgrade_event(ngx_event_t *ev);
static void ngx_dm_sec_upgrade_done(ngx_connection_t *c);
static ngx_int_t ngx_dm_sec_upgrade_finish(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_upgrade_inside(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_upgrade_certificate(ngx_http_request_t *r);


ngx_int_t
ngx_dm_sec_upgrade_settle_address(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                   s;
    ngx_dm_sec_srv_conf_t       *dscf, *first;
    ngx_http_ssl_srv_conf_t     *sscf;
    ngx_http_core_srv_conf_t   **cscfp;

    first = addr->default_server->ctx->srv_conf[ngx_dm_sec_module.ctx_index];
    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {

        dscf = cscfp[s]->ctx->srv_conf[ngx_dm_sec_module.ctx_index];
        sscf = cscfp[s]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (dscf->upgrade == NGX_DM_SEC_UPGRADE_OFF) {
            continue;
        }

        if (sscf->reject_handshake) {

            if (dscf->own_upgrade) {
                ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                                   "\"dm_sec_upgrade\" can never succeed: "
                                   "\"ssl_reject_handshake on\" refuses "
                                   "every handshake");
                return NGX_ERROR;
            }

            continue;
        }

        if (sscf->ssl.ctx == NULL) {
            ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                               "\"dm_sec_upgrade\" needs a certificate: "
                               "write \"ssl_certificate\" and "
                               "\"ssl_certificate_key\"");
            return NGX_ERROR;
        }

        dscf->listens = 1;
        dscf->upgrades = 1;
        first->star = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_upgrade_settle_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    u_char      *p;
    ngx_uint_t   minor, versions;

    if (dscf->own_upgrade && !dscf->upgrades) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"dm_sec_upgrade\" has no effect: the server "
                           "has no \"listen\" without \"ssl\"");
        return NGX_ERROR;
    }

    if (!dscf->upgrades) {
        return NGX_OK;
    }

    p = ngx_pnalloc(cf->pool, sizeof("TLS/1.x, ") * DM_VERSIONS
                              + sizeof("HTTP/1.1"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    versions = ngx_dm_sec_tls_server_versions(dscf);

    dscf->upgrade_versions = versions;
    dscf->upgrade_offer.data = p;

    /* the preferred one first */

    for (minor = 4; minor-- > 0; /* void */ ) {
        if (versions & (DM_TLSV1 << minor)) {
            p = ngx_sprintf(p, "TLS/1.%ui, ", minor);
        }
    }

    p = ngx_cpymem(p, "HTTP/1.1", sizeof("HTTP/1.1") - 1);
    dscf->upgrade_offer.len = p - dscf->upgrade_offer.data;

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_upgrade(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    dm_str_t                token;
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_srv_conf_t  *dscf;

    if (r->stream) {
        return NGX_DECLINED;
    }

    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx && ctx->in_clear) {
        return ngx_dm_sec_upgrade_inside(r);
    }

    if (r->connection->ssl) {
        return NGX_DECLINED;
    }

    if (ctx && ctx->upgrade) {
        return ngx_dm_sec_upgrade_switch(r, ctx->upgrade);
    }

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    rc = ngx_dm_sec_upgrade_wanted(r, dscf, &token);

    if (rc != NGX_OK) {

        /* nginx's own answer to "*", which it was kept from giving */

        return ngx_dm_sec_star_is(r) && !ngx_dm_sec_upgrade_missing(r)
               ? NGX_HTTP_BAD_REQUEST : NGX_DECLINED;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->upgrade = ngx_pcalloc(r->pool, sizeof(ngx_dm_sec_upgrade_t));
    if (ctx->upgrade == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->upgrade->token = token;

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return ngx_dm_sec_upgrade_read(r);
    }

    return ngx_dm_sec_upgrade_switch(r, ctx->upgrade);
}


/*
 * NGX_OK, and token is what to echo, NGX_DECLINED.  A client of HTTP/1.0
 * cannot ask (RFC 9110, section 7.8).
 */
static ngx_int_t
ngx_dm_sec_upgrade_wanted(ngx_http_request_t *r, ngx_dm_sec_srv_conf_t *dscf,
    dm_str_t *token)
{
    ngx_uint_t          option;
    dm_upgrade_t        upgrade;
    ngx_table_elt_t    *h;
    ngx_dm_sec_walk_t   walk;

    static ngx_str_t  connection = ngx_string("connection");
    static ngx_str_t  name = ngx_string("upgrade");

    if (!dscf->upgrades || r->http_version < NGX_HTTP_VERSION_11) {
        return NGX_DECLINED;
    }

    option = 0;
    ngx_memzero(&upgrade, sizeof(dm_upgrade_t));

    ngx_dm_sec_walk(r, &walk);

    while ((h = ngx_dm_sec_walk_next(&walk))) {

        if (ngx_dm_sec_header_is(h, &connection)) {
            option |= dm_upgrade_connection(ngx_dm_sec_set_dm_str(h->value));

        } else if (ngx_dm_sec_header_is(h, &name)) {
            dm_upgrade_read(&upgrade, ngx_dm_sec_set_dm_str(h->value),
                            (unsigned) dscf->upgrade_versions);
        }
    }

    if (!option || upgrade.version == 0) {
        return NGX_DECLINED;
    }

    *token = upgrade.token;

    return NGX_OK;
}


/* the body of a request has its place in the clear too, before the switch */
static ngx_int_t
ngx_dm_sec_upgrade_read(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    /* the location, which may allow less, is not known yet */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->client_max_body_size
        && clcf->client_max_body_size < r->headers_in.content_length_n)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "client intended to send too large body: %O bytes",
                      r->headers_in.content_length_n);

        r->expect_tested = 1;
        (void) ngx_http_discard_request_body(r);

        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    ngx_dm_sec_upgrade_keep_body(r, clcf);

    return ngx_dm_sec_body_read(r);
}


/* does what ngx_http_update_location_config() does for a location */
static void
ngx_dm_sec_upgrade_keep_body(ngx_http_request_t *r,
    ngx_http_core_loc_conf_t *clcf)
{
    r->request_body_file_log_level = NGX_LOG_WARN;

    if (clcf->client_body_in_file_only) {
        r->request_body_in_file_only = 1;
        r->request_body_in_persistent_file = 1;
        r->request_body_in_clean_file = (clcf->client_body_in_file_only
                                         == NGX_DM_SEC_UPGRADE_FILE_CLEAN);
        r->request_body_file_log_level = NGX_LOG_NOTICE;
    }

    r->request_body_in_single_buf = clcf->client_body_in_single_buffer;
}


static ngx_int_t
ngx_dm_sec_upgrade_switch(ngx_http_request_t *r,
    ngx_dm_sec_upgrade_t *upgrade)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_core_loc_conf_t  *clcf;

    c = r->connection;

    /* octets behind the request would be taken for some inside TLS */

    if (r->header_in->pos != r->header_in->last) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "dm_sec: client sent %uz bytes in the clear behind a "
                      "request for an upgrade to TLS, closing the connection",
                      (size_t) (r->header_in->last - r->header_in->pos));
        return NGX_HTTP_CLOSE;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(c) != NGX_OK) {
        return NGX_HTTP_CLOSE;
    }

    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (ngx_dm_sec_upgrade_accept(r, upgrade) != NGX_OK
        || ngx_ssl_create_connection(&sscf->ssl, c, NGX_SSL_BUFFER) != NGX_OK)
    {
        return NGX_HTTP_CLOSE;
    }

    /* the request came before the handshake: nothing of it is early data */

    c->ssl->try_early_data = 0;
    c->ssl->handler = ngx_dm_sec_upgrade_done;

    upgrade->read = c->read->handler;
    upgrade->write = c->write->handler;

    rc = ngx_dm_sec_upgrade_handshake(r);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    rc = ngx_dm_sec_upgrade_finish(r);

    return rc == NGX_OK ? ngx_dm_sec_upgrade_inside(r) : rc;
}


/* 101, RFC 2817, section 3.3 */
static ngx_int_t
ngx_dm_sec_upgrade_accept(ngx_http_request_t *r,
    ngx_dm_sec_upgrade_t *upgrade)
{
    u_char            *p;
    u_char             answer[128];
    ssize_t            n;
    ngx_connection_t  *c;

    c = r->connection;

    p = ngx_slprintf(answer, answer + sizeof(answer),
                     "HTTP/1.1 101 Switching Protocols" CRLF
                     "Upgrade: %*s, HTTP/1.1" CRLF
                     "Connection: Upgrade" CRLF CRLF,
                     upgrade->token.len, upgrade->token.data);

    /* so little fits where the client reads what was sent before */

    n = c->send(c, answer, p - answer);

    if (n != p - answer) {
        c->error = 1;
        return NGX_ERROR;
    }

    /* the log has this status, if it gets no other */

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    r->header_size = n;
    c->log->action = "SSL handshaking";

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_upgrade_handshake(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_core_srv_conf_t  *cscf;

    c = r->connection;

    rc = ngx_dm_sec_upgrade_call(r);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    c->read->handler = ngx_dm_sec_upgrade_event;
    c->write->handler = ngx_dm_sec_upgrade_event;

    if (!c->read->timer_set) {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        ngx_add_timer(c->read, cscf->client_header_timeout);
    }

    return NGX_AGAIN;
}


/*
 * nginx's callbacks find the server by the connection's data, and all that
 * handles requests takes the same for the request.  Where there is no SNI
 * they take the server of the connection, which is here the request's: it is
 * put back, since the next request can have another Host.
 */
static ngx_int_t
ngx_dm_sec_upgrade_call(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_connection_t          *c;
    ngx_http_log_ctx_t        *log;
    ngx_http_conf_ctx_t       *conf_ctx;
    ngx_http_connection_t     *hc;
    ngx_http_core_srv_conf_t  *cscf;

    c = r->connection;
    hc = r->http_connection;
    conf_ctx = hc->conf_ctx;

    if (hc->ssl_servername == NULL) {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        hc->conf_ctx = cscf->ctx;
    }

    c->data = hc;
    rc = ngx_ssl_handshake(c);
    c->data = r;

    if (hc->ssl_servername == NULL) {
        hc->conf_ctx = conf_ctx;
    }

    /* cleared with the request that nginx makes for a certificate's name */

    log = c->log->data;
    log->request = r;

    return rc;
}


static void
ngx_dm_sec_upgrade_event(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    /* nginx sets c->close where the worker must end */

    if (!ev->timedout
        && !c->close
        && ngx_dm_sec_upgrade_handshake(r) == NGX_AGAIN)
    {
        return;
    }

    ngx_dm_sec_upgrade_done(c);
}


/* is called also after nginx has waited for an OCSP responder */
static void
ngx_dm_sec_upgrade_done(ngx_connection_t *c)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = c->data;
    rc = ngx_dm_sec_upgrade_finish(r);

    if (rc == NGX_OK) {
        r->write_event_handler = ngx_http_core_run_phases;
        ngx_http_core_run_phases(r);

    } else {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


/* NGX_OK, or what ends the request: the handshake failed */
static ngx_int_t
ngx_dm_sec_upgrade_finish(ngx_http_request_t *r)
{
    ngx_connection_t        *c;
    ngx_dm_sec_ctx_t        *ctx;
    ngx_dm_sec_counts_t     *counts;
    ngx_dm_sec_main_conf_t  *dmcf;

    c = r->connection;
    ctx = ngx_dm_sec_get_ctx(r, 0);

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    counts = ngx_dm_sec_counts(ngx_dm_sec_zone_shared(dmcf));

    ngx_dm_sec_count(counts->upgrades[c->ssl->handshaked
                                      ? NGX_DM_SEC_DONE
                                      : NGX_DM_SEC_NOT_DONE]);

    c->read->handler = ctx->upgrade->read;
    c->write->handler = ctx->upgrade->write;

    if (c->read->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    /* the log tells of the request in the clear; nothing more is sent */

    if (!c->ssl->handshaked) {
        c->timedout = 1;
        (void) ngx_ssl_shutdown(c);

        return NGX_HTTP_CLOSE;
    }

    c->ssl->no_wait_shutdown = 1;
    c->log->action = NULL;

    r->http_connection->ssl = 1;
    r->main_filter_need_in_memory = !c->ssl->sendfile;

    /* 101 is no part of the answer that is logged */

    r->headers_out.status = 0;
    r->header_size = 0;
    c->sent = 0;

    ctx->in_clear = 1;

    return NGX_OK;
}


/* nginx judges this before the phases where a connection begins with TLS */
static ngx_int_t
ngx_dm_sec_upgrade_inside(ngx_http_request_t *r)
{
    unsigned         len;
    ngx_int_t        rc;
    const u_char    *protocol;
    ngx_ssl_conn_t  *ssl;

    ssl = r->connection->ssl->connection;

    SSL_get0_alpn_selected(ssl, &protocol, &len);

    if (len == 2 && protocol[0] == 'h' && protocol[1] == '2') {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dm_sec: HTTP/2 was negotiated in an upgrade to TLS of "
                      "an HTTP/1.1 request, closing the connection");
        return NGX_HTTP_CLOSE;
    }

    /* without SNI the request's Host has chosen, as RFC 2817 means it */

    if (SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
        && r->http_connection->conf_ctx->srv_conf != r->srv_conf)
    {
        /* the server of SNI may have no upgrade */
        r->keepalive = 0;

        return NGX_ABORT;
    }

    rc = ngx_dm_sec_upgrade_certificate(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_dm_sec_star_is(r) ? ngx_dm_sec_star_answer(r) : NGX_DECLINED;
}


/* ngx_http_process_request() does so: NGX_OK, or the status */
static ngx_int_t
ngx_dm_sec_upgrade_certificate(ngx_http_request_t *r)
{
    long                      rc;
    X509                     *cert;
    ngx_int_t                 status;
    const char               *reason;
    ngx_connection_t         *c;
    ngx_http_ssl_srv_conf_t  *sscf;

    c = r->connection;
    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (sscf->verify == 0) {
        return NGX_OK;
    }

    status = NGX_OK;
    reason = NULL;
    rc = SSL_get_verify_result(c->ssl->connection);
    cert = SSL_get1_peer_certificate(c->ssl->connection);

    if (rc != X509_V_OK
        && (sscf->verify != 3 || !ngx_ssl_verify_error_optional(rc)))
    {
        status = NGX_HTTPS_CERT_ERROR;
        reason = X509_verify_cert_error_string(rc);

    } else if (sscf->verify == 1 && cert == NULL) {
        status = NGX_HTTPS_NO_CERT;
        reason = "no certificate";

    } else if (ngx_ssl_ocsp_get_status(c, &reason) != NGX_OK) {
        status = NGX_HTTPS_CERT_ERROR;
    }

    X509_free(cert);

    if (status == NGX_OK) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "client SSL certificate verify error: %s", reason);

    ngx_ssl_remove_cached_session(c->ssl->session_ctx,
                                  SSL_get0_session(c->ssl->connection));

    return status;
}


ngx_uint_t
ngx_dm_sec_upgrade_offered(ngx_http_request_t *r)
{
    ngx_dm_sec_srv_conf_t  *dscf;

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    return dscf->upgrades && r->connection->ssl == NULL && !r->stream;
}


ngx_uint_t
ngx_dm_sec_upgrade_missing(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t         *ctx;
    ngx_dm_sec_srv_conf_t    *dscf;
    ngx_http_ssl_srv_conf_t  *sscf;

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    if (dscf->upgrade == NGX_DM_SEC_UPGRADE_OFF) {
        return 0;
    }

    ctx = ngx_dm_sec_get_ctx(r, 0);

    /* where nginx insists on a certificate, a request in the clear had none */

    if (ctx && ctx->in_clear) {
        sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);
        return sscf->verify == 1;
    }

    return dscf->upgrade == NGX_DM_SEC_UPGRADE_REQUIRED
           && r->connection->ssl == NULL;
}
