/* The position of a store, written with the records that it speaks of */

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "dm_fleet_position.h"
#include "dm_store_follow.h"
#include "dm_store_write_internal.h"


static dm_store_position_t *dm_store_position_new(dm_store_t *store,
    const dm_fleet_position_t *is, dm_err_t *err);
static int dm_store_position_begin(dm_store_t *store, dm_err_t *err);
static int dm_store_position_root(dm_fleet_position_t *is, dm_err_t *err);
static void dm_store_position_differs(const dm_store_position_t *position,
    const dm_store_sum_t *sum, dm_err_t *what);


int
dm_store_position_load(dm_store_t *store, MDB_txn *txn,
    dm_store_position_t **position, dm_err_t *err)
{
    int                  rc;
    dm_fleet_position_t  is;

    /* until the transaction ends, its own is in memory alone */

    if (store->position != NULL && txn == store->write) {
        *position = dm_store_position_new(store, &store->position->is, err);
        return *position == NULL ? DM_ERROR : DM_OK;
    }

    rc = dm_store_fetch_position(store, txn, &is, err);

    if (rc != DM_OK) {
        return rc;
    }

    *position = dm_store_position_new(store, &is, err);

    OPENSSL_cleanse(&is, sizeof(is));

    return *position == NULL ? DM_ERROR : DM_OK;
}


static dm_store_position_t *
dm_store_position_new(dm_store_t *store, const dm_fleet_position_t *is,
    dm_err_t *err)
{
    dm_store_position_t  *position;

    position = calloc(1, sizeof(dm_store_position_t));

    if (position != NULL) {
        position->is = *is;
        position->adder = dm_fleet_adder_new(is->root, store->meta.id);
    }

    if (position == NULL || position->adder == NULL) {
        dm_err_set(err, "the accounts cannot be summed: memory is short, or "
                   "OpenSSL failed");
        dm_store_position_free(position);
        return NULL;
    }

    return position;
}


void
dm_store_position_free(dm_store_position_t *position)
{
    if (position == NULL) {
        return;
    }

    dm_fleet_adder_free(position->adder);
    OPENSSL_cleanse(position, sizeof(dm_store_position_t));
    free(position);
}


void
dm_store_position_forget(dm_store_t *store)
{
    dm_store_position_free(store->position);
    store->position = NULL;
}


int
dm_store_keep_position(dm_store_t *store, dm_err_t *err)
{
    dm_fleet_position_t  is;

    if (store->position != NULL) {
        return DM_EXISTS;
    }

    memset(&is, 0, sizeof(is));

    if (dm_store_position_root(&is, err) != DM_OK) {
        return DM_ERROR;
    }

    store->position = dm_store_position_new(store, &is, err);
    OPENSSL_cleanse(&is, sizeof(is));

    if (store->position == NULL) {
        return DM_ERROR;
    }

    return dm_store_position_begin(store, err);
}


/* sums all accounts from the beginning.  DM_OK, DM_INVALID or DM_ERROR */
static int
dm_store_position_begin(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = dm_store_recount(store, err);
    if (rc != DM_OK) {
        return rc;
    }

    if (store->position->is.accounts != store->meta.accounts) {
        dm_err_set(err, "store \"%s\" has accounts that do not open: "
                   "dm-account check names them", store->path);
        return DM_INVALID;
    }

    store->meta.format = DM_STORE_FORMAT_POSITION;
    store->changed = 1;

    return DM_OK;
}


int
dm_store_start_following(dm_store_t *store, const unsigned char *root,
    const dm_fleet_place_t *place, dm_err_t *err)
{
    dm_fleet_position_t   is;
    dm_store_position_t  *position;

    if (dm_store_is_following(store)) {
        return DM_EXISTS;
    }

    memset(&is, 0, sizeof(is));
    is.follows = 1;
    is.place = *place;
    memcpy(is.root, root, DM_FLEET_ROOT);

    position = dm_store_position_new(store, &is, err);
    OPENSSL_cleanse(&is, sizeof(is));

    if (position == NULL) {
        return DM_ERROR;
    }

    /* the sum of one that was alone had another root */

    dm_store_position_forget(store);
    store->position = position;
    store->applying = 1;

    return dm_store_position_begin(store, err);
}


static int
dm_store_position_root(dm_fleet_position_t *is, dm_err_t *err)
{
    if (RAND_bytes(is->root, DM_FLEET_ROOT) != 1) {
        dm_err_set(err, "OpenSSL gives no random numbers");
        return DM_ERROR;
    }

    return DM_OK;
}


void
dm_store_position_none(dm_store_t *store)
{
    if (store->position != NULL) {
        store->position->is.accounts = 0;
        memset(&store->position->is.sum, 0, sizeof(dm_fleet_sum_t));
    }
}


int
dm_store_position_count(dm_store_t *store, const dm_account_t *account,
    int n, dm_err_t *err)
{
    dm_store_sum_t        sum;
    dm_store_position_t  *position;

    position = store->position;

    if (position == NULL) {
        return DM_OK;
    }

    sum.accounts = position->is.accounts;
    sum.sum = position->is.sum;

    if (dm_store_sum_account(position, &sum, account, n, err) != DM_OK) {
        return DM_ERROR;
    }

    position->is.accounts = sum.accounts;
    position->is.sum = sum.sum;

    return DM_OK;
}


int
dm_store_sum_account(const dm_store_position_t *position,
    dm_store_sum_t *sum, const dm_account_t *account, int n, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_str_t       packed;
    unsigned char  octets[DM_RECORD_MAX];

    if (dm_account_pack(account, octets, &len, err) != DM_OK) {
        return DM_ERROR;
    }

    packed = (dm_str_t) { octets, len };

    rc = n > 0 ? dm_fleet_add(position->adder, &sum->sum, packed)
               : dm_fleet_remove(position->adder, &sum->sum, packed);

    OPENSSL_cleanse(octets, len);

    if (rc != DM_OK) {
        dm_err_set(err, "the accounts cannot be summed: OpenSSL failed");
        return DM_ERROR;
    }

    sum->accounts += (uint64_t) n;

    return DM_OK;
}


int
dm_store_position_save(dm_store_t *store, dm_err_t *err)
{
    size_t         len;
    unsigned char  octets[DM_FLEET_POSITION_MAX];

    if (store->position == NULL) {
        return DM_OK;
    }

    if (!store->position->is.follows) {
        store->position->is.place.number++;
    }

    if (dm_fleet_position_write(&store->position->is, store->sealer,
                                store->meta.id, octets, &len, err)
        != DM_OK)
    {
        return DM_ERROR;
    }

    return dm_store_set(store, DM_DB_META, dm_str(DM_STORE_POSITION_KEY),
                        (dm_str_t) { octets, len }, err);
}


int
dm_store_position_prove(const dm_store_position_t *position,
    const dm_store_sum_t *sum, dm_err_t *what)
{
    if (position->is.accounts == sum->accounts
        && memcmp(&position->is.sum, &sum->sum, sizeof(dm_fleet_sum_t)) == 0)
    {
        return DM_OK;
    }

    dm_store_position_differs(position, sum, what);

    return DM_DECLINED;
}


static void
dm_store_position_differs(const dm_store_position_t *position,
    const dm_store_sum_t *sum, dm_err_t *what)
{
    if (position->is.accounts != sum->accounts) {
        dm_err_set(what, "the store was last written with %llu accounts, and "
                   "has %llu: records were taken away or put back, and not by "
                   "these programs", (unsigned long long)
                   position->is.accounts, (unsigned long long) sum->accounts);
        return;
    }

    dm_err_set(what, "the accounts are not those that were last written: an "
               "old record was put back, and not by these programs");
}
