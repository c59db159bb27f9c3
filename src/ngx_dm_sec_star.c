/*
 * "OPTIONS *": RFC 2817 (section 3.2) lets a client that has nothing to say in
 * the clear begin with it.  nginx's parser knows no "*": the octet is exchanged
 * where nginx reads it, and put back when it has been parsed.
 */

#include "ngx_dm_sec_star.h"

#include "dm_upgrade.h"


static void ngx_dm_sec_star_init_connection(ngx_connection_t *c);
static ssize_t ngx_dm_sec_star_recv(ngx_connection_t *c, u_char *buf,
    size_t size);
static ngx_uint_t ngx_dm_sec_star_watched(ngx_http_connection_t *hc);
static int ngx_dm_sec_star_peek(ngx_connection_t *c);


/* is kept by a connection that began with "*" */
static const ngx_dm_sec_keep_t  ngx_dm_sec_star_keep = { "star", 1, NULL };


ngx_int_t
ngx_dm_sec_star_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t               i, n, watched;
    ngx_listening_t         *ls;
    ngx_dm_sec_srv_conf_t  **dscfp;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_dm_sec_module);

    if (dmcf == NULL) {
        return NGX_OK;
    }

    watched = 0;
    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        watched |= dscfp[i]->star;
    }

    if (!watched) {
        return NGX_OK;
    }

    ls = cycle->listening.elts;

    for (n = 0; n < cycle->listening.nelts; n++) {
        if (ls[n].handler == ngx_http_init_connection
            && ls[n].type == SOCK_STREAM)
        {
            ls[n].handler = ngx_dm_sec_star_init_connection;
        }
    }

    return NGX_OK;
}


/*
 * With "deferred" the data is there already, and nginx would read it in this
 * very call, before recv is ours: it is told that nothing has come, and the
 * read event is posted instead.
 */
static void
ngx_dm_sec_star_init_connection(ngx_connection_t *c)
{
    unsigned      ready;
    ngx_event_t  *rev;

    rev = c->read;
    ready = rev->ready;
    rev->ready = 0;

    ngx_http_init_connection(c);

    if (c->destroyed) {
        return;
    }

    if (ngx_dm_sec_star_watched(c->data)) {
        c->recv = ngx_dm_sec_star_recv;
    }

    if (ready) {
        rev->ready = 1;
        ngx_post_event(rev, &ngx_posted_events);
    }
}


/* reads until the first octets are known; from then on nginx reads itself */
static ssize_t
ngx_dm_sec_star_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    int      star;
    ssize_t  n;

    star = ngx_dm_sec_star_peek(c);

    if (star == -1) {
        c->read->ready = 0;
        return NGX_AGAIN;
    }

    n = ngx_recv(c, buf, size);

    if (n == NGX_AGAIN) {
        return n;
    }

    c->recv = ngx_recv;

    if (star && n > DM_UPGRADE_STAR) {
        if (ngx_dm_sec_kept(c->pool, &ngx_dm_sec_star_keep, 1) == NULL) {
            return NGX_ERROR;
        }

        buf[DM_UPGRADE_STAR] = '/';
    }

    return n;
}


/* not with HTTP/2, which begins otherwise, nor behind a PROXY protocol line */
static ngx_uint_t
ngx_dm_sec_star_watched(ngx_http_connection_t *hc)
{
    ngx_http_addr_conf_t   *addr;
    ngx_dm_sec_srv_conf_t  *dscf;

    addr = hc->addr_conf;
    dscf = addr->default_server->ctx->srv_conf[ngx_dm_sec_module.ctx_index];

    return dscf->star
           && !addr->ssl
           && !addr->http2
           && !addr->proxy_protocol;
}


/* 1 or 0; -1: too little has come to tell, and more can come */
static int
ngx_dm_sec_star_peek(ngx_connection_t *c)
{
    int      star;
    u_char   buf[DM_UPGRADE_STAR_LEN];
    ssize_t  n;

    n = recv(c->fd, buf, sizeof(buf), MSG_PEEK);

    if (n <= 0) {
        return 0;
    }

    star = dm_upgrade_star(buf, n);

    /* left unread, it would wake a level-triggered loop again at once */

    if (star == -1
        && (c->read->pending_eof || (ngx_event_flags & NGX_USE_LEVEL_EVENT)))
    {
        return 0;
    }

    return star;
}


ngx_uint_t
ngx_dm_sec_star_is(ngx_http_request_t *r)
{
    if (r->method != NGX_HTTP_OPTIONS || r->connection->requests != 1) {
        return 0;
    }

    if (ngx_dm_sec_kept(r->connection->pool, &ngx_dm_sec_star_keep, 0)
        == NULL)
    {
        return 0;
    }

    r->request_line.data[DM_UPGRADE_STAR] = '*';

    return 1;
}


ngx_int_t
ngx_dm_sec_star_answer(ngx_http_request_t *r)
{
    ngx_http_complex_value_t  empty;

    ngx_memzero(&empty, sizeof(ngx_http_complex_value_t));

    ngx_http_finalize_request(r, ngx_http_send_response(r, NGX_HTTP_OK, NULL,
                                                        &empty));
    return NGX_DONE;
}
