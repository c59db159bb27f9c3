/* The child that reads the store for the master */

#ifndef NGX_DM_SEC_PEEK_H
#define NGX_DM_SEC_PEEK_H


#include "ngx_dm_sec.h"


/*
 * Reads what the configuration has to know of the store, in a child that has
 * the workers' user: a damaged or a forged store can kill the child, and not
 * the master.  dmcf->keys are those that the master read.  NGX_OK, and
 * dmcf->realm and what accounts lack are set; NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_peek(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);


#endif /* NGX_DM_SEC_PEEK_H */
