/* The head, which tells the present state, and the beat, which tells its age */

#ifndef DM_FLEET_HEAD_H
#define DM_FLEET_HEAD_H


#include "dm_fleet.h"


#define DM_FLEET_REALM_MAX  255         /* octets, as DM_REALM_MAX */

#define DM_FLEET_BEAT_MAX                                                     \
    (1 + DM_FLEET_ID + 8 + DM_FLEET_HASH + 8 + DM_FLEET_SIGNED)
#define DM_FLEET_HEAD_MAX                                                     \
    (1 + DM_FLEET_ID + 8 + 8 + 2 * DM_FLEET_HASH + DM_FLEET_PUBLIC            \
     + 1 + DM_FLEET_ROOT + DM_SEAL_OVERHEAD                                   \
     + 1 + DM_FLEET_REALM_MAX + DM_FLEET_SIGNED)


typedef struct {
    dm_fleet_place_t  place;
    uint64_t          accounts;
    unsigned char     digest[DM_FLEET_HASH];    /* of the sum */
    unsigned char     beats[DM_FLEET_PUBLIC];   /* the public key of beats */
    unsigned char     root[DM_FLEET_ROOT];      /* secret */
    size_t            realm_len;
    unsigned char     realm[DM_FLEET_REALM_MAX];    /* the same on each node */
} dm_fleet_head_t;

typedef struct {
    dm_fleet_place_t  place;
    int64_t           time;                     /* seconds since 1970 */
} dm_fleet_beat_t;


/*
 * The store's id, as the octets of a head name it, into id[DM_FLEET_ID]: for
 * who has no store yet, and believes it when the head is read with it.  DM_OK
 * or DM_INVALID.
 */
int dm_fleet_head_id(dm_str_t octets, unsigned char *id, dm_err_t *err);

/*
 * Writes the head into out[DM_FLEET_HEAD_MAX], with its root sealed; that of
 * fleet need not be known.  DM_OK or DM_ERROR with err.
 */
int dm_fleet_head_write(dm_fleet_t *fleet, dm_fleet_signer_t *signer,
    const dm_fleet_head_t *head, unsigned char *out, size_t *outlen,
    dm_err_t *err);

/*
 * The way back.  DM_OK: the authority has signed it, and the caller wipes it;
 * DM_INVALID; DM_ERROR.
 */
int dm_fleet_head_read(dm_fleet_t *fleet, unsigned char *data, size_t len,
    dm_fleet_head_t *head, dm_err_t *err);

/*
 * The key that signs beats, of the authority's seed: derived from it, with its
 * id.  The caller wipes key.  DM_OK or DM_ERROR.
 */
int dm_fleet_beat_key(const dm_key_t *authority,
    const unsigned char *store_id, dm_key_t *key);

/* writes the beat into out[DM_FLEET_BEAT_MAX].  DM_OK or DM_ERROR with err */
int dm_fleet_beat_write(const dm_fleet_t *fleet, dm_fleet_signer_t *signer,
    const dm_fleet_beat_t *beat, unsigned char *out, size_t *outlen,
    dm_err_t *err);

/*
 * The way back: signed by the key of beats, of which verifier is made, under
 * the id of the authority's key.  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_fleet_beat_read(const dm_fleet_t *fleet, dm_fleet_verifier_t *verifier,
    unsigned char *data, size_t len, dm_fleet_beat_t *beat, dm_err_t *err);


#endif /* DM_FLEET_HEAD_H */
