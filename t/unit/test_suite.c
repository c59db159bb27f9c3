/* Versions, suites and lists */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "dm_suite.h"
#include "str.h"


/* what cmocka shows when a suite of the many fails */
#define assert_case(suite, version, condition)                                \
    if (!(condition)) {                                                       \
        fail_msg("%s at %s: " #condition, (suite)->iana,                      \
                 dm_version_name(version));                                   \
    }


typedef struct {
    EVP_PKEY  *key;
    X509      *cert;
} identity_t;


static identity_t  rsa;
static identity_t  ec;


static int
identity_init(identity_t *id, EVP_PKEY *key)
{
    X509       *cert;
    X509_NAME  *name;

    cert = X509_new();
    name = X509_NAME_new();

    if (key == NULL
        || cert == NULL
        || name == NULL
        || X509_set_version(cert, X509_VERSION_3) != 1
        || ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1
        || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      (const unsigned char *) "localhost", -1,
                                      -1, 0)
           != 1
        || X509_set_subject_name(cert, name) != 1
        || X509_set_issuer_name(cert, name) != 1
        || X509_gmtime_adj(X509_getm_notBefore(cert), -60) == NULL
        || X509_gmtime_adj(X509_getm_notAfter(cert), 3600) == NULL
        || X509_set_pubkey(cert, key) != 1
        || X509_sign(cert, key, EVP_sha256()) == 0)
    {
        return -1;
    }

    X509_NAME_free(name);

    id->key = key;
    id->cert = cert;

    return 0;
}


static int
setup(void **state)
{
    dm_err_t  err;

    (void) state;

    if (identity_init(&rsa, EVP_RSA_gen(2048)) != 0
        || identity_init(&ec, EVP_EC_gen("P-256")) != 0)
    {
        return -1;
    }

    return dm_suite_init(&err);
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa.key);
    EVP_PKEY_free(ec.key);
    X509_free(rsa.cert);
    X509_free(ec.cert);

    return 0;
}


static unsigned
psk_client(SSL *ssl, const char *hint, char *identity, unsigned max,
    unsigned char *psk, unsigned psk_max)
{
    (void) ssl;
    (void) hint;

    if (max < 3 || psk_max < 16) {
        return 0;
    }

    strcpy(identity, "me");
    memset(psk, 0x5a, 16);

    return 16;
}


static unsigned
psk_server(SSL *ssl, const char *identity, unsigned char *psk, unsigned max)
{
    (void) ssl;

    if (strcmp(identity, "me") != 0 || max < 16) {
        return 0;
    }

    memset(psk, 0x5a, 16);

    return 16;
}


/* an end that can do this version and this suite, and nothing else */

static SSL *
end_new(const dm_suite_t *suite, unsigned version, int server)
{
    SSL      *ssl;
    char      list[128];
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_method());
    assert_non_null(ctx);

    snprintf(list, sizeof(list), "%s:@SECLEVEL=0",
             (suite->versions == DM_TLSV1_3) ? "ALL" : suite->openssl);

    assert_int_equal(SSL_CTX_set_cipher_list(ctx, list), 1);

    if (suite->versions == DM_TLSV1_3) {
        assert_int_equal(SSL_CTX_set_ciphersuites(ctx, suite->openssl), 1);
    }

    if (suite->auth & DM_AUTH_PSK) {
        SSL_CTX_set_psk_client_callback(ctx, psk_client);
        SSL_CTX_set_psk_server_callback(ctx, psk_server);
    }

    if (server) {
        assert_int_equal(SSL_CTX_use_certificate(ctx, rsa.cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, rsa.key), 1);
        assert_int_equal(SSL_CTX_use_certificate(ctx, ec.cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(ctx, ec.key), 1);
        assert_int_equal(SSL_CTX_set_dh_auto(ctx, 1), 1);
    }

    ssl = SSL_new(ctx);
    assert_non_null(ssl);

    SSL_CTX_free(ctx);

    assert_int_equal(SSL_set_min_proto_version(ssl,
                                               dm_version_number(version)),
                     1);
    assert_int_equal(SSL_set_max_proto_version(ssl,
                                               dm_version_number(version)),
                     1);

    if (server) {
        SSL_set_accept_state(ssl);

    } else {
        SSL_set_connect_state(ssl);
    }

    return ssl;
}


/* 1: goes on or is done, 0: failed */

static int
end_step(SSL *ssl)
{
    int  rc;

    rc = SSL_do_handshake(ssl);

    return rc == 1 || SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ;
}


/* 1 if both ends agree on that version and suite, and an octet gets through */

static int
negotiates(const dm_suite_t *suite, unsigned version)
{
    int   ok, rounds;
    BIO  *a, *b;
    SSL  *client, *server;
    char  c;

    client = end_new(suite, version, 0);
    server = end_new(suite, version, 1);

    assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
    SSL_set_bio(client, a, a);
    SSL_set_bio(server, b, b);

    ok = 1;

    for (rounds = 0; ok && rounds < 10; rounds++) {
        ok = end_step(client) && end_step(server);

        if (SSL_is_init_finished(client) && SSL_is_init_finished(server)) {
            break;
        }
    }

    c = 0;

    ok = ok
         && SSL_write(client, "x", 1) == 1
         && SSL_read(server, &c, 1) == 1
         && c == 'x'
         && SSL_version(server) == dm_version_number(version)
         && SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(server))
            == suite->id;

    SSL_free(client);
    SSL_free(server);
    ERR_clear_error();

    return ok;
}


static void
test_versions(void **state)
{
    size_t  i;

    static const struct {
        unsigned     bit;
        int          number;
        const char  *name;
    } versions[] = {
        { DM_SSLV3, SSL3_VERSION, "SSLv3" },
        { DM_TLSV1, TLS1_VERSION, "TLSv1" },
        { DM_TLSV1_1, TLS1_1_VERSION, "TLSv1.1" },
        { DM_TLSV1_2, TLS1_2_VERSION, "TLSv1.2" },
        { DM_TLSV1_3, TLS1_3_VERSION, "TLSv1.3" }
    };

    (void) state;

    for (i = 0; i < DM_VERSIONS; i++) {
        assert_int_equal(dm_version_by_name(str(versions[i].name)),
                         versions[i].bit);
        assert_int_equal(dm_version_by_number(versions[i].number),
                         versions[i].bit);
        assert_string_equal(dm_version_name(versions[i].bit),
                            versions[i].name);
        assert_int_equal(dm_version_number(versions[i].bit),
                         versions[i].number);
    }

    assert_int_equal(dm_version_by_name(str("")), 0);
    assert_int_equal(dm_version_by_name(str("SSLv2")), 0);
    assert_int_equal(dm_version_by_name(str("TLSv1.")), 0);
    assert_int_equal(dm_version_by_name(str("TLSv1.22")), 0);
    assert_int_equal(dm_version_by_number(SSL2_VERSION), 0);
    assert_int_equal(dm_version_by_number(DTLS1_2_VERSION), 0);
    assert_null(dm_version_name(0));
    assert_null(dm_version_name(DM_TLSV1 | DM_TLSV1_1));
    assert_int_equal(dm_version_number(0), 0);
    assert_int_equal(dm_version_number(DM_TLSV1 | DM_TLSV1_1), 0);
}


static void
test_names(void **state)
{
    const dm_suite_t  *suite;

    (void) state;

    suite = dm_suite_by_name(str("TLS_RSA_WITH_AES_128_CBC_SHA"));

    assert_non_null(suite);
    assert_int_equal(suite->id, 0x002f);
    assert_string_equal(suite->iana, "TLS_RSA_WITH_AES_128_CBC_SHA");
    assert_string_equal(suite->openssl, "AES128-SHA");

    assert_ptr_equal(dm_suite_by_name(str("SSL_RSA_WITH_AES_128_CBC_SHA")),
                     suite);
    assert_ptr_equal(dm_suite_by_name(str("AES128-SHA")), suite);
    assert_ptr_equal(dm_suite_by_id(0x002f), suite);

    assert_null(dm_suite_by_name(str("XSL_RSA_WITH_AES_128_CBC_SHA")));
    assert_null(dm_suite_by_name(str("")));
    assert_null(dm_suite_by_name(str("SSL_")));
    assert_null(dm_suite_by_name(str("TLS_")));
    assert_null(dm_suite_by_name(str("AES128-SH")));
    assert_null(dm_suite_by_name(str("AES128-SHAX")));
    assert_null(dm_suite_by_name(str("aes128-sha")));
    assert_null(dm_suite_by_name(str("RSA_WITH_AES_128_CBC_SHA")));
    assert_null(dm_suite_by_name(str("ALL")));
    assert_null(dm_suite_by_id(0));
    assert_null(dm_suite_by_id(0xffff));
}


static void
test_auth(void **state)
{
    size_t             i;
    const dm_suite_t  *suite;

    static const struct {
        const char  *name;
        unsigned     auth;
    } suites[] = {
        { "TLS_RSA_WITH_AES_128_GCM_SHA256", DM_AUTH_RSA },
        { "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", DM_AUTH_RSA },
        { "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", DM_AUTH_RSA },
        { "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", DM_AUTH_ECDSA },
        { "TLS_PSK_WITH_AES_128_GCM_SHA256", DM_AUTH_PSK },
        { "TLS_DHE_PSK_WITH_AES_128_CBC_SHA256", DM_AUTH_PSK },
        { "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", DM_AUTH_PSK },
        { "TLS_RSA_PSK_WITH_AES_128_CBC_SHA256", DM_AUTH_PSK | DM_AUTH_RSA },
        { "TLS_AES_128_GCM_SHA256", DM_AUTH_ANY }
    };

    (void) state;

    for (i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        suite = dm_suite_by_name(str(suites[i].name));

        assert_non_null(suite);
        assert_int_equal(suite->auth, suites[i].auth);
    }
}


static void
test_forbidden(void **state)
{
    size_t  i;

    static const char *const  forbidden[] = {
        "TLS_RSA_WITH_NULL_SHA", "SSL_RSA_WITH_NULL_MD5", "NULL-SHA",
        "NULL-SHA256", "TLS_PSK_WITH_NULL_SHA256", "ECDHE-PSK-NULL-SHA",
        "TLS_NULL_WITH_NULL_NULL", "SSL_RSA_EXPORT_WITH_RC4_40_MD5",
        "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA", "EXP-RC4-MD5",
        "EXP1024-DES-CBC-SHA", "TLS_DH_anon_WITH_AES_128_CBC_SHA",
        "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5", "SSL_DH_ANON_WITH_RC4_128_MD5",
        "TLS_ECDH_anon_WITH_AES_128_CBC_SHA", "ADH-AES128-SHA",
        "AECDH-AES128-SHA", "AECDH-NULL-SHA", "aNULL", "eNULL", "NULL",
        "EXPORT", "TLS_SHA256_SHA256", "TLS_SHA384_SHA384"
    };

    static const char *const  other[] = {
        "", "-", "_", "AES128-SHA", "TLS_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_RSA_WITH_DES_CBC_SHA", "TLS_NULLIFY_X", "TLS_MADH_X", "EXPO-X"
    };

    (void) state;

    for (i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        assert_int_equal(dm_suite_forbidden(str(forbidden[i])), 1);
        assert_null(dm_suite_by_name(str(forbidden[i])));
    }

    for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_int_equal(dm_suite_forbidden(str(other[i])), 0);
    }
}


/* what the library has and is not here is left out for a reason */

static void
test_left_out(void **state)
{
    int                    i, n;
    SSL_CTX               *ctx;
    const char            *name;
    const SSL_CIPHER      *cipher;
    STACK_OF(SSL_CIPHER)  *ciphers;

    (void) state;

    ctx = SSL_CTX_new(TLS_method());
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL"), 1);

    ciphers = SSL_CTX_get_ciphers(ctx);
    n = sk_SSL_CIPHER_num(ciphers);
    assert_true(n > 40);

    for (i = 0; i < n; i++) {
        cipher = sk_SSL_CIPHER_value(ciphers, i);
        name = SSL_CIPHER_standard_name(cipher);

        if (dm_suite_by_id(SSL_CIPHER_get_protocol_id(cipher)) != NULL) {
            assert_int_equal(dm_suite_forbidden(str(name)), 0);
            assert_null(strstr(name, "_SRP_"));
            assert_null(strstr(name, "_DSS_"));
            assert_int_equal(dm_suite_forbidden(
                                 str(SSL_CIPHER_get_name(cipher))),
                             0);
            continue;
        }

        if (!dm_suite_forbidden(str(name))
            && strstr(name, "_DSS_") == NULL
            && strstr(name, "_SRP_") == NULL
            && strstr(name, "_RC4_") == NULL
            && strstr(name, "_3DES_") == NULL
            && SSL_CIPHER_get_bits(cipher, NULL) >= 112)
        {
            fail_msg("%s is left out", name);
        }
    }

    SSL_CTX_free(ctx);
}


static void
assert_list(const char *name, const char *const *expected)
{
    const char *const  *list;

    list = dm_suite_list(str(name));
    assert_non_null(list);

    for ( /* void */ ; *expected != NULL; list++, expected++) {
        assert_non_null(*list);
        assert_string_equal(*list, *expected);
    }

    assert_null(*list);
}


static void
test_lists(void **state)
{
    (void) state;

    assert_list("DM-X509", (const char *const []) {
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_WITH_AES_128_CBC_SHA256", NULL
    });

    assert_list("DM-PSK", (const char *const []) {
        "TLS_PSK_WITH_AES_128_GCM_SHA256",
        "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_PSK_WITH_AES_128_GCM_SHA256",
        "TLS_PSK_WITH_AES_128_CBC_SHA256",
        "TLS_DHE_PSK_WITH_AES_128_CBC_SHA256",
        "TLS_RSA_PSK_WITH_AES_128_CBC_SHA256",
        "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", NULL
    });

    assert_list("DM-TLS11", (const char *const []) {
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_AES_128_CBC_SHA", NULL
    });

    assert_list("DM-SSL3", (const char *const []) {
        "TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", NULL
    });

    assert_list("MODERN", (const char *const []) {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256", NULL
    });

    assert_null(dm_suite_list(str("DM-X50")));
    assert_null(dm_suite_list(str("DM-X5099")));
    assert_null(dm_suite_list(str("")));
}


/* DM-SSL3 needs a library built for it, the other lists do not */

static void
test_lists_resolve(void **state)
{
    size_t              i;
    const dm_suite_t   *suite;
    const char *const  *name;

    static const char *const  lists[] = {
        "DM-X509", "DM-PSK", "DM-TLS11", "MODERN"
    };

    (void) state;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (name = dm_suite_list(str(lists[i])); *name != NULL; name++) {
            suite = dm_suite_by_name(str(*name));

            assert_non_null(suite);
            assert_string_equal(suite->iana, *name);
            assert_int_equal(dm_suite_weak(suite), 0);
        }
    }

    for (name = dm_suite_list(str("DM-SSL3")); *name != NULL; name++) {
        suite = dm_suite_by_name(str(*name));

        if (suite == NULL) {
            continue;
        }

        assert_int_equal(suite->versions, DM_SSLV3);
        assert_int_equal(suite->auth, DM_AUTH_RSA);
        assert_int_equal(dm_suite_weak(suite), 1);
    }
}


static void
assert_profile(const char *name, unsigned versions,
    const char *const *expected)
{
    const dm_profile_t  *profile;
    const char *const   *list;

    profile = dm_profile_by_name(str(name));

    assert_non_null(profile);
    assert_string_equal(profile->name, name);
    assert_int_equal(profile->versions, versions);

    for (list = profile->lists; *expected != NULL; list++, expected++) {
        assert_non_null(*list);
        assert_string_equal(*list, *expected);
        assert_non_null(dm_suite_list(str(*list)));
    }

    assert_null(*list);
}


static void
test_profiles(void **state)
{
    (void) state;

    assert_profile("dm20", DM_TLSV1 | DM_TLSV1_1 | DM_TLSV1_2,
                   (const char *const []) {
                       "DM-X509", "DM-PSK", "DM-TLS11", NULL
                   });

    assert_profile("dm20-ssl3", DM_SSLV3 | DM_TLSV1 | DM_TLSV1_1 | DM_TLSV1_2,
                   (const char *const []) {
                       "DM-SSL3", "DM-X509", "DM-PSK", "DM-TLS11", NULL
                   });

    assert_profile("modern", DM_TLSV1_2 | DM_TLSV1_3,
                   (const char *const []) { "MODERN", NULL });

    assert_null(dm_profile_by_name(str("dm")));
    assert_null(dm_profile_by_name(str("dm20-ssl")));
    assert_null(dm_profile_by_name(str("off")));
    assert_null(dm_profile_by_name(str("")));
}


static void
test_init_again(void **state)
{
    int                i;
    const dm_suite_t  *suite;

    (void) state;

    suite = dm_suite_by_id(0x002f);

    /* as each reload does */

    for (i = 0; i < 10; i++) {
        assert_int_equal(dm_suite_init(NULL), DM_OK);
    }

    assert_ptr_equal(dm_suite_by_id(0x002f), suite);
    assert_int_equal(suite->id, 0x002f);
    assert_int_equal(ERR_peek_error(), 0);
}


/* RC4 comes with the legacy provider, where the library has suites for it */

static void
test_init_after_provider(void **state)
{
    size_t             i;
    EVP_MD            *md;
    dm_err_t           err;
    const dm_suite_t  *suite;

    (void) state;

    suite = dm_suite_by_id(0x002f);
    assert_null(dm_suite_by_name(str("SSL_RSA_WITH_RC4_128_SHA")));

    for (i = 0; i < 2; i++) {
        assert_int_equal(dm_suite_load_legacy(&err), DM_OK);
        assert_int_equal(ERR_peek_error(), 0);
        assert_ptr_equal(dm_suite_by_id(0x002f), suite);

        assert_int_equal(dm_suite_by_name(str("SSL_RSA_WITH_RC4_128_SHA"))
                         != NULL, (dm_version_available() & DM_SSLV3) != 0);
        assert_int_equal(dm_suite_by_name(str("DES-CBC3-SHA")) != NULL,
                         (dm_version_available() & DM_SSLV3) != 0);

        /* MD5 is left out also where the library has it */
        assert_null(dm_suite_by_name(str("RC4-MD5")));

        /* the default provider is still there */
        md = EVP_MD_fetch(NULL, "SHA256", NULL);
        assert_non_null(md);
        EVP_MD_free(md);
    }
}


static void
test_provider_missing(void **state)
{
    char       *modules;
    dm_err_t    err;

    (void) state;

    modules = getenv("OPENSSL_MODULES");
    if (modules != NULL) {
        modules = strdup(modules);
    }

    assert_int_equal(setenv("OPENSSL_MODULES", "/nonexistent", 1), 0);

    err.text[0] = '\0';
    assert_int_equal(dm_suite_load_legacy(&err), DM_ERROR);
    assert_non_null(strstr(err.text, "OPENSSL_MODULES"));
    assert_int_equal(ERR_peek_error(), 0);
    assert_non_null(dm_suite_by_id(0x002f));

    if (modules != NULL) {
        setenv("OPENSSL_MODULES", modules, 1);
        free(modules);

    } else {
        unsetenv("OPENSSL_MODULES");
    }
}


/*
 * What the bits say is what two ends negotiate: every suite there is, at
 * every version.  A weak suite would go with TLS too; that is our decision.
 */

static void
test_negotiable(void **state)
{
    unsigned           id, version, seen;
    const dm_suite_t  *suite;

    (void) state;

    seen = 0;

    for (id = 0; id <= 0xffff; id++) {
        suite = dm_suite_by_id((uint16_t) id);

        if (suite == NULL) {
            continue;
        }

        for (version = DM_SSLV3; version <= DM_TLSV1_3; version <<= 1) {

            if (suite->versions & version) {
                assert_case(suite, version, negotiates(suite, version));
                seen |= version;

            } else if (!dm_suite_weak(suite)) {
                assert_case(suite, version, !negotiates(suite, version));
            }
        }
    }

    assert_int_equal(seen, dm_version_available());
    assert_int_equal(seen & DM_TLSV1_2, DM_TLSV1_2);
}


/* RFC 5487, section 3: GCM wants TLS 1.2, CBC_SHA256 also goes below */

static void
test_psk_versions(void **state)
{
    const dm_suite_t   *suite;
    const char *const  *name;

    (void) state;

    for (name = dm_suite_list(str("DM-PSK")); *name != NULL; name++) {
        suite = dm_suite_by_name(str(*name));
        assert_non_null(suite);

        assert_true(suite->auth & DM_AUTH_PSK);

        assert_int_equal(suite->versions,
                         dm_version_available()
                         & (strstr(*name, "_GCM_") ? DM_TLSV1_2
                            : DM_TLSV1 | DM_TLSV1_1 | DM_TLSV1_2));

        assert_case(suite, DM_TLSV1_2, negotiates(suite, DM_TLSV1_2));

        if (dm_version_available() & DM_TLSV1) {
            assert_case(suite, DM_TLSV1,
                        negotiates(suite, DM_TLSV1)
                        == (strstr(*name, "_CBC_") != NULL));
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_auth),
        cmocka_unit_test(test_forbidden),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_lists_resolve),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_init_again),
        cmocka_unit_test(test_provider_missing),
        cmocka_unit_test(test_init_after_provider),
        cmocka_unit_test(test_negotiable),
        cmocka_unit_test(test_psk_versions)
    };

    return cmocka_run_group_tests_name("suite", tests, setup, teardown);
}
