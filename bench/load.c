/*
 * usage: load PORT KEY
 *
 * The clients of nginx and the server behind it in one thread, which never
 * sleeps, so that nginx waits for neither: commands come from standard input,
 * one a line, and each has one line in answer.  The server behind listens at
 * PORT of 127.0.0.1 and answers with the DM-Client-ID that it was sent, or with
 * "id-nobody", which is as long.
 *
 * open SERVER PORT PIDS ACCOUNTS CONNECTIONS [CERTS]
 *     opens connections to that port, over TLS where CERTS is given.  Each is
 *     a device: over TLS it has a certificate of the file CERTS, with the
 *     private key KEY, and the number of its account as the common name, and
 *     the account's pre-shared key in a suite with RSA_PSK.  PIDS are those of
 *     the processes whose CPU time is counted, with a comma between them.
 *
 * run SERVER HOW WHO LOCATION REQUESTS
 *     asks the server for /LOCATION/ so many times, each time on a connection
 *     taken at random, one request at a time, and nothing is sent before nginx
 *     sleeps.  HOW is a name of hows[] below.  WHO is "device" where the server
 *     behind must be told the account, "nobody" where it must not, or "nginx"
 *     where nginx answers itself.  A session is a request here: a handshake,
 *     the first post, which is to be refused where there are credentials, the
 *     same with these, four posts more, and the end.
 *
 * turns TURNS REQUESTS SERVER HOW WHO LOCATION SERVER HOW WHO LOCATION
 *     lets the two take turns of so many requests, several at a time, and
 *     answers with three numbers for each turn: the nanoseconds of CPU that
 *     either took, and how often its processes lost their CPU to others.
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
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "common.h"
#include "device.h"
#include "watch.h"


const char  bench_name[] = "load";


#define CONNECTIONS  400        /* of a server, at most */
#define BEHIND       400        /* from nginx to the server behind */
#define IN_FLIGHT    8
#define POSTS        4          /* of a session, after the first that is good */
#define BODY         400        /* octets of a post */
#define WARM_UP      4          /* of so many requests of a turn one more */
#define SERVERS      64
#define STUCK        60         /* s without an answer */
#define WORDS        12         /* of a command, at most */


typedef enum {
    NONE,
    BASIC,
    COLD,                       /* Basic, of another account each time */
    MD5,
    SHA_256
} credentials_t;


typedef struct {
    const char     *name;
    const char     *suite;      /* of a session */
    int             cert;       /* whether that has a certificate */
    credentials_t   credentials;
    device_truth_t  truth;
    int             status;     /* of the answer that counts */
} how_t;


typedef struct {
    int        fd;
    int        behind;          /* 1: nginx opened it */
    SSL       *ssl;             /* NULL: in the clear */
    device_t   device;
    int        session;         /* else it stays open */
    int        connected;
    int        challenged;
    int        closing;
    unsigned   posts;           /* still to come */
    char       asked[32];       /* the id that the request is about */
    size_t     len;
    char       buf[2048];
} connection_t;


typedef struct {
    char          name[32];
    unsigned      port;
    unsigned      accounts;
    watched_t     watched;
    unsigned      ncerts;       /* 0: in the clear */
    X509         *cert[CONNECTIONS];
    unsigned      n, nidle;
    connection_t *idle[CONNECTIONS];
    connection_t  connection[CONNECTIONS];
} server_t;


typedef struct {
    server_t      *server;
    const how_t   *how;
    char           who[16];
    char           location[32];
    int            gently;
} run_t;


static const how_t  hows[] = {
    { "none", NULL, 0, NONE, DEVICE_RIGHT, 200 },
    { "basic", NULL, 0, BASIC, DEVICE_RIGHT, 200 },
    { "cold", NULL, 0, COLD, DEVICE_RIGHT, 200 },
    { "md5", NULL, 0, MD5, DEVICE_RIGHT, 200 },
    { "sha256", NULL, 0, SHA_256, DEVICE_RIGHT, 200 },

    { "challenge", NULL, 0, NONE, DEVICE_RIGHT, 401 },
    { "wrong-basic", NULL, 0, BASIC, DEVICE_WRONG, 401 },
    { "wrong-sha256", NULL, 0, SHA_256, DEVICE_WRONG, 401 },
    { "forged", NULL, 0, SHA_256, DEVICE_FORGED, 401 },

    { "session", "AES128-GCM-SHA256", 0, NONE, DEVICE_RIGHT, 200 },
    { "session-basic", "AES128-GCM-SHA256", 0, BASIC, DEVICE_RIGHT, 200 },
    { "session-sha256", "AES128-GCM-SHA256", 0, SHA_256, DEVICE_RIGHT, 200 },
    { "session-x509", "AES128-GCM-SHA256", 1, NONE, DEVICE_RIGHT, 200 },
    { "session-rsa-psk", "RSA-PSK-AES128-GCM-SHA256", 0,
        NONE, DEVICE_RIGHT, 200 },
    { "session-psk", "PSK-AES128-GCM-SHA256", 0, NONE, DEVICE_RIGHT, 200 }
};

static int            events;
static connection_t   listener;
static connection_t   behind[BEHIND];
static connection_t   sessions[IN_FLIGHT];
static server_t      *servers[SERVERS];
static SSL_CTX       *tls;
static EVP_PKEY      *key;      /* of each device */


static void
wait_for(connection_t *c)
{
    struct epoll_event  event;

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(events, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        die("epoll_ctl() failed", "");
    }
}


static void
prepare_tls(connection_t *c, X509 *cert)
{
    c->ssl = SSL_new(tls);

    if (c->ssl == NULL
        || SSL_set_app_data(c->ssl, &c->device) != 1
        || (cert != NULL && (SSL_use_certificate(c->ssl, cert) != 1
                             || SSL_use_PrivateKey(c->ssl, key) != 1))
        || SSL_set_fd(c->ssl, c->fd) != 1)
    {
        die("cannot prepare", "TLS");
    }
}


static void
open_connection(server_t *server)
{
    X509          *cert;
    connection_t  *c;

    c = &server->connection[server->n];
    cert = server->ncerts == 0 ? NULL
                               : server->cert[server->n % server->ncerts];
    device_set(&c->device, cert == NULL ? any(server->accounts)
                                        : device_common_name(cert));
    c->fd = open_socket(server->port);

    if (cert != NULL) {
        prepare_tls(c, cert);

        if (SSL_connect(c->ssl) != 1) {
            die("no TLS with", server->name);
        }
    }

    wait_for(c);

    server->idle[server->nidle++] = c;
    server->n++;
}


static void
read_certificates(server_t *server, const char *file)
{
    BIO   *bio;
    X509  *cert;

    bio = BIO_new_file(file, "r");

    while (bio != NULL
           && server->ncerts < CONNECTIONS
           && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
    {
        server->cert[server->ncerts++] = cert;
    }

    if (server->ncerts == 0) {
        die("no certificate in", file);
    }

    ERR_clear_error();
    BIO_free(bio);
}


static void
send_text(const run_t *run, connection_t *c, const char *text, int len)
{
    ssize_t  n;

    /* under valgrind nginx takes long to go to sleep after it was woken */

    if (run->gently) {
        watch_rest(&run->server->watched);
    }

    n = c->ssl == NULL ? send(c->fd, text, (size_t) len, MSG_NOSIGNAL)
                       : SSL_write(c->ssl, text, len);

    if (n != len) {
        die("cannot send to", run->server->name);
    }
}


/* appends what came to c->buf: 0, if the other end has gone */
static int
read_text(connection_t *c)
{
    ssize_t  n;
    size_t   room;

    c->buf[c->len] = '\0';
    room = sizeof(c->buf) - 1 - c->len;

    if (room == 0) {
        die("too long:", c->buf);
    }

    n = c->ssl == NULL ? recv(c->fd, c->buf + c->len, room, 0)
                       : SSL_read(c->ssl, c->buf + c->len, (int) room);

    if (n <= 0) {
        return c->ssl != NULL
               && SSL_get_error(c->ssl, (int) n) == SSL_ERROR_WANT_READ;
    }

    c->len += (size_t) n;
    c->buf[c->len] = '\0';

    return 1;
}


static void
credentials(const how_t *how, connection_t *c, unsigned account,
    const char *method, const char *uri, char *out)
{
    switch (how->credentials) {

    case BASIC:
    case COLD:
        device_basic(account, how->truth, out);
        return;

    case MD5:
    case SHA_256:
        device_digest(&c->device, how->credentials == SHA_256, method, uri,
                      how->truth, out);
        return;

    default:
        out[0] = '\0';
    }
}


/* a session begins without credentials, and posts */
static void
send_request(const run_t *run, connection_t *c)
{
    int           len;
    char          uri[40], header[DEVICE_HEADER];
    char          request[DEVICE_HEADER + 192 + BODY];
    unsigned      account;
    const char   *method;
    const how_t  *how;

    how = run->how;
    c->len = 0;
    header[0] = '\0';
    method = c->session ? "POST" : "GET";
    account = how->credentials == COLD ? any(run->server->accounts)
                                       : c->device.account;
    (void) snprintf(c->asked, sizeof(c->asked), "id-%06u", account);
    (void) snprintf(uri, sizeof(uri), "/%s/", run->location);

    if (!c->session || c->challenged) {
        credentials(how, c, account, method, uri, header);
    }

    len = snprintf(request, sizeof(request),
                   "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, uri,
                   header);

    if (c->session) {
        len += snprintf(request + len, sizeof(request) - (size_t) len,
                        "Content-Length: %d\r\n\r\n%*s", BODY, BODY, "end");

    } else {
        len += snprintf(request + len, sizeof(request) - (size_t) len, "\r\n");
    }

    send_text(run, c, request, len);
}


static void
send_next(const run_t *run)
{
    unsigned       i;
    server_t      *server;
    connection_t  *c;

    server = run->server;
    i = any(server->nidle);
    c = server->idle[i];
    server->idle[i] = server->idle[--server->nidle];

    send_request(run, c);
}


/* what follows the header in c->buf; NULL, if not all of it is there */
static const char *
whole_body(const connection_t *c)
{
    const char  *body, *length;
    size_t       len;

    body = strstr(c->buf, "\r\n\r\n");

    if (body == NULL) {
        return NULL;
    }

    body += 4;
    length = strstr(c->buf, "\r\nContent-Length: ");
    len = length == NULL ? 0 : strtoul(length + 18, NULL, 10);

    return (size_t) (c->buf + c->len - body) < len ? NULL : body;
}


/* whether the request is to be sent again, with credentials that are new */
static int
challenged(const run_t *run, connection_t *c)
{
    int  first;

    if (run->how->credentials == NONE) {
        return 0;
    }

    first = c->session && !c->challenged;
    c->challenged = 1;

    return (run->how->credentials >= MD5
            && device_challenged(&c->device, c->buf))
           || first;
}


/* 1: the answer is complete; 0: not yet, or the request was sent again */
static int
read_answer(const run_t *run, connection_t *c)
{
    int          status;
    const char  *body, *id;

    if (!read_text(c)) {
        die("no answer from", run->location);
    }

    body = whole_body(c);

    if (body == NULL) {
        return 0;
    }

    status = c->len > 12 ? (int) strtol(c->buf + 9, NULL, 10) : 0;

    if (status == 401 && challenged(run, c)) {
        send_request(run, c);
        return 0;
    }

    id = strcmp(run->who, "device") == 0 ? c->asked : "id-nobody";

    if (status != run->how->status
        || (strcmp(run->who, "nginx") != 0 && strcmp(body, id) != 0))
    {
        die("a wrong answer:", c->buf);
    }

    return 1;
}


static void
accept_behind(void)
{
    unsigned  i;

    for (i = 0; i < BEHIND; i++) {

        if (!behind[i].behind) {
            behind[i].fd = accept(listener.fd, NULL, NULL);
            behind[i].behind = 1;
            behind[i].len = 0;
            wait_for(&behind[i]);
            return;
        }
    }

    die("too many connections to", "the server behind");
}


static void
answer_behind(const run_t *run, connection_t *c)
{
    int         len;
    char        answer[128], id[32];
    const char *header;

    if (!read_text(c)) {
        (void) close(c->fd);
        c->behind = 0;
        return;
    }

    if (whole_body(c) == NULL) {
        return;
    }

    header = strstr(c->buf, "\r\nDM-Client-ID: ");

    if (header == NULL || sscanf(header + 16, "%31[^\r]", id) != 1) {
        (void) snprintf(id, sizeof(id), "id-nobody");
    }

    len = snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n"
                   "Content-Length: %zu\r\n\r\n%s", strlen(id), id);
    c->len = 0;

    send_text(run, c, answer, len);
}


/* 1: the server has closed, too; 0: not yet */
static int
read_end(connection_t *c)
{
    char     rest[1024];
    ssize_t  n;

    do {
        n = read(c->fd, rest, sizeof(rest));
    } while (n > 0);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    SSL_free(c->ssl);
    (void) close(c->fd);

    return 1;
}


/* 1: the session has ended; 0: not yet */
static int
go_on(const run_t *run, connection_t *c)
{
    int  rc;

    if (c->closing) {
        return read_end(c);
    }

    if (!c->connected) {
        rc = SSL_connect(c->ssl);

        if (rc == 1) {
            c->connected = 1;
            send_request(run, c);

        } else if (SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ) {
            die("no handshake with", run->server->name);
        }

        return 0;
    }

    if (!read_answer(run, c)) {
        return 0;
    }

    if (c->posts > 0) {
        c->posts--;
        send_request(run, c);
        return 0;
    }

    (void) SSL_shutdown(c->ssl);
    (void) shutdown(c->fd, SHUT_WR);
    c->closing = 1;

    return 0;
}


static void
begin_session(const run_t *run, connection_t *c)
{
    X509      *cert;
    server_t  *server;

    server = run->server;
    cert = run->how->cert ? server->cert[any(server->ncerts)] : NULL;

    memset(c, 0, sizeof(connection_t));
    c->session = 1;
    c->posts = POSTS;
    device_set(&c->device, cert == NULL ? any(server->accounts)
                                        : device_common_name(cert));
    c->fd = open_socket(server->port);
    prepare_tls(c, cert);

    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1
        || SSL_set_cipher_list(c->ssl, run->how->suite) != 1)
    {
        die("no session with", run->how->suite);
    }

    wait_for(c);

    /* who is held up long enough has the whole handshake at once */

    (void) go_on(run, c);
}


/* what a connection that clients opened has to read: 1, if that is all */
static int
read_client(const run_t *run, connection_t *c)
{
    if (c->session) {
        return go_on(run, c);
    }

    if (!read_answer(run, c)) {
        return 0;
    }

    run->server->idle[run->server->nidle++] = c;

    return 1;
}


static void
run_requests(const run_t *run, unsigned requests)
{
    int                 i, n, session;
    time_t              last;
    unsigned            sent, done, in_flight;
    connection_t       *c;
    struct epoll_event  event[IN_FLIGHT];

    done = 0;
    last = time(NULL);
    in_flight = run->gently ? 1 : IN_FLIGHT;
    session = (run->how->suite != NULL);

    for (sent = 0; sent < in_flight && sent < requests; sent++) {
        if (session) {
            begin_session(run, &sessions[sent]);

        } else {
            send_next(run);
        }
    }

    while (done < requests) {
        n = epoll_wait(events, event, IN_FLIGHT, 0);

        if (n == 0 && time(NULL) > last + STUCK) {
            die("no answer in time from", run->location);
        }

        for (i = 0; i < n; i++) {
            c = event[i].data.ptr;
            last = time(NULL);

            if (c == &listener) {
                accept_behind();
                continue;
            }

            if (c->behind) {
                answer_behind(run, c);
                continue;
            }

            if (!read_client(run, c)) {
                continue;
            }

            done++;

            if (sent == requests) {
                continue;
            }

            sent++;

            if (session) {
                begin_session(run, c);

            } else {
                send_next(run);
            }
        }
    }
}


static void
command_open(char **word, int n)
{
    char      *end;
    unsigned   i, connections;
    server_t  *server;

    server = calloc(1, sizeof(server_t));

    for (i = 0; i < SERVERS && servers[i] != NULL; i++) {
        /* void */
    }

    if (server == NULL || i == SERVERS || n < 6) {
        die("cannot open", word[n - 1]);
    }

    (void) snprintf(server->name, sizeof(server->name), "%s", word[1]);
    watch(&server->watched, word[3]);
    server->accounts = number(word[4], &end);
    connections = number(word[5], &end);

    if (connections > CONNECTIONS) {
        die("cannot open", word[1]);
    }

    server->port = number(word[2], &end);

    if (n > 6) {
        read_certificates(server, word[6]);
    }

    while (server->n < connections) {
        open_connection(server);
    }

    servers[i] = server;

    printf("opened\n");
}


/* SERVER HOW WHO LOCATION */
static void
parse_run(run_t *run, char **word)
{
    size_t  i;

    memset(run, 0, sizeof(run_t));

    for (i = 0; i < SERVERS && servers[i] != NULL; i++) {
        if (strcmp(servers[i]->name, word[0]) == 0) {
            run->server = servers[i];
        }
    }

    for (i = 0; i < sizeof(hows) / sizeof(hows[0]); i++) {
        if (strcmp(hows[i].name, word[1]) == 0) {
            run->how = &hows[i];
        }
    }

    if (run->server == NULL || run->how == NULL) {
        die("cannot run", run->server == NULL ? word[0] : word[1]);
    }

    (void) snprintf(run->who, sizeof(run->who), "%s", word[2]);
    (void) snprintf(run->location, sizeof(run->location), "%s", word[3]);
}


static void
command_run(char **word, int n)
{
    char   *end;
    run_t   run;

    if (n != 6) {
        die("cannot run", word[n - 1]);
    }

    parse_run(&run, word + 1);
    run.gently = 1;
    run_requests(&run, number(word[5], &end));

    printf("done\n");
}


/* the nanoseconds that they take, with the caches as they leave them */
static int64_t
measure(const run_t *run, unsigned requests, unsigned long *disturbed)
{
    int64_t           before, after;
    unsigned long     lost;
    const watched_t  *watched;

    watched = &run->server->watched;

    run_requests(run, requests / WARM_UP + 1);
    before = watch_time(watched);
    lost = watch_disturbed(watched);

    run_requests(run, requests);
    after = watch_time(watched);
    *disturbed += watch_disturbed(watched) - lost;

    return after - before;
}


static void
command_turns(char **word, int n)
{
    char           *end;
    run_t           run[2];
    int64_t         ns[2];
    unsigned        turn, turns, requests, first;
    unsigned long   disturbed;

    if (n != 11) {
        die("no turns of", word[n - 1]);
    }

    turns = number(word[1], &end);
    requests = number(word[2], &end);
    parse_run(&run[0], word + 3);
    parse_run(&run[1], word + 7);

    for (turn = 0; turn < turns; turn++) {
        first = turn & 1;
        disturbed = 0;

        ns[first] = measure(&run[first], requests, &disturbed);
        ns[1 - first] = measure(&run[1 - first], requests, &disturbed);

        printf("%lld %lld %lu ", (long long) ns[0], (long long) ns[1],
               disturbed);
    }

    printf("\n");
}


int
main(int argc, char **argv)
{
    int   n;
    BIO  *bio;
    char  line[1024], *end, *word[WORDS], *rest;

    if (argc != 3) {
        die("usage: load", "PORT KEY");
    }

    tls = SSL_CTX_new(TLS_client_method());
    events = epoll_create1(0);

    bio = BIO_new_file(argv[2], "r");
    key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    if (tls == NULL
        || events == -1
        || key == NULL
        || SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION) != 1
        || SSL_CTX_set_cipher_list(tls, "RSA-PSK-AES128-GCM-SHA256:"
                                        "AES128-GCM-SHA256") != 1)
    {
        die("cannot read", argv[2]);
    }

    BIO_free(bio);
    SSL_CTX_set_psk_client_callback(tls, device_psk);

    listener.fd = listen_socket(number(argv[1], &end));
    wait_for(&listener);

    while (fgets(line, sizeof(line), stdin) != NULL) {
        n = 0;
        rest = line;

        while (n < WORDS
               && (word[n] = strtok_r(rest, " \n", &rest)) != NULL)
        {
            n++;
        }

        if (n == 0) {
            continue;
        }

        if (strcmp(word[0], "open") == 0) {
            command_open(word, n);

        } else if (strcmp(word[0], "turns") == 0) {
            command_turns(word, n);

        } else {
            command_run(word, n);
        }

        (void) fflush(stdout);
    }

    return 0;
}
