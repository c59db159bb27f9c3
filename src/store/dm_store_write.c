/* The account store, changed */

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dm_store_write_internal.h"
#include "dm_version.h"
#include "dm_wire.h"


static int dm_store_is_open(const dm_store_t *store, dm_err_t *err);
static int dm_store_commit_all(dm_store_t *store, dm_err_t *err);
static void dm_store_end(dm_store_t *store, int done);
static int dm_store_begin_new(dm_store_t *store, dm_err_t *err);
static int dm_store_is_there(const dm_store_t *store, dm_err_t *err);
static int dm_store_write_meta(dm_store_t *store, dm_err_t *err);
static int dm_store_exchange(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_str_t record, dm_err_t *err);
static int dm_store_exchange_keys(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_err_t *err);
static int dm_store_same_keys(const dm_account_t *a, const dm_account_t *b);


int
dm_store_begin(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = dm_store_take(store, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_store_begin_locked(store, err);

    if (rc == DM_OK && dm_store_is_following(store)) {
        rc = dm_log_begin(store, err);
    }

    if (rc != DM_OK) {
        dm_store_unlock(store);
    }

    return rc;
}


int
dm_store_take(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = dm_store_lock(store, err);
    if (rc != DM_OK) {
        return rc;
    }

    store->head = 0;

    if (dm_disabled_settle(store, err) != DM_OK) {
        dm_store_unlock(store);
        return DM_ERROR;
    }

    return DM_OK;
}


int
dm_store_begin_locked(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = dm_store_begin_new(store, err);

    if (rc != DM_OK) {
        dm_store_abort_locked(store);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_store_begin_new(dm_store_t *store, dm_err_t *err)
{
    int          rc;
    MDB_envinfo  info;

    if (dm_store_is_there(store, err) != DM_OK
        || dm_store_fit(store, err) != DM_OK)
    {
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

    store->begun = 0;
    store->changed = 0;
    store->told = 0;
    store->applying = 0;
    store->failed = 0;

    rc = dm_store_read_meta(store, store->write, err);

    store->begun = 1;

    if (rc == DM_OK) {
        rc = dm_marks_begin(store, err);
    }

    if (rc == DM_OK && store->meta.counted) {
        rc = dm_store_count_open(store, 0, err);
    }

    if (rc == DM_DECLINED || (rc == DM_OK && !store->meta.counted)) {
        rc = dm_store_recount(store, err);
    }

    /* after that, which must not make right what somebody else has changed */

    if (rc == DM_OK) {
        rc = dm_store_position_load(store, store->write, &store->position,
                                    err);
    }

    return rc == DM_DECLINED ? DM_OK : rc;
}


/* a change in a directory that was renamed away would be lost */
static int
dm_store_is_there(const dm_store_t *store, dm_err_t *err)
{
    if (!dm_store_replaced(store)) {
        return DM_OK;
    }

    dm_err_set(err, "store \"%s\" was replaced since it was opened: try again",
               store->path);

    return DM_ERROR;
}


int
dm_store_hold(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = dm_store_lock(store, err);
    if (rc != DM_OK) {
        return rc;
    }

    if (dm_store_is_there(store, err) != DM_OK
        || dm_store_fit(store, err) != DM_OK
        || dm_store_refresh(store, err) != DM_OK)
    {
        dm_store_unlock(store);
        return DM_ERROR;
    }

    return DM_OK;
}


int
dm_store_commit(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = dm_store_commit_all(store, err);

    dm_store_end(store, rc == DM_OK);

    return rc;
}


/* the log first: what is not in force there is not in the store */
static int
dm_store_commit_all(dm_store_t *store, dm_err_t *err)
{
    int       rc;
    dm_err_t  why;

    rc = dm_log_commit(store, err);

    if (rc != DM_OK) {
        dm_store_abort_locked(store);
        return rc;
    }

    rc = dm_store_commit_locked(store, &why);

    if (rc == DM_OK) {
        return DM_OK;
    }

    dm_err_set(err, "%s%s", why.text, store->logged && store->told
               ? "; the change is in the log, and in force on other machines: "
                 "here it will be when this is mended" : "");

    return rc;
}


/* gives the lock back; who comes next takes over what this one cannot */
static void
dm_store_end(dm_store_t *store, int done)
{
    dm_log_end(store, done);

    if (store->held) {
        return;
    }

    (void) dm_disabled_settle(store, NULL);

    store->head = 0;
    dm_store_unlock(store);
}


int
dm_store_commit_locked(dm_store_t *store, dm_err_t *err)
{
    int       rc;
    MDB_txn  *txn;

    if (store->changed
        && (dm_store_position_save(store, err) != DM_OK
            || dm_store_write_meta(store, err) != DM_OK))
    {
        dm_store_abort_locked(store);
        return DM_ERROR;
    }

    dm_store_position_forget(store);

    txn = store->write;
    store->write = NULL;

    rc = mdb_txn_commit(txn);

    if (rc != 0) {
        store->meta = store->before;
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    return DM_OK;
}


void
dm_store_abort(dm_store_t *store)
{
    dm_store_abort_locked(store);
    dm_store_end(store, 0);
}


void
dm_store_abort_locked(dm_store_t *store)
{
    dm_store_position_forget(store);

    if (store->write != NULL) {
        mdb_txn_abort(store->write);
        store->write = NULL;
        store->meta = store->before;
    }
}


void
dm_store_reserve(dm_store_t *store, uint64_t octets)
{
    /* keep it so small that it can be added to and doubled */

    store->reserve = octets < SIZE_MAX / 8 ? octets : SIZE_MAX / 8;
}


static int
dm_store_write_meta(dm_store_t *store, dm_err_t *err)
{
    size_t         len, sealed;
    dm_str_t       ad[DM_STORE_META_BOUND];
    dm_wire_t      w;
    unsigned char  record[DM_STORE_META_MAX];
    dm_str_t       signature;
    char           writer[DM_VERSION_MAX + sizeof(" ") + DM_VERSION_MAX];

    signature.data = (const unsigned char *) DM_VERSION;
    signature.len = sizeof(DM_VERSION) - 1;

    /* the newest stays first, for what it keeps the older one may not keep */

    if (dm_version_compare(store->meta.writer) > 0) {
        (void) snprintf(writer, sizeof(writer), "%s %s", store->meta.writer,
                        DM_VERSION);
        signature.data = (const unsigned char *) writer;
        signature.len = strnlen(writer, DM_VERSION_MAX);
    }

    dm_wire_init(&w, record,
                 sizeof(record) - DM_VERSION_MAX - DM_SEAL_OVERHEAD);

    dm_wire_put(&w, 2, store->meta.format);
    dm_wire_put_octets(&w, store->meta.id, DM_STORE_ID_SIZE);
    dm_wire_put_str(&w, 1, store->meta.realm);
    dm_wire_put(&w, 8, store->meta.accounts);
    dm_wire_put(&w, 4, store->meta.lacks_sha256);
    dm_wire_put(&w, 4, store->meta.lacks_md5
                       | (store->meta.counted ? DM_STORE_COUNTED : 0));

    len = (size_t) (w.pos - record);
    dm_store_bind_meta(ad, record, len);

    if (w.bad
        || dm_sealer_seal(store->sealer, ad, DM_STORE_META_BOUND,
                          signature, w.pos, &sealed)
           != DM_OK)
    {
        dm_err_set(err, "the meta record cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    dm_version_read(store->meta.writer, signature);

    return dm_store_set(store, DM_DB_META, dm_str(DM_STORE_META_KEY),
                        (dm_str_t) { record, len + sealed }, err);
}


void
dm_store_sign(dm_store_t *store)
{
    store->changed = 1;
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
    size_t         old_len;
    dm_account_t   next, old, *prev;
    unsigned char  old_record[DM_RECORD_MAX];

    if (dm_store_is_open(store, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_load_old(store, account->id, old_record, &old_len, &old,
                           err);
    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    prev = rc == DM_OK ? &old : NULL;

    next = *account;
    next.revision = prev == NULL ? 1 : prev->revision + 1;
    next.changed = (int64_t) time(NULL);

    rc = dm_marks_hold(store, &next, err);

    if (rc == DM_OK) {
        rc = dm_account_check_new(&next, prev, err);
    }

    if (rc == DM_OK) {
        rc = dm_store_replace(store, prev, &next, err);
    }

    if (rc == DM_OK && store->beside_import) {
        rc = dm_marks_tell(store, prev, &next, err);
    }

    if (rc == DM_OK) {
        rc = dm_log_put(store, &next, err);
    }

    store->kept += (rc == DM_OK && next.state != account->state);

    dm_account_wipe(&next);
    dm_account_wipe(&old);
    OPENSSL_cleanse(old_record, old_len);

    return rc;
}


/* nothing gets past the log */
static int
dm_store_is_open(const dm_store_t *store, dm_err_t *err)
{
    if (!store->applying || !dm_store_is_following(store)) {
        return DM_OK;
    }

    dm_err_set(err, "store \"%s\" follows a log, and this transaction is for "
               "what comes from there", store->path);

    return DM_ERROR;
}


int
dm_store_replace(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_err_t *err)
{
    int            rc;
    size_t         len;
    unsigned char  record[DM_RECORD_MAX];

    rc = dm_account_encode(account, store->sealer, store->meta.id, record,
                           &len, err);

    return rc == DM_OK ? dm_store_exchange(store, old, account,
                                           (dm_str_t) { record, len }, err)
                       : rc;
}


int
dm_store_del(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_account_t   old;
    unsigned char  record[DM_RECORD_MAX];

    if (dm_store_is_open(store, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_load_old(store, id, record, &len, &old, err);

    /* others, where it opens, would have another sum then */

    if (rc == DM_ERROR && dm_store_is_following(store)) {
        return DM_ERROR;
    }

    if (rc == DM_ERROR && dm_store_has(store, id, err) == DM_OK) {
        rc = dm_store_purge(store, id, err);

        return rc == DM_OK && store->beside_import
               ? dm_marks_add_id(store, id, err) : rc;
    }

    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_store_remove_account(store, &old, err);

    if (rc == DM_OK && store->beside_import) {
        rc = dm_marks_add(store, &old, err);
    }

    if (rc == DM_OK) {
        rc = dm_log_del(store, old.id, err);
    }

    dm_account_wipe(&old);
    OPENSSL_cleanse(record, len);

    return rc;
}


int
dm_store_remove_account(dm_store_t *store, const dm_account_t *old,
    dm_err_t *err)
{
    int  rc;

    rc = dm_store_drop_keys(store, old, NULL, err);

    if (rc == DM_OK) {
        rc = dm_store_unset(store, DM_DB_ACCOUNT, old->id, err);
    }

    return rc == DM_OK ? dm_store_count_account(store, old, -1, err) : rc;
}


int
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


/* puts the record in the place of old, or NULL: none is there */
static int
dm_store_exchange(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_str_t record, dm_err_t *err)
{
    int  rc;

    /* most changes leave them: what is found by them is not looked up */

    if (old == NULL || !dm_store_same_keys(old, account)) {
        rc = dm_store_exchange_keys(store, old, account, err);
        if (rc != DM_OK) {
            return rc;
        }
    }

    if (old != NULL && dm_store_count_account(store, old, -1, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_set(store, DM_DB_ACCOUNT, account->id, record, err);
    if (rc != DM_OK) {
        return rc;
    }

    return dm_store_count_account(store, account, 1, err);
}


static int
dm_store_exchange_keys(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_err_t *err)
{
    int              rc;
    dm_store_keys_t  keys;

    if (dm_store_list_keys(store, account, &keys, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_claim_keys(store, &keys, account->id, err);
    if (rc != DM_OK || old == NULL) {
        return rc;
    }

    return dm_store_drop_keys(store, old, &keys, err);
}


/* 1 if both are found by the same entries, for dm_store_list_keys() */
static int
dm_store_same_keys(const dm_account_t *a, const dm_account_t *b)
{
    unsigned  i;

    if (!dm_str_eq(a->name, b->name) || a->npsks != b->npsks
        || a->ncert_keys != b->ncert_keys)
    {
        return 0;
    }

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (a->has_ha1[i] != b->has_ha1[i]) {
            return 0;
        }
    }

    for (i = 0; i < a->npsks; i++) {
        if (!dm_str_eq(a->psk[i].identity, b->psk[i].identity)) {
            return 0;
        }
    }

    for (i = 0; i < a->ncert_keys; i++) {
        if (!dm_str_eq(a->cert_key[i], b->cert_key[i])) {
            return 0;
        }
    }

    return 1;
}
