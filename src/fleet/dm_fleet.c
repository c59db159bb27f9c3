/* The keys of a fleet, and its place in the log */

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "dm_fleet.h"


static int dm_fleet_init(dm_fleet_t *fleet, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_err_t *err);
static int dm_fleet_sealer(dm_fleet_t *fleet, const dm_keys_t *keys,
    dm_str_t label, dm_sealer_t **sealer, dm_err_t *err);


dm_fleet_t *
dm_fleet_new(const dm_keys_t *keys, const unsigned char *store_id,
    const dm_keys_t *authority, dm_err_t *err)
{
    dm_fleet_t  *fleet;

    fleet = calloc(1, sizeof(dm_fleet_t));
    if (fleet == NULL) {
        dm_err_set(err, "memory is short");
        return NULL;
    }

    memcpy(fleet->store_id, store_id, DM_FLEET_ID);

    if (dm_fleet_init(fleet, keys, authority, err) != DM_OK) {
        dm_fleet_free(fleet);
        return NULL;
    }

    return fleet;
}


static int
dm_fleet_init(dm_fleet_t *fleet, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_err_t *err)
{
    if (dm_fleet_sealer(fleet, keys, dm_str("dm-sec fleet entry"),
                        &fleet->entries, err)
           != DM_OK
        || dm_fleet_sealer(fleet, keys, dm_str("dm-sec fleet row"),
                           &fleet->rows, err)
           != DM_OK
        || dm_fleet_sealer(fleet, keys, dm_str("dm-sec fleet root"),
                           &fleet->roots, err)
           != DM_OK)
    {
        return DM_ERROR;
    }

    if (authority == NULL) {
        return DM_OK;
    }

    fleet->authority = dm_fleet_verifier_new(authority);

    if (fleet->authority == NULL) {
        dm_err_set(err, "the authority's public keys cannot be used: there "
                   "must be one or two, each of %d octets", DM_FLEET_PUBLIC);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_fleet_sealer(dm_fleet_t *fleet, const dm_keys_t *keys, dm_str_t label,
    dm_sealer_t **sealer, dm_err_t *err)
{
    dm_keys_t  derived;

    if (dm_fleet_derive_keys(keys, fleet->store_id, label, &derived) != DM_OK)
    {
        dm_err_set(err, "the fleet's keys cannot be derived: OpenSSL failed");
        return DM_ERROR;
    }

    *sealer = dm_sealer_new(&derived, err);

    dm_keys_wipe(&derived);

    return *sealer == NULL ? DM_ERROR : DM_OK;
}


void
dm_fleet_free(dm_fleet_t *fleet)
{
    if (fleet == NULL) {
        return;
    }

    dm_sealer_free(fleet->entries);
    dm_sealer_free(fleet->rows);
    dm_sealer_free(fleet->roots);
    dm_fleet_verifier_free(fleet->authority);
    dm_mac_free(fleet->names);
    dm_fleet_adder_free(fleet->adder);

    OPENSSL_cleanse(fleet, sizeof(dm_fleet_t));
    free(fleet);
}


int
dm_fleet_use_root(dm_fleet_t *fleet, const unsigned char *root, dm_err_t *err)
{
    unsigned char  key[DM_MAC_SIZE];

    dm_mac_free(fleet->names);
    dm_fleet_adder_free(fleet->adder);

    fleet->names = NULL;
    fleet->adder = NULL;

    if (dm_fleet_derive(root, fleet->store_id, dm_str("dm-sec fleet name"),
                        key)
        == DM_OK)
    {
        fleet->names = dm_mac_new(key);
        fleet->adder = dm_fleet_adder_new(root, fleet->store_id);
    }

    OPENSSL_cleanse(key, sizeof(key));

    if (fleet->names == NULL || fleet->adder == NULL) {
        dm_err_set(err, "the fleet's keys cannot be derived: OpenSSL failed");
        return DM_ERROR;
    }

    memmove(fleet->root, root, DM_FLEET_ROOT);

    return DM_OK;
}


int
dm_fleet_start(const dm_fleet_t *fleet, dm_fleet_place_t *place)
{
    dm_str_t  part[2];

    part[0] = dm_str("dm-sec fleet start");
    part[1] = (dm_str_t) { fleet->store_id, DM_FLEET_ID };

    place->number = 0;

    return dm_fleet_hash(part, 2, place->chain);
}


int
dm_fleet_same_place(const dm_fleet_place_t *a, const dm_fleet_place_t *b)
{
    return a->number == b->number
           && memcmp(a->chain, b->chain, DM_FLEET_HASH) == 0;
}


int
dm_fleet_key(const dm_fleet_t *fleet, dm_str_t id, unsigned char *out)
{
    dm_str_t  part[2];

    part[0] = dm_str("dm-sec fleet row");
    part[1] = id;

    return dm_mac_parts(fleet->names, part, 2, out);
}


int
dm_fleet_get_id(const dm_fleet_t *fleet, dm_wire_t *w)
{
    unsigned char  *id;

    id = dm_wire_take(w, DM_FLEET_ID);

    if (id == NULL || memcmp(id, fleet->store_id, DM_FLEET_ID) != 0) {
        w->bad = 1;
        return 0;
    }

    return 1;
}


int
dm_fleet_put_sign(dm_wire_t *w, dm_fleet_signer_t *signer, dm_str_t label,
    unsigned char *octets)
{
    size_t         len;
    unsigned char  sign[DM_FLEET_SIGNED];

    if (w->bad
        || dm_fleet_sign(signer, label,
                         (dm_str_t) { octets, (size_t) (w->pos - octets) },
                         sign, &len)
           != DM_OK)
    {
        return DM_ERROR;
    }

    dm_wire_put_octets(w, sign, len);

    return w->bad ? DM_ERROR : DM_OK;
}


int
dm_fleet_get_sign(dm_wire_t *w, dm_fleet_verifier_t *verifier,
    dm_str_t label, unsigned char *octets)
{
    if (w->bad) {
        return DM_DECLINED;
    }

    return dm_fleet_verify(verifier, label,
                           (dm_str_t) { octets, (size_t) (w->pos - octets) },
                           (dm_str_t) { w->pos,
                                        (size_t) (w->last - w->pos) });
}
