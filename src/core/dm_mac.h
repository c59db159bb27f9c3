/* Keyed hashes: HMAC-SHA256 over parts, each with its length before it */

#ifndef DM_MAC_H
#define DM_MAC_H


#include "dm.h"


#define DM_MAC_SIZE  32         /* octets, of the key too */


typedef struct dm_mac_s  dm_mac_t;


/* NULL if OpenSSL fails; keeps its own copy of key[DM_MAC_SIZE] */
dm_mac_t *dm_mac_new(const unsigned char *key);

/* wipes; NULL is accepted */
void dm_mac_free(dm_mac_t *mac);

/*
 * The hash of the n parts into out[DM_MAC_SIZE].  Different lists of parts
 * never make the same input.  DM_OK or DM_ERROR.
 */
int dm_mac_parts(dm_mac_t *mac, const dm_str_t *part, size_t n,
    unsigned char *out);


#endif /* DM_MAC_H */
