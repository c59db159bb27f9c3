/* The verification of a client's certificate, as a reason */

#ifndef NGX_DM_SEC_VERIFY_H
#define NGX_DM_SEC_VERIFY_H


#include "ngx_dm_sec.h"


/*
 * Returns why the certificate of the connection's client, or of the session
 * that it resumed, is not verified, and what more there is to tell:
 * NGX_DM_SEC_R_NONE where it is, also where there is none.
 */
ngx_dm_sec_reason_e ngx_dm_sec_verify_reason(ngx_connection_t *c,
    ngx_uint_t *detail);


#endif /* NGX_DM_SEC_VERIFY_H */
