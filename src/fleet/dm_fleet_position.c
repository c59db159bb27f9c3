/* The position: what a store knows of its own state, sealed with its key */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_fleet_position.h"
#include "dm_wire.h"


#define DM_FLEET_POSITION_VERSION  1

/* parts of the associated data */
#define DM_FLEET_POSITION_BOUND    2


static void dm_fleet_position_bind(dm_str_t *ad,
    const unsigned char *store_id);
static int dm_fleet_position_fill(dm_fleet_position_t *position,
    unsigned char *plain, size_t len);


int
dm_fleet_position_write(const dm_fleet_position_t *position,
    dm_sealer_t *sealer, const unsigned char *store_id, unsigned char *out,
    size_t *outlen, dm_err_t *err)
{
    int             rc;
    size_t          len;
    dm_str_t        ad[DM_FLEET_POSITION_BOUND];
    dm_wire_t       w;
    unsigned char   plain[DM_FLEET_POSITION_PLAIN], *p;

    dm_wire_init(&w, plain, sizeof(plain));

    dm_wire_put(&w, 1, position->follows);
    dm_wire_put(&w, 8, position->place.number);
    dm_wire_put_octets(&w, position->place.chain, DM_FLEET_HASH);
    dm_wire_put(&w, 8, position->accounts);

    p = dm_wire_take(&w, DM_FLEET_SUM_SIZE);
    dm_fleet_sum_write(&position->sum, p);

    dm_wire_put_octets(&w, position->root, DM_FLEET_ROOT);
    dm_wire_put(&w, 8, position->beat);
    dm_wire_put(&w, 8, (uint64_t) position->beaten);
    dm_wire_put(&w, 1, position->state);

    out[0] = DM_FLEET_POSITION_VERSION;
    dm_fleet_position_bind(ad, store_id);

    rc = dm_sealer_seal(sealer, ad, DM_FLEET_POSITION_BOUND,
                        (dm_str_t) { plain, sizeof(plain) }, out + 1, &len);

    OPENSSL_cleanse(plain, sizeof(plain));

    if (rc != DM_OK) {
        dm_err_set(err, "the position cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    *outlen = 1 + len;

    return DM_OK;
}


static void
dm_fleet_position_bind(dm_str_t *ad, const unsigned char *store_id)
{
    ad[0] = dm_str("dm-sec fleet position");
    ad[1] = (dm_str_t) { store_id, DM_FLEET_ID };
}


int
dm_fleet_position_read(dm_fleet_position_t *position, dm_str_t octets,
    dm_sealer_t *sealer, const unsigned char *store_id, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_str_t       ad[DM_FLEET_POSITION_BOUND];
    unsigned char  plain[DM_FLEET_POSITION_MAX];

    if (octets.len < 1 || octets.len > DM_FLEET_POSITION_MAX
        || octets.data[0] != DM_FLEET_POSITION_VERSION)
    {
        dm_err_set(err, "the store's position is not whole, or not of version "
                   "%d, which is all that this program reads",
                   DM_FLEET_POSITION_VERSION);
        return DM_INVALID;
    }

    octets.data++;
    octets.len--;

    dm_fleet_position_bind(ad, store_id);

    rc = dm_sealer_open(sealer, ad, DM_FLEET_POSITION_BOUND, octets, plain,
                        &len);

    if (rc == DM_ERROR) {
        dm_err_set(err, "the store's position cannot be opened: OpenSSL "
                   "failed");
        return DM_ERROR;
    }

    if (rc == DM_OK) {
        rc = dm_fleet_position_fill(position, plain, len);
        OPENSSL_cleanse(plain, len);
    }

    if (rc != DM_OK) {
        dm_err_set(err, "the store's position is damaged, was changed by "
                   "somebody without the store key, or is another store's");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_fleet_position_fill(dm_fleet_position_t *position, unsigned char *plain,
    size_t len)
{
    dm_wire_t       w;
    unsigned char  *chain, *sum, *root;

    dm_wire_init(&w, plain, len);

    position->follows = dm_wire_get_max(&w, 1);
    position->place.number = dm_wire_get(&w, 8);
    chain = dm_wire_take(&w, DM_FLEET_HASH);
    position->accounts = dm_wire_get(&w, 8);
    sum = dm_wire_take(&w, DM_FLEET_SUM_SIZE);
    root = dm_wire_take(&w, DM_FLEET_ROOT);
    position->beat = dm_wire_get(&w, 8);
    position->beaten = (int64_t) dm_wire_get(&w, 8);
    position->state = (unsigned) dm_wire_get(&w, 1);

    if (w.bad || w.pos != w.last) {
        return DM_INVALID;
    }

    memcpy(position->place.chain, chain, DM_FLEET_HASH);
    memcpy(position->root, root, DM_FLEET_ROOT);
    dm_fleet_sum_read(&position->sum, sum);

    return DM_OK;
}
