/* "OPTIONS *", which nginx's parser refuses: RFC 2817 begins with it */

#ifndef NGX_DM_SEC_STAR_H
#define NGX_DM_SEC_STAR_H


#include "ngx_dm_sec.h"


/* watches the listeners of servers with dm_sec_upgrade; NGX_OK */
ngx_int_t ngx_dm_sec_star_init_module(ngx_cycle_t *cycle);

/*
 * 1 if the request is "OPTIONS *", the first of its connection, which nginx
 * has read as "OPTIONS /"; its "*" is put back then.  Else 0.
 */
ngx_uint_t ngx_dm_sec_star_is(ngx_http_request_t *r);

/* answers it, and returns what a phase handler has to return */
ngx_int_t ngx_dm_sec_star_answer(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_STAR_H */
