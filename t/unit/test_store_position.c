/* The store's position: what is found by it, and what leaves it right */

#include "dm_fleet_position.h"
#include "dm_store_write_internal.h"
#include "store_fixture.h"


/* the last of what dm_store_check() said, or that which has the text in it */
static dm_err_t  said;


static void
note_damage(const dm_err_t *what, void *data)
{
    if (strstr(said.text, data) == NULL) {
        said = *what;
    }
}


static void
check_in(dm_store_t *store, unsigned damages, const char *what)
{
    uint64_t  n;
    dm_err_t  err;

    memset(&said, 0, sizeof(said));

    if (dm_store_check(store, NULL, note_damage, (void *) what, &n, &err)
        != DM_OK)
    {
        fail_msg("%s", err.text);
    }

    if (n != damages || strstr(said.text, what) == NULL) {
        fail_msg("%u damages, not %u, the last: \"%s\"", (unsigned) n, damages,
                 said.text);
    }
}


static void
check(unsigned damages, const char *what)
{
    dm_store_t  *store;

    store = open_store(DM_STORE_READ);
    check_in(store, damages, what);
    dm_store_close(store);
}


static void
keep(dm_store_t *store, int rc, int then)
{
    dm_err_t  err;

    assert_int_equal(dm_store_begin(store, &err), DM_OK);
    assert_int_equal(dm_store_keep_position(store, &err), rc);

    if (then != DM_OK) {
        dm_store_abort(store);
        return;
    }

    assert_int_equal(dm_store_commit(store, &err), DM_OK);
}


/* two accounts, and a position */
static void
filled(void **state)
{
    dm_store_t  *store;

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_two(store);
    keep(store, DM_OK, DM_OK);
    dm_store_close(store);
}


static dm_fleet_position_t
position_now(void)
{
    size_t                len;
    dm_err_t              err;
    dm_store_t           *store;
    unsigned char         octets[DM_FLEET_POSITION_MAX];
    dm_fleet_position_t   position;

    len = peer_into("meta", "position", octets);
    store = open_store(DM_STORE_READ);

    if (dm_fleet_position_read(&position, (dm_str_t) { octets, len },
                               store->sealer, store->meta.id, &err)
        != DM_OK)
    {
        fail_msg("%s", err.text);
    }

    dm_store_close(store);

    return position;
}


static void
test_kept(void **state)
{
    dm_store_t           *store;
    dm_account_t          account;
    dm_fleet_position_t   first, then;

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_two(store);

    keep(store, DM_OK, DM_DECLINED);
    assert_int_equal(dm_store_meta(store)->format, DM_STORE_FORMAT);
    keep(store, DM_OK, DM_OK);
    assert_int_equal(dm_store_meta(store)->format, DM_STORE_FORMAT_POSITION);
    keep(store, DM_EXISTS, DM_OK);
    dm_store_close(store);
    check(0, "");

    first = position_now();
    assert_int_equal(first.follows, 0);
    assert_int_equal(first.place.number, 1);
    assert_int_equal(first.accounts, 2);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->format, DM_STORE_FORMAT_POSITION);

    /* what comes and goes leaves nothing but its number */

    put_alone(store, "C", "carol");
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("C"), NULL), DM_OK);
    check_in(store, 0, "");
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    dm_store_close(store);
    then = position_now();
    assert_int_equal(then.place.number, 3);
    assert_int_equal(then.accounts, 2);
    assert_memory_equal(&first.sum, &then.sum, sizeof(then.sum));
    assert_memory_equal(first.root, then.root, DM_FLEET_ROOT);

    /* refused, or given up */

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    make_account(&account, "D", "alice");
    put(store, &account, DM_EXISTS);
    make_account(&account, "B", "bert");
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_OK);
    dm_store_abort(store);
    dm_store_close(store);
    check(0, "");

    then = position_now();
    assert_int_equal(then.place.number, 4);
    assert_memory_not_equal(&first.sum, &then.sum, sizeof(then.sum));
}


/* an account, with all that leads to it */
static void
test_deleted(void **state)
{
    unsigned char  hash[1 + DM_HASH_MAX];

    filled(state);

    forge("account", str("B"), (dm_str_t) { NULL, 0 });
    forge("name", str("bob"), (dm_str_t) { NULL, 0 });

    hash[0] = DM_MD5;
    assert_int_equal(dm_digest_userhash(DM_MD5, str("bob"), str(REALM),
                                        hash + 1),
                     DM_OK);
    forge("userhash", (dm_str_t) { hash, 1 + 16 }, (dm_str_t) { NULL, 0 });
    hash[0] = DM_SHA256;
    assert_int_equal(dm_digest_userhash(DM_SHA256, str("bob"), str(REALM),
                                        hash + 1),
                     DM_OK);
    forge("userhash", (dm_str_t) { hash, 1 + 32 }, (dm_str_t) { NULL, 0 });

    /* beside three counters, which whoever does that could change, too */

    check(4, "with 2 accounts, and has 1: records were taken away");
}


/* only the position knows it: the record is right, and was once there */
static void
test_old_record(void **state)
{
    size_t          len;
    dm_store_t     *store;
    dm_account_t    account;
    unsigned char   old[DM_RECORD_MAX];

    filled(state);
    len = peer_into("account", "B", old);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(lookup(store, DM_BY_ID, "B"), DM_OK);
    account = found.account;
    account.unlocks = 1;
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
    check(0, "");

    forge("account", str("B"), (dm_str_t) { old, len });
    check(1, "an old record was put back");

    /* a change of another account does not make that right */

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "C", "carol");
    dm_store_close(store);
    check(1, "an old record was put back");
}


/* nor do counters that somebody took away, which are counted anew */
static void
test_counted_anew(void **state)
{
    size_t          len;
    dm_store_t     *store;
    unsigned char   old[DM_RECORD_MAX];
    static const unsigned char  whole[] = { DM_COUNT_ENDING };

    filled(state);
    len = peer_into("account", "B", old);

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "B", "bob");
    dm_store_close(store);

    forge("account", str("B"), (dm_str_t) { old, len });
    forge(DM_STORE_COUNT, (dm_str_t) { whole, 1 }, (dm_str_t) { NULL, 0 });

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "C", "carol");
    dm_store_close(store);
    check(1, "an old record was put back");
}


static void
test_taken_away(void **state)
{
    dm_err_t        err;
    dm_store_t     *store;
    unsigned char   octets[DM_FLEET_POSITION_MAX];

    filled(state);

    octets[0] = 1;
    forge("meta", str("position"), (dm_str_t) { octets, 1 });
    check(1, "the store's position is damaged");

    forge("meta", str("position"), (dm_str_t) { NULL, 0 });
    check(1, "has no position");

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "has no position"));
    dm_store_close(store);
}


/* sealed with the key that seals, from the moment on that this is another */
static void
test_rekey(void **state)
{
    dm_keys_t             both;
    dm_store_t           *store;
    dm_reseal_t           at;
    dm_fleet_position_t   first, then;

    filled(state);
    first = position_now();

    both = keys;
    keys.n = 2;
    strcpy(keys.key[1].id, "k2");
    memset(keys.key[1].key, 9, DM_KEY_SIZE);

    store = open_store(DM_STORE_WRITE);
    memset(&at, 0, sizeof(at));
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_use_key(store, "k2", NULL), DM_OK);
    assert_int_equal(dm_store_reseal(store, &at, NULL, NULL, NULL),
                     DM_DECLINED);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
    check(0, "");

    keys.key[0] = keys.key[1];
    keys.n = 1;
    check(0, "");

    then = position_now();
    assert_memory_equal(&first.sum, &then.sum, sizeof(then.sum));
    assert_memory_equal(first.root, then.root, DM_FLEET_ROOT);

    keys = both;
}


static void
test_does_not_open(void **state)
{
    dm_err_t     err;
    dm_store_t  *store;

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);
    forge("account", str("B"), str("no record"));

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, &err), DM_OK);
    assert_int_equal(dm_store_keep_position(store, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "has accounts that do not open"));
    dm_store_abort(store);
    dm_store_close(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_old_record),
        cmocka_unit_test(test_counted_anew),
        cmocka_unit_test(test_taken_away),
        cmocka_unit_test(test_rekey),
        cmocka_unit_test(test_does_not_open)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
