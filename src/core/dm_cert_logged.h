/* The key of a certificate in a line of a log */

#ifndef DM_CERT_LOGGED_H
#define DM_CERT_LOGGED_H


#include "dm.h"


/*
 * Writes a key in ASCII and without a quote, so that dm_cert_key_canonical()
 * reads it back: in a DN an octet of UTF-8 and a quote are \HH.  DM_OK, or
 * DM_DECLINED: it has no such form of max octets.
 */
int dm_cert_logged(dm_str_t key, unsigned char *out, size_t max, size_t *len);

/* 1 if \xHH is in key, which is how a log writes what it cannot hold; else 0 */
int dm_cert_logged_escape(dm_str_t key);


#endif /* DM_CERT_LOGGED_H */
