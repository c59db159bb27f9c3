/* Versions: what is read as one, and which is older */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "dm_version.h"


static void
reads(const char *octets, size_t len, const char *expected)
{
    char  version[DM_VERSION_MAX + 1];

    dm_version_read(version, (dm_str_t) { (const unsigned char *) octets,
                                          len });
    assert_string_equal(version, expected);
}


static void
test_read(void **state)
{
    (void) state;

    reads("", 0, "");
    reads("1.2.3", 5, "1.2.3");
    reads("1.2.3~rc1+b-2", 13, "1.2.3~rc1+b-2");
    reads("09azAZ.+~-", 10, "09azAZ.+~-");
    reads("1.23", 3, "1.2");
    reads("1/", 2, "1");
    reads("1:", 2, "1");
    reads("1`", 2, "1");
    reads("1{", 2, "1");
    reads("1@", 2, "1");
    reads("1[", 2, "1");
    reads("1.2.3\0more", 10, "1.2.3");
    reads("1.2.3 more", 10, "1.2.3");
    reads("1.2\n", 4, "1.2");
    reads("\x1b[2J", 4, "");
    reads("1\xc3\xa9", 3, "1");
    reads("123456789012345", 15, "123456789012345");
    reads("1234567890123456", 16, "123456789012345");
}


static void
test_compare(void **state)
{
    char      text[64];
    unsigned  a, b, c;

    (void) state;

    assert_int_equal(sscanf(DM_VERSION, "%u.%u.%u", &a, &b, &c), 3);

    assert_int_equal(dm_version_compare(DM_VERSION), 0);
    assert_true(dm_version_compare("") < 0);
    assert_true(dm_version_compare("0.1.0") < 0);
    assert_true(dm_version_compare("0.0.99999999999999") < 0);
    assert_true(dm_version_compare("nonsense") < 0);
    assert_true(dm_version_compare(DM_VERSION "~rc1") < 0);
    assert_true(dm_version_compare("9999.0.0") > 0);

    sprintf(text, "%u.%u.%u", a, b, c + 1);
    assert_true(dm_version_compare(text) > 0);
    sprintf(text, "%u.%u.0", a, b + 1);
    assert_true(dm_version_compare(text) > 0);
    sprintf(text, "%u.%u", a, b + 10);
    assert_true(dm_version_compare(text) > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_compare)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
