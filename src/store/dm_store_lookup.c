/* An account, found by one of its keys */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_store_internal.h"


static int dm_store_find(dm_store_t *store, dm_store_index_t index,
    dm_str_t key, dm_store_key_t *id, unsigned char *record, size_t *len,
    dm_err_t *err);
static int dm_store_find_once(dm_store_t *store, dm_store_index_t index,
    dm_store_key_t *id, unsigned char *record, size_t *len, int *settled,
    dm_err_t *err);
static int dm_store_resolve(dm_store_t *store, MDB_txn *txn,
    dm_store_key_t *key, dm_err_t *err);
static int dm_store_nearest(dm_store_t *store, MDB_txn *txn,
    const dm_store_key_t *key, MDB_val *name, MDB_val *value);
static int dm_store_holds(dm_store_t *store, const dm_account_t *account,
    dm_store_index_t index, dm_str_t key);


static const struct {
    dm_store_db_t  db;
    size_t         min;
    size_t         max;
} dm_store_index[] = {
    [DM_BY_ID] = { DM_DB_ACCOUNT, 1, DM_ID_MAX },
    [DM_BY_NAME] = { DM_DB_NAME, 1, DM_NAME_MAX },
    [DM_BY_USERHASH_MD5] = { DM_DB_USERHASH, 16, 16 },
    [DM_BY_USERHASH_SHA512_256] = { DM_DB_USERHASH, 32, 32 },
    [DM_BY_USERHASH_SHA256] = { DM_DB_USERHASH, 32, 32 },
    [DM_BY_PSK] = { DM_DB_PSK, 1, DM_PSK_IDENTITY_MAX },
    [DM_BY_CERT] = { DM_DB_CERT, 1, DM_CERT_KEY_MAX }
};


int
dm_store_lookup(dm_store_t *store, dm_store_index_t index, dm_str_t key,
    unsigned char *record, size_t *len, dm_account_t *account, dm_err_t *err)
{
    int             rc;
    dm_store_key_t  id;

    *len = 0;

    rc = dm_store_find(store, index, key, &id, record, len, err);

    if (rc == DM_DECLINED) {
        memcpy(record, store->decoy, store->decoy_len);
        *len = store->decoy_len;

        rc = dm_account_decode(account, record, *len, store->sealer,
                               store->meta.id, err);

        if (rc != DM_OK) {
            return DM_ERROR;
        }

        (void) dm_store_holds(store, account, index, key);

        return DM_DECLINED;
    }

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    memcpy(store->found, record, *len);
    store->found_len = *len;

    rc = dm_store_decode(store, (dm_str_t) { id.data, id.len }, record, *len,
                         account, err);
    if (rc != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_holds(store, account, index, key);

    if (rc != DM_OK) {
        dm_err_set(err, "store \"%s\" is damaged: an index leads to account "
                   "\"%.*s\", which does not hold the key looked up",
                   store->path, (int) id.len, (const char *) id.data);
        OPENSSL_cleanse(record, *len);
        dm_account_wipe(account);
        return DM_ERROR;
    }

    dm_disabled_apply(store, account);

    return DM_OK;
}


dm_str_t
dm_store_record(const dm_store_t *store)
{
    return (dm_str_t) { store->found, store->found_len };
}


int
dm_store_same(dm_store_t *store, dm_str_t record, const dm_account_t *account)
{
    int       same;
    MDB_txn  *txn;
    MDB_val   name, value;

    /* one that was active stood in nothing that disables it */

    if (account->state != DM_ACTIVE
        || dm_store_acquire(store, &txn, NULL) != DM_OK)
    {
        return DM_DECLINED;
    }

    name.mv_data = (void *) account->id.data;
    name.mv_size = account->id.len;

    same = mdb_get(txn, store->dbi[DM_DB_ACCOUNT], &name, &value) == 0
           && value.mv_size == record.len
           && memcmp(value.mv_data, record.data, record.len) == 0
           && !dm_disabled_has(&store->disabled, account->id);

    store->looked = mdb_txn_id(txn) + store->disabled.changes;

    if (!dm_store_settled(store, txn)) {
        same = 0;
    }

    dm_store_release(store);

    return same ? DM_OK : DM_DECLINED;
}


static int
dm_store_find(dm_store_t *store, dm_store_index_t index, dm_str_t key,
    dm_store_key_t *id, unsigned char *record, size_t *len, dm_err_t *err)
{
    int             rc, settled;
    unsigned        tries;
    dm_store_key_t  wanted;

    rc = dm_store_key(&wanted, index, key);

    if (rc == DM_ERROR) {
        dm_err_set(err, "a key cannot be looked up: OpenSSL failed");
    }

    if (rc != DM_OK) {
        store->looked = dm_store_version(store);
        return rc;
    }

    tries = 0;

    do {
        *id = wanted;
        rc = dm_store_find_once(store, index, id, record, len, &settled, err);
    } while (!settled && !store->stale && ++tries < DM_STORE_TRIES);

    if (!settled) {
        OPENSSL_cleanse(record, *len);
        return dm_store_moved(store, err);
    }

    return rc;
}


static int
dm_store_find_once(dm_store_t *store, dm_store_index_t index,
    dm_store_key_t *id, unsigned char *record, size_t *len, int *settled,
    dm_err_t *err)
{
    int       rc;
    MDB_txn  *txn;

    *settled = 1;

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_resolve(store, txn, id, err);

    if (rc == DM_OK) {
        rc = dm_store_fetch(store, txn, (dm_str_t) { id->data, id->len },
                            record, len, err);

        if (rc == DM_DECLINED && index != DM_BY_ID) {
            dm_err_set(err, "store \"%s\" is damaged: an index leads to "
                       "account \"%.*s\", which is not there", store->path,
                       (int) id->len, (const char *) id->data);
            rc = DM_ERROR;
        }

    } else if (rc == DM_DECLINED && id->len > 0) {

        /* nobody's business, but who measures the time sees no difference */

        (void) dm_store_fetch(store, txn, (dm_str_t) { id->data, id->len },
                              record, len, NULL);
        OPENSSL_cleanse(record, *len);
    }

    store->looked = mdb_txn_id(txn) + store->disabled.changes;
    *settled = dm_store_settled(store, txn);

    dm_store_release(store);

    return rc;
}


int
dm_store_key(dm_store_key_t *out, dm_store_index_t index, dm_str_t key)
{
    if (key.len < dm_store_index[index].min
        || key.len > dm_store_index[index].max)
    {
        return DM_DECLINED;
    }

    out->db = dm_store_index[index].db;

    switch (out->db) {

    case DM_DB_USERHASH:
        out->data[0] = (unsigned char) (index - DM_BY_USERHASH_MD5);
        memcpy(out->data + 1, key.data, key.len);
        out->len = 1 + key.len;
        return DM_OK;

    case DM_DB_CERT:
        out->len = dm_digest_size(DM_SHA256);
        return dm_digest_join(DM_SHA256, &key, 1, out->data);

    default:
        memcpy(out->data, key.data, key.len);
        out->len = key.len;
        return DM_OK;
    }
}


/*
 * Exchanges the key of an index for the key of its account.  DM_OK;
 * DM_DECLINED: there is none, and *key is that of another account, of length 0
 * if there is none either; DM_ERROR.
 */
static int
dm_store_resolve(dm_store_t *store, MDB_txn *txn, dm_store_key_t *key,
    dm_err_t *err)
{
    int      rc, found;
    MDB_val  name, value;

    if (key->db == DM_DB_ACCOUNT) {
        return DM_OK;
    }

    rc = dm_store_nearest(store, txn, key, &name, &value);

    if (rc == MDB_NOTFOUND) {
        key->len = 0;
        return DM_DECLINED;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "an index cannot be read", err);
    }

    found = name.mv_size == key->len
            && memcmp(name.mv_data, key->data, key->len) == 0;

    key->db = DM_DB_ACCOUNT;

    if (value.mv_size == 0 || value.mv_size > DM_ID_MAX) {
        key->len = 0;

        return found ? dm_store_fail(store, MDB_CORRUPTED,
                                     "an index is damaged", err)
                     : DM_DECLINED;
    }

    key->len = value.mv_size;
    memcpy(key->data, value.mv_data, value.mv_size);

    return found ? DM_OK : DM_DECLINED;
}


/*
 * The entry of that key, or else the next, or else the first.  0,
 * MDB_NOTFOUND: there are no entries, or what LMDB says.
 */
static int
dm_store_nearest(dm_store_t *store, MDB_txn *txn, const dm_store_key_t *key,
    MDB_val *name, MDB_val *value)
{
    int          rc;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(txn, store->dbi[key->db], &cursor);
    if (rc != 0) {
        return rc;
    }

    name->mv_data = (void *) key->data;
    name->mv_size = key->len;

    rc = mdb_cursor_get(cursor, name, value, MDB_SET_RANGE);

    if (rc == MDB_NOTFOUND) {
        rc = mdb_cursor_get(cursor, name, value, MDB_FIRST);
    }

    mdb_cursor_close(cursor);

    return rc;
}


int
dm_store_fetch(dm_store_t *store, MDB_txn *txn, dm_str_t id,
    unsigned char *record, size_t *len, dm_err_t *err)
{
    int      rc;
    MDB_val  name, value;

    name.mv_data = (void *) id.data;
    name.mv_size = id.len;

    rc = mdb_get(txn, store->dbi[DM_DB_ACCOUNT], &name, &value);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "an account cannot be read", err);
    }

    if (value.mv_size > DM_RECORD_MAX) {
        return dm_store_fail(store, MDB_CORRUPTED, "a record is damaged", err);
    }

    memcpy(record, value.mv_data, value.mv_size);
    *len = value.mv_size;

    return DM_OK;
}


int
dm_store_decode(dm_store_t *store, dm_str_t id, unsigned char *record,
    size_t len, dm_account_t *account, dm_err_t *err)
{
    dm_err_t  why;

    if (dm_account_decode(account, record, len, store->sealer,
                          store->meta.id, err == NULL ? NULL : &why)
        != DM_OK)
    {
        dm_err_set(err, "store \"%s\", account \"%.*s\": %s", store->path,
                   (int) id.len, (const char *) id.data, why.text);
        return DM_ERROR;
    }

    if (!dm_str_eq(account->id, id)) {
        dm_err_set(err, "store \"%s\" is damaged: under the id of account "
                   "\"%.*s\" is the record of another", store->path,
                   (int) id.len, (const char *) id.data);
        OPENSSL_cleanse(record, len);
        dm_account_wipe(account);
        return DM_ERROR;
    }

    return DM_OK;
}


/* DM_OK, DM_DECLINED or DM_ERROR */
static int
dm_store_holds(dm_store_t *store, const dm_account_t *account,
    dm_store_index_t index, dm_str_t key)
{
    unsigned        i;
    dm_algorithm_t  alg;
    unsigned char   hash[DM_HASH_MAX];

    switch (index) {

    case DM_BY_ID:
        return dm_str_eq(account->id, key) ? DM_OK : DM_DECLINED;

    case DM_BY_NAME:
        return dm_str_eq(account->name, key) ? DM_OK : DM_DECLINED;

    case DM_BY_PSK:
        for (i = 0; i < account->npsks; i++) {
            if (dm_str_eq(account->psk[i].identity, key)) {
                return DM_OK;
            }
        }

        return DM_DECLINED;

    case DM_BY_CERT:
        for (i = 0; i < account->ncert_keys; i++) {
            if (dm_str_eq(account->cert_key[i], key)) {
                return DM_OK;
            }
        }

        return DM_DECLINED;

    default:
        alg = (dm_algorithm_t) (index - DM_BY_USERHASH_MD5);

        if (dm_digest_userhash(alg, account->name, store->meta.realm, hash)
            != DM_OK)
        {
            return DM_ERROR;
        }

        return dm_str_eq((dm_str_t) { hash, dm_digest_size(alg) }, key)
               ? DM_OK : DM_DECLINED;
    }
}
