/* TLS sessions: which of them a server resumes */

#ifndef NGX_DM_SEC_RESUME_H
#define NGX_DM_SEC_RESUME_H


#include "ngx_dm_sec.h"


/*
 * Makes a server's SSL_CTX resume no session on which each request would be
 * refused for what the session holds: the client gets a full handshake in its
 * place, and shows what it has now.  For every TLS server, as soon as the
 * module is on in one.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_resume_init_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/*
 * To be called at each step of a handshake: where the client's certificate was
 * not verified, the session is marked, and will not be resumed.
 */
void ngx_dm_sec_resume_note(SSL *ssl);


#endif /* NGX_DM_SEC_RESUME_H */
