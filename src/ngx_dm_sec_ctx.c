/* The state of a request, which outlives internal redirects */

#include "ngx_dm_sec.h"


static void ngx_dm_sec_ctx_cleanup(void *data);


ngx_dm_sec_ctx_t *
ngx_dm_sec_get_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_dm_sec_ctx_t    *ctx;
    ngx_pool_cleanup_t  *cln;

    ctx = ngx_http_get_module_ctx(r, ngx_dm_sec_module);

    if (ctx) {
        return ctx;
    }

    /* an internal redirect clears r->ctx, and a subrequest has its own */

    for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_dm_sec_ctx_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_dm_sec_module);
            return cln->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->main->pool, sizeof(ngx_dm_sec_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(ngx_dm_sec_ctx_t));

    cln->handler = ngx_dm_sec_ctx_cleanup;
    ngx_http_set_ctx(r, cln->data, ngx_dm_sec_module);

    return cln->data;
}


static void
ngx_dm_sec_ctx_cleanup(void *data)
{
    /* the context lies in the pool; this function's address finds it there */
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
