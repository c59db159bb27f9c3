/* Lines in the error log: escaped values, and not more than a disk bears */

#ifndef NGX_DM_SEC_LOG_H
#define NGX_DM_SEC_LOG_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_LOG_VALUE    128     /* octets of a value that are logged */
#define NGX_DM_SEC_LOG_ESCAPED  (NGX_DM_SEC_LOG_VALUE * 4)


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
 * Logs a finding about a server, or about one of its locations where clcf is
 * not NULL; without a server the finding is about http{}.
 */
void ngx_dm_sec_log_conf(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    const char *fmt, ...);


#endif /* NGX_DM_SEC_LOG_H */
