/* Faults of a configuration that only a request shows */

#include "ngx_dm_sec_once.h"


#define NGX_DM_SEC_ONCE_MAX  64     /* locations that a worker tells of */


typedef enum {
    NGX_DM_SEC_ONCE_EARLY = 0,
    NGX_DM_SEC_ONCE_CACHE,
    NGX_DM_SEC_ONCE_HEADERS
} ngx_dm_sec_once_e;


typedef struct {
    void               *where;          /* a location's configuration */
    ngx_dm_sec_once_e   fault;
} ngx_dm_sec_once_t;


static ngx_uint_t ngx_dm_sec_once(ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_once_e fault);
static ngx_uint_t ngx_dm_sec_once_before_access(ngx_http_request_t *r);
#if (NGX_HTTP_CACHE)
static ngx_uint_t ngx_dm_sec_once_shared(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx);
static ngx_uint_t ngx_dm_sec_once_has(ngx_array_t *keys, ngx_str_t *value);
#endif
static ngx_uint_t ngx_dm_sec_once_kept(ngx_http_request_t *r);


static ngx_dm_sec_once_t  ngx_dm_sec_once_said[NGX_DM_SEC_ONCE_MAX];
static ngx_uint_t         ngx_dm_sec_once_n;


void
ngx_dm_sec_once_read(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    ngx_dm_sec_loc_conf_t     *dlcf;
    ngx_http_core_loc_conf_t  *clcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    if (dlcf->auth == 0
        || ctx == NULL || !ctx->begun || ctx->account || ctx->denied
        || !ngx_dm_sec_once_before_access(r)
        || !ngx_dm_sec_once(dlcf, NGX_DM_SEC_ONCE_EARLY))
    {
        return;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "dm_sec: location \"%V\" reads the account before "
                  "\"dm_sec_auth\" is asked, when it is empty, as a key of "
                  "\"limit_req_zone\" or \"limit_conn_zone\" or in \"if\": "
                  "write \"$binary_remote_addr\" there, or the directive in a "
                  "named location and \"try_files /none @name\" here",
                  &clcf->name);
}


void
ngx_dm_sec_once_log(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    ngx_dm_sec_loc_conf_t     *dlcf;
    ngx_http_core_loc_conf_t  *clcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->upstream == NULL
        || ctx->denied || ctx->account == NULL
        || dlcf->auth == 0
        || dlcf->identity_headers != NGX_DM_SEC_HEADERS_ON)
    {
        return;
    }

#if (NGX_HTTP_CACHE)

    if (ngx_dm_sec_once_shared(r, ctx)
        && ngx_dm_sec_once(dlcf, NGX_DM_SEC_ONCE_CACHE))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dm_sec: location \"%V\" keeps answers in a cache whose "
                      "key does not hold the account, so one device gets "
                      "another's: add \" $dm_sec_client_id\" to "
                      "\"proxy_cache_key\" or, where all get the same, write "
                      "\"dm_sec_identity_headers off\"", &clcf->name);
    }

#endif

    if (ngx_dm_sec_once_kept(r)
        && ngx_dm_sec_once(dlcf, NGX_DM_SEC_ONCE_HEADERS))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dm_sec: location \"%V\" keeps the headers with the "
                      "identity from the server behind: write "
                      "\"proxy_pass_request_headers on\" or, where they are "
                      "set otherwise or not wanted, "
                      "\"dm_sec_identity_headers off\"", &clcf->name);
    }
}


/* 1 if it was not said yet of this location, which is remembered */
static ngx_uint_t
ngx_dm_sec_once(ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_once_e fault)
{
    ngx_uint_t          i;
    ngx_dm_sec_once_t  *said;

    said = ngx_dm_sec_once_said;

    for (i = 0; i < ngx_dm_sec_once_n; i++) {
        if (said[i].where == dlcf && said[i].fault == fault) {
            return 0;
        }
    }

    if (i == NGX_DM_SEC_ONCE_MAX) {
        return 0;
    }

    said[i].where = dlcf;
    said[i].fault = fault;
    ngx_dm_sec_once_n++;

    return 1;
}


/* 1 if the request is on its way, and has not come to the access phase */
static ngx_uint_t
ngx_dm_sec_once_before_access(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    /* one that is answered only writes its header or its line */

    if (r != r->main
        || r->count == 0
        || r->err_status
        || r->headers_out.status)
    {
        return 0;
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ph = cmcf->phase_engine.handlers;

    for (i = 0; ph[i].checker; i++) {
        if (ph[i].checker == ngx_http_core_access_phase) {
            return r->phase_handler < (ngx_int_t) i;
        }
    }

    return 0;
}


#if (NGX_HTTP_CACHE)

/* 1 if the answer is in a cache, for whoever asks the same */
static ngx_uint_t
ngx_dm_sec_once_shared(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    ngx_array_t  *keys;

    if (r->cache == NULL
        || (!r->upstream->cacheable
            && r->upstream->cache_status != NGX_HTTP_CACHE_HIT))
    {
        return 0;
    }

    keys = &r->cache->keys;

    return !ngx_dm_sec_once_has(keys, &ctx->account->id)
           && !ngx_dm_sec_once_has(keys, &ctx->account->name)
           && !ngx_dm_sec_once_has(keys, &ctx->account->groups);
}


static ngx_uint_t
ngx_dm_sec_once_has(ngx_array_t *keys, ngx_str_t *value)
{
    ngx_str_t   *key;
    ngx_uint_t   i;

    key = keys->elts;

    for (i = 0; value->len && i < keys->nelts; i++) {
        if (memmem(key[i].data, key[i].len, value->data, value->len)) {
            return 1;
        }
    }

    return 0;
}

#endif


/* 1 if the upstream is of a kind that can have headers, and has got none */
static ngx_uint_t
ngx_dm_sec_once_kept(ngx_http_request_t *r)
{
    ngx_uint_t   i;
    ngx_str_t   *schema;

    static ngx_str_t  schemas[] = {
        ngx_string("http://"), ngx_string("https://"),
        ngx_string("fastcgi://"), ngx_string("scgi://"),
        ngx_string("uwsgi://"), ngx_string("suwsgi://"),
        ngx_null_string
    };

    if (r->upstream->conf == NULL || r->upstream->conf->pass_request_headers) {
        return 0;
    }

    schema = &r->upstream->schema;

    for (i = 0; schemas[i].len; i++) {
        if (schema->len == schemas[i].len
            && ngx_strncmp(schema->data, schemas[i].data, schema->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
