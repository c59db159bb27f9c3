/* What "nginx -t" finds: conflicts between directives and between levels */

#include "ngx_dm_sec_check.h"
#include "ngx_dm_sec_hash.h"
#include "ngx_dm_sec_hello.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_proof.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_tls.h"
#include "ngx_dm_sec_upgrade.h"
#include "ngx_dm_sec_zone.h"


static ngx_int_t ngx_dm_sec_check_addresses(ngx_conf_t *cf);
static ngx_int_t ngx_dm_sec_check_off(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_check_what_is_on(ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_check_needless(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_check_server(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_check_level(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_check_methods(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_check_needs_auth(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_uint_t auth);
static void ngx_dm_sec_check_openness(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_uint_t ngx_dm_sec_check_guards(ngx_module_t *module,
    ngx_http_core_loc_conf_t *clcf);
static void ngx_dm_sec_check_status(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);


ngx_int_t
ngx_dm_sec_check_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t               i, n;
    ngx_dm_sec_location_t   *location;
    ngx_dm_sec_srv_conf_t  **dscfp;

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        ngx_dm_sec_check_what_is_on(dscfp[i]);

        if (ngx_dm_sec_check_needless(cf, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        dmcf->auth |= dscfp[i]->auth;
        dmcf->on |= dscfp[i]->on;
    }

    if (ngx_dm_sec_check_needs_auth(cf, NULL, NULL, dmcf->http, dmcf->auth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!dmcf->on) {
        return ngx_dm_sec_check_off(cf, dmcf);
    }

    if (ngx_dm_sec_zone_init(cf, dmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_dm_sec_check_addresses(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_dm_sec_hash_init(dmcf);

    if (dmcf->auth && ngx_dm_sec_store_init(cf, dmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < dmcf->servers.nelts; i++) {

        if (ngx_dm_sec_hello_init_server(cf, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (dscfp[i]->on
            && ngx_dm_sec_check_server(cf, dmcf, dscfp[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        location = dscfp[i]->locations.elts;

        for (n = 0; n < dscfp[i]->locations.nelts; n++) {
            ngx_dm_sec_check_status(cf, dscfp[i], &location[n]);
        }
    }

    return ngx_dm_sec_proof_run(cf, dmcf);
}


/* who listens where, and how */
static ngx_int_t
ngx_dm_sec_check_addresses(ngx_conf_t *cf)
{
    ngx_int_t                   rc;
    ngx_uint_t                  p, a;
    ngx_http_conf_addr_t       *addr;
    ngx_http_conf_port_t       *port;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            if (addr[a].opt.ssl || ngx_dm_sec_hello_quic(&addr[a])) {
                rc = ngx_dm_sec_hello_check_address(cf, &addr[a]);

            } else {
                rc = ngx_dm_sec_upgrade_check_address(cf, &addr[a]);
            }

            if (rc != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* on nowhere, the module has no counters to show */
static ngx_int_t
ngx_dm_sec_check_off(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t               i, n;
    ngx_dm_sec_location_t   *location;
    ngx_dm_sec_srv_conf_t  **dscfp;

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        location = dscfp[i]->locations.elts;

        for (n = 0; n < dscfp[i]->locations.nelts; n++) {

            if (location[n].dlcf->status == NGX_DM_SEC_STATUS_OFF) {
                continue;
            }

            ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscfp[i],
                                location[n].clcf,
                                "\"dm_sec_status\" has nothing to show: no "
                                "server has \"dm_sec_profile\", "
                                "\"dm_sec_protocols\", \"dm_sec_ciphers\" or "
                                "\"dm_sec_auth\"");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* sets auth, on and tls of the server */
static void
ngx_dm_sec_check_what_is_on(ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i, policy;
    ngx_dm_sec_location_t  *location;

    dscf->auth = dscf->dlcf->auth;
    policy = ngx_dm_sec_policy_in_force(&dscf->dlcf->policy);

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {
        dscf->auth |= location[i].dlcf->auth;
        policy |= ngx_dm_sec_policy_in_force(&location[i].dlcf->policy);
    }

    dscf->on = (dscf->auth || policy);
    dscf->tls = (ngx_dm_sec_method_bits(dscf->auth, NGX_DM_SEC_BY_CONNECTION)
                 || policy);
}


/* also where the module is not on: what was to narrow is open then */
static ngx_int_t
ngx_dm_sec_check_needless(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    if (dscf->upgrade != NGX_DM_SEC_UPGRADE_OFF && !dscf->on) {
        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, NULL,
                            "\"dm_sec_upgrade\" needs a TLS policy to "
                            "upgrade to: write \"dm_sec_profile\", or "
                            "\"dm_sec_upgrade off\"");
        return NGX_ERROR;
    }

    /* said for a whole server, it may be meant for its locations */

    if (ngx_dm_sec_check_needs_auth(cf, dscf, NULL, dscf->dlcf, dscf->auth)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {

        if (ngx_dm_sec_check_needs_auth(cf, dscf, location[i].clcf,
                                        location[i].dlcf,
                                        location[i].dlcf->auth)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_check_server(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

#if (nginx_version < 1025001)

    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->enable) {
        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, NULL,
                            "\"ssl on\" is not supported: write "
                            "\"listen ... ssl\"");
        return NGX_ERROR;
    }

#endif

    if (ngx_dm_sec_policy_settle(cf, dscf) != NGX_OK
        || ngx_dm_sec_tls_init_server(cf, dscf) != NGX_OK
        || ngx_dm_sec_upgrade_check_server(cf, dscf) != NGX_OK
        || ngx_dm_sec_check_level(cf, dmcf, dscf, NULL, dscf->dlcf)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {

        if (ngx_dm_sec_tls_check_location(cf, dscf, &location[i]) != NGX_OK
            || ngx_dm_sec_check_level(cf, dmcf, dscf, location[i].clcf,
                                      location[i].dlcf)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_dm_sec_check_openness(cf, dscf);

    return NGX_OK;
}


/* the page tells who is locked out and how busy the fleet is */
static void
ngx_dm_sec_check_status(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    ngx_uint_t     i;
    ngx_module_t  *module;

    if (location->dlcf->status == NGX_DM_SEC_STATUS_OFF
        || location->dlcf->auth)
    {
        return;
    }

    for (i = 0; i < cf->cycle->modules_n; i++) {
        module = cf->cycle->modules[i];

        if (module->type == NGX_HTTP_MODULE
            && ngx_dm_sec_check_guards(module, location->clcf))
        {
            return;
        }
    }

    ngx_dm_sec_log_conf(NGX_LOG_WARN, cf, dscf, location->clcf,
                        "\"dm_sec_status\" is open to everybody: write "
                        "\"allow\" and \"deny\", or \"dm_sec_auth\"");
}


/*
 * 1 if the module restricts access to the location.  The first member of the
 * configurations of these is what they check: rules, a realm, a URI.
 */
static ngx_uint_t
ngx_dm_sec_check_guards(ngx_module_t *module, ngx_http_core_loc_conf_t *clcf)
{
    void                      **conf;
    ngx_http_complex_value_t   *realm;

    conf = clcf->loc_conf[module->ctx_index];

    if (ngx_strcmp(module->name, "ngx_http_access_module") == 0
        || ngx_strcmp(module->name, "ngx_http_auth_request_module") == 0)
    {
        return *conf != NULL;
    }

    if (ngx_strcmp(module->name, "ngx_http_auth_basic_module") == 0) {
        realm = *conf;
        return realm && (realm->lengths || realm->value.len != 3
                         || ngx_strncmp(realm->value.data, "off", 3) != 0);
    }

    return 0;
}


/* one server or location, by itself; clcf is NULL for a server */
static ngx_int_t
ngx_dm_sec_check_level(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    const ngx_dm_sec_method_t  *method;

    if (dlcf->plaintext_auth && ngx_dm_sec_policy_in_force(&dlcf->policy)) {
        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, clcf,
                            "\"dm_sec_plaintext_auth on\" contradicts the "
                            "TLS policy in force: behind a TLS load balancer "
                            "write \"dm_sec_profile off\"");
        return NGX_ERROR;
    }

    if (ngx_dm_sec_check_methods(cf, dscf, clcf, dlcf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (method = ngx_dm_sec_methods; method->name.len; method++) {

        if (method->settle
            && method->settle(cf, dmcf, dscf, clcf, dlcf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* what no single method can say */
static ngx_int_t
ngx_dm_sec_check_methods(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf)
{
    u_char                      *last;
    u_char                       buf[NGX_DM_SEC_METHOD_LIST];
    const ngx_dm_sec_method_t   *method;

    if (dlcf->auth == 0) {
        return NGX_OK;
    }

    if (!dscf->listens && dlcf->http_auth == 0 && dlcf->plaintext_auth) {

        for (method = ngx_dm_sec_methods;
             !(dlcf->auth & method->bit);
             method++)
        {
            /* void */
        }

        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, clcf,
                            "\"dm_sec_auth %V\" needs TLS, and the server "
                            "has no \"listen ... ssl\"", &method->name);
        return NGX_ERROR;
    }

    if (!dlcf->auth_all) {
        return NGX_OK;
    }

    if ((dlcf->auth & (dlcf->auth - 1)) == 0) {
        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, clcf,
                            "\"dm_sec_auth_all on\" needs two methods in "
                            "\"dm_sec_auth\"");
        return NGX_ERROR;
    }

    if (dlcf->http_auth & (dlcf->http_auth - 1)) {
        last = ngx_dm_sec_method_list(buf, dlcf->http_auth);

        ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, clcf,
                            "\"dm_sec_auth_all on\" cannot be satisfied with "
                            "%*s: a request has one \"Authorization\"",
                            (size_t) (last - buf), buf);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what narrows authentication must not stand where there is none */
static ngx_int_t
ngx_dm_sec_check_needs_auth(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_uint_t auth)
{
    char                       *needless, *directive;
    const ngx_dm_sec_method_t  *method;

    needless = NULL;

    if (auth == 0) {

        if (dlcf->own_groups) {
            needless = "dm_sec_groups";

        } else if (dlcf->own_device_id) {
            needless = "dm_sec_device_id";

        } else if (dlcf->own_auth_all) {
            needless = "dm_sec_auth_all";
        }
    }

    /* these narrow nothing, and in http{} may wait for their use */

    for (method = ngx_dm_sec_methods; dscf && method->name.len; method++) {

        if (method->directive && !(auth & method->bit)) {
            directive = method->directive(dlcf);
            needless = directive ? directive : needless;
        }
    }

    if (needless == NULL) {
        return NGX_OK;
    }

    ngx_dm_sec_log_conf(NGX_LOG_EMERG, cf, dscf, clcf,
                        "\"%s\" has no effect: \"dm_sec_auth\" here does not "
                        "accept a method that it needs", needless);

    return NGX_ERROR;
}


/* a location that is open because nobody said otherwise */
static void
ngx_dm_sec_check_openness(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    if (dscf->auth == 0) {
        return;
    }

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {

        if (location[i].dlcf->auth_said
            || location[i].dlcf->status
            || location[i].clcf->handler == NULL)
        {
            continue;
        }

        ngx_dm_sec_log_conf(NGX_LOG_WARN, cf, dscf, location[i].clcf,
                            "no authentication here, while other locations "
                            "of the server have it: write \"dm_sec_auth\" or, "
                            "if it is meant, \"dm_sec_auth off\"");
    }
}
