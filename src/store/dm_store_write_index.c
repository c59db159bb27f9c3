/* The entries that accounts are found by, in a write transaction */

#include "dm_store_write_internal.h"


static int dm_store_add_key(dm_store_keys_t *keys, dm_store_index_t index,
    dm_str_t key, const char *what, dm_str_t text);
static int dm_store_claim(dm_store_t *store, const dm_store_key_t *key,
    dm_str_t id, dm_str_t *owner, dm_err_t *err);
static int dm_store_unclaim_keys(dm_store_t *store,
    const dm_store_keys_t *keys, unsigned claimed, dm_err_t *err);


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


int
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
 * Makes an entry.  DM_OK; DM_EXISTS: there is one, and owner is LMDB's own
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


/*
 * Removes those that were made.  DM_EXISTS: err says why already; or DM_ERROR.
 */
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


int
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

        /* an entry of another account stays: somebody damaged the store */

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
