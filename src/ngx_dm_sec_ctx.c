/* The state of a request, which outlives internal redirects */

#include "ngx_dm_sec.h"


static void ngx_dm_sec_ctx_cleanup(void *data);


ngx_dm_sec_ctx_t *
ngx_dm_sec_get_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_dm_sec_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_dm_sec_module);

    if (ctx) {
        return ctx;
    }

    /* an internal redirect clears r->ctx, and a subrequest has its own */

    ctx = ngx_dm_sec_kept(r->main->pool, ngx_dm_sec_ctx_cleanup,
                          create ? sizeof(ngx_dm_sec_ctx_t) : 0);

    if (ctx) {
        ngx_http_set_ctx(r, ctx, ngx_dm_sec_module);
    }

    return ctx;
}


static void
ngx_dm_sec_ctx_cleanup(void *data)
{
    /* the context lies in the pool; this function's address finds it there */
}


void *
ngx_dm_sec_kept(ngx_pool_t *pool, ngx_pool_cleanup_pt handler, size_t size)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == handler) {
            return cln->data;
        }
    }

    if (size == 0) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, size);
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, size);

    cln->handler = handler;

    return cln->data;
}


ngx_dm_sec_outcome_e
ngx_dm_sec_conclude(ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_outcome_e outcome, ngx_dm_sec_reason_e reason)
{
    cred->outcome = outcome;
    cred->reason = reason;

    if (outcome != NGX_DM_SEC_VERIFIED && outcome != NGX_DM_SEC_PENDING) {
        cred->account = NULL;
    }

    return outcome;
}
