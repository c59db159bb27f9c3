/* The device identity that the client states in OMADM-DevID */

#ifndef NGX_DM_SEC_DEVID_H
#define NGX_DM_SEC_DEVID_H


#include "ngx_dm_sec.h"


/*
 * The header's value, as it was sent.  NGX_OK; NGX_DECLINED: there is none;
 * NGX_ERROR: it is malformed, stands twice, or stands under a name that only
 * CGI would take for it.
 */
ngx_int_t ngx_dm_sec_devid_read(ngx_http_request_t *r, ngx_str_t *devid);

/* NGX_OK if a well-formed devid is the account's id, NGX_DECLINED if not */
ngx_int_t ngx_dm_sec_devid_match(ngx_str_t *devid, ngx_str_t *id);


#endif /* NGX_DM_SEC_DEVID_H */
