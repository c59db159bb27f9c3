/*
 * usage: load KEY ROUNDS REQUESTS ACCOUNTS:PORT:PID:CERTS ...
 *
 * Requests over TLS on connections that stay open, a few at a time, to one or
 * more servers on 127.0.0.1, and the CPU time that the process PID spent on
 * them.  A connection is a device: it has another certificate of the file
 * CERTS, all with the private key KEY, and the number of its account as the
 * common name; it has the account's pre-shared key as well, in a suite with
 * RSA_PSK.  Each request takes another connection, at random.
 *
 * Each round asks each server for /none/, /basic/, /digest/, /x509/ and /psk/,
 * each time in another order, REQUESTS times each, and prints a line for it:
 * the round, ACCOUNTS, the path, and the time in nanoseconds.  Round 0 is there
 * to warm up.  The answer must be 200, and
 * its body the id of the account, as bench/quick's upstream sees it, or
 * "id-nobody", which is as long.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "common.h"


const char  bench_name[] = "load";


#define CONNECTIONS  400
#define IN_FLIGHT    8
#define SERVERS      4
#define STUCK        10000      /* ms without an answer */


typedef enum {
    NONE,
    BASIC,
    DIGEST,
    X509_CERT,
    PSK,
    PATHS
} path_t;


typedef struct {
    SSL       *ssl;
    unsigned   account;
    char       id[32];          /* of the account */
    char       name[32];
    char       header[128];     /* its Basic credentials */
    char       ha1[65];         /* of SHA-256 */
    char       nonce[80];
    unsigned   nc;
    size_t     len;
    char       buf[2048];
} connection_t;


typedef struct {
    unsigned      accounts;
    unsigned      port;
    clockid_t     clock;        /* of the process PID */
    const char   *certs;
    int           epoll;
    unsigned      nidle;
    connection_t *idle[CONNECTIONS];
    connection_t  connection[CONNECTIONS];
} server_t;


static const char *const  paths[PATHS] = {
    "none", "basic", "digest", "x509", "psk"
};

static server_t  servers[SERVERS];


/* ACCOUNTS:PORT:PID:CERTS */
static void
parse_server(server_t *server, const char *text)
{
    char  *p;

    server->accounts = number(text, &p);

    if (*p++ != ':') {
        die("no port in", text);
    }

    server->port = port_and_clock(p, &p, &server->clock);
    server->certs = p;
}


static void
sha256_hex(const char *text, char *out)
{
    unsigned       i, n;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (EVP_Digest(text, strlen(text), hash, &n, EVP_sha256(), NULL) != 1) {
        die("no", "SHA-256");
    }

    for (i = 0; i < n; i++) {
        (void) snprintf(out + (size_t) i * 2, 3, "%02x", hash[i]);
    }
}


/* the number that bench/quick gave the certificate for a name */
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


/* as bench/quick made the account of the certificate */
static void
set_account(connection_t *c, X509 *cert)
{
    int            len;
    char           plain[48], secret[64];
    unsigned       account;
    unsigned char  base64[80];

    account = common_name(cert);
    c->account = account;
    (void) snprintf(c->id, sizeof(c->id), "id-%06u", account);
    (void) snprintf(c->name, sizeof(c->name), "device%06u", account);
    (void) snprintf(secret, sizeof(secret), "%s:bench:password%06u", c->name,
                    account);
    sha256_hex(secret, c->ha1);

    len = snprintf(plain, sizeof(plain), "device%06u:password%06u", account,
                   account);
    (void) EVP_EncodeBlock(base64, (unsigned char *) plain, len);
    (void) snprintf(c->header, sizeof(c->header),
                    "Authorization: Basic %s\r\n", base64);
}


/* as bench/quick made it */
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


/* the first request of a connection to /digest/ is there to be refused */
static void
challenge(connection_t *c)
{
    int          n;
    char        *nonce;
    const char   request[] = "GET /digest/ HTTP/1.1\r\n"
                             "Host: localhost\r\n\r\n";

    if (SSL_write(c->ssl, request, sizeof(request) - 1)
        != sizeof(request) - 1)
    {
        die("cannot send to", "/digest/");
    }

    c->len = 0;

    do {
        n = SSL_read(c->ssl, c->buf + c->len,
                     (int) (sizeof(c->buf) - 1 - c->len));

        if (n <= 0) {
            die("no challenge from", "/digest/");
        }

        c->len += (size_t) n;
        c->buf[c->len] = '\0';
    } while (strstr(c->buf, "</html>\r\n") == NULL);

    nonce = strstr(c->buf, "nonce=\"");

    if (nonce == NULL || sscanf(nonce, "nonce=\"%79[^\"]", c->nonce) != 1) {
        die("no nonce in", c->buf);
    }
}


static void
open_connection(server_t *server, connection_t *c, SSL_CTX *ctx, X509 *cert)
{
    int                 fd;
    struct epoll_event  event;

    set_account(c, cert);
    fd = open_socket(server->port);
    c->ssl = SSL_new(ctx);

    if (c->ssl == NULL
        || SSL_set_app_data(c->ssl, c) != 1
        || SSL_use_certificate(c->ssl, cert) != 1
        || SSL_set_fd(c->ssl, fd) != 1
        || SSL_connect(c->ssl) != 1)
    {
        die("no TLS with", server->certs);
    }

    challenge(c);

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
        die("epoll_ctl() failed", "");
    }
}


/* the certificates again and again until there are enough connections */
static void
open_server(server_t *server, SSL_CTX *ctx)
{
    BIO       *bio;
    X509      *cert;
    unsigned   i;

    server->epoll = epoll_create1(0);
    bio = BIO_new_file(server->certs, "r");

    if (server->epoll == -1 || bio == NULL) {
        die("cannot open", server->certs);
    }

    for (i = 0; i < CONNECTIONS; i++) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (cert == NULL && i > 0 && BIO_reset(bio) == 0) {
            ERR_clear_error();
            cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        }

        if (cert == NULL) {
            die("no certificate in", server->certs);
        }

        open_connection(server, &server->connection[i], ctx, cert);
        server->idle[i] = &server->connection[i];
        X509_free(cert);
    }

    server->nidle = CONNECTIONS;
    BIO_free(bio);
}


/* RFC 7616, section 3.4.1, with the nonce that the connection has */
static int
digest_header(connection_t *c, char *out, size_t size)
{
    char  ha2[65], response[65], text[256];

    sha256_hex("GET:/digest/", ha2);
    (void) snprintf(text, sizeof(text), "%s:%s:%08x:c:auth:%s", c->ha1,
                    c->nonce, ++c->nc, ha2);
    sha256_hex(text, response);

    return snprintf(out, size, "Authorization: Digest username=\"%s\", "
                    "realm=\"bench\", nonce=\"%s\", uri=\"/digest/\", "
                    "algorithm=SHA-256, qop=auth, nc=%08x, cnonce=\"c\", "
                    "response=\"%s\"\r\n", c->name, c->nonce, c->nc,
                    response);
}


static void
send_request(server_t *server, path_t path)
{
    int            len;
    char           header[512], request[768];
    unsigned       i;
    connection_t  *c;

    i = any(server->nidle);
    c = server->idle[i];
    server->idle[i] = server->idle[--server->nidle];
    c->len = 0;

    header[0] = '\0';

    if (path == BASIC) {
        (void) snprintf(header, sizeof(header), "%s", c->header);

    } else if (path == DIGEST) {
        (void) digest_header(c, header, sizeof(header));
    }

    len = snprintf(request, sizeof(request),
                   "GET /%s/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                   paths[path], header);

    if (SSL_write(c->ssl, request, len) != len) {
        die("cannot send to", paths[path]);
    }
}


/* 1: the answer is complete, 0: not yet */
static int
read_answer(connection_t *c, path_t path)
{
    int     n;
    char   *body, *length;
    size_t  len;

    n = SSL_read(c->ssl, c->buf + c->len,
                 (int) (sizeof(c->buf) - 1 - c->len));

    if (n <= 0) {
        die("no answer from", paths[path]);
    }

    c->len += (size_t) n;
    c->buf[c->len] = '\0';
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

    if (strncmp(c->buf, "HTTP/1.1 200 ", 13) != 0
        || strcmp(body, path == NONE ? "id-nobody" : c->id) != 0)
    {
        die("a wrong answer:", c->buf);
    }

    return 1;
}


static void
run(server_t *server, path_t path, unsigned requests)
{
    int                 i, n;
    unsigned            sent, done;
    connection_t       *c;
    struct epoll_event  events[IN_FLIGHT];

    done = 0;

    for (sent = 0; sent < IN_FLIGHT && sent < requests; sent++) {
        send_request(server, path);
    }

    while (done < requests) {
        n = epoll_wait(server->epoll, events, IN_FLIGHT, STUCK);

        if (n <= 0) {
            die("no answer in time from", paths[path]);
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (!read_answer(c, path)) {
                continue;
            }

            server->idle[server->nidle++] = c;
            done++;

            if (sent < requests) {
                send_request(server, path);
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
        die("the process is gone:", server->certs);
    }

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


int
main(int argc, char **argv)
{
    int        i, n;
    char      *end;
    path_t     path;
    int64_t    before;
    SSL_CTX   *ctx;
    unsigned   turn, round, rounds, requests;

    n = argc - 4;

    if (n < 1 || n > SERVERS) {
        die("usage: load KEY ROUNDS REQUESTS",
            "ACCOUNTS:PORT:PID:CERTS ...");
    }

    rounds = number(argv[2], &end);
    requests = number(argv[3], &end);
    ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL
        || SSL_CTX_use_PrivateKey_file(ctx, argv[1], SSL_FILETYPE_PEM) != 1
        || SSL_CTX_set_cipher_list(ctx, "RSA-PSK-AES128-GCM-SHA256") != 1)
    {
        die("cannot read", argv[1]);
    }

    SSL_CTX_set_psk_client_callback(ctx, psk);

    for (i = 0; i < n; i++) {
        parse_server(&servers[i], argv[4 + i]);
        open_server(&servers[i], ctx);
    }

    for (round = 0; round <= rounds; round++) {
        for (i = 0; i < n; i++) {
            for (turn = 0; turn < PATHS; turn++) {
                path = (path_t) ((round + turn) % PATHS);

                before = cpu_time(&servers[i]);
                run(&servers[i], path, requests);

                printf("%u %u %s %lld\n", round, servers[i].accounts,
                       paths[path],
                       (long long) (cpu_time(&servers[i]) - before));
                (void) fflush(stdout);
            }
        }
    }

    return 0;
}
