/* The decision about a request, by all methods that its location asks */

#include "ngx_dm_sec_access.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_body.h"
#include "ngx_dm_sec_chain.h"
#include "ngx_dm_sec_debug.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_devid.h"
#include "ngx_dm_sec_hello.h"
#include "ngx_dm_sec_identity.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_tls.h"
#include "ngx_dm_sec_upgrade.h"


/* a method that the location accepts, and what it made of the request */
typedef struct {
    const ngx_dm_sec_method_t  *method;
    ngx_dm_sec_credential_t    *cred;
} ngx_dm_sec_presented_t;


static ngx_dm_sec_reason_e ngx_dm_sec_judge_connection(
    ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_access_again(ngx_http_request_t *r);
static void ngx_dm_sec_access_gone(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_present(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_presented_t *presented);
static ngx_dm_sec_reason_e ngx_dm_sec_decide(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx);
static ngx_dm_sec_reason_e ngx_dm_sec_judge(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx);
static void ngx_dm_sec_ask(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    const ngx_dm_sec_method_t *method, ngx_dm_sec_credential_t *cred);
static ngx_dm_sec_reason_e ngx_dm_sec_judge_devid(
    ngx_dm_sec_loc_conf_t *dlcf, ngx_int_t devid);
static ngx_dm_sec_reason_e ngx_dm_sec_judge_credentials(
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_presented_t *presented, ngx_uint_t n);
static ngx_dm_sec_reason_e ngx_dm_sec_because(ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);
static ngx_dm_sec_reason_e ngx_dm_sec_judge_missing(
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_presented_t *presented, ngx_uint_t n);
static ngx_dm_sec_reason_e ngx_dm_sec_judge_account(
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx);
static ngx_uint_t ngx_dm_sec_in_groups(ngx_array_t *wanted,
    ngx_str_t *groups);


ngx_int_t
ngx_dm_sec_post_read_handler(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_reason_e     reason;
    ngx_dm_sec_srv_conf_t  *dscf;

    ngx_dm_sec_chain_restore(r);

    dscf = ngx_http_get_module_srv_conf(r, ngx_dm_sec_module);

    ctx = ngx_dm_sec_get_ctx(r, dscf->on);

    if ((ctx == NULL && dscf->on) || ngx_dm_sec_identity_scrub(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_dm_sec_upgrade(r);

    if (rc != NGX_DECLINED && rc != NGX_ABORT) {
        return rc;
    }

    reason = ngx_dm_sec_judge_connection(r);

    if (rc == NGX_ABORT) {
        reason = NGX_DM_SEC_R_MISDIRECTED;
    }

    if (reason == NGX_DM_SEC_R_NONE && !dscf->on) {
        return NGX_DECLINED;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->begun = 1;

    return reason == NGX_DM_SEC_R_NONE ? NGX_DECLINED
                                       : ngx_dm_sec_deny(r, ctx, reason);
}


/* judges by the connection alone, which no location can change */
static ngx_dm_sec_reason_e
ngx_dm_sec_judge_connection(ngx_http_request_t *r)
{
    if (ngx_dm_sec_hello_misdirected(r)) {
        return NGX_DM_SEC_R_MISDIRECTED;
    }

    return ngx_dm_sec_upgrade_missing(r) ? NGX_DM_SEC_R_PLAINTEXT
                                         : NGX_DM_SEC_R_NONE;
}


/*
 * An error_page for what nginx refuses before any phase (a bad certificate,
 * a malformed header) comes here without POST_READ, so headers are taken out
 * and connections are judged here too: it is the last place that every way to
 * an upstream passes.
 */
ngx_int_t
ngx_dm_sec_preaccess_handler(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_reason_e     reason;
    ngx_dm_sec_loc_conf_t  *dlcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ngx_dm_sec_chain_restore(r);

    if (ngx_dm_sec_identity_scrub(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    reason = ngx_dm_sec_judge_connection(r);

    if (reason == NGX_DM_SEC_R_NONE) {
        reason = ngx_dm_sec_tls_judge(r, dlcf);
    }

    if (reason == NGX_DM_SEC_R_NONE && dlcf->http_auth == 0) {
        return NGX_DECLINED;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reason != NGX_DM_SEC_R_NONE) {
        return ngx_dm_sec_deny(r, ctx, reason);
    }

    /* wherever a redirect leads it, its Authorization was sent to us */

    ctx->http_auth = 1;

    return NGX_DECLINED;
}


ngx_int_t
ngx_dm_sec_access_handler(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_reason_e     reason;
    ngx_dm_sec_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    if (dlcf->auth == 0) {
        return NGX_DECLINED;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->again = ngx_dm_sec_access_again;
    ctx->gone = ngx_dm_sec_access_gone;

    reason = ngx_dm_sec_decide(r, dlcf, ctx);

    switch (reason) {

    case NGX_DM_SEC_R_NONE:
        ctx->let_in_by = dlcf;
        return NGX_OK;

    case NGX_DM_SEC_R_THREAD:
        return NGX_AGAIN;

    case NGX_DM_SEC_R_BODY:
        return ngx_dm_sec_body_read(r);

    default:
        return ngx_dm_sec_deny(r, ctx, reason);
    }
}


/*
 * Decides anew about a request that was let in, where the store has changed
 * since: something may have taken its time, as a subrequest or the body does.
 * NGX_OK, or the status that the request is refused with now.
 */
static ngx_int_t
ngx_dm_sec_access_again(ngx_http_request_t *r)
{
    uint64_t               version;
    ngx_dm_sec_ctx_t      *ctx;
    ngx_dm_sec_reason_e    reason;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (r != r->main
        || ctx == NULL
        || ctx->let_in_by == NULL
        || ctx->denied)
    {
        return NGX_OK;
    }

    version = ngx_dm_sec_store_version();

    if (version && version == ctx->version) {
        return NGX_OK;
    }

    reason = ngx_dm_sec_decide(r, ctx->let_in_by, ctx);

    if (reason == NGX_DM_SEC_R_NONE) {
        return NGX_OK;
    }

    /* all that could wait has verified before: this cannot be */

    if (ngx_dm_sec_is_pending(reason)) {
        reason = NGX_DM_SEC_R_STORE;
    }

    (void) ngx_dm_sec_deny(r, ctx, reason);

    ctx->denied_by = ctx->let_in_by;

    return ctx->status;
}


/*
 * Decides about a request whose client has gone while its credentials were
 * looked at: a refusal is logged and counted as any other.
 */
static void
ngx_dm_sec_access_gone(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t     *ctx;
    ngx_dm_sec_reason_e   reason;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    reason = ngx_dm_sec_decide(r, ngx_http_get_module_loc_conf(r,
                                                       ngx_dm_sec_module),
                               ctx);

    if (reason != NGX_DM_SEC_R_NONE && !ngx_dm_sec_is_pending(reason)) {
        (void) ngx_dm_sec_deny(r, ctx, reason);
    }
}


/*
 * Is for subrequests, too: one of auth_request is made before its request
 * comes here, and its list of headers is its own from here on.
 */
ngx_int_t
ngx_dm_sec_precontent_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_dm_sec_access_again(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_dm_sec_identity_set(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


static ngx_dm_sec_reason_e
ngx_dm_sec_decide(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx)
{
    ngx_dm_sec_reason_e  reason;

    reason = ngx_dm_sec_judge(r, dlcf, ctx);

    ngx_dm_sec_debug_decision(r, ctx, reason);

    return reason;
}


/* judges in the order of ngx_dm_sec_reason_e: the first reason is said */
static ngx_dm_sec_reason_e
ngx_dm_sec_judge(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx)
{
    ngx_int_t                devid;
    ngx_str_t                value;
    ngx_uint_t               i, n;
    ngx_dm_sec_reason_e      reason;
    ngx_dm_sec_presented_t   presented[NGX_DM_SEC_METHODS];
    ngx_dm_sec_main_conf_t  *dmcf;

    /* this is read before anything is looked up in the store */

    ctx->version = ngx_dm_sec_store_version();

    devid = dlcf->device_id == NGX_DM_SEC_DEVID_OFF
            ? NGX_DECLINED : ngx_dm_sec_devid_read(r, &value);

    reason = ngx_dm_sec_judge_devid(dlcf, devid);
    if (reason != NGX_DM_SEC_R_NONE) {
        return reason;
    }

    /* before a nonce is used up, or a wrong password is counted */

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    if (dmcf->replica_refuse
        && ngx_dm_sec_store_is_stale(dmcf, r->connection->log))
    {
        return NGX_DM_SEC_R_REPLICA;
    }

    n = ngx_dm_sec_present(r, dlcf, ctx, presented);

    for (i = 0; i < n; i++) {
        if (presented[i].cred->outcome == NGX_DM_SEC_PENDING) {
            return presented[i].cred->reason;
        }
    }

    reason = ngx_dm_sec_judge_credentials(dlcf, ctx, presented, n);
    if (reason != NGX_DM_SEC_R_NONE) {
        return reason;
    }

    reason = ngx_dm_sec_judge_account(dlcf, ctx);
    if (reason != NGX_DM_SEC_R_NONE) {
        return reason;
    }

    if (dlcf->device_id != NGX_DM_SEC_DEVID_OFF
        && devid == NGX_OK
        && ngx_dm_sec_devid_match(&value, &ctx->account->id) != NGX_OK)
    {
        return NGX_DM_SEC_R_DEVID_MISMATCH;
    }

    return NGX_DM_SEC_R_NONE;
}


/*
 * Asks the methods that the location accepts, the strongest first.  Where all
 * are needed, the next one is asked only when all before it verified, and only
 * for their account: else a client without the certificate could try passwords,
 * or lock a device out.
 */
static ngx_uint_t
ngx_dm_sec_present(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_presented_t *presented)
{
    ngx_uint_t                  n;
    ngx_dm_sec_credential_t    *cred;
    const ngx_dm_sec_method_t  *method;

    n = 0;
    ctx->whose = NULL;

    for (method = ngx_dm_sec_methods; method->name.len; method++) {

        cred = &ctx->credentials[ngx_dm_sec_method_row(method)];

        /* another location may look for the account in another way */

        if (method->by == NGX_DM_SEC_BY_CONNECTION) {
            ngx_memzero(cred, sizeof(ngx_dm_sec_credential_t));
        }
    }

    for (method = ngx_dm_sec_methods; method->name.len; method++) {

        if (!(dlcf->auth & method->bit)) {
            continue;
        }

        cred = &ctx->credentials[ngx_dm_sec_method_row(method)];

        ngx_dm_sec_ask(r, dlcf, ctx, method, cred);

        presented[n].method = method;
        presented[n++].cred = cred;

        if (!dlcf->auth_all) {
            continue;
        }

        if (cred->outcome != NGX_DM_SEC_VERIFIED) {
            break;
        }

        ctx->whose = cred->account;
    }

    return n;
}


/*
 * A handshake speaks for what comes inside it.  A request from before may be
 * anybody's who was on the way, and joined it to the handshake of another: a
 * client that has a certificate or a key begins with "OPTIONS *".
 */
static void
ngx_dm_sec_ask(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, const ngx_dm_sec_method_t *method,
    ngx_dm_sec_credential_t *cred)
{
    if (method->by == NGX_DM_SEC_BY_CONNECTION && ctx->in_clear) {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                                   NGX_DM_SEC_R_PLAINTEXT);

    } else {
        method->verify(r, dlcf, ctx, cred);
    }

    ngx_dm_sec_debug_credential(r, dlcf, method, cred);
}


static ngx_dm_sec_reason_e
ngx_dm_sec_judge_devid(ngx_dm_sec_loc_conf_t *dlcf, ngx_int_t devid)
{
    if (dlcf->device_id == NGX_DM_SEC_DEVID_OFF || devid == NGX_OK) {
        return NGX_DM_SEC_R_NONE;
    }

    if (devid == NGX_ERROR) {
        return NGX_DM_SEC_R_DEVID_MALFORMED;
    }

    return dlcf->device_id == NGX_DM_SEC_DEVID_REQUIRE
           ? NGX_DM_SEC_R_DEVID_MISSING : NGX_DM_SEC_R_NONE;
}


/*
 * All that was presented must verify and name one account, ctx->account; in
 * presented the strongest method is first.
 */
static ngx_dm_sec_reason_e
ngx_dm_sec_judge_credentials(ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_presented_t *presented, ngx_uint_t n)
{
    ngx_uint_t             i, outcome;
    ngx_dm_sec_account_t  *account;

    ctx->account = NULL;
    ctx->method = NULL;
    ctx->useless = 0;
    ctx->detail = 0;

    for (outcome = NGX_DM_SEC_FAILED;
         outcome >= NGX_DM_SEC_LOCKED;
         outcome--)
    {
        for (i = 0; i < n; i++) {
            if (presented[i].cred->outcome == outcome) {
                ctx->useless = (outcome == NGX_DM_SEC_USELESS);
                return ngx_dm_sec_because(ctx, presented[i].cred);
            }
        }
    }

    /* where all are needed, a client without one learns nothing of the next */

    for (i = 0; i < n; i++) {
        outcome = presented[i].cred->outcome;

        if (outcome != NGX_DM_SEC_VERIFIED
            && (outcome != NGX_DM_SEC_ABSENT || dlcf->auth_all))
        {
            return ngx_dm_sec_because(ctx, presented[i].cred);
        }
    }

    for (i = 0; i < n; i++) {

        if (presented[i].cred->outcome != NGX_DM_SEC_VERIFIED) {
            continue;
        }

        account = presented[i].cred->account;

        if (ctx->account == NULL) {
            ctx->account = account;
            ctx->method = presented[i].method;
            continue;
        }

        if (account->id.len != ctx->account->id.len
            || ngx_memcmp(account->id.data, ctx->account->id.data,
                          account->id.len)
               != 0)
        {
            return NGX_DM_SEC_R_MISMATCH;
        }
    }

    if (ctx->account == NULL) {
        return ngx_dm_sec_judge_missing(dlcf, ctx, presented, n);
    }

    return NGX_DM_SEC_R_NONE;
}


static ngx_dm_sec_reason_e
ngx_dm_sec_because(ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred)
{
    ctx->detail = cred->detail;

    return cred->reason;
}


/* a client that could still send a password must be asked for it */
static ngx_dm_sec_reason_e
ngx_dm_sec_judge_missing(ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_presented_t *presented, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (n == 0) {
        return NGX_DM_SEC_R_STORE;
    }

    if (!dlcf->http_auth) {
        return ngx_dm_sec_because(ctx, presented[0].cred);
    }

    for (i = 0; i < n; i++) {
        if (presented[i].cred->reason == NGX_DM_SEC_R_CERT_UNBOUND) {
            ctx->detail = NGX_DM_SEC_D_CERT_UNBOUND;
        }
    }

    return presented[n - 1].cred->reason;
}


static ngx_dm_sec_reason_e
ngx_dm_sec_judge_account(ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx)
{
    time_t                 now;
    ngx_dm_sec_account_t  *account;

    account = ctx->account;

    /* nobody, and no reason to refuse: this is a bug that lets nobody in */

    if (account == NULL) {
        return NGX_DM_SEC_R_STORE;
    }

    now = ngx_time();

    if (account->state != DM_ACTIVE) {
        return NGX_DM_SEC_R_DISABLED;
    }

    if (account->not_before && now < account->not_before) {
        ctx->detail = NGX_DM_SEC_D_ACCOUNT_NOT_YET_VALID;
        return NGX_DM_SEC_R_EXPIRED;
    }

    if (account->not_after && now > account->not_after) {
        return NGX_DM_SEC_R_EXPIRED;
    }

    if (dlcf->groups
        && !ngx_dm_sec_in_groups(dlcf->groups, &account->groups))
    {
        return NGX_DM_SEC_R_GROUP;
    }

    return NGX_DM_SEC_R_NONE;
}


/* groups are joined by commas, which no group's name holds */
static ngx_uint_t
ngx_dm_sec_in_groups(ngx_array_t *wanted, ngx_str_t *groups)
{
    u_char      *p, *end, *last;
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (groups->len == 0) {
        return 0;
    }

    name = wanted->elts;
    last = groups->data + groups->len;

    for (p = groups->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        for (i = 0; i < wanted->nelts; i++) {
            if (name[i].len == (size_t) (end - p)
                && ngx_memcmp(name[i].data, p, name[i].len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}
