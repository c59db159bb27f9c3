/* The task of dm-probe: the server, the credentials, the limits */

#ifndef DM_PROBE_H
#define DM_PROBE_H


#include <openssl/evp.h>
#include <openssl/x509.h>

#include "dm_account.h"
#include "common/secret.h"


#define DM_PROBE_URL_MAX   2048     /* octets, with the NUL */
#define DM_PROBE_HOST_MAX  256


/* an address, taken apart */
typedef struct {
    char  url[DM_PROBE_URL_MAX];
    char  host[DM_PROBE_HOST_MAX];
    char  port[8];
    char  target[DM_PROBE_URL_MAX];         /* path and query, as sent */
} dm_address_t;


typedef struct {
    char         identity[DM_PSK_IDENTITY_MAX + 1];
    dm_secret_t  key;
} dm_probe_psk_t;


typedef struct {
    dm_address_t     server;
    dm_address_t     plain;                 /* url empty: not given */
    const char      *cacert;                /* NULL: the system's */
    const char      *device_id;             /* NULL: none is sent */

    const char      *user;                  /* NULL: no password */
    dm_secret_t      password;
    dm_probe_psk_t  *psk;                   /* NULL: none */
    X509            *cert;                  /* NULL: none */
    EVP_PKEY        *key;
    const char      *chain;                 /* a PEM file with more, or NULL */

    int              echo;
    int64_t          timeout;               /* ms, of each request */
    int64_t          deadline;              /* ms, dm_probe_now() */
} dm_probe_t;


/* the time in ms, which only grows */
int64_t dm_probe_now(void);

/* the time that is left for one request, in ms; 0: it is over */
int64_t dm_probe_left(const dm_probe_t *probe);


#endif /* DM_PROBE_H */
