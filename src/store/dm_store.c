/* The account store, opened to be read */

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_access.h"
#include "dm_store_internal.h"
#include "dm_version.h"
#include "dm_wire.h"


static int dm_store_locate(dm_store_t *store, dm_store_mode_t mode,
    dm_err_t *err);
static int dm_store_map(dm_store_t *store, dm_store_mode_t mode,
    dm_err_t *err);
static void dm_store_gate(const dm_store_t *store, short type);
static int dm_store_open_lock(dm_store_t *store, dm_err_t *err);
static int dm_store_identify(dm_store_t *store, dm_err_t *err);
static int dm_store_is(const dm_store_t *store, int fd, const char *file);
static int dm_store_denied(dm_store_t *store, dm_store_mode_t mode, int rc,
    dm_err_t *err);
static int dm_store_load(dm_store_t *store, dm_err_t *err);
static int dm_store_load_once(dm_store_t *store, int *settled,
    dm_err_t *err);
static int dm_store_make_decoy(dm_store_t *store, dm_err_t *err);
static int dm_store_parse_meta(dm_store_t *store, unsigned char *record,
    size_t len, dm_err_t *err);
static int dm_store_prove(dm_store_t *store, dm_wire_t *w,
    unsigned char *record, dm_store_meta_t *meta, dm_err_t *err);
static int dm_store_tell_keys(dm_store_t *store, dm_err_t *err);


int
dm_store_open(dm_store_t **out, const char *path, dm_store_mode_t mode,
    const dm_keys_t *keys, dm_err_t *err)
{
    int          rc;
    dm_store_t  *store;

    *out = NULL;

    store = dm_store_new(path, keys, err);
    if (store == NULL) {
        return DM_ERROR;
    }

    if (mode == DM_STORE_BATCH) {
        store->batch = 1;
        mode = DM_STORE_WRITE;
    }

    if (mode == DM_STORE_IMPORT) {
        store->importing = 1;
        mode = DM_STORE_WRITE;
    }

    rc = dm_store_locate(store, mode, err);
    if (rc != DM_OK) {
        goto failed;
    }

    rc = dm_store_map(store, mode, err);
    if (rc != DM_OK) {
        goto failed;
    }

    rc = dm_store_load(store, err);
    if (rc != DM_OK) {
        goto failed;
    }

    dm_store_unlock(store);

    *out = store;

    return DM_OK;

failed:

    dm_store_close(store);

    return rc;
}


dm_store_t *
dm_store_new(const char *path, const dm_keys_t *keys, dm_err_t *err)
{
    dm_store_t  *store;

    if (dm_digest_init(err) != DM_OK) {
        return NULL;
    }

    store = calloc(1, sizeof(dm_store_t));
    if (store == NULL) {
        dm_err_set(err, "out of memory");
        return NULL;
    }

    store->lock = -1;
    store->disabled.fd = -1;
    store->patience = DM_STORE_PATIENCE;
    store->path = strdup(path);
    store->data = dm_store_join(path, DM_STORE_DATA);
    store->sealer = dm_sealer_new(keys, err);

    if (store->sealer == NULL) {
        goto failed;
    }

    if (dm_store_badge(keys, &store->badge) != DM_OK) {
        dm_err_set(err, "OpenSSL makes no HMAC");
        goto failed;
    }

    if (store->path == NULL || store->data == NULL
        || mdb_env_create(&store->env) != 0
        || mdb_env_set_maxdbs(store->env, DM_DB_N + 3) != 0
        || mdb_env_set_maxreaders(store->env, DM_STORE_READERS) != 0)
    {
        dm_err_set(err, "out of memory");
        goto failed;
    }

    return store;

failed:

    dm_store_close(store);

    return NULL;
}


int
dm_store_badge(const dm_keys_t *keys, off_t *badge)
{
    uint64_t  n;

    if (dm_keys_badge(keys, &n) != DM_OK) {
        return DM_ERROR;
    }

    *badge = DM_STORE_BADGES + (off_t) (n % (uint64_t) DM_STORE_BADGES_N);

    return DM_OK;
}


char *
dm_store_join(const char *path, const char *file)
{
    char    *out;
    size_t   size;

    size = strlen(path) + 1 + strlen(file) + 1;

    out = malloc(size);

    if (out != NULL) {
        (void) snprintf(out, size, "%s/%s", path, file);
    }

    return out;
}


void
dm_store_close(dm_store_t *store)
{
    if (store == NULL) {
        return;
    }

    if (store->write != NULL) {
        mdb_txn_abort(store->write);
    }

    if (store->read != NULL) {
        mdb_txn_abort(store->read);
    }

    if (store->env != NULL) {
        dm_store_gate(store, F_WRLCK);
        mdb_env_close(store->env);
        dm_store_gate(store, F_UNLCK);
    }

    if (store->lock != -1) {
        close(store->lock);
    }

    dm_disabled_close(store);
    free(store->aside);

    dm_slot_close(store->slot);

    dm_sealer_free(store->sealer);
    free(store->data);
    free(store->path);
    free(store);
}


static int
dm_store_locate(dm_store_t *store, dm_store_mode_t mode, dm_err_t *err)
{
    struct stat  sb;

    if (stat(store->path, &sb) == -1 && errno == ENOENT) {
        dm_err_set(err, "store \"%s\" does not exist: correct the path, or "
                   "make it with \"dm-account init\"", store->path);
        return DM_INVALID;
    }

    if (stat(store->data, &sb) == 0) {
        return DM_OK;
    }

    if (errno == EACCES) {
        return dm_store_denied(store, mode, errno, err);
    }

    dm_err_set(err, "\"%s\" is no account store: \"%s\": %s", store->path,
               store->data, strerror(errno));

    return DM_INVALID;
}


/* opens the environment; a writer comes back with the lock */
static int
dm_store_map(dm_store_t *store, dm_store_mode_t mode, dm_err_t *err)
{
    int                    rc;
    static const unsigned  flags[] = {
        [DM_STORE_PEEK] = MDB_NOTLS|MDB_RDONLY|MDB_NOLOCK,
        [DM_STORE_SERVE] = MDB_NOTLS|MDB_RDONLY|MDB_NOLOCK,
        [DM_STORE_READ] = MDB_NOTLS|MDB_RDONLY,
        [DM_STORE_WRITE] = MDB_NOTLS|MDB_WRITEMAP
    };

    store->mode = mode;

    if (mode == DM_STORE_READ || mode == DM_STORE_WRITE) {
        rc = dm_store_open_lock(store, err);
        if (rc != DM_OK) {
            return rc;
        }
    }

    dm_store_gate(store, F_WRLCK);
    rc = dm_store_open_env(store, store->env, store->batch
                           ? flags[mode] & ~(unsigned) MDB_WRITEMAP
                           : flags[mode]);
    dm_store_gate(store, F_UNLCK);

    if (rc == EACCES) {
        return dm_store_denied(store, mode, rc, err);
    }

    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH) {
        dm_err_set(err, "\"%s\" is no account store: %s", store->path,
                   mdb_strerror(rc));
        return DM_INVALID;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be opened", err);
    }

    rc = dm_store_identify(store, err);

    if (rc == DM_OK && mode != DM_STORE_PEEK) {
        rc = dm_store_tell_keys(store, err);
    }

    return rc == DM_OK ? dm_disabled_open(store, err) : rc;
}


/*
 * Lets one tool at a time through, where LMDB finds out that it is alone: one
 * that opens the environment while the last one closes it would take its
 * mutexes for whole, which that one destroys.  A failure is LMDB's to bear.
 */
static void
dm_store_gate(const dm_store_t *store, short type)
{
    if (store->lock != -1) {
        (void) dm_store_lock_octet(store->path, store->lock, F_SETLKW, type,
                                   DM_STORE_GATE);
    }
}


/* a writer comes back with the lock, a reader only tells its keys by it */
static int
dm_store_open_lock(dm_store_t *store, dm_err_t *err)
{
    int    flags;
    char  *name, *lock;

    name = dm_store_join(store->path, DM_STORE_WRITERS);
    lock = dm_store_join(store->path, DM_STORE_LOCK);

    if (name == NULL || lock == NULL) {
        free(name);
        free(lock);
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    /* a copy of the data alone gets both; the older version made one */

    flags = O_RDWR|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY;

    if (access(lock, F_OK) == -1 && errno == ENOENT) {
        flags |= O_CREAT;
    }

    store->lock = open(name, flags, 0600);

    free(name);
    free(lock);

    if (store->lock == -1 && errno == ENOENT) {
        dm_err_set(err, "store \"%s\" has no \"" DM_STORE_WRITERS "\", as "
                   "an older version left it: run \"dm-account upgrade "
                   "--owner USER\", with the user of nginx's workers",
                   store->path);
        return DM_INVALID;
    }

    if (store->lock == -1) {
        return dm_store_denied(store, store->mode, errno, err);
    }

    if (store->importing && dm_store_show_import(store, err) != DM_OK) {
        return DM_ERROR;
    }

    return dm_store_lock(store, err);
}


/*
 * Shows the badge of this process's keys.  This comes before meta is read, so
 * that no reader who knows the old key alone is missed by a rekey: one who has
 * read a store sealed with the old key had shown his badge before the store
 * got the new one.
 */
static int
dm_store_tell_keys(dm_store_t *store, dm_err_t *err)
{
    int           rc;
    struct flock  lock;

    if (store->mode == DM_STORE_SERVE) {
        return dm_slot_open(&store->slot, store->path,
                            (uint64_t) store->badge, err);
    }

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = store->badge;
    lock.l_len = 1;

    rc = fcntl(store->lock, F_SETLK, &lock) == -1 ? errno : 0;

    return rc == 0 ? DM_OK : dm_store_fail(store, rc, "cannot be locked", err);
}


static int
dm_store_identify(dm_store_t *store, dm_err_t *err)
{
    int          fd;
    MDB_stat     env;
    MDB_envinfo  info;
    struct stat  sb;

    /* the file last: it grows before LMDB says that it has */

    if (mdb_env_info(store->env, &info) != 0
        || mdb_env_stat(store->env, &env) != 0
        || mdb_env_get_fd(store->env, &fd) != 0
        || fstat(fd, &sb) == -1)
    {
        return dm_store_fail(store, errno, "cannot be examined", err);
    }

    /* a process that reads a page behind the end of the file is killed */

    if ((uint64_t) sb.st_size / env.ms_psize <= info.me_last_pgno) {
        dm_err_set(err, "store \"%s\" is damaged: its file was cut short",
                   store->path);
        return DM_INVALID;
    }

    store->dev = sb.st_dev;
    store->ino = sb.st_ino;

    /* a tool must not hold the lock of one store and have another one open */

    if (store->lock != -1
        && (!dm_store_is(store, store->lock, DM_STORE_WRITERS)
            || !dm_store_is(store, fd, DM_STORE_DATA)))
    {
        dm_err_set(err, "store \"%s\" was replaced at this moment: try again",
                   store->path);
        return DM_ERROR;
    }

    return DM_OK;
}


/* 1 if fd is the file of that name in the store, else 0 */
static int
dm_store_is(const dm_store_t *store, int fd, const char *file)
{
    int          rc;
    char        *name;
    struct stat  sb, named;

    name = dm_store_join(store->path, file);
    if (name == NULL) {
        return 0;
    }

    rc = fstat(fd, &sb) == 0 && stat(name, &named) == 0
         && sb.st_dev == named.st_dev && sb.st_ino == named.st_ino;

    free(name);

    return rc;
}


/* says what it is that the user of this process may not use */
static int
dm_store_denied(dm_store_t *store, dm_store_mode_t mode, int rc,
    dm_err_t *err)
{
    int              locks;
    dm_access_for_t  whom;

    static const int  dir[] = {
        [DM_STORE_PEEK] = X_OK,
        [DM_STORE_SERVE] = R_OK|X_OK,
        [DM_STORE_READ] = X_OK,
        [DM_STORE_WRITE] = X_OK
    };

    static const int  data[] = {
        [DM_STORE_PEEK] = R_OK,
        [DM_STORE_SERVE] = R_OK,
        [DM_STORE_READ] = R_OK,
        [DM_STORE_WRITE] = R_OK|W_OK
    };

    locks = (mode == DM_STORE_READ || mode == DM_STORE_WRITE);
    whom = (mode == DM_STORE_SERVE) ? DM_ACCESS_WORKER : DM_ACCESS_TOOL;

    if (dm_access_check(store->path, ".", dir[mode], whom, err) != DM_OK
        || dm_access_check(store->path, DM_STORE_DATA, data[mode], whom, err)
           != DM_OK
        || (locks
            && (dm_access_check(store->path, DM_STORE_WRITERS, R_OK|W_OK, whom,
                                err)
                != DM_OK
                || dm_access_check(store->path, DM_STORE_LOCK, R_OK|W_OK, whom,
                                   err)
                   != DM_OK)))
    {
        return DM_INVALID;
    }

    return dm_store_fail(store, rc, "cannot be opened", err);
}


/* proves the key and makes what lookups need */
static int
dm_store_load(dm_store_t *store, dm_err_t *err)
{
    int       rc, settled;
    unsigned  tries;

    tries = 0;

    do {
        rc = dm_store_load_once(store, &settled, err);
    } while (!settled && !store->stale && ++tries < DM_STORE_TRIES);

    if (!settled) {
        return dm_store_moved(store, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    if (dm_store_start(store, &store->read, err) != DM_OK) {
        return DM_ERROR;
    }

    mdb_txn_reset(store->read);

    return dm_store_make_decoy(store, err);
}


static int
dm_store_load_once(dm_store_t *store, int *settled, dm_err_t *err)
{
    int       rc;
    MDB_txn  *txn;

    txn = NULL;
    *settled = 1;

    dm_store_enter(store);

    rc = dm_store_start(store, &txn, err);

    if (rc != DM_OK) {
        dm_store_leave(store);
        return rc;
    }

    rc = dm_store_databases(store, txn, 0, err);

    if (rc == DM_OK) {
        rc = dm_store_read_meta(store, txn, err);
    }

    *settled = dm_store_settled(store, txn);

    dm_store_leave(store);

    if (rc != DM_OK || !*settled) {
        mdb_txn_abort(txn);
        return rc;
    }

    /* an abort would close the databases again */

    rc = mdb_txn_commit(txn);

    return rc == 0 ? DM_OK
                   : dm_store_fail(store, rc, "cannot be read", err);
}


int
dm_store_databases(dm_store_t *store, MDB_txn *txn, unsigned flags,
    dm_err_t *err)
{
    int                       rc;
    unsigned                  i;
    static const char *const  name[DM_DB_N] = {
        [DM_DB_ACCOUNT] = "account",
        [DM_DB_NAME] = "name",
        [DM_DB_USERHASH] = "userhash",
        [DM_DB_PSK] = "psk",
        [DM_DB_CERT] = "cert",
        [DM_DB_META] = "meta"
    };

    for (i = 0; i < DM_DB_N; i++) {
        rc = mdb_dbi_open(txn, name[i], flags, &store->dbi[i]);

        if (rc == MDB_NOTFOUND) {
            dm_err_set(err, "\"%s\" is no account store: it holds no "
                       "database \"%s\"", store->path, name[i]);
            return DM_INVALID;
        }

        if (rc != 0) {
            return dm_store_fail(store, rc, "cannot open a database", err);
        }
    }

    return DM_OK;
}


/*
 * Makes the record that is opened for an account that is not there, with a
 * name, an identity and secrets that no account has.
 */
static int
dm_store_make_decoy(dm_store_t *store, dm_err_t *err)
{
    int            rc;
    size_t         i;
    dm_account_t   account;
    unsigned char  random[16], text[2 * sizeof(random)], key[DM_KEY_SIZE];

    memset(&account, 0, sizeof(account));

    if (RAND_bytes(random, sizeof(random)) != 1
        || RAND_bytes(key, sizeof(key)) != 1
        || RAND_bytes(account.ha1[0], sizeof(account.ha1)) != 1)
    {
        dm_err_set(err, "OpenSSL gives no random numbers");
        return DM_ERROR;
    }

    for (i = 0; i < sizeof(random); i++) {
        text[2 * i] = (unsigned char) ('a' + (random[i] >> 4));
        text[2 * i + 1] = (unsigned char) ('a' + (random[i] & 15));
    }

    account.id = (dm_str_t) { text, sizeof(text) };
    account.name = account.id;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        account.has_ha1[i] = 1;
    }

    account.npsks = 1;
    account.psk[0].identity = account.id;
    account.psk[0].key = (dm_str_t) { key, sizeof(key) };

    rc = dm_account_encode(&account, store->sealer, store->meta.id,
                           store->decoy, &store->decoy_len, err);

    dm_account_wipe(&account);
    OPENSSL_cleanse(key, sizeof(key));

    return rc;
}


int
dm_store_read_meta(dm_store_t *store, MDB_txn *txn, dm_err_t *err)
{
    int            rc;
    MDB_val        key, value;
    unsigned char  record[DM_STORE_META_MAX];

    if (txn == store->write && store->begun) {
        return DM_OK;
    }

    key.mv_data = DM_STORE_META_KEY;
    key.mv_size = sizeof(DM_STORE_META_KEY) - 1;

    rc = mdb_get(txn, store->dbi[DM_DB_META], &key, &value);

    if (rc == MDB_NOTFOUND) {
        dm_err_set(err, "\"%s\" is no account store: it has no meta record",
                   store->path);
        return DM_INVALID;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "the meta record cannot be read", err);
    }

    if (value.mv_size > sizeof(record)) {
        value.mv_size = sizeof(record);
    }

    memcpy(record, value.mv_data, value.mv_size);

    return dm_store_parse_meta(store, record, value.mv_size, err);
}


static int
dm_store_parse_meta(dm_store_t *store, unsigned char *record, size_t len,
    dm_err_t *err)
{
    int               rc;
    dm_str_t          realm;
    dm_wire_t         w;
    MDB_envinfo       info;
    uint64_t          lacks_md5;
    unsigned char    *id;
    dm_store_meta_t   meta;

    dm_wire_init(&w, record, len);

    meta.format = (unsigned) dm_wire_get(&w, 2);

    if (!w.bad && meta.format != DM_STORE_FORMAT
        && meta.format != DM_STORE_FORMAT_POSITION)
    {
        dm_err_set(err, "store \"%s\" has format %u, this program reads only "
                   "formats %d and %d: a newer version than %s wrote it; "
                   "install that one, or restore a backup that this one wrote",
                   store->path, meta.format, DM_STORE_FORMAT,
                   DM_STORE_FORMAT_POSITION, DM_VERSION);
        return DM_INVALID;
    }

    id = dm_wire_take(&w, DM_STORE_ID_SIZE);
    realm = dm_wire_get_str(&w, 1);
    meta.accounts = dm_wire_get(&w, 8);
    meta.lacks_sha256 = dm_wire_get(&w, 4);
    lacks_md5 = dm_wire_get(&w, 4);
    meta.lacks_md5 = lacks_md5 & (DM_STORE_COUNTED - 1);
    meta.counted = (lacks_md5 & DM_STORE_COUNTED) != 0;

    rc = dm_store_prove(store, &w, record, &meta, err);
    if (rc != DM_OK) {
        return rc;
    }

    meta.counted = meta.counted && meta.writer[0] != '\0';

    (void) mdb_env_info(store->env, &info);
    meta.map_size = info.me_mapsize;

    memcpy(meta.id, id, DM_STORE_ID_SIZE);
    memcpy(store->realm, realm.data, realm.len);
    meta.realm.data = store->realm;
    meta.realm.len = realm.len;

    store->meta = meta;

    return DM_OK;
}


/* w stands on the sealed part; what is written from now on has that key too */
static int
dm_store_prove(dm_store_t *store, dm_wire_t *w, unsigned char *record,
    dm_store_meta_t *meta, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_str_t       ad[DM_STORE_META_BOUND], sealed, id;
    unsigned char  plain[DM_STORE_META_MAX];

    sealed.data = w->pos;
    sealed.len = (size_t) (w->last - w->pos);

    if (w->bad || dm_sealed_key(sealed, &id) != DM_OK) {
        dm_err_set(err, "store \"%s\" is damaged: its meta record is cut "
                   "short", store->path);
        return DM_ERROR;
    }

    dm_store_bind_meta(ad, record, (size_t) (w->pos - record));

    rc = dm_sealer_open(store->sealer, ad, DM_STORE_META_BOUND, sealed, plain,
                        &len);

    switch (rc) {

    case DM_OK:
        (void) dm_sealer_use(store->sealer, id);
        memcpy(meta->key_id, id.data, id.len);
        meta->key_id[id.len] = '\0';
        dm_version_read(meta->writer, (dm_str_t) { plain, len });

        /* the changes of an older one since are not counted for this one */

        if (len > strlen(meta->writer)
            && dm_version_compare(meta->writer) == 0)
        {
            meta->counted = 0;
        }

        return DM_OK;

    case DM_INVALID:
        dm_err_set(err, "store \"%s\" was sealed with key \"%.*s\", which is "
                   "not in the key file", store->path, (int) id.len,
                   (const char *) id.data);
        return DM_INVALID;

    case DM_DECLINED:
        dm_err_set(err, "key \"%.*s\" of the key file does not open store "
                   "\"%s\": it is another key of that id, or the store was "
                   "changed by somebody without the key", (int) id.len,
                   (const char *) id.data, store->path);
        return DM_INVALID;

    default:
        dm_err_set(err, "store \"%s\" cannot be opened: OpenSSL failed",
                   store->path);
        return DM_ERROR;
    }
}


void
dm_store_bind_meta(dm_str_t *ad, const unsigned char *record, size_t len)
{
    ad[0] = dm_str("dm-sec meta");
    ad[1].data = record;
    ad[1].len = len;
}


const dm_store_meta_t *
dm_store_meta(const dm_store_t *store)
{
    return &store->meta;
}


int
dm_store_lock(dm_store_t *store, dm_err_t *err)
{
    return store->mode != DM_STORE_WRITE
           ? DM_OK : dm_store_wait_lock(store->path, store->lock, err);
}


void
dm_store_unlock(dm_store_t *store)
{
    if (store->mode == DM_STORE_WRITE) {
        (void) flock(store->lock, LOCK_UN);
    }
}


int
dm_store_fail(dm_store_t *store, int rc, const char *what, dm_err_t *err)
{
    switch (rc) {

    case MDB_MAP_FULL:
        dm_err_set(err, "store \"%s\" is full: nothing of this transaction "
                   "is kept; write in smaller ones, the store grows before "
                   "each", store->path);
        break;

    case MDB_READERS_FULL:
        dm_err_set(err, "store \"%s\" has %d readers, which is all it can "
                   "have", store->path, DM_STORE_READERS);
        break;

    default:
        dm_err_set(err, "store \"%s\": %s: %s", store->path, what,
                   mdb_strerror(rc));
    }

    return DM_ERROR;
}
