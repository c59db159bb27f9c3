/* The accounts of a store, fetched one by one */

#include "dm_store_write_internal.h"


int
dm_store_next(dm_store_t *store, dm_store_next_t *at, dm_account_t *account,
    dm_err_t *err)
{
    int          rc;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(store->write, store->dbi[DM_DB_ACCOUNT], &cursor);

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    rc = dm_store_step(store, cursor, at->name, &at->name_len, at->record,
                       &at->len, err);

    mdb_cursor_close(cursor);

    if (rc != DM_OK) {
        return rc;
    }

    return dm_store_decode(store, (dm_str_t) { at->name, at->name_len },
                           at->record, at->len, account, err);
}
