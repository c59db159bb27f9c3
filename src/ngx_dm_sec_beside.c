/* Findings of "nginx -t": directives of other modules beside a guarded place */

#include "ngx_dm_sec_beside.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_foreign.h"
#include "ngx_dm_sec_identity.h"


static void ngx_dm_sec_beside_location(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);
static void ngx_dm_sec_beside_rewrite(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf);
static void ngx_dm_sec_beside_identity(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);
static void ngx_dm_sec_beside_error_page(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);
static void ngx_dm_sec_beside_headers(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);


void
ngx_dm_sec_beside_check(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    if (dscf->auth == 0) {
        return;
    }

    ngx_dm_sec_beside_rewrite(cf, dscf, NULL);

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {
        if (location[i].dlcf->auth) {
            ngx_dm_sec_beside_location(cf, dscf, &location[i]);
        }

        ngx_dm_sec_beside_identity(cf, dscf, &location[i]);
    }
}


/* an identity that nobody has verified, with authentication or without */
static void
ngx_dm_sec_beside_identity(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    ngx_str_t  *directive, key, value;

    directive = ngx_dm_sec_foreign_sets_header(cf, location->clcf->loc_conf,
                                               ngx_dm_sec_identity_is_other,
                                               &key, &value);

    if (directive) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, location->clcf,
                           "\"%V %V\" tells the server behind \"%V\" in the "
                           "place of the identity that was verified: leave it "
                           "out", directive, &key, &value);
    }
}


static void
ngx_dm_sec_beside_location(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = location->clcf;

    /* "if" has the codes of its location; the others are led to from one */

    if (!clcf->noname && !clcf->named && !clcf->internal) {
        ngx_dm_sec_beside_rewrite(cf, dscf, clcf);
    }

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && ngx_dm_sec_foreign_allows_all(cf, clcf->loc_conf))
    {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "\"satisfy any\" with an \"allow\" of most "
                           "addresses lets everybody in: write \"satisfy "
                           "all\", or \"allow ADDRESS\" and \"deny all\"; "
                           "where everybody is meant, \"dm_sec_auth off\"");
    }

    if (location->dlcf->http_auth
        && ngx_dm_sec_foreign_auth_basic(cf, clcf->loc_conf))
    {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "\"auth_basic\" looks at the same "
                           "\"Authorization\" as \"dm_sec_auth\", for users "
                           "of its own: write \"auth_basic off\", or "
                           "\"dm_sec_auth off\"");
    }

    if (location->dlcf->identity_headers == NGX_DM_SEC_HEADERS_ON) {
        ngx_dm_sec_beside_headers(cf, dscf, location);
    }

    ngx_dm_sec_beside_error_page(cf, dscf, location);
}


/* a refusal that nginx answers with another status than it has */
static void
ngx_dm_sec_beside_error_page(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    ngx_uint_t            i;
    ngx_http_err_page_t  *page;

    if (location->clcf->error_pages == NULL) {
        return;
    }

    page = location->clcf->error_pages->elts;

    for (i = 0; i < location->clcf->error_pages->nelts; i++) {

        if (page[i].overwrite == -1 || page[i].overwrite == page[i].status) {
            continue;
        }

        if (page[i].status == NGX_HTTP_UNAUTHORIZED
            && location->dlcf->http_auth)
        {
            ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, location->clcf,
                               "\"error_page 401 =\" takes the status from the "
                               "answer that asks a device for its password: "
                               "write \"error_page 401 /URI\", without \"=\"");
            return;
        }

        if (page[i].status == NGX_HTTP_FORBIDDEN
            && page[i].overwrite != 0 && page[i].overwrite < 400)
        {
            ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, location->clcf,
                               "\"error_page 403 =%i\" answers a device that "
                               "is refused as if it were let in: write "
                               "\"error_page 403 /URI\", without \"=\"",
                               page[i].overwrite);
            return;
        }
    }
}


/* a redirect under a condition is mostly one to TLS, and tells nothing */
static void
ngx_dm_sec_beside_rewrite(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf)
{
    void        **loc_conf;
    ngx_uint_t    bits;

    loc_conf = clcf ? clcf->loc_conf : dscf->cscf->ctx->loc_conf;
    bits = ngx_dm_sec_foreign_rewrite(cf, loc_conf);

    if (!(bits & NGX_DM_SEC_FOREIGN_ANSWERS)
        && ((bits & NGX_DM_SEC_FOREIGN_IF)
            || !(bits & NGX_DM_SEC_FOREIGN_REDIRECTS)))
    {
        return;
    }

    if (clcf == NULL) {
        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, NULL,
                           "\"return\" or \"rewrite\" of the server answers "
                           "before \"dm_sec_auth\" of its locations is asked: "
                           "write it in a location with \"dm_sec_auth off\"");
        return;
    }

    ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                       "\"return\" or \"rewrite\" answers before "
                       "\"dm_sec_auth\" is asked: write it in a named "
                       "location, and \"try_files /none @name\" here; where "
                       "everybody is to be answered, \"dm_sec_auth off\"");
}


static void
ngx_dm_sec_beside_headers(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_location_t *location)
{
    ngx_str_t  *directive;

    directive = ngx_dm_sec_foreign_keeps_headers(cf, location->clcf->loc_conf);

    if (directive == NULL) {
        return;
    }

    ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, location->clcf,
                       "\"%V off\" keeps the headers with the identity from "
                       "the server behind: write \"%V on\" or, where they "
                       "are set otherwise or not wanted, "
                       "\"dm_sec_identity_headers off\"", directive,
                       directive);
}
