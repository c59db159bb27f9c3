/* Keys that are derived from others, and hashes; each has a label */

#ifndef DM_FLEET_DERIVE_H
#define DM_FLEET_DERIVE_H


#include "dm.h"
#include "dm_seal.h"


#define DM_FLEET_HASH  32       /* octets of SHA-256 */
#define DM_FLEET_ID    16       /* octets of a store's id, as in dm_account.h */


/*
 * HKDF-SHA256 (RFC 5869) of key[DM_KEY_SIZE], with store_id[DM_FLEET_ID] as its
 * salt and the label as its info, into out[DM_KEY_SIZE], which may be key.  The
 * caller wipes it.  DM_OK or DM_ERROR.
 */
int dm_fleet_derive(const unsigned char *key, const unsigned char *store_id,
    dm_str_t label, unsigned char *out);

/* the same of each of the keys; they keep their ids.  On DM_ERROR out is 0 */
int dm_fleet_derive_keys(const dm_keys_t *keys, const unsigned char *store_id,
    dm_str_t label, dm_keys_t *out);

/*
 * SHA-256 over the parts, each with its length before it, into
 * out[DM_FLEET_HASH]: different lists of parts never make the same input.  The
 * first is a label.  DM_OK or DM_ERROR.
 */
int dm_fleet_hash(const dm_str_t *part, size_t n, unsigned char *out);


#endif /* DM_FLEET_DERIVE_H */
