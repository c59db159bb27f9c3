/*
 * The chains of filters: those of the configuration in force, and no others.
 *
 * nginx builds its chains anew while it reads a configuration, in variables of
 * the process.  Where the configuration is refused they stay as they are: cut
 * off at the module that failed, without the filters of a module that is not
 * in use there, or leading into a library that is unloaded.  Workers that are
 * forked from then on have them.  So the module's filters are put in front
 * only when a configuration is accepted, where nothing can fail any more; what
 * the chains begin with is remembered then, and each worker puts that back.
 */

#include "ngx_dm_sec_chain.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_body.h"
#include "ngx_dm_sec_refused.h"


static void ngx_dm_sec_chain_put(ngx_dm_sec_chain_t *stock);
static void ngx_dm_sec_chain_get(ngx_dm_sec_chain_t *chain);
static ngx_uint_t ngx_dm_sec_chain_whole(void);


/* the heads of the chains of this process, while they are whole */
static ngx_dm_sec_chain_t  ngx_dm_sec_chain;


void
ngx_dm_sec_chain_init_module(ngx_cycle_t *cycle)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_dm_sec_module);

    /* loaded and unused, the module is not there */

    if (dmcf == NULL || !dmcf->on) {
        return;
    }

    ngx_dm_sec_chain_get(&dmcf->stock);
    ngx_dm_sec_chain_put(&dmcf->stock);
}


void
ngx_dm_sec_chain_init_process(ngx_cycle_t *cycle)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_dm_sec_module);

    if (dmcf == NULL || !dmcf->on || ngx_dm_sec_chain_whole()) {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "dm_sec: a refused configuration had changed the chains of "
                  "filters: they are put back");

    ngx_dm_sec_chain_put(&dmcf->stock);
}


void
ngx_dm_sec_chain_restore(ngx_http_request_t *r)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    if (ngx_process != NGX_PROCESS_SINGLE || ngx_dm_sec_chain_whole()) {
        return;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    ngx_dm_sec_chain_put(&dmcf->stock);
}


/* makes the chains those of nginx, with the module's filters in front */
static void
ngx_dm_sec_chain_put(ngx_dm_sec_chain_t *stock)
{
    ngx_http_top_header_filter = stock->header;
    ngx_http_top_body_filter = stock->body;
    ngx_http_top_request_body_filter = stock->request_body;

#if (NGX_DM_SEC_EARLY_HINTS)
    ngx_http_top_early_hints_filter = stock->early_hints;
#endif

    ngx_dm_sec_answer_init();
    ngx_dm_sec_refused_init();
    ngx_dm_sec_body_init();

    ngx_dm_sec_chain_get(&ngx_dm_sec_chain);
}


static void
ngx_dm_sec_chain_get(ngx_dm_sec_chain_t *chain)
{
    chain->header = ngx_http_top_header_filter;
    chain->body = ngx_http_top_body_filter;
    chain->request_body = ngx_http_top_request_body_filter;

#if (NGX_DM_SEC_EARLY_HINTS)
    chain->early_hints = ngx_http_top_early_hints_filter;
#endif
}


static ngx_uint_t
ngx_dm_sec_chain_whole(void)
{
#if (NGX_DM_SEC_EARLY_HINTS)
    if (ngx_http_top_early_hints_filter != ngx_dm_sec_chain.early_hints) {
        return 0;
    }
#endif

    return ngx_http_top_header_filter == ngx_dm_sec_chain.header
           && ngx_http_top_body_filter == ngx_dm_sec_chain.body
           && ngx_http_top_request_body_filter
              == ngx_dm_sec_chain.request_body;
}
