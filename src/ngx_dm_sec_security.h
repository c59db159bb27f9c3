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


#endif /* NGX_DM_SEC_SECURITY_H */
