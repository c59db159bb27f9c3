#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_internal.h"
#include "dm_store_write.h"


/* a put must fit into the 10 % that may be left when it does not grow yet */
#define DM_STORE_MAP_MIN  ((uint64_t) 1 << 20)


static int dm_store_check_new(dm_str_t realm, uint64_t map_size,
    dm_err_t *err);
static int dm_store_create_at(const char *path, dm_str_t realm,
    uint64_t map_size, gid_t gid, const dm_keys_t *keys, dm_err_t *err);
static int dm_store_build(const char *path, dm_str_t realm, uint64_t map_size,
    const dm_keys_t *keys, dm_err_t *err);
static int dm_store_fill(dm_store_t *store, dm_str_t realm, dm_err_t *err);
static int dm_store_hand_over(const char *path, gid_t gid, dm_err_t *err);
static int dm_store_give(const char *path, const char *file, gid_t gid,
    mode_t mode, dm_err_t *err);
static void dm_store_discard(const char *path);


int
dm_store_create(const char *path, dm_str_t realm, uint64_t map_size,
    gid_t gid, const dm_keys_t *keys, dm_err_t *err)
{
    int     rc;
    char   *copy;
    size_t  len;

    if (dm_store_check_new(realm, map_size, err) != DM_OK) {
        return DM_INVALID;
    }

    /* a final slash would put what is built beside it inside it */

    len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }

    copy = strndup(path, len);
    if (copy == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    rc = dm_store_create_at(copy, realm, map_size, gid, keys, err);

    free(copy);

    return rc;
}


static int
dm_store_check_new(dm_str_t realm, uint64_t map_size, dm_err_t *err)
{
    if (dm_text_check(realm, DM_REALM_MAX, "the realm", err) != DM_OK) {
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


static int
dm_store_create_at(const char *path, dm_str_t realm, uint64_t map_size,
    gid_t gid, const dm_keys_t *keys, dm_err_t *err)
{
    int          rc;
    char        *temp;
    size_t       size;
    struct stat  sb;

    if (lstat(path, &sb) == 0) {
        dm_err_set(err, "\"%s\" exists: a store is made only where nothing "
                   "is", path);
        return DM_EXISTS;
    }

    size = strlen(path) + sizeof(".XXXXXX");

    temp = malloc(size);
    if (temp == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    (void) snprintf(temp, size, "%s.XXXXXX", path);

    if (mkdtemp(temp) == NULL) {
        dm_err_set(err, "store \"%s\" cannot be made in its directory: %s",
                   path, strerror(errno));
        free(temp);
        return DM_INVALID;
    }

    rc = dm_store_build(temp, realm, map_size, keys, err);

    if (rc == DM_OK) {
        rc = dm_store_hand_over(temp, gid, err);
    }

    if (rc == DM_OK && rename(temp, path) == -1) {
        rc = (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
             ? DM_EXISTS : DM_ERROR;
        dm_err_set(err, "store \"%s\" cannot be put in its place: %s", path,
                   strerror(errno));
    }

    if (rc != DM_OK) {
        dm_store_discard(temp);
    }

    free(temp);

    return rc;
}


static int
dm_store_build(const char *path, dm_str_t realm, uint64_t map_size,
    const dm_keys_t *keys, dm_err_t *err)
{
    int          rc;
    size_t       page;
    dm_store_t  *store;

    store = dm_store_new(path, keys, err);
    if (store == NULL) {
        return DM_ERROR;
    }

    page = (size_t) sysconf(_SC_PAGESIZE);

    rc = mdb_env_set_mapsize(store->env,
                             ((size_t) map_size + page - 1) / page * page);

    if (rc == 0) {
        rc = mdb_env_open(store->env, path, MDB_NOTLS|MDB_WRITEMAP, 0600);
    }

    if (rc == 0) {
        rc = mdb_txn_begin(store->env, NULL, 0, &store->write);
    }

    if (rc == 0) {
        rc = dm_store_fill(store, realm, err);

    } else {
        rc = dm_store_fail(store, rc, "cannot be made", err);
    }

    dm_store_close(store);

    return rc;
}


static int
dm_store_fill(dm_store_t *store, dm_str_t realm, dm_err_t *err)
{
    if (dm_store_databases(store, store->write, MDB_CREATE, err) != DM_OK) {
        return DM_ERROR;
    }

    if (RAND_bytes(store->meta.id, DM_STORE_ID_SIZE) != 1) {
        dm_err_set(err, "OpenSSL gives no random numbers");
        return DM_ERROR;
    }

    store->meta.format = DM_STORE_FORMAT;
    store->meta.realm = realm;
    store->changed = 1;

    return dm_store_commit(store, err);
}


/* the directory is closed to all others until its files are the group's */
static int
dm_store_hand_over(const char *path, gid_t gid, dm_err_t *err)
{
    if (dm_store_give(path, DM_STORE_DATA, gid, 0640, err) != DM_OK
        || dm_store_give(path, DM_STORE_LOCK, gid, 0660, err) != DM_OK
        || dm_store_give(path, ".", gid, 0750, err) != DM_OK)
    {
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_store_give(const char *path, const char *file, gid_t gid, mode_t mode,
    dm_err_t *err)
{
    int    rc;
    char  *name;

    name = dm_store_join(path, file);
    if (name == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    rc = DM_OK;

    if (chown(name, (uid_t) -1, gid) == -1 || chmod(name, mode) == -1) {
        dm_err_set(err, "\"%s\" cannot be given to group id %u: %s", name,
                   (unsigned) gid, strerror(errno));
        rc = DM_ERROR;
    }

    free(name);

    return rc;
}


static void
dm_store_discard(const char *path)
{
    char        *name;
    unsigned     i;

    static const char *const  file[] = { DM_STORE_DATA, DM_STORE_LOCK };

    for (i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
        name = dm_store_join(path, file[i]);

        if (name != NULL) {
            (void) unlink(name);
            free(name);
        }
    }

    (void) rmdir(path);
}
