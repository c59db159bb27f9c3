/* dm_psk: the mark that a TLS session has of its pre-shared key */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dm_psk.h"
#include "str.h"


#define KEY  "0123456789abcdef"

/* printf 'ngx_dm_sec psk:store\0\0\0\0\0\0\0\0\0\0\0:KEY' | sha256sum */
#define TAG  "\xf4\x29\x4a\x90\x56\x18\xd2\x5a"                               \
             "\x94\xb1\x05\xea\xa1\x81\xba\xf1"


static const unsigned char  store_id[DM_STORE_ID_SIZE] = "store";


static dm_account_t
account(void)
{
    dm_account_t  account;

    memset(&account, 0, sizeof(account));

    account.npsks = 2;
    account.psk[0] = (dm_psk_t) { str("old"), str(KEY) };
    account.psk[1] = (dm_psk_t) { str("new"), str(KEY KEY) };

    return account;
}


/* the mark of one of the account's keys */
static size_t
mark_of(unsigned i, unsigned char *out)
{
    size_t        len;
    dm_account_t  a;

    a = account();
    assert_int_equal(dm_psk_mark(&a.psk[i], store_id, out, &len), DM_OK);

    return len;
}


static void
test_find(void **state)
{
    dm_account_t  a;

    (void) state;

    a = account();

    assert_ptr_equal(dm_psk_find(&a, str("old")), &a.psk[0]);
    assert_ptr_equal(dm_psk_find(&a, str("new")), &a.psk[1]);
    assert_null(dm_psk_find(&a, str("ol")));
    assert_null(dm_psk_find(&a, str("old ")));
    assert_null(dm_psk_find(&a, str("")));

    a.npsks = 1;
    assert_null(dm_psk_find(&a, str("new")));
}


static void
test_mark(void **state)
{
    size_t         len;
    unsigned char  out[DM_PSK_MARK_MAX];
    dm_psk_mark_t  mark;

    (void) state;

    len = mark_of(0, out);
    assert_int_equal(len, 1 + DM_PSK_TAG_SIZE + 3);
    assert_int_equal(out[0], 1);
    assert_memory_equal(out + 1, TAG, DM_PSK_TAG_SIZE);
    assert_memory_equal(out + 1 + DM_PSK_TAG_SIZE, "old", 3);

    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_OK);
    assert_true(dm_str_eq(mark.identity, str("old")));
    assert_ptr_equal(mark.tag, out + 1);
}


static void
test_longest(void **state)
{
    size_t         len;
    char           identity[DM_PSK_IDENTITY_MAX];
    unsigned char  out[DM_PSK_MARK_MAX];
    dm_psk_mark_t  mark;
    dm_account_t   a;

    (void) state;

    a = account();
    memset(identity, 'x', sizeof(identity));
    a.psk[0].identity = (dm_str_t) { (unsigned char *) identity,
                                     sizeof(identity) };
    a.psk[0].key = str(KEY KEY KEY KEY);

    assert_int_equal(dm_psk_mark(&a.psk[0], store_id, out, &len), DM_OK);
    assert_int_equal(len, sizeof(out));
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_OK);
    assert_int_equal(dm_psk_match(&mark, &a, store_id), DM_OK);
}


/* what no version of ours wrote */
static void
test_malformed(void **state)
{
    size_t         len, i;
    unsigned char  out[DM_PSK_MARK_MAX + 1];
    dm_psk_mark_t  mark;

    (void) state;

    len = mark_of(0, out);

    for (i = 0; i <= 1 + DM_PSK_TAG_SIZE; i++) {
        assert_int_equal(dm_psk_read_mark(&mark, out, i), DM_INVALID);
    }

    assert_int_equal(dm_psk_read_mark(&mark, out, i), DM_OK);

    out[0] = 2;
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_INVALID);
    out[0] = 0;
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_INVALID);
    out[0] = 1;

    out[len - 1] = '\n';
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_INVALID);
    out[len - 1] = 0xff;
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_INVALID);

    memset(out + 1, 'x', sizeof(out) - 1);
    assert_int_equal(dm_psk_read_mark(&mark, out, sizeof(out)), DM_INVALID);
    assert_int_equal(dm_psk_read_mark(&mark, out, sizeof(out) - 1), DM_OK);
}


static void
test_match(void **state)
{
    size_t         len;
    unsigned char  out[DM_PSK_MARK_MAX], other[DM_STORE_ID_SIZE];
    dm_psk_mark_t  mark;
    dm_account_t   a;

    (void) state;

    a = account();
    len = mark_of(1, out);
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_OK);
    assert_int_equal(dm_psk_match(&mark, &a, store_id), DM_OK);

    memcpy(other, store_id, sizeof(other));
    other[15] = 1;
    assert_int_equal(dm_psk_match(&mark, &a, other), DM_DECLINED);

    a.psk[1].key = str(KEY KEY "x");
    assert_int_equal(dm_psk_match(&mark, &a, store_id), DM_DECLINED);

    /* the key of the account's other identity is not this one's */

    a.psk[0].key = str(KEY KEY);
    assert_int_equal(dm_psk_match(&mark, &a, store_id), DM_DECLINED);

    a.npsks = 1;
    assert_int_equal(dm_psk_match(&mark, &a, store_id), DM_DECLINED);

    a = account();
    out[DM_PSK_TAG_SIZE] ^= 1;
    assert_int_equal(dm_psk_read_mark(&mark, out, len), DM_OK);
    assert_int_equal(dm_psk_match(&mark, &a, store_id), DM_DECLINED);
}


/* RFC 8446, 4.2.11: the identities of a pre_shared_key extension */
static void
test_offered(void **state)
{
    size_t  i;

    /* a ticket, then a key, then what proves them */
    static const unsigned char  both[] = "\0\x18"
        "\0\x05\x01\xff\xfe\xfd\x02" "\1\2\3\4"
        "\0\x07IMEI:-1" "\0\0\0\0"
        "\0\x03\x02zz";

    static const unsigned char  ticket[] = "\0\x0b"
        "\0\x05\x01\xff\xfe\xfd\x02" "\1\2\3\4"
        "\0\x02\x01z";

    static const unsigned char  key[] = "\0\x07" "\0\x01x" "\0\0\0\0";

    static const unsigned char  empty[] = "\0\x06" "\0\0" "\0\0\0\0";

    (void) state;

    assert_int_equal(dm_psk_offered(both, sizeof(both) - 1), 1);
    assert_int_equal(dm_psk_offered(ticket, sizeof(ticket) - 1), 0);
    assert_int_equal(dm_psk_offered(key, sizeof(key) - 1), 1);
    assert_int_equal(dm_psk_offered(empty, sizeof(empty) - 1), 0);

    /* cut off */

    for (i = 0; i < 2 + 0x18; i++) {
        assert_int_equal(dm_psk_offered(both, i), 0);
    }

    assert_int_equal(dm_psk_offered(both, i), 1);

    for (i = 0; i < sizeof(key) - 1; i++) {
        assert_int_equal(dm_psk_offered(key, i), 0);
    }

    /* an identity longer than the list, one without its age */

    assert_int_equal(dm_psk_offered((const unsigned char *)
                                    "\0\x07" "\0\x02x" "\0\0\0\0\0", 10),
                     0);
    assert_int_equal(dm_psk_offered((const unsigned char *)
                                    "\0\x06" "\0\x01x" "\0\0\0\0\0", 10),
                     0);
}


static int
setup(void **state)
{
    (void) state;

    return dm_digest_init(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_offered)
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
