/* Sealing, and the key file */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "dm_seal.h"
#include "str.h"


#define DIGITS  "00112233445566778899aabbccddeeff"                           \
                "FFEEDDCCBBAA99887766554433221100"


static char  dir[] = "/tmp/dm-test-seal.XXXXXX";
static char  path[sizeof(dir) + 8];


static dm_keys_t
make_keys(const char *first, const char *second)
{
    dm_keys_t  keys;

    memset(&keys, 0, sizeof(keys));

    strcpy(keys.key[0].id, first);
    memset(keys.key[0].key, first[strlen(first) - 1], DM_KEY_SIZE);
    keys.n = 1;

    if (second != NULL) {
        strcpy(keys.key[1].id, second);
        memset(keys.key[1].key, second[strlen(second) - 1], DM_KEY_SIZE);
        keys.n = 2;
    }

    return keys;
}


static dm_sealer_t *
make_sealer(const char *first, const char *second)
{
    dm_err_t      err;
    dm_keys_t     keys;
    dm_sealer_t  *sealer;

    keys = make_keys(first, second);
    sealer = dm_sealer_new(&keys, &err);
    assert_non_null(sealer);

    return sealer;
}


static void
test_round_trip(void **state)
{
    size_t          i, len, outlen;
    dm_str_t        ad[2], plain;
    dm_sealer_t    *sealer;
    unsigned char   data[300], sealed[sizeof(data) + DM_SEAL_OVERHEAD];
    unsigned char   out[sizeof(sealed)];

    (void) state;

    sealer = make_sealer("k-1", NULL);
    ad[0] = str("label");
    ad[1] = str("");

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char) i;
    }

    for (i = 0; i < sizeof(data); i++) {
        plain = (dm_str_t) { data, i };

        assert_int_equal(dm_sealer_seal(sealer, ad, 2, plain, sealed, &len),
                         DM_OK);
        assert_int_equal(len, 1 + 3 + 12 + i + 16);
        assert_memory_equal(sealed, "\3k-1", 4);

        assert_int_equal(dm_sealer_open(sealer, ad, 2,
                                        (dm_str_t) { sealed, len }, out,
                                        &outlen),
                         DM_OK);
        assert_int_equal(outlen, i);
        assert_memory_equal(out, data, i);

        /* in place */

        assert_int_equal(dm_sealer_open(sealer, ad, 2,
                                        (dm_str_t) { sealed, len }, sealed,
                                        &outlen),
                         DM_OK);
        assert_int_equal(outlen, i);
        assert_memory_equal(sealed, data, i);

        /* and no second copy of it stays behind */

        while (outlen < len) {
            assert_int_equal(sealed[outlen++], 0);
        }
    }

    dm_sealer_free(sealer);
}


static void
test_iv_differs(void **state)
{
    size_t          len;
    dm_sealer_t    *sealer;
    unsigned char   a[64], b[64];

    (void) state;

    sealer = make_sealer("k1", NULL);

    assert_int_equal(dm_sealer_seal(sealer, NULL, 0, str("x"), a, &len),
                     DM_OK);
    assert_int_equal(dm_sealer_seal(sealer, NULL, 0, str("x"), b, &len),
                     DM_OK);
    assert_memory_not_equal(a + 3, b + 3, 12);
    assert_memory_not_equal(a + 15, b + 15, 17);

    dm_sealer_free(sealer);
}


static void
test_tampering(void **state)
{
    int             rc;
    size_t          i, len, outlen;
    dm_str_t        ad[1];
    dm_sealer_t    *sealer;
    unsigned char   sealed[128], copy[128];

    (void) state;

    sealer = make_sealer("k1", "k2");
    ad[0] = str("label");

    assert_int_equal(dm_sealer_seal(sealer, ad, 1, str("the secret"), sealed,
                                    &len),
                     DM_OK);

    for (i = 0; i < len; i++) {
        memcpy(copy, sealed, len);
        copy[i] ^= 1;

        rc = dm_sealer_open(sealer, ad, 1, (dm_str_t) { copy, len }, copy,
                            &outlen);
        assert_true(rc == DM_DECLINED || rc == DM_INVALID);
    }

    for (i = 0; i < len; i++) {
        memcpy(copy, sealed, len);

        rc = dm_sealer_open(sealer, ad, 1, (dm_str_t) { copy, i }, copy,
                            &outlen);
        assert_true(rc == DM_DECLINED || rc == DM_INVALID);
    }

    /* what failed left nothing that the next one trips over */

    assert_int_equal(dm_sealer_open(sealer, ad, 1, (dm_str_t) { sealed, len },
                                    copy, &outlen),
                     DM_OK);
    assert_int_equal(ERR_peek_error(), 0);

    dm_sealer_free(sealer);
}


static void
test_associated_data(void **state)
{
    size_t          len, outlen;
    dm_str_t        ad[2], other[3], sealed;
    dm_sealer_t    *sealer;
    unsigned char   buf[64], out[64];

    (void) state;

    sealer = make_sealer("k1", NULL);

    ad[0] = str("ab");
    ad[1] = str("cd");
    assert_int_equal(dm_sealer_seal(sealer, ad, 2, str("x"), buf, &len),
                     DM_OK);
    sealed = (dm_str_t) { buf, len };

    other[0] = str("ab");
    other[1] = str("ce");
    assert_int_equal(dm_sealer_open(sealer, other, 2, sealed, out, &outlen),
                     DM_DECLINED);

    /* the same octets, divided in another way */

    other[0] = str("a");
    other[1] = str("bcd");
    assert_int_equal(dm_sealer_open(sealer, other, 2, sealed, out, &outlen),
                     DM_DECLINED);

    other[0] = str("abcd");
    assert_int_equal(dm_sealer_open(sealer, other, 1, sealed, out, &outlen),
                     DM_DECLINED);

    other[0] = str("ab");
    other[1] = str("cd");
    other[2] = str("");
    assert_int_equal(dm_sealer_open(sealer, other, 3, sealed, out, &outlen),
                     DM_DECLINED);

    assert_int_equal(dm_sealer_open(sealer, ad, 2, sealed, out, &outlen),
                     DM_OK);

    dm_sealer_free(sealer);
}


/* opens it by hand, as the format says: DM_OK or DM_DECLINED */

static int
open_by_hand(const dm_str_t *ad, size_t n, dm_str_t sealed)
{
    int              len, rc;
    size_t           i;
    dm_keys_t        keys;
    uint64_t         octets;
    unsigned char    out[64], head[8], tag[16];
    EVP_CIPHER_CTX  *ctx;

    keys = make_keys("k1", NULL);
    ctx = EVP_CIPHER_CTX_new();
    assert_non_null(ctx);

    assert_true(EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL,
                                   keys.key[0].key, sealed.data + 3));

    for (i = 0; i < n; i++) {
        for (octets = ad[i].len, len = 0; len < 8; len++, octets >>= 8) {
            head[len] = (unsigned char) octets;
        }

        assert_true(EVP_DecryptUpdate(ctx, NULL, &len, head, 8));
        assert_true(ad[i].len == 0
                    || EVP_DecryptUpdate(ctx, NULL, &len, ad[i].data,
                                         (int) ad[i].len));
    }

    assert_true(EVP_DecryptUpdate(ctx, out, &len, sealed.data + 15,
                                  (int) sealed.len - 31));

    memcpy(tag, sealed.data + sealed.len - 16, 16);
    assert_true(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, tag));
    rc = EVP_DecryptFinal_ex(ctx, out + len, &len) > 0 ? DM_OK : DM_DECLINED;

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


/* of whatever lengths the parts are, each octet of them is bound */

static void
test_bound_lengths(void **state)
{
    size_t          a, b, len;
    dm_str_t        ad[3], sealed;
    dm_sealer_t    *sealer;
    unsigned char   text[700], buf[64];

    (void) state;

    memset(text, 'x', sizeof(text));
    sealer = make_sealer("k1", NULL);

    for (a = 0; a <= 1; a++) {
        for (b = 0; b < sizeof(text); b++) {
            ad[0] = (dm_str_t) { text, a * 30 };
            ad[1] = (dm_str_t) { text, b };
            ad[2] = str("end");

            assert_int_equal(dm_sealer_seal(sealer, ad, 3, str("secret"), buf,
                                            &len),
                             DM_OK);
            sealed = (dm_str_t) { buf, len };
            assert_int_equal(open_by_hand(ad, 3, sealed), DM_OK);

            ad[2] = str("enD");
            assert_int_equal(open_by_hand(ad, 3, sealed), DM_DECLINED);
        }
    }

    dm_sealer_free(sealer);
}


static void
test_two_keys(void **state)
{
    size_t          len, outlen;
    dm_str_t        old;
    dm_keys_t       keys;
    dm_sealer_t    *before, *during, *after, *wrong;
    unsigned char   buf[64], out[64];

    (void) state;

    before = make_sealer("k1", NULL);
    during = make_sealer("k2", "k1");
    after = make_sealer("k2", NULL);

    keys = make_keys("k1", NULL);
    keys.key[0].key[31] ^= 1;
    wrong = dm_sealer_new(&keys, NULL);
    assert_non_null(wrong);

    assert_int_equal(dm_sealer_seal(before, NULL, 0, str("x"), buf, &len),
                     DM_OK);
    old = (dm_str_t) { buf, len };

    assert_int_equal(dm_sealer_open(during, NULL, 0, old, out, &outlen),
                     DM_OK);
    assert_int_equal(dm_sealer_open(after, NULL, 0, old, out, &outlen),
                     DM_INVALID);
    assert_int_equal(dm_sealer_open(wrong, NULL, 0, old, out, &outlen),
                     DM_DECLINED);

    /* the first seals */

    assert_int_equal(dm_sealer_seal(during, NULL, 0, str("x"), buf, &len),
                     DM_OK);
    assert_memory_equal(buf, "\2k2", 3);
    assert_int_equal(dm_sealer_open(after, NULL, 0, (dm_str_t) { buf, len },
                                    out, &outlen),
                     DM_OK);

    dm_sealer_free(before);
    dm_sealer_free(during);
    dm_sealer_free(after);
    dm_sealer_free(wrong);
    dm_sealer_free(NULL);
}


static void
test_use(void **state)
{
    size_t          len, outlen;
    dm_str_t        id;
    dm_sealer_t    *sealer;
    unsigned char   sealed[4 + DM_SEAL_OVERHEAD];

    (void) state;

    sealer = make_sealer("new", "old");
    assert_true(dm_str_eq(dm_sealer_key(sealer), str("new")));
    assert_int_equal(dm_sealer_use(sealer, str("none")), DM_DECLINED);
    assert_int_equal(dm_sealer_use(sealer, str("")), DM_DECLINED);
    assert_true(dm_str_eq(dm_sealer_key(sealer), str("new")));

    assert_int_equal(dm_sealer_use(sealer, str("old")), DM_OK);
    assert_true(dm_str_eq(dm_sealer_key(sealer), str("old")));
    assert_int_equal(dm_sealer_seal(sealer, NULL, 0, str("text"), sealed,
                                    &len),
                     DM_OK);
    assert_int_equal(dm_sealed_key((dm_str_t) { sealed, len }, &id), DM_OK);
    assert_true(dm_str_eq(id, str("old")));
    dm_sealer_free(sealer);

    /* it is that key which did it, and not only its id */

    sealer = make_sealer("old", NULL);
    assert_int_equal(dm_sealer_open(sealer, NULL, 0,
                                    (dm_str_t) { sealed, len }, sealed,
                                    &outlen),
                     DM_OK);
    assert_memory_equal(sealed, "text", 4);
    dm_sealer_free(sealer);

    assert_int_equal(dm_sealed_key(str(""), &id), DM_INVALID);
    assert_int_equal(dm_sealed_key(str("\3ab"), &id), DM_INVALID);
    assert_int_equal(dm_sealed_key(str("\3abc"), &id), DM_OK);
    assert_true(dm_str_eq(id, str("abc")));
}


static uint64_t
badge(const char *first, const char *second)
{
    uint64_t   n;
    dm_keys_t  keys;

    keys = make_keys(first, second);
    assert_int_equal(dm_keys_badge(&keys, &n), DM_OK);

    return n;
}


static void
test_mark(void **state)
{
    uint64_t   n;
    dm_keys_t  keys;

    (void) state;

    assert_true(badge("new", "old") == badge("old", "new"));
    assert_true(badge("new", "old") != badge("new", NULL));
    assert_true(badge("new", "old") != badge("old", NULL));
    assert_true(badge("new", NULL) != badge("old", NULL));

    /* the same key with another id, the same id with another key */

    keys = make_keys("new", NULL);
    keys.key[0].id[0] = 'm';
    assert_int_equal(dm_keys_badge(&keys, &n), DM_OK);
    assert_true(n != badge("new", NULL));
    keys = make_keys("new", NULL);
    keys.key[0].key[31] ^= 1;
    assert_int_equal(dm_keys_badge(&keys, &n), DM_OK);
    assert_true(n != badge("new", NULL));
}


static void
test_no_key(void **state)
{
    dm_err_t   err;
    dm_keys_t  keys;

    (void) state;

    memset(&keys, 0, sizeof(keys));
    assert_null(dm_sealer_new(&keys, &err));
    assert_non_null(strstr(err.text, "no key was given"));
}


static void
write_file(const char *text, mode_t mode)
{
    FILE  *f;

    unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}


static void
test_key_file(void **state)
{
    dm_err_t       err;
    dm_keys_t      keys;
    unsigned char  key[DM_KEY_SIZE] = {
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
        0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
        0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88,
        0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00
    };

    (void) state;

    write_file("k1 " DIGITS "\n", 0600);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_OK);
    assert_int_equal(keys.n, 1);
    assert_string_equal(keys.key[0].id, "k1");
    assert_memory_equal(keys.key[0].key, key, DM_KEY_SIZE);

    write_file("k1 " DIGITS, 0400);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_OK);

    /* as some editors write it */
    write_file("k1 " DIGITS "\r\n\x1a", 0600);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_OK);
    write_file("k1 " DIGITS "\r\n\x1a\r\n", 0600);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_INVALID);
    write_file("\xef\xbb\xbfk1 " DIGITS "\r\n", 0600);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_OK);
    assert_string_equal(keys.key[0].id, "k1");

    write_file("2025-11.a_BCDEFG " DIGITS "\r\nold " DIGITS "\r\n", 0600);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_OK);
    assert_int_equal(keys.n, 2);
    assert_string_equal(keys.key[0].id, "2025-11.a_BCDEFG");
    assert_string_equal(keys.key[1].id, "old");
    assert_memory_equal(keys.key[1].key, key, DM_KEY_SIZE);

    dm_keys_wipe(&keys);
    assert_int_equal(keys.n, 0);
    assert_int_equal(keys.key[1].key[1], 0);
}


static void
test_bad_key_file(void **state)
{
    size_t     i;
    dm_err_t   err;
    dm_keys_t  keys;

    static const struct {
        const char  *text;
        const char  *line;
    } bad[] = {
        { "", "line 1" },
        { "\n", "line 1" },
        { DIGITS "\n", "line 1" },
        { " " DIGITS "\n", "line 1" },
        { "k1" DIGITS "\n", "line 1" },
        { "k1  " DIGITS "\n", "line 1" },
        { "k1 " DIGITS "0\n", "line 1" },
        { "k1 " DIGITS " \n", "line 1" },
        { "k/1 " DIGITS "\n", "line 1" },
        { "k1234567890123456 " DIGITS "\n", "line 1" },
        { "k1 0g112233445566778899aabbccddeeff"
          "FFEEDDCCBBAA99887766554433221100\n", "line 1" },
        { "k1 00112233445566778899aabbccddeeff\n", "line 1" },
        { "k1 " DIGITS "\n\n", "line 2" },
        { "k1 " DIGITS "\nk2\n", "line 2" },
        { "k1 " DIGITS "\nk1 " DIGITS "\n", "line 2" },
        { "k1 " DIGITS "\nk2 " DIGITS "\nk3 " DIGITS "\n", "line 3" }
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(bad[i].text, 0600);
        assert_int_equal(dm_keys_read(path, &keys, &err), DM_INVALID);
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, bad[i].line));
        assert_null(strstr(err.text, "00112233"));
        assert_int_equal(keys.n, 0);
    }
}


/* gives the file to that user, where root runs this */
static void
whose(uid_t uid)
{
    if (geteuid() == 0) {
        assert_int_equal(chown(path, uid, 1), 0);
    }
}


/* root's file may be read by a group, and that is all */
static void
test_key_file_group(void **state)
{
    mode_t     mode;
    dm_err_t   err;
    dm_keys_t  keys;

    (void) state;

    if (geteuid() != 0) {
        print_message("not root: no file is root's\n");
        skip();
    }

    for (mode = 0; mode <= 0777; mode++) {
        write_file("k1 " DIGITS "\n", mode);
        whose(0);

        if ((mode & 037) == 0) {
            assert_int_equal(dm_keys_read(path, &keys, &err), DM_OK);

        } else {
            assert_int_equal(dm_keys_read(path, &keys, &err), DM_INVALID);
            assert_non_null(strstr(err.text, "open to others, or for its "));
            assert_int_equal(keys.n, 0);
        }
    }
}


/* public keys are for all to read, and for root or us to change */
static void
test_key_file_public(void **state)
{
    mode_t     mode;
    dm_err_t   err;
    dm_keys_t  keys;

    (void) state;

    for (mode = 0600; mode <= 0777; mode++) {
        write_file("k1 " DIGITS "\n", mode);

        if ((mode & 022) == 0) {
            assert_int_equal(dm_keys_read_public(path, &keys, &err), DM_OK);
            assert_string_equal(keys.key[0].id, "k1");

        } else {
            assert_int_equal(dm_keys_read_public(path, &keys, &err),
                             DM_INVALID);
            assert_non_null(strstr(err.text, "can be changed by others"));
            assert_int_equal(keys.n, 0);
        }
    }

    if (geteuid() == 0) {
        write_file("k1 " DIGITS "\n", 0644);
        whose(1);
        assert_int_equal(dm_keys_read_public(path, &keys, &err), DM_INVALID);
    }
}


static void
test_key_file_refused(void **state)
{
    mode_t     mode;
    dm_err_t   err;
    dm_keys_t  keys;

    (void) state;

    for (mode = 01; mode <= 040; mode <<= 1) {
        write_file("k1 " DIGITS "\n", 0600 | mode);
        whose(1);
        assert_int_equal(dm_keys_read(path, &keys, &err), DM_INVALID);
        assert_non_null(strstr(err.text, "open to its group or to others"));
    }

    unlink(path);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "No such file"));

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(dm_keys_read(path, &keys, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "not a regular file"));

    assert_int_equal(dm_keys_read(dir, &keys, NULL), DM_INVALID);
}


static int
setup(void **state)
{
    (void) state;

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    sprintf(path, "%s/key", dir);

    return 0;
}


static int
teardown(void **state)
{
    (void) state;

    unlink(path);

    return rmdir(dir);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_iv_differs),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_associated_data),
        cmocka_unit_test(test_bound_lengths),
        cmocka_unit_test(test_two_keys),
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_bad_key_file),
        cmocka_unit_test(test_key_file_group),
        cmocka_unit_test(test_key_file_public),
        cmocka_unit_test(test_key_file_refused)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
