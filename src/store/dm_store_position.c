/* The position of a store, as it is read: see dm_fleet_position.h */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_store_internal.h"


static int dm_store_read_replica(dm_store_t *store, MDB_txn *txn,
    dm_store_replica_t *replica, dm_err_t *err);


int
dm_store_fetch_position(dm_store_t *store, MDB_txn *txn,
    dm_fleet_position_t *position, dm_err_t *err)
{
    int      rc;
    MDB_val  key, value;

    key.mv_data = DM_STORE_POSITION_KEY;
    key.mv_size = sizeof(DM_STORE_POSITION_KEY) - 1;

    rc = mdb_get(txn, store->dbi[DM_DB_META], &key, &value);

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return dm_store_fail(store, rc, "the position cannot be read", err);
    }

    if (store->meta.format != DM_STORE_FORMAT_POSITION) {

        if (rc == MDB_NOTFOUND) {
            return DM_DECLINED;
        }

        dm_err_set(err, "store \"%s\" has a position, and its format says "
                   "that it has none: its meta record was exchanged for an "
                   "old one; restore a backup", store->path);
        return DM_INVALID;
    }

    if (rc == MDB_NOTFOUND) {
        dm_err_set(err, "store \"%s\" has no position, and its format says "
                   "that it has one: it was taken away; restore a backup",
                   store->path);
        return DM_INVALID;
    }

    return dm_fleet_position_read(position,
                                  (dm_str_t) { value.mv_data, value.mv_size },
                                  store->sealer, store->meta.id, err);
}


int
dm_store_replica(dm_store_t *store, dm_store_replica_t *replica,
    dm_err_t *err)
{
    int       rc, settled;
    MDB_txn  *txn;

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    /* a record that was overwritten meanwhile does not open: look at both */

    rc = dm_store_read_replica(store, txn, replica, err);
    settled = dm_store_settled(store, txn);

    dm_store_release(store);

    return settled ? rc : dm_store_moved(store, err);
}


static int
dm_store_read_replica(dm_store_t *store, MDB_txn *txn,
    dm_store_replica_t *replica, dm_err_t *err)
{
    int                  rc;
    dm_fleet_position_t  position;

    memset(&position, 0, sizeof(position));

    rc = dm_store_read_meta(store, txn, err);

    if (rc == DM_OK) {
        rc = dm_store_fetch_position(store, txn, &position, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    replica->number = position.place.number;
    replica->beaten = position.beaten;
    replica->state = position.state;

    rc = position.follows ? DM_OK : DM_DECLINED;

    OPENSSL_cleanse(&position, sizeof(position));

    return rc;
}
