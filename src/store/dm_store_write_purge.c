/* An account whose record does not open, taken out of the store all the same */

#include "dm_store_write_internal.h"


static int dm_purge_index(dm_store_t *store, dm_store_db_t db, dm_str_t id,
    dm_err_t *err);


int
dm_store_purge(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    dm_store_db_t  db;

    /* only the record says by what entries it is found: look at them all */

    for (db = DM_DB_NAME; db <= DM_DB_CERT; db++) {
        if (dm_purge_index(store, db, id, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    if (dm_store_unset(store, DM_DB_ACCOUNT, id, err) != DM_OK) {
        return DM_ERROR;
    }

    /* the record, which does not open, would say what it counted for */

    return dm_store_recount(store, err);
}


/* removes each entry that leads to the account */
static int
dm_purge_index(dm_store_t *store, dm_store_db_t db, dm_str_t id,
    dm_err_t *err)
{
    int          rc;
    MDB_val      name, value;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(store->write, store->dbi[db], &cursor);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    for ( ;; ) {
        rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);

        if (rc == 0
            && dm_str_eq((dm_str_t) { value.mv_data, value.mv_size }, id))
        {
            rc = mdb_cursor_del(cursor, 0);
        }

        if (rc != 0) {
            break;
        }
    }

    mdb_cursor_close(cursor);

    if (rc != MDB_NOTFOUND) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    return DM_OK;
}
