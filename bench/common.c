/* What the programs of bench/ share */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "common.h"


void
die(const char *what, const char *which)
{
    (void) fprintf(stderr, "%s: %s %s\n", bench_name, what,
                   which);
    ERR_print_errors_fp(stderr);
    exit(1);
}


/* xorshift */
unsigned
any(unsigned n)
{
    static uint32_t  seed = 2463534242;

    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;

    return seed % n;
}


unsigned
number(const char *text, char **end)
{
    unsigned long  n;

    n = strtoul(text, end, 10);

    if (*end == text || n == 0 || n > INT32_MAX) {
        die("not a number:", text);
    }

    return (unsigned) n;
}


unsigned
port_and_clock(const char *text, char **end, clockid_t *clock)
{
    char      *p;
    pid_t      pid;
    unsigned   port;

    port = number(text, &p);

    if (*p++ != ':') {
        die("no pid in", text);
    }

    pid = (pid_t) number(p, &p);

    if (*p++ != ':' || clock_getcpuclockid(pid, clock) != 0) {
        die("no such process:", text);
    }

    *end = p;

    return port;
}


int
open_socket(unsigned port)
{
    int                 fd, on;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((uint16_t) port);

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1
        || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1)
    {
        die("cannot connect to", "the server");
    }

    return fd;
}


int
listen_socket(unsigned port)
{
    int                 fd, on;
    struct sockaddr_in  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((uint16_t) port);

    on = 1;
    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, (struct sockaddr *) &addr, sizeof(addr)) == -1
        || listen(fd, SOMAXCONN) == -1)
    {
        die("cannot listen", "on 127.0.0.1");
    }

    return fd;
}
