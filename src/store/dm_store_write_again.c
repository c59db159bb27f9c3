/* A store that follows a log from another state on: it bootstraps */

#include "dm_store_follow.h"
#include "dm_store_write_internal.h"
#include "dm_store_write_ring.h"


static int dm_again_drop_ring(dm_store_t *store, dm_err_t *err);


int
dm_store_start_again(dm_store_t *store, const unsigned char *root,
    const dm_fleet_place_t *place, dm_err_t *err)
{
    int            rc;
    dm_store_db_t  db;

    for (db = DM_DB_ACCOUNT; db <= DM_DB_CERT; db++) {

        rc = mdb_drop(store->write, store->dbi[db], 0);
        if (rc != 0) {
            return dm_store_fail(store, rc, "cannot be written", err);
        }
    }

    if (dm_again_drop_ring(store, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_store_position_forget(store);

    return dm_store_start_following(store, root, place, err);
}


/* its entries may be of another log than the one that is followed now */
static int
dm_again_drop_ring(dm_store_t *store, dm_err_t *err)
{
    int      rc;
    MDB_dbi  ring;

    rc = mdb_dbi_open(store->write, DM_STORE_RING, 0, &ring);

    if (rc == MDB_NOTFOUND) {
        return DM_OK;
    }

    if (rc == 0) {
        rc = mdb_drop(store->write, ring, 0);
    }

    return rc == 0 ? DM_OK
                   : dm_store_fail(store, rc, "cannot be written", err);
}
