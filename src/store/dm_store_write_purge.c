/* An account whose record does not open, taken out of the store all the same */

#include "dm_store_write_internal.h"


static int dm_purge_index(dm_store_t *store, dm_store_db_t db, dm_str_t id,
    dm_err_t *err);
static int dm_purge_recount(dm_store_t *store, dm_err_t *err);
static int dm_purge_count(const dm_account_t *account, void *data);
static int dm_purge_pass(dm_str_t id, const dm_err_t *why, void *data);


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

    return dm_purge_recount(store, err);
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


/*
 * Counts anew: the record, which does not open, would say what it counted for.
 */
static int
dm_purge_recount(dm_store_t *store, dm_err_t *err)
{
    int       rc;
    uint64_t  lacks;
    MDB_stat  stat;

    lacks = 0;

    rc = mdb_stat(store->write, store->dbi[DM_DB_ACCOUNT], &stat);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    if (dm_store_walk(store, dm_purge_count, dm_purge_pass, &lacks, err)
        != DM_OK)
    {
        return DM_ERROR;
    }

    store->meta.accounts = stat.ms_entries;
    store->meta.lacks_sha256 = lacks;
    store->changed = 1;

    return DM_OK;
}


static int
dm_purge_count(const dm_account_t *account, void *data)
{
    *(uint64_t *) data += (uint64_t) dm_account_lacks_sha256(account);

    return DM_OK;
}


static int
dm_purge_pass(dm_str_t id, const dm_err_t *why, void *data)
{
    (void) id;
    (void) why;
    (void) data;

    return DM_OK;
}
