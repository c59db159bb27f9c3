/*
 * Imports, and who is locked out since one began
 *
 * An import was asked for before it has its turn among the writers, and with
 * --keep-going it has several: it must not bring back whom others disabled or
 * deleted meanwhile.  From before it waits it holds a lock that other writers
 * see, and they mark each account that they disable or delete, its id and all
 * that it is found by, since a line may have a name alone, in the database
 * "kept", in the transaction that does it, with that one's number.  An import
 * heeds the marks that are newer than what was there before its lock.  Who
 * makes an account active again takes the mark away.  What is disabled beside
 * the store's writer is marked when it is taken over.  A writer that sees no
 * lock drops all marks, so that they end with the imports, however these end.
 */

#define _GNU_SOURCE     /* F_OFD_SETLK */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "dm_store_write_internal.h"


typedef struct {
    size_t         len;
    unsigned char  data[1 + DM_ID_MAX];
} dm_mark_t;


static dm_mark_t dm_marks_of(const dm_store_key_t *key);
static dm_mark_t dm_marks_of_id(dm_str_t id);
static int dm_marks_set(dm_store_t *store, dm_mark_t mark, dm_err_t *err);
static int dm_marks_unset(dm_store_t *store, dm_mark_t mark, dm_err_t *err);
static int dm_marks_has(dm_store_t *store, dm_mark_t mark, dm_err_t *err);


uint64_t
dm_store_kept_disabled(const dm_store_t *store)
{
    return store->kept;
}


int
dm_store_is_contested(const dm_store_t *store)
{
    return store->write == NULL || store->beside_import;
}


int
dm_marks_begin(dm_store_t *store, dm_err_t *err)
{
    int           rc;
    MDB_stat      stat;
    struct flock  lock;

    /* the first transaction of all has no lock file yet */

    if (store->lock == -1) {
        return DM_OK;
    }

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = DM_STORE_IMPORTS;
    lock.l_len = 1;

    if (fcntl(store->lock, F_OFD_GETLK, &lock) == -1) {
        dm_err_set(err, "\"" DM_STORE_WRITERS "\" of store \"%s\" cannot be "
                   "examined: %s", store->path, strerror(errno));
        return DM_ERROR;
    }

    store->beside_import = (lock.l_type != F_UNLCK);
    store->marked = 0;

    rc = mdb_dbi_open(store->write, DM_STORE_MARKS, 0, &store->marks);

    if (rc == MDB_NOTFOUND) {
        return DM_OK;
    }

    if (rc == 0) {
        rc = mdb_stat(store->write, store->marks, &stat);
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot open a database", err);
    }

    store->marked = (stat.ms_entries != 0);

    if (!store->marked || store->beside_import || store->importing) {
        return DM_OK;
    }

    store->marked = 0;
    rc = mdb_drop(store->write, store->marks, 0);

    return rc == 0 ? DM_OK
                   : dm_store_fail(store, rc, "cannot be written", err);
}


int
dm_marks_add(dm_store_t *store, const dm_account_t *account, dm_err_t *err)
{
    unsigned         i;
    dm_store_keys_t  keys;

    if (dm_marks_add_id(store, account->id, err) != DM_OK
        || dm_store_list_keys(store, account, &keys, err) != DM_OK)
    {
        return DM_ERROR;
    }

    for (i = 0; i < keys.n; i++) {
        if (dm_marks_set(store, dm_marks_of(&keys.key[i]), err) != DM_OK) {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


int
dm_marks_add_id(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    return dm_marks_set(store, dm_marks_of_id(id), err);
}


/* the name of a mark: what it is found by, with the database in front */
static dm_mark_t
dm_marks_of(const dm_store_key_t *key)
{
    dm_mark_t  mark;

    mark.len = 1 + key->len;
    mark.data[0] = (unsigned char) key->db;
    memcpy(mark.data + 1, key->data, key->len);

    return mark;
}


static dm_mark_t
dm_marks_of_id(dm_str_t id)
{
    dm_store_key_t  key;

    key.db = DM_DB_ACCOUNT;
    key.len = id.len < DM_ID_MAX ? id.len : DM_ID_MAX;
    memcpy(key.data, id.data, key.len);

    return dm_marks_of(&key);
}


static int
dm_marks_set(dm_store_t *store, dm_mark_t mark, dm_err_t *err)
{
    int       rc;
    MDB_val   key, value;
    uint64_t  number;

    rc = mdb_dbi_open(store->write, DM_STORE_MARKS, MDB_CREATE, &store->marks);

    if (rc == 0) {
        number = mdb_txn_id(store->write);
        key = (MDB_val) { mark.len, mark.data };
        value = (MDB_val) { sizeof(number), &number };

        rc = mdb_put(store->write, store->marks, &key, &value, 0);
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    store->marked = 1;

    return DM_OK;
}


int
dm_marks_hold(dm_store_t *store, dm_account_t *account, dm_err_t *err)
{
    int              rc;
    unsigned         i;
    dm_store_keys_t  keys;

    if (!store->importing || !store->marked || account->state == DM_DISABLED) {
        return DM_OK;
    }

    rc = dm_marks_has(store, dm_marks_of_id(account->id), err);

    if (rc == DM_DECLINED
        && dm_store_list_keys(store, account, &keys, err) != DM_OK)
    {
        return DM_ERROR;
    }

    for (i = 0; rc == DM_DECLINED && i < keys.n; i++) {
        rc = dm_marks_has(store, dm_marks_of(&keys.key[i]), err);
    }

    if (rc == DM_OK) {
        account->state = DM_DISABLED;
    }

    return rc == DM_ERROR ? DM_ERROR : DM_OK;
}


int
dm_marks_tell(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_err_t *err)
{
    int              rc;
    unsigned         i;
    dm_store_keys_t  keys;

    if (account->state == DM_DISABLED) {

        /* also by what it is not found by any more */

        if (old != NULL && dm_marks_add(store, old, err) != DM_OK) {
            return DM_ERROR;
        }

        return dm_marks_add(store, account, err);
    }

    if (!store->marked) {
        return DM_OK;
    }

    rc = dm_marks_unset(store, dm_marks_of_id(account->id), err);

    if (rc == DM_OK) {
        rc = dm_store_list_keys(store, account, &keys, err);
    }

    for (i = 0; rc == DM_OK && i < keys.n; i++) {
        rc = dm_marks_unset(store, dm_marks_of(&keys.key[i]), err);
    }

    return rc;
}


/* takes a mark away, if there is one.  DM_OK or DM_ERROR */
static int
dm_marks_unset(dm_store_t *store, dm_mark_t mark, dm_err_t *err)
{
    int      rc;
    MDB_val  key;

    key = (MDB_val) { mark.len, mark.data };
    rc = mdb_del(store->write, store->marks, &key, NULL);

    return rc == 0 || rc == MDB_NOTFOUND
           ? DM_OK : dm_store_fail(store, rc, "cannot be written", err);
}


/*
 * Looks for a mark that is newer than this import.  One from the future was
 * copied from a store whose transactions had other numbers.  DM_OK, DM_DECLINED
 * or DM_ERROR.
 */
static int
dm_marks_has(dm_store_t *store, dm_mark_t mark, dm_err_t *err)
{
    int       rc;
    MDB_val   key, value;
    uint64_t  number;

    key = (MDB_val) { mark.len, mark.data };
    rc = mdb_get(store->write, store->marks, &key, &value);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    if (value.mv_size != sizeof(number)) {
        return DM_OK;
    }

    memcpy(&number, value.mv_data, sizeof(number));

    return number > store->since && number <= mdb_txn_id(store->write)
           ? DM_OK : DM_DECLINED;
}
