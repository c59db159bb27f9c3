/* A wait for another process that uses a store, said after a moment */

#define _GNU_SOURCE     /* getline() */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "account/waits.h"


#define DM_WAITS_MOMENT  300000             /* microseconds */
#define DM_WAITS_HASTE   100000
#define DM_WAITS_BUFFER  65536
#define DM_WAITS_NONE    ((off_t) -2)       /* no lock */


static void dm_waits_on_signal(int sig);
static int dm_waits_ask(const char *path, int fd, off_t octet);
static void dm_waits_tell(const char *path, int fd, off_t octet);
static void dm_waits_who(int fd, off_t octet, char *who);
static long dm_waits_holder(int fd, off_t octet);
static long dm_waits_writer(int fd);


static dm_cli_t  *dm_waits_cli;
static off_t      dm_waits_told;            /* the lock that was last told */


void
dm_waits_begin(dm_cli_t *cli)
{
    struct sigaction  action;
    struct itimerval  timer;

    dm_waits_cli = cli;
    dm_waits_told = DM_WAITS_NONE;

    /*
     * It ends the system call that waits, which is then made again.  One signal
     * could come just before that call.
     */

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = dm_waits_on_signal;
    (void) sigaction(SIGALRM, &action, NULL);

    dm_store_on_wait(dm_waits_ask);

    timer.it_value = (struct timeval) { 0, cli->hasty ? DM_WAITS_HASTE
                                                     : DM_WAITS_MOMENT };
    timer.it_interval = timer.it_value;
    (void) setitimer(ITIMER_REAL, &timer, NULL);
}


void
dm_waits_end(void)
{
    struct itimerval  timer;

    memset(&timer, 0, sizeof(struct itimerval));
    (void) setitimer(ITIMER_REAL, &timer, NULL);

    dm_store_on_wait(NULL);
}


static void
dm_waits_on_signal(int sig)
{
    (void) sig;
}


/* nothing is done beside one who has another lock than the writer's */
static int
dm_waits_ask(const char *path, int fd, off_t octet)
{
    if (octet == DM_STORE_WRITER && dm_waits_cli->hasty) {
        dm_waits_who(fd, octet, dm_waits_cli->beside);
        return DM_DECLINED;
    }

    if (octet != dm_waits_told) {
        dm_waits_told = octet;
        dm_waits_tell(path, fd, octet);
    }

    return DM_OK;
}


static void
dm_waits_tell(const char *path, int fd, off_t octet)
{
    char  who[DM_WAITS_WHO];

    dm_waits_who(fd, octet, who);

    if (octet == DM_STORE_WRITER) {
        dm_cli_warn(dm_waits_cli, "%s writes to store \"%s\", as an import "
                    "does: waiting for it", who, path);

    } else {
        dm_cli_warn(dm_waits_cli, "%s has locked \"%s/write.lock\" for longer "
                    "than dm-account needs: waiting for it; look what it is "
                    "and end it", who, path);
    }
}


static void
dm_waits_who(int fd, off_t octet, char *who)
{
    long  pid;

    pid = dm_waits_holder(fd, octet);

    if (pid > 0) {
        (void) snprintf(who, DM_WAITS_WHO, "process %ld", pid);

    } else {
        (void) snprintf(who, DM_WAITS_WHO, "another process");
    }
}


/* 0: it is not to be seen from here; -1: a lock that is no process's */
static long
dm_waits_holder(int fd, off_t octet)
{
    struct flock  lock;

    if (octet == DM_STORE_WRITER) {
        return dm_waits_writer(fd);
    }

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = octet;
    lock.l_len = 1;

    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK
           ? (long) lock.l_pid : 0;
}


/*
 * A line of the kernel is "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF", or
 * "1: -> FLOCK" for one that waits.  0: it is not to be seen from here.
 */
static long
dm_waits_writer(int fd)
{
    FILE         *locks;
    char         *line, pid[24], ino[24];
    long          found;
    size_t        size;
    struct stat   sb;

    locks = fstat(fd, &sb) == 0 ? fopen("/proc/locks", "re") : NULL;

    if (locks == NULL) {
        return 0;
    }

    (void) setvbuf(locks, NULL, _IOFBF, DM_WAITS_BUFFER);

    line = NULL;
    size = 0;
    found = 0;

    while (getline(&line, &size, locks) != -1) {
        if (sscanf(line, "%*u: FLOCK ADVISORY WRITE %23s %*x:%*x:%23s", pid,
                   ino)
            == 2 && strtoull(ino, NULL, 10) == sb.st_ino)
        {
            found = strtol(pid, NULL, 10);
        }
    }

    free(line);
    (void) fclose(locks);

    return found;
}
