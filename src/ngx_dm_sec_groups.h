/* The groups that "dm_sec_groups" names, and whether anybody is in them */

#ifndef NGX_DM_SEC_GROUPS_H
#define NGX_DM_SEC_GROUPS_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_GROUPS_MAX  1024     /* that are looked for */


/* collects those of all servers, for the child that reads the store */
ngx_int_t ngx_dm_sec_groups_collect(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);

/*
 * Sets the bit of each group that no account has, in nobody[]; where the store
 * does not count them, of none.
 */
void ngx_dm_sec_groups_count(ngx_dm_sec_main_conf_t *dmcf, dm_store_t *store,
    u_char nobody[NGX_DM_SEC_GROUPS_MAX / 8]);

/* warns of those with a bit that the level itself names */
void ngx_dm_sec_groups_check(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf);


#endif /* NGX_DM_SEC_GROUPS_H */
