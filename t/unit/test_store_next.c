/* The accounts of a store, one by one, as who publishes it fetches them */

#include "store_fixture.h"


static dm_store_next_t  at;


/* the ids of all that are there, and how it ended */
static int
ids(dm_store_t *store, char *out, dm_err_t *err)
{
    int            rc;
    size_t         n;
    dm_account_t   account;

    memset(&at, 0, sizeof(at));
    n = 0;

    while ((rc = dm_store_next(store, &at, &account, err)) == DM_OK) {
        assert_int_equal(account.id.len, 1);
        out[n++] = (char) account.id.data[0];
    }

    out[n] = '\0';

    return rc;
}


static void
test_next(void **state)
{
    char         out[8];
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(ids(store, out, &err), DM_DECLINED);
    assert_string_equal(out, "");
    dm_store_abort(store);

    put_alone(store, "c", "3");
    put_alone(store, "a", "1");

    /* also those of this very transaction */

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    make_account(&found.account, "b", "2");
    put(store, &found.account, DM_OK);
    assert_int_equal(ids(store, out, &err), DM_DECLINED);
    assert_string_equal(out, "abc");
    dm_store_abort(store);

    dm_store_close(store);
}


/* what is denied beside the records is a matter of this machine alone */
static void
test_disabled(void **state)
{
    dm_err_t       err;
    dm_store_t    *store, *writer;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "a", "1");
    dm_store_close(store);

    writer = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    assert_int_equal(dm_store_disable(writer, str("a"), &err), DM_OK);
    assert_int_equal(dm_store_disable_commit(writer, &err), DM_OK);

    memset(&at, 0, sizeof(at));
    assert_int_equal(dm_store_next(writer, &at, &account, &err), DM_OK);
    assert_int_equal(account.state, DM_ACTIVE);

    dm_store_abort(writer);
    dm_store_close(writer);
}


static void
test_does_not_open(void **state)
{
    char         out[8];
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "a", "1");
    put_alone(store, "b", "2");
    dm_store_close(store);

    forge("account", str("b"), str("x"));

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(ids(store, out, &err), DM_ERROR);
    assert_string_equal(out, "a");
    assert_non_null(strstr(err.text, "account \"b\""));
    dm_store_abort(store);
    dm_store_close(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_next, fresh),
        cmocka_unit_test_setup(test_disabled, fresh),
        cmocka_unit_test_setup(test_does_not_open, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
