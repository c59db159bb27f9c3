/* A store that follows a log: what goes there, and what comes from there */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_store_follow.h"
#include "dm_store_write_internal.h"


static int dm_store_placing(dm_store_t *store, dm_err_t *err);
static int dm_store_apply_put(dm_store_t *store, dm_str_t what,
    dm_err_t *err);
static int dm_store_apply_account(dm_store_t *store, dm_account_t *account,
    dm_err_t *err);
static int dm_store_apply_del(dm_store_t *store, dm_str_t id, dm_err_t *err);


void
dm_store_follow(dm_store_t *store, const dm_store_log_t *log, void *data)
{
    store->log = log;
    store->log_data = data;
}


int
dm_store_is_following(const dm_store_t *store)
{
    return store->position != NULL && store->position->is.follows;
}


int
dm_store_position(dm_store_t *store, dm_fleet_position_t *position,
    dm_err_t *err)
{
    int       rc;
    MDB_txn  *txn;

    if (store->write != NULL) {

        if (store->position == NULL) {
            return DM_DECLINED;
        }

        *position = store->position->is;
        return DM_OK;
    }

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_read_meta(store, txn, err);

    if (rc == DM_OK) {
        rc = dm_store_fetch_position(store, txn, position, err);
    }

    dm_store_release(store);

    return rc;
}


int
dm_store_follows(dm_store_t *store, int *follows, dm_err_t *err)
{
    int                  rc;
    dm_fleet_position_t  position;

    rc = dm_store_position(store, &position, err);

    *follows = (rc == DM_OK && position.follows);

    OPENSSL_cleanse(&position, sizeof(position));

    return rc == DM_DECLINED ? DM_OK : rc;
}


int
dm_store_set_place(dm_store_t *store, const dm_fleet_place_t *place,
    dm_err_t *err)
{
    if (dm_store_placing(store, err) != DM_OK) {
        return DM_ERROR;
    }

    store->position->is.place = *place;

    return DM_OK;
}


static int
dm_store_placing(dm_store_t *store, dm_err_t *err)
{
    if (!dm_store_is_following(store)) {
        dm_err_set(err, "store \"%s\" follows no log", store->path);
        return DM_ERROR;
    }

    store->changed = 1;

    return DM_OK;
}


int
dm_store_set_beat(dm_store_t *store, uint64_t number, int64_t time,
    dm_err_t *err)
{
    if (dm_store_placing(store, err) != DM_OK) {
        return DM_ERROR;
    }

    store->position->is.beat = number;
    store->position->is.beaten = time;

    return DM_OK;
}


int
dm_store_set_state(dm_store_t *store, unsigned state, dm_err_t *err)
{
    if (dm_store_placing(store, err) != DM_OK) {
        return DM_ERROR;
    }

    store->position->is.state = state;

    return DM_OK;
}


int
dm_store_digest(dm_store_t *store, unsigned char *digest, dm_err_t *err)
{
    if (store->position == NULL
        || dm_fleet_sum_digest(&store->position->is.sum, digest) != DM_OK)
    {
        dm_err_set(err, "the accounts cannot be summed: %s",
                   store->position == NULL ? "the store has no position"
                                           : "OpenSSL failed");
        return DM_ERROR;
    }

    return DM_OK;
}


/*
 * With the lock, and the store's own transaction, which is ended: what the log
 * brings is changed in others.
 */
int
dm_log_begin(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    dm_store_abort_locked(store);

    if (store->log == NULL) {
        dm_err_set(err, "store \"%s\" follows a log, and is changed only "
                   "through it: by dm-account of this version, with the "
                   "authority's key", store->path);
        return DM_ERROR;
    }

    store->held = 1;
    rc = store->log->begin(store, store->log_data, err);
    dm_store_abort_locked(store);
    store->held = 0;

    if (rc != DM_OK) {
        return rc;
    }

    store->logged = 1;
    store->head = 1;

    rc = dm_store_begin_locked(store, err);

    if (rc != DM_OK) {
        dm_log_end(store, 0);
    }

    return rc;
}


int
dm_log_put(dm_store_t *store, const dm_account_t *account, dm_err_t *err)
{
    int            rc;
    size_t         len;
    unsigned char  octets[DM_RECORD_MAX];

    if (!store->logged) {
        return DM_OK;
    }

    store->told = 1;
    rc = dm_account_pack(account, octets, &len, err);

    if (rc != DM_OK) {
        store->failed = 1;
        return DM_ERROR;
    }

    rc = store->log->change(store, DM_FLEET_PUT, account->id,
                            (dm_str_t) { octets, len }, store->log_data, err);

    OPENSSL_cleanse(octets, len);

    store->failed |= (rc != DM_OK);

    return rc;
}


int
dm_log_del(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int  rc;

    if (!store->logged) {
        return DM_OK;
    }

    store->told = 1;
    rc = store->log->change(store, DM_FLEET_DEL, id, id, store->log_data, err);
    store->failed |= (rc != DM_OK);

    return rc;
}


int
dm_log_commit(dm_store_t *store, dm_err_t *err)
{
    if (store->failed) {
        dm_err_set(err, "store \"%s\" is as it was: a change before this one "
                   "has failed", store->path);
        return DM_ERROR;
    }

    return store->logged && store->told
           ? store->log->commit(store, store->log_data, err) : DM_OK;
}


void
dm_log_end(dm_store_t *store, int done)
{
    if (store->logged) {
        store->logged = 0;
        store->log->end(store, done, store->log_data);
    }
}


int
dm_store_begin_apply(dm_store_t *store, dm_err_t *err)
{
    int  rc;

    rc = store->held ? DM_OK : dm_store_take(store, err);

    if (rc != DM_OK) {
        return rc;
    }

    if (dm_store_begin_locked(store, err) != DM_OK) {

        if (!store->held) {
            dm_store_unlock(store);
        }

        return DM_ERROR;
    }

    store->applying = 1;

    return DM_OK;
}


int
dm_store_apply(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t what,
    dm_err_t *err)
{
    int  rc;

    if (!store->applying || !dm_store_is_following(store)) {
        dm_err_set(err, "store \"%s\" takes no changes from a log in this "
                   "transaction", store->path);
        return DM_ERROR;
    }

    switch (kind) {

    case DM_FLEET_PUT:
        rc = dm_store_apply_put(store, what, err);
        break;

    case DM_FLEET_DEL:
        rc = dm_store_apply_del(store, what, err);
        break;

    default:
        dm_err_set(err, "a change of kind %u, which this version does not "
                   "know", (unsigned) kind);
        rc = DM_INVALID;
    }

    store->failed |= (rc != DM_OK);

    return rc;
}


static int
dm_store_apply_put(dm_store_t *store, dm_str_t what, dm_err_t *err)
{
    int           rc;
    dm_account_t  account;

    rc = dm_account_unpack(&account, (unsigned char *) what.data, what.len,
                           err);

    if (rc == DM_OK) {
        rc = dm_store_apply_account(store, &account, err);
    }

    dm_account_wipe(&account);

    return rc;
}


static int
dm_store_apply_account(dm_store_t *store, dm_account_t *account,
    dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_account_t   old, *prev;
    unsigned char  record[DM_RECORD_MAX];

    rc = dm_store_load_old(store, account->id, record, &len, &old, err);
    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    prev = rc == DM_OK ? &old : NULL;

    rc = dm_store_replace(store, prev, account, err);

    /* an import of this very process waits for its turn here, too */

    if (rc == DM_OK && (store->importing || store->beside_import)) {
        rc = dm_marks_tell(store, prev, account, err);
    }

    dm_account_wipe(&old);
    OPENSSL_cleanse(record, len);

    return rc == DM_EXISTS ? DM_INVALID : rc;
}


static int
dm_store_apply_del(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_account_t   old;
    unsigned char  record[DM_RECORD_MAX];

    if (dm_account_check_id(id, err) != DM_OK) {
        return DM_INVALID;
    }

    rc = dm_store_load_old(store, id, record, &len, &old, err);

    if (rc == DM_DECLINED) {
        dm_err_set(err, "account \"%.*s\" is deleted, which is not there",
                   (int) id.len, (const char *) id.data);
        return DM_INVALID;
    }

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_remove_account(store, &old, err);

    if (rc == DM_OK && (store->importing || store->beside_import)) {
        rc = dm_marks_add(store, &old, err);
    }

    dm_account_wipe(&old);
    OPENSSL_cleanse(record, len);

    return rc;
}
