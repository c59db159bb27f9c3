/*
 * The settling of the configuration: what is on where, and what that needs.
 *
 * The order is this, since each step asks for what those before it settled:
 *
 * 1. where the module is on: if it is so nowhere, nothing else is made;
 * 2. the zone, which counts and remembers for all workers;
 * 3. the addresses, which say what servers have TLS, by which listen;
 * 4. the store, which says what hashes its accounts lack;
 * 5. each server: the callbacks of its handshakes, which every TLS server has,
 *    since the default server of an address begins those of all; then its
 *    policy, its upgrade, which offers the policy's versions, and its levels,
 *    whose methods look at the suites that the policy has set;
 * 6. the proof: handshakes with servers that are as clients will find them.
 */

#include "ngx_dm_sec_settle.h"
#include "ngx_dm_sec_beside.h"
#include "ngx_dm_sec_check.h"
#include "ngx_dm_sec_dates.h"
#include "ngx_dm_sec_expiry.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_groups.h"
#include "ngx_dm_sec_hash.h"
#include "ngx_dm_sec_hello.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_plain.h"
#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_proof.h"
#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_release.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_tls.h"
#include "ngx_dm_sec_upgrade.h"
#include "ngx_dm_sec_zone.h"


static ngx_int_t ngx_dm_sec_settle_all(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_settle_where(ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_settle_addresses(ngx_conf_t *cf);
static ngx_int_t ngx_dm_sec_settle_server(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_settle_levels(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_settle_level(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);


ngx_int_t
ngx_dm_sec_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_int_t  rc;

    rc = ngx_dm_sec_settle_all(cf, dmcf);

    ngx_dm_sec_finding_end(cf);

    return rc;
}


static ngx_int_t
ngx_dm_sec_settle_all(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t               i;
    ngx_array_t              found;
    ngx_dm_sec_srv_conf_t  **dscfp;

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        ngx_dm_sec_settle_where(dscfp[i]);

        dmcf->auth |= dscfp[i]->auth;
        dmcf->on |= dscfp[i]->on;
    }

    if (ngx_dm_sec_check_needless(cf, dmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!dmcf->on) {
        return ngx_dm_sec_check_off(cf, dmcf);
    }

    if (ngx_dm_sec_zone_init(cf, dmcf) != NGX_OK
        || ngx_dm_sec_settle_addresses(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dm_sec_hash_init(dmcf);

    if (dmcf->auth) {
        if (ngx_dm_sec_store_init(cf, dmcf) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_dm_sec_release_check(cf, dmcf);
    }

    for (i = 0; i < dmcf->servers.nelts; i++) {

        if (ngx_dm_sec_hello_init_server(cf, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (dscfp[i]->on
            && ngx_dm_sec_settle_server(cf, dmcf, dscfp[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_dm_sec_psk_settle_hint(cf, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_dm_sec_check_status(cf, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_dm_sec_dates_find(cf, dmcf, &found) != NGX_OK
        || ngx_dm_sec_expiry_check(cf, &found) != NGX_OK
        || ngx_dm_sec_dates_settle(cf, dmcf, &found) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_dm_sec_proof_run(cf, dmcf);
}


/* sets auth, on and tls of the server */
static void
ngx_dm_sec_settle_where(ngx_dm_sec_srv_conf_t *dscf)
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


/* finds out which servers have TLS, and tells their addresses of it */
static ngx_int_t
ngx_dm_sec_settle_addresses(ngx_conf_t *cf)
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
                rc = ngx_dm_sec_hello_settle_address(cf, &addr[a]);

            } else {
                rc = ngx_dm_sec_upgrade_settle_address(cf, &addr[a]);
                ngx_dm_sec_plain_note(&addr[a]);
            }

            if (rc != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_settle_server(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf)
{
    if (ngx_dm_sec_check_server(cf, dscf) != NGX_OK
        || ngx_dm_sec_policy_settle(cf, dscf) != NGX_OK
        || ngx_dm_sec_tls_init_server(cf, dscf) != NGX_OK
        || ngx_dm_sec_upgrade_settle_server(cf, dscf) != NGX_OK
        || ngx_dm_sec_settle_levels(cf, dmcf, dscf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_dm_sec_check_openness(cf, dscf);
    ngx_dm_sec_plain_check(cf, dscf);
    ngx_dm_sec_beside_check(cf, dscf);

    return NGX_OK;
}


/* settles the server by itself, then each of its locations */
static ngx_int_t
ngx_dm_sec_settle_levels(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t              i;
    ngx_dm_sec_location_t  *location;

    if (ngx_dm_sec_settle_level(cf, dmcf, dscf, NULL, dscf->dlcf) != NGX_OK) {
        return NGX_ERROR;
    }

    location = dscf->locations.elts;

    for (i = 0; i < dscf->locations.nelts; i++) {

        if (ngx_dm_sec_tls_check_location(cf, dscf, &location[i]) != NGX_OK
            || ngx_dm_sec_settle_level(cf, dmcf, dscf, location[i].clcf,
                                       location[i].dlcf)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a level is a server or a location; clcf is NULL for a server */
static ngx_int_t
ngx_dm_sec_settle_level(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    const ngx_dm_sec_method_t  *method;

    if (ngx_dm_sec_check_level(cf, dscf, clcf, dlcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_dm_sec_groups_check(cf, dmcf, dscf, clcf, dlcf);

    for (method = ngx_dm_sec_methods; method->name.len; method++) {

        if (method->settle
            && method->settle(cf, dmcf, dscf, clcf, dlcf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
