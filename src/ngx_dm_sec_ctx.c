/* The state of a request, which outlives internal redirects */

#include "ngx_dm_sec.h"


/* the thing itself stands behind it */
typedef struct {
    const ngx_dm_sec_keep_t  *keep;
    u_char                    data[];
} ngx_dm_sec_keeper_t;


static void ngx_dm_sec_keeper_cleanup(void *data);


static const ngx_dm_sec_keep_t  ngx_dm_sec_ctx_keep = {
    "ctx", sizeof(ngx_dm_sec_ctx_t), NULL
};


ngx_dm_sec_ctx_t *
ngx_dm_sec_find_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_dm_sec_ctx_t  *ctx;

    /* an internal redirect clears r->ctx, and a subrequest has its own */

    ctx = ngx_dm_sec_kept(r->main->pool, &ngx_dm_sec_ctx_keep, create);

    if (ctx) {
        ngx_http_set_ctx(r, ctx, ngx_dm_sec_module);
    }

    return ctx;
}


/*
 * A thing is told by the keep that it was made with, and not by its handler: a
 * linker may give functions that do the same one address.
 */
void *
ngx_dm_sec_kept(ngx_pool_t *pool, const ngx_dm_sec_keep_t *keep,
    ngx_uint_t create)
{
    ngx_pool_cleanup_t   *cln;
    ngx_dm_sec_keeper_t  *keeper;

    for (cln = pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_dm_sec_keeper_cleanup) {
            continue;
        }

        keeper = cln->data;

        if (keeper->keep == keep
            || ngx_strcmp(keeper->keep->name, keep->name) == 0)
        {
            return keeper->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_dm_sec_keeper_t) + keep->size);
    if (cln == NULL) {
        return NULL;
    }

    keeper = cln->data;
    keeper->keep = keep;
    ngx_memzero(keeper->data, keep->size);

    cln->handler = ngx_dm_sec_keeper_cleanup;

    return keeper->data;
}


static void
ngx_dm_sec_keeper_cleanup(void *data)
{
    ngx_dm_sec_keeper_t *keeper = data;

    if (keeper->keep->cleanup) {
        keeper->keep->cleanup(keeper->data);
    }
}


ngx_dm_sec_outcome_e
ngx_dm_sec_conclude(ngx_dm_sec_credential_t *cred,
    ngx_dm_sec_outcome_e outcome, ngx_dm_sec_reason_e reason)
{
    cred->outcome = outcome;
    cred->reason = reason;
    cred->detail = 0;

    if (outcome != NGX_DM_SEC_VERIFIED && outcome != NGX_DM_SEC_PENDING) {
        cred->account = NULL;
    }

    return outcome;
}
