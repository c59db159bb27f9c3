/* The first steps of a process that holds secrets */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process.h"


static int dm_process_streams(void);


int
dm_process_prepare(const char *program)
{
    struct rlimit  none;

    if (dm_process_streams() != DM_OK) {
        (void) fprintf(stderr, "%s: /dev/null: %s\n", program,
                       strerror(errno));
        return DM_ERROR;
    }

    none.rlim_cur = 0;
    none.rlim_max = 0;

    if (setrlimit(RLIMIT_CORE, &none) == -1
        || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
    {
        (void) fprintf(stderr, "%s: cannot switch core dumps off: %s\n",
                       program, strerror(errno));
        return DM_ERROR;
    }

    (void) umask(077);

    return DM_OK;
}


/*
 * A file of the store must never become stdout.  What stands for a stream that
 * was closed is opened the wrong way: a secret that is written to it would be
 * gone, and nobody told.
 */
static int
dm_process_streams(void)
{
    int  fd, mode;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {

        if (fcntl(fd, F_GETFD) != -1) {
            continue;
        }

        mode = (fd == STDIN_FILENO) ? O_WRONLY : O_RDONLY;

        if (open("/dev/null", mode | O_CLOEXEC) != fd) {
            return DM_ERROR;
        }
    }

    return DM_OK;
}
