/* dm-probe: a ClientHello as octets, and the answer */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "probe/raw.h"


#define TLS12  0x0303


/* from an allocation of exactly that size, so that ASan sees an over-read */

static dm_raw_answer_t
read_answer(const void *data, size_t len)
{
    unsigned char    *copy;
    dm_raw_answer_t   answer;

    copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, data, len);

    memset(&answer, 0xaa, sizeof(answer));
    dm_raw_read(&answer, copy, len);

    free(copy);

    return answer;
}


/* record, handshake, TLS 1.2, random, an id of 4 octets, suite 0x0001 */

static const unsigned char  server_hello[] =
    "\x16\x03\x03\x00\x2e\x02\x00\x00\x2a\x03\x03"
    "0123456789abcdef0123456789abcdef"
    "\x04" "abcd" "\x00\x01\x00";

#define SERVER_HELLO  (sizeof(server_hello) - 1)


static void
test_server_hello(void **state)
{
    size_t           i;
    dm_raw_answer_t  answer;

    (void) state;

    /* up to the octet behind the suite */

    for (i = 0; i < SERVER_HELLO - 1; i++) {
        assert_int_equal(read_answer(server_hello, i).kind, DM_RAW_MORE);
    }

    for ( /* void */ ; i <= SERVER_HELLO; i++) {
        answer = read_answer(server_hello, i);

        assert_int_equal(answer.kind, DM_RAW_HELLO);
        assert_int_equal(answer.version, TLS12);
        assert_int_equal(answer.suite, 0x0001);
    }
}


static void
test_alerts(void **state)
{
    size_t           i;
    dm_raw_answer_t  answer;
    unsigned char    octets[7 + SERVER_HELLO];

    static const unsigned char  fatal[] = "\x15\x03\x01\x00\x02\x02\x28";

    (void) state;

    for (i = 0; i < 7; i++) {
        assert_int_equal(read_answer(fatal, i).kind, DM_RAW_MORE);
    }

    answer = read_answer(fatal, 7);
    assert_int_equal(answer.kind, DM_RAW_ALERT);
    assert_int_equal(answer.alert, SSL_AD_HANDSHAKE_FAILURE);

    /* close_notify is a warning, and the end */

    answer = read_answer("\x15\x03\x01\x00\x02\x01\x00", 7);
    assert_int_equal(answer.kind, DM_RAW_ALERT);
    assert_int_equal(answer.alert, SSL_AD_CLOSE_NOTIFY);

    /* unrecognized_name is one, and no end */

    memcpy(octets, "\x15\x03\x01\x00\x02\x01\x70", 7);
    memcpy(octets + 7, server_hello, SERVER_HELLO);

    assert_int_equal(read_answer(octets, 7).kind, DM_RAW_MORE);
    assert_int_equal(read_answer(octets, sizeof(octets)).kind, DM_RAW_HELLO);

    /* a warning of another length would lead anywhere */

    octets[4] = 40;
    assert_int_equal(read_answer(octets, sizeof(octets)).kind, DM_RAW_OTHER);
}


static void
test_ssl2(void **state)
{
    size_t           i;
    dm_raw_answer_t  answer;

    static const unsigned char  hello[] =
        "\x80\x0b\x04\x00\x01\x00\x02\x00\x00\x00\x00\x00\x00";

    (void) state;

    for (i = 0; i < 7; i++) {
        assert_int_equal(read_answer(hello, i).kind, DM_RAW_MORE);
    }

    answer = read_answer(hello, sizeof(hello) - 1);
    assert_int_equal(answer.kind, DM_RAW_HELLO);
    assert_int_equal(answer.version, DM_RAW_SSL2);

    /* its error message, and another version */

    assert_int_equal(read_answer("\x80\x03\x00\x00\x01\x00\x00", 7).kind,
                     DM_RAW_OTHER);
    assert_int_equal(read_answer("\x80\x0b\x04\x00\x01\x03\x01", 7).kind,
                     DM_RAW_OTHER);
}


static void
test_other(void **state)
{
    unsigned char  octets[SERVER_HELLO];

    (void) state;

    assert_int_equal(read_answer("", 0).kind, DM_RAW_MORE);
    assert_int_equal(read_answer("HTTP/1.1 400 Bad", 16).kind, DM_RAW_OTHER);
    assert_int_equal(read_answer("\x17\x03\x03\x00\x05", 5).kind,
                     DM_RAW_OTHER);
    assert_int_equal(read_answer("\x16\x7f\x03\x00\x05", 5).kind,
                     DM_RAW_OTHER);

    /* another handshake message, and a session id that is too long */

    memcpy(octets, server_hello, SERVER_HELLO);
    octets[5] = 11;
    assert_int_equal(read_answer(octets, SERVER_HELLO).kind, DM_RAW_OTHER);

    memcpy(octets, server_hello, SERVER_HELLO);
    octets[43] = 33;
    assert_int_equal(read_answer(octets, SERVER_HELLO).kind, DM_RAW_OTHER);
}


/* what a server makes of a hello: its octets in out */

static size_t
serve(SSL_CTX *ctx, const unsigned char *hello, size_t len,
    unsigned char *out, size_t size)
{
    int   n;
    SSL  *ssl;
    BIO  *in, *reply;

    ssl = SSL_new(ctx);
    in = BIO_new(BIO_s_mem());
    reply = BIO_new(BIO_s_mem());

    assert_non_null(ssl);
    assert_non_null(in);
    assert_non_null(reply);

    SSL_set_bio(ssl, in, reply);
    assert_int_equal(BIO_write(in, hello, (int) len), len);

    assert_int_not_equal(SSL_accept(ssl), 1);

    n = BIO_read(reply, out, (int) size);
    SSL_free(ssl);
    ERR_clear_error();

    return n < 0 ? 0 : (size_t) n;
}


static SSL_CTX *
server(const char *ciphers)
{
    X509      *cert;
    SSL_CTX   *ctx;
    EVP_PKEY  *key;

    key = EVP_RSA_gen(2048);
    cert = X509_new();
    ctx = SSL_CTX_new(TLS_server_method());

    assert_non_null(key);
    assert_non_null(cert);
    assert_non_null(ctx);

    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 60));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_int_not_equal(X509_sign(cert, key, EVP_sha256()), 0);

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_dh_auto(ctx, 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers), 1);

    X509_free(cert);
    EVP_PKEY_free(key);

    return ctx;
}


/* a real server takes the hellos for what they are */

static void
test_real_server(void **state)
{
    size_t           len;
    unsigned         version;
    SSL_CTX         *strict, *null, *anonymous;
    unsigned char    hello[DM_RAW_HELLO_MAX], out[16384];
    dm_raw_answer_t  answer;

    (void) state;

    strict = server("ALL:!aNULL:!eNULL:@SECLEVEL=0");
    null = server("eNULL:@SECLEVEL=0");
    anonymous = server("aNULL:@SECLEVEL=0");

    for (version = 0x0301; version <= 0x0303; version++) {
        len = dm_raw_hello(version, dm_raw_null, "dm.example.com", hello);
        assert_int_not_equal(len, 0);

        answer = read_answer(out, serve(strict, hello, len, out,
                                        sizeof(out)));
        assert_int_equal(answer.kind, DM_RAW_ALERT);
        assert_int_equal(answer.alert, SSL_AD_HANDSHAKE_FAILURE);

        answer = read_answer(out, serve(null, hello, len, out, sizeof(out)));
        assert_int_equal(answer.kind, DM_RAW_HELLO);
        assert_int_equal(answer.version, version);

        len = dm_raw_hello(version, dm_raw_anonymous, "127.0.0.1", hello);

        answer = read_answer(out, serve(strict, hello, len, out,
                                        sizeof(out)));
        assert_int_equal(answer.kind, DM_RAW_ALERT);

        answer = read_answer(out, serve(anonymous, hello, len, out,
                                        sizeof(out)));
        assert_int_equal(answer.kind, DM_RAW_HELLO);
        assert_int_equal(answer.version, version);
    }

    /* with a suite that it knows TLS 1.3 asks for a key share */

    len = dm_raw_hello(0x0304, (const uint16_t[]) { 0x1301, 0 }, NULL, hello);
    answer = read_answer(out, serve(strict, hello, len, out, sizeof(out)));
    assert_int_equal(answer.kind, DM_RAW_HELLO);
    assert_int_equal(answer.suite, 0x1301);

    len = dm_raw_hello(0x0304, dm_raw_null, NULL, hello);
    answer = read_answer(out, serve(strict, hello, len, out, sizeof(out)));
    assert_int_equal(answer.kind, DM_RAW_ALERT);

    SSL_CTX_free(strict);
    SSL_CTX_free(null);
    SSL_CTX_free(anonymous);
}


static void
test_hello_octets(void **state)
{
    size_t         len;
    char           host[1024];
    unsigned char  hello[DM_RAW_HELLO_MAX];

    (void) state;

    len = dm_raw_hello_ssl2(hello);
    assert_int_equal(len, 2 + 9 + 7 * 3 + 16);
    assert_memory_equal(hello, "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
                        11);

    /* SSL 3.0 has no extensions */

    len = dm_raw_hello(0x0300, dm_raw_export, "dm.example.com", hello);
    assert_int_equal(len, 5 + 4 + 2 + 32 + 1 + 2 + 19 * 2 + 2);

    /* a name that does not fit makes no hello that is cut */

    memset(host, 'a', sizeof(host) - 1);
    host[sizeof(host) - 1] = '\0';
    assert_int_equal(dm_raw_hello(TLS12, dm_raw_null, host, hello), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_server_hello),
        cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_ssl2),
        cmocka_unit_test(test_other),
        cmocka_unit_test(test_real_server),
        cmocka_unit_test(test_hello_octets)
    };

    return cmocka_run_group_tests_name("probe_raw", tests, NULL, NULL);
}
