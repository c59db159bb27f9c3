/* Servers on one address: each handshake gets its own server's policy */

#ifndef NGX_DM_SEC_HELLO_H
#define NGX_DM_SEC_HELLO_H


#include "ngx_dm_sec.h"


/* "listen ... quic" is TLS 1.3, and needs no "ssl" */
#if (nginx_version >= 1025000)
#define ngx_dm_sec_hello_quic(addr)  ((addr)->opt.quic)
#else
#define ngx_dm_sec_hello_quic(addr)  0
#endif


/*
 * Finds the servers of an address with "ssl" or "quic" that listen with TLS,
 * and what they mean for each other.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_hello_settle_address(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);

/*
 * Makes a server's SSL_CTX choose by SNI before anything is negotiated, and
 * keeps its sessions to itself; for every TLS server, as soon as the module
 * is on in one.  NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_hello_init_server(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/*
 * 1 if the request is for another server than its handshake was, and one of
 * the two has a policy, x509, psk or nginx's own "ssl_verify_client", which
 * would be evaded so; else 0.
 */
ngx_uint_t ngx_dm_sec_hello_misdirected(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_HELLO_H */
