/* dm_hello: the server name of a ClientHello */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "dm_hello.h"


static int
servername(const char *ext, size_t len, char *name)
{
    int            rc;
    size_t         n;
    unsigned char  out[DM_SERVERNAME_MAX];

    n = 0;
    rc = dm_hello_servername((const unsigned char *) ext, len, out, &n);

    memcpy(name, out, rc == DM_OK ? n : 0);
    name[rc == DM_OK ? n : 0] = '\0';

    return rc;
}


static void
test_name(void **state)
{
    char  name[DM_SERVERNAME_MAX + 1];

    (void) state;

    assert_int_equal(servername("\0\7\0\0\4a.Eu", 9, name), DM_OK);
    assert_string_equal(name, "a.eu");

    assert_int_equal(servername("\0\10\0\0\5a.eu.", 10, name), DM_OK);
    assert_string_equal(name, "a.eu");

    assert_int_equal(servername("\0\10\0\0\5\303\244.eu", 10, name), DM_OK);
    assert_string_equal(name, "\303\244.eu");
}


static void
test_declined(void **state)
{
    char           name[DM_SERVERNAME_MAX + 1];
    unsigned char  ext[5 + 256];

    (void) state;

    /* another type, no name, only a dot, what is no plain host name */

    assert_int_equal(servername("\0\7\1\0\4a.eu", 9, name), DM_DECLINED);
    assert_int_equal(servername("\0\3\0\0\0", 5, name), DM_DECLINED);
    assert_int_equal(servername("\0\4\0\0\1.", 6, name), DM_DECLINED);
    assert_int_equal(servername("\0\7\0\0\4a\0eu", 9, name), DM_DECLINED);
    assert_int_equal(servername("\0\7\0\0\4a/eu", 9, name), DM_DECLINED);
    assert_int_equal(servername("\0\7\0\0\4:443", 9, name), DM_DECLINED);

    assert_int_equal(servername("\0\10\0\0\5a.eu:", 10, name), DM_DECLINED);
    assert_int_equal(servername("\0\10\0\0\5a..eu", 10, name), DM_DECLINED);
    assert_int_equal(servername("\0\10\0\0\5..aeu", 10, name), DM_DECLINED);
    assert_int_equal(servername("\0\11\0\0\6[a.eu]", 11, name), DM_DECLINED);
    assert_int_equal(servername("\0\10\0\0\5a.e]u", 10, name), DM_DECLINED);

    memset(ext, 'a', sizeof(ext));
    memcpy(ext, "\1\3\0\1\0", 5);

    assert_int_equal(servername((char *) ext, sizeof(ext), name),
                     DM_DECLINED);
}


static void
test_malformed(void **state)
{
    char    name[DM_SERVERNAME_MAX + 1];
    size_t  len;

    (void) state;

    for (len = 0; len < 9; len++) {
        assert_int_equal(servername("\0\7\0\0\4a.eu", len, name),
                         DM_INVALID);
    }

    assert_int_equal(servername("\0\7\0\0\5a.eu", 9, name), DM_INVALID);
    assert_int_equal(servername("\0\7\0\377\377a.eu", 9, name), DM_INVALID);
    assert_int_equal(servername("\0\6\0\0\4a.eu", 9, name), DM_INVALID);
}


static unsigned
highest(const char *ext, size_t len)
{
    return dm_hello_highest_version((const unsigned char *) ext, len);
}


static void
test_version(void **state)
{
    (void) state;

    assert_int_equal(highest("\2\3\3", 3), 0x0303);
    assert_int_equal(highest("\4\3\3\3\4", 5), 0x0304);
    assert_int_equal(highest("\6\x1a\x1a\3\4\3\3", 7), 0x0304);
    assert_int_equal(highest("\2\xfa\xfa", 3), 0);

    /* malformed: nothing, an odd number of octets, a wrong length */

    assert_int_equal(highest("", 0), 0);
    assert_int_equal(highest("\0", 1), 0);
    assert_int_equal(highest("\3\3\3\3", 4), 0);
    assert_int_equal(highest("\4\3\3", 3), 0);
}


static void
test_grease(void **state)
{
    (void) state;

    assert_int_equal(dm_hello_grease(0x0a0a), 1);
    assert_int_equal(dm_hello_grease(0xfafa), 1);
    assert_int_equal(dm_hello_grease(0x0a1a), 0);
    assert_int_equal(dm_hello_grease(0x1301), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_declined),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_grease),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
