/*
 * Imports in several transactions, and who is locked out between two of them
 *
 * An import in steps read its file before others changed the store: it must not
 * bring back whom they disabled or deleted since it began.  While it steps it
 * holds a lock that the other writers see, and they mark each account that they
 * disable or delete, in the database "kept", in the transaction that does it.
 * Who makes it active again takes the mark away.  What is disabled beside the
 * store's writer is marked when it is taken over.  The marks end with the
 * import, however it ends: the next writer that sees no lock drops them.
 */

#define _GNU_SOURCE     /* F_OFD_SETLK */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "dm_store_write_internal.h"


static int dm_steps_lock(const dm_store_t *store, int cmd, struct flock *lock);
static int dm_steps_has(dm_store_t *store, dm_str_t id, dm_err_t *err);


int
dm_store_in_steps(dm_store_t *store, dm_err_t *err)
{
    struct flock  lock;

    lock.l_type = F_RDLCK;

    if (dm_steps_lock(store, F_OFD_SETLK, &lock) == -1) {
        dm_err_set(err, "\"" DM_STORE_WRITERS "\" of store \"%s\" cannot be "
                   "locked: %s", store->path, strerror(errno));
        return DM_ERROR;
    }

    store->steps = 1;

    return DM_OK;
}


static int
dm_steps_lock(const dm_store_t *store, int cmd, struct flock *lock)
{
    lock->l_whence = SEEK_SET;
    lock->l_start = DM_STORE_STEPS;
    lock->l_len = 1;
    lock->l_pid = 0;

    return fcntl(store->lock, cmd, lock);
}


uint64_t
dm_store_kept_disabled(const dm_store_t *store)
{
    return store->kept;
}


int
dm_store_is_contested(const dm_store_t *store)
{
    return store->write == NULL || store->stepped;
}


int
dm_steps_begin(dm_store_t *store, dm_err_t *err)
{
    int           rc;
    MDB_stat      stat;
    struct flock  lock;

    /* the first transaction of all has no lock file yet */

    if (store->lock == -1) {
        return DM_OK;
    }

    lock.l_type = F_WRLCK;

    if (dm_steps_lock(store, F_OFD_GETLK, &lock) == -1) {
        dm_err_set(err, "\"" DM_STORE_WRITERS "\" of store \"%s\" cannot be "
                   "examined: %s", store->path, strerror(errno));
        return DM_ERROR;
    }

    store->stepped = (lock.l_type != F_UNLCK);
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

    if (!store->marked || store->stepped || store->steps) {
        return DM_OK;
    }

    store->marked = 0;
    rc = mdb_drop(store->write, store->marks, 0);

    return rc == 0 ? DM_OK
                   : dm_store_fail(store, rc, "cannot be written", err);
}


int
dm_steps_mark(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int      rc;
    MDB_val  key, none;

    rc = mdb_dbi_open(store->write, DM_STORE_MARKS, MDB_CREATE, &store->marks);

    if (rc == 0) {
        key = (MDB_val) { id.len, (void *) id.data };
        none = (MDB_val) { 0, NULL };

        rc = mdb_put(store->write, store->marks, &key, &none, 0);
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    store->marked = 1;

    return DM_OK;
}


int
dm_steps_hold(dm_store_t *store, dm_account_t *account, dm_err_t *err)
{
    int  rc;

    if (!store->steps || account->state == DM_DISABLED) {
        return DM_OK;
    }

    rc = dm_steps_has(store, account->id, err);

    if (rc == DM_OK) {
        account->state = DM_DISABLED;
    }

    return rc == DM_ERROR ? DM_ERROR : DM_OK;
}


int
dm_steps_tell(dm_store_t *store, const dm_account_t *account, dm_err_t *err)
{
    int      rc;
    MDB_val  key;

    if (account->state == DM_DISABLED) {
        return dm_steps_mark(store, account->id, err);
    }

    if (!store->marked) {
        return DM_OK;
    }

    key = (MDB_val) { account->id.len, (void *) account->id.data };
    rc = mdb_del(store->write, store->marks, &key, NULL);

    return rc == 0 || rc == MDB_NOTFOUND
           ? DM_OK : dm_store_fail(store, rc, "cannot be written", err);
}


/* DM_OK, DM_DECLINED or DM_ERROR */
static int
dm_steps_has(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int      rc;
    MDB_val  key, none;

    if (!store->marked) {
        return DM_DECLINED;
    }

    key = (MDB_val) { id.len, (void *) id.data };
    rc = mdb_get(store->write, store->marks, &key, &none);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    return rc == 0 ? DM_OK : dm_store_fail(store, rc, "cannot be read", err);
}
