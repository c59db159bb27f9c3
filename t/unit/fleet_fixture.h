/* A fleet of two store keys with its authority, and accounts, for its tests */

#ifndef FLEET_FIXTURE_H
#define FLEET_FIXTURE_H


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dm_fleet.h"
#include "str.h"


static const unsigned char  store_id[DM_FLEET_ID] = "store of a fleet";
static const unsigned char  root[DM_FLEET_ROOT] =
    "32 octets that nobody ever knows";


/* octets that are all the same, as a key of that name */
static inline dm_keys_t
fleet_keys(const char *id, unsigned char octet)
{
    dm_keys_t  keys;

    memset(&keys, 0, sizeof(keys));
    keys.n = 1;
    (void) snprintf(keys.key[0].id, sizeof(keys.key[0].id), "%s", id);
    memset(keys.key[0].key, octet, DM_KEY_SIZE);

    return keys;
}


static inline dm_fleet_signer_t *
fleet_signer(unsigned char octet)
{
    dm_keys_t           keys;
    dm_fleet_signer_t  *signer;

    keys = fleet_keys("boss", octet);
    signer = dm_fleet_signer_new(&keys.key[0]);
    assert_non_null(signer);

    return signer;
}


/* of the authority that fleet_signer() makes of that octet */
static inline dm_fleet_t *
fleet_of(const unsigned char *id, unsigned char key, unsigned char octet)
{
    dm_err_t            err;
    dm_keys_t           keys, authority;
    dm_fleet_t         *fleet;
    dm_fleet_signer_t  *signer;

    keys = fleet_keys("k1", key);

    memset(&authority, 0, sizeof(authority));
    authority.n = 1;
    signer = fleet_signer(octet);
    assert_int_equal(dm_fleet_signer_public(signer, &authority.key[0]),
                     DM_OK);
    dm_fleet_signer_free(signer);

    fleet = dm_fleet_new(&keys, id, &authority, &err);
    assert_non_null(fleet);
    assert_int_equal(dm_fleet_use_root(fleet, root, &err), DM_OK);

    return fleet;
}


/* an account as dm_account_pack() has it, of that revision */
static inline dm_str_t
fleet_account(const char *id, uint64_t revision, unsigned char *out)
{
    size_t        len;
    dm_err_t      err;
    dm_account_t  account;

    memset(&account, 0, sizeof(account));
    account.id = str(id);
    account.name = str("device");
    account.revision = revision;
    account.ngroups = 1;
    account.group[0] = str("devices");
    account.has_ha1[DM_MD5] = 1;
    memset(account.ha1[DM_MD5], 0xa5, 16);
    account.npsks = 1;
    account.psk[0].identity = str(id);
    account.psk[0].key = str("0123456789abcdef");

    if (dm_account_pack(&account, out, &len, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    return (dm_str_t) { out, len };
}


/*
 * Calls read with a copy of the octets in which one bit is another, for each
 * bit, and with each of their beginnings: it must say that they are not whole.
 */
static inline void
fleet_each_change(dm_str_t octets,
    int (*read)(unsigned char *data, size_t len, void *data2), void *data2)
{
    size_t          i;
    unsigned        bit;
    unsigned char  *copy;

    for (i = 0; i < octets.len; i++) {
        for (bit = 0; bit < 8; bit++) {
            copy = malloc(octets.len);
            assert_non_null(copy);
            memcpy(copy, octets.data, octets.len);
            copy[i] ^= (unsigned char) (1u << bit);

            if (read(copy, octets.len, data2) != DM_INVALID) {
                fail_msg("bit %u of octet %zu can be another", bit, i);
            }

            free(copy);
        }

        /* it must not read behind the end, which a sanitizer sees */

        copy = malloc(i > 0 ? i : 1);
        assert_non_null(copy);
        memcpy(copy, octets.data, i);
        assert_int_equal(read(copy, i, data2), DM_INVALID);
        free(copy);
    }
}


#endif /* FLEET_FIXTURE_H */
