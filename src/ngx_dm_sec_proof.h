/* The proof of what a server offers: handshakes in memory */

#ifndef NGX_DM_SEC_PROOF_H
#define NGX_DM_SEC_PROOF_H


#include "ngx_dm_sec.h"


/*
 * Makes handshakes for each server with a TLS policy: in each version that it
 * offers, with each kind of certificate and with a key, and with each kind of
 * key exchange once, with DHE as far as the server's first answer.  Servers
 * that are alike in all of this are tried once.  No ticket, no cache and no log
 * line is left by such a handshake, and no store is looked at.  Called when all
 * of the configuration is in the SSL_CTXs.  NGX_OK; NGX_ERROR, logged:
 * something cannot be negotiated.
 */
ngx_int_t ngx_dm_sec_proof_run(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);


#endif /* NGX_DM_SEC_PROOF_H */
