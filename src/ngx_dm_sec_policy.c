/* The TLS policy of a level of the configuration: which versions and suites */

#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_finding.h"


/* the end of each message that this OpenSSL lacks SSL 3.0, RC4 or 3DES */
#define NGX_DM_SEC_MAKE_LEGACY                                                \
    "; \"make legacy\" builds one that can (docs/ssl3.md)"


static ngx_uint_t ngx_dm_sec_policy_is_off(ngx_conf_t *cf);
static char *ngx_dm_sec_policy_no_off(ngx_conf_t *cf);
static char *ngx_dm_sec_policy_versions(ngx_conf_t *cf, unsigned versions);
static char *ngx_dm_sec_policy_legacy(ngx_conf_t *cf);
static ngx_uint_t ngx_dm_sec_policy_is_ssl3(const char *name);
static const char *ngx_dm_sec_policy_hint(const char *name);
static char *ngx_dm_sec_policy_add_list(ngx_conf_t *cf, ngx_array_t *suites,
    const char *const *list, const char *name);
static char *ngx_dm_sec_policy_add_suite(ngx_conf_t *cf, ngx_array_t *suites,
    ngx_str_t *name);
static ngx_int_t ngx_dm_sec_policy_push(ngx_array_t *suites,
    const dm_suite_t *suite, ngx_dm_sec_wanted_e wanted);
static ngx_int_t ngx_dm_sec_policy_settle_level(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_policy_t *policy);
static ngx_int_t ngx_dm_sec_policy_filter(ngx_array_t *from, ngx_array_t *to,
    ngx_uint_t psk, ngx_dm_sec_wanted_e least);


char *
ngx_dm_sec_policy_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    char                   *rv;
    dm_str_t                list;
    ngx_str_t              *value;
    ngx_uint_t              i, n;
    ngx_array_t            *suites;
    ngx_dm_sec_policy_t    *policy;
    const dm_profile_t     *profile;

    policy = &dlcf->policy;

    if (policy->profile_versions != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    policy->profile_versions = 0;
    policy->profile_suites = NULL;

    if (ngx_dm_sec_policy_is_off(cf)) {
        return ngx_dm_sec_policy_no_off(cf);
    }

    suites = ngx_array_create(cf->pool, 16, sizeof(ngx_dm_sec_suite_t));
    if (suites == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        profile = dm_profile_by_name(ngx_dm_sec_set_dm_str(value[i]));

        if (profile == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": the profiles are "
                               "dm20, dm20-ssl3, modern and off", &value[i]);
            return NGX_CONF_ERROR;
        }

        rv = ngx_dm_sec_policy_versions(cf, profile->versions);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        policy->profile_versions |= profile->versions;

        for (n = 0; profile->lists[n]; n++) {
            list.data = (const u_char *) profile->lists[n];
            list.len = ngx_strlen(profile->lists[n]);

            rv = ngx_dm_sec_policy_add_list(cf, suites, dm_suite_list(list),
                                            profile->lists[n]);
            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }
    }

    policy->profile_suites = suites;

    return NGX_CONF_OK;
}


char *
ngx_dm_sec_policy_protocols(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_uint_t              i, bit;
    ngx_dm_sec_policy_t    *policy;

    policy = &dlcf->policy;

    if (policy->own_versions != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    policy->own_versions = 0;

    if (ngx_dm_sec_policy_is_off(cf)) {
        return ngx_dm_sec_policy_no_off(cf);
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        bit = dm_version_by_name(ngx_dm_sec_set_dm_str(value[i]));

        if (bit == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": the versions are "
                               "SSLv3, TLSv1, TLSv1.1, TLSv1.2, TLSv1.3 "
                               "and off", &value[i]);
            return NGX_CONF_ERROR;
        }

        rv = ngx_dm_sec_policy_versions(cf, bit);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        policy->own_versions |= bit;
    }

    return NGX_CONF_OK;
}


char *
ngx_dm_sec_policy_ciphers(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_array_t            *suites;
    const char *const      *list;

    if (dlcf->policy.own_suites != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    dlcf->policy.own_suites = NULL;

    if (ngx_dm_sec_policy_is_off(cf)) {
        return ngx_dm_sec_policy_no_off(cf);
    }

    suites = ngx_array_create(cf->pool, 16, sizeof(ngx_dm_sec_suite_t));
    if (suites == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_dm_sec_policy_is_ssl3((char *) value[i].data)) {
            rv = ngx_dm_sec_policy_legacy(cf);
            if (rv != NGX_CONF_OK) {
                return rv;
            }
        }

        list = dm_suite_list(ngx_dm_sec_set_dm_str(value[i]));

        if (list) {
            rv = ngx_dm_sec_policy_add_list(cf, suites, list,
                                            (char *) value[i].data);

        } else {
            rv = ngx_dm_sec_policy_add_suite(cf, suites, &value[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    dlcf->policy.own_suites = suites;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_dm_sec_policy_is_off(ngx_conf_t *cf)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_strcmp(value[i].data, "off") == 0) {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_dm_sec_policy_no_off(ngx_conf_t *cf)
{
    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    return "takes \"off\" alone, without other parameters";
}


static char *
ngx_dm_sec_policy_versions(ngx_conf_t *cf, unsigned versions)
{
    unsigned  missing;

    missing = versions & ~dm_version_available();

    if (missing == 0) {
        return (versions & DM_SSLV3) ? ngx_dm_sec_policy_legacy(cf)
                                     : NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "%s is not available: this OpenSSL (%s) cannot "
                       "negotiate it%s",
                       dm_version_name(missing & (~missing + 1)),
                       OpenSSL_version(OPENSSL_VERSION),
                       (missing & DM_SSLV3) ? NGX_DM_SEC_MAKE_LEGACY : "");

    return NGX_CONF_ERROR;
}


/*
 * Loads OpenSSL's legacy provider, with the ciphers that SSL 3.0 needs, and
 * only where SSL 3.0 is asked for.  The provider must be loaded before the
 * server configurations are merged: an SSL_CTX keeps the ciphers that it was
 * made with.
 */
static char *
ngx_dm_sec_policy_legacy(ngx_conf_t *cf)
{
    dm_err_t  err;

    if (!(dm_version_available() & DM_SSLV3)
        || dm_suite_load_legacy(&err) == DM_OK)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err.text);

    return NGX_CONF_ERROR;
}


/* 1 if the list or the suite is for SSL 3.0 only, else 0 */
static ngx_uint_t
ngx_dm_sec_policy_is_ssl3(const char *name)
{
    return ngx_strcmp(name, "DM-SSL3") == 0
           || ngx_strstr(name, "RC4")
           || ngx_strstr(name, "3DES")          /* IANA's name */
           || ngx_strstr(name, "DES-CBC3");     /* OpenSSL's */
}


static const char *
ngx_dm_sec_policy_hint(const char *name)
{
    if (dm_version_available() & DM_SSLV3) {
        return "";
    }

    return ngx_dm_sec_policy_is_ssl3(name) ? NGX_DM_SEC_MAKE_LEGACY : "";
}


static char *
ngx_dm_sec_policy_add_list(ngx_conf_t *cf, ngx_array_t *suites,
    const char *const *list, const char *name)
{
    dm_str_t              iana;
    const dm_suite_t     *suite;
    ngx_dm_sec_wanted_e   wanted;

    wanted = ngx_strcmp(name, "MODERN") == 0 ? NGX_DM_SEC_CHOICE
                                             : NGX_DM_SEC_LISTED;

    for ( /* void */ ; *list; list++) {

        iana.data = (const u_char *) *list;
        iana.len = ngx_strlen(*list);

        suite = dm_suite_by_name(iana);

        if (suite == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "suite \"%s\" of \"%s\" is not available: "
                               "this OpenSSL (%s) cannot negotiate it%s",
                               *list, name,
                               OpenSSL_version(OPENSSL_VERSION),
                               ngx_dm_sec_policy_hint(name));
            return NGX_CONF_ERROR;
        }

        if (ngx_dm_sec_policy_push(suites, suite, wanted) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_dm_sec_policy_add_suite(ngx_conf_t *cf, ngx_array_t *suites,
    ngx_str_t *name)
{
    const dm_suite_t  *suite;

    suite = dm_suite_by_name(ngx_dm_sec_set_dm_str(*name));

    if (suite == NULL && dm_suite_forbidden(ngx_dm_sec_set_dm_str(*name))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "suite \"%V\" is refused: it does not encrypt, "
                           "does not authenticate or is of export strength",
                           name);
        return NGX_CONF_ERROR;
    }

    if (suite == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": it is no list (DM-X509, "
                           "DM-PSK, DM-TLS11, DM-SSL3, MODERN), and no suite "
                           "that this OpenSSL (%s) can negotiate%s",
                           name, OpenSSL_version(OPENSSL_VERSION),
                           ngx_dm_sec_policy_hint((char *) name->data));
        return NGX_CONF_ERROR;
    }

    if (ngx_dm_sec_policy_push(suites, suite, NGX_DM_SEC_NAMED) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* a suite that two lists have keeps its first place */
static ngx_int_t
ngx_dm_sec_policy_push(ngx_array_t *suites, const dm_suite_t *suite,
    ngx_dm_sec_wanted_e wanted)
{
    ngx_uint_t           i;
    ngx_dm_sec_suite_t  *elt;

    elt = suites->elts;

    for (i = 0; i < suites->nelts; i++) {
        if (elt[i].suite == suite) {
            elt[i].wanted = ngx_max(elt[i].wanted, wanted);
            return NGX_OK;
        }
    }

    elt = ngx_array_push(suites);
    if (elt == NULL) {
        return NGX_ERROR;
    }

    elt->suite = suite;
    elt->wanted = wanted;

    return NGX_OK;
}


void
ngx_dm_sec_policy_create(ngx_dm_sec_policy_t *policy)
{
    policy->profile_versions = NGX_CONF_UNSET_UINT;
    policy->own_versions = NGX_CONF_UNSET_UINT;
    policy->own_suites = NGX_CONF_UNSET_PTR;

    /* set by ngx_pcalloc(): profile_suites, versions, suites, listed */
}


void
ngx_dm_sec_policy_merge(ngx_dm_sec_policy_t *policy,
    ngx_dm_sec_policy_t *prev)
{
    if (prev) {
        policy->versions = prev->versions;
        policy->suites = prev->suites;
        policy->listed = prev->listed;
        policy->worded = prev->worded;
    }

    if (policy->profile_versions != NGX_CONF_UNSET_UINT) {
        policy->versions = policy->profile_versions;
        policy->suites = policy->profile_suites;
        policy->listed = 0;
        policy->worded = 0;
    }

    if (policy->own_versions != NGX_CONF_UNSET_UINT) {
        policy->versions = policy->own_versions;
        policy->worded = 1;
    }

    if (policy->own_suites != NGX_CONF_UNSET_PTR) {
        policy->suites = policy->own_suites;
        policy->listed = 1;
    }
}


ngx_int_t
ngx_dm_sec_policy_settle(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_array_t            *suites;
    ngx_dm_sec_policy_t    *policy;
    ngx_dm_sec_location_t  *location;

    suites = dscf->dlcf->policy.suites;

    if (ngx_dm_sec_policy_settle_level(cf, dscf, NULL, &dscf->dlcf->policy)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {
        policy = &location[i].dlcf->policy;

        if (policy->suites == suites) {
            policy->suites = dscf->dlcf->policy.suites;
            continue;
        }

        if (ngx_dm_sec_policy_settle_level(cf, dscf, location[i].clcf, policy)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* an array of suites is shared with other servers: it is not changed */
static ngx_int_t
ngx_dm_sec_policy_settle_level(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_policy_t *policy)
{
    ngx_int_t     rc;
    ngx_uint_t    psk;
    ngx_array_t  *suites;

    psk = dscf->auth & NGX_DM_SEC_PSK;

    if (policy->suites == NULL || (psk && policy->listed)) {
        return NGX_OK;
    }

    suites = ngx_array_create(cf->pool, policy->suites->nelts,
                              sizeof(ngx_dm_sec_suite_t));
    if (suites == NULL) {
        return NGX_ERROR;
    }

    /* one that was asked for by name stays, and is found to be impossible */

    rc = ngx_dm_sec_policy_filter(policy->suites, suites, 1,
                                  psk ? NGX_DM_SEC_CHOICE : NGX_DM_SEC_NAMED);

    if (rc != NGX_OK
        || ngx_dm_sec_policy_filter(policy->suites, suites, 0,
                                    NGX_DM_SEC_CHOICE)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (suites->nelts == 0) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_ciphers\" names no suite that can be "
                           "negotiated: those of \"DM-PSK\" need \"psk\" in "
                           "\"dm_sec_auth\"");
        return NGX_ERROR;
    }

    if (policy->suites == policy->own_suites) {
        policy->own_suites = suites;
    }

    policy->suites = suites;

    return NGX_OK;
}


/* appends the suites with a pre-shared key, or those without */
static ngx_int_t
ngx_dm_sec_policy_filter(ngx_array_t *from, ngx_array_t *to, ngx_uint_t psk,
    ngx_dm_sec_wanted_e least)
{
    ngx_uint_t           i;
    ngx_dm_sec_suite_t  *elt;

    elt = from->elts;

    for (i = 0; i < from->nelts; i++) {

        if (!(elt[i].suite->auth & DM_AUTH_PSK) == !psk
            && elt[i].wanted >= least
            && ngx_dm_sec_policy_push(to, elt[i].suite, elt[i].wanted)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_dm_sec_policy_has(ngx_array_t *suites, ngx_uint_t id)
{
    ngx_uint_t           i;
    ngx_dm_sec_suite_t  *elt;

    elt = suites->elts;

    for (i = 0; i < suites->nelts; i++) {
        if (elt[i].suite->id == id) {
            return 1;
        }
    }

    return 0;
}
