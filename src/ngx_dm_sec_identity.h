/* The identity headers: what a client forged, and what is true */

#ifndef NGX_DM_SEC_IDENTITY_H
#define NGX_DM_SEC_IDENTITY_H


#include "ngx_dm_sec.h"


/*
 * Takes out of the request what a client may not say about itself, once.
 * NGX_OK or NGX_ERROR: then the request must not go on.
 */
ngx_int_t ngx_dm_sec_identity_scrub(ngx_http_request_t *r);

/*
 * Takes out a consumed Authorization, and puts in the identity that was
 * verified, as the location says.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_identity_set(ngx_http_request_t *r);

/*
 * 1 if a header of that name tells the server behind who is speaking, and the
 * value is not one of the module's variables, nor empty.
 */
ngx_uint_t ngx_dm_sec_identity_is_other(ngx_str_t *name, ngx_str_t *value);


#endif /* NGX_DM_SEC_IDENTITY_H */
