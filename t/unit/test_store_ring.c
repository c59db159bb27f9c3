/* The last entries of the log, as the store keeps them */

#include "dm_store_write_ring.h"
#include "store_fixture.h"


#define LARGE  (1024 * 1024)


static unsigned char  octets[LARGE];
static unsigned char  got[LARGE];


static dm_store_t *
begun(void)
{
    dm_err_t          err;
    dm_store_t       *store;
    dm_store_owner_t  owner;

    discard(path);
    owner = owner_of(getgid());
    assert_int_equal(dm_store_create(path, str(REALM), (uint64_t) 1 << 30,
                                     &owner, &keys, &err), DM_OK);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, &err), DM_OK);

    return store;
}


/* the entry of a number: some octets of it alone */
static void
enter(dm_store_t *store, uint64_t number, size_t len)
{
    dm_err_t  err;

    memset(octets, (int) (number % 251), len);

    assert_int_equal(dm_store_ring_put(store, number,
                                       (dm_str_t) { octets, len }, &err),
                     DM_OK);
}


static void
has_entry(dm_store_t *store, uint64_t number, size_t len, int rc)
{
    size_t    n;
    dm_err_t  err;

    assert_int_equal(dm_store_ring_get(store, number, got, sizeof(got), &n,
                                       &err), rc);

    if (rc == DM_OK) {
        assert_int_equal(n, len);
        memset(octets, (int) (number % 251), len);
        assert_memory_equal(got, octets, len);
    }
}


static void
test_kept(void **state)
{
    dm_store_t  *store;

    (void) state;

    store = begun();

    has_entry(store, 1, 0, DM_DECLINED);
    enter(store, 1, 10);
    enter(store, 2, 3000);

    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    has_entry(store, 1, 10, DM_OK);
    has_entry(store, 2, 3000, DM_OK);
    has_entry(store, 3, 0, DM_DECLINED);

    /* what did not come into the store is not in the ring */

    enter(store, 3, 10);
    dm_store_abort(store);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    has_entry(store, 3, 0, DM_DECLINED);

    dm_store_abort(store);
    dm_store_close(store);
}


static void
test_number(void **state)
{
    uint64_t     i;
    dm_store_t  *store;

    (void) state;

    store = begun();

    for (i = 1; i <= DM_RING_ENTRIES + 5; i++) {
        enter(store, i, 10);
    }

    has_entry(store, 5, 0, DM_DECLINED);
    has_entry(store, 6, 10, DM_OK);
    has_entry(store, DM_RING_ENTRIES + 5, 10, DM_OK);

    /* a store that was made anew is further at once */

    enter(store, 1000000, 10);
    has_entry(store, 6, 0, DM_DECLINED);
    has_entry(store, DM_RING_ENTRIES + 5, 0, DM_DECLINED);
    has_entry(store, 1000000, 10, DM_OK);

    dm_store_abort(store);
    dm_store_close(store);
}


static void
test_octets(void **state)
{
    uint64_t     i, n;
    dm_store_t  *store;

    (void) state;

    store = begun();
    n = DM_RING_OCTETS / LARGE;

    for (i = 1; i <= n + 2; i++) {
        enter(store, i, LARGE);
    }

    has_entry(store, 2, 0, DM_DECLINED);
    has_entry(store, 3, LARGE, DM_OK);
    has_entry(store, n + 2, LARGE, DM_OK);

    /* 300 octets more: one large entry goes, and gives room for many */

    enter(store, n + 3, 300);
    has_entry(store, 3, 0, DM_DECLINED);

    enter(store, n + 4, 300);
    has_entry(store, 4, LARGE, DM_OK);

    dm_store_abort(store);
    dm_store_close(store);
}


static void
test_too_long(void **state)
{
    size_t       n;
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    store = begun();
    enter(store, 1, 11);

    assert_int_equal(dm_store_ring_get(store, 1, got, 10, &n, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "entry 1 "));

    dm_store_abort(store);
    dm_store_close(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_too_long)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
