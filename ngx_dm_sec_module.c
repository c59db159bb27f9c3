/*
 * ngx_dm_sec_module guards an OMA DM server: TLS policy, authentication of
 * devices, and their identity for the server behind nginx.
 *
 * This file is the front door: directives, configurations, phases.
 */

#include "ngx_dm_sec.h"
#include "ngx_dm_sec_access.h"
#include "ngx_dm_sec_chain.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_challenge.h"
#include "ngx_dm_sec_hash.h"
#include "ngx_dm_sec_lockout.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_once.h"
#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_refused.h"
#include "ngx_dm_sec_release.h"
#include "ngx_dm_sec_replica.h"
#include "ngx_dm_sec_settle.h"
#include "ngx_dm_sec_status.h"
#include "ngx_dm_sec_star.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_thread.h"
#include "ngx_dm_sec_variables.h"
#include "ngx_dm_sec_x509.h"
#include "ngx_dm_sec_zone.h"


static ngx_int_t ngx_dm_sec_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_dm_sec_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_dm_sec_add_handler(ngx_http_core_main_conf_t *cmcf,
    ngx_uint_t phase, ngx_http_handler_pt handler);
static ngx_int_t ngx_dm_sec_log_handler(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_dm_sec_init_process(ngx_cycle_t *cycle);
static void ngx_dm_sec_exit_process(ngx_cycle_t *cycle);
static void *ngx_dm_sec_create_main_conf(ngx_conf_t *cf);
static char *ngx_dm_sec_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_dm_sec_create_srv_conf(ngx_conf_t *cf);
static char *ngx_dm_sec_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_dm_sec_create_loc_conf(ngx_conf_t *cf);
static void ngx_dm_sec_note_own(ngx_dm_sec_loc_conf_t *dlcf);
static char *ngx_dm_sec_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_dm_sec_collect(ngx_conf_t *cf,
    ngx_dm_sec_loc_conf_t *dlcf);
static char *ngx_dm_sec_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_dm_sec_groups(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_dm_sec_check_realm(ngx_conf_t *cf, void *post, void *data);
static char *ngx_dm_sec_check_nonce_lifetime(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_post_t  ngx_dm_sec_realm_post = { ngx_dm_sec_check_realm };

static ngx_conf_post_t  ngx_dm_sec_nonce_lifetime_post
    = { ngx_dm_sec_check_nonce_lifetime };


static ngx_conf_bitmask_t  ngx_dm_sec_digest_qop[] = {
    { ngx_string("auth"), NGX_DM_SEC_QOP_AUTH },
    { ngx_string("auth-int"), NGX_DM_SEC_QOP_AUTH_INT },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_dm_sec_challenge_parameters[] = {
    { ngx_string("charset"), NGX_DM_SEC_CHALLENGE_CHARSET },
    { ngx_string("userhash"), NGX_DM_SEC_CHALLENGE_USERHASH },
    { ngx_string("off"), NGX_DM_SEC_CHALLENGE_PLAIN },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_dm_sec_device_id[] = {
    { ngx_string("off"), NGX_DM_SEC_DEVID_OFF },
    { ngx_string("match"), NGX_DM_SEC_DEVID_MATCH },
    { ngx_string("require"), NGX_DM_SEC_DEVID_REQUIRE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_dm_sec_upgrade_modes[] = {
    { ngx_string("off"), NGX_DM_SEC_UPGRADE_OFF },
    { ngx_string("on"), NGX_DM_SEC_UPGRADE_ON },
    { ngx_string("required"), NGX_DM_SEC_UPGRADE_REQUIRED },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_dm_sec_identity_headers[] = {
    { ngx_string("off"), NGX_DM_SEC_HEADERS_OFF },
    { ngx_string("on"), NGX_DM_SEC_HEADERS_ON },
    { ngx_string("pass"), NGX_DM_SEC_HEADERS_PASS },
    { ngx_null_string, 0 }
};


#define NGX_DM_SEC_ANYWHERE                                                   \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_dm_sec_commands[] = {

    { ngx_string("dm_sec_profile"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_policy_profile,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_protocols"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_policy_protocols,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_ciphers"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_policy_ciphers,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_account_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dm_sec_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dm_sec_main_conf_t, store),
      NULL },

    { ngx_string("dm_sec_store_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dm_sec_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dm_sec_main_conf_t, key_file),
      NULL },

    { ngx_string("dm_sec_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dm_sec_zone_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_auth"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_method_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_auth_all"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, auth_all),
      NULL },

    { ngx_string("dm_sec_realm"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, realm),
      &ngx_dm_sec_realm_post },

    { ngx_string("dm_sec_digest_algorithms"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_challenge_set_algorithms,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_digest_qop"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, digest_qop),
      &ngx_dm_sec_digest_qop },

    { ngx_string("dm_sec_challenge_parameters"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_challenge_set_parameters,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, challenge_parameters),
      &ngx_dm_sec_challenge_parameters },

    { ngx_string("dm_sec_digest_nonce_lifetime"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dm_sec_main_conf_t, nonce_lifetime),
      &ngx_dm_sec_nonce_lifetime_post },

    { ngx_string("dm_sec_lockout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_dm_sec_lockout_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_log_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_dm_sec_log_set_limit,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_password_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_dm_sec_main_conf_t, password_cache),
      NULL },

    { ngx_string("dm_sec_hash_threads"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_dm_sec_hash_set_threads,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_replica_stale"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_dm_sec_replica_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_x509_identity"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_x509_set_identity,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_groups"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_1MORE,
      ngx_dm_sec_groups,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_device_id"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, device_id),
      &ngx_dm_sec_device_id },

    { ngx_string("dm_sec_identity_headers"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, identity_headers),
      &ngx_dm_sec_identity_headers },

    { ngx_string("dm_sec_client_cert_header"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, client_cert_header),
      NULL },

    { ngx_string("dm_sec_pass_authorization"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, pass_authorization),
      NULL },

    { ngx_string("dm_sec_plaintext_auth"),
      NGX_DM_SEC_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_dm_sec_loc_conf_t, plaintext_auth),
      NULL },

    { ngx_string("dm_sec_upgrade"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_dm_sec_srv_conf_t, upgrade),
      &ngx_dm_sec_upgrade_modes },

    { ngx_string("dm_sec_psk_identity_hint"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_dm_sec_psk_set_hint,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("dm_sec_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_dm_sec_status_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_dm_sec_module_ctx = {
    ngx_dm_sec_preconfiguration,           /* preconfiguration */
    ngx_dm_sec_postconfiguration,          /* postconfiguration */

    ngx_dm_sec_create_main_conf,           /* create main configuration */
    ngx_dm_sec_init_main_conf,             /* init main configuration */

    ngx_dm_sec_create_srv_conf,            /* create server configuration */
    ngx_dm_sec_merge_srv_conf,             /* merge server configuration */

    ngx_dm_sec_create_loc_conf,            /* create location configuration */
    ngx_dm_sec_merge_loc_conf              /* merge location configuration */
};


ngx_module_t  ngx_dm_sec_module = {
    NGX_MODULE_V1,
    &ngx_dm_sec_module_ctx,                /* module context */
    ngx_dm_sec_commands,                   /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_dm_sec_init_module,                /* init module */
    ngx_dm_sec_init_process,               /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_dm_sec_exit_process,               /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_dm_sec_preconfiguration(ngx_conf_t *cf)
{
    dm_err_t  err;

    if (dm_suite_init(&err) != DM_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "dm_sec: %s", err.text);
        return NGX_ERROR;
    }

    return ngx_dm_sec_variables_add(cf);
}


static ngx_int_t
ngx_dm_sec_postconfiguration(ngx_conf_t *cf)
{
    ngx_dm_sec_main_conf_t     *dmcf;
    ngx_http_core_main_conf_t  *cmcf;

    dmcf = ngx_http_conf_get_module_main_conf(cf, ngx_dm_sec_module);

    if (ngx_dm_sec_settle(cf, dmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* loaded and unused, the module is not there */

    if (!dmcf->on) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_dm_sec_add_handler(cmcf, NGX_HTTP_POST_READ_PHASE,
                               ngx_dm_sec_post_read_handler)
        != NGX_OK
        || ngx_dm_sec_add_handler(cmcf, NGX_HTTP_PREACCESS_PHASE,
                                  ngx_dm_sec_preaccess_handler)
           != NGX_OK
        || ngx_dm_sec_add_handler(cmcf, NGX_HTTP_ACCESS_PHASE,
                                  ngx_dm_sec_access_handler)
           != NGX_OK
        || ngx_dm_sec_add_handler(cmcf, NGX_HTTP_PRECONTENT_PHASE,
                                  ngx_dm_sec_precontent_handler)
           != NGX_OK
        || ngx_dm_sec_add_handler(cmcf, NGX_HTTP_LOG_PHASE,
                                  ngx_dm_sec_log_handler)
           != NGX_OK
        || ngx_dm_sec_add_handler(cmcf, NGX_HTTP_LOG_PHASE,
                                  ngx_dm_sec_refused_log)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dm_sec_variables_init(cf, dmcf);
}


static ngx_int_t
ngx_dm_sec_add_handler(ngx_http_core_main_conf_t *cmcf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_array_t          *handlers;
    ngx_http_handler_pt  *h;

    handlers = &cmcf->phases[phase].handlers;

    h = ngx_array_push(handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    /*
     * The first of POST_READ runs last: behind realip, whose address is to be
     * logged.  That of LOG runs first: access logs and counters tell of it.
     */

    if (phase == NGX_HTTP_POST_READ_PHASE
        || handler == ngx_dm_sec_refused_log)
    {
        h = handlers->elts;
        ngx_memmove(h + 1, h, (handlers->nelts - 1) * handlers->size);
    }

    *h = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_log_handler(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t  *ctx;

    /* with "log_subrequest on" it is called for each of them, too */

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_dm_sec_get_ctx(r, 0);

    ngx_dm_sec_status_count(r, ctx);

    if (ctx && ctx->again) {
        ngx_dm_sec_method_log(r, ctx);
        ngx_dm_sec_once_log(r, ctx);
    }

    return NGX_OK;
}


/* the configuration is accepted: now the state of the process may change */
static ngx_int_t
ngx_dm_sec_init_module(ngx_cycle_t *cycle)
{
    ngx_dm_sec_release_init_module(cycle);
    ngx_dm_sec_chain_init_module(cycle);

    return ngx_dm_sec_star_init_module(cycle);
}


static ngx_int_t
ngx_dm_sec_init_process(ngx_cycle_t *cycle)
{
    ngx_dm_sec_chain_init_process(cycle);

    if (ngx_dm_sec_store_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * The cache manager and its like serve nobody.  A worker is seen when it
     * has tried to open the store, so that none seems to lack it that begins.
     */

    if (ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE)
    {
        ngx_dm_sec_process_enter();
    }

    return NGX_OK;
}


static void
ngx_dm_sec_exit_process(ngx_cycle_t *cycle)
{
    ngx_dm_sec_thread_exit_process();
    ngx_dm_sec_store_exit_process(cycle);
    ngx_dm_sec_process_leave();
}


static void *
ngx_dm_sec_create_main_conf(ngx_conf_t *cf)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_pcalloc(cf->pool, sizeof(ngx_dm_sec_main_conf_t));
    if (dmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&dmcf->servers, cf->pool, 4,
                       sizeof(ngx_dm_sec_srv_conf_t *))
        != NGX_OK)
    {
        return NULL;
    }

    dmcf->lockout.attempts = NGX_CONF_UNSET_UINT;
    dmcf->log_limit = NGX_CONF_UNSET_UINT;
    dmcf->nonce_lifetime = NGX_CONF_UNSET_MSEC;
    dmcf->password_cache = NGX_CONF_UNSET_MSEC;
    dmcf->hash_threads = NGX_CONF_UNSET_UINT;
    dmcf->hash_queue = NGX_CONF_UNSET_UINT;

    return dmcf;
}


/* called before any merge: cf->ctx is that of http{} */
static char *
ngx_dm_sec_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_dm_sec_main_conf_t *dmcf = conf;

    ngx_dm_sec_loc_conf_t  *dlcf;

    ngx_dm_sec_lockout_init(&dmcf->lockout);
    ngx_conf_init_uint_value(dmcf->log_limit, 100);
    ngx_conf_init_msec_value(dmcf->nonce_lifetime, 300000);
    ngx_conf_init_msec_value(dmcf->password_cache, 60000);

    dlcf = ngx_http_conf_get_module_loc_conf(cf, ngx_dm_sec_module);

    ngx_dm_sec_policy_merge(&dlcf->policy, NULL);

    ngx_dm_sec_note_own(dlcf);

    dlcf->auth_said = (dlcf->auth != NGX_CONF_UNSET_UINT);
    dlcf->plaintext_said = (dlcf->plaintext_auth != NGX_CONF_UNSET);
    dmcf->http = dlcf;

    return NGX_CONF_OK;
}


static void *
ngx_dm_sec_create_srv_conf(ngx_conf_t *cf)
{
    ngx_dm_sec_srv_conf_t  *dscf;

    dscf = ngx_pcalloc(cf->pool, sizeof(ngx_dm_sec_srv_conf_t));
    if (dscf == NULL) {
        return NULL;
    }

    dscf->upgrade = NGX_CONF_UNSET_UINT;

    return dscf;
}


static char *
ngx_dm_sec_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_dm_sec_srv_conf_t *prev = parent;
    ngx_dm_sec_srv_conf_t *dscf = child;

    ngx_dm_sec_srv_conf_t   **dscfp;
    ngx_dm_sec_main_conf_t   *dmcf;

    dmcf = ngx_http_conf_get_module_main_conf(cf, ngx_dm_sec_module);

    dscf->cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    dscf->own_upgrade = (dscf->upgrade != NGX_CONF_UNSET_UINT
                         && dscf->upgrade != NGX_DM_SEC_UPGRADE_OFF);

    ngx_conf_merge_uint_value(dscf->upgrade, prev->upgrade,
                              NGX_DM_SEC_UPGRADE_OFF);

    dscf->own_psk_hint = (dscf->psk_hint.len != 0);

    ngx_conf_merge_str_value(dscf->psk_hint, prev->psk_hint, "");

    if (ngx_array_init(&dscf->locations, cf->pool, 8,
                       sizeof(ngx_dm_sec_location_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    dscfp = ngx_array_push(&dmcf->servers);
    if (dscfp == NULL) {
        return NGX_CONF_ERROR;
    }

    *dscfp = dscf;

    return NGX_CONF_OK;
}


static void *
ngx_dm_sec_create_loc_conf(ngx_conf_t *cf)
{
    ngx_dm_sec_loc_conf_t  *dlcf;

    dlcf = ngx_pcalloc(cf->pool, sizeof(ngx_dm_sec_loc_conf_t));
    if (dlcf == NULL) {
        return NULL;
    }

    ngx_dm_sec_policy_create(&dlcf->policy);

    dlcf->auth = NGX_CONF_UNSET_UINT;
    dlcf->auth_all = NGX_CONF_UNSET;
    dlcf->digest_algorithms = NGX_CONF_UNSET_PTR;
    dlcf->x509_identity = NGX_CONF_UNSET_PTR;
    dlcf->groups = NGX_CONF_UNSET_PTR;
    dlcf->device_id = NGX_CONF_UNSET_UINT;
    dlcf->identity_headers = NGX_CONF_UNSET_UINT;
    dlcf->client_cert_header = NGX_CONF_UNSET;
    dlcf->pass_authorization = NGX_CONF_UNSET;
    dlcf->plaintext_auth = NGX_CONF_UNSET;

    return dlcf;
}


/* keeps in mind which directives that narrow authentication stand here */
static void
ngx_dm_sec_note_own(ngx_dm_sec_loc_conf_t *dlcf)
{
    dlcf->own_auth_all = (dlcf->auth_all == 1);
    dlcf->own_digest_algorithms = (dlcf->digest_algorithms
                                   != NGX_CONF_UNSET_PTR);
    dlcf->own_digest_qop = (dlcf->digest_qop != 0);
    dlcf->own_groups = (dlcf->groups != NGX_CONF_UNSET_PTR && dlcf->groups);
    dlcf->own_device_id = (dlcf->device_id != NGX_CONF_UNSET_UINT
                           && dlcf->device_id != NGX_DM_SEC_DEVID_OFF);
}


static char *
ngx_dm_sec_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_dm_sec_loc_conf_t *prev = parent;
    ngx_dm_sec_loc_conf_t *conf = child;

    ngx_dm_sec_policy_merge(&conf->policy, &prev->policy);

    conf->auth_said = prev->auth_said || conf->auth != NGX_CONF_UNSET_UINT;
    ngx_dm_sec_note_own(conf);

    ngx_conf_merge_uint_value(conf->auth, prev->auth, 0);
    conf->http_auth = ngx_dm_sec_method_bits(conf->auth,
                                             NGX_DM_SEC_BY_REQUEST);
    ngx_conf_merge_value(conf->auth_all, prev->auth_all, 0);
    ngx_conf_merge_str_value(conf->realm, prev->realm, "");
    ngx_conf_merge_ptr_value(conf->digest_algorithms,
                             prev->digest_algorithms, NULL);
    ngx_conf_merge_bitmask_value(conf->digest_qop, prev->digest_qop,
                                 (NGX_CONF_BITMASK_SET|NGX_DM_SEC_QOP_AUTH));
    ngx_conf_merge_bitmask_value(conf->challenge_parameters,
                                 prev->challenge_parameters,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_DM_SEC_CHALLENGE_CHARSET
                                  |NGX_DM_SEC_CHALLENGE_USERHASH));
    ngx_conf_merge_ptr_value(conf->x509_identity, prev->x509_identity, NULL);
    ngx_conf_merge_ptr_value(conf->groups, prev->groups, NULL);
    ngx_conf_merge_uint_value(conf->device_id, prev->device_id,
                              NGX_DM_SEC_DEVID_OFF);
    ngx_conf_merge_uint_value(conf->identity_headers, prev->identity_headers,
                              NGX_DM_SEC_HEADERS_ON);
    ngx_conf_merge_value(conf->client_cert_header, prev->client_cert_header,
                         0);
    ngx_conf_merge_value(conf->pass_authorization, prev->pass_authorization,
                         0);
    conf->plaintext_said = prev->plaintext_said
                           || conf->plaintext_auth != NGX_CONF_UNSET;
    ngx_conf_merge_value(conf->plaintext_auth, prev->plaintext_auth, 0);

    if (conf->x509_identity == NULL) {
        conf->x509_identity = ngx_dm_sec_x509_default_identity(cf);
        if (conf->x509_identity == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_dm_sec_collect(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the server's own configuration is merged before those of its locations */
static ngx_int_t
ngx_dm_sec_collect(ngx_conf_t *cf, ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_dm_sec_location_t  *location;
    ngx_dm_sec_srv_conf_t  *dscf;

    dscf = ngx_http_conf_get_module_srv_conf(cf, ngx_dm_sec_module);

    if (dscf->dlcf == NULL) {
        dscf->dlcf = dlcf;
        return NGX_OK;
    }

    location = ngx_array_push(&dscf->locations);
    if (location == NULL) {
        return NGX_ERROR;
    }

    location->clcf = ngx_http_conf_get_module_loc_conf(cf,
                                                       ngx_http_core_module);
    location->dlcf = dlcf;

    return NGX_OK;
}


static char *
ngx_dm_sec_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char       *rv;
    ngx_str_t  *path;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    path = (ngx_str_t *) (p + cmd->offset);

    if (path->len == 0) {
        return "has an empty path";
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "off" alone cancels what stands above */
static char *
ngx_dm_sec_groups(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    dm_err_t     err;
    ngx_str_t   *value, *group;
    ngx_uint_t   i;

    if (dlcf->groups != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    dlcf->groups = NULL;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    dlcf->groups = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                    sizeof(ngx_str_t));
    if (dlcf->groups == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (dm_account_check_group(ngx_dm_sec_set_dm_str(value[i]), &err)
            != DM_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": %s", &value[i],
                               err.text);
            return NGX_CONF_ERROR;
        }

        group = ngx_array_push(dlcf->groups);
        if (group == NULL) {
            return NGX_CONF_ERROR;
        }

        *group = value[i];
    }

    return NGX_CONF_OK;
}


static char *
ngx_dm_sec_check_realm(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *realm = data;

    ngx_uint_t  i;

    if (realm->len == 0) {
        return "is empty";
    }

    for (i = 0; i < realm->len; i++) {
        if (realm->data[i] < 0x20 || realm->data[i] == 0x7f) {
            return "has a control character";
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_dm_sec_check_nonce_lifetime(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *lifetime = data;

    return *lifetime ? NGX_CONF_OK : "is 0: no nonce would ever be good";
}
