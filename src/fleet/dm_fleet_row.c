/* Rows: the present accounts, as the engine has them */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_fleet_row.h"


#define DM_FLEET_ROW_VERSION  1

/* parts of the associated data */
#define DM_FLEET_ROW_BOUND    4


static void dm_fleet_row_bind(dm_str_t *ad, const dm_fleet_t *fleet,
    const unsigned char *key, const unsigned char *number);
static int dm_fleet_row_get(dm_fleet_t *fleet, dm_str_t key,
    unsigned char *data, size_t len, dm_fleet_row_t *row,
    dm_account_t *account, dm_err_t *err);
static int dm_fleet_row_prove(dm_fleet_t *fleet, dm_str_t key, dm_str_t id,
    dm_err_t *err);


int
dm_fleet_row_write(dm_fleet_t *fleet, dm_str_t id, dm_str_t octets,
    uint64_t number, unsigned char *key, unsigned char *out, size_t *outlen,
    dm_err_t *err)
{
    size_t      len;
    dm_str_t    ad[DM_FLEET_ROW_BOUND];
    dm_wire_t   w;

    dm_wire_init(&w, out, 1 + 8);

    dm_wire_put(&w, 1, DM_FLEET_ROW_VERSION);
    dm_wire_put(&w, 8, number);

    dm_fleet_row_bind(ad, fleet, key, out + 1);

    if (octets.len > DM_RECORD_MAX
        || dm_fleet_key(fleet, id, key) != DM_OK
        || dm_sealer_seal(fleet->rows, ad, DM_FLEET_ROW_BOUND, octets,
                          w.pos, &len)
           != DM_OK)
    {
        dm_err_set(err, "a row cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    *outlen = 1 + 8 + len;

    return DM_OK;
}


static void
dm_fleet_row_bind(dm_str_t *ad, const dm_fleet_t *fleet,
    const unsigned char *key, const unsigned char *number)
{
    ad[0] = dm_str("dm-sec fleet row");
    ad[1] = (dm_str_t) { fleet->store_id, DM_FLEET_ID };
    ad[2] = (dm_str_t) { key, DM_FLEET_KEY };
    ad[3] = (dm_str_t) { number, 8 };
}


int
dm_fleet_row_read(dm_fleet_t *fleet, dm_str_t key, unsigned char *data,
    size_t len, dm_fleet_row_t *row, dm_account_t *account, dm_err_t *err)
{
    int  rc;

    rc = dm_fleet_row_get(fleet, key, data, len, row, account, err);

    if (rc != DM_OK) {
        dm_account_wipe(account);
        OPENSSL_cleanse(data, len);
    }

    return rc;
}


static int
dm_fleet_row_get(dm_fleet_t *fleet, dm_str_t key, unsigned char *data,
    size_t len, dm_fleet_row_t *row, dm_account_t *account, dm_err_t *err)
{
    int             rc;
    size_t          plain;
    dm_str_t        ad[DM_FLEET_ROW_BOUND];
    unsigned        version;
    dm_wire_t       w;

    memset(account, 0, sizeof(dm_account_t));
    dm_wire_init(&w, data, len <= DM_FLEET_ROW_MAX ? len : 0);

    version = (unsigned) dm_wire_get(&w, 1);
    row->number = dm_wire_get(&w, 8);

    if (w.bad || version != DM_FLEET_ROW_VERSION || key.len != DM_FLEET_KEY) {
        dm_err_set(err, "a row is not whole, or not of version %d, which is "
                   "all that this program reads", DM_FLEET_ROW_VERSION);
        return DM_INVALID;
    }

    dm_fleet_row_bind(ad, fleet, key.data, data + 1);

    rc = dm_sealer_open(fleet->rows, ad, DM_FLEET_ROW_BOUND,
                        (dm_str_t) { w.pos, (size_t) (w.last - w.pos) },
                        w.pos, &plain);

    if (rc == DM_ERROR) {
        dm_err_set(err, "a row cannot be opened: OpenSSL failed");
        return DM_ERROR;
    }

    if (rc != DM_OK) {
        dm_err_set(err, "a row was changed or exchanged, is of another store, "
                   "or was sealed with a key that is not here");
        return DM_INVALID;
    }

    row->octets = (dm_str_t) { w.pos, plain };

    if (dm_account_unpack(account, w.pos, plain, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_fleet_row_prove(fleet, key, account->id, err);
}


/* a thief of the store key could seal an account under another's key */
static int
dm_fleet_row_prove(dm_fleet_t *fleet, dm_str_t key, dm_str_t id,
    dm_err_t *err)
{
    unsigned char  own[DM_FLEET_KEY];

    if (dm_fleet_key(fleet, id, own) != DM_OK) {
        dm_err_set(err, "a row's key cannot be made: OpenSSL failed");
        return DM_ERROR;
    }

    if (CRYPTO_memcmp(own, key.data, DM_FLEET_KEY) != 0) {
        dm_err_set(err, "the row of account \"%.*s\" stands under the key of "
                   "another", (int) id.len, (const char *) id.data);
        return DM_INVALID;
    }

    return DM_OK;
}
