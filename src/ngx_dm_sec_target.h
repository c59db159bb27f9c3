/* The target of a request, as it was sent: RFC 7230, section 5.3 */

#ifndef NGX_DM_SEC_TARGET_H
#define NGX_DM_SEC_TARGET_H


#include "ngx_dm_sec.h"


/* the method as it was sent: an error_page makes a GET of a POST */
dm_str_t ngx_dm_sec_target_method(ngx_http_request_t *r);

/*
 * 1 if the uri is what was requested: the target as it was sent; its path and
 * query, where it was an absolute one; or an absolute URI for it, as a client
 * signs it that knows of a forward proxy, RFC 7616, section 3.4.6.
 */
ngx_uint_t ngx_dm_sec_target_is(ngx_http_request_t *r, dm_str_t uri);


#endif /* NGX_DM_SEC_TARGET_H */
