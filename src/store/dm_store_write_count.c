/* Counters of accounts, kept and proven */

#define _GNU_SOURCE     /* twalk_r(), tdestroy() */

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm_store_write_internal.h"
#include "dm_wire.h"


/* a counter as it was found */
typedef struct {
    dm_store_count_key_t  key;
    uint64_t              n;
} dm_count_found_t;


/* of a count from the beginning */
typedef struct {
    dm_store_t           *store;
    dm_err_t             *err;
} dm_count_again_t;

/* a listener to what differs */
typedef struct {
    void (*tell)(const char *which, uint64_t counted, uint64_t n, void *data);
    void  *data;
} dm_count_tell_t;


static int dm_count_again(const dm_account_t *account, void *data);
static int dm_count_closed(dm_str_t id, const dm_err_t *why, void *data);
static int dm_count_change(dm_store_t *store, const dm_store_count_key_t *key,
    int n, dm_err_t *err);
static int dm_count_compare_all(MDB_cursor *cursor, void **found,
    const dm_count_tell_t *call);
static void dm_count_left(const void *node, VISIT visit, void *data);
static void dm_count_tell(const dm_count_tell_t *call,
    const unsigned char *key, size_t len, uint64_t counted, uint64_t n);
static int dm_count_compare(const void *a, const void *b);


int
dm_store_count_open(dm_store_t *store, unsigned flags, dm_err_t *err)
{
    int  rc;

    rc = mdb_dbi_open(store->write, DM_STORE_COUNT, flags, &store->count);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot open a database", err);
    }

    return flags ? DM_OK
                 : dm_store_count_is_whole(store, store->write, store->count,
                                           err);
}


int
dm_store_count_none(dm_store_t *store, dm_err_t *err)
{
    int                   rc;
    dm_store_count_key_t  whole;

    if (dm_store_count_open(store, MDB_CREATE, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = mdb_drop(store->write, store->count, 0);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    whole.len = 1;
    whole.data[0] = DM_COUNT_ENDING;

    if (dm_count_change(store, &whole, 1, err) != DM_OK) {
        return DM_ERROR;
    }

    store->meta.counted = 1;
    store->meta.accounts = 0;
    store->meta.lacks_md5 = 0;
    store->meta.lacks_sha256 = 0;
    store->changed = 1;

    dm_store_position_none(store);

    return DM_OK;
}


int
dm_store_recount(dm_store_t *store, dm_err_t *err)
{
    dm_count_again_t  again;

    again = (dm_count_again_t) { store, err };

    if (dm_store_count_none(store, err) != DM_OK) {
        return DM_ERROR;
    }

    return dm_store_walk_records(store, dm_count_again, dm_count_closed,
                                 &again, err);
}


static int
dm_count_again(const dm_account_t *account, void *data)
{
    dm_count_again_t  *again;

    again = data;

    return dm_store_count_account(again->store, account, 1, again->err);
}


/* an account that does not open is one, but nobody knows of which kind */
static int
dm_count_closed(dm_str_t id, const dm_err_t *why, void *data)
{
    dm_count_again_t  *again;

    (void) id;
    (void) why;

    again = data;
    again->store->meta.accounts++;

    return DM_OK;
}


int
dm_store_count_account(dm_store_t *store, const dm_account_t *account, int n,
    dm_err_t *err)
{
    unsigned               i;
    dm_store_count_keys_t  keys;

    store->meta.accounts += (uint64_t) n;

    if (dm_store_counts_lacking(account, DM_MD5)) {
        store->meta.lacks_md5 += (uint64_t) n;
    }

    if (dm_store_counts_lacking(account, DM_SHA256)) {
        store->meta.lacks_sha256 += (uint64_t) n;
    }

    store->changed = 1;

    if (dm_store_position_count(store, account, n, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_store_count_keys(account, &keys);

    for (i = 0; i < keys.n; i++) {
        if (dm_count_change(store, &keys.key[i], n, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


int
dm_store_counts_lacking(const dm_account_t *account, dm_algorithm_t alg)
{
    return account->state == DM_ACTIVE && dm_account_lacks(account, alg)
           && (account->has_ha1[DM_MD5] || account->has_ha1[DM_SHA256]);
}


static int
dm_count_change(dm_store_t *store, const dm_store_count_key_t *key, int n,
    dm_err_t *err)
{
    int            rc;
    MDB_val        name, value;
    uint64_t       count;
    dm_wire_t      w;
    unsigned char  octets[8];

    name.mv_data = (void *) key->data;
    name.mv_size = key->len;

    rc = mdb_get(store->write, store->count, &name, &value);

    count = (uint64_t) n;

    if (rc == 0) {
        count += dm_store_count_value(&value);
    }

    if (rc == 0 || rc == MDB_NOTFOUND) {
        dm_wire_init(&w, octets, sizeof(octets));
        dm_wire_put(&w, sizeof(octets), count);
        value.mv_data = octets;
        value.mv_size = sizeof(octets);

        rc = count == 0
             ? mdb_del(store->write, store->count, &name, NULL)
             : mdb_put(store->write, store->count, &name, &value, 0);
    }

    return rc == 0 ? DM_OK : dm_store_fail(store, rc, "cannot be written", err);
}


int
dm_store_count_find(void **found, const dm_account_t *account, dm_err_t *err)
{
    unsigned                i;
    dm_count_found_t       *new, **at;
    dm_store_count_keys_t   keys;

    dm_store_count_keys(account, &keys);

    for (i = 0; i < keys.n; i++) {
        new = calloc(1, sizeof(dm_count_found_t));

        if (new == NULL) {
            goto failed;
        }

        new->key = keys.key[i];

        at = tsearch(new, found, dm_count_compare);

        if (at == NULL) {
            free(new);
            goto failed;
        }

        (*at)->n++;

        if (*at != new) {
            free(new);
        }
    }

    return DM_OK;

failed:

    dm_err_set(err, "out of memory");

    return DM_ERROR;
}


int
dm_store_count_prove(dm_store_t *store, MDB_txn *txn, void **found,
    void (*tell)(const char *which, uint64_t counted, uint64_t n, void *data),
    void *data, dm_err_t *err)
{
    int              rc;
    MDB_dbi          dbi;
    MDB_cursor      *cursor;
    dm_count_tell_t  call;

    call = (dm_count_tell_t) { tell, data };

    rc = mdb_dbi_open(txn, DM_STORE_COUNT, 0, &dbi);

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    rc = dm_store_count_is_whole(store, txn, dbi, err);
    if (rc != DM_OK) {
        return rc == DM_DECLINED ? DM_OK : DM_ERROR;
    }

    rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    rc = dm_count_compare_all(cursor, found, &call);

    mdb_cursor_close(cursor);

    if (rc != MDB_NOTFOUND) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    /* those that the store does not count */

    twalk_r(*found, dm_count_left, &call);

    return DM_OK;
}


void
dm_store_count_forget(void *found)
{
    tdestroy(found, free);
}


/* each counter of the store is one that was found; MDB_NOTFOUND: all are */
static int
dm_count_compare_all(MDB_cursor *cursor, void **found,
    const dm_count_tell_t *call)
{
    int                rc;
    MDB_val            name, value;
    uint64_t           counted, n;
    dm_count_found_t   wanted, **at;

    for ( ;; ) {
        rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);

        if (rc != 0) {
            return rc;
        }

        at = NULL;
        counted = dm_store_count_value(&value);

        if (name.mv_size <= sizeof(wanted.key.data)) {
            wanted.key.len = name.mv_size;
            memcpy(wanted.key.data, name.mv_data, name.mv_size);
            at = tfind(&wanted, found, dm_count_compare);
        }

        n = at == NULL ? 0 : (*at)->n;

        if (name.mv_size == 1
            && *(unsigned char *) name.mv_data == DM_COUNT_ENDING)
        {
            n = 1;
        }

        if (n != counted) {
            dm_count_tell(call, name.mv_data, name.mv_size, counted, n);
        }

        if (at != NULL) {
            (*at)->n = 0;
        }
    }
}


static void
dm_count_left(const void *node, VISIT visit, void *data)
{
    const dm_count_found_t *const  *at;

    at = node;

    if ((visit == postorder || visit == leaf) && (*at)->n != 0) {
        dm_count_tell(data, (*at)->key.data, (*at)->key.len, 0, (*at)->n);
    }
}


static void
dm_count_tell(const dm_count_tell_t *call, const unsigned char *key,
    size_t len, uint64_t counted, uint64_t n)
{
    char         which[DM_GROUP_MAX + 32];
    const char  *kind;

    kind = " of a kind that there is none of";

    switch (len == 0 ? 0 : key[0]) {

    case DM_COUNT_STATE:
        kind = len == 2 && key[1] == DM_ACTIVE ? ", active" : ", disabled";
        break;

    case DM_COUNT_HASHES:
        kind = " with some set of hashes";
        break;

    case DM_COUNT_LAST_DAY:
    case DM_COUNT_ENDING:
        kind = " that expire on some day";
        break;

    case DM_COUNT_GROUP:
        (void) snprintf(which, sizeof(which), " of group \"%.*s\"",
                        (int) len - 1, (const char *) key + 1);
        call->tell(which, counted, n, call->data);
        return;
    }

    call->tell(kind, counted, n, call->data);
}


static int
dm_count_compare(const void *a, const void *b)
{
    const dm_count_found_t  *one, *other;

    one = a;
    other = b;

    if (one->key.len != other->key.len) {
        return one->key.len < other->key.len ? -1 : 1;
    }

    return memcmp(one->key.data, other->key.data, one->key.len);
}
