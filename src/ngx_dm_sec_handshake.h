/* Failed handshakes: what stock nginx does not log at level error */

#ifndef NGX_DM_SEC_HANDSHAKE_H
#define NGX_DM_SEC_HANDSHAKE_H


#include "ngx_dm_sec.h"
#include "ngx_dm_sec_zone.h"


/* watches the handshakes of a server's SSL_CTX; NGX_OK or NGX_ERROR, logged */
ngx_int_t ngx_dm_sec_handshake_init_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/* remembers what the client offers, for the log; called on a ClientHello */
void ngx_dm_sec_handshake_note(SSL *ssl);

/*
 * Remembers which identity the client named, and what came of looking it up:
 * NGX_OK, NGX_DECLINED or NGX_ERROR.
 */
void ngx_dm_sec_handshake_psk(SSL *ssl, ngx_str_t *identity,
    ngx_int_t found);

/* the reason as it stands in logs */
ngx_str_t *ngx_dm_sec_handshake_name(ngx_dm_sec_handshake_e reason);


/*
 * 1 if the client offers a pre-shared key in the version that was chosen, or
 * if what it offers is not known; else 0.
 */
ngx_uint_t ngx_dm_sec_handshake_key(SSL *ssl);


#endif /* NGX_DM_SEC_HANDSHAKE_H */
