/* What the programs of bench/ share; each ends with a sentence if it cannot */

#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H


#include <time.h>


/* each program's own name */
extern const char  bench_name[];

/* says it with the program's name, and what OpenSSL has to say */
void die(const char *what, const char *which)
    __attribute__((noreturn));

/* 0 to n - 1 at random, the same in each run */
unsigned any(unsigned n);

/* a number over 0, and where it ends */
unsigned number(const char *text, char **end);

/* "PORT:PID:", and where it ends: clock is that of the process */
unsigned port_and_clock(const char *text, char **end, clockid_t *clock);

/* a connection to that port of 127.0.0.1, without delay */
int open_socket(unsigned port);

/* a socket that listens at that port of 127.0.0.1 */
int listen_socket(unsigned port);


#endif /* BENCH_COMMON_H */
