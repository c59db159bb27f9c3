/* A new store */

#include <openssl/rand.h>
#include <string.h>
#include <unistd.h>

#include "dm_store_follow.h"
#include "dm_store_write_internal.h"


/* a put must fit into the 10 % that may be left when it does not grow yet */
#define DM_STORE_MAP_MIN  ((uint64_t) 1 << 20)


/* the arguments of dm_store_create() */
typedef struct {
    const unsigned char     *id;            /* NULL: a new one */
    dm_str_t                 realm;
    uint64_t                 map_size;
    const dm_store_owner_t  *owner;
    const dm_keys_t         *keys;
} dm_store_new_t;


static int dm_store_build(const char *path, void *data, dm_err_t *err);
static int dm_store_init(const char *path, const dm_store_new_t *new,
    dm_err_t *err);
static int dm_store_fill(dm_store_t *store, const dm_store_new_t *new,
    dm_err_t *err);


int
dm_store_create(const char *path, dm_str_t realm, uint64_t map_size,
    const dm_store_owner_t *owner, const dm_keys_t *keys, dm_err_t *err)
{
    return dm_store_create_as(path, NULL, realm, map_size, owner, keys, err);
}


int
dm_store_create_as(const char *path, const unsigned char *id, dm_str_t realm,
    uint64_t map_size, const dm_store_owner_t *owner, const dm_keys_t *keys,
    dm_err_t *err)
{
    dm_store_new_t  new;

    if (dm_store_check_new(realm, map_size, err) != DM_OK) {
        return DM_INVALID;
    }

    new = (dm_store_new_t) { id, realm, map_size, owner, keys };

    return dm_store_make(path, dm_store_build, &new, NULL, err);
}


int
dm_store_check_new(dm_str_t realm, uint64_t map_size, dm_err_t *err)
{
    if (dm_text_check(realm, DM_REALM_MAX, "the realm", err) != DM_OK
        || dm_text_check_shown(realm, "the realm", err) != DM_OK)
    {
        return DM_INVALID;
    }

    /* clients do not agree whether HA1 holds the escaped form */

    if (memchr(realm.data, '"', realm.len) != NULL
        || memchr(realm.data, '\\', realm.len) != NULL)
    {
        dm_err_set(err, "the realm has a quote or a backslash, which Digest "
                   "clients do not treat alike");
        return DM_INVALID;
    }

    if (map_size < DM_STORE_MAP_MIN || map_size > SIZE_MAX / 2) {
        dm_err_set(err, "the map size is %llu octets, it must be at least "
                   "%llu and less than half of the address space",
                   (unsigned long long) map_size,
                   (unsigned long long) DM_STORE_MAP_MIN);
        return DM_INVALID;
    }

    return DM_OK;
}


/* the directory is closed to all others until its files are the group's */
static int
dm_store_build(const char *path, void *data, dm_err_t *err)
{
    dm_store_new_t          *new;
    const dm_store_owner_t  *owner;

    new = data;
    owner = new->owner;

    if (dm_store_init(path, new, err) != DM_OK
        || dm_store_touch(path, DM_STORE_WRITERS, err) != DM_OK
        || dm_disabled_make(path, err) != DM_OK)
    {
        return DM_ERROR;
    }

    return dm_store_give_all(path, owner, err);
}


static int
dm_store_init(const char *path, const dm_store_new_t *new, dm_err_t *err)
{
    int          rc;
    size_t       page;
    dm_store_t  *store;

    store = dm_store_new(path, new->keys, err);
    if (store == NULL) {
        return DM_ERROR;
    }

    page = (size_t) sysconf(_SC_PAGESIZE);

    rc = mdb_env_set_mapsize(store->env, ((size_t) new->map_size + page - 1)
                                         / page * page);

    if (rc == 0) {
        rc = mdb_env_open(store->env, path, MDB_NOTLS|MDB_WRITEMAP, 0600);
    }

    if (rc == 0) {
        rc = mdb_txn_begin(store->env, NULL, 0, &store->write);
    }

    if (rc == 0) {
        rc = dm_store_fill(store, new, err);

    } else {
        rc = dm_store_fail(store, rc, "cannot be made", err);
    }

    dm_store_close(store);

    return rc;
}


static int
dm_store_fill(dm_store_t *store, const dm_store_new_t *new, dm_err_t *err)
{
    if (dm_store_databases(store, store->write, MDB_CREATE, err) != DM_OK) {
        return DM_ERROR;
    }

    if (dm_store_count_none(store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (new->id != NULL) {
        memcpy(store->meta.id, new->id, DM_STORE_ID_SIZE);

    } else if (RAND_bytes(store->meta.id, DM_STORE_ID_SIZE) != 1) {
        dm_err_set(err, "OpenSSL gives no random numbers");
        return DM_ERROR;
    }

    store->meta.format = DM_STORE_FORMAT;
    store->meta.counted = 1;
    store->meta.realm = new->realm;
    store->changed = 1;

    return dm_store_commit(store, err);
}
