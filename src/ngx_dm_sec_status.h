/* Counters, and the page that shows them */

#ifndef NGX_DM_SEC_STATUS_H
#define NGX_DM_SEC_STATUS_H


#include "ngx_dm_sec.h"


/* setter of dm_sec_status */
char *ngx_dm_sec_status_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* the content handler that it sets */
ngx_int_t ngx_dm_sec_status_handler(ngx_http_request_t *r);

/* counts a request that has ended, whose ctx may be NULL */
void ngx_dm_sec_status_count(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx);


#endif /* NGX_DM_SEC_STATUS_H */
