/* Password hashes: verified, by hashes that others made */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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


static void
not_whole(const char *format, const char *text)
{
    char      hash[DM_CRYPT_MAX];
    dm_err_t  err;

    (void) snprintf(hash, sizeof(hash), format, text);

    if (dm_password_check(str(hash), &err) != DM_INVALID
        || strstr(err.text, "is not whole: no password would be right")
           == NULL)
    {
        fail_msg("%s: %s", hash, err.text);
    }
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


/*
 * By others than libcrypt: "openssl passwd -1" and "-5", and the "$2a$" of the
 * tests of Go's bcrypt.
 */
static void
test_others(void **state)
{
    size_t  i;

    static const struct {
        const char  *password;
        const char  *hash;
        const char  *scheme;
        int          weak;
    } made[] = {
        { "allmine", "$2a$10$XajjQvNhvvRt5GSeFk1xFe"
          "yqRrsxkhBkUiQeg0dt.wU1qD4aFDcga", "bcrypt", 0 },
        { "right", "$1$12345678$t7O7TYms508gCmv11WjZW/", "md5crypt", 1 },
        { "", "$1$ab$rn6aQS/o7141mj179E/zA.", "md5crypt", 1 },
        { "right", "$5$saltsalt$1"
          "aZ4x5UIV44zvNqrzDnvxkgrN1oqaxnEleT36Cwe2L9", "sha256crypt", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        assert_int_equal(dm_password_check(str(made[i].hash), NULL), DM_OK);
        assert_string_equal(dm_password_scheme(str(made[i].hash)),
                            made[i].scheme);
        assert_int_equal(dm_password_is_weak(str(made[i].hash)),
                         made[i].weak);
        assert_int_equal(verify(made[i].hash, str(made[i].password)), DM_OK);
        assert_int_equal(verify(made[i].hash, str("other")), DM_DECLINED);
    }
}


/* what is quickly tried: cost and rounds below the usual */
static void
test_weak(void **state)
{
    size_t  i;

    static const char *const  weak[] = {
        "$apr1$s$a", "$1$s$a", "{SHA}a", "{SSHA}a", "$2y$05$a", "$2a$09$a",
        "$2b$04$a", "$5$rounds=1000$s$a", "$6$rounds=4999$s$a"
    };

    static const char *const  strong[] = {
        "$2y$10$a", "$2a$12$a", "$5$s$a", "$6$s$a", "$5$rounds=5000$s$a",
        "$6$rounds=10000$s$a", "$y$j9T$s$a"
    };

    (void) state;

    for (i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
        assert_int_equal(dm_password_is_weak(str(weak[i])), 1);
    }

    for (i = 0; i < sizeof(strong) / sizeof(strong[0]); i++) {
        assert_int_equal(dm_password_is_weak(str(strong[i])), 0);
    }
}


/* each that other servers and systems have is named for what it is */
static void
test_foreign(void **state)
{
    size_t    i;
    dm_err_t  err;

    static const char  text22[] = "0123456789abcdefghijk.";
    static const char  text43[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF.";
    static const char  text53[] = "0123456789abcdefghijk.mnopqrstuvwxyzABCDEFGH"
                                  "IJKLMNOP.";

    static const struct {
        const char  *hash;
        const char  *named;
    } row[] = {
        { "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
          "is argon2id, which libxcrypt does not have" },
        { "$argon2i$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "is argon2i, which" },
        { "{SSHA256}aGFzaA==", "is LDAP's {SSHA256}" },
        { "{SSHA512}aGFzaA==", "is LDAP's {SSHA512}" },
        { "{SMD5}aGFzaA==", "is LDAP's {SMD5}" },
        { "{MD5}aGFzaA==", "is LDAP's {MD5}" },
        { "{CRYPT}$6$x", "is LDAP's {CRYPT}: write what is behind it" },
        { "{crypt}$6$x", "is LDAP's {CRYPT}: write what is behind it" },
        { "{sha}aGFzaA==", "write {SHA} in capitals" },
        { "rqXexS6ZhobKA", "is DES crypt" },
        { "_J9..rasmBYk8r9AiWNc", "is BSDi's DES crypt" },
        { "$2$04$a", "is bcrypt of an old kind" },
        { "$2x$04$a", "is bcrypt of an old kind" },
        { "$3$$8846f7eaee8fb117ad06bdd830b7586c", "is NTLM" },
        { "$1+ntlm$salt$a", "is lighttpd's NTLM" },
        { "$md5$rounds=904$salt$a", "is Sun's MD5 crypt" },
        { "$sha1$40000$jtNX3nZ2$a", "is NetBSD's SHA-1 crypt" },
        { "$P$BPlEzVqmQX3zp.", "is phpass" },
        { "$H$9abcdefg", "is phpass" },
        { "$S$Dabcdefg", "is Drupal's" },
        { "$pbkdf2-sha256$29000$salt$a", "is PBKDF2" },
        { "pbkdf2_sha256$29000$salt$a", "is Django's" },
        { "$scrypt$ln=16,r=8,p=1$a$b", "is scrypt" },
        { "$7$CU..../....salt$a", "is scrypt" },
        { "$gy$j9T$salt$a", "is gost-yescrypt" },
        { "5ebe2294ecd0e0f08eab7690d2a6ee69", "is 32 digits in hex" },
        { "!", "locks a user" },
        { "*", "locks a user" },
        { "!$6$salt$hunter2", "locks a user" },
        { "", "is missing" },
        { "hunter2", "of no kind that is known" },
        { "$99$hunter2", "of no kind that is known" }
    };

    (void) state;

    for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        assert_int_equal(dm_password_check(str(row[i].hash), &err),
                         DM_INVALID);

        if (strstr(err.text, row[i].named) == NULL
            || strstr(err.text, "hunter2") != NULL)
        {
            fail_msg("%s: %s", row[i].hash, err.text);
        }
    }

    /* what looks like one that is taken, and with which none would be right */

    not_whole("$1$%s", text22);
    not_whole("$1$123456789$%s", text22);
    not_whole("$1$12345678$%sx", text22);
    not_whole("$apr1$123456789$%s", text22);
    not_whole("$5$12345678901234567$%s", text43);
    not_whole("$5$rounds=999$salt$%s", text43);
    not_whole("$5$rounds=01000$salt$%s", text43);
    not_whole("$5$rounds=$salt$%s", text43);
    not_whole("$5$rounds=1000$a$b$%s", text43);
    not_whole("$5$sa lt$%s", text43);
    not_whole("$2a$03$%s", text53);
    not_whole("$2a$4$%s", text53);
    not_whole("$2a$004$%s", text53);
    not_whole("$2a$0x$%s", text53);
    not_whole("$2a$99$%s", text53);
}


/*
 * The last character of a hash, and that of bcrypt's salt, has bits that stand
 * for nothing, and are 0 in all that crypt(3) makes.
 */
static void
test_padding(void **state)
{
    char    hash[DM_CRYPT_MAX];
    size_t  i, last;

    static const char *const  settings[] = {
        "$1$salt$", "$5$rounds=1000$salt$", "$6$rounds=1000$salt$",
        "$2b$04$aaaaaaaaaaaaaaaaaaaaau", "$2y$04$aaaaaaaaaaaaaaaaaaaaa.",
        "$y$j75$salt"
    };

    (void) state;

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        (void) snprintf(hash, sizeof(hash), "%s", crypt("pw", settings[i]));

        if (dm_password_check(str(hash), NULL) != DM_OK
            || verify(hash, str("pw")) != DM_OK)
        {
            fail_msg("%s", hash);
        }

        last = strlen(hash) - 1;
        hash[last] = 'z';
        not_whole("%s", hash);
    }

    (void) snprintf(hash, sizeof(hash), "%s", crypt("pw", settings[3]));
    hash[sizeof("$2b$04$") - 1 + 21] = 'v';
    not_whole("%s", hash);
    not_whole("%s", "$apr1$salt$zhL9MYqZGdxa3Y56Tc6CYz");
}


/* those at the bounds, and what crypt_gensalt() makes of the next cost */
static void
test_costly(void **state)
{
    size_t  i;

    static const char *const  borne[] = {
        "$2b$14$aaaa", "$2y$04$aaaa", "$6$salt$aaaa", "$6$rounds=1000000$s$a",
        "$6$rounds=$s$a", "$y$j9T$salt$a", "$y$jCT$salt$a", "$y$j75$salt$a",
        "$apr1$salt$a", "{SHA}a", "{SSHA}a", "$6$", "$2b$", "$2a$14$aaaa",
        "$5$salt$a", "$5$rounds=1000000$s$a", "$5$", "$1$s$a", "$2a$"
    };

    static const char *const  costly[] = {
        "$2b$15$aaaa", "$2y$31$aaaa", "$2b$99$aaaa", "$6$rounds=1000001$s$a",
        "$6$rounds=4294967297$s$a", "$6$rounds=18446744073709551617$s$a",
        "$2a$15$aaaa", "$5$rounds=1000001$s$a", "$5$rounds=4294967297$s$a",
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
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_weak),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_costly),
        cmocka_unit_test(test_crypt)
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
