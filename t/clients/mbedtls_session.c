/*
 * An mbedTLS client with a pre-shared key that keeps its session: used as
 * gnutls_session is.  TLS 1.3 is there in mbedTLS 3.6 and later; with an
 * older one it answers "no TLS 1.3" and ends.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#if (MBEDTLS_VERSION_NUMBER >= 0x03060000)
#include <psa/crypto.h>
#endif


#define REQUEST                                                               \
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


static int                       kept;
static mbedtls_ssl_session       session;
static mbedtls_entropy_context   entropy;
static mbedtls_ctr_drbg_context  drbg;


/* of TLS 1.2: with a certificate's suite it would not show its key */
static const int  suites[] = { MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256, 0 };


static void
keep(mbedtls_ssl_context *ssl)
{
    mbedtls_ssl_session_free(&session);
    mbedtls_ssl_session_init(&session);

    kept = (mbedtls_ssl_get_session(ssl, &session) == 0);
}


static int
asked(mbedtls_ssl_context *ssl, int tls13)
{
    int     n, ticket;
    char    response[65536];
    size_t  len;

    ticket = 0;

    mbedtls_ssl_write(ssl, (const unsigned char *) REQUEST,
                      sizeof(REQUEST) - 1);

    for (len = 0; len < sizeof(response) - 1; len += (size_t) n) {

        n = mbedtls_ssl_read(ssl, (unsigned char *) response + len,
                             sizeof(response) - 1 - len);

#if (MBEDTLS_VERSION_NUMBER >= 0x03060000)
        if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep(ssl);
            ticket = 1;
            n = 0;
            continue;
        }
#endif

        /* a ticket that is not asked for comes as "read again" */

        if (n == MBEDTLS_ERR_SSL_WANT_READ) {
            n = 0;
            continue;
        }

        if (n <= 0) {
            break;
        }
    }

    if (tls13 && !ticket) {
        kept = 0;
    }

    response[len] = '\0';

    return len > 12 ? atoi(response + 9) : 0;
}


/* what it tells of resumption is not the same in all its versions: nothing */
static void
connection(const char *port, mbedtls_ssl_config *conf, int tls13)
{
    int                  rc, status;
    mbedtls_net_context  net;
    mbedtls_ssl_context  ssl;

    mbedtls_net_init(&net);
    mbedtls_ssl_init(&ssl);

    if (mbedtls_net_connect(&net, "127.0.0.1", port, MBEDTLS_NET_PROTO_TCP)
        != 0
        || mbedtls_ssl_setup(&ssl, conf) != 0)
    {
        fprintf(stderr, "cannot connect\n");
        exit(1);
    }

    mbedtls_ssl_set_hostname(&ssl, "localhost");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);

    if (kept) {
        mbedtls_ssl_set_session(&ssl, &session);
    }

    do {
        rc = mbedtls_ssl_handshake(&ssl);
    } while (rc == MBEDTLS_ERR_SSL_WANT_READ
             || rc == MBEDTLS_ERR_SSL_WANT_WRITE);

    status = 0;

    if (rc == 0) {

        if (!tls13) {
            keep(&ssl);
        }

        status = asked(&ssl, tls13);
    }

    printf("%d full\n", status);
    fflush(stdout);

    mbedtls_ssl_free(&ssl);
    mbedtls_net_free(&net);
}


static size_t
unhex(const char *hex, unsigned char *out, size_t max)
{
    size_t    n;
    unsigned  octet;

    for (n = 0; n < max && sscanf(hex + 2 * n, "%2x", &octet) == 1; n++) {
        out[n] = (unsigned char) octet;
    }

    return n;
}


static void
set_version(mbedtls_ssl_config *conf, int tls13)
{
#if (MBEDTLS_VERSION_NUMBER >= 0x03060000)

    mbedtls_ssl_protocol_version  version;

    version = tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;

    mbedtls_ssl_conf_min_tls_version(conf, version);
    mbedtls_ssl_conf_max_tls_version(conf, version);

#if (MBEDTLS_VERSION_NUMBER >= 0x03060100)
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(conf, 1);
#endif

#else

    if (tls13) {
        printf("no TLS 1.3\n");
        exit(0);
    }

    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);

#endif
}


int
main(int argc, char **argv)
{
    int                 tls13;
    char                line[64];
    size_t              len;
    unsigned char       key[64];
    mbedtls_ssl_config  conf;

    if (argc != 5) {
        return 2;
    }

#if (MBEDTLS_VERSION_NUMBER >= 0x03060000)
    psa_crypto_init();
#endif

    tls13 = (strcmp(argv[2], "1.3") == 0);

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
    mbedtls_ssl_session_init(&session);

    mbedtls_ssl_config_init(&conf);
    mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT,
                                MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_authmode(&conf, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);

    set_version(&conf, tls13);

    if (!tls13) {
        mbedtls_ssl_conf_ciphersuites(&conf, suites);
    }

    len = unhex(argv[4], key, sizeof(key));
    mbedtls_ssl_conf_psk(&conf, key, len, (const unsigned char *) argv[3],
                         strlen(argv[3]));

    while (fgets(line, sizeof(line), stdin)) {
        connection(argv[1], &conf, tls13);
    }

    mbedtls_ssl_session_free(&session);
    mbedtls_ssl_config_free(&conf);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);

    return 0;
}
