/* The DM Account MO of a device, as JSON: what dm-account provision writes */

#ifndef DM_PROBE_MO_H
#define DM_PROBE_MO_H

#include "probe/probe.h"


#define DM_MO_MAX  262144       /* octets of a file */


/* the content: a PSK, or a certificate, with its private key or without */
typedef struct {
    char            uri[DM_PROBE_URL_MAX];  /* empty: it names no server */
    int             has_psk;
    dm_probe_psk_t  psk;
    X509           *cert;
    EVP_PKEY       *key;
} dm_mo_t;


/*
 * Reads a serialized MO of DM 2.0.  DM_OK, and the caller wipes mo; DM_INVALID:
 * err says what is missing or malformed, without a value; DM_ERROR.  Whatever
 * fails, mo is wiped.
 */
int dm_mo_read(dm_mo_t *mo, const unsigned char *data, size_t len,
    dm_err_t *err);

void dm_mo_wipe(dm_mo_t *mo);


#endif /* DM_PROBE_MO_H */
