/*
 * Connects with wolfSSL as it is by default, without a key, by TLS 1.2, and
 * prints the suite, or why there is none: wolfssl_default PORT [SUITES]
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>


int
main(int argc, char **argv)
{
    int                 fd;
    WOLFSSL            *ssl;
    WOLFSSL_CTX        *ctx;
    struct sockaddr_in  addr = { 0 };

    if (argc != 2 && argc != 3) {
        return 2;
    }

    addr.sin_family = AF_INET;
    addr.sin_port = htons((unsigned short) atoi(argv[1]));
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    wolfSSL_Init();
    ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());

    if (argc == 3
        && wolfSSL_CTX_set_cipher_list(ctx, argv[2]) != WOLFSSL_SUCCESS)
    {
        fprintf(stderr, "wolfSSL does not have all of %s\n", argv[2]);
        return 2;
    }

    wolfSSL_CTX_set_verify(ctx, WOLFSSL_VERIFY_NONE, NULL);
    ssl = wolfSSL_new(ctx);
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1) {
        perror("connect");
        return 2;
    }

    wolfSSL_set_fd(ssl, fd);

    if (wolfSSL_connect(ssl) != WOLFSSL_SUCCESS) {
        printf("error %d\n", wolfSSL_get_error(ssl, -1));
        return 1;
    }

    printf("%s\n", wolfSSL_get_cipher_name(ssl));
    close(fd);

    return 0;
}
