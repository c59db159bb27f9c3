/*
 * Ed25519 (RFC 8032).  A key file of dm_seal.h holds seeds, or public keys:
 * both are 32 octets, as the keys there.  The id names a key where there are
 * two, while one takes the place of the other.
 */

#ifndef DM_FLEET_SIGN_H
#define DM_FLEET_SIGN_H


#include "dm.h"
#include "dm_seal.h"


#define DM_FLEET_PUBLIC     32                      /* octets */
#define DM_FLEET_SIGNATURE  64
#define DM_FLEET_SIGNED     (1 + DM_KEY_ID_MAX + DM_FLEET_SIGNATURE)


typedef struct dm_fleet_signer_s    dm_fleet_signer_t;
typedef struct dm_fleet_verifier_s  dm_fleet_verifier_t;


/* of a seed; NULL if OpenSSL fails */
dm_fleet_signer_t *dm_fleet_signer_new(const dm_key_t *seed);
void dm_fleet_signer_free(dm_fleet_signer_t *signer);

/* its public key, with its id.  DM_OK or DM_ERROR */
int dm_fleet_signer_public(const dm_fleet_signer_t *signer, dm_key_t *key);

/* of public keys; NULL if OpenSSL fails, or there is none */
dm_fleet_verifier_t *dm_fleet_verifier_new(const dm_keys_t *keys);
void dm_fleet_verifier_free(dm_fleet_verifier_t *verifier);

/*
 * Writes the id of the key, with its length (8) before it, and the signature of
 * the label and the octets into out[DM_FLEET_SIGNED].  DM_OK or DM_ERROR.
 */
int dm_fleet_sign(dm_fleet_signer_t *signer, dm_str_t label, dm_str_t octets,
    unsigned char *out, size_t *outlen);

/*
 * Verifies sign, which is id and signature as above.  DM_OK; DM_DECLINED: it is
 * not that of any of the keys; DM_ERROR.
 */
int dm_fleet_verify(dm_fleet_verifier_t *verifier, dm_str_t label,
    dm_str_t octets, dm_str_t sign);


#endif /* DM_FLEET_SIGN_H */
