/* The store: from one key to the next */

#include <signal.h>

#include "store_fixture.h"
#include "store_child.h"


#define RECORDS  (2 * DM_RESEAL_RECORDS + 10)


static dm_keys_t        old;        /* k1 */
static dm_keys_t        both;       /* k2, k1 */
static dm_keys_t        new;        /* k2 */
static dm_store_mode_t  child_mode;
static int              child_disables;


static dm_keys_t
make_keys(const char *first, const char *second)
{
    unsigned    i;
    dm_keys_t   made;
    const char *id[2];

    memset(&made, 0, sizeof(made));
    id[0] = first;
    id[1] = second;

    for (i = 0; i < 2 && id[i] != NULL; i++) {
        strcpy(made.key[i].id, id[i]);
        memset(made.key[i].key, id[i][1], DM_KEY_SIZE);
        made.n++;
    }

    return made;
}


/* a store that key k1 sealed */
static int
prepared(void **state)
{
    old = make_keys("k1", NULL);
    both = make_keys("k2", "k1");
    new = make_keys("k2", NULL);
    keys = old;

    return fresh(state);
}


/* only while this process has the store not open (LMDB) */
static const char *
key_of(const char *database, const char *name)
{
    size_t                len;
    dm_str_t              id;
    static char           out[DM_KEY_ID_MAX + 1];
    static unsigned char  record[DM_RECORD_MAX];

    len = peer_into(database, name, record);

    if (strcmp(database, "meta") == 0) {
        len -= 1 + 2 + 12 + strlen(DM_VERSION) + 16;
        assert_int_equal(record[len], 2);
        id = (dm_str_t) { record + len + 1, 2 };

    } else {
        assert_int_equal(dm_account_sealed_key(record, len, &id), DM_OK);
    }

    memcpy(out, id.data, id.len);
    out[id.len] = '\0';

    return out;
}


static void
use_key(dm_store_t *store, const char *id)
{
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_use_key(store, id, NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


static uint64_t
others(dm_store_t *store)
{
    uint64_t  n;

    assert_int_equal(dm_store_count_others(store, &n, NULL), DM_OK);

    return n;
}


/* the key of meta seals, whatever stands first in the key file */
static void
test_use_key(void **state)
{
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    keys = both;
    store = open_store(DM_STORE_WRITE);
    assert_string_equal(dm_store_meta(store)->key_id, "k1");
    put_alone(store, "A", "alice");
    assert_int_equal(others(store), 0);

    /* an abort leaves it so */

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_use_key(store, "k9", &err), DM_ERROR);
    assert_string_equal(err.text, "key \"k9\" is not in the key file");
    assert_int_equal(dm_store_use_key(store, "k2", NULL), DM_OK);
    dm_store_abort(store);
    assert_string_equal(dm_store_meta(store)->key_id, "k1");
    put_alone(store, "B", "bob");
    assert_int_equal(others(store), 0);

    use_key(store, "k2");
    assert_string_equal(dm_store_meta(store)->key_id, "k2");
    assert_int_equal(others(store), 2);
    put_alone(store, "C", "carol");
    assert_int_equal(others(store), 2);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);
    assert_int_equal(lookup(store, DM_BY_NAME, "carol"), DM_OK);
    dm_store_close(store);

    assert_string_equal(key_of("meta", "meta"), "k2");
    assert_string_equal(key_of("account", "A"), "k1");
    assert_string_equal(key_of("account", "B"), "k1");
    assert_string_equal(key_of("account", "C"), "k2");

    /* the order in the key file does not matter */

    keys = make_keys("k1", "k2");
    store = open_store(DM_STORE_WRITE);
    put_alone(store, "B", "bob");
    dm_store_close(store);
    assert_string_equal(key_of("account", "B"), "k2");

    keys = old;
    assert_int_equal(dm_store_open(&store, path, DM_STORE_READ, &keys, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "was sealed with key \"k2\", which is "
                           "not in the key file"));
}


/* has opened the store before the key was changed */
static void
run_writer(child_t *self)
{
    dm_err_t       err;
    dm_store_t    *store;
    dm_account_t   account;

    store = child_open(DM_STORE_WRITE);
    say(self);
    hear(self);

    if (keys.n == 1) {
        must(dm_store_begin(store, &err) != DM_OK);
        must(strstr(err.text, "was sealed with key \"k2\"") != NULL);

    } else {
        must(dm_store_begin(store, NULL) == DM_OK);
        make_account(&account, "B", "bob");
        must(dm_store_put(store, &account, NULL) == DM_OK);
        must(dm_store_commit(store, NULL) == DM_OK);
    }

    dm_store_close(store);
    say(self);
}


/* no writer can bring the old key back, not even one that is older */
static void
test_stale_writer(void **state)
{
    child_t      child, ignorant;
    dm_store_t  *store;

    (void) state;

    keys = make_keys("k1", "k2");
    child_start(&child, run_writer);
    keys = old;
    child_start(&ignorant, run_writer);
    hear(&child);
    hear(&ignorant);

    keys = both;
    store = open_store(DM_STORE_WRITE);
    use_key(store, "k2");
    dm_store_close(store);

    say(&child);
    hear(&child);
    child_end(&child);
    say(&ignorant);
    hear(&ignorant);
    child_end(&ignorant);

    assert_string_equal(key_of("account", "B"), "k2");
    assert_string_equal(key_of("meta", "meta"), "k2");
}


static void
fill(unsigned n)
{
    char           id[16];
    unsigned       i;
    dm_store_t    *store;
    dm_account_t   account;

    store = open_store(DM_STORE_WRITE);
    dm_store_reserve(store, 8 * MAP);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    for (i = 0; i < n; i++) {
        sprintf(id, "%u", i);
        make_account(&account, id, id);
        put(store, &account, DM_OK);
    }

    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
}


static void
no_bad(const dm_err_t *why, void *data)
{
    (void) data;
    fail_msg("%s", why->text);
}


static void
count_bad(const dm_err_t *why, void *data)
{
    assert_non_null(strstr(why->text, "account \"7\": the record is damaged"));
    (*(unsigned *) data)++;
}


static int
reseal(dm_store_t *store, dm_reseal_t *at)
{
    int  rc;

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    rc = dm_store_reseal(store, at, no_bad, NULL, NULL);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    return rc;
}


static void
test_reseal(void **state)
{
    int            n;
    dm_store_t    *store;
    dm_reseal_t    at, again;
    dm_account_t   before;

    (void) state;

    fill(RECORDS);
    keys = both;
    store = open_store(DM_STORE_WRITE);
    dm_store_reserve(store, 2 * MAP);
    assert_int_equal(lookup(store, DM_BY_ID, "77"), DM_OK);
    before = found.account;

    /* sealed with the key that seals: nothing to do, but to look */

    memset(&at, 0, sizeof(at));
    assert_int_equal(reseal(store, &at), DM_OK);
    assert_int_equal(at.seen, DM_RESEAL_RECORDS);
    assert_int_equal(at.resealed, 0);
    assert_int_equal(others(store), 0);

    use_key(store, "k2");
    assert_int_equal(others(store), RECORDS);

    /* what was not committed is to do again */

    memset(&at, 0, sizeof(at));
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_reseal(store, &at, no_bad, NULL, NULL), DM_OK);
    assert_true(at.resealed > 0);
    assert_int_equal(others(store), RECORDS - at.resealed);
    dm_store_abort(store);
    assert_int_equal(others(store), RECORDS);

    /* in steps, of which none does too much */

    memset(&at, 0, sizeof(at));

    for (n = 1; reseal(store, &at) == DM_OK; n++) {
        assert_true(at.resealed <= (uint64_t) n * DM_RESEAL_RECORDS);
        assert_int_equal(others(store), RECORDS - at.resealed);
    }

    assert_true(n > 2);
    assert_int_equal(at.seen, RECORDS);
    assert_int_equal(at.resealed, RECORDS);
    assert_int_equal(at.closed, 0);
    assert_int_equal(others(store), 0);

    /* once more from the start: there is nothing left */

    memset(&again, 0, sizeof(again));

    while (reseal(store, &again) == DM_OK) { /* void */ }

    assert_int_equal(again.seen, RECORDS);
    assert_int_equal(again.resealed, 0);
    dm_store_close(store);

    /* and nothing else has changed */

    keys = new;
    store = open_store(DM_STORE_READ);
    assert_int_equal(dm_store_meta(store)->accounts, RECORDS);
    assert_int_equal(lookup(store, DM_BY_NAME, "77"), DM_OK);
    assert_int_equal(found.account.revision, before.revision);
    assert_int_equal(found.account.changed, before.changed);
    assert_memory_equal(found.account.ha1, before.ha1, sizeof(before.ha1));
    dm_store_close(store);
    assert_string_equal(key_of("account", "77"), "k2");
}


static void
test_reseal_damaged(void **state)
{
    size_t          len;
    unsigned        bad;
    dm_store_t     *store;
    dm_reseal_t     at;
    unsigned char   record[DM_RECORD_MAX];

    (void) state;

    fill(10);
    len = peer_into("account", "7", record);
    record[len - 1] ^= 1;
    forge("account", str("7"), (dm_str_t) { record, len });

    keys = both;
    bad = 0;
    memset(&at, 0, sizeof(at));
    store = open_store(DM_STORE_WRITE);
    use_key(store, "k2");

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_reseal(store, &at, count_bad, &bad, NULL),
                     DM_DECLINED);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    assert_int_equal(bad, 1);
    assert_int_equal(at.seen, 10);
    assert_int_equal(at.resealed, 9);
    assert_int_equal(at.closed, 1);
    assert_int_equal(others(store), 1);
    dm_store_close(store);

    /* cut short, so that not even its key is known: not done, either */

    forge("account", str("7"), (dm_str_t) { record, 3 });
    store = open_store(DM_STORE_READ);
    assert_int_equal(others(store), 1);
    dm_store_close(store);
}


static void
run_holder(child_t *self)
{
    dm_store_t  *store;

    store = child_open(child_mode);

    if (child_disables) {
        must(dm_store_disable(store, str("nobody"), NULL) == DM_OK);
        must(dm_store_disable_commit(store, NULL) == DM_OK);
    }

    say(self);
    hear(self);
    dm_store_close(store);
    say(self);
    hear(self);
}


/* who has the store open with keys of which none is k2, beside other */
static void
unaware_with(dm_keys_t with, dm_store_mode_t mode, int is)
{
    child_t           child;
    dm_store_t       *store;
    dm_store_pids_t   pids;

    keys = with;
    child_mode = mode;
    child_start(&child, run_holder);
    hear(&child);

    keys = both;
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_unaware(store, &both, &pids, NULL), DM_OK);
    assert_int_equal(pids.n, is);

    if (is) {
        assert_int_equal(pids.pid[0], child.pid);
    }

    /* when it has closed the store, it is not asked for */

    say(&child);
    hear(&child);
    assert_int_equal(dm_store_unaware(store, &both, &pids, NULL), DM_OK);
    assert_int_equal(pids.n, 0);
    dm_store_close(store);

    say(&child);
    child_end(&child);
}


static void
test_unaware(void **state)
{
    dm_keys_t  another;

    (void) state;

    unaware_with(old, DM_STORE_SERVE, 1);
    unaware_with(old, DM_STORE_READ, 1);
    unaware_with(old, DM_STORE_WRITE, 1);
    unaware_with(old, DM_STORE_PEEK, 0);
    unaware_with(make_keys("k1", "k3"), DM_STORE_READ, 1);
    unaware_with(make_keys("k3", "k1"), DM_STORE_READ, 1);
    unaware_with(both, DM_STORE_READ, 0);
    unaware_with(both, DM_STORE_SERVE, 0);
    unaware_with(make_keys("k1", "k2"), DM_STORE_READ, 0);
    unaware_with(make_keys("k1", "k2"), DM_STORE_WRITE, 0);

    /* to disable beside a writer locks the same file, and lets it go */

    child_disables = 1;
    unaware_with(old, DM_STORE_READ, 1);
    unaware_with(old, DM_STORE_WRITE, 1);
    child_disables = 0;

    /* another key that has the same id */

    another = both;
    another.key[0].key[5] ^= 1;
    unaware_with(another, DM_STORE_READ, 1);
}


/* a rekey between an entry and its commit: the entry could never be read */
static void
test_disabled_between(void **state)
{
    dm_err_t     err;
    dm_store_t  *store, *worker;

    (void) state;

    keys = both;
    store = open_store(DM_STORE_WRITE);
    use_key(store, "k1");
    worker = open_store(DM_STORE_SERVE);

    assert_int_equal(dm_store_beside(worker, NULL), DM_OK);
    assert_int_equal(dm_store_disable(worker, str("1"), NULL), DM_OK);
    use_key(store, "k2");
    assert_int_equal(dm_store_disable_commit(worker, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "try again"));

    assert_int_equal(dm_store_disable(worker, str("1"), NULL), DM_OK);
    assert_int_equal(dm_store_disable_commit(worker, &err), DM_OK);
    dm_store_close(worker);

    keys = new;
    worker = open_store(DM_STORE_SERVE);
    assert_int_equal(lookup(worker, DM_BY_ID, "nobody"), DM_DECLINED);
    dm_store_close(worker);
    dm_store_close(store);
}


static void
test_unaware_alone(void **state)
{
    dm_store_t  *store;

    (void) state;

    keys = both;
    store = open_store(DM_STORE_WRITE);
    use_key(store, "k2");
    dm_store_close(store);

    unaware_with(new, DM_STORE_READ, 0);
    unaware_with(new, DM_STORE_SERVE, 0);
}


static void
test_many_unaware(void **state)
{
    child_t           child[DM_STORE_PIDS + 1];
    unsigned          i, k;
    dm_store_t       *store;
    dm_store_pids_t   pids;

    (void) state;

    keys = old;

    for (i = 0; i <= DM_STORE_PIDS; i++) {
        child_mode = i % 2 == 0 ? DM_STORE_READ : DM_STORE_SERVE;
        child_start(&child[i], run_holder);
        hear(&child[i]);
    }

    keys = both;
    store = open_store(DM_STORE_WRITE);

    /* one may be missed while other processes lock and unlock their files */

    for (i = 0; i < 100; i++) {
        assert_int_equal(dm_store_unaware(store, &both, &pids, NULL), DM_OK);

        if (pids.n == DM_STORE_PIDS + 1) {
            break;
        }
    }

    assert_int_equal(pids.n, DM_STORE_PIDS + 1);

    for (i = 0; i < DM_STORE_PIDS; i++) {
        for (k = 0; k <= DM_STORE_PIDS && child[k].pid != pids.pid[i]; k++) {
            /* void */
        }

        assert_true(k <= DM_STORE_PIDS);
    }

    dm_store_close(store);

    for (i = 0; i <= DM_STORE_PIDS; i++) {
        say(&child[i]);
        hear(&child[i]);
        say(&child[i]);
        child_end(&child[i]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_use_key, prepared),
        cmocka_unit_test_setup(test_stale_writer, prepared),
        cmocka_unit_test_setup(test_reseal, prepared),
        cmocka_unit_test_setup(test_reseal_damaged, prepared),
        cmocka_unit_test_setup(test_unaware, prepared),
        cmocka_unit_test_setup(test_disabled_between, fresh),
        cmocka_unit_test_setup(test_unaware_alone, prepared),
        cmocka_unit_test_setup(test_many_unaware, prepared)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
