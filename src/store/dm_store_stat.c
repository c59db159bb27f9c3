/* The state of a store, for those who watch it */

#include <stdlib.h>
#include <sys/stat.h>

#include "dm_store_internal.h"


int
dm_store_stat_data(const char *path, struct stat *sb)
{
    int    rc;
    char  *name;

    name = dm_store_join(path, DM_STORE_DATA);
    if (name == NULL) {
        return DM_ERROR;
    }

    rc = stat(name, sb) == 0 ? DM_OK : DM_ERROR;

    free(name);

    return rc;
}


int
dm_store_stat(dm_store_t *store, dm_store_stat_t *out, dm_err_t *err)
{
    int          rc;
    MDB_txn     *txn;
    MDB_stat     accounts, page;
    MDB_envinfo  info;
    struct stat  file;

    if (dm_slots_count(store->path, &out->readers, err) != DM_OK) {
        return DM_ERROR;
    }

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = mdb_stat(txn, store->dbi[DM_DB_ACCOUNT], &accounts);

    dm_store_release(store);

    if (rc != 0
        || mdb_env_info(store->env, &info) != 0
        || mdb_env_stat(store->env, &page) != 0
        || stat(store->data, &file) != 0)
    {
        dm_err_set(err, "store \"%s\" cannot be asked for its state",
                   store->path);
        return DM_ERROR;
    }

    out->accounts = accounts.ms_entries;
    out->map_size = info.me_mapsize;
    out->map_used = (info.me_last_pgno + 1) * page.ms_psize;
    out->readers_max = DM_SLOTS_MAX;
    out->changed = file.st_mtime;

    if (store->disabled.fd != -1 && fstat(store->disabled.fd, &file) == 0
        && file.st_mtime > out->changed)
    {
        out->changed = file.st_mtime;
    }

    return DM_OK;
}


uint64_t
dm_store_version(const dm_store_t *store)
{
    uint64_t  last, changes;

    last = dm_store_last(store);
    changes = dm_disabled_changes(store);

    return last == 0 || changes % 2 ? 0 : last + changes;
}


uint64_t
dm_store_last(const dm_store_t *store)
{
    MDB_envinfo  info;

    /* if nothing is mapped LMDB would crash: see dm_store_remap() */

    if (store->read == NULL || mdb_env_info(store->env, &info) != 0) {
        return 0;
    }

    return info.me_last_txnid;
}


uint64_t
dm_store_looked(const dm_store_t *store)
{
    return store->looked;
}
