/* Findings of "nginx -t": conflicts between directives and between levels */

#include "ngx_dm_sec_check.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_foreign.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_status.h"


static ngx_int_t ngx_dm_sec_check_needless_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_check_needs_auth(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_uint_t auth);
static ngx_int_t ngx_dm_sec_check_methods(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_check_status_page(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);


ngx_int_t
ngx_dm_sec_check_needless(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t               i;
    ngx_dm_sec_srv_conf_t  **dscfp;

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        if (ngx_dm_sec_check_needless_server(cf, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_dm_sec_check_needs_auth(cf, NULL, NULL, dmcf->http, dmcf->auth);
}


static ngx_int_t
ngx_dm_sec_check_needless_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    if (dscf->upgrade != NGX_DM_SEC_UPGRADE_OFF && !dscf->on) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
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


ngx_int_t
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

            ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscfp[i],
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


ngx_int_t
ngx_dm_sec_check_server(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
#if (nginx_version < 1025001)

    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->enable) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"ssl on\" is not supported: write "
                           "\"listen ... ssl\"");
        return NGX_ERROR;
    }

#endif

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_check_status(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {
        if (ngx_dm_sec_check_status_page(cf, dscf, &location[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_check_status_page(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    if (location->dlcf->status == NGX_DM_SEC_STATUS_OFF) {
        return NGX_OK;
    }

    if (location->clcf->handler != ngx_dm_sec_status_handler) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, location->clcf,
                           "\"dm_sec_status\" stands before a directive that "
                           "answers too, such as \"proxy_pass\": leave one "
                           "of them out");
        return NGX_ERROR;
    }

    if (location->dlcf->auth
        || ngx_dm_sec_foreign_guards(cf, location->clcf->loc_conf))
    {
        return NGX_OK;
    }

    ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, location->clcf,
                       "\"dm_sec_status\" is open to everybody: write "
                       "\"allow ADDRESS\" and \"deny all\", or "
                       "\"dm_sec_auth basic\"");

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_check_level(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf)
{
    if (dlcf->plaintext_auth && ngx_dm_sec_policy_in_force(&dlcf->policy)) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_plaintext_auth on\" contradicts the "
                           "TLS policy in force: behind a TLS load balancer "
                           "write \"dm_sec_profile off\"");
        return NGX_ERROR;
    }

    return ngx_dm_sec_check_methods(cf, dscf, clcf, dlcf);
}


/* finds what no single method can find */
static ngx_int_t
ngx_dm_sec_check_methods(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf)
{
    u_char                      *last;
    u_char                       buf[NGX_MAX_CONF_ERRSTR];
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

        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth %V\" needs TLS, and the server "
                           "has no \"listen ... ssl\"", &method->name);
        return NGX_ERROR;
    }

    if (!dlcf->auth_all) {
        return NGX_OK;
    }

    if ((dlcf->auth & (dlcf->auth - 1)) == 0) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth_all on\" needs two methods in "
                           "\"dm_sec_auth\"");
        return NGX_ERROR;
    }

    if (dlcf->http_auth & (dlcf->http_auth - 1)) {
        last = ngx_dm_sec_method_list(buf, buf + sizeof(buf), dlcf->http_auth);

        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth_all on\" cannot be satisfied with "
                           "%*s: a request has one \"Authorization\"",
                           (size_t) (last - buf), buf);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* refuses what narrows authentication where there is none */
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

    ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                       "\"%s\" has no effect: \"dm_sec_auth\" here does not "
                       "accept a method that it needs", needless);

    return NGX_ERROR;
}


void
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

        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, location[i].clcf,
                           "no authentication here, while other locations "
                           "of the server have it: write \"dm_sec_auth\" or, "
                           "if it is meant, \"dm_sec_auth off\"");
    }
}
