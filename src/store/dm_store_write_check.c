/* A store gone through as a whole: records, indexes and counters */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_store_write_internal.h"


typedef struct {
    dm_store_t       *store;
    MDB_txn          *txn;
    int             (*fn)(const dm_account_t *account, void *data);
    void            (*damage)(const dm_err_t *what, void *data);
    void             *data;
    dm_err_t         *err;

    uint64_t          damages;
    uint64_t          accounts;
    uint64_t          closed;               /* accounts that do not open */
    uint64_t          lacks_md5;
    uint64_t          lacks_sha256;
    void             *found;                /* of the counters */
    uint64_t          entries[DM_DB_N];     /* as accounts have them */

    dm_store_position_t  *position;         /* NULL: there is none to prove */
    dm_store_sum_t        sum;
} dm_check_t;


static int dm_check_all(dm_check_t *check);
static int dm_check_position(dm_check_t *check);
static void dm_check_tell(dm_check_t *check, const dm_err_t *what);
static int dm_check_account(const dm_account_t *account, void *data);
static int dm_check_closed(dm_str_t id, const dm_err_t *why, void *data);
static int dm_check_key(dm_check_t *check, const dm_account_t *account,
    const dm_store_keys_t *keys, unsigned i);
static int dm_check_counters(dm_check_t *check);
static void dm_check_counter(const char *which, uint64_t counted,
    uint64_t found, void *data);
static int dm_check_index(dm_check_t *check, dm_store_db_t db);
static int dm_check_entries(dm_check_t *check, dm_store_db_t db,
    MDB_cursor *cursor);
static int dm_check_entry(dm_check_t *check, dm_store_db_t db, dm_str_t name,
    dm_str_t id);
static int dm_check_holder(dm_check_t *check, dm_store_db_t db,
    dm_str_t name, const dm_account_t *account);


static const char *const  dm_check_names[DM_DB_N] = {
    [DM_DB_NAME] = "name",
    [DM_DB_USERHASH] = "userhash",
    [DM_DB_PSK] = "PSK",
    [DM_DB_CERT] = "certificate"
};


int
dm_store_check(dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data),
    void (*damage)(const dm_err_t *what, void *data), void *data,
    uint64_t *damages, dm_err_t *err)
{
    int         rc;
    dm_check_t  check;

    memset(&check, 0, sizeof(dm_check_t));
    check.store = store;
    check.fn = fn;
    check.damage = damage;
    check.data = data;
    check.err = err;

    if (dm_store_acquire(store, &check.txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_check_position(&check);

    if (rc == DM_OK) {
        rc = dm_check_all(&check);
    }

    dm_store_position_free(check.position);
    dm_store_count_forget(check.found);
    dm_store_release(store);

    *damages = check.damages;

    return rc;
}


/* reads it, and looks before anything else whether there is one to read */
static int
dm_check_position(dm_check_t *check)
{
    int       rc;
    dm_err_t  what;

    if (dm_store_read_meta(check->store, check->txn, check->err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_position_load(check->store, check->txn, &check->position,
                                &what);

    if (rc == DM_INVALID) {
        dm_check_tell(check, &what);
    }

    if (rc == DM_INVALID || rc == DM_DECLINED) {
        return DM_OK;
    }

    if (rc != DM_OK && check->err != NULL) {
        *check->err = what;
    }

    return rc;
}


static int
dm_check_all(dm_check_t *check)
{
    int            rc;
    dm_store_db_t  db;

    rc = dm_store_walk_records(check->store, dm_check_account,
                               dm_check_closed, check, check->err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_check_counters(check);
    if (rc != DM_OK) {
        return rc;
    }

    for (db = DM_DB_NAME; db <= DM_DB_CERT; db++) {
        rc = dm_check_index(check, db);
        if (rc != DM_OK) {
            return rc;
        }
    }

    return DM_OK;
}


static void
dm_check_tell(dm_check_t *check, const dm_err_t *what)
{
    check->damages++;
    check->damage(what, check->data);
}


static int
dm_check_account(const dm_account_t *account, void *data)
{
    int               rc;
    unsigned          i;
    dm_check_t       *check;
    dm_account_t      shown;
    dm_store_keys_t   keys;

    check = data;
    check->accounts++;
    check->lacks_md5 += (uint64_t) dm_store_counts_lacking(account, DM_MD5);
    check->lacks_sha256 += (uint64_t) dm_store_counts_lacking(account,
                                                             DM_SHA256);

    if (dm_store_list_keys(check->store, account, &keys, check->err) != DM_OK
        || dm_store_count_find(&check->found, account, check->err) != DM_OK)
    {
        return DM_ERROR;
    }

    if (check->position != NULL
        && dm_store_sum_account(check->position, &check->sum, account, 1,
                                check->err)
           != DM_OK)
    {
        return DM_ERROR;
    }

    for (i = 0; i < keys.n; i++) {
        if (dm_check_key(check, account, &keys, i) != DM_OK) {
            return DM_ERROR;
        }
    }

    if (check->fn == NULL) {
        return DM_OK;
    }

    shown = *account;
    dm_disabled_apply(check->store, &shown);

    rc = check->fn(&shown, check->data);

    dm_account_wipe(&shown);

    return rc;
}


static int
dm_check_closed(dm_str_t id, const dm_err_t *why, void *data)
{
    dm_check_t  *check;

    (void) id;      /* why tells it */

    check = data;
    check->accounts++;
    check->closed++;
    dm_check_tell(check, why);

    return DM_OK;
}


static int
dm_check_key(dm_check_t *check, const dm_account_t *account,
    const dm_store_keys_t *keys, unsigned i)
{
    int       rc;
    dm_err_t  what;
    dm_str_t  owner;

    rc = dm_store_get(check->store, check->txn, &keys->key[i], &owner,
                      check->err);

    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    if (rc == DM_OK && dm_str_eq(owner, account->id)) {
        check->entries[keys->key[i].db]++;
        return DM_OK;
    }

    dm_err_set(&what, "account \"%.*s\" cannot be found by its %s \"%.*s\": "
               "the index %s", (int) account->id.len,
               (const char *) account->id.data, keys->what[i],
               (int) keys->text[i].len, (const char *) keys->text[i].data,
               rc == DM_OK ? "leads to another" : "has no such entry");
    dm_check_tell(check, &what);

    return DM_OK;
}


static int
dm_check_counters(dm_check_t *check)
{
    int                     rc;
    dm_err_t                what;
    const dm_store_meta_t  *meta;

    rc = dm_store_read_meta(check->store, check->txn, check->err);
    if (rc != DM_OK) {
        return DM_ERROR;
    }

    meta = dm_store_meta(check->store);

    dm_check_counter("", meta->accounts, check->accounts, check);

    /*
     * Nobody knows what an account has that does not open; an older version
     * counted other things.
     */

    if (check->closed > 0) {
        return DM_OK;
    }

    if (check->position != NULL
        && dm_store_position_prove(check->position, &check->sum, &what)
           != DM_OK)
    {
        dm_check_tell(check, &what);
    }

    if (!meta->counted) {
        return DM_OK;
    }

    dm_check_counter(" without MD5", meta->lacks_md5, check->lacks_md5, check);
    dm_check_counter(" without SHA-256", meta->lacks_sha256,
                     check->lacks_sha256, check);

    return dm_store_count_prove(check->store, check->txn, &check->found,
                                dm_check_counter, check, check->err);
}


static void
dm_check_counter(const char *which, uint64_t counted, uint64_t found,
    void *data)
{
    dm_err_t     what;
    dm_check_t  *check;

    check = data;

    if (counted != found) {
        dm_err_set(&what, "the store counts %llu accounts%s, and has %llu",
                   (unsigned long long) counted, which,
                   (unsigned long long) found);
        dm_check_tell(check, &what);
    }
}


/*
 * The entries that accounts have are all different and were found: where the
 * index has no more than these, there is none to look for.
 */
static int
dm_check_index(dm_check_t *check, dm_store_db_t db)
{
    int          rc;
    MDB_stat     stat;
    MDB_cursor  *cursor;

    rc = mdb_stat(check->txn, check->store->dbi[db], &stat);

    if (rc == 0 && stat.ms_entries == check->entries[db]) {
        return DM_OK;
    }

    if (rc == 0) {
        rc = mdb_cursor_open(check->txn, check->store->dbi[db], &cursor);
    }

    if (rc != 0) {
        return dm_store_fail(check->store, rc, "cannot be read", check->err);
    }

    rc = dm_check_entries(check, db, cursor);

    mdb_cursor_close(cursor);

    return rc;
}


static int
dm_check_entries(dm_check_t *check, dm_store_db_t db, MDB_cursor *cursor)
{
    int      rc;
    MDB_val  name, id;

    for ( ;; ) {
        rc = mdb_cursor_get(cursor, &name, &id, MDB_NEXT);

        if (rc == MDB_NOTFOUND) {
            return DM_OK;
        }

        if (rc != 0) {
            return dm_store_fail(check->store, rc, "cannot be read",
                                 check->err);
        }

        rc = dm_check_entry(check, db,
                            (dm_str_t) { name.mv_data, name.mv_size },
                            (dm_str_t) { id.mv_data, id.mv_size });
        if (rc != DM_OK) {
            return rc;
        }
    }
}


static int
dm_check_entry(dm_check_t *check, dm_store_db_t db, dm_str_t name,
    dm_str_t id)
{
    int            rc;
    size_t         len;
    dm_err_t       what;
    dm_account_t   account;
    unsigned char  record[DM_RECORD_MAX];

    rc = DM_DECLINED;

    /* LMDB refuses to look for a name that it could not hold */

    if (id.len > 0 && id.len <= DM_ID_MAX) {
        rc = dm_store_fetch(check->store, check->txn, id, record, &len,
                            &what);
    }

    if (rc == DM_DECLINED) {
        dm_err_set(&what, "the %s index has an entry that leads to account "
                   "\"%.*s\", which is not there", dm_check_names[db],
                   (int) id.len, (const char *) id.data);
    }

    if (rc != DM_OK) {
        dm_check_tell(check, &what);
        return DM_OK;
    }

    /* a record that does not open was told of */

    if (dm_store_decode(check->store, id, record, len, &account, NULL)
        != DM_OK)
    {
        return DM_OK;
    }

    rc = dm_check_holder(check, db, name, &account);

    dm_account_wipe(&account);
    OPENSSL_cleanse(record, len);

    return rc;
}


static int
dm_check_holder(dm_check_t *check, dm_store_db_t db, dm_str_t name,
    const dm_account_t *account)
{
    dm_err_t         what;
    dm_store_keys_t  keys;

    if (dm_store_list_keys(check->store, account, &keys, check->err) != DM_OK)
    {
        return DM_ERROR;
    }

    if (dm_store_has_key(&keys, db, name)) {
        return DM_OK;
    }

    dm_err_set(&what, "the %s index has an entry that leads to account "
               "\"%.*s\", which does not hold it", dm_check_names[db],
               (int) account->id.len, (const char *) account->id.data);
    dm_check_tell(check, &what);

    return DM_OK;
}
