/* Lines in the error log: escaped values, and not more than a disk bears */

#ifndef NGX_DM_SEC_LOG_H
#define NGX_DM_SEC_LOG_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_LOG_VALUE    128     /* octets of a value that are logged */
#define NGX_DM_SEC_LOG_ESCAPED  (NGX_DM_SEC_LOG_VALUE * 4)

/*
 * A claim is written in so many octets, and all values of a line in so many:
 * nginx cuts the line at 2048, and the client's address comes last.
 */
#define NGX_DM_SEC_LOG_CLAIM   1024
#define NGX_DM_SEC_LOG_VALUES  1536


/* setter of dm_sec_log_limit */
char *ngx_dm_sec_log_set_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Returns 1 if a line for this reason may be written now.  Else returns 0, and
 * counts it for the line that tells how many were left out.
 */
ngx_uint_t ngx_dm_sec_log_may(ngx_uint_t rate, ngx_uint_t level,
    ngx_str_t *reason);

/*
 * The same for a line about an account, whose id is escaped into
 * buf[NGX_DM_SEC_LOG_ESCAPED], for *shown, where the line may be written.
 */
ngx_uint_t ngx_dm_sec_log_may_name(ngx_uint_t rate, ngx_uint_t level,
    ngx_str_t *reason, dm_str_t id, u_char *buf, ngx_str_t *shown);

/* escapes src into dst[NGX_DM_SEC_LOG_ESCAPED]; an empty one becomes "-" */
ngx_str_t ngx_dm_sec_log_escape(u_char *dst, ngx_str_t *src);

/*
 * Escapes a name that dm-account shall find again, of the DM_NAME_MAX octets
 * that one can have, into dst[max]: whole where it fits, or else as
 * ngx_dm_sec_log_escape() cuts it.  max is NGX_DM_SEC_LOG_ESCAPED at least.
 */
ngx_str_t ngx_dm_sec_log_whole(u_char *dst, size_t max, ngx_str_t *src);

/* nginx's $request_id, the same that the access log gets; "-": none */
void ngx_dm_sec_log_request_id(ngx_http_request_t *r, ngx_str_t *id);


#endif /* NGX_DM_SEC_LOG_H */
