/* From root to the store's user, and never back */

#define _GNU_SOURCE     /* setresuid() */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/user.h"


static int dm_user_become(uid_t uid, gid_t gid, gid_t workers);
static int dm_user_is(uid_t uid, gid_t gid);


int
dm_user_is_other(const char *path)
{
    struct stat  sb;

    return geteuid() == 0 && stat(path, &sb) == 0 && sb.st_uid != 0;
}


int
dm_user_drop(dm_cli_t *cli, const char *path)
{
    gid_t           gid;
    struct stat     sb;
    struct passwd  *pw;

    if (geteuid() != 0) {
        return DM_CLI_DONE;
    }

    /* a store that is not there is told of when it is opened */
    if (stat(path, &sb) == -1) {
        return DM_CLI_DONE;
    }

    if (sb.st_uid == 0) {
        dm_cli_warn(cli, "store \"%s\" is root's, so root itself works in it: "
                    "give it a user of its own with \"dm-account init "
                    "--upgrade --user USER --owner USER\"", path);
        return DM_CLI_DONE;
    }

    pw = getpwuid(sb.st_uid);
    gid = (pw == NULL) ? sb.st_gid : pw->pw_gid;

    if (dm_user_become(sb.st_uid, gid, sb.st_gid) != DM_OK) {
        return dm_cli_refuse(cli, "cannot become user id %u, whose store "
                             "\"%s\" is: %s", (unsigned) sb.st_uid, path,
                             strerror(errno));
    }

    if (access(path, X_OK) == -1) {
        return dm_cli_refuse(cli, "user id %u, whose store it is, cannot "
                             "reach \"%s\": the directories above must let "
                             "him through", (unsigned) sb.st_uid, path);
    }

    return DM_CLI_DONE;
}


static int
dm_user_become(uid_t uid, gid_t gid, gid_t workers)
{
    if (setgroups(1, &workers) == -1
        || setresgid(gid, gid, gid) == -1
        || setresuid(uid, uid, uid) == -1
        || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1
        || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
    {
        return DM_ERROR;
    }

    if (!dm_user_is(uid, gid)
        || setresuid(0, 0, 0) == 0 || setresuid(-1u, 0, -1u) == 0
        || setresgid(0, 0, 0) == 0 || setgroups(0, NULL) == 0)
    {
        errno = EPERM;
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_user_is(uid_t uid, gid_t gid)
{
    uid_t  ruid, euid, suid;
    gid_t  rgid, egid, sgid;

    return getresuid(&ruid, &euid, &suid) == 0
           && getresgid(&rgid, &egid, &sgid) == 0
           && ruid == uid && euid == uid && suid == uid
           && rgid == gid && egid == gid && sgid == gid;
}


int
dm_user_parent(const dm_cli_t *cli, const char *path)
{
    char         copy[PATH_MAX], *parent;
    struct stat  sb;

    (void) snprintf(copy, sizeof(copy), "%s", path);
    parent = dirname(copy);

    if (geteuid() != 0 || stat(parent, &sb) == -1) {
        return DM_CLI_DONE;
    }

    if (sb.st_uid == 0
        && ((sb.st_mode & (S_IWGRP|S_IWOTH)) == 0 || sb.st_mode & S_ISVTX))
    {
        return DM_CLI_DONE;
    }

    return dm_cli_refuse(cli, "others than root can change names in \"%s\": "
                         "root makes no store of another user there; make it "
                         "root's, or run dm-account as that user", parent);
}
