/* Requests that nginx itself refuses, before any module is asked */

#include "ngx_dm_sec_refused.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_verify.h"


/* a status of nginx's, read as a reason; those that are missing are none */
typedef struct {
    ngx_uint_t           status;
    ngx_dm_sec_reason_e  reason;
    ngx_uint_t           detail;
} ngx_dm_sec_refusal_t;


static ngx_int_t ngx_dm_sec_refused_filter(ngx_http_request_t *r);
static void ngx_dm_sec_refused_say(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_refused_is(ngx_http_request_t *r);
static ngx_dm_sec_reason_e ngx_dm_sec_refused_judge(ngx_http_request_t *r,
    ngx_uint_t status, ngx_uint_t *detail);
static ngx_dm_sec_reason_e ngx_dm_sec_refused_certificate(
    ngx_http_request_t *r, ngx_uint_t status, ngx_uint_t *detail);
static ngx_uint_t ngx_dm_sec_refused_headers(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_refused_too_large(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_refused_unanswered(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_refused_authorization(ngx_http_request_t *r,
    ngx_table_elt_t *h);


static ngx_http_output_header_filter_pt  ngx_dm_sec_next_header_filter;


static const ngx_dm_sec_refusal_t  ngx_dm_sec_refusals[] = {
    { NGX_HTTP_NOT_ALLOWED, NGX_DM_SEC_R_BAD_REQUEST, NGX_DM_SEC_D_METHOD },
    { NGX_HTTP_REQUEST_URI_TOO_LARGE, NGX_DM_SEC_R_BAD_REQUEST,
      NGX_DM_SEC_D_URI_TOO_LARGE },
    { NGX_HTTP_MISDIRECTED_REQUEST, NGX_DM_SEC_R_MISDIRECTED, 0 },
    { NGX_HTTP_REQUEST_HEADER_TOO_LARGE, NGX_DM_SEC_R_BAD_REQUEST,
      NGX_DM_SEC_D_HEADERS_TOO_LARGE },
    { NGX_HTTP_TO_HTTPS, NGX_DM_SEC_R_PLAINTEXT, NGX_DM_SEC_D_HTTPS_PORT },
    { NGX_HTTP_NOT_IMPLEMENTED, NGX_DM_SEC_R_BAD_REQUEST,
      NGX_DM_SEC_D_TRANSFER_ENCODING },
    { NGX_HTTP_VERSION_NOT_SUPPORTED, NGX_DM_SEC_R_BAD_REQUEST,
      NGX_DM_SEC_D_VERSION }
};


void
ngx_dm_sec_refused_init(void)
{
    ngx_dm_sec_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dm_sec_refused_filter;
}


static ngx_int_t
ngx_dm_sec_refused_filter(ngx_http_request_t *r)
{
    if (ngx_dm_sec_refused_is(r)) {
        ngx_dm_sec_refused_say(r);
    }

    return ngx_dm_sec_next_header_filter(r);
}


static void
ngx_dm_sec_refused_say(ngx_http_request_t *r)
{
    ngx_uint_t            status, detail;
    ngx_dm_sec_ctx_t     *ctx;
    ngx_dm_sec_reason_e   reason;

    /* as $status has it */

    status = r->err_status ? r->err_status : r->headers_out.status;

    reason = ngx_dm_sec_refused_judge(r, status, &detail);

    if (reason == NGX_DM_SEC_R_NONE) {
        return;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);

    if (ctx) {
        ngx_dm_sec_deny_late(r, ctx, reason, detail, status);
    }
}


/*
 * 1 if the request is answered and never got to the phases.  What an
 * error_page made of it counts where a module has decided about it there.
 */
static ngx_uint_t
ngx_dm_sec_refused_is(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_srv_conf_t  *dscf;

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    if (r != r->main || !dscf->on) {
        return 0;
    }

    ctx = ngx_dm_sec_get_ctx(r, 0);

    return ctx == NULL || !(ctx->begun || ctx->denied || ctx->account);
}


static ngx_dm_sec_reason_e
ngx_dm_sec_refused_judge(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t *detail)
{
    ngx_uint_t           i, n;
    ngx_dm_sec_reason_e  reason;

    *detail = NGX_DM_SEC_D_NONE;

    n = sizeof(ngx_dm_sec_refusals) / sizeof(ngx_dm_sec_refusal_t);

    for (i = 0; i < n; i++) {
        if (ngx_dm_sec_refusals[i].status == status) {
            *detail = ngx_dm_sec_refusals[i].detail;
            return ngx_dm_sec_refusals[i].reason;
        }
    }

    /* nginx has made a 400 of its own codes, unless an error_page took them */

    reason = ngx_dm_sec_refused_certificate(r, status, detail);

    if (reason != NGX_DM_SEC_R_NONE) {
        return reason;
    }

    if (status != NGX_HTTP_BAD_REQUEST) {
        return NGX_DM_SEC_R_NONE;
    }

    *detail = ngx_dm_sec_refused_headers(r);

    return NGX_DM_SEC_R_BAD_REQUEST;
}


/* asks as ngx_http_process_request() does, in that order */
static ngx_dm_sec_reason_e
ngx_dm_sec_refused_certificate(ngx_http_request_t *r, ngx_uint_t status,
    ngx_uint_t *detail)
{
    ngx_connection_t         *c;
    ngx_dm_sec_reason_e       reason;
    ngx_http_ssl_srv_conf_t  *sscf;

    c = r->connection;

    if (!r->http_connection->ssl) {
        return NGX_DM_SEC_R_NONE;
    }

    if (c->ssl == NULL) {

        /* an error_page that serves it, or leads to TLS, is an answer */

        if (status < NGX_HTTP_BAD_REQUEST) {
            return NGX_DM_SEC_R_NONE;
        }

        *detail = NGX_DM_SEC_D_HTTPS_PORT;
        return NGX_DM_SEC_R_PLAINTEXT;
    }

    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    if (sscf->verify == 0) {
        return NGX_DM_SEC_R_NONE;
    }

    if (sscf->verify == 1
        && SSL_get_verify_result(c->ssl->connection) == X509_V_OK
        && SSL_get0_peer_certificate(c->ssl->connection) == NULL)
    {
        return NGX_DM_SEC_R_CERT_REQUIRED;
    }

    reason = ngx_dm_sec_verify_reason(c, detail);

    if (sscf->verify == 3
        && ngx_ssl_verify_error_optional(SSL_get_verify_result(
                                                         c->ssl->connection)))
    {
        return NGX_DM_SEC_R_NONE;
    }

    return reason;
}


/* the detail of a 400 whose line or headers nginx did not like */
static ngx_uint_t
ngx_dm_sec_refused_headers(ngx_http_request_t *r)
{
    if (ngx_dm_sec_refused_too_large(r)) {
        return NGX_DM_SEC_D_HEADERS_TOO_LARGE;
    }

    if (ngx_dm_sec_header_count(r, ngx_dm_sec_refused_authorization) > 1) {
        return NGX_DM_SEC_D_TWO_AUTHORIZATIONS;
    }

    return NGX_DM_SEC_D_SYNTAX_OF_REQUEST;
}


static ngx_uint_t
ngx_dm_sec_refused_too_large(ngx_http_request_t *r)
{
#if (nginx_version >= 1029008)

    ngx_http_core_srv_conf_t   *cscf;

#endif

#if (NGX_HTTP_V3)

    ngx_table_elt_t            *h;
    ngx_list_part_t            *last;
    ngx_http_v3_parse_field_t  *field;

#endif

    /* nginx reads on behind what is too large, to drop it, and only there */

    if (r->lingering_close) {
        return 1;
    }

#if (nginx_version >= 1029008)

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (r->headers_in.count > cscf->max_headers) {
        return 1;
    }

#endif

#if (NGX_HTTP_V3)

    /* the field that was read last fits not, and is not among the headers */

    if (r->v3_parse) {
        field = &r->v3_parse->headers.field_rep.field;
        last = r->headers_in.headers.last;
        h = last->elts;

        return field->name.len + field->value.len > r->v3_parse->header_limit
               && (last->nelts == 0
                   || h[last->nelts - 1].value.data != field->value.data);
    }

#endif

    return 0;
}


ngx_int_t
ngx_dm_sec_refused_log(ngx_http_request_t *r)
{
    ngx_uint_t         detail;
    ngx_dm_sec_ctx_t  *ctx;

    if (!ngx_dm_sec_refused_is(r)) {
        return NGX_OK;
    }

    detail = ngx_dm_sec_refused_unanswered(r);

    if (detail == NGX_DM_SEC_D_NONE) {
        return NGX_OK;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);

    if (ctx) {
        ngx_dm_sec_deny_late(r, ctx, NGX_DM_SEC_R_BAD_REQUEST, detail,
                             r->headers_out.status);
    }

    return NGX_OK;
}


/*
 * Reads what nginx did to the connection or the stream instead of answering.
 * A client that has gone away itself was not refused.
 */
static ngx_uint_t
ngx_dm_sec_refused_unanswered(ngx_http_request_t *r)
{
#if (NGX_HTTP_V2)

    ngx_connection_t          *c;
    ngx_http_v2_connection_t  *h2c;

#endif

    if (r->headers_out.status == NGX_HTTP_REQUEST_TIME_OUT) {
        return NGX_DM_SEC_D_TIMEOUT;
    }

#if (NGX_HTTP_V2)

    if (r->stream == NULL) {
        return NGX_DM_SEC_D_NONE;
    }

    if (r->stream->rst_sent) {
        return NGX_DM_SEC_D_SYNTAX_OF_REQUEST;
    }

    h2c = r->stream->connection;
    c = h2c->connection;

    if (!h2c->blocked || c->error) {
        return NGX_DM_SEC_D_NONE;
    }

    if (c->read->timedout) {
        return NGX_DM_SEC_D_TIMEOUT;
    }

    return h2c->state.header.name.len + h2c->state.header.value.len
           > h2c->state.header_limit
           ? NGX_DM_SEC_D_HEADERS_TOO_LARGE : NGX_DM_SEC_D_SYNTAX_OF_REQUEST;

#else

    return NGX_DM_SEC_D_NONE;

#endif
}


static ngx_uint_t
ngx_dm_sec_refused_authorization(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    static ngx_str_t  name = ngx_string("authorization");

    return ngx_dm_sec_header_is(h, &name);
}
