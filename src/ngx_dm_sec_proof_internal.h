/* Shared by the two files of the proof */

#ifndef NGX_DM_SEC_PROOF_INTERNAL_H
#define NGX_DM_SEC_PROOF_INTERNAL_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_PROOF_KEY     32
#define NGX_DM_SEC_PROOF_GROUPS  512    /* names, with colons */

#define NGX_DM_SEC_PROOF_ONCE    0x01   /* no version makes a difference */
#define NGX_DM_SEC_PROOF_DH      0x02   /* some 30 ms with an RSA key of 4096 */


/* suites of a kind prove the same; one of a group does in each version */
typedef struct {
    int                     kx;
    int                     auth;           /* NID_undef: any */
    ngx_uint_t              group;
    ngx_uint_t              flags;
} ngx_dm_sec_proof_kind_t;


/* the callbacks beside a handshake, which are taken away for a while */
typedef struct {
    long                    mode;
    int                   (*new_session)(SSL *, SSL_SESSION *);
    SSL_SESSION          *(*get_session)(SSL *, const u_char *, int, int *);
    void                  (*remove_session)(SSL_CTX *, SSL_SESSION *);
    SSL_CTX_keylog_cb_func  keylog;
} ngx_dm_sec_proof_beside_t;


typedef struct {
    ngx_conf_t               *cf;
    SSL_CTX                  *client;
    ngx_array_t               done;         /* hashes of servers */
    u_char                    key[NGX_DM_SEC_PROOF_KEY];

    /* the server */
    ngx_dm_sec_srv_conf_t    *dscf;
    ngx_http_ssl_srv_conf_t  *sscf;
    ngx_uint_t                auth;         /* DM_AUTH_RSA | ... */
    ngx_uint_t                old_ecdsa;    /* also before TLS 1.2 */
    ngx_uint_t                seen;         /* kinds, as bits */
    char                      groups[NGX_DM_SEC_PROOF_GROUPS];

    /* the handshake; by is what it authenticates with */
    unsigned                        version;
    ngx_uint_t                      tried;  /* groups, in this version */
    const dm_suite_t               *suite;
    const ngx_dm_sec_proof_kind_t  *kind;
    ngx_uint_t                      by;

    /* a connection for nginx's callbacks, as if a client had made it */
    ngx_log_t                 log;
    ngx_connection_t          c;
    ngx_ssl_connection_t      ssl;
    ngx_http_connection_t     hc;
    ngx_http_addr_conf_t      addr;
} ngx_dm_sec_proof_t;


/*
 * A handshake of the server with a client that offers the version and the
 * suite, and nothing else.  With DHE only as far as the server's first answer,
 * for what the rest of it costs.  NGX_OK; NGX_ERROR: OpenSSL's first error says
 * why.
 */
ngx_int_t ngx_dm_sec_proof_handshake(ngx_dm_sec_proof_t *proof);

/* around the handshakes of a server: what it does beside them, and again */
void ngx_dm_sec_proof_quiet(SSL_CTX *ctx, ngx_dm_sec_proof_beside_t *beside);
void ngx_dm_sec_proof_restore(SSL_CTX *ctx,
    ngx_dm_sec_proof_beside_t *beside);


#endif /* NGX_DM_SEC_PROOF_INTERNAL_H */
