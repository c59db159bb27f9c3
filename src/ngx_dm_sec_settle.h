/* The settling of the configuration: what is on where, and what that needs */

#ifndef NGX_DM_SEC_SETTLE_H
#define NGX_DM_SEC_SETTLE_H


#include "ngx_dm_sec.h"


/*
 * Settles the whole configuration after the merge: finds out where the module
 * is on, dmcf->on, refuses what contradicts itself, and makes what is needed
 * at run time.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);


#endif /* NGX_DM_SEC_SETTLE_H */
