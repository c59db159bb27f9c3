/*
 * usage: spent REPORT INPUT COMMAND [ARGUMENT ...]
 *
 * Runs a command with a file as its stdin, and writes to REPORT what it took,
 * and its children that it has waited for: nanoseconds of wall clock and of CPU
 * time, and KiB of memory at most.  Ends as the command does.
 */

#define _GNU_SOURCE     /* wait4() */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"


static void begin(const char *input, char **command);
static int64_t now(void);
static int64_t of_time(struct timeval tv);


const char  bench_name[] = "spent";


int
main(int argc, char **argv)
{
    int            status;
    FILE          *report;
    pid_t          pid;
    int64_t        start, wall, spent;
    struct rusage  usage;

    if (argc < 4) {
        die("usage:", "spent REPORT INPUT COMMAND [ARGUMENT ...]");
    }

    start = now();
    pid = fork();

    if (pid == 0) {
        begin(argv[2], argv + 3);
    }

    if (pid == -1 || wait4(pid, &status, 0, &usage) != pid) {
        die("cannot run", argv[3]);
    }

    wall = now() - start;
    spent = of_time(usage.ru_utime) + of_time(usage.ru_stime);
    report = fopen(argv[1], "w");

    if (report == NULL
        || fprintf(report, "%lld %lld %ld\n", (long long) wall,
                   (long long) spent, usage.ru_maxrss) < 0
        || fclose(report) != 0)
    {
        die("cannot write", argv[1]);
    }

    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}


static void
begin(const char *input, char **command)
{
    int  fd;

    fd = open(input, O_RDONLY);

    if (fd == -1 || dup2(fd, STDIN_FILENO) == -1) {
        die("cannot open", input);
    }

    (void) close(fd);
    (void) execvp(command[0], command);

    die("cannot run", command[0]);
}


static int64_t
now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static int64_t
of_time(struct timeval tv)
{
    return ((int64_t) tv.tv_sec * 1000000 + tv.tv_usec) * 1000;
}
