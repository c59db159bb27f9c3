/* A handshake with one version, some suites and some credentials */

#ifndef DM_PROBE_TLS_H
#define DM_PROBE_TLS_H


#include <openssl/ssl.h>

#include "dm_suite.h"
#include "probe/probe.h"


/* the offer of a handshake */
typedef struct {
    unsigned               version;     /* DM_TLSV1_1; 0: TLS 1.0 to 1.2 */
    const char *const     *suites;      /* IANA; NULL: all with certificates */
    const dm_probe_psk_t  *psk;         /* each may be NULL */
    X509                  *cert;
    EVP_PKEY              *key;
    const char            *chain;
} dm_offer_t;


/* the result of a handshake */
typedef struct {
    int         done;                   /* the handshake was completed */
    unsigned    version;                /* bit of dm_suite.h */
    char        protocol[16];           /* "TLSv1.1" */
    const char *suite;                  /* IANA, "-" before it is done */
    int         alert;                  /* of the server; -1: none */
} dm_seen_t;


/*
 * Makes ctx offer that, at security level 0: what can be negotiated is the
 * server's to decide.  offer and seen live as long as ctx.  DM_OK or DM_ERROR:
 * the library cannot do it.
 */
int dm_tls_offer(SSL_CTX *ctx, const dm_offer_t *offer, dm_seen_t *seen);

/* the suites of the list that this library has for that version, of n at most,
   with a NULL after them; their number */
size_t dm_tls_suites(const char *const *list, unsigned version,
    const char **suites, size_t n);


#endif /* DM_PROBE_TLS_H */
