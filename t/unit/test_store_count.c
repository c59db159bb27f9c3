/* The store: counters of accounts */

#include "dm_store_count.h"
#include "dm_store_write_internal.h"
#include "store_fixture.h"


#define DAY  86400
#define NOW  ((int64_t) 20000 * DAY + 100)


/* what dm_store_check() said first */
static dm_err_t  said;


static void
note(const dm_err_t *what, void *data)
{
    unsigned  *n = data;

    if ((*n)++ == 0) {
        said = *what;
    }
}


static void
sound(dm_store_t *store)
{
    unsigned  n = 0;
    uint64_t  damages;

    assert_int_equal(dm_store_check(store, NULL, note, &n, &damages, NULL),
                     DM_OK);

    if (damages > 0) {
        fail_msg("%s", said.text);
    }
}


static void
expect(dm_store_t *store, int64_t now, uint64_t active, uint64_t expired,
    uint64_t disabled)
{
    dm_store_counts_t  counts;

    assert_int_equal(dm_store_count(store, now, &counts, NULL), DM_OK);
    assert_int_equal(counts.active, active);
    assert_int_equal(counts.expired, expired);
    assert_int_equal(counts.disabled, disabled);
}


static void
expect_group(dm_store_t *store, const char *group, uint64_t expected)
{
    uint64_t  n;

    assert_int_equal(dm_store_count_group(store, str(group), &n, NULL), DM_OK);
    assert_int_equal(n, expected);
}


/* A: groups; B: expires; C: disabled, in a group; D: SHA-512-256 alone */
static void
fill(dm_store_t *store)
{
    dm_account_t  account;

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    make_account(&account, "A", "alice");
    account.ngroups = 2;
    account.group[0] = str("north");
    account.group[1] = str("south");
    put(store, &account, DM_OK);

    make_account(&account, "B", "bob");
    account.not_after = NOW;
    put(store, &account, DM_OK);

    make_account(&account, "C", "carol");
    account.state = DM_DISABLED;
    account.not_after = NOW - 10 * DAY;
    account.has_ha1[DM_SHA256] = 0;
    account.ngroups = 1;
    account.group[0] = str("south");
    put(store, &account, DM_OK);

    make_account(&account, "D", "dave");
    account.has_ha1[DM_MD5] = 0;
    account.has_ha1[DM_SHA256] = 0;
    account.has_ha1[DM_SHA512_256] = 1;
    put(store, &account, DM_OK);

    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


static void
test_counts(void **state)
{
    dm_store_t         *store, *reader;
    dm_store_counts_t   counts;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    expect(store, NOW, 0, 0, 0);
    fill(store);

    expect(store, NOW, 3, 0, 1);
    expect(store, NOW + DAY, 2, 1, 1);
    expect_group(store, "north", 1);
    expect_group(store, "south", 2);
    expect_group(store, "sout", 0);
    expect_group(store, "", 0);

    /* who is disabled, or can log in by neither, decides no challenge */

    assert_int_equal(dm_store_count(store, NOW, &counts, NULL), DM_OK);
    assert_int_equal(counts.hashes[1 << DM_MD5 | 1 << DM_SHA256], 2);
    assert_int_equal(counts.hashes[1 << DM_SHA512_256], 1);
    assert_int_equal(counts.hashes[1 << DM_MD5], 0);
    assert_int_equal(dm_store_lacking(&counts, DM_MD5), 1);
    assert_int_equal(dm_store_count(store, NOW + DAY, &counts, NULL), DM_OK);
    assert_int_equal(counts.hashes[1 << DM_MD5 | 1 << DM_SHA256], 1);
    assert_int_equal(dm_store_meta(store)->lacks_md5, 0);
    assert_int_equal(dm_store_meta(store)->lacks_sha256, 0);

    sound(store);
    dm_store_close(store);

    /* a worker sees them, too */

    reader = open_store(DM_STORE_SERVE);
    expect(reader, NOW + DAY, 2, 1, 1);
    expect_group(reader, "south", 2);
    dm_store_close(reader);
}


/* a change takes back what it counted for before */
static void
test_changes(void **state)
{
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    fill(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    make_account(&account, "A", "alice");
    account.state = DM_DISABLED;
    account.ngroups = 1;
    account.group[0] = str("north");
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_del(store, str("B"), NULL), DM_OK);
    expect(store, NOW + DAY, 1, 0, 2);
    dm_store_abort(store);

    expect(store, NOW + DAY, 2, 1, 1);
    expect_group(store, "south", 2);
    sound(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_del(store, str("B"), NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    expect(store, NOW + DAY, 1, 0, 2);
    expect_group(store, "south", 1);
    sound(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("C"), NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("D"), NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    expect(store, NOW + DAY, 0, 0, 0);
    expect_group(store, "south", 0);
    sound(store);
    dm_store_close(store);
}


/* as an older version left it: no such database, and meta says so */
static void
test_older(void **state)
{
    uint64_t            n;
    dm_store_t         *store;
    dm_store_counts_t   counts;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    fill(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(mdb_drop(store->write, store->count, 1), 0);
    store->meta.counted = 0;
    store->changed = 1;
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);

    store = open_store(DM_STORE_SERVE);
    assert_int_equal(dm_store_count(store, NOW, &counts, NULL), DM_DECLINED);
    assert_int_equal(dm_store_count_group(store, str("south"), &n, NULL),
                     DM_DECLINED);

    /* the next change counts, and who has it open sees that */

    dm_store_close(store);
    store = open_store(DM_STORE_WRITE);
    sound(store);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    expect(store, NOW + DAY, 2, 1, 1);
    assert_int_equal(dm_store_del(store, str("D"), NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    expect(store, NOW + DAY, 1, 1, 1);
    expect_group(store, "south", 2);
    sound(store);
    dm_store_close(store);
}


/* a store that was counted, but not by the hashes of those that expire */
static void
test_older_ending(void **state)
{
    MDB_val             key;
    dm_store_t         *store;
    unsigned char       kind = DM_COUNT_ENDING;
    dm_store_counts_t   counts;

    (void) state;

    key.mv_data = &kind;
    key.mv_size = 1;

    store = open_store(DM_STORE_WRITE);
    fill(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(mdb_del(store->write, store->count, &key, NULL), 0);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(dm_store_count(store, NOW, &counts, NULL), DM_DECLINED);
    sound(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(dm_store_count(store, NOW, &counts, NULL), DM_OK);
    expect(store, NOW + DAY, 2, 1, 1);
    sound(store);
    dm_store_close(store);
}


/* the challenges by the accounts that there are, whatever counters say */
static void
test_suits(void **state)
{
    unsigned           i;
    dm_challenge_t     got;
    dm_store_meta_t    meta;
    dm_store_counts_t  counts;

    static const struct {
        unsigned        lacks_md5;      /* sealed */
        unsigned        lacks_sha256;
        unsigned        counted;
        unsigned        sha256;         /* active, and not expired */
        unsigned        md5;
        unsigned        both;
        dm_challenge_t  expected;
    } cases[] = {
        { 0, 0, 1, 0, 0, 0, DM_CHALLENGE_ANY },
        { 0, 0, 1, 0, 0, 9, DM_CHALLENGE_ANY },
        { 0, 1, 1, 0, 1, 0, DM_CHALLENGE_MD5 },
        { 0, 1, 1, 0, 1, 8, DM_CHALLENGE_MD5 },
        { 1, 1, 1, 1, 1, 7, DM_CHALLENGE_ANY },
        { 1, 0, 1, 1, 0, 8, DM_CHALLENGE_ANY },
        { 1, 0, 1, 1, 0, 0, DM_CHALLENGE_SHA256 },

        /* some have expired */

        { 0, 1, 1, 0, 0, 8, DM_CHALLENGE_ANY },
        { 0, 1, 1, 0, 0, 0, DM_CHALLENGE_ANY },
        { 1, 1, 1, 0, 1, 0, DM_CHALLENGE_ANY },
        { 1, 1, 1, 1, 0, 0, DM_CHALLENGE_SHA256 },
        { 1, 0, 1, 0, 0, 1, DM_CHALLENGE_ANY },
        { 1, 0, 1, 0, 0, 0, DM_CHALLENGE_ANY },

        /* counters that say what the seal does not make nothing weaker */

        { 0, 0, 1, 9, 0, 0, DM_CHALLENGE_ANY },
        { 0, 0, 1, 0, 9, 0, DM_CHALLENGE_ANY },
        { 5, 0, 1, 0, 9, 0, DM_CHALLENGE_ANY },
        { 5, 5, 1, 0, 9, 0, DM_CHALLENGE_ANY },

        /* of an older version, of 9 accounts */

        { 0, 0, 0, 0, 0, 0, DM_CHALLENGE_ANY },
        { 0, 1, 0, 0, 0, 0, DM_CHALLENGE_MD5 },
        { 1, 1, 0, 0, 0, 0, DM_CHALLENGE_ANY },
        { 1, 0, 0, 0, 0, 0, DM_CHALLENGE_ANY },
        { 9, 0, 0, 0, 0, 0, DM_CHALLENGE_SHA256 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&meta, 0, sizeof(dm_store_meta_t));
        memset(&counts, 0, sizeof(dm_store_counts_t));

        meta.accounts = 9;
        meta.lacks_md5 = cases[i].lacks_md5;
        meta.lacks_sha256 = cases[i].lacks_sha256;
        counts.hashes[1 << DM_SHA256] = cases[i].sha256;
        counts.hashes[1 << DM_MD5 | 1 << DM_SHA512_256] = cases[i].md5;
        counts.hashes[1 << DM_MD5 | 1 << DM_SHA256] = cases[i].both;
        counts.hashes[1 << DM_SHA512_256] = 3;

        got = dm_store_suits(&meta, cases[i].counted ? &counts : NULL);

        if (got != cases[i].expected) {
            fail_msg("case %u: %d", i, (int) got);
        }
    }
}


/* what is not sealed can be forged, but not without being found */
static void
test_forged(void **state)
{
    MDB_val         key, value;
    dm_store_t     *store;
    unsigned        i, n;
    uint64_t        damages;
    const char     *says;
    unsigned char   octets[600];

    static const struct {
        const char  *key;
        size_t       value;
        const char  *says;
    } forged[] = {
        { "Gsouth", 8, "accounts of group \"south\", and has 2" },
        { "Gsouth", 0, "accounts of group \"south\", and has 2" },
        { "Gwest", 8, "accounts of group \"west\", and has 0" },
        { "A\x02", 8, "accounts, disabled, and has 0" },
        { "B\xff", 8, "accounts with some set of hashes, and has 0" },
        { "C", 8, "accounts that expire on some day, and has 0" },
        { "D\1", 8, "accounts that expire on some day, and has 0" },
        { "D", 8, "accounts that expire on some day, and has 1" },
        { "Cxxxxxxxxxxxxxxxxxxxxxxxxxx", 8, "expire on some day, and has 0" },
        { "Z", 600, "accounts of a kind that there is none of, and has 0" }
    };

    (void) state;

    memset(octets, 1, sizeof(octets));

    for (i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        assert_int_equal(fresh(NULL), 0);
        store = open_store(DM_STORE_WRITE);
        fill(store);

        assert_int_equal(dm_store_begin(store, NULL), DM_OK);
        key.mv_data = (void *) forged[i].key;
        key.mv_size = strlen(forged[i].key);
        value.mv_data = octets;
        value.mv_size = forged[i].value;
        assert_int_equal(mdb_put(store->write, store->count, &key, &value, 0),
                         0);
        assert_int_equal(dm_store_commit(store, NULL), DM_OK);

        n = 0;
        assert_int_equal(dm_store_check(store, NULL, note, &n, &damages,
                                        NULL), DM_OK);
        assert_int_equal(damages, 1);
        says = strstr(said.text, forged[i].says);

        if (says == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", forged[i].says, said.text);
        }

        dm_store_close(store);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_counts, fresh),
        cmocka_unit_test_setup(test_changes, fresh),
        cmocka_unit_test_setup(test_older, fresh),
        cmocka_unit_test_setup(test_older_ending, fresh),
        cmocka_unit_test_setup(test_forged, fresh),
        cmocka_unit_test(test_suits),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
