/* Findings of "nginx -t": directives of other modules beside a guarded place */

#ifndef NGX_DM_SEC_BESIDE_H
#define NGX_DM_SEC_BESIDE_H


#include "ngx_dm_sec.h"


/*
 * Warns of other modules' directives that let requests in, or that keep from
 * the server behind who they are of: at a server and each of its locations.
 */
void ngx_dm_sec_beside_check(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf);


#endif /* NGX_DM_SEC_BESIDE_H */
