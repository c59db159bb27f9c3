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


int
dm_process_prepare(const char *program)
{
    int            fd;
    struct rlimit  none;

    /* a file of the store must never become stdout */
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    } while (fd >= 0 && fd <= STDERR_FILENO);

    if (fd == -1) {
        (void) fprintf(stderr, "%s: /dev/null: %s\n", program,
                       strerror(errno));
        return DM_ERROR;
    }

    (void) close(fd);

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
