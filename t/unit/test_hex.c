/* Octets as hexadecimal digits, and back */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dm_hex.h"
#include "str.h"


static void
test_write(void **state)
{
    unsigned char        out[6];
    const unsigned char  octets[] = { 0x00, 0x9a, 0xff };

    (void) state;

    assert_int_equal(dm_hex_write((dm_str_t) { octets, 3 }, out), 6);
    assert_memory_equal(out, "009aff", 6);
    assert_int_equal(dm_hex_write((dm_str_t) { octets, 0 }, out), 0);
    assert_memory_equal(out, "009aff", 6);
    assert_int_equal(dm_hex_digit(10), 'a');
}


/* each octet, at each place of what is written at once, and beside the end */
static void
test_write_all(void **state)
{
    char           expected[2 * 9 + 1];
    size_t         len, i;
    unsigned       octet;
    unsigned char  octets[9], out[2 * 9 + 1];

    (void) state;

    for (octet = 0; octet < 256; octet++) {

        for (len = 1; len <= sizeof(octets); len++) {
            memset(out, '#', sizeof(out));

            for (i = 0; i < len; i++) {
                octets[i] = (unsigned char) (octet + i * 37);
                (void) snprintf(expected + 2 * i, 3, "%02x", octets[i]);
            }

            assert_int_equal(dm_hex_write((dm_str_t) { octets, len }, out),
                             2 * len);
            assert_memory_equal(out, expected, 2 * len);
            assert_int_equal(out[2 * len], '#');
        }
    }
}


static void
test_read(void **state)
{
    size_t         len;
    unsigned char  out[3];

    (void) state;

    assert_int_equal(dm_hex_read(str("009aFf"), out, 3, &len), DM_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(out, "\x00\x9a\xff", 3);

    assert_int_equal(dm_hex_read(str(""), out, 3, &len), DM_OK);
    assert_int_equal(len, 0);

    assert_int_equal(dm_hex_read(str("009aff"), out, 2, &len), DM_INVALID);
    assert_int_equal(dm_hex_read(str("009"), out, 3, &len), DM_INVALID);
    assert_int_equal(dm_hex_read(str("0g"), out, 3, &len), DM_INVALID);
    assert_int_equal(dm_hex_read(str("g0"), out, 3, &len), DM_INVALID);
    assert_int_equal(dm_hex_read(str("0x"), out, 3, &len), DM_INVALID);
    assert_int_equal(dm_hex_read(str("0:"), out, 3, &len), DM_INVALID);
}


static void
test_octet(void **state)
{
    unsigned       i, valid;
    unsigned char  pair[2];

    (void) state;

    assert_int_equal(dm_hex_octet(str("7f").data), 0x7f);
    assert_int_equal(dm_hex_octet(str("F7").data), 0xf7);

    /* 22 digits, in either place */

    for (valid = 0, i = 0; i < 0x10000; i++) {
        pair[0] = (unsigned char) (i >> 8);
        pair[1] = (unsigned char) i;
        valid += dm_hex_octet(pair) >= 0;
    }

    assert_int_equal(valid, 22 * 22);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_write_all),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_octet)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
