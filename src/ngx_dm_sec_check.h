/* Findings of "nginx -t": conflicts between directives and between levels */

#ifndef NGX_DM_SEC_CHECK_H
#define NGX_DM_SEC_CHECK_H


#include "ngx_dm_sec.h"


/*
 * These find contradictions, and settle nothing: see ngx_dm_sec_settle().
 * NGX_OK or NGX_ERROR, logged; void: they warn.
 */

/*
 * Refuses what is to narrow authentication where there is none, also where the
 * module is not on: what was to be narrowed would be open.
 */
ngx_int_t ngx_dm_sec_check_needless(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);

/* refuses a status page where the module is on nowhere: it has no counters */
ngx_int_t ngx_dm_sec_check_off(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);

/* looks at one server, before its policy is settled */
ngx_int_t ngx_dm_sec_check_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/* looks at a server, clcf is NULL then, or a location by itself */
ngx_int_t ngx_dm_sec_check_level(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);

/* warns of locations that are open because nobody said otherwise */
void ngx_dm_sec_check_openness(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf);

/*
 * Refuses a status page in whose place another module answers, and warns of
 * those that everybody can see: they tell who is locked out and how busy the
 * fleet is.
 */
ngx_int_t ngx_dm_sec_check_status(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);


#endif /* NGX_DM_SEC_CHECK_H */
