/* Password hashes: verified, by hashes that others made */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <crypt.h>

#include <cmocka.h>

#include "dm_digest.h"
#include "dm_password.h"
#include "str.h"


static int
verify(const char *hash, dm_str_t password)
{
    int       rc;
    dm_err_t  err = { "" };

    rc = dm_password_verify(str(hash), password, &err);

    assert_int_equal(rc == DM_OK, err.text[0] == '\0');

    return rc;
}


/* by "openssl passwd -apr1 -salt SALT kkk...", which takes up to 256 octets */
static void
test_apr1(void **state)
{
    size_t         i;
    unsigned char  password[DM_PASSWORD_MAX];

    static const struct {
        size_t       len;
        const char  *hash;
    } made[] = {
        { 0, "$apr1$salt0$iWB3nQOMHme49rgn2v0yf." },
        { 1, "$apr1$salt1$T4iscrQ46nymOLYVgB8bA." },
        { 15, "$apr1$salt15$i/HCZJekLMPoTzhTpMaFc." },
        { 16, "$apr1$salt16$.T3JUF7t2Lq8FO5f5b.5g/" },
        { 17, "$apr1$salt17$AdMedyk1FWInQhOkb5qEo1" },
        { 33, "$apr1$salt33$8tY8Aw4GgJbr4CCEyTPMS0" },
        { 256, "$apr1$salt511$24DOgcx0IgRuzbbvhbC2R1" }
    };

    (void) state;

    memset(password, 'k', sizeof(password));

    for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        assert_int_equal(verify(made[i].hash,
                                (dm_str_t) { password, made[i].len }), DM_OK);
        assert_int_equal(verify(made[i].hash, str("other")), DM_DECLINED);
    }

    /* the longest salt, none, and more than it may be */

    assert_int_equal(verify("$apr1$ab$eIePjsejfBGR8ITtu2z0U1", str("x")),
                     DM_OK);
    assert_int_equal(verify("$apr1$$jYtXyIcDHukcQfHjblNhq/", str("x")),
                     DM_OK);
    assert_int_equal(verify("$apr1$12345678$ZB1vyDV5V.sOKjJ6rQyTE1",
                            (dm_str_t) { password, 40 }), DM_DECLINED);
    memset(password, 'a', sizeof(password));
    assert_int_equal(verify("$apr1$12345678$ZB1vyDV5V.sOKjJ6rQyTE1",
                            (dm_str_t) { password, 40 }), DM_OK);

    assert_int_equal(verify("$apr1$123456789$ZB1vyDV5V.sOKjJ6rQyTE1",
                            str("x")), DM_ERROR);
    assert_int_equal(verify("$apr1$ab$eIePjsejfBGR8ITtu2z0U", str("x")),
                     DM_ERROR);
    assert_int_equal(verify("$apr1$ab$eIePjsejfBGR8ITtu2z0U1x", str("x")),
                     DM_ERROR);
    assert_int_equal(verify("$apr1$ab", str("x")), DM_ERROR);
    assert_int_equal(verify("$apr1$", str("x")), DM_ERROR);
}


static void
test_sha(void **state)
{
    (void) state;

    assert_int_equal(verify("{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=", str("pw")),
                     DM_OK);
    assert_int_equal(verify("{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM=", str("pW")),
                     DM_DECLINED);
    assert_int_equal(verify("{SSHA}K/qCHdTzr1rftXNEV4Ob7XsySBlzYWx0",
                            str("pw")), DM_OK);
    assert_int_equal(verify("{SSHA}K/qCHdTzr1rftXNEV4Ob7XsySBlzYWx0",
                            str("pwsalt")), DM_DECLINED);
    assert_int_equal(verify("{SHA}GpHWL3ymc5liWkNopqtdSg==", str("pw")),
                     DM_ERROR);
    assert_int_equal(verify("{SHA}", str("")), DM_ERROR);
}


/* those at the bounds, and what crypt_gensalt() makes of the next cost */
static void
test_costly(void **state)
{
    size_t  i;

    static const char *const  borne[] = {
        "$2b$14$aaaa", "$2y$04$aaaa", "$6$salt$aaaa", "$6$rounds=1000000$s$a",
        "$6$rounds=$s$a", "$y$j9T$salt$a", "$y$jCT$salt$a", "$y$j75$salt$a",
        "$apr1$salt$a", "{SHA}a", "{SSHA}a", "$6$", "$2b$"
    };

    static const char *const  costly[] = {
        "$2b$15$aaaa", "$2y$31$aaaa", "$2b$99$aaaa", "$6$rounds=1000001$s$a",
        "$6$rounds=4294967297$s$a", "$6$rounds=18446744073709551617$s$a",
        "$y$jDT$salt$a", "$y$jFT$salt$a", "$y$jzT$salt$a", "$y$jCU$salt$a",
        "$y$j9T0.$salt$a", "$y$j9zz$salt$a", "$y$j!T$salt$a", "$y$j9", "$y$"
    };

    (void) state;

    for (i = 0; i < sizeof(borne) / sizeof(borne[0]); i++) {
        assert_int_equal(dm_password_is_costly(str(borne[i])), 0);
    }

    for (i = 0; i < sizeof(costly) / sizeof(costly[0]); i++) {
        assert_int_equal(dm_password_is_costly(str(costly[i])), 1);
    }
}


/* of libcrypt, which takes DM_PASSWORD_MAX octets and fails with one more */
static void
test_crypt(void **state)
{
    char        password[DM_PASSWORD_MAX + 2];
    const char *hash;

    (void) state;

    memset(password, 'k', sizeof(password));
    password[DM_PASSWORD_MAX] = '\0';

    hash = crypt(password, "$6$rounds=1000$saltsalt");
    assert_non_null(hash);
    assert_int_equal(verify(hash, str(password)), DM_OK);

    password[DM_PASSWORD_MAX - 1] = 'l';
    assert_int_equal(verify(hash, str(password)), DM_DECLINED);

    /* not what it begins with */

    memset(password, 'k', sizeof(password));
    assert_int_equal(verify(hash, (dm_str_t) { (unsigned char *) password,
                                               DM_PASSWORD_MAX + 1 }),
                     DM_DECLINED);

    assert_int_equal(verify("$nothing$x", str("x")), DM_ERROR);
    assert_int_equal(verify("", str("x")), DM_ERROR);
    assert_int_equal(verify("{PLAIN}x", str("x")), DM_ERROR);
}


static int
init(void **state)
{
    (void) state;

    return dm_digest_init(NULL) != DM_OK;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_apr1),
        cmocka_unit_test(test_sha),
        cmocka_unit_test(test_costly),
        cmocka_unit_test(test_crypt)
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
