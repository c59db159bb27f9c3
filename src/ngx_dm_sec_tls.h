/* The TLS policy at work: on a server's SSL_CTX, and on each request */

#ifndef NGX_DM_SEC_TLS_H
#define NGX_DM_SEC_TLS_H


#include "ngx_dm_sec.h"


/*
 * Applies the server's policy to its SSL_CTX and finds what contradicts it.
 * NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_tls_init_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/* NGX_OK, or NGX_ERROR, logged: the location allows what the server does not
   offer */
ngx_int_t ngx_dm_sec_tls_check_location(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_location_t *location);

/*
 * How a client with a pre-shared key can be served at a level, as bits; 0: in
 * no way.
 */
#define NGX_DM_SEC_TLS_PSK      0x01
#define NGX_DM_SEC_TLS_RSA_PSK  0x02    /* the one that has a certificate too */

ngx_uint_t ngx_dm_sec_tls_psk(ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_loc_conf_t *dlcf);

/* tells the versions that the server offers in a handshake: DM_TLSV1 | ... */
ngx_uint_t ngx_dm_sec_tls_server_versions(ngx_dm_sec_srv_conf_t *dscf);

/* tells what the server can authenticate with: DM_AUTH_RSA | ... */
ngx_uint_t ngx_dm_sec_tls_auth(ngx_dm_sec_srv_conf_t *dscf);

/* 1 if the suite's hash is SHA-256, which keys go with in TLS 1.3; else 0 */
ngx_uint_t ngx_dm_sec_tls_sha256(const SSL_CIPHER *cipher);

/*
 * Judges the request by what was really negotiated: NGX_DM_SEC_R_NONE, or
 * why the location does not allow it.
 */
ngx_dm_sec_reason_e ngx_dm_sec_tls_judge(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf);

/* version and IANA suite name of the connection, "-" where there is no TLS */
void ngx_dm_sec_tls_facts(ngx_http_request_t *r, ngx_str_t *protocol,
    ngx_str_t *cipher);


#endif /* NGX_DM_SEC_TLS_H */
