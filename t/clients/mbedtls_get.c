/*
 * mbedTLS; see t/clients/run for what it is asked.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "driver.h"


#define TIMEOUT  10000


typedef struct {
    mbedtls_net_context       net;
    mbedtls_ssl_context       ssl;
    mbedtls_ssl_config        conf;
    mbedtls_entropy_context   entropy;
    mbedtls_ctr_drbg_context  random;
    mbedtls_x509_crt          ca;
    mbedtls_x509_crt          cert;
    mbedtls_pk_context        key;
} client_t;


static int
set_psk(client_t *c)
{
    size_t          len;
    const char     *identity;
    unsigned char   key[DRIVER_KEY];

    identity = driver_given("DM_PSK_IDENTITY");
    len = driver_key(key);

    return mbedtls_ssl_conf_psk(&c->conf, key, len,
                                (const unsigned char *) identity,
                                strlen(identity));
}


static int
set_certificate(client_t *c)
{
    int  rc;

    rc = mbedtls_x509_crt_parse_file(&c->cert, driver_given("DM_CERT"));
    if (rc) {
        return rc;
    }

    rc = mbedtls_pk_parse_keyfile(&c->key, driver_given("DM_KEY"), NULL);
    if (rc) {
        return rc;
    }

    return mbedtls_ssl_conf_own_cert(&c->conf, &c->cert, &c->key);
}


static int
prepare(client_t *c, const char *method)
{
    int  rc;

    rc = mbedtls_ctr_drbg_seed(&c->random, mbedtls_entropy_func, &c->entropy,
                               NULL, 0);
    if (rc) {
        return rc;
    }

    rc = mbedtls_ssl_config_defaults(&c->conf, MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc) {
        return rc;
    }

    mbedtls_ssl_conf_rng(&c->conf, mbedtls_ctr_drbg_random, &c->random);
    mbedtls_ssl_conf_read_timeout(&c->conf, TIMEOUT);

    rc = mbedtls_x509_crt_parse_file(&c->ca, driver_given("DM_CA"));
    if (rc) {
        return rc;
    }

    mbedtls_ssl_conf_ca_chain(&c->conf, &c->ca, NULL);

    return strcmp(method, "psk") == 0 ? set_psk(c) : set_certificate(c);
}


static int
ask(client_t *c, const driver_request_t *request)
{
    int   rc;
    char  text[DRIVER_TEXT];

    rc = prepare(c, request->method);
    if (rc) {
        return rc;
    }

    rc = mbedtls_net_connect(&c->net, "127.0.0.1", request->port,
                             MBEDTLS_NET_PROTO_TCP);
    if (rc) {
        return rc;
    }

    rc = mbedtls_ssl_setup(&c->ssl, &c->conf);
    if (rc) {
        return rc;
    }

    rc = mbedtls_ssl_set_hostname(&c->ssl, "localhost");
    if (rc) {
        return rc;
    }

    mbedtls_ssl_set_bio(&c->ssl, &c->net, mbedtls_net_send, NULL,
                        mbedtls_net_recv_timeout);

    rc = mbedtls_ssl_write(&c->ssl, (unsigned char *) text,
                           (size_t) driver_format(request, text));
    if (rc < 0) {
        return rc;
    }

    do {
        rc = mbedtls_ssl_read(&c->ssl, (unsigned char *) text,
                              sizeof(text) - 1);
    } while (rc == MBEDTLS_ERR_SSL_WANT_READ);

    if (rc <= 0) {
        return rc ? rc : -1;
    }

    driver_print(text, rc);

    return 0;
}


static void
answer(const driver_request_t *request)
{
    int        rc;
    char       words[200];
    client_t  *c;

    c = calloc(1, sizeof(*c));
    if (c == NULL) {
        exit(1);
    }

    mbedtls_net_init(&c->net);
    mbedtls_ssl_init(&c->ssl);
    mbedtls_ssl_config_init(&c->conf);
    mbedtls_entropy_init(&c->entropy);
    mbedtls_ctr_drbg_init(&c->random);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_x509_crt_init(&c->cert);
    mbedtls_pk_init(&c->key);

    rc = ask(c, request);

    if (rc) {
        mbedtls_strerror(rc, words, sizeof(words));
        printf("0 %s\n", words);
    }

    mbedtls_ssl_free(&c->ssl);
    mbedtls_net_free(&c->net);
    mbedtls_ssl_config_free(&c->conf);
    mbedtls_ctr_drbg_free(&c->random);
    mbedtls_entropy_free(&c->entropy);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_x509_crt_free(&c->cert);
    mbedtls_pk_free(&c->key);
    free(c);
}


int
main(void)
{
    char              line[DRIVER_TEXT];
    driver_request_t  request;

    printf("%s\n", MBEDTLS_VERSION_STRING);

    while (fgets(line, sizeof(line), stdin)) {
        fflush(stdout);

        if (driver_parse(line, &request) == -1) {
            return 2;
        }

        answer(&request);
    }

    return 0;
}
