/* A store to test with: each test gets a fresh one at path */

#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H


#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <lmdb.h>

#include "dm_store_slot.h"
#include "dm_store_write.h"
#include "str.h"


#define MAP    (1024 * 1024)
#define REALM  "dm@example.com"
#define CERT   "subject:CN=a long name of a certificate's subject"


/* an account as somebody holds it who looked it up */
typedef struct {
    int            rc;
    dm_err_t       err;
    dm_account_t   account;
    size_t         len;
    unsigned char  record[DM_RECORD_MAX];
} found_t;


static char        dir[] = "/tmp/dm-test-store.XXXXXX";
static char        path[64];
static char        data[80];
static dm_keys_t   keys;
static found_t     found;


static inline void
discard(const char *store)
{
    int             fd;
    DIR            *dir_of, *dir_slots;
    uid_t           uid;
    const char     *name;
    struct dirent  *entry;

    dir_of = opendir(store);

    if (dir_of == NULL) {
        return;
    }

    unlinkat(dirfd(dir_of), "data.mdb", 0);
    unlinkat(dirfd(dir_of), "lock.mdb", 0);
    unlinkat(dirfd(dir_of), "write.lock", 0);
    unlinkat(dirfd(dir_of), "disabled", 0);

    while (dm_slots_next(dir_of, &name, &uid) == DM_OK) {
        fd = openat(dirfd(dir_of), name, O_RDONLY | O_DIRECTORY);
        dir_slots = fdopendir(fd);

        while ((entry = readdir(dir_slots)) != NULL) {
            unlinkat(fd, entry->d_name, 0);
        }

        closedir(dir_slots);
        unlinkat(dirfd(dir_of), name, AT_REMOVEDIR);
    }

    closedir(dir_of);
    rmdir(store);
}


/* all this user's, but for the group of the workers */
static inline dm_store_owner_t
owner_of(gid_t readers)
{
    return (dm_store_owner_t) { getuid(), getgid(), getuid(), readers };
}


static inline int
create(const char *at, const char *realm, uint64_t map, dm_err_t *err)
{
    dm_store_owner_t  owner;

    owner = owner_of(getgid());

    return dm_store_create(at, str(realm), map, &owner, &keys, err);
}


static inline int
fresh(void **state)
{
    (void) state;

    discard(path);

    return create(path, REALM, MAP, NULL);
}


static inline dm_store_t *
open_store(dm_store_mode_t mode)
{
    dm_err_t     err;
    dm_store_t  *store;

    if (dm_store_open(&store, path, mode, &keys, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    return store;
}


/* a name, and HA1s for MD5 and SHA-256 */
static inline void
make_account(dm_account_t *account, const char *id, const char *name)
{
    memset(account, 0, sizeof(dm_account_t));
    account->id = str(id);
    account->name = str(name);
    account->has_ha1[DM_MD5] = 1;
    account->has_ha1[DM_SHA256] = 1;
    memset(account->ha1[DM_SHA256], 5, DM_HASH_MAX);
}


static inline void
put(dm_store_t *store, const dm_account_t *account, int rc)
{
    dm_err_t  err;

    if (dm_store_put(store, account, &err) != rc) {
        fail_msg("%s", err.text);
    }
}


static inline void
put_alone(dm_store_t *store, const char *id, const char *name)
{
    dm_account_t  account;

    make_account(&account, id, name);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


static inline int
lookup_octets(dm_store_t *store, dm_store_index_t index, dm_str_t key)
{
    memset(&found, 0xaa, sizeof(found));
    found.err.text[0] = '\0';
    found.rc = dm_store_lookup(store, index, key, found.record, &found.len,
                               &found.account, &found.err);

    return found.rc;
}


static inline int
lookup(dm_store_t *store, dm_store_index_t index, const char *key)
{
    return lookup_octets(store, index, str(key));
}


static inline int
lookup_hash(dm_store_t *store, dm_algorithm_t alg, const char *name)
{
    unsigned char  hash[DM_HASH_MAX];

    assert_int_equal(dm_digest_userhash(alg, str(name), str(REALM), hash),
                     DM_OK);

    return lookup_octets(store, DM_BY_USERHASH_MD5 + alg,
                         (dm_str_t) { hash, dm_digest_size(alg) });
}


/* what somebody does who can write the file but lacks the key */
static inline void
forge(const char *database, dm_str_t name, dm_str_t value)
{
    MDB_dbi   dbi;
    MDB_env  *env;
    MDB_txn  *txn;
    MDB_val   k, v;

    k = (MDB_val) { name.len, (void *) name.data };
    v = (MDB_val) { value.len, (void *) value.data };

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 1), 0);
    assert_int_equal(mdb_env_open(env, path, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, database, 0, &dbi), 0);
    assert_int_equal(value.data == NULL ? mdb_del(txn, dbi, &k, NULL)
                                        : mdb_put(txn, dbi, &k, &v, 0),
                     0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}


static inline size_t
peer_into(const char *database, const char *name, unsigned char *out)
{
    MDB_dbi   dbi;
    MDB_env  *env;
    MDB_txn  *txn;
    MDB_val   k, v;

    k = (MDB_val) { strlen(name), (void *) name };

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 1), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_RDONLY, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, database, 0, &dbi), 0);
    assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
    memcpy(out, v.mv_data, v.mv_size);
    mdb_txn_abort(txn);
    mdb_env_close(env);

    return v.mv_size;
}


static inline void
put_two(dm_store_t *store)
{
    dm_account_t  account;

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    make_account(&account, "A", "alice");
    account.npsks = 2;
    account.psk[0] = (dm_psk_t) { str("psk a"), str("fedcba9876543210") };
    account.psk[1] = (dm_psk_t) { str("psk b"), str("0123456789abcdef") };
    account.ncert_keys = 2;
    account.cert_key[0] = str("san:DNS:a.example");
    account.cert_key[1] = str(CERT);
    put(store, &account, DM_OK);

    make_account(&account, "B", "bob");
    put(store, &account, DM_OK);

    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


/* 1 if another writer could begin now */
static inline int
is_free(void)
{
    int   fd, rc;
    char  name[96];

    sprintf(name, "%s/write.lock", path);

    fd = open(name, O_RDWR);
    assert_true(fd != -1);
    rc = flock(fd, LOCK_EX | LOCK_NB);
    close(fd);

    return rc == 0;
}


static inline int
setup(void **state)
{
    (void) state;

    keys.n = 1;
    strcpy(keys.key[0].id, "k1");
    memset(keys.key[0].key, 7, DM_KEY_SIZE);

    if (mkdtemp(dir) == NULL || chmod(dir, 0711) == -1) {
        return -1;
    }

    sprintf(path, "%s/store", dir);
    sprintf(data, "%s/data.mdb", path);

    return 0;
}


static inline int
teardown(void **state)
{
    (void) state;

    discard(path);

    return rmdir(dir);
}


#endif /* STORE_FIXTURE_H */
