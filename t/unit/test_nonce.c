/* dm_nonce: nonces that are known again, and the counts of each */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dm_nonce.h"


static const unsigned char  node[DM_NONCE_NODE] = "node";
static const unsigned char  alice[DM_NONCE_ACCOUNT] = "alice's.";


static dm_nonce_random_t  drawn;


static dm_mac_t *
mac_new(const char *secret)
{
    dm_mac_t       *mac;
    unsigned char   key[DM_MAC_SIZE];

    memset(key, 0, sizeof(key));
    memcpy(key, secret, strlen(secret));

    mac = dm_mac_new(key);
    assert_non_null(mac);

    return mac;
}


static void
test_made_and_opened(void **state)
{
    size_t         i;
    dm_mac_t      *mac;
    dm_str_t       value;
    dm_nonce_t     nonce, again;
    unsigned char  text[DM_NONCE_LEN], other[DM_NONCE_LEN];

    (void) state;

    mac = mac_new("secret");
    value = (dm_str_t) { text, sizeof(text) };

    assert_int_equal(dm_nonce_make(mac, &drawn, node, 1234567890123, NULL,
                                   text),
                     DM_OK);
    assert_int_equal(dm_nonce_open(mac, value, &nonce), DM_OK);
    assert_int_equal(nonce.issued, 1234567890123);
    assert_int_equal(nonce.bound, 0);

    for (i = 0; i < DM_NONCE_LEN; i++) {
        assert_non_null(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                               "qrstuvwxyz0123456789+/", text[i]));
    }

    /* the same nonce has the same place, another one has its own */

    assert_int_equal(dm_nonce_open(mac, value, &again), DM_OK);
    assert_memory_equal(&nonce.slot, &again.slot, sizeof(again.slot));

    assert_int_equal(dm_nonce_make(mac, &drawn, node, 1234567890123, NULL,
                                   other),
                     DM_OK);
    assert_memory_not_equal(text, other, sizeof(text));
    value.data = other;
    assert_int_equal(dm_nonce_open(mac, value, &again), DM_OK);
    assert_memory_not_equal(&nonce.slot, &again.slot, sizeof(again.slot));

    /* one for an account is another one each time, too */

    assert_int_equal(dm_nonce_make(mac, &drawn, node, 2, alice, text), DM_OK);
    assert_int_equal(dm_nonce_make(mac, &drawn, node, 2, alice, other), DM_OK);
    assert_memory_not_equal(text, other, sizeof(text));
    assert_int_equal(dm_nonce_open(mac, value, &again), DM_OK);
    assert_int_equal(again.issued, 2);
    assert_int_equal(again.bound, 1);
    assert_memory_equal(again.account, alice, sizeof(alice));

    dm_mac_free(mac);
}


/* random octets are fetched for several: no two nonces have the same */
static void
test_drawn(void **state)
{
    size_t         i, j;
    dm_mac_t      *mac;
    unsigned char  text[200][DM_NONCE_LEN];

    (void) state;

    mac = mac_new("secret");

    for (i = 0; i < 200; i++) {
        assert_int_equal(dm_nonce_make(mac, &drawn, node, 1, NULL, text[i]),
                         DM_OK);

        for (j = 0; j < i; j++) {
            assert_memory_not_equal(text[i], text[j], DM_NONCE_LEN);
        }

        /* and what is used is wiped */

        assert_int_equal(drawn.octets[drawn.left], 0);
        assert_int_equal(drawn.octets[sizeof(drawn.octets) - 1], 0);
    }

    dm_mac_free(mac);
}


static void
test_not_ours(void **state)
{
    size_t         i, n;
    dm_mac_t      *mac, *other;
    dm_str_t       value;
    dm_nonce_t     nonce;
    unsigned char  text[DM_NONCE_LEN], changed[DM_NONCE_LEN + 4];

    static const unsigned char  wrong[] = { 'A', '=', '\n', '\0', ' ' };

    (void) state;

    mac = mac_new("secret");
    other = mac_new("another");

    assert_int_equal(dm_nonce_make(mac, &drawn, node, 1, NULL, text), DM_OK);

    value = (dm_str_t) { text, sizeof(text) };
    assert_int_equal(dm_nonce_open(other, value, &nonce), DM_DECLINED);

    /* each single character counts */

    value.data = changed;

    for (i = 0; i < DM_NONCE_LEN; i++) {
        for (n = 0; n < sizeof(wrong); n++) {
            memcpy(changed, text, sizeof(text));
            changed[i] = (text[i] == wrong[n]) ? 'B' : wrong[n];

            assert_int_equal(dm_nonce_open(mac, value, &nonce), DM_DECLINED);
        }
    }

    memcpy(changed, text, sizeof(text));
    memcpy(changed + sizeof(text), "AAAA", 4);

    for (i = 0; i < sizeof(changed); i++) {
        value.len = i;
        assert_int_equal(dm_nonce_open(mac, value, &nonce),
                         i == DM_NONCE_LEN ? DM_OK : DM_DECLINED);
    }

    dm_mac_free(mac);
    dm_mac_free(other);
}


static void
test_counts(void **state)
{
    dm_nonce_counts_t  counts;

    (void) state;

    dm_nonce_first(&counts, 5);

    assert_int_equal(dm_nonce_use(&counts, 5), DM_DECLINED);

    /* the first one need not be the lowest */

    assert_int_equal(dm_nonce_use(&counts, 3), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 3), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_DECLINED);

    /* far ahead: what is at the window's end is still good, once */

    assert_int_equal(dm_nonce_use(&counts, 1000), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 1000 - 128), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 1000 - 127), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 1000 - 127), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 6), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_DECLINED);

    /* by exactly the window, and one less */

    dm_nonce_first(&counts, 1);
    assert_int_equal(dm_nonce_use(&counts, 129), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 2), DM_OK);

    dm_nonce_first(&counts, 1);
    assert_int_equal(dm_nonce_use(&counts, 128), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_DECLINED);

    /* the last one that there is */

    assert_int_equal(dm_nonce_use(&counts, 0xffffffff), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 0xffffffff), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 0xfffffffe), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_DECLINED);
}


/* 0 is a count like any other */
static void
test_count_of_zero(void **state)
{
    unsigned           i;
    dm_nonce_counts_t  counts;

    static const uint32_t  higher[] = { 1, 5, 126, 127 };
    static const uint32_t  too_high[] = { 128, 129, 1000, 0xffffffff };

    (void) state;

    /* the first one */

    dm_nonce_first(&counts, 0);
    assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 1), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 127), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 128), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 128), DM_DECLINED);
    assert_int_equal(dm_nonce_use(&counts, 0xffffffff), DM_OK);
    assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);

    /* a late one */

    for (i = 0; i < sizeof(higher) / sizeof(higher[0]); i++) {
        dm_nonce_first(&counts, higher[i]);
        assert_int_equal(dm_nonce_use(&counts, 0), DM_OK);
        assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);
        assert_int_equal(dm_nonce_use(&counts, higher[i]), DM_DECLINED);
    }

    for (i = 0; i < sizeof(too_high) / sizeof(too_high[0]); i++) {
        dm_nonce_first(&counts, too_high[i]);
        assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);

        dm_nonce_first(&counts, 0);
        assert_int_equal(dm_nonce_use(&counts, too_high[i]), DM_OK);
        assert_int_equal(dm_nonce_use(&counts, 0), DM_DECLINED);
    }
}


/* against the plain list of all that was used */
static void
test_counts_at_random(void **state)
{
    int                 expected;
    uint32_t            nc, highest;
    unsigned            n;
    dm_nonce_counts_t   counts;

    static unsigned char  used[200000];

    (void) state;

    srandom(1);

    highest = 0;
    used[highest] = 1;
    dm_nonce_first(&counts, highest);

    for (n = 0; n < 100000 && highest < sizeof(used) - 400; n++) {
        nc = highest + (uint32_t) random() % 160 + 1;
        nc -= nc > 150 ? 150 : nc;

        if (random() % 100 == 0) {
            nc += 200;
        }

        expected = used[nc] || nc + DM_NONCE_WINDOW <= highest ? DM_DECLINED
                                                               : DM_OK;
        assert_int_equal(dm_nonce_use(&counts, nc), expected);

        used[nc] = 1;
        highest = nc > highest ? nc : highest;
    }

    assert_true(n > 1000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_made_and_opened),
        cmocka_unit_test(test_drawn),
        cmocka_unit_test(test_not_ours),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_count_of_zero),
        cmocka_unit_test(test_counts_at_random)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
