/*
 * usage: handshakes ROUNDS HANDSHAKES NAME:PORT:PID:IDENTITIES ...
 *
 * Full handshakes with a pre-shared key, a few at a time, with servers on
 * 127.0.0.1, and the CPU time that the process PID spent on them.  A server
 * knows IDENTITIES identities, of which each handshake takes one at random.
 *
 * Each round asks each server for each way to shake hands, HANDSHAKES times,
 * and prints a line for it: the round, NAME, the way, and the time in
 * nanoseconds.  Round 0 is there to warm up.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common.h"


const char  bench_name[] = "handshakes";


#define SERVERS    4
#define IN_FLIGHT  8
#define STUCK      10000    /* ms without an answer */
#define AT_REST    5000000  /* ns after which a server has nothing to do */


typedef struct {
    const char  *name;
    int          version;
    const char  *suites;
} way_t;


typedef struct {
    char         name[32];
    unsigned     port;
    unsigned     identities;
    clockid_t    clock;         /* of the process PID */
} server_t;


typedef struct {
    SSL         *ssl;
    int          fd;
    unsigned     identity;
    int          done;          /* but for the server's end of it */
} connection_t;


static const way_t  ways[] = {
    { "PSK", TLS1_2_VERSION, "PSK-AES128-GCM-SHA256" },
    { "TLSv1.3", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256" }
};

#define WAYS  (sizeof(ways) / sizeof(ways[0]))

static server_t  servers[SERVERS];


/* NAME:PORT:PID:IDENTITIES */
static void
parse_server(server_t *server, const char *text)
{
    char    *p;
    size_t   len;

    len = strcspn(text, ":");

    if (text[len] != ':' || len >= sizeof(server->name)) {
        die("no name in", text);
    }

    memcpy(server->name, text, len);
    server->port = port_and_clock(text + len + 1, &p, &server->clock);
    server->identities = number(p, &p);
}


/* as bench/psk made it; RFC 4279's callback, which TLS 1.3 asks too */
static unsigned
psk(SSL *ssl, const char *hint, char *name, unsigned max_name,
    unsigned char *key, unsigned max_key)
{
    char           text[16];
    unsigned       len;
    connection_t  *c;

    (void) hint;

    c = SSL_get_app_data(ssl);

    (void) snprintf(name, max_name, "psk%06u", c->identity);
    (void) snprintf(text, sizeof(text), "key%06u", c->identity);

    if (max_key < 32
        || EVP_Digest(text, strlen(text), key, &len, EVP_sha256(), NULL) != 1)
    {
        die("no", "SHA-256");
    }

    return len;
}


/* 1: the server has closed too; 0: not yet */
static int
read_end(const connection_t *c, const server_t *server)
{
    ssize_t  n;
    char     rest[4096];

    do {
        n = read(c->fd, rest, sizeof(rest));
    } while (n > 0);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n == -1 && errno != ECONNRESET) {
        die("no end from", server->name);
    }

    return 1;
}


/* 1: the handshake is done, and all that follows it; 0: not yet */
static int
go_on(connection_t *c, const server_t *server)
{
    int  rc;

    if (c->done) {
        return read_end(c, server);
    }

    rc = SSL_connect(c->ssl);

    if (rc != 1 && SSL_get_error(c->ssl, rc) == SSL_ERROR_WANT_READ) {
        return 0;
    }

    if (rc != 1) {
        die("no handshake with", server->name);
    }

    /* a server that shows a certificate did not take the key */

    if (SSL_get0_peer_certificate(c->ssl) != NULL) {
        die("no key was used by", server->name);
    }

    (void) SSL_shutdown(c->ssl);
    (void) shutdown(c->fd, SHUT_WR);
    c->done = 1;

    return read_end(c, server);
}


static void
begin(connection_t *c, const server_t *server, SSL_CTX *ctx, int epoll)
{
    struct epoll_event  event;

    c->identity = any(server->identities);
    c->done = 0;
    c->fd = open_socket(server->port);

    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1) {
        die("no", "O_NONBLOCK");
    }

    c->ssl = SSL_new(ctx);

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (c->ssl == NULL
        || SSL_set_app_data(c->ssl, c) != 1
        || SSL_set_fd(c->ssl, c->fd) != 1
        || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == -1)
    {
        die("cannot begin with", server->name);
    }

    /* where it is all done, there is an event for that too */

    (void) go_on(c, server);
}


static void
run(const server_t *server, SSL_CTX *ctx, unsigned handshakes)
{
    int                  i, n, epoll;
    unsigned             begun, ended;
    connection_t        *c;
    struct epoll_event   events[IN_FLIGHT];
    static connection_t  connections[IN_FLIGHT];

    epoll = epoll_create1(0);
    ended = 0;

    for (begun = 0; begun < IN_FLIGHT && begun < handshakes; begun++) {
        begin(&connections[begun], server, ctx, epoll);
    }

    while (ended < handshakes) {
        n = epoll_wait(epoll, events, IN_FLIGHT, STUCK);

        if (n <= 0) {
            die("no answer in time from", server->name);
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (!go_on(c, server)) {
                continue;
            }

            SSL_free(c->ssl);
            (void) close(c->fd);
            ended++;

            if (begun < handshakes) {
                begin(c, server, ctx, epoll);
                begun++;
            }
        }
    }

    (void) close(epoll);
}


static SSL_CTX *
make_ctx(const way_t *way)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL
        || SSL_CTX_set_min_proto_version(ctx, way->version) != 1
        || SSL_CTX_set_max_proto_version(ctx, way->version) != 1
        || (way->version == TLS1_3_VERSION
            ? SSL_CTX_set_ciphersuites(ctx, way->suites)
            : SSL_CTX_set_cipher_list(ctx, way->suites))
           != 1)
    {
        die("OpenSSL cannot do", way->name);
    }

    SSL_CTX_set_psk_client_callback(ctx, psk);

    return ctx;
}


static int64_t
cpu_time(const server_t *server)
{
    struct timespec  ts;

    ts.tv_sec = 0;
    ts.tv_nsec = AT_REST;
    (void) nanosleep(&ts, NULL);

    if (clock_gettime(server->clock, &ts) == -1) {
        die("the process is gone:", server->name);
    }

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


int
main(int argc, char **argv)
{
    int        i, n;
    char      *end;
    size_t     way;
    int64_t    before;
    SSL_CTX   *ctx[WAYS];
    unsigned   round, rounds, handshakes;

    n = argc - 3;

    if (n < 1 || n > SERVERS) {
        die("usage: handshakes ROUNDS HANDSHAKES",
            "NAME:PORT:PID:IDENTITIES ...");
    }

    rounds = number(argv[1], &end);
    handshakes = number(argv[2], &end);

    for (way = 0; way < WAYS; way++) {
        ctx[way] = make_ctx(&ways[way]);
    }

    for (i = 0; i < n; i++) {
        parse_server(&servers[i], argv[3 + i]);
    }

    for (round = 0; round <= rounds; round++) {
        for (way = 0; way < WAYS; way++) {
            for (i = 0; i < n; i++) {

                before = cpu_time(&servers[i]);

                run(&servers[i], ctx[way], handshakes);

                printf("%u %s %s %lld\n", round, servers[i].name,
                       ways[way].name,
                       (long long) (cpu_time(&servers[i]) - before));
                (void) fflush(stdout);
            }
        }
    }

    return 0;
}
