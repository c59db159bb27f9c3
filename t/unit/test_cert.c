/* Keys of certificates */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "dm_cert.h"


static EVP_PKEY  *rsa;
static EVP_PKEY  *ec;


static int
setup(void **state)
{
    (void) state;

    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");

    return (rsa == NULL || ec == NULL) ? -1 : 0;
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);

    return 0;
}


/* nginx would report what is left in the queue as an alert */

static int
assert_no_stale_error(void **state)
{
    (void) state;

    return (ERR_peek_error() == 0) ? 0 : -1;
}


/*
 * To be written to, which OpenSSL 4 does not offer: it wants a copy, and copies
 * nothing that is malformed.
 */

static X509_NAME *
subject(X509 *cert)
{
    return (X509_NAME *) X509_get_subject_name(cert);
}


static X509_NAME *
issuer(X509 *cert)
{
    return (X509_NAME *) X509_get_issuer_name(cert);
}


/* an entry with the octets as they are: OpenSSL checks and converts nothing */

static void
add_entry(X509_NAME *name, const char *field, int type, const void *data,
    int len)
{
    ASN1_OBJECT      *object;
    X509_NAME_ENTRY  *entry;

    object = OBJ_txt2obj(field, 0);
    entry = X509_NAME_ENTRY_create_by_OBJ(NULL, object, type, data, len);
    assert_non_null(entry);
    assert_int_equal(X509_NAME_add_entry(name, entry, -1, 0), 1);

    X509_NAME_ENTRY_free(entry);
    ASN1_OBJECT_free(object);
}


static void
add_utf8(X509_NAME *name, const char *field, const char *text)
{
    add_entry(name, field, V_ASN1_UTF8STRING, text, (int) strlen(text));
}


static X509 *
cert_new(void)
{
    X509  *cert;

    cert = X509_new();
    assert_non_null(cert);

    assert_int_equal(X509_set_version(cert, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));

    return cert;
}


/* signs it, and gives it back as if it had come from a peer */

static X509 *
cert_finish(X509 *cert, EVP_PKEY *key)
{
    int                   len;
    unsigned char        *der;
    const unsigned char  *p;

    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);

    der = NULL;
    len = i2d_X509(cert, &der);
    assert_true(len > 0);

    X509_free(cert);

    p = der;
    cert = d2i_X509(NULL, &p, len);
    assert_non_null(cert);

    OPENSSL_free(der);

    return cert;
}


/* of one attribute */

static X509 *
cert_of(const char *field, int type, const void *data, int len)
{
    X509  *cert;

    cert = cert_new();

    add_entry(subject(cert), field, type, data, len);
    add_utf8(issuer(cert), "CN", "CA");

    return cert_finish(cert, ec);
}


static void
add_san(GENERAL_NAMES *names, int type, const void *data, int len)
{
    GENERAL_NAME  *name;
    ASN1_STRING   *value;

    name = GENERAL_NAME_new();
    value = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING
                                                   : V_ASN1_IA5STRING);
    assert_non_null(name);
    assert_non_null(value);

    assert_int_equal(ASN1_STRING_set(value, data, len), 1);
    GENERAL_NAME_set0_value(name, type, value);

    assert_true(sk_GENERAL_NAME_push(names, name) > 0);
}


static X509 *
cert_with_names(GENERAL_NAMES *names)
{
    X509  *cert;

    cert = cert_new();

    assert_int_equal(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0,
                                       X509V3_ADD_DEFAULT),
                     1);

    GENERAL_NAMES_free(names);

    return cert_finish(cert, ec);
}


static void
assert_key(X509 *cert, dm_cert_kind_t kind, unsigned n, const char *expected)
{
    size_t         len, again;
    unsigned char  key[DM_CERT_KEY_MAX], copy[DM_CERT_KEY_MAX];

    assert_int_equal(dm_cert_key(cert, kind, n, key, &len), DM_OK);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(key, expected, len);

    /* what a certificate gives is what a person may write */

    assert_int_equal(dm_cert_key_canonical((dm_str_t) { key, len }, copy,
                                           &again, NULL),
                     DM_OK);
    assert_int_equal(again, len);
    assert_memory_equal(copy, key, len);
}


static void
assert_no_key(X509 *cert, dm_cert_kind_t kind, unsigned n, int expected)
{
    size_t         len;
    unsigned char  key[DM_CERT_KEY_MAX];

    assert_int_equal(dm_cert_key(cert, kind, n, key, &len), expected);
}


static void
assert_subject(X509 *cert, const char *expected)
{
    size_t         len;
    char           key[DM_CERT_KEY_MAX + 1];
    unsigned char  dn[DM_CERT_KEY_MAX];

    assert_int_equal(dm_cert_subject(cert, dn, sizeof(dn), &len), DM_OK);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(dn, expected, len);

    strcpy(key, "subject:");
    strcat(key, expected);

    assert_key(cert, DM_CERT_SUBJECT, 0, key);
    assert_no_key(cert, DM_CERT_SUBJECT, 1, DM_DECLINED);
}


/* no DN of it can be a key, but it still has a fingerprint */

static void
assert_no_subject(X509 *cert, int expected)
{
    size_t         len;
    unsigned char  dn[DM_CERT_KEY_MAX];

    assert_no_key(cert, DM_CERT_SUBJECT, 0, expected);
    assert_no_key(cert, DM_CERT_FINGERPRINT, 0, DM_OK);
    assert_int_equal(dm_cert_subject(cert, dn, sizeof(dn), &len), expected);
}


static void
check_fingerprint(EVP_PKEY *key)
{
    int             len, i;
    char            expected[7 + 2 * 32 + 1];
    X509           *cert;
    unsigned        n;
    unsigned char  *der, hash[32];

    cert = cert_finish(cert_new(), key);

    der = NULL;
    len = i2d_X509(cert, &der);
    assert_true(len > 0);
    assert_int_equal(EVP_Digest(der, (size_t) len, hash, &n, EVP_sha256(),
                                NULL),
                     1);

    strcpy(expected, "sha256:");

    for (i = 0; i < 32; i++) {
        snprintf(expected + 7 + 2 * i, 3, "%02x", hash[i]);
    }

    assert_key(cert, DM_CERT_FINGERPRINT, 0, expected);
    assert_no_key(cert, DM_CERT_FINGERPRINT, 1, DM_DECLINED);

    OPENSSL_free(der);
    X509_free(cert);
}


static void
test_fingerprint(void **state)
{
    (void) state;

    check_fingerprint(rsa);
    check_fingerprint(ec);
}


static void
test_subject_rfc2253(void **state)
{
    X509       *cert;
    X509_NAME  *name;

    (void) state;

    cert = cert_new();
    name = subject(cert);

    add_utf8(name, "C", "DE");
    add_utf8(name, "O", " #a,b+c\"d\\e<f>g;h ");
    add_utf8(name, "OU", "#x=y");
    add_utf8(name, "CN", "IMEI:493005100592800 AZaz~");
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "serialNumber",
                                                MBSTRING_UTF8,
                                                (unsigned char *) "7", -1, -1,
                                                -1),
                     1);

    cert = cert_finish(cert, rsa);

    assert_subject(cert, "CN=IMEI:493005100592800 AZaz~+serialNumber=7,"
                   "OU=\\#x=y,"
                   "O=\\ #a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\ ,C=DE");

    X509_free(cert);
}


/* what nginx would say, while there is nothing but ASCII */

static void
test_subject_nginx(void **state)
{
    BIO         *bio;
    char         nginx[256];
    X509        *cert;
    X509_NAME   *name;

    (void) state;

    cert = cert_new();
    name = subject(cert);

    add_utf8(name, "DC", "example");
    add_entry(name, "emailAddress", V_ASN1_IA5STRING, "a@example.org", 13);
    add_entry(name, "x500UniqueIdentifier", V_ASN1_BIT_STRING, "\0\1", 2);
    add_utf8(name, "1.2.3.4", "x");
    add_utf8(name, "CN", "a, \"b\"");

    cert = cert_finish(cert, rsa);

    bio = BIO_new(BIO_s_mem());
    assert_true(X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                   XN_FLAG_RFC2253)
                >= 0);
    nginx[BIO_read(bio, nginx, sizeof(nginx) - 1)] = '\0';
    BIO_free(bio);

    assert_subject(cert, nginx);
    assert_subject(cert, "CN=a\\, \\\"b\\\",1.2.3.4=#0C0178,"
                   "x500UniqueIdentifier=#03030000" "01,"
                   "emailAddress=a@example.org,DC=example");

    X509_free(cert);
}


static void
test_subject_utf8(void **state)
{
    X509  *cert;

    (void) state;

    cert = cert_of("CN", V_ASN1_UTF8STRING, "J\xc3\xbcrg \xe2\x82\xac", 9);
    assert_subject(cert, "CN=J\xc3\xbcrg \xe2\x82\xac");
    X509_free(cert);

    cert = cert_of("CN", V_ASN1_T61STRING, "J\xfcrg", 4);
    assert_subject(cert, "CN=J\xc3\xbcrg");
    X509_free(cert);

    /* U+0100 has a zero octet, but is no NUL */

    cert = cert_of("CN", V_ASN1_BMPSTRING, "\0J\1\0", 4);
    assert_subject(cert, "CN=J\xc4\x80");
    X509_free(cert);

    cert = cert_of("CN", V_ASN1_UNIVERSALSTRING, "\0\0\0J\0\1\xf6\0", 8);
    assert_subject(cert, "CN=J\xf0\x9f\x98\x80");
    X509_free(cert);
}


static void
test_subject_control(void **state)
{
    size_t  i;
    X509   *cert;

    static const struct {
        const char  *field;
        int          type;
        const char  *data;
        int          len;
    } bad[] = {
        { "CN", V_ASN1_UTF8STRING, "a\0b", 3 },
        { "CN", V_ASN1_UTF8STRING, "\0", 1 },
        { "CN", V_ASN1_UTF8STRING, "a\0", 2 },
        { "CN", V_ASN1_UTF8STRING, "a\nb", 3 },
        { "CN", V_ASN1_UTF8STRING, "a\x7f", 2 },
        { "CN", V_ASN1_UTF8STRING, "a\xc2\x9b", 3 },
        { "CN", V_ASN1_PRINTABLESTRING, "a\0b", 3 },
        { "CN", V_ASN1_T61STRING, "a\0b", 3 },
        { "CN", V_ASN1_T61STRING, "a\x9b", 2 },
        { "emailAddress", V_ASN1_IA5STRING, "a\0@b", 4 },
        { "CN", V_ASN1_BMPSTRING, "\0a\0\0\0b", 6 },
        { "CN", V_ASN1_BMPSTRING, "\0a\0\x1f", 4 },
        { "CN", V_ASN1_UNIVERSALSTRING, "\0\0\0a\0\0\0\0", 8 },
        { "1.2.3.4", V_ASN1_UTF8STRING, "a\0b", 3 }
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cert = cert_of(bad[i].field, bad[i].type, bad[i].data, bad[i].len);
        assert_no_subject(cert, DM_INVALID);
        X509_free(cert);
    }

    /* one attribute of many is enough */

    cert = cert_new();
    add_utf8(subject(cert), "O", "x");
    add_entry(subject(cert), "OU", V_ASN1_UTF8STRING, "\0", 1);
    add_utf8(subject(cert), "CN", "a");
    cert = cert_finish(cert, ec);
    assert_no_subject(cert, DM_INVALID);
    X509_free(cert);

    /* four characters that only look like an escaped NUL */

    cert = cert_of("CN", V_ASN1_UTF8STRING, "a\\00b", 5);
    assert_subject(cert, "CN=a\\\\00b");
    X509_free(cert);
}


/* as no certificate of a peer can be: d2i_X509() refuses it too */

static void
test_subject_malformed(void **state)
{
    size_t  i;
    X509   *cert;

    static const struct {
        int          type;
        const char  *data;
        int          len;
    } bad[] = {
        { V_ASN1_UTF8STRING, "\xc3", 1 },
        { V_ASN1_UTF8STRING, "\xc0\x80", 2 },
        { V_ASN1_BMPSTRING, "\xd8\0", 2 }
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cert = cert_new();
        add_entry(subject(cert), "CN", bad[i].type, bad[i].data, bad[i].len);
        assert_no_key(cert, DM_CERT_SUBJECT, 0, DM_INVALID);
        X509_free(cert);
    }
}


static void
test_subject_empty(void **state)
{
    X509  *cert;

    (void) state;

    cert = cert_finish(cert_new(), rsa);

    assert_no_subject(cert, DM_DECLINED);
    assert_no_key(cert, DM_CERT_ISSUER_SERIAL, 0, DM_DECLINED);
    assert_no_key(cert, DM_CERT_SAN, 0, DM_DECLINED);

    X509_free(cert);
}


static void
test_subject_bounds(void **state)
{
    char            text[DM_CERT_KEY_MAX + 1];
    X509           *cert;
    size_t          len, max;
    unsigned char  *dn;

    (void) state;

    memset(text, 'x', sizeof(text));

    cert = cert_of("CN", V_ASN1_UTF8STRING, text,
                   DM_CERT_KEY_MAX - (int) strlen("subject:CN="));
    text[DM_CERT_KEY_MAX] = '\0';
    memcpy(text, "subject:CN=", strlen("subject:CN="));

    assert_key(cert, DM_CERT_SUBJECT, 0, text);
    assert_no_key(cert, DM_CERT_ISSUER_SERIAL, 0, DM_OK);
    X509_free(cert);

    cert = cert_of("CN", V_ASN1_UTF8STRING, text,
                   DM_CERT_KEY_MAX - (int) strlen("subject:CN=") + 1);
    assert_no_key(cert, DM_CERT_SUBJECT, 0, DM_DECLINED);
    X509_free(cert);

    cert = cert_of("CN", V_ASN1_UTF8STRING, "abc", 3);

    for (max = 0; max < 8; max++) {
        dn = malloc(max + (max == 0));
        assert_non_null(dn);
        assert_int_equal(dm_cert_subject(cert, dn, max, &len),
                         (max < 6) ? DM_DECLINED : DM_OK);
        assert_int_equal(len, (max < 6) ? 0 : 6);
        free(dn);
    }

    X509_free(cert);
}


static void
check_serial(const char *hex, const char *expected)
{
    X509    *cert;
    BIGNUM  *bn;

    cert = cert_new();
    add_utf8(issuer(cert), "O", "#1");
    add_utf8(issuer(cert), "CN", "C\xc3\xa4#");

    bn = NULL;
    assert_true(BN_hex2bn(&bn, hex) > 0);
    assert_non_null(BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)));
    BN_free(bn);

    cert = cert_finish(cert, ec);

    if (expected == NULL) {
        assert_no_key(cert, DM_CERT_ISSUER_SERIAL, 0, DM_INVALID);

    } else {
        assert_key(cert, DM_CERT_ISSUER_SERIAL, 0, expected);
        assert_no_key(cert, DM_CERT_ISSUER_SERIAL, 1, DM_DECLINED);
    }

    X509_free(cert);
}


static void
test_issuer_serial(void **state)
{
    X509  *cert;

    (void) state;

    check_serial("1", "issuer-serial:CN=C\xc3\xa4#,O=\\#1#1");
    check_serial("A", "issuer-serial:CN=C\xc3\xa4#,O=\\#1#a");
    check_serial("80", "issuer-serial:CN=C\xc3\xa4#,O=\\#1#80");
    check_serial("100", "issuer-serial:CN=C\xc3\xa4#,O=\\#1#100");
    check_serial("0102030405060708090A0B0C0D0E0F1011121314",
                 "issuer-serial:CN=C\xc3\xa4#,O=\\#1"
                 "#102030405060708090a0b0c0d0e0f1011121314");

    check_serial("0", "issuer-serial:CN=C\xc3\xa4#,O=\\#1#0");
    check_serial("-1", NULL);
    check_serial("-80", NULL);

    cert = cert_new();
    add_entry(issuer(cert), "CN", V_ASN1_UTF8STRING, "C\0A", 3);
    cert = cert_finish(cert, ec);
    assert_no_key(cert, DM_CERT_ISSUER_SERIAL, 0, DM_INVALID);
    X509_free(cert);
}


static void
test_san(void **state)
{
    X509           *cert;
    GENERAL_NAMES  *names;

    (void) state;

    names = GENERAL_NAMES_new();
    add_san(names, GEN_EMAIL, "a@example.org", 13);
    add_san(names, GEN_DNS, "Device-1.EXAMPLE.org", 20);
    add_san(names, GEN_IPADD, "\x7f\0\0\1", 4);
    add_san(names, GEN_URI, "urn:uuid:F81D4FAE", 17);
    add_san(names, GEN_DNS, "*.example.org", 13);
    add_san(names, GEN_URI, "urn:a~ Z", 8);
    add_san(names, GEN_DNS, "AZ~@[`{", 7);

    cert = cert_with_names(names);

    assert_key(cert, DM_CERT_SAN, 0, "san:DNS:device-1.example.org");
    assert_key(cert, DM_CERT_SAN, 1, "san:URI:urn:uuid:F81D4FAE");
    assert_key(cert, DM_CERT_SAN, 2, "san:DNS:*.example.org");
    assert_key(cert, DM_CERT_SAN, 3, "san:URI:urn:a~ Z");
    assert_key(cert, DM_CERT_SAN, 4, "san:DNS:az~@[`{");
    assert_no_key(cert, DM_CERT_SAN, 5, DM_DECLINED);
    assert_no_key(cert, DM_CERT_SAN, 4000000000u, DM_DECLINED);

    X509_free(cert);
}


static void
test_san_invalid(void **state)
{
    char            text[DM_CERT_KEY_MAX + 1];
    X509           *cert;
    unsigned        n;
    GENERAL_NAMES  *names;

    (void) state;

    memset(text, 'x', sizeof(text));

    names = GENERAL_NAMES_new();
    add_san(names, GEN_DNS, "a\0.example.org", 14);
    add_san(names, GEN_URI, "urn:a\nb", 7);
    add_san(names, GEN_URI, "urn:a\x7f", 6);
    add_san(names, GEN_URI, "urn:\xc3\xbc", 6);
    add_san(names, GEN_DNS, "", 0);
    add_san(names, GEN_DNS, text, DM_CERT_KEY_MAX - 7);
    add_san(names, GEN_DNS, text, DM_CERT_KEY_MAX - 8);
    add_san(names, GEN_DNS, "b", 1);

    cert = cert_with_names(names);

    for (n = 0; n < 6; n++) {
        assert_no_key(cert, DM_CERT_SAN, n, DM_INVALID);
    }

    text[DM_CERT_KEY_MAX] = '\0';
    memcpy(text, "san:DNS:", 8);

    assert_key(cert, DM_CERT_SAN, 6, text);
    assert_key(cert, DM_CERT_SAN, 7, "san:DNS:b");
    assert_no_key(cert, DM_CERT_SAN, 8, DM_DECLINED);

    X509_free(cert);
}


static void
test_san_limit(void **state)
{
    int               i;
    X509             *cert;
    size_t            len;
    GENERAL_NAMES    *names;
    unsigned char     key[DM_CERT_KEY_MAX];
    dm_cert_names_t   at;

    (void) state;

    /* names of other types do not count, and those that are no key do */

    names = GENERAL_NAMES_new();

    for (i = 0; i < 2 * DM_CERT_NAMES_MAX; i++) {
        add_san(names, GEN_EMAIL, "a", 1);
    }

    for (i = 0; i < DM_CERT_NAMES_MAX - 1; i++) {
        add_san(names, GEN_DNS, "b", i % 2);
    }

    add_san(names, GEN_DNS, "last", 4);
    add_san(names, GEN_URI, "more", 4);

    cert = cert_with_names(names);

    assert_key(cert, DM_CERT_SAN, DM_CERT_NAMES_MAX - 1, "san:DNS:last");
    assert_no_key(cert, DM_CERT_SAN, DM_CERT_NAMES_MAX, DM_DECLINED);
    assert_int_equal(dm_cert_names_count(cert), DM_CERT_NAMES_MAX + 1);

    dm_cert_names(cert, &at);

    for (i = 0; i < DM_CERT_NAMES_MAX; i++) {
        assert_int_equal(dm_cert_names_next(&at, key, &len),
                         i % 2 ? DM_OK : DM_INVALID);
    }

    assert_int_equal(len, 12);
    assert_memory_equal(key, "san:DNS:last", 12);
    assert_int_equal(dm_cert_names_next(&at, key, &len), DM_DECLINED);
    assert_int_equal(dm_cert_names_next(&at, key, &len), DM_DECLINED);

    X509_free(cert);
}


static void
add_extension(X509 *cert, const char *der, int len)
{
    ASN1_OCTET_STRING  *data;
    X509_EXTENSION     *extension;

    data = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(data, (const unsigned char *) der,
                                           len),
                     1);

    extension = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0,
                                             data);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);

    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(data);
}


static void
test_san_malformed(void **state)
{
    X509    *cert;
    size_t   i;

    static const char  bad[][9] = {
        "\x30\x06\x82\x01" "a\x82\x02" "b",
        "\x30\x03\x82\x01" "a\x82\x01" "b",
        "\x30\x80\x82\x01" "a\x01\x00\x00",
        "\x31\x06\x82\x01" "a\x82\x01" "b",
        "\x30\x06\x82\x01" "a\x16\x01" "b",
        "\x30\x06\x82\x80" "a\x00\x00\x00"
    };

    (void) state;

    cert = cert_new();
    add_extension(cert, "\x30\x05\x82\x01", 4);
    cert = cert_finish(cert, ec);
    assert_no_key(cert, DM_CERT_SAN, 0, DM_DECLINED);
    X509_free(cert);

    cert = cert_new();
    add_extension(cert, "\x30\x03\x82\x01" "a", 5);
    cert = cert_finish(cert, ec);
    assert_key(cert, DM_CERT_SAN, 0, "san:DNS:a");
    X509_free(cert);

    /* torn behind the first name, behind all, of no length, or no names */

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cert = cert_new();
        add_extension(cert, bad[i], (int) sizeof(bad[i]) - 1);
        cert = cert_finish(cert, ec);
        assert_no_key(cert, DM_CERT_SAN, 0, DM_DECLINED);
        assert_int_equal(dm_cert_names_count(cert), 0);
        X509_free(cert);
    }

    /* a string in pieces is no DER: the one behind it counts */

    cert = cert_new();
    add_extension(cert, "\x30\x08\xa2\x03\x16\x01" "a\x82\x01" "b", 10);
    cert = cert_finish(cert, ec);
    assert_key(cert, DM_CERT_SAN, 0, "san:DNS:b");
    X509_free(cert);

    /* twice: RFC 5280 forbids it, and which would be meant? */

    cert = cert_new();
    add_extension(cert, "\x30\x03\x82\x01" "a", 5);
    add_extension(cert, "\x30\x03\x82\x01" "b", 5);
    cert = cert_finish(cert, ec);
    assert_no_key(cert, DM_CERT_SAN, 0, DM_DECLINED);
    X509_free(cert);
}


#define test(f)  cmocka_unit_test_teardown(f, assert_no_stale_error)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_fingerprint),
        test(test_subject_rfc2253),
        test(test_subject_nginx),
        test(test_subject_utf8),
        test(test_subject_control),
        test(test_subject_malformed),
        test(test_subject_empty),
        test(test_subject_bounds),
        test(test_issuer_serial),
        test(test_san),
        test(test_san_invalid),
        test(test_san_limit),
        test(test_san_malformed)
    };

    return cmocka_run_group_tests_name("cert", tests, setup, teardown);
}
