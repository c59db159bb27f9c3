/* Passwords and pre-shared keys: read, made, hashed, verified */

#define _GNU_SOURCE

#include <crypt.h>
#include <dlfcn.h>

#include <openssl/rand.h>

#include "io_fixture.h"

#include "common/secret.h"


#define REALM    "http-auth@example.org"
#define CIRCLE   "Circle of Life"
#define BASE32   "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

/* of that password, made by openssl passwd */
#define APR1     "$apr1$salt$zhL9MYqZGdxa3Y56Tc6CY0"


static dm_secret_t    secret;
static dm_account_t   account;
static int            no_random;
static int            no_salt;
static unsigned       random_asked;


/* these stand before those of the libraries */

char *
crypt_gensalt_rn(const char *prefix, unsigned long count, const char *octets,
    int n, char *out, int size)
{
    static char  *(*next)(const char *, unsigned long, const char *, int,
                          char *, int);

    *(void **) &next = dlsym(RTLD_NEXT, "crypt_gensalt_rn");

    return no_salt ? NULL : next(prefix, count, octets, n, out, size);
}


int
RAND_priv_bytes(unsigned char *buf, int n)
{
    random_asked += (unsigned) n;

    return no_random ? 0 : RAND_bytes(buf, n);
}


static void
secret_is(const char *text)
{
    dm_secret_t  *got;

    got = &secret;
    assert_int_equal(got->len, strlen(text));
    assert_string_equal((char *) got->data, text);
}


static int
read_password(const char *octets, size_t len)
{
    file_of(octets, len);
    memset(&secret, 0xaa, sizeof(secret));
    err.text[0] = '\0';

    return dm_secret_read_password(path, &secret, &err);
}


static int
read_text(const char *text)
{
    return read_password(text, strlen(text));
}


static int
read_psk(const char *text)
{
    file(text);
    memset(&secret, 0xaa, sizeof(secret));
    err.text[0] = '\0';

    return dm_secret_read_psk(path, &secret, &err);
}


/* one newline is an editor's, not the secret's */
static void
test_read_password(void **state)
{
    (void) state;

    assert_int_equal(read_text("secret"), DM_OK);
    secret_is("secret");
    assert_int_equal(read_text("secret\n"), DM_OK);
    secret_is("secret");
    assert_int_equal(read_text("secret\r\n"), DM_OK);
    secret_is("secret");
    assert_int_equal(read_text(" d\xc3\xa9v \n"), DM_OK);
    secret_is(" d\xc3\xa9v ");
    assert_int_equal(read_text("x"), DM_OK);
    secret_is("x");

    /* what an editor of Windows writes */
    assert_int_equal(read_text("\xef\xbb\xbfsecret\r\n"), DM_OK);
    secret_is("secret");

    /* and DOS, behind a file; elsewhere it is a control character */
    assert_int_equal(read_text("secret\r\n\x1a"), DM_OK);
    secret_is("secret");
    assert_int_equal(read_text("secret\x1a\x1a"), DM_OK);
    secret_is("secret");
    assert_int_equal(read_text("sec\x1aret"), DM_INVALID);
    assert_int_equal(read_text("secret\x1a\r\n"), DM_INVALID);
    err_has("the password has a control character at octet 7");
    assert_int_equal(read_text("\x1a"), DM_INVALID);
    err_has("the password is empty");

    assert_int_equal(read_password("\xff\xfes\0e\0", 6), DM_INVALID);
    err_has("UTF-16 is not read: save \"");
    err_has(path);
    assert_int_equal(read_password("\xfe\xff\0s\0e", 6), DM_INVALID);
    err_has("UTF-16");
    assert_int_equal(read_password("s\0e\0", 4), DM_INVALID);
    err_has("UTF-16");
    assert_int_equal(read_text("\xef\xbb\xbf"), DM_INVALID);
    err_has("the password is empty");

    assert_int_equal(read_text("secret\n\n"), DM_INVALID);
    err_has("the password has a control character at octet 7");
    assert_int_equal(read_text("secret\r"), DM_INVALID);
    assert_int_equal(read_text("secret\n\r"), DM_INVALID);
    assert_int_equal(read_text("se\x1b" "cret"), DM_INVALID);
    assert_int_equal(read_text("se\xc2\x85" "cret"), DM_INVALID);
    assert_int_equal(read_password("se\0cret", 7), DM_INVALID);
    assert_int_equal(read_password("secret\0", 7), DM_INVALID);
    assert_int_equal(read_text("secret\xff"), DM_INVALID);
    err_has("the password is not UTF-8 at octet 7");

    assert_int_equal(read_text(""), DM_INVALID);
    err_has("the password is empty");
    assert_int_equal(read_text("\n"), DM_INVALID);
    assert_int_equal(read_text("\r\n"), DM_INVALID);

    assert_int_equal(dm_secret_read_password("/nonexistent/file", &secret,
                                             &err), DM_INVALID);
    err_has("cannot open");
}


static void
test_read_password_long(void **state)
{
    char  text[DM_PASSWORD_MAX + 8];

    (void) state;

    memset(text, 'x', DM_PASSWORD_MAX);
    text[DM_PASSWORD_MAX] = '\0';
    assert_int_equal(read_text(text), DM_OK);
    secret_is(text);

    strcpy(text + DM_PASSWORD_MAX, "\r\n");
    assert_int_equal(read_text(text), DM_OK);
    text[DM_PASSWORD_MAX] = '\0';
    secret_is(text);

    strcpy(text + DM_PASSWORD_MAX, "x");
    assert_int_equal(read_text(text), DM_INVALID);
    err_has("is longer than 511 octets");
    err_has(path);

    strcpy(text + DM_PASSWORD_MAX, "x\n");
    assert_int_equal(read_text(text), DM_INVALID);
    strcpy(text + DM_PASSWORD_MAX, "x\r\n");
    assert_int_equal(read_text(text), DM_INVALID);
    err_has("is longer than 511 octets");
    strcpy(text + DM_PASSWORD_MAX, "xxxxx\r\n");
    assert_int_equal(read_text(text), DM_INVALID);
    err_has("is too long");

    /* a mark beside the longest */
    memcpy(text, "\xef\xbb\xbf", 3);
    memset(text + 3, 'x', DM_PASSWORD_MAX);
    strcpy(text + 3 + DM_PASSWORD_MAX, "\r\n");
    assert_int_equal(read_text(text), DM_OK);
    strcpy(text + 3 + DM_PASSWORD_MAX, "\r\n\x1a");
    assert_int_equal(read_text(text), DM_OK);
    text[3 + DM_PASSWORD_MAX] = '\0';
    secret_is(text + 3);
}


/* whatever became of it, the buffer that it was read into is wiped */
static void
test_read_wipes(void **state)
{
    (void) state;

    watch("secret");
    assert_int_equal(read_text("secret"), DM_OK);
    assert_int_equal(wiped, 1);
    watch("secret");
    assert_int_equal(read_text("secret\x01"), DM_INVALID);
    assert_int_equal(wiped, 1);

    /* hex stands in two */
    watch("30313233");
    assert_int_equal(read_psk("30313233343536373839616263646566"), DM_OK);
    assert_int_equal(wiped, 2);
    watch("30313233");
    assert_int_equal(read_psk("3031323334353637383961626364656g"),
                     DM_INVALID);
    assert_int_equal(wiped, 2);
}


static void
test_read_psk(void **state)
{
    char  text[2 * DM_PSK_MAX + 4];

    (void) state;

    assert_int_equal(read_psk("00112233445566778899aAbBcCdDeEfF"), DM_OK);
    assert_int_equal(secret.len, 16);
    assert_memory_equal(secret.data,
                        "\x00\x11\x22\x33\x44\x55\x66\x77"
                        "\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
    assert_int_equal(secret.data[16], 0);

    assert_int_equal(read_psk("30313233343536373839616263646566\r\n\x1a"),
                     DM_OK);
    assert_int_equal(secret.len, DM_PSK_MIN);
    assert_int_equal(read_psk("30313233343536373839616263646566\r\n"), DM_OK);
    assert_int_equal(secret.len, DM_PSK_MIN);

    memset(text, 'f', sizeof(text));
    text[2 * DM_PSK_MAX] = '\0';
    assert_int_equal(read_psk(text), DM_OK);
    assert_int_equal(secret.len, DM_PSK_MAX);

    text[2 * DM_PSK_MAX] = 'f';
    text[2 * DM_PSK_MAX + 2] = '\0';
    assert_int_equal(read_psk(text), DM_INVALID);
    err_has("the PSK file must hold 16 to 64 octets in hex and nothing else");

    text[2 * DM_PSK_MIN - 2] = '\0';
    assert_int_equal(read_psk(text), DM_INVALID);
    err_has("16 to 64 octets in hex");
    assert_null(strstr(err.text, "ff"));

    assert_int_equal(read_psk(""), DM_INVALID);
    assert_int_equal(read_psk("0011223344556677889900112233445"), DM_INVALID);
    assert_int_equal(read_psk("001122334455667788990011223344556"),
                     DM_INVALID);
    assert_int_equal(read_psk("0x0011223344556677889900112233445566"),
                     DM_INVALID);
    assert_int_equal(read_psk("00112233445566778899 0112233445566"),
                     DM_INVALID);
    assert_int_equal(dm_secret_read_psk("/nonexistent/file", &secret, &err),
                     DM_INVALID);
}


static void
test_make_password(void **state)
{
    int          all[128];
    size_t       i, n;
    dm_secret_t  one;

    (void) state;

    memset(all, 0, sizeof(all));

    for (n = 0; n < 100; n++) {
        one = secret;
        memset(&secret, 0xaa, sizeof(secret));
        random_asked = 0;

        assert_int_equal(dm_secret_make_password(&secret, &err), DM_OK);
        assert_true(random_asked >= 24);
        assert_int_equal(secret.len, 24);
        assert_int_equal(strspn((char *) secret.data, BASE32), 24);
        assert_int_equal(strlen((char *) secret.data), 24);
        assert_memory_not_equal(secret.data, one.data, 24);

        for (i = 0; i < secret.len; i++) {
            all[secret.data[i]]++;
        }
    }

    /* one is missing in 2400 characters once in 10 to the 31st */

    for (i = 0; i < 32; i++) {
        assert_int_not_equal(all[(unsigned char) BASE32[i]], 0);
    }

    no_random = 1;
    assert_int_equal(dm_secret_make_password(&secret, &err), DM_ERROR);
    err_has("the library has no random numbers");
    no_random = 0;
}


static void
test_make_psk(void **state)
{
    dm_secret_t  one;

    (void) state;

    random_asked = 0;
    memset(&one, 0xaa, sizeof(one));
    assert_int_equal(dm_secret_make_psk(&one, &err), DM_OK);
    assert_int_equal(one.len, 32);
    assert_int_equal(one.data[32], 0);
    assert_int_equal(random_asked, 32);

    assert_int_equal(dm_secret_make_psk(&secret, &err), DM_OK);
    assert_memory_not_equal(secret.data, one.data, 16);
    assert_memory_not_equal(secret.data + 16, one.data + 16, 16);

    no_random = 1;
    err.text[0] = '\0';
    assert_int_equal(dm_secret_make_psk(&secret, &err), DM_ERROR);
    err_has("the library has no random numbers");
    no_random = 0;
}


static void
test_psk_hex(void **state)
{
    char    *out;
    size_t   i;

    (void) state;

    out = malloc(2 * DM_PSK_MAX + 1);
    assert_non_null(out);
    memset(out, 'z', 2 * DM_PSK_MAX + 1);

    memcpy(secret.data, "\x00\x9f\xff", 3);
    secret.len = 3;
    dm_secret_psk_hex(&secret, out);
    assert_string_equal(out, "009fff");

    secret.len = DM_PSK_MAX;

    for (i = 0; i < DM_PSK_MAX; i++) {
        secret.data[i] = 0xe5;
    }

    dm_secret_psk_hex(&secret, out);
    assert_int_equal(strlen(out), 2 * DM_PSK_MAX);
    assert_int_equal(strspn(out, "e5"), 2 * DM_PSK_MAX);

    free(out);
}


static void
password_is(const char *text)
{
    secret.len = strlen(text);
    memcpy(secret.data, text, secret.len + 1);
}


static int
verify(const char *text, const char **by)
{
    password_is(text);
    err.text[0] = '\0';
    *by = "nothing";

    return dm_secret_verify(&account, str(REALM), &secret, by, &err);
}


static void
test_crypt(void **state)
{
    char        *one, two[DM_CRYPT_MAX];
    const char  *by;

    (void) state;

    one = malloc(DM_CRYPT_MAX);
    assert_non_null(one);

    password_is(CIRCLE);
    assert_int_equal(dm_secret_crypt(&secret, one, &err), DM_OK);
    assert_memory_equal(one, "$y$", 3);

    assert_int_equal(dm_secret_crypt(&secret, two, &err), DM_OK);
    assert_string_not_equal(one, two);

    no_salt = 1;
    err.text[0] = '\0';
    assert_int_equal(dm_secret_crypt(&secret, two, &err), DM_ERROR);
    err_has("libcrypt cannot make a yescrypt salt");
    no_salt = 0;

    memset(&account, 0, sizeof(account));
    account.crypt = str(one);

    assert_int_equal(verify(CIRCLE, &by), DM_OK);
    assert_string_equal(by, "yescrypt");
    assert_int_equal(verify("Circle of life", &by), DM_DECLINED);

    free(one);
}


static void
test_set_ha1(void **state)
{
    (void) state;

    memset(&account, 0, sizeof(account));
    account.name = str("Mufasa");
    account.crypt = str(APR1);

    password_is(CIRCLE);
    assert_int_equal(dm_secret_set_ha1(&account, str(REALM), &secret, &err),
                     DM_OK);

    assert_int_equal(account.crypt.len, 0);
    assert_int_equal(account.has_ha1[DM_MD5], 1);
    assert_int_equal(account.has_ha1[DM_SHA512_256], 1);
    assert_int_equal(account.has_ha1[DM_SHA256], 1);

    assert_memory_equal(account.ha1[DM_MD5],
                        "\x3d\x78\x80\x7d\xef\xe7\xde\x21"
                        "\x57\xe2\xb0\xb6\x57\x3a\x85\x5f", 16);
    assert_memory_equal(account.ha1[DM_SHA256],
                        "\x79\x87\xc6\x4c\x30\xe2\x5f\x1b"
                        "\x74\xbe\x53\xf9\x66\xb4\x9b\x90"
                        "\xf2\x80\x8a\xa9\x2f\xaf\x9a\x00"
                        "\x26\x23\x92\xd7\xb4\x79\x42\x32", 32);
    assert_memory_equal(account.ha1[DM_SHA512_256],
                        "\xfb\x17\x4f\x5c\x3c\x78\x02\x72"
                        "\x15\x17\xca\xe1\x3b\x98\xe2\xb8"
                        "\xda\xe2\xe0\x11\x8c\xb7\x05\xd9"
                        "\x4e\xe2\x99\x46\x31\x92\x04\xce", 32);
}


/* by all hashes that the account has */
static void
test_verify(void **state)
{
    const char  *by;

    (void) state;

    memset(&account, 0, sizeof(account));
    account.name = str("Mufasa");
    account.npsks = 1;
    assert_int_equal(verify(CIRCLE, &by), DM_DECLINED);
    err_has("the account has no password");

    password_is(CIRCLE);
    assert_int_equal(dm_secret_set_ha1(&account, str(REALM), &secret, &err),
                     DM_OK);

    /* the HA1 that is compared with the account's is wiped */
    watch("\x79\x87\xc6\x4c\x30\xe2");
    assert_int_equal(verify(CIRCLE, &by), DM_OK);
    assert_int_equal(wiped, 1);
    assert_string_equal(by, "SHA-256");
    assert_int_equal(verify("circle of Life", &by), DM_DECLINED);
    assert_string_equal(by, "SHA-256");
    err_has("the password is wrong");
    assert_int_equal(verify("", &by), DM_DECLINED);

    /* a weaker one does not make up for it, and its last octet counts */
    account.ha1[DM_SHA256][31] ^= 1;
    assert_int_equal(verify(CIRCLE, &by), DM_DECLINED);
    err_has("by SHA-512-256 it is right, by SHA-256 wrong: the hashes of");
    account.ha1[DM_SHA256][31] ^= 1;

    /* nor does it itself for another */
    account.ha1[DM_MD5][15] ^= 1;
    assert_int_equal(verify(CIRCLE, &by), DM_DECLINED);
    err_has("by SHA-256 it is right, by MD5 wrong");
    account.ha1[DM_MD5][15] ^= 1;
    assert_int_equal(verify(CIRCLE, &by), DM_OK);

    account.has_ha1[DM_SHA256] = 0;
    assert_int_equal(verify(CIRCLE, &by), DM_OK);
    assert_string_equal(by, "SHA-512-256");
    account.has_ha1[DM_SHA512_256] = 0;
    assert_int_equal(verify(CIRCLE, &by), DM_OK);
    assert_string_equal(by, "MD5");
    account.ha1[DM_MD5][15] ^= 1;
    assert_int_equal(verify(CIRCLE, &by), DM_DECLINED);
    account.ha1[DM_MD5][15] ^= 1;
    account.ha1[DM_MD5][16] ^= 1;
    assert_int_equal(verify(CIRCLE, &by), DM_OK);

    account.name = str("mufasa");
    assert_int_equal(verify(CIRCLE, &by), DM_DECLINED);
}


static void
test_verify_crypt(void **state)
{
    const char  *by;

    (void) state;

    memset(&account, 0, sizeof(account));
    account.name = str("Mufasa");
    account.crypt = str(APR1);

    assert_int_equal(verify(CIRCLE, &by), DM_OK);
    assert_string_equal(by, "apr1");
    assert_int_equal(verify("circle of Life", &by), DM_DECLINED);

    account.crypt = str("$9$none");
    assert_int_equal(verify(CIRCLE, &by), DM_ERROR);
}


static void
test_psks(void **state)
{
    (void) state;

    memset(&account, 0, sizeof(account));
    account.id = str("dev-1");

    assert_int_equal(dm_secret_find_psk(&account, str("one")), 0);
    assert_int_equal(dm_secret_set_psk(&account, str("one"), str("key 1"),
                                       &err), DM_OK);
    assert_int_equal(account.npsks, 1);
    assert_int_equal(dm_secret_find_psk(&account, str("one")), 0);
    assert_int_equal(dm_secret_find_psk(&account, str("on")), 1);
    assert_int_equal(dm_secret_find_psk(&account, str("One")), 1);

    assert_int_equal(dm_secret_set_psk(&account, str("two"), str("key 2"),
                                       &err), DM_OK);
    assert_int_equal(account.npsks, 2);
    assert_int_equal(dm_secret_find_psk(&account, str("two")), 1);
    assert_int_equal(dm_secret_find_psk(&account, str("three")), 2);

    /* another key of the first, whose other one stays */
    assert_int_equal(dm_secret_set_psk(&account, str("one"), str("key 3"),
                                       &err), DM_OK);
    assert_int_equal(account.npsks, 2);
    assert_true(same(account.psk[0].identity, "one"));
    assert_true(same(account.psk[0].key, "key 3"));
    assert_true(same(account.psk[1].identity, "two"));
    assert_true(same(account.psk[1].key, "key 2"));

    assert_int_equal(dm_secret_set_psk(&account, str("three"), str("key"),
                                       &err), DM_INVALID);
    err_has("\"dev-1\" holds 2 PSKs already");
    assert_int_equal(account.npsks, 2);
    assert_true(same(account.psk[1].identity, "two"));

    /* an identity that nobody counts is none of the account's */
    account.npsks = 1;
    assert_int_equal(dm_secret_find_psk(&account, str("two")), 1);
}


static int
setup_secrets(void **state)
{
    if (dm_digest_init(NULL) != DM_OK) {
        return -1;
    }

    return setup(state);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_read_password),
        cmocka_unit_test(test_read_password_long),
        cmocka_unit_test(test_read_wipes),
        cmocka_unit_test(test_read_psk),
        cmocka_unit_test(test_make_password),
        cmocka_unit_test(test_make_psk),
        cmocka_unit_test(test_psk_hex),
        cmocka_unit_test(test_crypt),
        cmocka_unit_test(test_set_ha1),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_verify_crypt),
        cmocka_unit_test(test_psks)
    };

    return cmocka_run_group_tests_name("common_secret", tests, setup_secrets,
                                       teardown);
}
