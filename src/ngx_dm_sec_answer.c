/* Refusals: the status, the log line, the challenge */

#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_devid.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_tls.h"
#include "ngx_dm_sec_upgrade.h"
#include "ngx_dm_sec_zone.h"


#define NGX_DM_SEC_RETRY_AFTER   5      /* s */
#define NGX_DM_SEC_RETRY_JITTER  6


typedef struct {
    ngx_str_t    name;
    ngx_uint_t   status;
    ngx_uint_t   level;
} ngx_dm_sec_answer_t;


static void ngx_dm_sec_log_denied(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_answer_t *answer);
static ngx_str_t ngx_dm_sec_answer_claimed(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, u_char *buf, size_t max);
static ngx_int_t ngx_dm_sec_answer_filter(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_add_information(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx);
static ngx_int_t ngx_dm_sec_add_denial(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx);
static ngx_int_t ngx_dm_sec_add_challenge(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx);
static ngx_int_t ngx_dm_sec_add_retry_after(ngx_http_request_t *r,
    ngx_uint_t seconds);
static ngx_int_t ngx_dm_sec_add_upgrade(ngx_http_request_t *r);


static ngx_http_output_header_filter_pt  ngx_dm_sec_next_header_filter;


/* indexed by ngx_dm_sec_reason_e */
static ngx_dm_sec_answer_t  ngx_dm_sec_answers[] = {
    { ngx_string("-"), 0, NGX_LOG_ERR },
    { ngx_string("bad_request"), NGX_HTTP_BAD_REQUEST, NGX_LOG_ERR },
    { ngx_string("misdirected"), NGX_HTTP_MISDIRECTED_REQUEST, NGX_LOG_ERR },
    { ngx_string("plaintext"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("early_data"), 425, NGX_LOG_ERR },
    { ngx_string("tls_protocol"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("tls_cipher"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("devid_missing"), NGX_HTTP_BAD_REQUEST, NGX_LOG_ERR },
    { ngx_string("devid_malformed"), NGX_HTTP_BAD_REQUEST, NGX_LOG_ERR },
    { ngx_string("replica_stale"), NGX_HTTP_SERVICE_UNAVAILABLE,
      NGX_LOG_ERR },
    { ngx_string("store_unavailable"), NGX_HTTP_SERVICE_UNAVAILABLE,
      NGX_LOG_ERR },
    { ngx_string("overloaded"), NGX_HTTP_SERVICE_UNAVAILABLE, NGX_LOG_ERR },
    { ngx_string("malformed"), NGX_HTTP_BAD_REQUEST, NGX_LOG_ERR },
    { ngx_string("locked"), NGX_HTTP_TOO_MANY_REQUESTS, NGX_LOG_ERR },
    { ngx_string("certificate_required"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_invalid"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_expired"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_revoked"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_unknown_ca"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_weak"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_purpose"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("crl_expired"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("certificate_unbound"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("psk_required"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("no_credentials"), NGX_HTTP_UNAUTHORIZED, NGX_LOG_INFO },
    { ngx_string("bad_credentials"), NGX_HTTP_UNAUTHORIZED, NGX_LOG_ERR },
    { ngx_string("stale_nonce"), NGX_HTTP_UNAUTHORIZED, NGX_LOG_INFO },
    { ngx_string("replay"), NGX_HTTP_UNAUTHORIZED, NGX_LOG_ERR },
    { ngx_string("account_mismatch"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("account_disabled"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("account_expired"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("group"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR },
    { ngx_string("devid_mismatch"), NGX_HTTP_FORBIDDEN, NGX_LOG_ERR }
};


ngx_int_t
ngx_dm_sec_deny(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_reason_e reason)
{
    ngx_uint_t            again;
    ngx_dm_sec_answer_t  *answer;

    answer = &ngx_dm_sec_answers[reason];

    /* an error_page whose location refuses too is still one decision */
    again = (ctx->denied && ctx->reason == reason);

    ctx->denied = 1;
    ctx->reason = reason;
    ctx->detail = ngx_dm_sec_detail_of(reason, ctx->detail);
    ctx->status = answer->status;
    ctx->let_in = 0;
    ctx->denied_by = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);
    ctx->http_auth |= (ctx->denied_by->http_auth != 0);

    /* a client that can do better, or was only asking, is asked again */

    if (reason == NGX_DM_SEC_R_MALFORMED && ctx->useless) {
        ctx->status = NGX_HTTP_UNAUTHORIZED;
    }

    /* TLS is the way out only where there is one */

    if (reason == NGX_DM_SEC_R_PLAINTEXT && ngx_dm_sec_upgrade_offered(r)) {
        ctx->status = 426;
    }

    if (!again) {
        ngx_dm_sec_log_denied(r, ctx, answer);
    }

    return ctx->status;
}


void
ngx_dm_sec_deny_late(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_reason_e reason, ngx_uint_t detail, ngx_uint_t status)
{
    ctx->denied = 1;
    ctx->reason = reason;
    ctx->detail = detail;
    ctx->status = status;
    ctx->denied_by = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    ngx_dm_sec_log_denied(r, ctx, &ngx_dm_sec_answers[reason]);
}


ngx_str_t *
ngx_dm_sec_reason_name(ngx_dm_sec_reason_e reason)
{
    return &ngx_dm_sec_answers[reason].name;
}


static void
ngx_dm_sec_log_denied(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_answer_t *answer)
{
    u_char                   buf[2][NGX_DM_SEC_LOG_ESCAPED];
    u_char                   claim[NGX_DM_SEC_LOG_CLAIM];
    ngx_str_t                method, protocol, cipher;
    ngx_str_t                account, claimed, devid, id, name;
    ngx_uint_t               level;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    level = ngx_dm_sec_detail_level(ctx->detail, answer->level);

    /* those that every client causes are told at a level that few write */

    if (answer->level != NGX_LOG_ERR && level > r->connection->log->log_level)
    {
        return;
    }

    /* lines of another level have a limit of their own */

    if (!ngx_dm_sec_log_may(dmcf->log_limit, level,
                            level == answer->level
                            ? &answer->name
                            : ngx_dm_sec_detail_name(ctx->detail)))
    {
        return;
    }

    ngx_dm_sec_tls_facts(r, &protocol, &cipher);
    ngx_dm_sec_method_name(ctx->method, &method);
    ngx_dm_sec_log_request_id(r, &id);
    ngx_str_null(&account);

    if (ctx->account) {
        account = ctx->account->id;
    }

    name = account;

    (void) ngx_dm_sec_devid_read(r, &devid);

    account = ngx_dm_sec_log_whole(buf[0], sizeof(buf[0]), &account);
    devid = ngx_dm_sec_log_escape(buf[1], &devid);
    claimed = ngx_dm_sec_answer_claimed(r, ctx, claim,
                          ngx_min(NGX_DM_SEC_LOG_CLAIM, NGX_DM_SEC_LOG_VALUES
                                                 - account.len - devid.len));

    if (claimed.data == claim) {
        name = ctx->attempt ? ctx->attempt->who.name : claimed;
    }

    /* those that every client causes push nobody out */

    if (answer->level == NGX_LOG_ERR) {
        ngx_dm_sec_recent_remember(ngx_dm_sec_zone_shared(dmcf)->recent,
                                   ngx_dm_sec_zone_pool(dmcf),
                                   NGX_DM_SEC_RECENT_DENIED + ctx->reason,
                                   &r->connection->addr_text, &name);
    }

    ngx_log_error(level, r->connection->log, 0,
                  "dm_sec: denied reason=%V detail=%V status=%ui method=%V "
                  "account=\"%V\" claimed=\"%V\" devid=\"%V\" "
                  "protocol=%V cipher=%V request=%V",
                  &answer->name, ngx_dm_sec_detail_name(ctx->detail),
                  ctx->status, &method,
                  &account, &claimed, &devid, &protocol, &cipher, &id);
}


/* names what the request was about: a name that was tried, be it elsewhere */
static ngx_str_t
ngx_dm_sec_answer_claimed(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    u_char *buf, size_t max)
{
    ngx_str_t                   claimed;
    const ngx_dm_sec_method_t  *method;

    ngx_str_null(&claimed);

    if (ctx->attempt) {
        claimed = ctx->attempt->who.name;

    } else {
        claimed = ctx->malformed;
    }

    claimed = ngx_dm_sec_log_whole(buf, max, &claimed);

    for (method = ngx_dm_sec_methods;
         claimed.data != buf && method->name.len;
         method++)
    {
        if (method->claim && (ctx->denied_by->auth & method->bit)) {
            claimed = method->claim(r, ctx->denied_by, buf, max);
        }
    }

    /* a connection may have proven what this location does not ask for */

    for (method = ngx_dm_sec_methods;
         claimed.data != buf && method->name.len;
         method++)
    {
        if (method->claim && method->by == NGX_DM_SEC_BY_CONNECTION) {
            claimed = method->claim(r, ctx->denied_by, buf, max);
        }
    }

    return claimed;
}


void
ngx_dm_sec_answer_init(void)
{
    ngx_dm_sec_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_dm_sec_answer_filter;
}


static ngx_int_t
ngx_dm_sec_answer_filter(ngx_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_dm_sec_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_dm_sec_next_header_filter(r);
    }

    rc = NGX_OK;
    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx == NULL) {
        return ngx_dm_sec_next_header_filter(r);
    }

    if (ctx->again && !ctx->denied) {
        rc = ngx_dm_sec_add_information(r, ctx);
    }

    /* a status that an error_page or the server behind made is not ours */

    if (ctx->denied
        && !ctx->let_in
        && r->err_status == ctx->status)
    {
        rc = ngx_dm_sec_add_denial(r, ctx);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dm_sec_next_header_filter(r);
}


static ngx_int_t
ngx_dm_sec_add_information(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    ngx_dm_sec_credential_t    *cred;
    const ngx_dm_sec_method_t  *method;

    for (method = ngx_dm_sec_methods; method->name.len; method++) {

        cred = &ctx->credentials[ngx_dm_sec_method_row(method)];

        if (method->inform && method->inform(r, cred) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_add_denial(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    switch (r->err_status) {

    case NGX_HTTP_UNAUTHORIZED:
        return ngx_dm_sec_add_challenge(r, ctx);

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return ngx_dm_sec_add_retry_after(r, ctx->retry_after);

    case NGX_HTTP_SERVICE_UNAVAILABLE:

        /* a fleet that was refused together must not come back together */

        return ngx_dm_sec_add_retry_after(r, NGX_DM_SEC_RETRY_AFTER
                                     + ngx_random() % NGX_DM_SEC_RETRY_JITTER);

    case 425:
        ngx_str_set(&r->headers_out.status_line, "425 Too Early");
        break;

    case 426:
        ngx_str_set(&r->headers_out.status_line, "426 Upgrade Required");
        return ngx_dm_sec_add_upgrade(r);
    }

    return NGX_OK;
}


/* a client takes the first scheme that it knows: the strongest comes first */
static ngx_int_t
ngx_dm_sec_add_challenge(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    dm_store_meta_t             before;
    const dm_store_meta_t      *meta;
    ngx_dm_sec_main_conf_t     *dmcf;
    const ngx_dm_sec_method_t  *method;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    /* another store may be in its place since the configuration was read */

    meta = ngx_dm_sec_store_meta(r);

    if (meta == NULL) {
        ngx_memzero(&before, sizeof(dm_store_meta_t));

        before.realm = ngx_dm_sec_set_dm_str(dmcf->realm);
        meta = &before;
    }

    for (method = ngx_dm_sec_methods; method->name.len; method++) {

        if (method->challenge
            && (ctx->denied_by->auth & method->bit)
            && method->challenge(r, ctx, meta) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_add_retry_after(ngx_http_request_t *r, ngx_uint_t seconds)
{
    u_char     *p;
    ngx_str_t   value;

    value.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value.data, "%ui", seconds);
    value.len = p - value.data;

    return ngx_dm_sec_header_answer(r, "Retry-After", &value);
}


/* RFC 2817, section 4.2 */
static ngx_int_t
ngx_dm_sec_add_upgrade(ngx_http_request_t *r)
{
    ngx_dm_sec_srv_conf_t  *dscf;

    static ngx_str_t  option = ngx_string("Upgrade");

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    if (ngx_dm_sec_header_answer(r, "Upgrade", &dscf->upgrade_offer)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dm_sec_header_answer(r, "Connection", &option);
}
