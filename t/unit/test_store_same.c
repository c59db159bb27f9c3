/* An account that was looked up, and may still be what the store has */

#include "store_fixture.h"

#include "dm_store_internal.h"


static dm_store_t     *writer, *reader;
static dm_account_t    held;
static found_t         held_in;
static size_t          sealed_len;
static unsigned char   sealed[DM_RECORD_MAX];


/* a worker has looked A up, by its name */
static void
hold(void)
{
    dm_str_t  record;

    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_OK);

    held_in = found;
    held = found.account;
    dm_account_move(&held, found.record, held_in.record);

    record = dm_store_record(reader);
    sealed_len = record.len;
    memcpy(sealed, record.data, record.len);

    assert_true(sealed_len > held_in.len / 2);
    assert_memory_not_equal(sealed, held_in.record, sealed_len);
}


static int
is_same(void)
{
    return dm_store_same(reader, (dm_str_t) { sealed, sealed_len }, &held);
}


static void
open_two(void)
{
    writer = open_store(DM_STORE_WRITE);
    put_two(writer);
    reader = open_store(DM_STORE_SERVE);
    writer->patience = 0;
    hold();
}


static void
close_two(void)
{
    dm_store_close(reader);
    dm_store_close(writer);
}


/* puts what is held, under that name */
static void
put_held(const char *name)
{
    dm_account_t  account;

    account = held;
    account.name = str(name);

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    put(writer, &account, DM_OK);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
}


static void
test_others(void **state)
{
    unsigned  i;
    uint64_t  before;

    (void) state;

    open_two();

    assert_int_equal(is_same(), DM_OK);
    assert_int_equal(dm_store_looked(reader), dm_store_version(reader));

    /* the number is that of the snapshot which was read */

    for (i = 0; i < 20; i++) {
        before = dm_store_version(reader);
        put_alone(writer, "B", i % 2 ? "bob" : "bert");
        assert_int_not_equal(dm_store_version(reader), before);

        assert_int_equal(is_same(), DM_OK);
        assert_int_equal(dm_store_looked(reader), dm_store_version(reader));
    }

    /* within a transaction nothing is changed yet */

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    put(writer, &held, DM_OK);
    assert_int_equal(is_same(), DM_OK);
    dm_store_abort(writer);
    assert_int_equal(is_same(), DM_OK);

    close_two();
}


static void
test_changed(void **state)
{
    (void) state;

    open_two();

    /* each change counts, also one that changes nothing */

    put_held("alice");
    assert_int_equal(is_same(), DM_DECLINED);
    hold();
    assert_int_equal(is_same(), DM_OK);

    /* another has its name now */

    put_held("anne");
    put_alone(writer, "B", "alice");
    assert_int_equal(is_same(), DM_DECLINED);

    put_alone(writer, "B", "bob");
    put_held("alice");
    assert_int_equal(is_same(), DM_DECLINED);
    hold();

    /* gone, and there again as it was */

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    assert_int_equal(dm_store_del(writer, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    assert_int_equal(is_same(), DM_DECLINED);

    put_held("alice");
    assert_int_equal(is_same(), DM_DECLINED);

    close_two();
}


static void
test_disabled(void **state)
{
    dm_err_t  err;

    (void) state;

    open_two();

    /* of others, beside a writer */

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    assert_int_equal(dm_store_beside(reader, NULL), DM_OK);
    assert_int_equal(dm_store_disable(reader, str("B"), &err), DM_OK);
    assert_int_equal(dm_store_disable_commit(reader, &err), DM_OK);
    assert_int_equal(is_same(), DM_OK);
    assert_int_equal(dm_store_looked(reader), dm_store_version(reader));

    /* and of this one, whose record is what it was */

    assert_int_equal(dm_store_beside(reader, NULL), DM_OK);
    assert_int_equal(dm_store_disable(reader, str("A"), &err), DM_OK);
    assert_int_equal(dm_store_disable_commit(reader, &err), DM_OK);
    assert_int_equal(is_same(), DM_DECLINED);

    /* who was found disabled is looked up again */

    hold();
    assert_int_equal(held.state, DM_DISABLED);
    assert_int_equal(is_same(), DM_DECLINED);

    dm_store_abort(writer);
    assert_int_equal(is_same(), DM_DECLINED);

    close_two();
}


/* by who can write the file, but lacks the key */
static void
test_forged(void **state)
{
    size_t         i;
    unsigned char  record[DM_RECORD_MAX];

    (void) state;

    open_two();
    dm_store_close(writer);

    for (i = 0; i < sealed_len; i += 7) {
        memcpy(record, sealed, sealed_len);
        record[i] ^= 1;
        forge("account", str("A"), (dm_str_t) { record, sealed_len });
        assert_int_equal(is_same(), DM_DECLINED);
    }

    forge("account", str("A"), (dm_str_t) { sealed, sealed_len - 1 });
    assert_int_equal(is_same(), DM_DECLINED);

    memcpy(record, sealed, sealed_len);
    record[sealed_len] = 0;
    forge("account", str("A"), (dm_str_t) { record, sealed_len + 1 });
    assert_int_equal(is_same(), DM_DECLINED);

    forge("account", str("A"), (dm_str_t) { sealed, sealed_len });
    assert_int_equal(is_same(), DM_OK);

    dm_store_close(reader);
}


/* of a store that cannot be read, or is an older one than it was, nothing is */
static void
test_not_to_be_told(void **state)
{
    MDB_txn  *txn;

    (void) state;

    open_two();

    txn = reader->read;
    reader->read = NULL;
    assert_int_equal(is_same(), DM_DECLINED);
    reader->read = txn;
    assert_int_equal(is_same(), DM_OK);

    reader->newest += 100;
    assert_int_equal(is_same(), DM_DECLINED);
    assert_int_equal(dm_store_stale(reader), 1);

    close_two();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_others, fresh),
        cmocka_unit_test_setup(test_changed, fresh),
        cmocka_unit_test_setup(test_disabled, fresh),
        cmocka_unit_test_setup(test_forged, fresh),
        cmocka_unit_test_setup(test_not_to_be_told, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
