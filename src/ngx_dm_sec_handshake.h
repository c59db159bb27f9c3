/* Failed handshakes: what stock nginx does not log at level error */

#ifndef NGX_DM_SEC_HANDSHAKE_H
#define NGX_DM_SEC_HANDSHAKE_H


#include "ngx_dm_sec.h"
#include "ngx_dm_sec_zone.h"


/*
 * To be called before the first handshake of a server where the module is on;
 * until then nothing is remembered of any.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_handshake_init(ngx_conf_t *cf);

/* remembers what the client offers, for the log; called on a ClientHello */
void ngx_dm_sec_handshake_note(SSL *ssl);

/* counts a handshake that is done */
void ngx_dm_sec_handshake_done(SSL *ssl);

/* counts and logs a handshake that ends with this fatal alert */
void ngx_dm_sec_handshake_failed(SSL *ssl, int alert);

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
