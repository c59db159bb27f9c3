/*
 * wolfSSL; see t/clients/run for what it is asked.
 *
 * usage: wolfssl [1.2], the version that it begins with
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/version.h>

#include "driver.h"


#define TIMEOUT  10


static unsigned int
psk(WOLFSSL *ssl, const char *hint, char *identity, unsigned int size,
    unsigned char *key, unsigned int key_size)
{
    (void) ssl;
    (void) hint;
    (void) key_size;

    snprintf(identity, size, "%s", driver_given("DM_PSK_IDENTITY"));

    return (unsigned int) driver_key(key);
}


static unsigned int
psk_tls13(WOLFSSL *ssl, const char *hint, char *identity, unsigned int size,
    unsigned char *key, unsigned int key_size, const char **suite)
{
    *suite = "TLS13-AES128-GCM-SHA256";

    return psk(ssl, hint, identity, size, key, key_size);
}


static WOLFSSL_CTX *
prepared(const char *method, const char *version)
{
    WOLFSSL_CTX  *ctx;

    ctx = wolfSSL_CTX_new(version ? wolfTLSv1_2_client_method()
                                  : wolfSSLv23_client_method());
    if (ctx == NULL) {
        exit(1);
    }

    if (wolfSSL_CTX_load_verify_locations(ctx, driver_given("DM_CA"), NULL)
        != WOLFSSL_SUCCESS)
    {
        exit(1);
    }

    if (strcmp(method, "psk") == 0) {
        wolfSSL_CTX_set_psk_client_callback(ctx, psk);
        wolfSSL_CTX_set_psk_client_tls13_callback(ctx, psk_tls13);
        return ctx;
    }

    if (wolfSSL_CTX_use_certificate_file(ctx, driver_given("DM_CERT"),
                                         WOLFSSL_FILETYPE_PEM)
        != WOLFSSL_SUCCESS
        || wolfSSL_CTX_use_PrivateKey_file(ctx, driver_given("DM_KEY"),
                                           WOLFSSL_FILETYPE_PEM)
           != WOLFSSL_SUCCESS)
    {
        exit(1);
    }

    return ctx;
}


static int
connected(int port)
{
    int                 fd;
    struct timeval      tv;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((unsigned short) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM, 0);

    tv.tv_sec = TIMEOUT;
    tv.tv_usec = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1
        || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1)
    {
        perror("connect");
        exit(1);
    }

    return fd;
}


static void
ask(WOLFSSL *ssl, const driver_request_t *request)
{
    int   n;
    char  text[DRIVER_TEXT], words[WOLFSSL_MAX_ERROR_SZ];

    n = wolfSSL_write(ssl, text, driver_format(request, text));

    if (n > 0) {
        n = wolfSSL_read(ssl, text, sizeof(text) - 1);
    }

    if (n <= 0) {
        printf("0 %s\n", wolfSSL_ERR_error_string(
                   (unsigned long) wolfSSL_get_error(ssl, n), words));
        return;
    }

    driver_print(text, n);
}


static void
answer(const driver_request_t *request, const char *version)
{
    int           fd;
    WOLFSSL      *ssl;
    WOLFSSL_CTX  *ctx;

    ctx = prepared(request->method, version);
    fd = connected(atoi(request->port));

    ssl = wolfSSL_new(ctx);
    if (ssl == NULL) {
        exit(1);
    }

    wolfSSL_set_fd(ssl, fd);
    ask(ssl, request);

    wolfSSL_free(ssl);
    wolfSSL_CTX_free(ctx);
    close(fd);
}


int
main(int argc, char *argv[])
{
    char              line[DRIVER_TEXT];
    driver_request_t  request;

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "1.2") != 0)) {
        fprintf(stderr, "usage: wolfssl [1.2]\n");
        return 2;
    }

    wolfSSL_Init();
    printf("%s\n", LIBWOLFSSL_VERSION_STRING);

    while (fgets(line, sizeof(line), stdin)) {
        fflush(stdout);

        if (driver_parse(line, &request) == -1) {
            return 2;
        }

        answer(&request, argv[1]);
    }

    return 0;
}
