/* dm-probe: the DM Account MO */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "probe/mo.h"


#define URN      "urn:oma:mo:oma-dm-dmacc:1.2"
#define MO(trsp) "[{\"ClientURI\":\"" URN "//\",\"MOData\":{\"DMAcc\":"       \
                 "{\"Auth\":{\"Trsp\":" trsp "}}}}]"

#define IDENTITY "ZGV2LTE="                         /* dev-1 */
#define KEY      "MDEyMzQ1Njc4OWFiY2RlZg=="         /* 0123456789abcdef */


typedef struct {
    const char  *json;
    const char  *err;       /* a part of the message */
} refusal_t;


/* from an allocation of exactly that size, so that ASan sees an over-read */

static int
read_mo(dm_mo_t *mo, const char *json, dm_err_t *err)
{
    int             rc;
    size_t          len;
    unsigned char  *copy;

    len = strlen(json);
    copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, json, len);

    memset(mo, 0xaa, sizeof(dm_mo_t));
    memset(err, 0, sizeof(dm_err_t));

    rc = dm_mo_read(mo, copy, len, err);

    free(copy);

    return rc;
}


static void
test_psk(void **state)
{
    dm_mo_t   mo;
    dm_err_t  err;

    (void) state;

    assert_int_equal(read_mo(&mo, "[{\"ClientURI\":\"urn:other//\","
                                  "\"MOData\":{\"a\":{}}},"
                                  "{\"DDF\":\"http://x\",\"ClientURI\":\"" URN
                                  "//\",\"MOData\":{\"Any\":{\"SrvURI\":"
                                  "\"https://dm.example.com/dm\",\"Auth\":{"
                                  "\"Trsp\":{\"Data\":\"" IDENTITY "\","
                                  "\"Secret\":\"" KEY "\"}}}}}]", &err),
                     DM_OK);

    assert_string_equal(mo.uri, "https://dm.example.com/dm");
    assert_int_equal(mo.has_psk, 1);
    assert_string_equal(mo.psk.identity, "dev-1");
    assert_int_equal(mo.psk.key.len, 16);
    assert_memory_equal(mo.psk.key.data, "0123456789abcdef", 16);
    assert_null(mo.cert);
    assert_null(mo.key);

    dm_mo_wipe(&mo);
    assert_int_equal(mo.psk.key.data[0], 0);
}


static EVP_PKEY *
make_key(void)
{
    EVP_PKEY  *key;

    key = EVP_EC_gen("P-256");
    assert_non_null(key);

    return key;
}


/* the Base64 of a certificate */

static void
make_cert(EVP_PKEY *key, char *out)
{
    int             len;
    X509           *cert;
    unsigned char  *der;

    cert = X509_new();
    assert_non_null(cert);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 60));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_int_not_equal(X509_sign(cert, key, EVP_sha256()), 0);

    der = NULL;
    len = i2d_X509(cert, &der);
    assert_true(len > 0);

    (void) EVP_EncodeBlock((unsigned char *) out, der, len);

    OPENSSL_free(der);
    X509_free(cert);
}


static void
make_secret(EVP_PKEY *key, char *out)
{
    int                   len;
    unsigned char        *der;
    PKCS8_PRIV_KEY_INFO  *info;

    info = EVP_PKEY2PKCS8(key);
    assert_non_null(info);

    der = NULL;
    len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    assert_true(len > 0);

    (void) EVP_EncodeBlock((unsigned char *) out, der, len);

    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
}


static void
test_cert(void **state)
{
    char       json[8192], cert[2048], secret[2048];
    dm_mo_t    mo;
    dm_err_t   err;
    EVP_PKEY  *key, *other;

    (void) state;

    key = make_key();
    other = make_key();
    make_cert(key, cert);
    make_secret(key, secret);

    (void) snprintf(json, sizeof(json), MO("{\"Data\":\"%s\",\"Secret\":"
                    "\"%s\"}"), cert, secret);
    assert_int_equal(read_mo(&mo, json, &err), DM_OK);
    assert_string_equal(mo.uri, "");
    assert_int_equal(mo.has_psk, 0);
    assert_non_null(mo.cert);
    assert_int_equal(EVP_PKEY_eq(mo.key, key), 1);
    dm_mo_wipe(&mo);

    /* the device has made its own key */

    (void) snprintf(json, sizeof(json), MO("{\"Data\":\"%s\"}"), cert);
    assert_int_equal(read_mo(&mo, json, &err), DM_OK);
    assert_non_null(mo.cert);
    assert_null(mo.key);
    dm_mo_wipe(&mo);

    /* another's key, or none at all */

    make_secret(other, secret);
    (void) snprintf(json, sizeof(json), MO("{\"Data\":\"%s\",\"Secret\":"
                    "\"%s\"}"), cert, secret);
    assert_int_equal(read_mo(&mo, json, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "not the private key"));
    assert_null(mo.cert);

    (void) snprintf(json, sizeof(json), MO("{\"Data\":\"%s\",\"Secret\":\""
                    KEY "\"}"), cert);
    assert_int_equal(read_mo(&mo, json, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "not the private key"));

    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}


static void
test_refused(void **state)
{
    size_t    i;
    dm_mo_t   mo;
    dm_err_t  err;

    static const refusal_t  refusals[] = {
        { "", "no JSON" },
        { "[", "no JSON, from line 1" },
        { "{\"a\":1,\"a\":2}", "no JSON" },
        { "1", "no JSON" },
        { "[1, null, []]", "no MO" },
        { "[{\"ClientURI\":\"urn:other\"}]", "no MO" },
        { "[{\"ClientURI\":\"" URN "//\"}]", "no MO" },
        { "[{\"ClientURI\":\"" URN "//\",\"MOData\":[]}]", "no MO" },
        { "[{\"ClientURI\":\"" URN "//\",\"MOData\":{\"a\":1}}]", "no MO" },
        { "[{\"ClientURI\":\"" URN "//\",\"MOData\":{\"a\":{},\"b\":{}}}]",
          "no MO" },
        { "[{\"ClientURI\":\"" URN "//\",\"MOData\":{\"a\":{\"SrvURI\":1}}}]",
          "SrvURI" },
        { "[{\"ClientURI\":\"" URN "//\",\"MOData\":{\"a\":{}}}]",
          "no Auth/Trsp" },
        { MO("[]"), "no Auth/Trsp" },
        { MO("{}"), "Auth/Trsp/Data is missing" },
        { MO("{\"Data\":1}"), "Auth/Trsp/Data is missing" },
        { MO("{\"Data\":\"\"}"), "Auth/Trsp/Data is missing, or empty" },
        { MO("{\"Data\":\"abc\"}"), "Auth/Trsp/Data is not Base64" },
        { MO("{\"Data\":\"ZGV2LTF=\"}"), "Auth/Trsp/Data is not Base64" },
        { MO("{\"Data\":\"====\"}"), "Auth/Trsp/Data is not Base64" },
        { MO("{\"Data\":\"ZGV2\\n\"}"), "Auth/Trsp/Data is not Base64" },
        { MO("{\"Data\":\"AAEC\"}"), "no certificate and so a PSK identity" },
        { MO("{\"Data\":\"" IDENTITY "\"}"), "Auth/Trsp/Secret is missing" },
        { MO("{\"Data\":\"" IDENTITY "\",\"Secret\":\"MDEy\"}"),
          "not a PSK of 16 to 64" }
    };

    (void) state;

    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {

        if (read_mo(&mo, refusals[i].json, &err) != DM_INVALID
            || strstr(err.text, refusals[i].err) == NULL)
        {
            fail_msg("%s: %s", refusals[i].json, err.text);
        }

        assert_int_equal(mo.has_psk, 0);
        assert_null(mo.cert);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_psk),
        cmocka_unit_test(test_cert),
        cmocka_unit_test(test_refused)
    };

    return cmocka_run_group_tests_name("probe_mo", tests, NULL, NULL);
}
