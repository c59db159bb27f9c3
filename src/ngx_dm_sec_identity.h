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
 * 1 if the name of a header becomes name, which is in lower case, in the
 * hands of CGI and what imitates it, which make one of "DM-Client-ID",
 * "dm_client_id" and "DM.Client.ID": an octet that is no letter or digit
 * counts as "-".
 */
ngx_uint_t ngx_dm_sec_folds_to(ngx_str_t *key, ngx_str_t *name);

/* adds the variables, and takes over $remote_user; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_identity_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_dm_sec_identity_init(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf);

/* "x509", or "-" for none */
void ngx_dm_sec_method_name(ngx_uint_t method, ngx_str_t *name);


#endif /* NGX_DM_SEC_IDENTITY_H */
