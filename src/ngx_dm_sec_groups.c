/* The groups that "dm_sec_groups" names, and whether anybody is in them */

#include "ngx_dm_sec_groups.h"
#include "ngx_dm_sec_finding.h"

#include "dm_store_count.h"


static ngx_int_t ngx_dm_sec_groups_add(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_loc_conf_t *dlcf);
static ngx_uint_t ngx_dm_sec_groups_find(ngx_dm_sec_main_conf_t *dmcf,
    ngx_str_t *name);


ngx_int_t
ngx_dm_sec_groups_collect(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t               i, n;
    ngx_dm_sec_location_t   *location;
    ngx_dm_sec_srv_conf_t  **dscfp;

    if (ngx_array_init(&dmcf->groups, cf->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {

        if (ngx_dm_sec_groups_add(dmcf, dscfp[i]->dlcf) != NGX_OK) {
            return NGX_ERROR;
        }

        location = dscfp[i]->locations.elts;

        for (n = 0; n < dscfp[i]->locations.nelts; n++) {
            if (ngx_dm_sec_groups_add(dmcf, location[n].dlcf) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* adds those that are not there yet */
static ngx_int_t
ngx_dm_sec_groups_add(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_str_t   *name, *group;
    ngx_uint_t   i;

    if (dlcf->groups == NULL) {
        return NGX_OK;
    }

    name = dlcf->groups->elts;

    for (i = 0; i < dlcf->groups->nelts; i++) {

        if (dmcf->groups.nelts == NGX_DM_SEC_GROUPS_MAX
            || ngx_dm_sec_groups_find(dmcf, &name[i]) < dmcf->groups.nelts)
        {
            continue;
        }

        group = ngx_array_push(&dmcf->groups);
        if (group == NULL) {
            return NGX_ERROR;
        }

        *group = name[i];
    }

    return NGX_OK;
}


/* the index of the group; dmcf->groups.nelts: it is not there */
static ngx_uint_t
ngx_dm_sec_groups_find(ngx_dm_sec_main_conf_t *dmcf, ngx_str_t *name)
{
    ngx_str_t   *group;
    ngx_uint_t   i;

    group = dmcf->groups.elts;

    for (i = 0; i < dmcf->groups.nelts; i++) {
        if (group[i].len == name->len
            && ngx_memcmp(group[i].data, name->data, name->len) == 0)
        {
            break;
        }
    }

    return i;
}


void
ngx_dm_sec_groups_count(ngx_dm_sec_main_conf_t *dmcf, dm_store_t *store,
    u_char nobody[NGX_DM_SEC_GROUPS_MAX / 8])
{
    dm_err_t     err;
    uint64_t     n;
    ngx_str_t   *group;
    ngx_uint_t   i;

    group = dmcf->groups.elts;

    for (i = 0; i < dmcf->groups.nelts; i++) {

        if (dm_store_count_group(store, ngx_dm_sec_set_dm_str(group[i]), &n,
                                 &err)
            == DM_OK
            && n == 0)
        {
            nobody[i / 8] |= 1 << i % 8;
        }
    }
}


void
ngx_dm_sec_groups_check(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_str_t   *name;
    ngx_uint_t   i, n;

    if (!dlcf->own_groups) {
        return;
    }

    name = dlcf->groups->elts;

    for (i = 0; i < dlcf->groups->nelts; i++) {
        n = ngx_dm_sec_groups_find(dmcf, &name[i]);

        if (n == dmcf->groups.nelts || !(dmcf->nobody[n / 8] & 1 << n % 8)) {
            continue;
        }

        ngx_dm_sec_finding(NGX_LOG_WARN, cf, dscf, clcf,
                           "no account is in group \"%V\" of "
                           "\"dm_sec_groups\": write another one, or put "
                           "accounts into it, \"dm-account set ID "
                           "--add-group %V\"", &name[i], &name[i]);
    }
}
