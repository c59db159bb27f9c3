/* The reading of a store: transactions, what protects them, and the map */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_internal.h"


static int dm_store_open_data(const dm_store_t *store, int flags);
static int dm_store_choose(dm_store_t *store, dm_err_t *err);
static int dm_store_remap(dm_store_t *store, size_t size, dm_err_t *err);
static int dm_store_is_elsewhere(const dm_store_t *store);
static int dm_store_differs(dm_store_t *store, MDB_txn *txn);


int
dm_store_open_env(const dm_store_t *store, MDB_env *env, unsigned flags)
{
    int          fd, rc;
    char         name[32];
    const char  *path;

    fd = dm_store_open_data(store, (flags & MDB_RDONLY) ? O_RDONLY : O_RDWR);
    if (fd == -1) {
        return errno;
    }

    path = store->path;

    /* the lock file is found by the name */

    (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);

    if ((flags & MDB_NOLOCK) && access(name, R_OK) == 0) {
        path = name;
        flags |= MDB_NOSUBDIR;
    }

    /* the mode is that of the lock file, where there is none yet */

    rc = mdb_env_open(env, path, flags, 0600);

    close(fd);

    return rc;
}


/*
 * The file, or -1.  A FIFO in its place, or a lease on it, does not hold up
 * who opens it, and as long as it is open nobody gets such a lease.
 */
static int
dm_store_open_data(const dm_store_t *store, int flags)
{
    int          fd;
    struct stat  sb;

    fd = open(store->data, flags|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd != -1 && fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode)) {
        return fd;
    }

    if (fd != -1) {
        close(fd);
        errno = MDB_INVALID;
    }

    return -1;
}


int
dm_store_start(dm_store_t *store, MDB_txn **txn, dm_err_t *err)
{
    int  rc;

    for ( ;; ) {
        rc = *txn == NULL ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, txn)
                          : mdb_txn_renew(*txn);

        if (rc == 0) {
            return DM_OK;
        }

        if (rc != MDB_MAP_RESIZED) {
            return dm_store_fail(store, rc, "cannot be read", err);
        }

        /* a writer has made the store grow: map it anew, and try again */

        if (dm_store_lock(store, err) != DM_OK) {
            return DM_ERROR;
        }

        rc = dm_store_fit(store, err);

        dm_store_unlock(store);

        if (rc != DM_OK) {
            return DM_ERROR;
        }
    }
}


void
dm_store_enter(dm_store_t *store)
{
    if (store->slot != NULL) {
        dm_slot_enter(store->slot);
    }
}


void
dm_store_leave(dm_store_t *store)
{
    if (store->slot != NULL) {
        dm_slot_leave(store->slot);
    }
}


int
dm_store_settled(dm_store_t *store, MDB_txn *txn)
{
    uint64_t     read;
    MDB_envinfo  info;

    /* LMDB's table of readers protects the tools */

    if (store->mode == DM_STORE_READ || store->mode == DM_STORE_WRITE) {
        return 1;
    }

    /* the pages first, then the number */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    read = mdb_txn_id(txn);

    if (mdb_env_info(store->env, &info) != 0 || info.me_last_txnid != read) {
        return 0;
    }

    if (read < store->newest) {
        store->stale = 1;
        return 0;
    }

    store->newest = read;

    return 1;
}


int
dm_store_moved(dm_store_t *store, dm_err_t *err)
{
    dm_err_set(err, "store \"%s\" %s", store->path, store->stale
               ? "was copied over while it was open"
               : "changes faster than it can be read");

    return DM_ERROR;
}


int
dm_store_fit(dm_store_t *store, dm_err_t *err)
{
    int          fd;
    size_t       size, file, need;
    MDB_stat     env;
    struct stat  sb;
    MDB_envinfo  info;

    if (store->mode != DM_STORE_WRITE) {
        return dm_store_remap(store, 0, err);
    }

    if (mdb_env_info(store->env, &info) != 0
        || mdb_env_stat(store->env, &env) != 0
        || mdb_env_get_fd(store->env, &fd) != 0
        || fstat(fd, &sb) == -1)
    {
        return dm_store_fail(store, errno, "cannot be examined", err);
    }

    file = (size_t) sb.st_size;
    size = file > info.me_mapsize ? file : info.me_mapsize;
    need = (info.me_last_pgno + 1) * env.ms_psize;

    /* a large transaction may copy each page before it changes it */

    if (store->reserve != 0) {
        need = 2 * need + store->reserve;
    }

    while (need > size / 10 * 9) {
        size *= 2;
    }

    /* LMDB would do it, but would not survive that it fails */

    if (file < size && ftruncate(fd, (off_t) size) == -1) {
        return dm_store_fail(store, errno, "cannot grow", err);
    }

    if (size == info.me_mapsize) {
        return DM_OK;
    }

    return dm_store_remap(store, size, err);
}


/* size 0: as the file says itself */
static int
dm_store_remap(dm_store_t *store, size_t size, dm_err_t *err)
{
    int  rc;

    rc = mdb_env_set_mapsize(store->env, size);
    if (rc == 0) {
        return DM_OK;
    }

    /* LMDB has nothing mapped now, and would crash on whatever comes next */

    if (store->read != NULL) {
        mdb_txn_abort(store->read);
        store->read = NULL;
    }

    return dm_store_fail(store, rc, "cannot be mapped anew", err);
}


int
dm_store_acquire(dm_store_t *store, MDB_txn **txn, dm_err_t *err)
{
    if (store->write != NULL) {
        *txn = store->write;
        return DM_OK;
    }

    if (store->read == NULL) {
        dm_err_set(err, "store \"%s\" is no longer mapped: it must be opened "
                   "again", store->path);
        return DM_ERROR;
    }

    if (store->reading == 0) {
        dm_store_enter(store);

        if (dm_store_choose(store, err) != DM_OK) {
            dm_store_leave(store);
            return DM_ERROR;
        }
    }

    store->reading++;
    *txn = store->read;

    return DM_OK;
}


/* a snapshot, and what is disabled beside it */
static int
dm_store_choose(dm_store_t *store, dm_err_t *err)
{
    unsigned  tries;

    for (tries = 0; tries < DM_STORE_TRIES; tries++) {

        if (dm_disabled_read(store, err) != DM_OK
            || dm_store_start(store, &store->read, err) != DM_OK)
        {
            return DM_ERROR;
        }

        if (dm_disabled_same(store)) {
            return DM_OK;
        }

        mdb_txn_reset(store->read);
    }

    return dm_store_moved(store, err);
}


void
dm_store_release(dm_store_t *store)
{
    if (store->write != NULL) {
        return;
    }

    store->reading--;

    if (store->reading == 0) {
        mdb_txn_reset(store->read);
        dm_store_leave(store);
    }
}


int
dm_store_refresh(dm_store_t *store, dm_err_t *err)
{
    int       rc, settled;
    MDB_txn  *txn;

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    /* a record that was overwritten meanwhile does not open: look at both */

    rc = dm_store_read_meta(store, txn, err);
    settled = dm_store_settled(store, txn);

    dm_store_release(store);

    if (!settled) {
        return dm_store_moved(store, err);
    }

    return rc == DM_OK ? DM_OK : DM_ERROR;
}


int
dm_store_replaced(const dm_store_t *store)
{
    struct stat  sb;

    return store->read == NULL || store->stale || store->elsewhere
           || stat(store->data, &sb) == -1
           || sb.st_dev != store->dev || sb.st_ino != store->ino;
}


int
dm_store_stale(const dm_store_t *store)
{
    return store->stale;
}


void
dm_store_tend(dm_store_t *store)
{
    int       differs;
    MDB_txn  *txn;

    if (store->mode == DM_STORE_READ || store->mode == DM_STORE_WRITE) {
        (void) mdb_reader_check(store->env, NULL);
        return;
    }

    dm_disabled_tend(store);

    if (dm_store_is_elsewhere(store)) {
        store->elsewhere = 1;
        return;
    }

    if (dm_store_acquire(store, &txn, NULL) != DM_OK) {
        return;
    }

    differs = dm_store_differs(store, txn);

    if (!dm_store_settled(store, txn)) {
        store->known_txn = 0;

    } else if (differs) {
        store->stale = 1;
    }

    dm_store_release(store);
}


int
dm_store_show(dm_store_t *store, dm_err_t *err)
{
    int               rc;
    dm_store_slot_t  *slot;

    if (store->slot == NULL || !dm_slot_lost(store->slot, store->path)) {
        return DM_OK;
    }

    rc = dm_slot_open(&slot, store->path, (uint64_t) store->badge, err);

    if (rc == DM_OK) {
        dm_slot_follow(slot, (uint64_t) store->disabled.ino);
        dm_slot_close(store->slot);
        store->slot = slot;
    }

    return rc;
}


/*
 * 1 if the writers have another file, though stat() may not tell: an overlay
 * copies a file of its lower layer for who opens it to write, and who had it
 * mapped before keeps the old one.
 */
static int
dm_store_is_elsewhere(const dm_store_t *store)
{
    uint64_t  mapped, there;

    mapped = dm_store_last(store);
    there = dm_store_number(store);

    /* the number that grows meanwhile is seen to grow: it is that file's */

    return there != 0 && there != mapped && dm_store_last(store) == mapped;
}


uint64_t
dm_store_number(const dm_store_t *store)
{
    MDB_env      *env;
    uint64_t      number;
    MDB_envinfo   info;

    number = 0;

    if (mdb_env_create(&env) != 0) {
        return 0;
    }

    if (dm_store_open_env(store, env, MDB_RDONLY|MDB_NOLOCK) == 0
        && mdb_env_info(env, &info) == 0)
    {
        number = info.me_last_txnid;
    }

    mdb_env_close(env);

    return number;
}


/*
 * 1 if meta, which is sealed anew with each change, is another one than it was
 * in this very transaction.
 */
static int
dm_store_differs(dm_store_t *store, MDB_txn *txn)
{
    int      differs;
    MDB_val  key, value;

    key.mv_data = DM_STORE_META_KEY;
    key.mv_size = sizeof(DM_STORE_META_KEY) - 1;

    if (mdb_get(txn, store->dbi[DM_DB_META], &key, &value) != 0
        || value.mv_size > DM_STORE_META_MAX)
    {
        return 1;
    }

    differs = store->known_txn == mdb_txn_id(txn)
              && !dm_str_eq((dm_str_t) { store->known, store->known_len },
                            (dm_str_t) { value.mv_data, value.mv_size });

    store->known_txn = mdb_txn_id(txn);
    store->known_len = value.mv_size;
    memcpy(store->known, value.mv_data, value.mv_size);

    return differs;
}
