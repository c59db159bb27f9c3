/* Requests that nginx itself refuses, before any module is asked */

#ifndef NGX_DM_SEC_REFUSED_H
#define NGX_DM_SEC_REFUSED_H


#include "ngx_dm_sec.h"


/*
 * Puts the filter in front that makes a refusal like any other, but for its
 * answer, of a request that nginx refuses by itself on a server where the
 * module is on.
 */
void ngx_dm_sec_refused_init(void);

/*
 * Does the same, before access logs are written, of one that nginx ended
 * without an answer: a handler of the log phase.
 */
ngx_int_t ngx_dm_sec_refused_log(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_REFUSED_H */
