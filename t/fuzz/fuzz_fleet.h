/*
 * What the fuzzers of a fleet share: octets whose seal and signature are right,
 * whatever they are.  In the place of dm_seal and dm_fleet_sign, which would
 * let nothing through, is what stands below.
 */

#ifndef FUZZ_FLEET_H
#define FUZZ_FLEET_H


#include "dm_fleet.h"
#include "fuzz.h"


/* a copy of just its size, to be changed in place and freed */
static inline unsigned char *
fuzz_copy(const uint8_t *data, size_t size)
{
    unsigned char  *copy;

    copy = malloc(size ? size : 1);
    fuzz_must(copy != NULL);

    if (size) {
        memcpy(copy, data, size);
    }

    return copy;
}


/* of the store whose id is 0, with the root 0 */
static inline dm_fleet_t *
fuzz_fleet(void)
{
    static dm_fleet_t           *fleet;
    static const unsigned char   root[DM_FLEET_ROOT];

    if (fleet == NULL) {
        fleet = calloc(1, sizeof(dm_fleet_t));
        fuzz_must(fleet != NULL);
        fuzz_must(dm_fleet_use_root(fleet, root, NULL) == DM_OK);
    }

    return fleet;
}


int
dm_fleet_verify(dm_fleet_verifier_t *verifier, dm_str_t label,
    dm_str_t octets, dm_str_t sign)
{
    (void) verifier;
    (void) label;
    (void) octets;

    return sign.len == 1 + DM_FLEET_SIGNATURE ? DM_OK : DM_DECLINED;
}


int
dm_fleet_sign(dm_fleet_signer_t *signer, dm_str_t label, dm_str_t octets,
    unsigned char *out, size_t *outlen)
{
    (void) signer;
    (void) label;
    (void) octets;

    memset(out, 0, 1 + DM_FLEET_SIGNATURE);
    *outlen = 1 + DM_FLEET_SIGNATURE;

    return DM_OK;
}


dm_fleet_verifier_t *
dm_fleet_verifier_new(const dm_keys_t *keys)
{
    (void) keys;

    return NULL;
}


void
dm_fleet_verifier_free(dm_fleet_verifier_t *verifier)
{
    (void) verifier;
}


dm_sealer_t *
dm_sealer_new(const dm_keys_t *keys, dm_err_t *err)
{
    (void) keys;
    (void) err;

    return NULL;
}


void
dm_sealer_free(dm_sealer_t *sealer)
{
    (void) sealer;
}


void
dm_keys_wipe(dm_keys_t *keys)
{
    (void) keys;
}


/* what is sealed is itself, with a tag of one octet */
int
dm_sealer_open(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t sealed, unsigned char *out, size_t *outlen)
{
    (void) sealer;
    (void) ad;
    (void) n;

    if (sealed.len < 1) {
        return DM_INVALID;
    }

    *outlen = sealed.len - 1;
    memmove(out, sealed.data, *outlen);

    return DM_OK;
}


int
dm_sealer_seal(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t plain, unsigned char *out, size_t *outlen)
{
    (void) sealer;
    (void) ad;
    (void) n;

    memmove(out, plain.data, plain.len);
    out[plain.len] = 0;
    *outlen = plain.len + 1;

    return DM_OK;
}


int
dm_sealed_key(dm_str_t sealed, dm_str_t *id)
{
    (void) sealed;
    (void) id;

    return DM_INVALID;
}


#endif /* FUZZ_FLEET_H */
