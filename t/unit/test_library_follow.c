/*
 * What becomes of a call to OpenSSL or LMDB that fails while a store that
 * follows is changed: nothing is in it that is not in the log, and the log's
 * end() comes after each begin()
 */

#define _GNU_SOURCE

#include "library_fails.h"
#include "follow_fixture.h"


static dm_store_t  *tested;
static dm_err_t     told;


/* the log itself does not fail here */
static int
calm_begin(dm_store_t *store, void *data, dm_err_t *err)
{
    int       rc;
    unsigned  armed;

    armed = countdown;
    countdown = 0;
    rc = log_begin(store, data, err);
    countdown = armed;

    return rc;
}


static int
calm_change(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t id,
    dm_str_t what, void *data, dm_err_t *err)
{
    int       rc;
    unsigned  armed;

    armed = countdown;
    countdown = 0;
    rc = log_change(store, kind, id, what, data, err);
    countdown = armed;

    return rc;
}


static const dm_store_log_t  calm_calls = {
    calm_begin, calm_change, log_commit, log_end
};


static int
count_one(const dm_account_t *account, void *data)
{
    (void) account;

    (*(unsigned *) data)++;

    return DM_OK;
}


/* what the store has when nothing fails */
static unsigned
accounts(void)
{
    unsigned  n, armed;

    armed = countdown;
    countdown = 0;
    n = 0;
    assert_int_equal(dm_store_walk(tested, count_one, NULL, &n, NULL), DM_OK);
    countdown = armed;

    return n;
}


static int
following(void **state)
{
    int  rc;

    rc = follow_fresh(state);

    tested = open_store(DM_STORE_WRITE);
    dm_store_follow(tested, &calm_calls, &log_now);

    return rc;
}


static int
closed(void **state)
{
    (void) state;

    dm_store_close(tested);

    return 0;
}


/* a new account, through the log: all or nothing */
static int
job_change(void)
{
    int                  rc;
    unsigned             n, armed, before, begun;
    dm_account_t         account;
    dm_fleet_position_t  position;

    static unsigned  made;
    static char      id[16];

    sprintf(id, "n%u", made++);
    make_account(&account, id, id);
    before = accounts();
    begun = log_now.begun - log_now.ended;
    n = log_now.n;
    told.text[0] = '\0';

    rc = dm_store_begin(tested, &told);

    if (rc == DM_OK) {
        rc = dm_store_put(tested, &account, &told);

        if (rc == DM_OK) {
            rc = dm_store_commit(tested, &told);

        } else {
            dm_store_abort(tested);
        }
    }

    assert_int_equal(log_now.begun - log_now.ended, begun);
    assert_false(log_now.locked);
    assert_null(tested->write);
    assert_true(is_free());
    assert_int_equal(accounts(), before + (rc == DM_OK));
    n = log_now.n - n;

    if (rc == DM_OK) {
        armed = countdown;
        countdown = 0;
        position = position_of(tested);
        countdown = armed;
        assert_int_equal(position.place.number, log_now.n);
        assert_int_equal(position.accounts, before + 1);
    }

    /* where the log has it, and this store has not, it says so */

    if (rc != DM_OK
        && (n != 0) != (strstr(told.text, "the change is in the log") != NULL))
    {
        fail_msg("%s failed: %s", failed, told.text);
    }

    log_now.n = 0;

    return rc;
}


static void
test_change(void **state)
{
    (void) state;

    log_now.n = 0;
    each_call_fails(job_change);
    assert_int_equal(log_now.n, 0);
}


static int
job_apply(void)
{
    int              rc;
    unsigned         before;
    size_t           len;
    dm_account_t     account;
    unsigned char    octets[DM_RECORD_MAX];

    static unsigned  made;
    static char      id[16];

    sprintf(id, "a%u", made++);
    make_account(&account, id, id);
    assert_int_equal(dm_account_pack(&account, octets, &len, NULL), DM_OK);
    before = accounts();

    rc = dm_store_begin_apply(tested, NULL);

    if (rc == DM_OK) {
        rc = dm_store_apply(tested, DM_FLEET_PUT, (dm_str_t) { octets, len },
                            NULL);

        if (rc == DM_OK) {
            rc = dm_store_commit(tested, NULL);

        } else {
            dm_store_abort(tested);
        }
    }

    assert_null(tested->write);
    assert_true(is_free());
    assert_int_equal(accounts(), before + (rc == DM_OK));

    return rc;
}


static int
job_apply_del(void)
{
    int       rc;
    unsigned  before;

    before = accounts();

    rc = dm_store_begin_apply(tested, NULL);

    if (rc == DM_OK) {
        rc = dm_store_apply(tested, DM_FLEET_DEL, str("A"), NULL);

        if (rc == DM_OK) {
            rc = dm_store_commit(tested, NULL);

        } else {
            dm_store_abort(tested);
        }
    }

    assert_int_equal(accounts(), before - (rc == DM_OK));

    return rc;
}


static void
test_apply(void **state)
{
    (void) state;

    put_two(tested);
    each_call_fails(job_apply);
    each_call_fails(job_apply_del);
}


static int
job_read(void)
{
    int                  rc;
    dm_store_replica_t   replica;
    dm_fleet_position_t  position;

    rc = dm_store_position(tested, &position, NULL);

    return rc == DM_OK ? dm_store_replica(tested, &replica, NULL) : rc;
}


/* OpenSSL that fails to open it is not somebody who has changed it */
static void
test_read(void **state)
{
    (void) state;

    each_call_fails(job_read);
}


static int
note_here(dm_str_t id, void *data)
{
    char  *ids;

    ids = data;
    strncat(ids, (const char *) id.data, id.len);

    return DM_OK;
}


/* whatever fails, A stays disabled here, which is active in the log */
static void
test_here(void **state)
{
    int       rc;
    char      ids[16];
    unsigned  n;

    (void) state;

    put_two(tested);
    assert_int_equal(dm_store_begin_apply(tested, NULL), DM_OK);
    assert_int_equal(dm_store_set_state(tested, DM_FLEET_FOLLOWING, NULL),
                     DM_OK);
    assert_int_equal(dm_store_commit(tested, NULL), DM_OK);
    assert_int_equal(dm_store_beside(tested, NULL), DM_OK);
    assert_int_equal(dm_store_disable(tested, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_disable(tested, str("gone"), NULL), DM_OK);
    assert_int_equal(dm_store_disable_commit(tested, NULL), DM_OK);

    for (n = 1; /* void */ ; n++) {
        countdown = n;
        rc = dm_store_begin_apply(tested, NULL);

        if (rc == DM_OK) {
            (void) dm_store_commit(tested, NULL);
        }

        if (countdown != 0) {
            break;
        }

        assert_true(is_free());

        ids[0] = '\0';
        assert_int_equal(dm_store_walk_here(tested, note_here, ids, NULL),
                         DM_OK);

        if (ids[0] != 'A') {
            fail_msg("%s failed, in call %u: \"%s\"", failed, n, ids);
        }
    }

    countdown = 0;
    assert_int_equal(rc, DM_OK);
    ids[0] = '\0';
    assert_int_equal(dm_store_walk_here(tested, note_here, ids, NULL), DM_OK);
    assert_string_equal(ids, "A");
}


static int
job_start(void)
{
    int               rc;
    dm_fleet_place_t  place;

    place = place_of(1);
    rc = dm_store_begin(tested, NULL);

    if (rc == DM_OK) {
        rc = dm_store_start_following(tested, root, &place, NULL);
        dm_store_abort(tested);
    }

    assert_true(is_free());

    return rc == DM_INVALID ? DM_ERROR : rc;
}


static void
test_start(void **state)
{
    dm_store_close(tested);
    assert_int_equal(fresh(state), DM_OK);
    tested = open_store(DM_STORE_WRITE);
    put_two(tested);
    each_call_fails(job_start);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_change, following, closed),
        cmocka_unit_test_setup_teardown(test_apply, following, closed),
        cmocka_unit_test_setup_teardown(test_read, following, closed),
        cmocka_unit_test_setup_teardown(test_here, following, closed),
        cmocka_unit_test_setup_teardown(test_start, following, closed)
    };

    return cmocka_run_group_tests(tests, follow_setup, follow_teardown);
}
