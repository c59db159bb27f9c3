/* Device identities */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dm_devid.h"
#include "str.h"


static void
check(const char *in, const char *out, size_t scheme)
{
    unsigned char  buf[DM_DEVID_MAX];

    assert_int_equal(dm_devid_canonical(str(in), buf), DM_OK);
    assert_memory_equal(buf, out, strlen(out));
    assert_int_equal(strlen(in), strlen(out));
    assert_int_equal(dm_devid_scheme(str(in)), scheme);
}


static void
test_scheme_in_one_case(void **state)
{
    (void) state;

    check("IMEI:493005100592800", "IMEI:493005100592800", 5);
    check("imei:493005100592800", "IMEI:493005100592800", 5);
    check("iMeI:4aB", "IMEI:4aB", 5);
    check("esn:7F0123aB", "ESN:7F0123aB", 4);
    check("Meid:a0000000002329", "MEID:a0000000002329", 5);
    check("URN:UUID:F81D4FAE-7dec", "urn:uuid:F81D4FAE-7dec", 9);
    check("imei:", "IMEI:", 5);
}


static void
test_opaque_stays(void **state)
{
    (void) state;

    check("device-1", "device-1", 0);
    check("IMEI", "IMEI", 0);
    check("imei;1", "imei;1", 0);
    check(" imei:1", " imei:1", 0);
    check("urn:oma:1", "urn:oma:1", 0);
    check("\xc3\xa9\xff", "\xc3\xa9\xff", 0);
}


static void
test_refused(void **state)
{
    char           big[DM_DEVID_MAX + 2];
    unsigned       c;
    unsigned char  buf[DM_DEVID_MAX];

    (void) state;

    assert_int_equal(dm_devid_canonical(str(""), buf), DM_INVALID);
    assert_int_equal(dm_devid_scheme(str("")), 0);

    memset(big, 'a', sizeof(big));

    assert_int_equal(dm_devid_canonical((dm_str_t) { (unsigned char *) big,
                                                     DM_DEVID_MAX }, buf),
                     DM_OK);
    assert_int_equal(dm_devid_canonical((dm_str_t) { (unsigned char *) big,
                                                     DM_DEVID_MAX + 1 }, buf),
                     DM_INVALID);

    for (c = 0; c < 0x100; c++) {
        big[5] = (char) c;

        assert_int_equal(dm_devid_canonical((dm_str_t) {
                                                (unsigned char *) big, 6 },
                                            buf),
                         (c < 0x20 || c == 0x7f) ? DM_INVALID : DM_OK);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_scheme_in_one_case),
        cmocka_unit_test(test_opaque_stays),
        cmocka_unit_test(test_refused)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
