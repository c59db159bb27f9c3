/* OpenSSL's security level, and what old versions need of it */

#ifndef NGX_DM_SEC_SECURITY_H
#define NGX_DM_SEC_SECURITY_H


#include "ngx_dm_sec.h"


/* sets the level that holds wherever the module is on */
void ngx_dm_sec_security_level(SSL_CTX *ctx);

/*
 * Opens, below that level, exactly what TLS 1.0, TLS 1.1 and SSL 3.0 need,
 * while that version is negotiated.  Once for a context.
 */
void ngx_dm_sec_security_open(SSL_CTX *ctx);

/*
 * 1 for a client of TLS 1.2 that has sent no signature_algorithms, for which it
 * knows SHA-1 alone, RFC 5246, section 7.4.1.4.1; else 0.
 */
ngx_uint_t ngx_dm_sec_security_sha1(const SSL *ssl);

/* 1 if the server signs its key exchange in this suite of TLS 1.2, else 0 */
ngx_uint_t ngx_dm_sec_security_signs(const SSL_CIPHER *cipher);


#endif /* NGX_DM_SEC_SECURITY_H */
