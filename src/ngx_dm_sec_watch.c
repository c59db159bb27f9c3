/*
 * A second, tiny module that is placed before ngx_http_ssl_module.  It sees
 * what the operator wrote in a server, before that module merges it with what
 * http{} has and with its defaults: afterwards "ssl_prefer_server_ciphers off"
 * looks like no directive at all.
 */

#include "ngx_dm_sec_watch.h"


typedef struct {
    ngx_flag_t  prefer_server_ciphers;      /* as written, or unset */
} ngx_dm_sec_watch_conf_t;


static void *ngx_dm_sec_watch_create_srv_conf(ngx_conf_t *cf);
static char *ngx_dm_sec_watch_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_http_module_t  ngx_dm_sec_watch_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_dm_sec_watch_create_srv_conf,      /* create server configuration */
    ngx_dm_sec_watch_merge_srv_conf,       /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_dm_sec_watch_module = {
    NGX_MODULE_V1,
    &ngx_dm_sec_watch_module_ctx,          /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_dm_sec_watch_create_srv_conf(ngx_conf_t *cf)
{
    ngx_dm_sec_watch_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_dm_sec_watch_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->prefer_server_ciphers = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_dm_sec_watch_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_dm_sec_watch_conf_t  *conf = child;

    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ssl_module);

    conf->prefer_server_ciphers = sscf->prefer_server_ciphers;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_dm_sec_watch_client_order(ngx_http_core_srv_conf_t *cscf)
{
    ngx_dm_sec_watch_conf_t  *conf;

    conf = cscf->ctx->srv_conf[ngx_dm_sec_watch_module.ctx_index];

    return conf->prefer_server_ciphers == 0;
}
