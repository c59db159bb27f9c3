/* Client certificates, RFC 5280: the account that one is bound to */

#ifndef NGX_DM_SEC_X509_H
#define NGX_DM_SEC_X509_H


#include "ngx_dm_sec.h"


/* setter of dm_sec_x509_identity */
char *ngx_dm_sec_x509_set_identity(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* makes the list that holds where none is written; NULL: no memory */
ngx_array_t *ngx_dm_sec_x509_default_identity(ngx_conf_t *cf);

/*
 * Sees that the server of a level asks for the certificates that are accepted
 * there.  NGX_OK, or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_x509_settle(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);

/* a directive of this level that is for x509 alone, or NULL */
char *ngx_dm_sec_x509_directive(ngx_dm_sec_loc_conf_t *dlcf);

/* fills cred from the certificate of the connection */
void ngx_dm_sec_x509_verify(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);

/* 1 if the certificate is within its times, else 0 */
ngx_uint_t ngx_dm_sec_x509_valid(X509 *cert);

/* bound in one of the ways: NGX_OK; NGX_DECLINED: to nobody; NGX_ERROR */
ngx_int_t ngx_dm_sec_x509_bound(ngx_dm_sec_main_conf_t *dmcf,
    ngx_connection_t *c, ngx_array_t *ways, X509 *cert);

/*
 * The first key that a location looks for of the connection's certificate,
 * verified or not, and that buf[max] can hold as "dm-account set --cert-key"
 * takes it, or the id that a regular expression finds.  Where no key can be
 * written so, it is the first, as ngx_dm_sec_log_escape() cuts it.
 */
ngx_str_t ngx_dm_sec_x509_claim(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, u_char *buf, size_t max);

/*
 * The values of Client-Cert and Client-Cert-Chain (RFC 9440, section 2) in
 * the request's pool, of a certificate that was verified; of length 0 where
 * there is none.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_x509_client_cert(ngx_http_request_t *r, ngx_str_t *cert,
    ngx_str_t *chain);


#endif /* NGX_DM_SEC_X509_H */
