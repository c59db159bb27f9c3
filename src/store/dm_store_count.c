/* Counters of accounts, read */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_store_count.h"
#include "dm_store_internal.h"
#include "dm_wire.h"


#define DM_COUNT_DAY  (24 * 60 * 60)


/* a question, answered in one snapshot */
typedef struct {
    dm_store_counts_t  *counts;     /* or NULL: of the group */
    int64_t             now;
    dm_str_t            group;
    uint64_t            n;
    dm_store_t         *store;
    MDB_txn            *txn;
} dm_count_t;


static int dm_count_read(dm_store_t *store, dm_count_t *count, dm_err_t *err);
static int dm_count_once(dm_store_t *store, dm_count_t *count, int *settled,
    dm_err_t *err);
static int dm_count_in(dm_store_t *store, MDB_txn *txn, MDB_dbi dbi,
    dm_count_t *count, dm_err_t *err);
static int dm_count_all(dm_store_t *store, MDB_cursor *cursor,
    dm_count_t *count, dm_err_t *err);
static void dm_count_add(dm_count_t *count, const MDB_val *name, uint64_t n);
static int64_t dm_count_days(const unsigned char *p, const unsigned char *end);
static void dm_count_put_days(unsigned char *p, int64_t time);
static int dm_count_has(const dm_store_counts_t *counts, dm_algorithm_t alg);
static int dm_count_disabled(dm_str_t id, void *data);
static void dm_count_move(dm_count_t *count, const dm_account_t *account);
static void dm_count_key(dm_store_count_keys_t *keys, unsigned char kind,
    dm_str_t value);
static int64_t dm_count_day(int64_t time);


int
dm_store_count(dm_store_t *store, int64_t now, dm_store_counts_t *counts,
    dm_err_t *err)
{
    dm_count_t  count;

    memset(&count, 0, sizeof(dm_count_t));
    count.counts = counts;
    count.now = now;

    return dm_count_read(store, &count, err);
}


int
dm_store_count_group(dm_store_t *store, dm_str_t group, uint64_t *n,
    dm_err_t *err)
{
    int         rc;
    dm_count_t  count;

    *n = 0;

    if (group.len > DM_GROUP_MAX) {
        return DM_OK;
    }

    memset(&count, 0, sizeof(dm_count_t));
    count.group = group;

    rc = dm_count_read(store, &count, err);

    *n = count.n;

    return rc;
}


static int
dm_count_read(dm_store_t *store, dm_count_t *count, dm_err_t *err)
{
    int       rc, settled;
    unsigned  tries;

    tries = 0;

    do {
        rc = dm_count_once(store, count, &settled, err);
    } while (!settled && !store->stale && ++tries < DM_STORE_TRIES);

    return settled ? rc : dm_store_moved(store, err);
}


static int
dm_count_once(dm_store_t *store, dm_count_t *count, int *settled,
    dm_err_t *err)
{
    int       rc;
    MDB_dbi   dbi;
    MDB_txn  *txn;

    dbi = 0;
    *settled = 1;
    count->n = 0;

    if (count->counts != NULL) {
        memset(count->counts, 0, sizeof(dm_store_counts_t));
    }

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_read_meta(store, txn, err);

    if (rc == DM_OK && !store->meta.counted) {
        rc = DM_DECLINED;
    }

    /* its handle ends with the transaction, for it may be made meanwhile */

    if (rc == DM_OK && mdb_dbi_open(txn, DM_STORE_COUNT, 0, &dbi) != 0) {
        dm_err_set(err, "store \"%s\" has no counters", store->path);
        rc = DM_ERROR;
    }

    if (rc == DM_OK) {
        rc = dm_store_count_is_whole(store, txn, dbi, err);
    }

    if (rc == DM_OK) {
        rc = dm_count_in(store, txn, dbi, count, err);
    }

    *settled = dm_store_settled(store, txn);

    dm_store_release(store);

    return rc == DM_INVALID ? DM_ERROR : rc;
}


int
dm_store_count_is_whole(dm_store_t *store, MDB_txn *txn, MDB_dbi dbi,
    dm_err_t *err)
{
    int            rc;
    MDB_val        name, value;
    unsigned char  kind;

    kind = DM_COUNT_ENDING;
    name.mv_data = &kind;
    name.mv_size = 1;

    rc = mdb_get(txn, dbi, &name, &value);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    return rc == 0 ? DM_OK : dm_store_fail(store, rc, "cannot be read", err);
}


static int
dm_count_in(dm_store_t *store, MDB_txn *txn, MDB_dbi dbi, dm_count_t *count,
    dm_err_t *err)
{
    int                     rc;
    MDB_val                 name, value;
    MDB_cursor             *cursor;
    dm_store_count_keys_t   keys;

    if (count->counts == NULL) {
        keys.n = 0;
        dm_count_key(&keys, DM_COUNT_GROUP, count->group);

        name.mv_data = keys.key[0].data;
        name.mv_size = keys.key[0].len;

        rc = mdb_get(txn, dbi, &name, &value);

        if (rc == 0) {
            count->n = dm_store_count_value(&value);
        }

        return rc == 0 || rc == MDB_NOTFOUND
               ? DM_OK : dm_store_fail(store, rc, "cannot be read", err);
    }

    rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    rc = dm_count_all(store, cursor, count, err);

    mdb_cursor_close(cursor);

    if (rc == DM_OK && store->write == NULL) {
        count->store = store;
        count->txn = txn;
        rc = dm_disabled_walk(store, dm_count_disabled, count);
    }

    return rc;
}


/* the counters are those of the records: see dm_store_disabled_file.h */
static int
dm_count_disabled(dm_str_t id, void *data)
{
    size_t          len;
    dm_count_t     *count;
    dm_account_t    account;
    unsigned char   record[DM_RECORD_MAX];

    count = data;

    /* one that is not there, or does not open, is nobody's to let in */

    if (dm_store_fetch(count->store, count->txn, id, record, &len, NULL)
        != DM_OK
        || dm_store_decode(count->store, id, record, len, &account, NULL)
           != DM_OK)
    {
        return DM_OK;
    }

    if (account.state == DM_ACTIVE) {
        dm_count_move(count, &account);
    }

    dm_account_wipe(&account);
    OPENSSL_cleanse(record, len);

    return DM_OK;
}


/* from those that are active or expired to those that are disabled */
static void
dm_count_move(dm_count_t *count, const dm_account_t *account)
{
    unsigned            i, set;
    uint64_t           *from;
    dm_store_counts_t  *counts;

    counts = count->counts;
    from = account->not_after > 0
           && dm_count_day(account->not_after) < dm_count_day(count->now)
           ? &counts->expired : &counts->active;

    set = 0;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        set |= (unsigned) account->has_ha1[i] << i;
    }

    if (*from > 0) {
        (*from)--;
        counts->disabled++;
    }

    if (from == &counts->active && set != 0 && counts->hashes[set] > 0) {
        counts->hashes[set]--;
    }
}


static int
dm_count_all(dm_store_t *store, MDB_cursor *cursor, dm_count_t *count,
    dm_err_t *err)
{
    int            rc;
    MDB_val        name, value;
    unsigned char  first;

    /* groups, of which there can be many, are behind all others */

    first = DM_COUNT_STATE;
    name.mv_data = &first;
    name.mv_size = 1;

    rc = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);

    while (rc == 0 && *(unsigned char *) name.mv_data < DM_COUNT_GROUP) {
        dm_count_add(count, &name, dm_store_count_value(&value));
        rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
    }

    if (rc != 0 && rc != MDB_NOTFOUND) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    return DM_OK;
}


/* the keys come in the order of their kinds */
static void
dm_count_add(dm_count_t *count, const MDB_val *name, uint64_t n)
{
    int64_t               today;
    const unsigned char  *key, *end;
    dm_store_counts_t    *counts;

    key = name->mv_data;
    end = key + name->mv_size;
    counts = count->counts;
    today = dm_count_day(count->now);

    if (key[0] == DM_COUNT_STATE && name->mv_size == 2) {
        if (key[1] == DM_ACTIVE) {
            counts->active += n;

        } else {
            counts->disabled += n;
        }

        return;
    }

    if (key[0] == DM_COUNT_HASHES && name->mv_size == 2) {
        if (key[1] < DM_STORE_HASHES) {
            counts->hashes[key[1]] += n;
        }

        return;
    }

    if (key[0] == DM_COUNT_ENDING) {
        if (name->mv_size == 2 + DM_COUNT_DAY_LEN && key[1] < DM_STORE_HASHES
            && dm_count_days(key + 2, end) < today
            && n <= counts->hashes[key[1]])
        {
            counts->hashes[key[1]] -= n;
        }

        return;
    }

    if (key[0] == DM_COUNT_LAST_DAY && dm_count_days(key + 1, end) < today
        && n <= counts->active)
    {
        counts->active -= n;
        counts->expired += n;
    }
}


static int64_t
dm_count_days(const unsigned char *p, const unsigned char *end)
{
    uint64_t  day;

    day = 0;

    for ( /* void */ ; p < end; p++) {
        day = day << 8 | *p;
    }

    return (int64_t) day;
}


void
dm_store_count_keys(const dm_account_t *account, dm_store_count_keys_t *keys)
{
    unsigned       i;
    unsigned char  octets[1 + DM_COUNT_DAY_LEN];

    keys->n = 0;

    octets[0] = (unsigned char) account->state;
    dm_count_key(keys, DM_COUNT_STATE, (dm_str_t) { octets, 1 });

    if (account->state == DM_ACTIVE && dm_account_has_ha1(account)) {
        octets[0] = 0;

        for (i = 0; i < DM_NALGORITHMS; i++) {
            octets[0] |= (unsigned char) (account->has_ha1[i] << i);
        }

        dm_count_key(keys, DM_COUNT_HASHES, (dm_str_t) { octets, 1 });

        if (account->not_after > 0) {
            dm_count_put_days(octets + 1, account->not_after);
            dm_count_key(keys, DM_COUNT_ENDING,
                         (dm_str_t) { octets, 1 + DM_COUNT_DAY_LEN });
        }
    }

    if (account->state == DM_ACTIVE && account->not_after > 0) {
        dm_count_put_days(octets, account->not_after);
        dm_count_key(keys, DM_COUNT_LAST_DAY,
                     (dm_str_t) { octets, DM_COUNT_DAY_LEN });
    }

    for (i = 0; i < account->ngroups; i++) {
        dm_count_key(keys, DM_COUNT_GROUP, account->group[i]);
    }
}


static void
dm_count_put_days(unsigned char *p, int64_t time)
{
    unsigned  i;
    int64_t   day;

    day = dm_count_day(time);

    for (i = DM_COUNT_DAY_LEN; i > 0; i--) {
        p[i - 1] = (unsigned char) day;
        day >>= 8;
    }
}


static void
dm_count_key(dm_store_count_keys_t *keys, unsigned char kind, dm_str_t value)
{
    dm_store_count_key_t  *key;

    key = &keys->key[keys->n++];

    key->data[0] = kind;
    key->len = 1 + value.len;

    if (value.len > 0) {
        memcpy(key->data + 1, value.data, value.len);
    }
}


uint64_t
dm_store_count_value(const MDB_val *value)
{
    dm_wire_t  w;

    dm_wire_init(&w, value->mv_data, value->mv_size);

    return dm_wire_get(&w, 8);
}


static int64_t
dm_count_day(int64_t time)
{
    return time / DM_COUNT_DAY;
}


int
dm_store_challenge(dm_store_t *store, int64_t now, dm_challenge_t *challenge,
    dm_err_t *err)
{
    int                rc;
    dm_store_counts_t  counts;

    rc = dm_store_count(store, now, &counts, err);

    *challenge = dm_store_suits(&store->meta, rc == DM_OK ? &counts : NULL);

    return rc == DM_ERROR ? DM_ERROR : DM_OK;
}


dm_challenge_t
dm_store_suits(const dm_store_meta_t *meta, const dm_store_counts_t *counts)
{
    int  md5, sha256;

    if (counts == NULL) {
        md5 = meta->lacks_md5 < meta->accounts;
        sha256 = meta->lacks_md5 > 0;

    } else {
        md5 = dm_count_has(counts, DM_MD5);
        sha256 = dm_count_has(counts, DM_SHA256);
    }

    if (meta->lacks_md5 > 0) {
        return sha256 && !md5 ? DM_CHALLENGE_SHA256 : DM_CHALLENGE_ANY;
    }

    if (meta->lacks_sha256 == 0) {
        return DM_CHALLENGE_ANY;
    }

    return counts == NULL
           || counts->hashes[1 << DM_MD5] > 0
           || counts->hashes[1 << DM_MD5 | 1 << DM_SHA512_256] > 0
           ? DM_CHALLENGE_MD5 : DM_CHALLENGE_ANY;
}


static int
dm_count_has(const dm_store_counts_t *counts, dm_algorithm_t alg)
{
    unsigned  set;

    for (set = 0; set < DM_STORE_HASHES; set++) {
        if ((set >> alg & 1) && counts->hashes[set] > 0) {
            return 1;
        }
    }

    return 0;
}


uint64_t
dm_store_lacking(const dm_store_counts_t *counts, dm_algorithm_t alg)
{
    uint64_t  n;
    unsigned  set;

    n = 0;

    for (set = 0; set < DM_STORE_HASHES; set++) {
        if (!(set >> alg & 1)) {
            n += counts->hashes[set];
        }
    }

    return n;
}
