/* The store: what a check finds */

#include "dm_store_write_internal.h"
#include "store_fixture.h"


#define DAMAGES  8


/* what dm_store_check() said */
static struct {
    unsigned  accounts;
    unsigned  n;
    dm_err_t  what[DAMAGES];
} said;


static int
count_account(const dm_account_t *account, void *data)
{
    assert_ptr_equal(data, &said);
    assert_true(account->id.len > 0);
    said.accounts++;

    return DM_OK;
}


static void
note_damage(const dm_err_t *what, void *data)
{
    assert_ptr_equal(data, &said);
    assert_true(said.n < DAMAGES);
    said.what[said.n++] = *what;
}


static void
check(unsigned accounts, unsigned damages)
{
    dm_err_t     err;
    uint64_t     n;
    dm_store_t  *store;

    memset(&said, 0, sizeof(said));

    store = open_store(DM_STORE_READ);

    if (dm_store_check(store, count_account, note_damage, &said, &n, &err)
        != DM_OK)
    {
        fail_msg("%s", err.text);
    }

    assert_int_equal(said.accounts, accounts);
    assert_int_equal(said.n, n);

    if (n != damages) {
        fail_msg("%u damages, not %u: \"%s\"", said.n, damages,
                 said.what[0].text);
    }

    /* without fn, from a backup's mode of opening */

    dm_store_close(store);
    store = open_store(DM_STORE_PEEK);
    memset(&said, 0, sizeof(said));
    assert_int_equal(dm_store_check(store, NULL, note_damage, &said, &n, NULL),
                     DM_OK);
    assert_int_equal(n, damages);
    dm_store_close(store);
}


static void
said_so(unsigned i, const char *what)
{
    if (strstr(said.what[i].text, what) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", what, said.what[i].text);
    }
}


static void
filled(void **state)
{
    dm_store_t  *store;

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);
}


static void
test_sound(void **state)
{
    (void) state;

    check(0, 0);
    filled(state);
    check(2, 0);
}


static void
test_index_lacks(void **state)
{
    filled(state);
    forge("name", str("alice"), (dm_str_t) { NULL, 0 });
    check(2, 1);
    said_so(0, "account \"A\" cannot be found by its name \"alice\": the "
            "index has no such entry");

    filled(state);
    forge("psk", str("psk b"), (dm_str_t) { NULL, 0 });
    check(2, 1);
    said_so(0, "\"A\" cannot be found by its PSK identity \"psk b\"");
}


static void
test_index_leads_elsewhere(void **state)
{
    filled(state);
    forge("name", str("alice"), str("B"));
    check(2, 2);
    said_so(0, "\"A\" cannot be found by its name \"alice\": the index leads "
            "to another");
    said_so(1, "the name index has an entry that leads to account \"B\", "
            "which does not hold it");
}


static void
test_index_has_more(void **state)
{
    filled(state);
    forge("psk", str("more"), str("A"));
    check(2, 1);
    said_so(0, "the PSK index has an entry that leads to account \"A\", which "
            "does not hold it");

    filled(state);
    forge("cert", str("0123456789abcdef0123456789abcdef"), str("Z"));
    check(2, 1);
    said_so(0, "the certificate index has an entry that leads to account "
            "\"Z\", which is not there");

    filled(state);
    forge("userhash", str("more"), str(""));
    check(2, 1);
    said_so(0, "the userhash index has an entry that leads to account \"\"");
}


/* as many entries as there should be, but not these */
static void
test_index_exchanged(void **state)
{
    filled(state);
    forge("name", str("alice"), (dm_str_t) { NULL, 0 });
    forge("name", str("mallory"), str("A"));
    check(2, 2);
    said_so(0, "cannot be found by its name");
    said_so(1, "which does not hold it");
}


static void
test_record(void **state)
{
    size_t         len;
    unsigned char  record[DM_RECORD_MAX], big[DM_RECORD_MAX + 1];

    filled(state);
    len = peer_into("account", "A", record);
    record[2] ^= 1;
    forge("account", str("A"), (dm_str_t) { record, len });
    check(1, 1);
    said_so(0, "account \"A\": the record is damaged, was changed");

    /* what else leads to it can be told of, too */

    filled(state);
    memset(big, 'x', sizeof(big));
    forge("account", str("A"), (dm_str_t) { big, sizeof(big) });
    check(1, 1 + 1 + 2 + 2 + 2);
    said_so(0, "account \"A\"");
    said_so(1, "a record is damaged");
}


static void
test_counters(void **state)
{
    filled(state);
    forge("account", str("B"), (dm_str_t) { NULL, 0 });
    check(1, 1 + 2 + 1 + 2);
    said_so(0, "the store counts 2 accounts, and has 1");
    said_so(1, "the store counts 2 accounts, active, and has 1");
    said_so(2, "the store counts 2 accounts with some set of hashes, and has");
    said_so(3, "the name index has an entry that leads to account \"B\", "
            "which is not there");
}


/* the key of an entry: the algorithm, and what it makes of name and realm */
static dm_str_t
userhash(dm_algorithm_t alg, const char *name)
{
    static unsigned char  key[1 + DM_HASH_MAX];

    key[0] = (unsigned char) alg;
    assert_int_equal(dm_digest_userhash(alg, str(name), str(REALM), key + 1),
                     DM_OK);

    return (dm_str_t) { key, 1 + dm_digest_size(alg) };
}


/* the index has one entry for each HA1 of an account, and no other */
static void
test_userhash(void **state)
{
    filled(state);
    forge("userhash", userhash(DM_MD5, "alice"), (dm_str_t) { NULL, 0 });
    check(2, 1);
    said_so(0, "\"A\" cannot be found by its userhash of the name "
            "\"alice\": the index has no such entry");

    /* of an HA1 that it has not, of another name, of another algorithm */

    filled(state);
    forge("userhash", userhash(DM_SHA512_256, "alice"), str("A"));
    check(2, 1);
    said_so(0, "the userhash index has an entry that leads to account \"A\", "
            "which does not hold it");

    filled(state);
    forge("userhash", userhash(DM_MD5, "mallory"), str("A"));
    check(2, 1);
    said_so(0, "leads to account \"A\", which does not hold it");

    filled(state);
    forge("userhash", userhash(DM_SHA256, "bob"), str("A"));
    check(2, 2);
    said_so(0, "\"B\" cannot be found by its userhash of the name \"bob\": "
            "the index leads to another");
    said_so(1, "leads to account \"A\", which does not hold it");
}


static void
put_md5(dm_store_t *store, const char *id, const char *name)
{
    dm_account_t  account;

    make_account(&account, id, name);
    account.has_ha1[DM_SHA256] = 0;
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


/* who can write the file but lacks the key can put an old meta record back */
static void
test_lacks_counter(void **state)
{
    size_t          len;
    dm_store_t     *store;
    unsigned char   meta[DM_RECORD_MAX];

    filled(state);
    len = peer_into("meta", "meta", meta);

    store = open_store(DM_STORE_WRITE);
    put_md5(store, "B", "bob");
    dm_store_close(store);
    check(2, 0);

    forge("meta", str("meta"), (dm_str_t) { meta, len });
    check(2, 1);
    said_so(0, "the store counts 0 accounts without SHA-256, and has 1");
}


static void
del(const char *id)
{
    dm_err_t     err;
    dm_store_t  *store;

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    if (dm_store_del(store, str(id), &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
}


/* a store of an older version, which did not count who lacks MD5 */
static void
test_counters_of_older(void **state)
{
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    make_account(&account, "A", "alice");
    account.has_ha1[DM_MD5] = 0;
    put(store, &account, DM_OK);
    store->meta.lacks_md5 = 0;
    store->meta.counted = 0;
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
    check(1, 0);

    /* the next change counts, whatever it is */

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->counted, 0);
    put_md5(store, "B", "bob");
    assert_int_equal(dm_store_meta(store)->counted, 1);
    assert_int_equal(dm_store_meta(store)->lacks_md5, 1);
    dm_store_close(store);
    check(2, 0);

    del("A");
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->lacks_md5, 0);
    dm_store_close(store);
    check(1, 0);
}


/* what check tells to do: the account goes, with all that leads to it */
static void
test_del_damaged(void **state)
{
    size_t          len;
    dm_store_t     *store;
    unsigned char   record[DM_RECORD_MAX], big[DM_RECORD_MAX + 1];

    filled(state);
    store = open_store(DM_STORE_WRITE);
    put_md5(store, "C", "carol");
    put_md5(store, "D", "dora");
    dm_store_close(store);

    len = peer_into("account", "C", record);
    record[len - 1] ^= 1;
    forge("account", str("C"), (dm_str_t) { record, len });
    check(3, 1);

    del("C");
    check(3, 0);
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->accounts, 3);
    assert_int_equal(dm_store_meta(store)->lacks_sha256, 1);
    put_alone(store, "E", "carol");
    dm_store_close(store);
    check(4, 0);

    /* with entries in each index; another damage stays what it is */

    memset(big, 'x', sizeof(big));
    forge("account", str("A"), (dm_str_t) { big, sizeof(big) });
    forge("account", str("D"), (dm_str_t) { record, 0 });
    del("A");
    check(2, 1);
    said_so(0, "account \"D\"");
    del("D");
    check(2, 0);

    store = open_store(DM_STORE_READ);
    assert_int_equal(lookup(store, DM_BY_PSK, "psk a"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "carol"), DM_OK);
    assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_OK);
    dm_store_close(store);
}


static void
test_cut_short(void **state)
{
    dm_err_t     err;
    dm_store_t  *store;

    filled(state);
    assert_int_equal(truncate(data, 3 * 4096), 0);
    assert_int_equal(dm_store_open(&store, path, DM_STORE_PEEK, &keys, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "was cut short"));
    assert_int_equal(dm_store_open(&store, path, DM_STORE_READ, &keys, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "was cut short"));

    /* LMDB itself fills the file up, with nothing, when it opens to write */

    assert_int_not_equal(dm_store_open(&store, path, DM_STORE_WRITE, &keys,
                                       &err), DM_OK);
}


static void
test_reserve(void **state)
{
    unsigned       i;
    char           id[16];
    dm_err_t       err;
    dm_store_t    *reader, *store;
    dm_account_t   account;

    (void) state;

    /* without a lock, since LMDB cannot open a store twice in a process */

    reader = open_store(DM_STORE_SERVE);
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->map_size, MAP);

    dm_store_reserve(store, 8 * MAP);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_meta(store)->map_size, 16 * MAP);

    /* more than the map before could hold, in one transaction */

    for (i = 0; i < 5000; i++) {
        sprintf(id, "%u", i);
        make_account(&account, id, id);
        put(store, &account, DM_OK);
    }

    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(lookup(reader, DM_BY_NAME, "4999"), DM_OK);
    dm_store_close(reader);

    /* no more than the file system can make */

    dm_store_reserve(store, UINT64_MAX);
    assert_int_equal(dm_store_begin(store, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "cannot grow"));

    dm_store_reserve(store, 0);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_meta(store)->map_size, 16 * MAP);
    dm_store_close(store);

    check(5000, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_counters_of_older, fresh),
        cmocka_unit_test_setup(test_sound, fresh),
        cmocka_unit_test(test_index_lacks),
        cmocka_unit_test(test_index_leads_elsewhere),
        cmocka_unit_test(test_index_has_more),
        cmocka_unit_test(test_index_exchanged),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_userhash),
        cmocka_unit_test(test_lacks_counter),
        cmocka_unit_test(test_del_damaged),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test_setup(test_reserve, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
