/* The first steps of a process that holds secrets */

#define _GNU_SOURCE     /* setresuid() */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/process.h"


static int dm_process_streams(void);
static int dm_process_is(uid_t uid, gid_t gid);


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


int
dm_process_become(uid_t uid, gid_t gid, gid_t group)
{
    if (setgroups(1, &group) == -1
        || setresgid(gid, gid, gid) == -1
        || setresuid(uid, uid, uid) == -1
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1
        || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
    {
        return DM_ERROR;
    }

    if (!dm_process_is(uid, gid)
        || setresuid(0, 0, 0) == 0 || setresuid(-1u, 0, -1u) == 0
        || setresgid(0, 0, 0) == 0 || setgroups(0, NULL) == 0)
    {
        errno = EPERM;
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_process_is(uid_t uid, gid_t gid)
{
    uid_t  ruid, euid, suid;
    gid_t  rgid, egid, sgid;

    return getresuid(&ruid, &euid, &suid) == 0
           && getresgid(&rgid, &egid, &sgid) == 0
           && ruid == uid && euid == uid && suid == uid
           && rgid == gid && egid == gid && sgid == gid;
}


const char *
dm_process_env(const char *name, const char *value)
{
    const char  *set;

    set = getenv(name);

    return (set != NULL && *set != '\0') ? set : value;
}
