/* The account store, changed */

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#include "dm_store_write_internal.h"
#include "dm_wire.h"


/* what dm_store_walk() was given */
typedef struct {
    int            (*fn)(const dm_account_t *account, void *data);
    int            (*bad)(dm_str_t id, const dm_err_t *err, void *data);
    void            *data;
} dm_store_fn_t;


static int dm_store_begin_locked(dm_store_t *store, dm_err_t *err);
static int dm_store_write_meta(dm_store_t *store, dm_err_t *err);
static int dm_store_load_old(dm_store_t *store, dm_str_t id,
    unsigned char *record, size_t *len, dm_account_t *account, dm_err_t *err);
static int dm_store_exchange(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_str_t record, dm_err_t *err);
static void dm_store_count(dm_store_t *store, const dm_account_t *account,
    int n);
static int dm_store_add_key(dm_store_keys_t *keys, dm_store_index_t index,
    dm_str_t key, const char *what, dm_str_t text);
static int dm_store_claim_keys(dm_store_t *store, const dm_store_keys_t *keys,
    dm_str_t id, dm_err_t *err);
static int dm_store_claim(dm_store_t *store, const dm_store_key_t *key,
    dm_str_t id, dm_str_t *owner, dm_err_t *err);
static int dm_store_unclaim_keys(dm_store_t *store,
    const dm_store_keys_t *keys, unsigned claimed, dm_err_t *err);
static int dm_store_drop_keys(dm_store_t *store, const dm_account_t *account,
    const dm_store_keys_t *keep, dm_err_t *err);
static int dm_store_visit(dm_store_t *store, MDB_cursor *cursor,
    const dm_store_fn_t *call, dm_err_t *err);
static int dm_store_is_behind(const MDB_val *key, const unsigned char *name,
    size_t len);


int
dm_store_begin(dm_store_t *store, dm_err_t *err)
{
    if (dm_store_lock(store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (dm_store_begin_locked(store, err) != DM_OK) {
        dm_store_abort(store);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_store_begin_locked(dm_store_t *store, dm_err_t *err)
{
    int          rc;
    MDB_envinfo  info;

    /* what is written to a directory that was renamed away is lost */

    if (dm_store_replaced(store)) {
        dm_err_set(err, "store \"%s\" was replaced since it was opened: try "
                   "again", store->path);
        return DM_ERROR;
    }

    if (dm_store_fit(store, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_store_wait_readers(store);
    (void) mdb_reader_check(store->env, NULL);

    rc = mdb_txn_begin(store->env, NULL, 0, &store->write);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    store->before = store->meta;

    /* LMDB takes the number from a lock file that another may have removed */

    if (mdb_env_info(store->env, &info) != 0
        || mdb_txn_id(store->write) != info.me_last_txnid + 1)
    {
        dm_err_set(err, "store \"%s\": its lock file was removed while it was "
                   "open: try again", store->path);
        return DM_ERROR;
    }

    store->changed = 0;

    return dm_store_read_meta(store, store->write, err);
}


int
dm_store_commit(dm_store_t *store, dm_err_t *err)
{
    int       rc;
    MDB_txn  *txn;

    if (store->changed && dm_store_write_meta(store, err) != DM_OK) {
        dm_store_abort(store);
        return DM_ERROR;
    }

    txn = store->write;
    store->write = NULL;

    rc = mdb_txn_commit(txn);

    dm_store_unlock(store);

    if (rc != 0) {
        store->meta = store->before;
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    return DM_OK;
}


void
dm_store_abort(dm_store_t *store)
{
    if (store->write != NULL) {
        mdb_txn_abort(store->write);
        store->write = NULL;
        store->meta = store->before;
    }

    dm_store_unlock(store);
}


void
dm_store_reserve(dm_store_t *store, uint64_t octets)
{
    /* no more than what can be added to and doubled */

    store->reserve = octets < SIZE_MAX / 8 ? octets : SIZE_MAX / 8;
}


static int
dm_store_write_meta(dm_store_t *store, dm_err_t *err)
{
    size_t         len, sealed;
    dm_str_t       ad[DM_STORE_META_BOUND];
    dm_wire_t      w;
    unsigned char  record[DM_STORE_META_MAX];

    dm_wire_init(&w, record, sizeof(record) - DM_SEAL_OVERHEAD);

    dm_wire_put(&w, 2, store->meta.format);
    dm_wire_put_octets(&w, store->meta.id, DM_STORE_ID_SIZE);
    dm_wire_put_str(&w, 1, store->meta.realm);
    dm_wire_put(&w, 8, store->meta.accounts);
    dm_wire_put(&w, 8, store->meta.lacks_sha256);

    len = (size_t) (w.pos - record);
    dm_store_bind_meta(ad, record, len);

    if (w.bad
        || dm_sealer_seal(store->sealer, ad, DM_STORE_META_BOUND, dm_str(""),
                          w.pos, &sealed)
           != DM_OK)
    {
        dm_err_set(err, "the meta record cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    return dm_store_set(store, DM_DB_META, dm_str(DM_STORE_META_KEY),
                        (dm_str_t) { record, len + sealed }, err);
}


int
dm_store_has(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int             rc;
    dm_str_t        record;
    dm_store_key_t  key;

    rc = dm_store_key(&key, DM_BY_ID, id);
    if (rc != DM_OK) {
        return rc;
    }

    return dm_store_get(store, store->write, &key, &record, err);
}


int
dm_store_put(dm_store_t *store, const dm_account_t *account, dm_err_t *err)
{
    int            rc;
    size_t         len, old_len;
    dm_account_t   next, old, *prev;
    unsigned char  record[DM_RECORD_MAX], old_record[DM_RECORD_MAX];

    rc = dm_store_load_old(store, account->id, old_record, &old_len, &old,
                           err);
    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    prev = rc == DM_OK ? &old : NULL;

    next = *account;
    next.revision = prev == NULL ? 1 : prev->revision + 1;
    next.changed = (int64_t) time(NULL);

    rc = dm_account_check_new(&next, prev, err);

    if (rc == DM_OK) {
        rc = dm_account_encode(&next, store->sealer, store->meta.id, record,
                               &len, err);
    }

    if (rc == DM_OK) {
        rc = dm_store_exchange(store, prev, &next,
                               (dm_str_t) { record, len }, err);
    }

    dm_account_wipe(&next);
    dm_account_wipe(&old);
    OPENSSL_cleanse(old_record, old_len);

    return rc;
}


int
dm_store_del(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_account_t   old;
    unsigned char  record[DM_RECORD_MAX];

    rc = dm_store_load_old(store, id, record, &len, &old, err);

    if (rc == DM_ERROR && dm_store_has(store, id, err) == DM_OK) {
        return dm_store_purge(store, id, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_store_drop_keys(store, &old, NULL, err);

    if (rc == DM_OK) {
        rc = dm_store_unset(store, DM_DB_ACCOUNT, old.id, err);
    }

    if (rc == DM_OK) {
        dm_store_count(store, &old, -1);
    }

    dm_account_wipe(&old);
    OPENSSL_cleanse(record, len);

    return rc;
}


/* DM_OK, DM_DECLINED: there is none, or DM_ERROR */
static int
dm_store_load_old(dm_store_t *store, dm_str_t id, unsigned char *record,
    size_t *len, dm_account_t *account, dm_err_t *err)
{
    int             rc;
    dm_store_key_t  key;

    *len = 0;

    rc = dm_store_key(&key, DM_BY_ID, id);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_store_fetch(store, store->write, id, record, len, err);
    if (rc != DM_OK) {
        return rc;
    }

    return dm_store_decode(store, id, record, *len, account, err);
}


/* old: what stands there now, or NULL */
static int
dm_store_exchange(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_str_t record, dm_err_t *err)
{
    int              rc;
    dm_store_keys_t  keys;

    if (dm_store_list_keys(store, account, &keys, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_claim_keys(store, &keys, account->id, err);
    if (rc != DM_OK) {
        return rc;
    }

    if (old != NULL) {
        if (dm_store_drop_keys(store, old, &keys, err) != DM_OK) {
            return DM_ERROR;
        }

        dm_store_count(store, old, -1);
    }

    rc = dm_store_set(store, DM_DB_ACCOUNT, account->id, record, err);
    if (rc != DM_OK) {
        return rc;
    }

    dm_store_count(store, account, 1);

    return DM_OK;
}


static void
dm_store_count(dm_store_t *store, const dm_account_t *account, int n)
{
    store->meta.accounts += (uint64_t) n;

    if (dm_store_lacks_sha256(account)) {
        store->meta.lacks_sha256 += (uint64_t) n;
    }

    store->changed = 1;
}


int
dm_store_lacks_sha256(const dm_account_t *account)
{
    unsigned  alg, any;

    any = 0;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        any |= account->has_ha1[alg];
    }

    return any && !account->has_ha1[DM_SHA256];
}


int
dm_store_list_keys(dm_store_t *store, const dm_account_t *account,
    dm_store_keys_t *keys, dm_err_t *err)
{
    int             ok;
    dm_str_t        hash;
    unsigned        i;
    dm_algorithm_t  alg;
    unsigned char   buf[DM_HASH_MAX];

    keys->n = 0;

    ok = dm_store_add_key(keys, DM_BY_NAME, account->name, "name",
                          account->name);

    for (i = 0; ok && i < DM_NALGORITHMS; i++) {

        if (!account->has_ha1[i]) {
            continue;
        }

        alg = (dm_algorithm_t) i;
        hash.data = buf;
        hash.len = dm_digest_size(alg);

        ok = dm_digest_userhash(alg, account->name, store->meta.realm, buf)
             == DM_OK
             && dm_store_add_key(keys, DM_BY_USERHASH_MD5 + i, hash,
                                 "userhash of the name", account->name);
    }

    for (i = 0; ok && i < account->npsks; i++) {
        ok = dm_store_add_key(keys, DM_BY_PSK, account->psk[i].identity,
                              "PSK identity", account->psk[i].identity);
    }

    for (i = 0; ok && i < account->ncert_keys; i++) {
        ok = dm_store_add_key(keys, DM_BY_CERT, account->cert_key[i],
                              "certificate key", account->cert_key[i]);
    }

    if (!ok) {
        dm_err_set(err, "the keys of account \"%.*s\" cannot be made: OpenSSL "
                   "failed", (int) account->id.len,
                   (const char *) account->id.data);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_store_add_key(dm_store_keys_t *keys, dm_store_index_t index, dm_str_t key,
    const char *what, dm_str_t text)
{
    unsigned  i;

    i = keys->n++;

    keys->what[i] = what;
    keys->text[i] = text;

    return dm_store_key(&keys->key[i], index, key) == DM_OK;
}


/* DM_OK; DM_EXISTS: one is another's, and the index is as before; DM_ERROR */
static int
dm_store_claim_keys(dm_store_t *store, const dm_store_keys_t *keys,
    dm_str_t id, dm_err_t *err)
{
    int       rc;
    dm_str_t  owner;
    unsigned  i, claimed;

    claimed = 0;

    for (i = 0; i < keys->n; i++) {
        rc = dm_store_claim(store, &keys->key[i], id, &owner, err);

        if (rc == DM_ERROR) {
            return DM_ERROR;
        }

        if (rc == DM_OK) {
            claimed |= 1u << i;
            continue;
        }

        if (!dm_str_eq(owner, id)) {
            dm_err_set(err, "account \"%.*s\" cannot be written: account "
                       "\"%.*s\" already has the %s \"%.*s\"", (int) id.len,
                       (const char *) id.data, (int) owner.len,
                       (const char *) owner.data, keys->what[i],
                       (int) keys->text[i].len,
                       (const char *) keys->text[i].data);
            return dm_store_unclaim_keys(store, keys, claimed, err);
        }
    }

    return DM_OK;
}


/*
 * DM_OK: the entry was made; DM_EXISTS: there is one, and owner is LMDB's own
 * until the next write; DM_ERROR.
 */
static int
dm_store_claim(dm_store_t *store, const dm_store_key_t *key, dm_str_t id,
    dm_str_t *owner, dm_err_t *err)
{
    int      rc;
    MDB_val  name, data;

    name.mv_data = (void *) key->data;
    name.mv_size = key->len;
    data.mv_data = (void *) id.data;
    data.mv_size = id.len;

    rc = mdb_put(store->write, store->dbi[key->db], &name, &data,
                 MDB_NOOVERWRITE);

    if (rc == MDB_KEYEXIST) {
        owner->data = data.mv_data;
        owner->len = data.mv_size;
        return DM_EXISTS;
    }

    if (rc != 0) {
        (void) dm_store_fail(store, rc, "cannot be written", err);
        return DM_ERROR;
    }

    return DM_OK;
}


/* DM_EXISTS, whose reason is in err already, or DM_ERROR */
static int
dm_store_unclaim_keys(dm_store_t *store, const dm_store_keys_t *keys,
    unsigned claimed, dm_err_t *err)
{
    unsigned  i;

    for (i = 0; i < keys->n; i++) {
        if ((claimed & 1u << i)
            && dm_store_unset(store, keys->key[i].db,
                              (dm_str_t) { keys->key[i].data,
                                           keys->key[i].len }, err)
               != DM_OK)
        {
            return DM_ERROR;
        }
    }

    return DM_EXISTS;
}


/*
 * Removes the account's entries but those in keep, which may be NULL.  One
 * that is another account's stays: somebody damaged the store.
 */
static int
dm_store_drop_keys(dm_store_t *store, const dm_account_t *account,
    const dm_store_keys_t *keep, dm_err_t *err)
{
    int              rc;
    dm_str_t         owner, name;
    unsigned         i;
    dm_store_keys_t  keys;

    if (dm_store_list_keys(store, account, &keys, err) != DM_OK) {
        return DM_ERROR;
    }

    for (i = 0; i < keys.n; i++) {
        name.data = keys.key[i].data;
        name.len = keys.key[i].len;

        if (keep != NULL && dm_store_has_key(keep, keys.key[i].db, name)) {
            continue;
        }

        rc = dm_store_get(store, store->write, &keys.key[i], &owner, err);

        if (rc == DM_ERROR) {
            return DM_ERROR;
        }

        if (rc == DM_DECLINED || !dm_str_eq(owner, account->id)) {
            continue;
        }

        if (dm_store_unset(store, keys.key[i].db, name, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


int
dm_store_has_key(const dm_store_keys_t *keys, dm_store_db_t db, dm_str_t name)
{
    unsigned  i;

    for (i = 0; i < keys->n; i++) {
        if (keys->key[i].db == db
            && dm_str_eq((dm_str_t) { keys->key[i].data, keys->key[i].len },
                         name))
        {
            return 1;
        }
    }

    return 0;
}


int
dm_store_get(dm_store_t *store, MDB_txn *txn, const dm_store_key_t *key,
    dm_str_t *value, dm_err_t *err)
{
    int      rc;
    MDB_val  name, data;

    name.mv_data = (void *) key->data;
    name.mv_size = key->len;

    rc = mdb_get(txn, store->dbi[key->db], &name, &data);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    if (rc != 0) {
        (void) dm_store_fail(store, rc, "cannot be read", err);
        return DM_ERROR;
    }

    value->data = data.mv_data;
    value->len = data.mv_size;

    return DM_OK;
}


int
dm_store_set(dm_store_t *store, dm_store_db_t db, dm_str_t name,
    dm_str_t value, dm_err_t *err)
{
    int      rc;
    MDB_val  key, data;

    key.mv_data = (void *) name.data;
    key.mv_size = name.len;
    data.mv_data = (void *) value.data;
    data.mv_size = value.len;

    rc = mdb_put(store->write, store->dbi[db], &key, &data, 0);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    return DM_OK;
}


int
dm_store_unset(dm_store_t *store, dm_store_db_t db, dm_str_t name,
    dm_err_t *err)
{
    int      rc;
    MDB_val  key;

    key.mv_data = (void *) name.data;
    key.mv_size = name.len;

    rc = mdb_del(store->write, store->dbi[db], &key, NULL);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    return DM_OK;
}


int
dm_store_walk(dm_store_t *store,
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

    /* where the file is damaged, names may lead round and round */

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


/* in the order of LMDB */
static int
dm_store_is_behind(const MDB_val *key, const unsigned char *name, size_t len)
{
    int  rc;

    rc = memcmp(key->mv_data, name, key->mv_size < len ? key->mv_size : len);

    return rc > 0 || (rc == 0 && key->mv_size > len);
}
