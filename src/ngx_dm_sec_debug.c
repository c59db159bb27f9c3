/* The debug log: what each method made of a request, and what is decided */

#include "ngx_dm_sec_debug.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_log.h"


#if (NGX_DEBUG)


static ngx_str_t *ngx_dm_sec_debug_reason(ngx_dm_sec_reason_e reason);


/* indexed by ngx_dm_sec_outcome_e */
static char  *ngx_dm_sec_outcomes[] = {
    "absent", "verified", "pending", "wrong", "locked", "useless", "malformed",
    "failed"
};


void
ngx_dm_sec_debug_credential(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, const ngx_dm_sec_method_t *method,
    ngx_dm_sec_credential_t *cred)
{
    u_char      buf[NGX_DM_SEC_LOG_CLAIM];
    ngx_str_t   value;

    if (!(r->connection->log->log_level & NGX_LOG_DEBUG_HTTP)) {
        return;
    }

    ngx_str_null(&value);

    if (cred->outcome == NGX_DM_SEC_VERIFIED) {
        value = ngx_dm_sec_log_escape(buf, &cred->account->id);

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "dm_sec %V: verified, account \"%V\"",
                       &method->name, &value);
        return;
    }

    value = method->claim ? method->claim(r, dlcf, buf, sizeof(buf))
                          : ngx_dm_sec_log_escape(buf, &value);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dm_sec %V: %s, reason %V, claimed \"%V\"", &method->name,
                   ngx_dm_sec_outcomes[cred->outcome],
                   ngx_dm_sec_debug_reason(cred->reason), &value);
}


void
ngx_dm_sec_debug_decision(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_reason_e reason)
{
    u_char      buf[NGX_DM_SEC_LOG_ESCAPED];
    ngx_str_t   account;

    if (!(r->connection->log->log_level & NGX_LOG_DEBUG_HTTP)) {
        return;
    }

    ngx_str_null(&account);

    if (ctx->account) {
        account = ctx->account->id;
    }

    account = ngx_dm_sec_log_escape(buf, &account);

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "dm_sec access: %s, reason %V, account \"%V\"",
                   reason == NGX_DM_SEC_R_NONE ? "let in"
                   : ngx_dm_sec_is_pending(reason) ? "pending" : "refused",
                   ngx_dm_sec_debug_reason(reason), &account);
}


static ngx_str_t *
ngx_dm_sec_debug_reason(ngx_dm_sec_reason_e reason)
{
    static ngx_str_t  body = ngx_string("body");
    static ngx_str_t  thread = ngx_string("thread");

    switch (reason) {

    case NGX_DM_SEC_R_BODY:
        return &body;

    case NGX_DM_SEC_R_THREAD:
        return &thread;

    default:
        return ngx_dm_sec_reason_name(reason);
    }
}


#endif
