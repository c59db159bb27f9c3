/* The decision about a request, by all methods that its location asks */

#ifndef NGX_DM_SEC_ACCESS_H
#define NGX_DM_SEC_ACCESS_H


#include "ngx_dm_sec.h"


/* phase handlers, in the order in which a request meets them */
ngx_int_t ngx_dm_sec_post_read_handler(ngx_http_request_t *r);
ngx_int_t ngx_dm_sec_preaccess_handler(ngx_http_request_t *r);
ngx_int_t ngx_dm_sec_access_handler(ngx_http_request_t *r);
ngx_int_t ngx_dm_sec_precontent_handler(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_ACCESS_H */
