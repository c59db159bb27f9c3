/* The upgrade to TLS within HTTP, RFC 2817 */

#ifndef NGX_DM_SEC_UPGRADE_H
#define NGX_DM_SEC_UPGRADE_H


#include "ngx_dm_sec.h"


/*
 * Settles dm_sec_upgrade for the servers of an address without "ssl": each
 * that has it must be able to do TLS.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_upgrade_settle_address(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);

/*
 * Settles it for a server by itself, once its versions are known, and makes
 * the Upgrade header of its 426.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_upgrade_settle_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/*
 * Switches the connection to TLS where the request asks for it, before
 * anything is decided about it; the phase handler of POST_READ, which comes
 * here again inside TLS.
 *
 * NGX_DECLINED: the request goes on, in the clear or inside TLS; NGX_DONE: it
 * waits for its body or for the handshake; NGX_ABORT: its handshake was made
 * for another server; otherwise what the phase handler has to return.
 */
ngx_int_t ngx_dm_sec_upgrade(ngx_http_request_t *r);

/* 1 if a refusal in the clear can name TLS as the way out (426), else 0 */
ngx_uint_t ngx_dm_sec_upgrade_offered(ngx_http_request_t *r);

/*
 * 1 if the request's server answers nothing in the clear, and it is; or
 * demands a certificate, and the request came before the handshake; else 0
 */
ngx_uint_t ngx_dm_sec_upgrade_missing(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_UPGRADE_H */
