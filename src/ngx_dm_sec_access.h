/* The decision: what all methods that a location asks make of a request */

#ifndef NGX_DM_SEC_ACCESS_H
#define NGX_DM_SEC_ACCESS_H


#include "ngx_dm_sec.h"


/* phase handlers, in the order in which a request meets them */
ngx_int_t ngx_dm_sec_post_read_handler(ngx_http_request_t *r);
ngx_int_t ngx_dm_sec_preaccess_handler(ngx_http_request_t *r);
ngx_int_t ngx_dm_sec_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_dm_sec_precontent_handler(ngx_http_request_t *r);

/*
 * Decides anew about a request that was let in, where the store has changed
 * since: something may have taken its time, as a subrequest or the body does.
 * NGX_OK, or the status that the request is refused with now.
 */
ngx_int_t ngx_dm_sec_access_again(ngx_http_request_t *r);

/*
 * Decides about a request whose client has gone while its credentials were
 * looked at: a refusal is logged and counted as any other.
 */
void ngx_dm_sec_access_gone(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_ACCESS_H */
