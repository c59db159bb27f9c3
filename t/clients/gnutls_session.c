/*
 * A GnuTLS client with a pre-shared key that keeps its session.
 *
 * usage: gnutls_session PORT 1.2|1.3 IDENTITY HEXKEY
 *
 * Each line of its input is one connection to 127.0.0.1 with one request:
 * "both" offers the session and the key, "session" offers the session alone,
 * where it has one.  It answers with a line: the status of the response, 0
 * where there is none, and "resumed" or "full".
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>


#define REQUEST                                                               \
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


static gnutls_datum_t  kept;


static int
connected(int port)
{
    int                 fd;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((unsigned short) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
        perror("connect");
        exit(1);
    }

    return fd;
}


static int
asked(gnutls_session_t session)
{
    char     response[65536];
    size_t   len;
    ssize_t  n;

    gnutls_record_send(session, REQUEST, sizeof(REQUEST) - 1);

    for (len = 0; len < sizeof(response) - 1; len += (size_t) n) {

        do {
            n = gnutls_record_recv(session, response + len,
                                   sizeof(response) - 1 - len);
        } while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);

        if (n <= 0) {
            break;
        }
    }

    response[len] = '\0';

    return len > 12 ? atoi(response + 9) : 0;
}


/* a TLS 1.3 session without a ticket is none to be kept */
static void
keep(gnutls_session_t session)
{
    gnutls_free(kept.data);
    kept.data = NULL;

    if (gnutls_protocol_get_version(session) == GNUTLS_TLS1_3
        && !(gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET))
    {
        return;
    }

    if (gnutls_session_get_data2(session, &kept) < 0) {
        kept.data = NULL;
    }
}


static void
connection(int port, const char *priority, int key,
    gnutls_psk_client_credentials_t psk,
    gnutls_certificate_credentials_t certificate)
{
    int               fd, rc, status, resumed;
    gnutls_session_t  session;

    fd = connected(port);

    gnutls_init(&session, GNUTLS_CLIENT);
    gnutls_priority_set_direct(session, priority, NULL);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, certificate);

    if (key || kept.data == NULL) {
        gnutls_credentials_set(session, GNUTLS_CRD_PSK, psk);
    }

    if (kept.data) {
        gnutls_session_set_data(session, kept.data, kept.size);
    }

    gnutls_transport_set_int(session, fd);

    do {
        rc = gnutls_handshake(session);
    } while (rc < 0 && !gnutls_error_is_fatal(rc));

    status = 0;
    resumed = 0;

    if (rc == 0) {
        resumed = gnutls_session_is_resumed(session);
        status = asked(session);
        keep(session);
    }

    printf("%d %s\n", status, resumed ? "resumed" : "full");
    fflush(stdout);

    gnutls_deinit(session);
    close(fd);
}


int
main(int argc, char **argv)
{
    char                               line[64], priority[128];
    gnutls_datum_t                     key;
    gnutls_psk_client_credentials_t    psk;
    gnutls_certificate_credentials_t   certificate;

    if (argc != 5) {
        return 2;
    }

    key.data = (unsigned char *) argv[4];
    key.size = (unsigned) strlen(argv[4]);

    gnutls_certificate_allocate_credentials(&certificate);
    gnutls_psk_allocate_client_credentials(&psk);
    gnutls_psk_set_client_credentials(psk, argv[3], &key, GNUTLS_PSK_KEY_HEX);

    snprintf(priority, sizeof(priority), "NORMAL:-VERS-ALL:+VERS-TLS%s%s",
             argv[2], strcmp(argv[2], "1.3") == 0 ? ":+DHE-PSK:+PSK"
                                                  : ":-KX-ALL:+PSK");

    while (fgets(line, sizeof(line), stdin)) {
        connection(atoi(argv[1]), priority, strncmp(line, "both", 4) == 0,
                   psk, certificate);
    }

    gnutls_free(kept.data);
    gnutls_psk_free_client_credentials(psk);
    gnutls_certificate_free_credentials(certificate);

    return 0;
}
