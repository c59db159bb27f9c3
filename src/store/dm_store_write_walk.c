/* All accounts of a store, one after the other */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_store_write_internal.h"


/* the arguments of dm_store_walk() */
typedef struct {
    int            (*fn)(const dm_account_t *account, void *data);
    int            (*bad)(dm_str_t id, const dm_err_t *err, void *data);
    void            *data;
} dm_store_fn_t;

typedef struct {
    dm_store_t      *store;
    int            (*fn)(const dm_account_t *account, void *data);
    int            (*bad)(dm_str_t id, const dm_err_t *err, void *data);
    void            *data;
} dm_walk_view_t;


static int dm_walk_view(const dm_account_t *account, void *data);
static int dm_walk_bad(dm_str_t id, const dm_err_t *err, void *data);
static int dm_store_visit(dm_store_t *store, MDB_cursor *cursor,
    const dm_store_fn_t *call, dm_err_t *err);
static int dm_store_is_behind(const MDB_val *key, const unsigned char *name,
    size_t len);


int
dm_store_walk(dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data),
    int (*bad)(dm_str_t id, const dm_err_t *err, void *data),
    void *data, dm_err_t *err)
{
    dm_walk_view_t  view;

    view = (dm_walk_view_t) { store, fn, bad, data };

    return dm_store_walk_records(store, dm_walk_view,
                                 bad == NULL ? NULL : dm_walk_bad, &view, err);
}


/* the account as it is in force: see dm_store_disabled_file.h */
static int
dm_walk_view(const dm_account_t *account, void *data)
{
    int              rc;
    dm_account_t     shown;
    dm_walk_view_t  *view;

    view = data;
    shown = *account;

    dm_disabled_apply(view->store, &shown);

    rc = view->fn(&shown, view->data);

    dm_account_wipe(&shown);

    return rc;
}


static int
dm_walk_bad(dm_str_t id, const dm_err_t *err, void *data)
{
    dm_walk_view_t  *view;

    view = data;

    return view->bad(id, err, view->data);
}


int
dm_store_walk_records(dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data),
    int (*bad)(dm_str_t id, const dm_err_t *err, void *data),
    void *data, dm_err_t *err)
{
    int             rc;
    MDB_txn        *txn;
    MDB_cursor     *cursor;
    dm_store_fn_t   call;

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = mdb_cursor_open(txn, store->dbi[DM_DB_ACCOUNT], &cursor);

    if (rc == 0) {
        call = (dm_store_fn_t) { fn, bad, data };
        rc = dm_store_visit(store, cursor, &call, err);
        mdb_cursor_close(cursor);

    } else {
        rc = dm_store_fail(store, rc, "cannot be read", err);
    }

    dm_store_release(store);

    return rc;
}


static int
dm_store_visit(dm_store_t *store, MDB_cursor *cursor,
    const dm_store_fn_t *call, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_err_t       why;
    dm_str_t       id;
    dm_account_t   account;
    unsigned char  name[DM_STORE_NAME_MAX], record[DM_RECORD_MAX];

    id.data = name;
    id.len = 0;

    for ( ;; ) {
        rc = dm_store_step(store, cursor, name, &id.len, record, &len, err);

        if (rc != DM_OK) {
            return rc == DM_DECLINED ? DM_OK : rc;
        }

        rc = dm_store_decode(store, id, record, len, &account, &why);

        if (rc == DM_OK) {
            rc = call->fn(&account, call->data);
            dm_account_wipe(&account);
            OPENSSL_cleanse(record, len);

        } else if (call->bad != NULL) {
            rc = call->bad(id, &why, call->data);

        } else {
            dm_err_set(err, "%s", why.text);
        }

        if (rc != DM_OK) {
            return rc;
        }
    }
}


int
dm_store_step(dm_store_t *store, MDB_cursor *cursor, unsigned char *name,
    size_t *name_len, unsigned char *record, size_t *len, dm_err_t *err)
{
    int      rc;
    MDB_val  key, value;

    *len = 0;

    key.mv_data = name;
    key.mv_size = *name_len;

    rc = mdb_cursor_get(cursor, &key, &value,
                        *name_len == 0 ? MDB_FIRST : MDB_SET_RANGE);

    if (rc == 0 && key.mv_size == *name_len
        && memcmp(key.mv_data, name, *name_len) == 0)
    {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    /* in a damaged file names may lead round and round */

    if (key.mv_size > DM_STORE_NAME_MAX
        || !dm_store_is_behind(&key, name, *name_len))
    {
        return dm_store_fail(store, MDB_CORRUPTED, "cannot be read", err);
    }

    memcpy(name, key.mv_data, key.mv_size);
    *name_len = key.mv_size;

    /* a record too long is as bad as an empty one, and so is it decoded */

    if (value.mv_size <= DM_RECORD_MAX) {
        *len = value.mv_size;
        memcpy(record, value.mv_data, *len);
    }

    return DM_OK;
}


/* tells whether key is behind name, in the order of LMDB */
static int
dm_store_is_behind(const MDB_val *key, const unsigned char *name, size_t len)
{
    int  rc;

    rc = memcmp(key->mv_data, name, key->mv_size < len ? key->mv_size : len);

    return rc > 0 || (rc == 0 && key->mv_size > len);
}
