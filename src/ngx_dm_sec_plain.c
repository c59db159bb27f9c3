/* Findings of "nginx -t": listeners without TLS, where it is needed */

#include "ngx_dm_sec_plain.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_foreign.h"


static ngx_uint_t ngx_dm_sec_plain_level(ngx_conf_t *cf, void **loc_conf,
    ngx_dm_sec_loc_conf_t *dlcf);
static void ngx_dm_sec_plain_only(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf);
static void ngx_dm_sec_plain_too(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);


void
ngx_dm_sec_plain_note(ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                   s;
    ngx_dm_sec_srv_conf_t       *dscf;
    ngx_http_core_srv_conf_t   **cscfp;

    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {

        dscf = cscfp[s]->ctx->srv_conf[ngx_dm_sec_module.ctx_index];

        if (dscf->upgrade != NGX_DM_SEC_UPGRADE_OFF) {
            continue;
        }

        if (dscf->plain == NULL) {
            dscf->plain = &addr->opt.addr_text;
        }

        if (ngx_inet_get_port(addr->opt.sockaddr) == 443) {
            dscf->plain_443 = &addr->opt.addr_text;
        }
    }
}


/*
 * A location that inherits what refuses its requests is not named beside the
 * server, which is the place to mend it.
 */
void
ngx_dm_sec_plain_check(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    void                   **loc_conf;
    ngx_uint_t               i, n, whole;
    ngx_dm_sec_location_t   *location;

    loc_conf = dscf->cscf->ctx->loc_conf;

    if (dscf->plain == NULL
        || (ngx_dm_sec_foreign_rewrite(cf, loc_conf)
            & (NGX_DM_SEC_FOREIGN_ANSWERS|NGX_DM_SEC_FOREIGN_REDIRECTS)))
    {
        return;
    }

    n = 0;
    whole = ngx_dm_sec_plain_level(cf, loc_conf, dscf->dlcf);
    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {

        if (location[i].clcf->noname
            || !ngx_dm_sec_plain_level(cf, location[i].clcf->loc_conf,
                                       location[i].dlcf))
        {
            continue;
        }

        n++;

        if (!whole && !dscf->listens) {
            ngx_dm_sec_plain_only(cf, dscf, location[i].clcf,
                                  location[i].dlcf);
        }
    }

    if (n == 0 && (!whole || dscf->locations.nelts)) {
        return;
    }

    if (dscf->listens) {
        ngx_dm_sec_plain_too(cf, dscf);

    } else if (whole) {
        ngx_dm_sec_plain_only(cf, dscf, NULL, dscf->dlcf);
    }
}


/* 1 if a request without TLS is refused here, and not answered before that */
static ngx_uint_t
ngx_dm_sec_plain_level(ngx_conf_t *cf, void **loc_conf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    if (!ngx_dm_sec_policy_in_force(&dlcf->policy)
        && (dlcf->auth == 0 || dlcf->plaintext_auth))
    {
        return 0;
    }

    return !(ngx_dm_sec_foreign_rewrite(cf, loc_conf)
             & (NGX_DM_SEC_FOREIGN_ANSWERS|NGX_DM_SEC_FOREIGN_REDIRECTS));
}


/* the server has no listener with TLS at all */
static void
ngx_dm_sec_plain_only(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf)
{
    if (ngx_dm_sec_policy_in_force(&dlcf->policy)) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "a TLS policy is in force, and \"listen\" of %V "
                           "has no \"ssl\": each request is refused; write "
                           "\"listen ... ssl\" or, where no TLS is meant, "
                           "\"dm_sec_profile off\"", dscf->plain);
        return;
    }

    if (dlcf->http_auth == 0) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "\"dm_sec_auth\" needs TLS here, and \"listen\" of "
                           "%V has no \"ssl\": each request is refused; write "
                           "\"listen ... ssl\"", dscf->plain);
        return;
    }

    ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                       "\"dm_sec_auth\" needs TLS, and \"listen\" of %V has no "
                       "\"ssl\": each request is refused; write \"listen ... "
                       "ssl\" or, behind a load balancer that terminates TLS, "
                       "\"dm_sec_plaintext_auth on\"", dscf->plain);
}


/* it has one with TLS, and one without */
static void
ngx_dm_sec_plain_too(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    if (dscf->dlcf->plaintext_said) {
        return;
    }

    if (dscf->plain_443) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                           "\"listen\" of %V has no \"ssl\": requests there "
                           "are refused; write \"ssl\" or, if it is meant, "
                           "\"dm_sec_plaintext_auth off\"", dscf->plain_443);
        return;
    }

    ngx_dm_sec_finding(NGX_LOG_NOTICE, cf, dscf, NULL,
                       "what needs TLS is refused on \"listen\" of %V, which "
                       "has no \"ssl\": if it is meant, write "
                       "\"dm_sec_plaintext_auth off\"", dscf->plain);
}
