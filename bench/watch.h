/* Processes of which the CPU time is counted, while they sleep */

#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H


#include <stdint.h>
#include <sys/types.h>
#include <time.h>


#define WATCHED  16


typedef struct {
    unsigned    n;
    pid_t       pid[WATCHED];
    clockid_t   clock[WATCHED];
} watched_t;


/* of "PID,PID..." */
void watch(watched_t *watched, const char *pids);

/* waits until each thread of them sleeps */
void watch_rest(const watched_t *watched);

/*
 * The nanoseconds that they have taken, when they have nothing more to do:
 * before that the kernel has not counted what was since its last tick.
 */
int64_t watch_time(const watched_t *watched);

/* how often another took the CPU from them */
unsigned long watch_disturbed(const watched_t *watched);


#endif /* BENCH_WATCH_H */
