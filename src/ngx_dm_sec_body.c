/* The request's body, hashed as it arrives: for qop=auth-int */

#include "ngx_dm_sec_body.h"


static ngx_int_t ngx_dm_sec_body_hash_kept(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx);
static ngx_int_t ngx_dm_sec_body_hash_file(ngx_dm_sec_ctx_t *ctx,
    ngx_buf_t *b);
static void ngx_dm_sec_body_cleanup(void *data);
static void ngx_dm_sec_body_done(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_dm_sec_body_hash_chain(ngx_dm_sec_ctx_t *ctx,
    ngx_chain_t *in);


static ngx_http_request_body_filter_pt  ngx_dm_sec_next_body_filter;


void
ngx_dm_sec_body_init(void)
{
    ngx_dm_sec_next_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_dm_sec_body_filter;
}


ngx_int_t
ngx_dm_sec_body_start(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    const EVP_MD *md)
{
    ngx_pool_cleanup_t  *cln;

    if (!ctx->body_whole && (r->request_body || r->discard_body)) {
        return NGX_DECLINED;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ctx->body_hash = EVP_MD_CTX_new();
    if (ctx->body_hash == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_dm_sec_body_cleanup;
    cln->data = ctx->body_hash;

    if (EVP_DigestInit_ex2(ctx->body_hash, md, NULL) != 1) {
        return NGX_ERROR;
    }

    return ctx->body_whole ? ngx_dm_sec_body_hash_kept(r, ctx) : NGX_OK;
}


/* hashes a body that an upgrade to TLS has read before */
static ngx_int_t
ngx_dm_sec_body_hash_kept(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (b->in_file) {
            if (ngx_dm_sec_body_hash_file(ctx, b) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (EVP_DigestUpdate(ctx->body_hash, b->pos, b->last - b->pos)
                   != 1)
        {
            return NGX_ERROR;
        }
    }

    ctx->body_hashed = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_body_hash_file(ngx_dm_sec_ctx_t *ctx, ngx_buf_t *b)
{
    off_t    pos;
    size_t   size;
    u_char   buf[4096];
    ssize_t  n;

    for (pos = b->file_pos; pos < b->file_last; pos += n) {
        size = (size_t) ngx_min(b->file_last - pos, (off_t) sizeof(buf));

        n = ngx_read_file(b->file, buf, size, pos);

        if (n <= 0 || EVP_DigestUpdate(ctx->body_hash, buf, n) != 1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_dm_sec_body_cleanup(void *data)
{
    EVP_MD_CTX_free(data);
}


/* may run the phases before it returns: where the body is there already */
ngx_int_t
ngx_dm_sec_body_read(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_read_client_request_body(r, ngx_dm_sec_body_done);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_dm_sec_body_done(ngx_http_request_t *r)
{
    ngx_dm_sec_get_ctx(r, 0)->body_whole = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* asks anew at the body's end, unless it goes to the server as it comes */
static ngx_int_t
ngx_dm_sec_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t          rc;
    ngx_uint_t         last;
    ngx_chain_t       *cl;
    ngx_dm_sec_ctx_t  *ctx;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx == NULL) {
        return ngx_dm_sec_next_body_filter(r, in);
    }

    last = 0;

    for (cl = in; cl; cl = cl->next) {
        last |= cl->buf->last_buf;
    }

    if (ctx->body_hash) {
        ctx->body_hashed |= last;

        if (ngx_dm_sec_body_hash_chain(ctx, in) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (last && !r->request_body_no_buffering && ctx->again) {
        rc = ctx->again(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_dm_sec_next_body_filter(r, in);
}


static ngx_int_t
ngx_dm_sec_body_hash_chain(ngx_dm_sec_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (EVP_DigestUpdate(ctx->body_hash, b->pos, b->last - b->pos) != 1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_body_finish(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    u_char *hash)
{
    if (!ctx->body_whole) {
        return NGX_DECLINED;
    }

    /* a body that did not come by the filter is not taken for an empty one */

    if (!ctx->body_hashed && r->request_body->bufs) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "dm_sec: the request's body did not pass the filter "
                      "that hashes it");
        return NGX_ERROR;
    }

    return EVP_DigestFinal_ex(ctx->body_hash, hash, NULL) == 1 ? NGX_OK
                                                               : NGX_ERROR;
}
