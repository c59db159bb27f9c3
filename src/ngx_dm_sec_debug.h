/* The debug log: what each method made of a request, and what is decided */

#ifndef NGX_DM_SEC_DEBUG_H
#define NGX_DM_SEC_DEBUG_H


#include "ngx_dm_sec.h"
#include "ngx_dm_sec_method.h"


/*
 * These write one line each at level debug, and nothing where nginx was built
 * without it.  A line has no secret, and what a client sent is escaped.
 */

#if (NGX_DEBUG)

/* dm_sec x509: absent, reason certificate_unbound, claimed "sha256:..." */
void ngx_dm_sec_debug_credential(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, const ngx_dm_sec_method_t *method,
    ngx_dm_sec_credential_t *cred);

/* dm_sec access: refused, reason certificate_unbound, account "-" */
void ngx_dm_sec_debug_decision(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_reason_e reason);

#else

#define ngx_dm_sec_debug_credential(r, dlcf, method, cred)
#define ngx_dm_sec_debug_decision(r, ctx, reason)

#endif


#endif /* NGX_DM_SEC_DEBUG_H */
