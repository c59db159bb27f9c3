/* The keys of a fleet, its hashes, sums and signatures */

#include "fleet_fixture.h"

#include "dm_hex.h"


static void
is_hex(const unsigned char *octets, size_t len, const char *digits)
{
    unsigned char  hex[2 * 64 + 1];

    hex[dm_hex_write((dm_str_t) { octets, len }, hex)] = '\0';
    assert_string_equal((char *) hex, digits);
}


/* what another program makes of the same, by HMAC alone */
static void
test_derive(void **state)
{
    dm_keys_t      keys, derived;
    unsigned char  out[DM_KEY_SIZE];

    (void) state;

    assert_int_equal(dm_fleet_derive(root, store_id, str("dm-sec fleet name"),
                                     out),
                     DM_OK);
    is_hex(out, sizeof(out), "94041b2941ef2c681fadeb6bf4ae869f"
                             "8a594e6854d3e76a4d4ec76b71b35977");

    keys = fleet_keys("old", 1);
    keys.n = 2;
    strcpy(keys.key[1].id, "new");
    memcpy(keys.key[1].key, root, DM_KEY_SIZE);

    assert_int_equal(dm_fleet_derive_keys(&keys, store_id,
                                          str("dm-sec fleet name"), &derived),
                     DM_OK);
    assert_int_equal(derived.n, 2);
    assert_string_equal(derived.key[0].id, "old");
    assert_string_equal(derived.key[1].id, "new");
    assert_memory_equal(derived.key[1].key, out, DM_KEY_SIZE);
    assert_memory_not_equal(derived.key[0].key, out, DM_KEY_SIZE);
}


static void
test_keys(void **state)
{
    dm_fleet_t        *fleet;
    unsigned char      key[DM_FLEET_KEY];
    dm_fleet_place_t   place;

    (void) state;

    fleet = fleet_of(store_id, 1, 2);

    assert_int_equal(dm_fleet_key(fleet, str("IMEI:1"), key), DM_OK);
    is_hex(key, sizeof(key), "0110eadf69ae682a747ba299b9a0cc44"
                             "43c5f4887226101d752226596316abd4");

    assert_int_equal(dm_fleet_start(fleet, &place), DM_OK);
    assert_int_equal(place.number, 0);
    is_hex(place.chain, sizeof(place.chain),
           "670e8df219e067e3647cdf5087ba5a73"
           "842beaa334967c5d88baa8d619dd7eab");

    /* another root takes the place of the one before */

    assert_int_equal(dm_fleet_use_root(fleet, key, NULL), DM_OK);
    assert_memory_equal(fleet->root, key, DM_FLEET_ROOT);
    assert_int_equal(dm_fleet_key(fleet, str("IMEI:1"), key), DM_OK);
    assert_int_not_equal(key[0] << 8 | key[1], 0x0110);

    dm_fleet_free(fleet);
    dm_fleet_free(NULL);
}


static void
test_bad_keys(void **state)
{
    dm_err_t   err;
    dm_keys_t  keys, none;

    (void) state;

    keys = fleet_keys("k1", 1);
    memset(&none, 0, sizeof(none));

    assert_null(dm_fleet_new(&none, store_id, &keys, &err));
    assert_null(dm_fleet_new(&keys, store_id, &none, &err));
    assert_non_null(strstr(err.text, "there must be one or two"));
    assert_null(dm_fleet_verifier_new(&none));

    none.n = DM_KEYS + 1;
    assert_null(dm_fleet_verifier_new(&none));
}


/* two lists of parts of the same octets */
static void
test_hash(void **state)
{
    dm_str_t       a[] = { str("ab"), str("c") }, b[] = { str("a"), str("bc") };
    unsigned char  one[DM_FLEET_HASH], other[DM_FLEET_HASH];

    (void) state;

    assert_int_equal(dm_fleet_hash(a, 2, one), DM_OK);
    assert_int_equal(dm_fleet_hash(b, 2, other), DM_OK);
    assert_memory_not_equal(one, other, DM_FLEET_HASH);
}


static void
digest_is(const dm_fleet_sum_t *sum, const char *digits)
{
    unsigned char  digest[DM_FLEET_HASH];

    assert_int_equal(dm_fleet_sum_digest(sum, digest), DM_OK);
    is_hex(digest, sizeof(digest), digits);
}


/* the figures are of another program, with the AES of openssl enc */
static void
test_sum(void **state)
{
    dm_fleet_t     *fleet;
    dm_fleet_sum_t  sum, other;

    static const char  *none = "486aa1f3c8032f36bcc2467012b629d9"
                               "06bb1be8b56996dea8f916cf8fea61e4";
    static const char  *two = "ab184a1cbc490fd318d4205ae23a17b7"
                              "635b74b7d282c917e715ef5a19bb03d4";

    (void) state;

    fleet = fleet_of(store_id, 1, 2);
    memset(&sum, 0, sizeof(sum));
    memset(&other, 0, sizeof(other));

    digest_is(&sum, none);
    assert_int_equal(dm_fleet_add(fleet->adder, &sum, str("one")), DM_OK);
    assert_int_equal(dm_fleet_add(fleet->adder, &sum, str("two")), DM_OK);
    digest_is(&sum, two);

    /* in whatever order, with others that come and go */

    assert_int_equal(dm_fleet_add(fleet->adder, &other, str("three")), DM_OK);
    assert_int_equal(dm_fleet_add(fleet->adder, &other, str("two")), DM_OK);
    assert_int_equal(dm_fleet_add(fleet->adder, &other, str("one")), DM_OK);
    assert_memory_not_equal(&sum, &other, sizeof(sum));
    assert_int_equal(dm_fleet_remove(fleet->adder, &other, str("three")),
                     DM_OK);
    assert_memory_equal(&sum, &other, sizeof(sum));

    /* one that is there twice is not one that is not there */

    assert_int_equal(dm_fleet_add(fleet->adder, &other, str("one")), DM_OK);
    assert_int_equal(dm_fleet_add(fleet->adder, &other, str("one")), DM_OK);
    assert_memory_not_equal(&sum, &other, sizeof(sum));

    assert_int_equal(dm_fleet_remove(fleet->adder, &sum, str("one")), DM_OK);
    assert_int_equal(dm_fleet_remove(fleet->adder, &sum, str("two")), DM_OK);
    digest_is(&sum, none);

    dm_fleet_free(fleet);
}


/* it is the same of whoever has the same root, whatever the store key */
static void
test_sum_of_keys(void **state)
{
    unsigned        i;
    dm_fleet_t     *fleet;
    dm_fleet_sum_t  sum[3];

    (void) state;

    memset(sum, 0, sizeof(sum));

    for (i = 0; i < 3; i++) {
        fleet = fleet_of(i < 2 ? store_id : root, (unsigned char) (i + 1), 2);
        assert_int_equal(dm_fleet_add(fleet->adder, &sum[i], str("one")),
                         DM_OK);
        dm_fleet_free(fleet);
    }

    assert_memory_equal(&sum[0], &sum[1], sizeof(sum[0]));
    assert_memory_not_equal(&sum[0], &sum[2], sizeof(sum[0]));
}


static void
test_sum_octets(void **state)
{
    unsigned        i;
    dm_fleet_sum_t  sum, other;
    unsigned char   octets[DM_FLEET_SUM_SIZE];

    (void) state;

    for (i = 0; i < DM_FLEET_LANES; i++) {
        sum.lane[i] = (uint16_t) (i * 259);
    }

    dm_fleet_sum_write(&sum, octets);
    assert_int_equal(octets[2], 3);
    assert_int_equal(octets[3], 1);

    dm_fleet_sum_read(&other, octets);
    assert_memory_equal(&sum, &other, sizeof(sum));
}


/* RFC 8032, 7.1, test 1: the public key of that seed */
static void
test_public(void **state)
{
    size_t              len;
    dm_key_t            seed, public;
    dm_fleet_signer_t  *signer;

    (void) state;

    strcpy(seed.id, "boss");
    assert_int_equal(dm_hex_read(str("9d61b19deffd5a60ba844af492ec2cc4"
                                     "4449c5697b326919703bac031cae7f60"),
                                 seed.key, DM_KEY_SIZE, &len),
                     DM_OK);

    signer = dm_fleet_signer_new(&seed);
    assert_non_null(signer);
    assert_int_equal(dm_fleet_signer_public(signer, &public), DM_OK);
    assert_string_equal(public.id, "boss");
    is_hex(public.key, DM_FLEET_PUBLIC, "d75a980182b10ab7d54bfed3c964073a"
                                        "0ee172f3daa62325af021a68f707511a");

    dm_fleet_signer_free(signer);
    dm_fleet_signer_free(NULL);
    dm_fleet_verifier_free(NULL);
}


static void
test_sign(void **state)
{
    size_t               i, len;
    dm_str_t             label, text, sign;
    dm_keys_t            keys;
    dm_fleet_signer_t   *signer, *other;
    unsigned char        out[DM_FLEET_SIGNED], more[DM_FLEET_SIGNED + 1];
    dm_fleet_verifier_t *verifier;

    (void) state;

    label = str("label");
    text = str("text");
    signer = fleet_signer(1);
    other = fleet_signer(2);

    /* it takes either of two keys, by their ids */

    memset(&keys, 0, sizeof(keys));
    keys.n = 2;
    assert_int_equal(dm_fleet_signer_public(other, &keys.key[0]), DM_OK);
    strcpy(keys.key[0].id, "before");
    assert_int_equal(dm_fleet_signer_public(signer, &keys.key[1]), DM_OK);
    verifier = dm_fleet_verifier_new(&keys);
    assert_non_null(verifier);

    assert_int_equal(dm_fleet_sign(signer, label, text, out, &len), DM_OK);
    assert_int_equal(len, 1 + 4 + DM_FLEET_SIGNATURE);
    sign = (dm_str_t) { out, len };

    assert_int_equal(dm_fleet_verify(verifier, label, text, sign), DM_OK);
    assert_int_equal(dm_fleet_verify(verifier, str("labels"), text, sign),
                     DM_DECLINED);
    assert_int_equal(dm_fleet_verify(verifier, label, str("next"), sign),
                     DM_DECLINED);

    for (i = 0; i < len; i++) {
        memcpy(more, out, len);
        more[i] ^= 1;
        assert_int_equal(dm_fleet_verify(verifier, label, text,
                                         (dm_str_t) { more, len }),
                         DM_DECLINED);
        assert_int_equal(dm_fleet_verify(verifier, label, text,
                                         (dm_str_t) { out, i }),
                         DM_DECLINED);
    }

    memcpy(more, out, len);
    more[len] = 0;
    assert_int_equal(dm_fleet_verify(verifier, label, text,
                                     (dm_str_t) { more, len + 1 }),
                     DM_DECLINED);

    /* the right id, and the key of another */

    assert_int_equal(dm_fleet_sign(other, label, text, out, &len), DM_OK);
    assert_int_equal(dm_fleet_verify(verifier, label, text, sign),
                     DM_DECLINED);

    dm_fleet_signer_free(signer);
    dm_fleet_signer_free(other);
    dm_fleet_verifier_free(verifier);
}


static void
test_pack(void **state)
{
    size_t          len, i;
    dm_err_t        err;
    dm_str_t        octets;
    dm_account_t    account;
    unsigned char   packed[DM_RECORD_MAX], again[DM_RECORD_MAX], *copy;

    (void) state;

    octets = fleet_account("IMEI:1", 7, packed);

    assert_int_equal(dm_account_unpack(&account, packed, octets.len, &err),
                     DM_OK);
    assert_int_equal(account.revision, 7);
    assert_int_equal(account.has_ha1[DM_MD5], 1);
    assert_int_equal(account.ha1[DM_MD5][15], 0xa5);
    assert_int_equal(dm_account_pack(&account, again, &len, &err), DM_OK);
    assert_true(dm_str_eq((dm_str_t) { again, len }, octets));

    account.state = (dm_state_t) 7;
    assert_int_equal(dm_account_pack(&account, again, &len, &err), DM_INVALID);

    for (i = 0; i < octets.len; i++) {
        copy = malloc(i > 0 ? i : 1);
        assert_non_null(copy);
        memcpy(copy, packed, i);
        assert_int_equal(dm_account_unpack(&account, copy, i, &err),
                         DM_INVALID);
        free(copy);
    }

    packed[octets.len] = 0;
    assert_int_equal(dm_account_unpack(&account, packed, octets.len + 1, &err),
                     DM_INVALID);

    packed[0]++;
    assert_int_equal(dm_account_unpack(&account, packed, octets.len, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "is not of version 1"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_sum_of_keys),
        cmocka_unit_test(test_sum_octets),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_sign),
        cmocka_unit_test(test_pack)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
