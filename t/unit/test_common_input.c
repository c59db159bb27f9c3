/* Files and values that a person hands to a program */

#define _GNU_SOURCE

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "io_fixture.h"

#include "common/input.h"


static EVP_PKEY  *key;
static X509      *cert;


static int
read_file(const char *name, unsigned char *buf, size_t size, size_t *len)
{
    err.text[0] = '\0';
    *len = 99;

    return dm_input_read(name, buf, size, len, &err);
}


static void
test_read(void **state)
{
    size_t          len;
    unsigned char  *buf;

    (void) state;

    /* of exactly that size, so that ASan sees one octet more */
    buf = malloc(5);
    assert_non_null(buf);

    file("");
    assert_int_equal(read_file(path, buf, 5, &len), DM_OK);
    assert_int_equal(len, 0);

    file_of("a\0\n\xff", 4);
    assert_int_equal(read_file(path, buf, 5, &len), DM_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(buf, "a\0\n\xff", 4);

    file("12345");
    assert_int_equal(read_file(path, buf, 5, &len), DM_INVALID);
    err_has("is too long: 5 octets or more");
    err_has(path);

    file("123456");
    assert_int_equal(read_file(path, buf, 5, &len), DM_INVALID);
    err_has("is too long");

    free(buf);
}


static void
test_read_not(void **state)
{
    size_t         len;
    unsigned char  buf[5];

    (void) state;

    assert_int_equal(read_file("/nonexistent/file", buf, 5, &len),
                     DM_INVALID);
    err_has("cannot open \"/nonexistent/file\": No such file");

    assert_int_equal(read_file(dir, buf, 5, &len), DM_INVALID);
    err_has("cannot read \"/tmp/");
    err_has("Is a directory");

    /* what a name has is no command to a terminal */
    assert_int_equal(read_file("/\x1b[2J", buf, 5, &len), DM_INVALID);
    err_has("cannot open \"/?[2J\"");
}


static void
test_read_stdin(void **state)
{
    size_t         len;
    unsigned char  buf[8];

    static const char *const  pieces[] = { "ab", "c", "defg", NULL };
    static const char *const  more[] = { "ab", "c", "defg", "h", NULL };

    (void) state;

    stdin_of(pieces);
    assert_int_equal(read_file("-", buf, 8, &len), DM_OK);
    assert_int_equal(len, 7);
    assert_memory_equal(buf, "abcdefg", 7);

    /* it is not closed, and there may be more to come */
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), 0);
    stdin_back();

    stdin_of(more);
    assert_int_equal(read_file("-", buf, 8, &len), DM_INVALID);
    err_has("\"-\" is too long");
    stdin_back();
}


/* a signal is no end of the file */
static void
test_read_interrupted(void **state)
{
    size_t         len;
    unsigned char  buf[8];

    (void) state;

    stdin_late();
    assert_int_equal(read_file("-", buf, 8, &len), DM_OK);
    no_alarm();
    assert_int_equal(len, 4);
    assert_memory_equal(buf, "late", 4);
    stdin_back();
}


/* no descriptor is left open, whatever became of the file */
static void
test_read_closes(void **state)
{
    size_t         len;
    unsigned       before;
    unsigned char  buf[5];

    (void) state;

    before = open_files();

    file("1");
    (void) read_file(path, buf, 5, &len);
    file("12345");
    (void) read_file(path, buf, 5, &len);
    (void) read_file(dir, buf, 5, &len);

    assert_int_equal(open_files(), before);
}


static EVP_PKEY *
make_key(void)
{
    EVP_PKEY  *new;

    new = EVP_EC_gen("P-256");
    assert_non_null(new);

    return new;
}


static X509 *
make_cert(long serial)
{
    X509  *new;

    new = X509_new();
    assert_non_null(new);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(new), serial), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(new), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(new), 60));
    assert_int_equal(X509_set_pubkey(new, key), 1);
    assert_int_not_equal(X509_sign(new, key, EVP_sha256()), 0);

    return new;
}


static FILE *
open_file(void)
{
    FILE  *out;

    out = fopen(path, "w");
    assert_non_null(out);

    return out;
}


/* the certificate in the file is that one; NULL: there is none */
static void
cert_is(const X509 *want)
{
    X509  *got;

    err.text[0] = '\0';
    got = dm_input_x509(path, &err);

    if (want == NULL) {
        assert_null(got);
        err_has("holds no certificate in PEM or DER form");
        err_has(path);

    } else {
        assert_non_null(got);
        assert_int_equal(X509_cmp(got, want), 0);
    }

    assert_int_equal(ERR_peek_error(), 0);
    X509_free(got);
}


static void
test_x509(void **state)
{
    FILE  *out;
    X509  *other;

    (void) state;

    other = make_cert(2);

    out = open_file();
    assert_int_equal(PEM_write_X509(out, cert), 1);
    fclose(out);
    cert_is(cert);

    out = open_file();
    assert_int_equal(i2d_X509_fp(out, cert), 1);
    fclose(out);
    cert_is(cert);

    /* of several the first, and a key before it is none */

    out = open_file();
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL,
                                          NULL), 1);
    assert_int_equal(PEM_write_X509(out, other), 1);
    assert_int_equal(PEM_write_X509(out, cert), 1);
    fclose(out);

    watch("PRIVATE KEY");
    cert_is(other);
    assert_true(wiped > 0);

    X509_free(other);
}


static void
test_x509_none(void **state)
{
    FILE  *out;
    char  *much;

    (void) state;

    file("");
    cert_is(NULL);
    file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    cert_is(NULL);
    file_of("\x30\x82\x01", 3);
    cert_is(NULL);

    out = open_file();
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL,
                                          NULL), 1);
    fclose(out);
    cert_is(NULL);

    assert_null(dm_input_x509("/nonexistent/file", &err));
    err_has("cannot open");

    much = calloc(1, 65536);
    assert_non_null(much);
    file_of(much, 65536);
    assert_null(dm_input_x509(path, &err));
    err_has("is too long: 65536 octets or more");
    free(much);
}


static void
test_cert(void **state)
{
    FILE           *out;
    char            want[2 * 32 + 8];
    size_t          len;
    unsigned        i, n, names;
    unsigned char   hash[EVP_MAX_MD_SIZE], got[DM_CERT_KEY_MAX];

    (void) state;

    out = open_file();
    assert_int_equal(PEM_write_X509(out, cert), 1);
    fclose(out);

    assert_int_equal(dm_input_cert(path, got, &len, &names, &err), DM_OK);
    assert_int_equal(names, 0);

    assert_int_equal(X509_digest(cert, EVP_sha256(), hash, &n), 1);
    strcpy(want, "sha256:");

    for (i = 0; i < n; i++) {
        sprintf(want + 7 + 2 * i, "%02x", hash[i]);
    }

    assert_int_equal(len, strlen(want));
    assert_memory_equal(got, want, len);

    file("none");
    assert_int_equal(dm_input_cert(path, got, &len, &names, &err), DM_INVALID);
    err_has("holds no certificate");
}


/* the key in its one form; NULL: it is none */
static void
cert_key_is(const char *value, const char *want)
{
    size_t          len;
    unsigned char  *got;

    got = malloc(DM_CERT_KEY_MAX);
    assert_non_null(got);
    err.text[0] = '\0';

    if (want == NULL) {
        assert_int_equal(dm_input_cert_key(value, got, &len, &err),
                         DM_INVALID);

    } else {
        assert_int_equal(dm_input_cert_key(value, got, &len, &err), DM_OK);
        assert_int_equal(len, strlen(want));
        assert_memory_equal(got, want, len);
    }

    free(got);
}


static void
test_cert_key(void **state)
{
    char  text[DM_CERT_KEY_MAX + 2];

    (void) state;

    cert_key_is("sha256:0123456789ABCDEF0123456789abcdef"
                "0123456789abcdef0123456789abcdef",
                "sha256:0123456789abcdef0123456789abcdef"
                "0123456789abcdef0123456789abcdef");
    cert_key_is("san:URI:urn:x", "san:URI:urn:x");
    cert_key_is("", NULL);
    cert_key_is("sha256:0123", NULL);
    cert_key_is("nothing of ours", NULL);

    sprintf(text, "san:URI:%0*d", DM_CERT_KEY_MAX - 8, 0);
    cert_key_is(text, text);
    strcat(text, "0");
    cert_key_is(text, NULL);
    err_has("a certificate key is longer than 1024 octets: bind the "
            "certificate by its fingerprint");
}


static void
key_is(const EVP_PKEY *want)
{
    EVP_PKEY  *got;

    err.text[0] = '\0';
    got = dm_input_private_key(path, &err);

    if (want == NULL) {
        assert_null(got);
        err_has("holds no private key in PEM or DER form, or one that is "
                "encrypted");
        err_has(path);

    } else {
        assert_non_null(got);
        assert_int_equal(EVP_PKEY_eq(got, want), 1);
    }

    assert_int_equal(ERR_peek_error(), 0);
    EVP_PKEY_free(got);
}


static void
test_private_key(void **state)
{
    FILE  *out;

    (void) state;

    out = open_file();
    assert_int_equal(PEM_write_X509(out, cert), 1);
    assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL,
                                          NULL), 1);
    fclose(out);

    watch("PRIVATE KEY");
    key_is(key);
    assert_true(wiped > 0);

    out = open_file();
    assert_int_equal(i2d_PrivateKey_fp(out, key), 1);
    fclose(out);
    key_is(key);
}


/* nobody is asked for a pass phrase: the key is none */
static void
test_private_key_none(void **state)
{
    FILE  *out;
    char  *much;

    (void) state;

    out = open_file();
    assert_int_equal(PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(),
                                          (unsigned char *) "phrase", 6, NULL,
                                          NULL), 1);
    fclose(out);
    key_is(NULL);

    out = open_file();
    assert_int_equal(PEM_write_X509(out, cert), 1);
    fclose(out);
    key_is(NULL);

    file("");
    key_is(NULL);

    assert_null(dm_input_private_key("/nonexistent/file", &err));
    err_has("cannot open");

    /* what was read of it is wiped too */

    much = calloc(1, 65536);
    assert_non_null(much);
    strcpy(much, "a secret");
    file_of(much, 65536);
    watch("a secret");
    assert_null(dm_input_private_key(path, &err));
    err_has("is too long: 65536 octets or more");
    assert_int_equal(wiped, 1);
    free(much);
}


static void
test_time(void **state)
{
    size_t   i;
    int64_t  t;

    static const struct {
        const char  *text;
        int64_t      t;
    } times[] = {
        { "", 0 },
        { "1970-01-01T00:00:01Z", 1 },
        { "2000-02-29T12:34:56Z", 951827696 },
        { "2027-01-31T00:00:00Z", 1801353600 },
        { "2038-01-19T03:14:08Z", 2147483648 },
        { "9999-12-31T23:59:59Z", 253402300799 }
    };

    static const char *const  none[] = {
        "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "now", " ", "Z",
        "2027-01-31", "2027-01-31T00:00:00", "2027-01-31T00:00:00z",
        "2027-01-31t00:00:00Z", "2027-01-31 00:00:00Z",
        "2027-01-31T00:00:00+00:00", "2027-01-31T00:00:00.5Z",
        "2027-1-31T00:00:00Z", "2027-01-31T0:00:00Z", "2027-01-31T00:00Z",
        " 2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z ",
        "2027-01-31T00:00:00Z\n", "2027-02-29T00:00:00Z",
        "2027-02-30T00:00:00Z", "2027-13-01T00:00:00Z",
        "2027-00-01T00:00:00Z", "2027-01-00T00:00:00Z",
        "2027-01-31T24:00:00Z", "2027-01-31T23:60:00Z",
        "2027-01-31T23:59:60Z", "10000-01-01T00:00:00Z",
        "-2027-01-31T00:00:00Z", "+2027-01-31T00:00:00Z"
    };

    (void) state;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        t = 99;
        assert_int_equal(dm_input_time(times[i].text, &t, &err), DM_OK);
        assert_int_equal(t, times[i].t);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        if (dm_input_time(none[i], &t, &err) != DM_INVALID) {
            fail_msg("\"%s\" is taken", none[i]);
        }

        err_has("is not a time after 1970 in UTC");
    }
}


static void
test_size(void **state)
{
    size_t    i;
    uint64_t  size;

    static const struct {
        const char  *text;
        uint64_t     size;
    } sizes[] = {
        { "0", 0 }, { "1", 1 }, { "007", 7 }, { "0k", 0 },
        { "3k", 3072 }, { "3K", 3072 },
        { "512m", 536870912 }, { "512M", 536870912 },
        { "16g", 17179869184 }, { "16G", 17179869184 },
        { "2t", 2199023255552 }, { "2T", 2199023255552 },
        { "18446744073709551615", UINT64_MAX },
        { "18014398509481983k", UINT64_MAX - 1023 },
        { "16777215t", UINT64_MAX - 1099511627775 }
    };

    static const char *const  none[] = {
        "", "k", "-1", "+1", " 1", "1 ", "1kb", "1kk", "1.5g", "1x", "0x10",
        "1\v", "1\r", "1,000", "18446744073709551616",
        "18446744073709551620", "99999999999999999999",
        "18014398509481984k", "16777216t", "1/", "1:", "/", ":"
    };

    (void) state;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size = 99;
        assert_int_equal(dm_input_size(sizes[i].text, &size, &err), DM_OK);
        assert_true(size == sizes[i].size);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        if (dm_input_size(none[i], &size, &err) != DM_INVALID) {
            fail_msg("\"%s\" is taken", none[i]);
        }

        err_has("is not a size: write octets, or 512m, 16g");
    }
}


static void
test_blank_ends(void **state)
{
    size_t  i;

    static const char *const  blank[] = {
        " ", " a", "a ", "\ta", "a\t", ("\xc2\xa0" "a"), "a\xc2\xa0", "\t"
    };

    static const char *const  none[] = {
        "", "a", "a b", ("\xc2\xa1" "a"), "a\xc3\xa0", "\xc2", "\xa0"
    };

    (void) state;

    for (i = 0; i < sizeof(blank) / sizeof(blank[0]); i++) {
        assert_int_equal(dm_input_blank_ends(str(blank[i])), 1);
    }

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(dm_input_blank_ends(str(none[i])), 0);
    }
}


static void
test_mark(void **state)
{
    (void) state;

    assert_int_equal(dm_text_mark((const unsigned char *) "", 0), 0);
    assert_int_equal(dm_text_mark((const unsigned char *) "\xef\xbb", 2), 0);
    assert_int_equal(dm_text_mark((const unsigned char *) "\xef\xbb\xbf", 3),
                     3);
    assert_int_equal(dm_text_mark((const unsigned char *)
                                   "\xef\xbb\xbf\xef\xbb\xbfx", 7), 6);
    assert_int_equal(dm_text_mark((const unsigned char *)
                                   "x\xef\xbb\xbf", 4), 0);
}


static void
test_number(void **state)
{
    size_t    i;
    uint64_t  n;

    static const struct {
        const char  *text;
        uint64_t     max;
        int          rc;
        uint64_t     n;
    } numbers[] = {
        { "0", 0, DM_OK, 0 }, { "000", 0, DM_OK, 0 },
        { "1", 0, DM_INVALID, 0 },
        { "9", 9, DM_OK, 9 }, { "10", 9, DM_INVALID, 0 },
        { "5", 4, DM_INVALID, 0 }, { "05", 4, DM_INVALID, 0 },
        { "15", 15, DM_OK, 15 }, { "16", 15, DM_INVALID, 0 },
        { "20", 15, DM_INVALID, 0 }, { "150", 15, DM_INVALID, 0 },
        { "18446744073709551615", UINT64_MAX, DM_OK, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, DM_INVALID, 0 },
        { "36893488147419103232", UINT64_MAX, DM_INVALID, 0 },
        { "", 9, DM_INVALID, 0 }, { "-0", 9, DM_INVALID, 0 },
        { "+1", 9, DM_INVALID, 0 }, { " 1", 9, DM_INVALID, 0 },
        { "1 ", 9, DM_INVALID, 0 }, { "1k", 9999, DM_INVALID, 0 },
        { "0x1", 9, DM_INVALID, 0 }, { "1e1", 99, DM_INVALID, 0 },
        { "a", 99, DM_INVALID, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        n = 99;

        if (dm_input_number(numbers[i].text, numbers[i].max, &n, &err)
            != numbers[i].rc)
        {
            fail_msg("\"%s\" of %llu", numbers[i].text,
                     (unsigned long long) numbers[i].max);
        }

        if (numbers[i].rc == DM_OK) {
            assert_true(n == numbers[i].n);
        }
    }

    assert_int_equal(dm_input_number("300", 255, &n, &err), DM_INVALID);
    assert_string_equal(err.text, "\"300\" is not a number from 0 to 255");
}


static int
setup_keys(void **state)
{
    /* what is written in UTC is not read in another zone's time */
    setenv("TZ", "America/New_York", 1);

    key = make_key();
    cert = make_cert(1);

    return setup(state);
}


static int
teardown_keys(void **state)
{
    X509_free(cert);
    EVP_PKEY_free(key);

    return teardown(state);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_not),
        cmocka_unit_test(test_read_stdin),
        cmocka_unit_test(test_read_interrupted),
        cmocka_unit_test(test_read_closes),
        cmocka_unit_test(test_x509),
        cmocka_unit_test(test_x509_none),
        cmocka_unit_test(test_cert),
        cmocka_unit_test(test_cert_key),
        cmocka_unit_test(test_private_key),
        cmocka_unit_test(test_private_key_none),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_blank_ends),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_number)
    };

    return cmocka_run_group_tests_name("common_input", tests, setup_keys,
                                       teardown_keys);
}
