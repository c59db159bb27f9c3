/* Protocol versions, cipher suites and the named lists of them */

#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/provider.h>

#include "dm_suite.h"


#define DM_SUITE_TABLE   256    /* OpenSSL 3.0 has up to 125 */
#define DM_SUITE_PLACES  512
#define DM_SUITE_APART   2654435769u    /* 2^32 by the golden ratio */


typedef struct {
    unsigned     bit;
    int          number;
    const char  *name;
} dm_version_t;


typedef struct {
    const char         *name;
    const char *const  *suites;
} dm_list_t;


static SSL_CTX *dm_suite_ctx(void);
static unsigned dm_suite_psk(SSL *ssl, const char *hint, char *identity,
    unsigned max_identity, unsigned char *key, unsigned max_key);
static int dm_suite_ask(SSL_CTX *ctx, const dm_version_t *version,
    dm_err_t *err);
static int dm_suite_add(const SSL_CIPHER *cipher, unsigned version,
    dm_err_t *err);
static int dm_suite_served(const SSL_CIPHER *cipher, unsigned version);
static unsigned dm_suite_auth(const SSL_CIPHER *cipher);
static dm_suite_t *dm_suite_find(uint16_t id);
static uint16_t *dm_suite_place(uint16_t id);
static int dm_suite_named(const dm_suite_t *suite, dm_str_t name);
static int dm_suite_word_forbidden(dm_str_t word);
static int dm_suite_equals(dm_str_t str, const char *name);
static dm_str_t dm_suite_str(const char *name);


static dm_suite_t  dm_suites[DM_SUITE_TABLE];
static size_t      dm_nsuites;

/* where a suite stands by its number, plus 1; 0: nowhere */
static uint16_t    dm_suite_places[DM_SUITE_PLACES];
static unsigned    dm_available;

/* loaded once, until the process ends */
static OSSL_PROVIDER  *dm_default;
static OSSL_PROVIDER  *dm_legacy;


static const dm_version_t  dm_versions[DM_VERSIONS] = {
    { DM_SSLV3,   SSL3_VERSION,   "SSLv3" },
    { DM_TLSV1,   TLS1_VERSION,   "TLSv1" },
    { DM_TLSV1_1, TLS1_1_VERSION, "TLSv1.1" },
    { DM_TLSV1_2, TLS1_2_VERSION, "TLSv1.2" },
    { DM_TLSV1_3, TLS1_3_VERSION, "TLSv1.3" }
};


static const char *const  dm_x509_suites[] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    NULL
};

static const char *const  dm_psk_suites[] = {
    "TLS_PSK_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_PSK_WITH_AES_128_GCM_SHA256",
    "TLS_PSK_WITH_AES_128_CBC_SHA256",
    "TLS_DHE_PSK_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_PSK_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256",
    NULL
};

static const char *const  dm_tls11_suites[] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    NULL
};

static const char *const  dm_ssl3_suites[] = {
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    NULL
};

/* a SHA-256 suite first: behind a SHA-384 one a TLS 1.3 PSK is not tried */

static const char *const  dm_modern_suites[] = {
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256",
    NULL
};

static const dm_list_t  dm_lists[] = {
    { "DM-X509",  dm_x509_suites },
    { "DM-PSK",   dm_psk_suites },
    { "DM-TLS11", dm_tls11_suites },
    { "DM-SSL3",  dm_ssl3_suites },
    { "MODERN",   dm_modern_suites },
    { NULL, NULL }
};


static const char *const  dm_dm20_lists[] = {
    "DM-X509", "DM-PSK", "DM-TLS11", NULL
};

/* its suites are of SSL 3.0 alone, where AES, in CBC, must not go before RC4 */
static const char *const  dm_dm20_ssl3_lists[] = {
    "DM-SSL3", "DM-X509", "DM-PSK", "DM-TLS11", NULL
};

static const char *const  dm_modern_lists[] = {
    "MODERN", NULL
};

static const dm_profile_t  dm_profiles[] = {
    { "dm20", DM_TLSV1 | DM_TLSV1_1 | DM_TLSV1_2, dm_dm20_lists },
    { "dm20-ssl3", DM_SSLV3 | DM_TLSV1 | DM_TLSV1_1 | DM_TLSV1_2,
      dm_dm20_ssl3_lists },
    { "modern", DM_TLSV1_2 | DM_TLSV1_3, dm_modern_lists },
    { NULL, 0, NULL }
};


int
dm_suite_init(dm_err_t *err)
{
    int       rc;
    size_t    i;
    SSL_CTX  *ctx;

    ctx = dm_suite_ctx();
    if (ctx == NULL) {
        dm_err_set(err, "OpenSSL does not list its cipher suites: check its "
                   "configuration file and its providers");
        ERR_clear_error();
        return DM_ERROR;
    }

    rc = DM_OK;

    for (i = 0; rc == DM_OK && i < DM_VERSIONS; i++) {
        rc = dm_suite_ask(ctx, &dm_versions[i], err);
    }

    SSL_CTX_free(ctx);

    /* nginx would report what is left in the queue as an alert */

    ERR_clear_error();

    return rc;
}


int
dm_suite_load_legacy(dm_err_t *err)
{
    if (OSSL_PROVIDER_available(NULL, "legacy") == 1) {
        return DM_OK;
    }

    /* once a provider is loaded by name, "default" does not come by itself */

    if (dm_default == NULL) {
        dm_default = OSSL_PROVIDER_load(NULL, "default");
    }

    dm_legacy = OSSL_PROVIDER_load(NULL, "legacy");

    if (dm_default == NULL || dm_legacy == NULL) {
        dm_err_set(err, "OpenSSL's provider \"legacy\", which has RC4, cannot "
                   "be loaded: set OPENSSL_MODULES to the directory of its "
                   "legacy.so");
        ERR_clear_error();
        return DM_ERROR;
    }

    return dm_suite_init(err);
}


/* level 0 because the question is what can be done, not what is allowed */

static SSL_CTX *
dm_suite_ctx(void)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_method());

    if (ctx == NULL
        || SSL_CTX_set_cipher_list(ctx,
                                   "ALL:COMPLEMENTOFALL:@SECLEVEL=0") != 1
        || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:"
                                         "TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256:"
                                         "TLS_AES_128_CCM_SHA256:"
                                         "TLS_AES_128_CCM_8_SHA256") != 1)
    {
        SSL_CTX_free(ctx);
        return NULL;
    }

    /*
     * OpenSSL lists PSK suites only if there is a callback, and no SRP suites
     */

    SSL_CTX_set_psk_client_callback(ctx, dm_suite_psk);

    /* openssl.cnf may have switched versions off */

    SSL_CTX_clear_options(ctx, SSL_OP_NO_SSL_MASK);

    return ctx;
}


static unsigned
dm_suite_psk(SSL *ssl, const char *hint, char *identity,
    unsigned max_identity, unsigned char *key, unsigned max_key)
{
    (void) ssl;
    (void) hint;
    (void) identity;
    (void) max_identity;
    (void) key;
    (void) max_key;

    return 0;
}


/*
 * Adds the suites that this OpenSSL would offer in the version.  Nothing else
 * tells: built with no-ssl3, OpenSSL 3.0 accepts SSL 3.0 as minimum and
 * maximum all the same, and of a suite's versions it shows only the lowest
 * (IDEA ends at TLS 1.1).
 */

static int
dm_suite_ask(SSL_CTX *ctx, const dm_version_t *version, dm_err_t *err)
{
    int                    i, rc;
    SSL                   *ssl;
    STACK_OF(SSL_CIPHER)  *ciphers;

    ssl = SSL_new(ctx);
    if (ssl == NULL) {
        dm_err_set(err, "OpenSSL does not list the cipher suites of %s: out "
                   "of memory", version->name);
        return DM_ERROR;
    }

    if (SSL_set_min_proto_version(ssl, version->number) != 1
        || SSL_set_max_proto_version(ssl, version->number) != 1)
    {
        SSL_free(ssl);
        return DM_OK;
    }

    rc = DM_OK;
    ciphers = SSL_get1_supported_ciphers(ssl);

    for (i = 0; rc == DM_OK && i < sk_SSL_CIPHER_num(ciphers); i++) {
        dm_available |= version->bit;
        rc = dm_suite_add(sk_SSL_CIPHER_value(ciphers, i), version->bit, err);
    }

    sk_SSL_CIPHER_free(ciphers);
    SSL_free(ssl);

    return rc;
}


static int
dm_suite_add(const SSL_CIPHER *cipher, unsigned version, dm_err_t *err)
{
    uint16_t     id, *place;
    dm_suite_t  *suite;

    if (!dm_suite_served(cipher, version)) {
        return DM_OK;
    }

    id = SSL_CIPHER_get_protocol_id(cipher);

    suite = dm_suite_find(id);
    if (suite != NULL) {
        suite->versions |= version;
        return DM_OK;
    }

    if (dm_nsuites == DM_SUITE_TABLE) {
        dm_err_set(err, "this OpenSSL has more than %d cipher suites: build "
                   "with a larger DM_SUITE_TABLE", DM_SUITE_TABLE);
        return DM_ERROR;
    }

    place = dm_suite_place(id);
    suite = &dm_suites[dm_nsuites++];

    suite->id = id;
    suite->iana = SSL_CIPHER_standard_name(cipher);
    suite->openssl = SSL_CIPHER_get_name(cipher);
    suite->versions = version;
    suite->auth = dm_suite_auth(cipher);

    *place = (uint16_t) dm_nsuites;

    return DM_OK;
}


static int
dm_suite_served(const SSL_CIPHER *cipher, unsigned version)
{
    /* 3DES has 112 bits, RC4 128, or 80; NULL 0, EXPORT 40 or 56, DES 56 */

    if (SSL_CIPHER_get_bits(cipher, NULL) < 80
        || SSL_CIPHER_get_digest_nid(cipher) == NID_md5
        || SSL_CIPHER_standard_name(cipher) == NULL
        || dm_suite_auth(cipher) == 0)
    {
        return 0;
    }

    return version == DM_SSLV3 || !dm_suite_weak_cipher(cipher);
}


int
dm_suite_weak_cipher(const SSL_CIPHER *cipher)
{
    int  nid;

    nid = SSL_CIPHER_get_cipher_nid(cipher);

    return nid == NID_rc4 || nid == NID_des_ede3_cbc;
}


static unsigned
dm_suite_auth(const SSL_CIPHER *cipher)
{
    if (SSL_CIPHER_get_kx_nid(cipher) == NID_kx_rsa_psk) {
        return DM_AUTH_RSA | DM_AUTH_PSK;
    }

    switch (SSL_CIPHER_get_auth_nid(cipher)) {

    case NID_auth_rsa:
        return DM_AUTH_RSA;

    case NID_auth_ecdsa:
        return DM_AUTH_ECDSA;

    case NID_auth_psk:
        return DM_AUTH_PSK;

    case NID_auth_any:
        return DM_AUTH_ANY;

    default:        /* anonymous, DSS, GOST */
        return 0;
    }
}


const dm_suite_t *
dm_suite_by_name(dm_str_t name)
{
    size_t  i;

    for (i = 0; i < dm_nsuites; i++) {
        if (dm_suite_named(&dm_suites[i], name)) {
            return &dm_suites[i];
        }
    }

    return NULL;
}


static int
dm_suite_named(const dm_suite_t *suite, dm_str_t name)
{
    if (dm_suite_equals(name, suite->openssl)
        || dm_suite_equals(name, suite->iana))
    {
        return 1;
    }

    if (name.len < 4 || memcmp(name.data, "SSL_", 4) != 0) {
        return 0;
    }

    name.data += 4;
    name.len -= 4;

    return dm_suite_equals(name, suite->iana + 4);
}


const dm_suite_t *
dm_suite_by_id(uint16_t id)
{
    return dm_suite_find(id);
}


const dm_suite_t *
dm_suite_at(size_t n)
{
    return n < dm_nsuites ? &dm_suites[n] : NULL;
}


size_t
dm_suite_index(const dm_suite_t *suite)
{
    return (size_t) (suite - dm_suites);
}


static dm_suite_t *
dm_suite_find(uint16_t id)
{
    size_t  place;

    place = *dm_suite_place(id);

    return place ? &dm_suites[place - 1] : NULL;
}


/* the place of a number, or the free one where it would stand */
static uint16_t *
dm_suite_place(uint16_t id)
{
    size_t  i;

    /* numbers in a row are multiplied apart: there are more places than them */

    for (i = (id * DM_SUITE_APART >> 16) % DM_SUITE_PLACES;
         dm_suite_places[i] && dm_suites[dm_suite_places[i] - 1].id != id;
         i = (i + 1) % DM_SUITE_PLACES)
    {
        /* void */
    }

    return &dm_suite_places[i];
}


int
dm_suite_forbidden(dm_str_t name)
{
    dm_str_t              word;
    const unsigned char  *p, *last;

    /* RFC 9150: no encryption, and nothing in the name that says so */

    if (dm_suite_equals(name, "TLS_SHA256_SHA256")
        || dm_suite_equals(name, "TLS_SHA384_SHA384"))
    {
        return 1;
    }

    last = name.data + name.len;
    word.data = name.data;

    for (p = name.data; p < last; p++) {
        if (*p != '_' && *p != '-') {
            continue;
        }

        word.len = (size_t) (p - word.data);

        if (dm_suite_word_forbidden(word)) {
            return 1;
        }

        word.data = p + 1;
    }

    word.len = (size_t) (last - word.data);

    return dm_suite_word_forbidden(word);
}


static int
dm_suite_word_forbidden(dm_str_t word)
{
    size_t                    i;
    static const char *const  words[] = {
        "NULL", "EXPORT", "EXPORT1024", "anon",             /* IANA */
        "EXP", "EXP1024", "ADH", "AECDH", "aNULL", "eNULL"  /* OpenSSL */
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (dm_str_ieq(word, dm_suite_str(words[i]))) {
            return 1;
        }
    }

    return 0;
}


int
dm_suite_weak(const dm_suite_t *suite)
{
    /* nothing but RC4 and 3DES is served on SSL 3.0 alone */

    return suite->versions == DM_SSLV3;
}


const char *const *
dm_suite_list(dm_str_t name)
{
    const dm_list_t  *list;

    for (list = dm_lists; list->name != NULL; list++) {
        if (dm_suite_equals(name, list->name)) {
            return list->suites;
        }
    }

    return NULL;
}


const dm_profile_t *
dm_profile_by_name(dm_str_t name)
{
    const dm_profile_t  *profile;

    for (profile = dm_profiles; profile->name != NULL; profile++) {
        if (dm_suite_equals(name, profile->name)) {
            return profile;
        }
    }

    return NULL;
}


unsigned
dm_version_by_name(dm_str_t name)
{
    size_t  i;

    for (i = 0; i < DM_VERSIONS; i++) {
        if (dm_suite_equals(name, dm_versions[i].name)) {
            return dm_versions[i].bit;
        }
    }

    return 0;
}


unsigned
dm_version_by_number(int number)
{
    size_t  i;

    for (i = 0; i < DM_VERSIONS; i++) {
        if (dm_versions[i].number == number) {
            return dm_versions[i].bit;
        }
    }

    return 0;
}


const char *
dm_version_name(unsigned bit)
{
    size_t  i;

    for (i = 0; i < DM_VERSIONS; i++) {
        if (dm_versions[i].bit == bit) {
            return dm_versions[i].name;
        }
    }

    return NULL;
}


int
dm_version_number(unsigned bit)
{
    size_t  i;

    for (i = 0; i < DM_VERSIONS; i++) {
        if (dm_versions[i].bit == bit) {
            return dm_versions[i].number;
        }
    }

    return 0;
}


unsigned
dm_version_available(void)
{
    return dm_available;
}


static int
dm_suite_equals(dm_str_t str, const char *name)
{
    return dm_str_eq(str, dm_suite_str(name));
}


static dm_str_t
dm_suite_str(const char *name)
{
    return (dm_str_t) { (const unsigned char *) name, strlen(name) };
}
