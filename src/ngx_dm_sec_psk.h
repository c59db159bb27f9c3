/* TLS-PSK, RFC 4279 and RFC 8446: the account that a key belongs to */

#ifndef NGX_DM_SEC_PSK_H
#define NGX_DM_SEC_PSK_H


#include "ngx_dm_sec.h"


/*
 * Sees that a key can be used where one is accepted.  NGX_OK, or NGX_ERROR,
 * logged.
 */
ngx_int_t ngx_dm_sec_psk_settle(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);

/* setter of dm_sec_psk_identity_hint */
char *ngx_dm_sec_psk_set_hint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Has a server that accepts psk send its identity hint, and sees that one which
 * was written there can be sent.  NGX_OK, or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_psk_settle_hint(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/* makes a server's SSL_CTX answer identities, where it accepts psk */
void ngx_dm_sec_psk_init_server(ngx_dm_sec_srv_conf_t *dscf);

/* does the same to one handshake, which may have begun at another server */
void ngx_dm_sec_psk_apply(SSL *ssl, ngx_dm_sec_srv_conf_t *dscf);

/* makes a session of TLS 1.3 that proves the key, unmarked; NULL: no memory */
SSL_SESSION *ngx_dm_sec_psk_new_session(SSL *ssl, dm_str_t key);

/*
 * 1 if the session may be resumed: its key is still the account's, or it has
 * none and keeps none that the client offers from being looked at; else 0.
 */
ngx_uint_t ngx_dm_sec_psk_resumes(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf);

/* 1 if the session was made with a key, else 0 */
ngx_uint_t ngx_dm_sec_psk_marked(SSL_SESSION *session);

/*
 * Lets this handshake give out tickets or, with a server that accepts psk,
 * keeps it from doing so; dscf is the handshake's server, NULL: not known.
 */
void ngx_dm_sec_psk_tickets(SSL *ssl, ngx_dm_sec_srv_conf_t *dscf,
    ngx_uint_t on);

/* to be called when a handshake is done, on a server where the module is on */
void ngx_dm_sec_psk_handshaked(SSL *ssl);

/*
 * Fills cred from the session of the connection: by the keys that the account
 * has now.
 */
void ngx_dm_sec_psk_verify(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred);

/* the identity that was verified; of length 0: none was */
void ngx_dm_sec_psk_identity(ngx_dm_sec_credential_t *cred,
    ngx_str_t *identity);

/*
 * The identity that the connection's session was made with, whether it is
 * still an account's or not: for the log.  It lives as long as the session;
 * of length 0: there is none.
 */
ngx_str_t ngx_dm_sec_psk_claim(ngx_http_request_t *r,
    ngx_dm_sec_loc_conf_t *dlcf, u_char *buf, size_t max);


#endif /* NGX_DM_SEC_PSK_H */
