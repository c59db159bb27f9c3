/* Findings of "nginx -t": listeners without TLS, where it is needed */

#ifndef NGX_DM_SEC_PLAIN_H
#define NGX_DM_SEC_PLAIN_H


#include "ngx_dm_sec.h"


/* notes for its servers that the address has no TLS, and no upgrade to it */
void ngx_dm_sec_plain_note(ngx_http_conf_addr_t *addr);

/*
 * Warns where what comes to the server without TLS is refused, each request
 * of a location or all that come to a listener.
 */
void ngx_dm_sec_plain_check(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf);


#endif /* NGX_DM_SEC_PLAIN_H */
