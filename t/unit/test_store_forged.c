/* The store: what somebody without the key wrote into it */

#include "store_fixture.h"


static void
expect_damage(dm_store_index_t index, const char *key, const char *why)
{
    dm_store_t  *store;

    store = open_store(DM_STORE_READ);
    assert_int_equal(lookup(store, index, key), DM_ERROR);

    if (strstr(found.err.text, why) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", why, found.err.text);
    }

    /* the others are not touched by it */

    assert_int_equal(lookup(store, DM_BY_ID, "B"), DM_OK);
    dm_store_close(store);
}


static void
test_forged(void **state)
{
    size_t         len;
    dm_store_t    *store;
    unsigned char  record[DM_RECORD_MAX], big[DM_RECORD_MAX + 1];

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);

    /* an index that leads elsewhere, to nobody, or to nonsense */

    forge("name", str("alice"), str("B"));
    expect_damage(DM_BY_NAME, "alice", "an index leads to account \"B\", "
                  "which does not hold");
    forge("psk", str("psk a"), str("B"));
    expect_damage(DM_BY_PSK, "psk a", "does not hold");
    forge("psk", str("new"), str("A"));
    expect_damage(DM_BY_PSK, "new", "does not hold");
    forge("name", str("alice"), str("Z"));
    expect_damage(DM_BY_NAME, "alice", "account \"Z\", which is not there");
    forge("name", str("alice"), str(""));
    expect_damage(DM_BY_NAME, "alice", "an index is damaged");
    memset(big, 'x', sizeof(big));
    forge("name", str("alice"), (dm_str_t) { big, DM_ID_MAX + 1 });
    expect_damage(DM_BY_NAME, "alice", "an index is damaged");

    /* a record that was changed: enable, clear part (state) */

    len = peer_into("account", "A", record);
    record[2] ^= 1;
    forge("account", str("A"), (dm_str_t) { record, len });
    expect_damage(DM_BY_ID, "A", "account \"A\": the record is damaged, was "
                  "changed");
    record[2] ^= 1;
    record[len - 1] ^= 1;
    forge("account", str("A"), (dm_str_t) { record, len });
    expect_damage(DM_BY_ID, "A", "was changed");

    /* another's record under this id, one too long, an empty one */

    len = peer_into("account", "B", record);
    forge("account", str("A"), (dm_str_t) { record, len });
    expect_damage(DM_BY_ID, "A", "is the record of another");
    forge("account", str("A"), (dm_str_t) { big, sizeof(big) });
    expect_damage(DM_BY_ID, "A", "a record is damaged");
    forge("account", str("A"), str(""));
    expect_damage(DM_BY_ID, "A", "is damaged");
}


/* an index of hashes, whose entry leads to an account of another key */
static void
forge_hash(const char *database, int tag, dm_algorithm_t alg, dm_str_t key,
    const char *id)
{
    size_t         n;
    unsigned char  name[1 + DM_HASH_MAX];

    n = (tag < 0) ? 0 : 1;
    name[0] = (unsigned char) tag;

    assert_int_equal(dm_digest_join(alg, &key, 1, name + n), DM_OK);
    forge(database, (dm_str_t) { name, n + dm_digest_size(alg) }, str(id));
}


static void
expect_not_held(dm_store_t *store, int rc)
{
    assert_int_equal(rc, DM_ERROR);
    assert_non_null(strstr(found.err.text, "does not hold the key"));
    dm_store_close(store);
}


/* who can write the file must not bind his key to another's account */
static void
test_hashed_keys(void **state)
{
    unsigned     alg;
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);

    forge_hash("cert", -1, DM_SHA256, str("san:DNS:mallory.example"), "A");
    store = open_store(DM_STORE_READ);
    expect_not_held(store, lookup(store, DM_BY_CERT,
                                  "san:DNS:mallory.example"));

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        forge_hash("userhash", (int) alg, (dm_algorithm_t) alg,
                   str("mallory:" REALM), "A");
        store = open_store(DM_STORE_READ);
        expect_not_held(store, lookup_hash(store, (dm_algorithm_t) alg,
                                           "mallory"));
    }
}


static void
test_record_of_another_store(void **state)
{
    size_t         len;
    dm_store_t    *store;
    unsigned char  record[DM_RECORD_MAX];

    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);
    len = peer_into("account", "A", record);

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);
    forge("account", str("A"), (dm_str_t) { record, len });
    expect_damage(DM_BY_ID, "A", "was changed");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_forged, fresh),
        cmocka_unit_test_setup(test_hashed_keys, fresh),
        cmocka_unit_test_setup(test_record_of_another_store, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
