/*
 * usage: load PORT KEY
 *
 * The clients of nginx and the server behind it in one thread, which never
 * sleeps, so that nginx waits for neither: commands come from standard input,
 * one a line, and each has one line in answer.  The server behind listens at
 * PORT of 127.0.0.1 and answers with the DM-Client-ID that it was sent, or with
 * "id-nobody", which is as long.
 *
 * open SERVER PORT PID ACCOUNTS CONNECTIONS [CERTS]
 *     opens connections to that port, over TLS where CERTS is given.  Each is
 *     a device: over TLS it has a certificate of the file CERTS, with the
 *     private key KEY, and the number of its account as the common name, and
 *     the account's pre-shared key in a suite with RSA_PSK.
 *
 * run SERVER CREDENTIALS WHO LOCATION REQUESTS [gently]
 *     asks the server for /LOCATION/ so many times, each time on a connection
 *     taken at random, and answers with the CPU time that the process PID took,
 *     in nanoseconds.  CREDENTIALS is none, basic, cold (Basic, of another
 *     account each time), md5 or sha256 (Digest).  WHO is "device" where the
 *     server behind must be told the account, or "nobody".  With "gently" there
 *     is one request at a time, and nothing is sent before nginx sleeps.
 */

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


const char  bench_name[] = "load";


#define CONNECTIONS  400        /* of a server, at most */
#define BEHIND       64         /* from nginx to the server behind */
#define IN_FLIGHT    8
#define SERVERS      16
#define STUCK        10         /* s without an answer */
#define WORDS        7          /* of a command, at most */
#define NO_NONCE     "00000000000000000000000000000000"


typedef enum {
    NONE,
    BASIC,
    COLD,
    MD5,
    SHA_256,
    CREDENTIALS
} credentials_t;


typedef struct {
    int        fd;
    int        behind;          /* 1: nginx opened it */
    SSL       *ssl;             /* NULL: in the clear */
    unsigned   account;
    char       name[32];
    char       asked[32];       /* the id that the request is about */
    char       ha1[2][65];      /* of MD5 and of SHA-256 */
    char       nonce[80];
    unsigned   nc;
    size_t     len;
    char       buf[2048];
} connection_t;


typedef struct {
    char          name[32];
    unsigned      accounts;
    pid_t         pid;
    clockid_t     clock;        /* of the process pid */
    unsigned      n, nidle;
    connection_t *idle[CONNECTIONS];
    connection_t  connection[CONNECTIONS];
} server_t;


typedef struct {
    server_t      *server;
    credentials_t  credentials;
    char           location[32];
    int            known;
    int            gently;
} run_t;


static const char *const  names[CREDENTIALS] = {
    "none", "basic", "cold", "md5", "sha256"
};

static int            events;
static connection_t   listener;
static connection_t   behind[BEHIND];
static server_t      *servers[SERVERS];
static SSL_CTX       *tls;


static void
hash_hex(const EVP_MD *md, const char *text, char *out)
{
    unsigned       i, n;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (EVP_Digest(text, strlen(text), hash, &n, md, NULL) != 1) {
        die("no such hash:", EVP_MD_get0_name(md));
    }

    for (i = 0; i < n; i++) {
        (void) snprintf(out + (size_t) i * 2, 3, "%02x", hash[i]);
    }
}


/* the number that bench/devices.c gave the certificate for a name */
static unsigned
common_name(X509 *cert)
{
    int                 i;
    const X509_NAME    *subject;
    const ASN1_STRING  *name;

    subject = X509_get_subject_name(cert);
    i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (i < 0) {
        die("no common name in", "a certificate");
    }

    name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));

    /* OpenSSL puts a NUL behind the octets of a string */

    return (unsigned) strtoul((const char *) ASN1_STRING_get0_data(name),
                              NULL, 10);
}


/* as bench/Fleet.pm made the account */
static void
set_account(connection_t *c, unsigned account)
{
    char  secret[64];

    c->account = account;
    (void) snprintf(c->name, sizeof(c->name), "device%06u", account);
    (void) snprintf(secret, sizeof(secret), "%s:bench:password%06u", c->name,
                    account);
    hash_hex(EVP_md5(), secret, c->ha1[0]);
    hash_hex(EVP_sha256(), secret, c->ha1[1]);
    (void) snprintf(c->nonce, sizeof(c->nonce), "%s", NO_NONCE);
}


/* as bench/Fleet.pm made it */
static unsigned
psk(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *key, unsigned max_key)
{
    char           text[16];
    unsigned       len;
    connection_t  *c;

    (void) hint;

    c = SSL_get_app_data(ssl);

    (void) snprintf(identity, max_identity, "psk%06u", c->account);
    (void) snprintf(text, sizeof(text), "key%06u", c->account);

    if (max_key < 32
        || EVP_Digest(text, strlen(text), key, &len, EVP_sha256(), NULL) != 1)
    {
        die("no", "SHA-256");
    }

    return len;
}


static void
watch(connection_t *c)
{
    struct epoll_event  event;

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(events, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        die("epoll_ctl() failed", "");
    }
}


static void
open_connection(server_t *server, unsigned port, X509 *cert)
{
    connection_t  *c;

    c = &server->connection[server->n];
    set_account(c, cert == NULL ? any(server->accounts) : common_name(cert));
    c->fd = open_socket(port);

    if (cert != NULL) {
        c->ssl = SSL_new(tls);

        if (c->ssl == NULL
            || SSL_set_app_data(c->ssl, c) != 1
            || SSL_use_certificate(c->ssl, cert) != 1
            || SSL_set_fd(c->ssl, c->fd) != 1
            || SSL_connect(c->ssl) != 1)
        {
            die("no TLS with", server->name);
        }
    }

    watch(c);

    server->idle[server->nidle++] = c;
    server->n++;
}


/* the certificates again and again until there are enough connections */
static void
open_server(server_t *server, unsigned port, unsigned n, const char *certs)
{
    BIO   *bio;
    X509  *cert;

    bio = certs == NULL ? NULL : BIO_new_file(certs, "r");

    while (server->n < n) {

        if (certs == NULL) {
            open_connection(server, port, NULL);
            continue;
        }

        if (bio == NULL) {
            die("cannot open", certs);
        }

        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (cert == NULL && server->n > 0 && BIO_reset(bio) == 0) {
            ERR_clear_error();
            cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        }

        if (cert == NULL) {
            die("no certificate in", certs);
        }

        open_connection(server, port, cert);
        X509_free(cert);
    }

    BIO_free(bio);
}


/* under valgrind nginx takes long to go to sleep after it was woken */
static void
wait_for_sleep(const run_t *run)
{
    char    path[32], stat[256], *p;
    FILE   *file;
    size_t  n;

    (void) snprintf(path, sizeof(path), "/proc/%d/stat",
                    (int) run->server->pid);

    do {
        file = fopen(path, "r");

        if (file == NULL) {
            die("the process is gone:", run->server->name);
        }

        n = fread(stat, 1, sizeof(stat) - 1, file);
        stat[n] = '\0';
        (void) fclose(file);

        /* its name may have a ")" */

        p = strrchr(stat, ')');

    } while (p == NULL || p[1] != ' ' || p[2] != 'S');
}


static void
send_text(const run_t *run, connection_t *c, const char *text, int len)
{
    ssize_t  n;

    if (run->gently) {
        wait_for_sleep(run);
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

    room = sizeof(c->buf) - 1 - c->len;

    if (room == 0) {
        die("too long:", c->buf);
    }

    n = c->ssl == NULL ? recv(c->fd, c->buf + c->len, room, 0)
                       : SSL_read(c->ssl, c->buf + c->len, (int) room);

    if (n <= 0) {
        return 0;
    }

    c->len += (size_t) n;
    c->buf[c->len] = '\0';

    return 1;
}


/* RFC 7616, section 3.4.1, with the nonce that the connection has */
static void
digest_header(connection_t *c, const run_t *run, char *out, size_t size)
{
    int            sha256;
    char           ha2[65], response[65], text[256];
    const EVP_MD  *md;

    sha256 = (run->credentials == SHA_256);
    md = sha256 ? EVP_sha256() : EVP_md5();

    (void) snprintf(text, sizeof(text), "GET:/%s/", run->location);
    hash_hex(md, text, ha2);
    (void) snprintf(text, sizeof(text), "%s:%s:%08x:c:auth:%s",
                    c->ha1[sha256], c->nonce, ++c->nc, ha2);
    hash_hex(md, text, response);

    (void) snprintf(out, size, "Authorization: Digest username=\"%s\", "
                    "realm=\"bench\", nonce=\"%s\", uri=\"/%s/\", "
                    "algorithm=%s, qop=auth, nc=%08x, cnonce=\"c\", "
                    "response=\"%s\"\r\n", c->name, c->nonce, run->location,
                    sha256 ? "SHA-256" : "MD5", c->nc, response);
}


static void
basic_header(unsigned account, char *out, size_t size)
{
    int            len;
    char           plain[48];
    unsigned char  base64[80];

    len = snprintf(plain, sizeof(plain), "device%06u:password%06u", account,
                   account);
    (void) EVP_EncodeBlock(base64, (unsigned char *) plain, len);
    (void) snprintf(out, size, "Authorization: Basic %s\r\n", base64);
}


static void
send_request(const run_t *run, connection_t *c)
{
    int       len;
    char      header[512], request[768];
    unsigned  account;

    c->len = 0;
    header[0] = '\0';
    account = run->credentials == COLD ? any(run->server->accounts)
                                       : c->account;
    (void) snprintf(c->asked, sizeof(c->asked), "id-%06u", account);

    if (run->credentials == BASIC || run->credentials == COLD) {
        basic_header(account, header, sizeof(header));

    } else if (run->credentials != NONE) {
        digest_header(c, run, header, sizeof(header));
    }

    len = snprintf(request, sizeof(request),
                   "GET /%s/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                   run->location, header);

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


/* 1: the answer is complete; 0: not yet, or the request was sent again */
static int
read_answer(const run_t *run, connection_t *c)
{
    char   *body, *length, *nonce;
    size_t  len;

    if (!read_text(c)) {
        die("no answer from", run->location);
    }

    body = strstr(c->buf, "\r\n\r\n");

    if (body == NULL) {
        return 0;
    }

    body += 4;
    length = strstr(c->buf, "\r\nContent-Length: ");
    len = length == NULL ? 0 : strtoul(length + 18, NULL, 10);

    if ((size_t) (c->buf + c->len - body) < len) {
        return 0;
    }

    nonce = strstr(c->buf, "nonce=\"");

    if (strncmp(c->buf, "HTTP/1.1 401 ", 13) == 0
        && run->credentials >= MD5
        && strcmp(c->nonce, NO_NONCE) == 0
        && nonce != NULL
        && sscanf(nonce, "nonce=\"%79[^\"]", c->nonce) == 1)
    {
        c->nc = 0;
        send_request(run, c);
        return 0;
    }

    if (strncmp(c->buf, "HTTP/1.1 200 ", 13) != 0
        || strcmp(body, run->known ? c->asked : "id-nobody") != 0)
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
            watch(&behind[i]);
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

    if (c->len < 4 || strcmp(c->buf + c->len - 4, "\r\n\r\n") != 0) {
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


static void
run_requests(const run_t *run, unsigned requests)
{
    int                 i, n;
    time_t              last;
    unsigned            sent, done, in_flight;
    connection_t       *c;
    struct epoll_event  event[IN_FLIGHT];

    done = 0;
    last = time(NULL);
    in_flight = run->gently ? 1 : IN_FLIGHT;

    for (sent = 0; sent < in_flight && sent < requests; sent++) {
        send_next(run);
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

            if (!read_answer(run, c)) {
                continue;
            }

            run->server->idle[run->server->nidle++] = c;
            done++;

            if (sent < requests) {
                send_next(run);
                sent++;
            }
        }
    }
}


static int64_t
cpu_time(const server_t *server)
{
    struct timespec  ts;

    if (clock_gettime(server->clock, &ts) == -1) {
        die("the process is gone:", server->name);
    }

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static void
command_open(char **word, int n)
{
    char      *end;
    pid_t      pid;
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
    pid = (pid_t) number(word[3], &end);
    server->pid = pid;
    server->accounts = number(word[4], &end);
    connections = number(word[5], &end);

    if (connections > CONNECTIONS
        || clock_getcpuclockid(pid, &server->clock) != 0)
    {
        die("cannot open", word[1]);
    }

    open_server(server, number(word[2], &end), connections,
                n > 6 ? word[6] : NULL);
    servers[i] = server;

    printf("opened\n");
}


static void
command_run(char **word, int n)
{
    char      *end;
    run_t      run;
    int64_t    before;
    unsigned   i, requests;

    memset(&run, 0, sizeof(run_t));

    if (n < 6) {
        die("cannot run", word[n - 1]);
    }

    for (i = 0; i < SERVERS && servers[i] != NULL; i++) {
        if (strcmp(servers[i]->name, word[1]) == 0) {
            run.server = servers[i];
        }
    }

    for (i = 0; i < CREDENTIALS; i++) {
        if (strcmp(names[i], word[2]) == 0) {
            run.credentials = (credentials_t) i;
            break;
        }
    }

    if (run.server == NULL || i == CREDENTIALS) {
        die("cannot run", word[1]);
    }

    run.known = (strcmp(word[3], "device") == 0);
    run.gently = (n > 6);
    (void) snprintf(run.location, sizeof(run.location), "%s", word[4]);
    requests = number(word[5], &end);

    before = cpu_time(run.server);
    run_requests(&run, requests);

    printf("%lld\n", (long long) (cpu_time(run.server) - before));
}


int
main(int argc, char **argv)
{
    int   n;
    char  line[512], *end, *word[WORDS], *rest;

    if (argc != 3) {
        die("usage: load", "PORT KEY");
    }

    tls = SSL_CTX_new(TLS_client_method());
    events = epoll_create1(0);

    if (tls == NULL
        || events == -1
        || SSL_CTX_use_PrivateKey_file(tls, argv[2], SSL_FILETYPE_PEM) != 1
        || SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION) != 1
        || SSL_CTX_set_cipher_list(tls, "RSA-PSK-AES128-GCM-SHA256:"
                                        "AES128-GCM-SHA256") != 1)
    {
        die("cannot read", argv[2]);
    }

    SSL_CTX_set_psk_client_callback(tls, psk);

    listener.fd = listen_socket(number(argv[1], &end));
    watch(&listener);

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

        } else {
            command_run(word, n);
        }

        (void) fflush(stdout);
    }

    return 0;
}
