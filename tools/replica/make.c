/* The store of a new machine, and whose process this is */

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/process.h"
#include "replica/replica.h"
#include "replica/say.h"


static int dm_make_owner(const dm_replica_options_t *options,
    dm_store_owner_t *owner, dm_err_t *err);
static int dm_make_workers(const char *text, dm_store_owner_t *owner,
    dm_err_t *err);
static int dm_make_parent(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err);
static int dm_make_ask(dm_replica_t *replica, const dm_store_owner_t *owner,
    dm_bootstrap_new_t *new, dm_err_t *err);
static int dm_make_child(dm_replica_t *replica,
    const dm_store_owner_t *owner, int fd);
static ssize_t dm_make_read(int fd, void *out, size_t size);


int
dm_replica_make(dm_replica_t *replica, dm_err_t *err)
{
    int                          rc;
    struct stat                  sb;
    dm_store_owner_t             owner;
    dm_bootstrap_new_t           new;
    const dm_replica_options_t  *options;

    options = replica->options;

    if (lstat(options->store, &sb) == 0 || errno != ENOENT) {
        return DM_DECLINED;
    }

    if (dm_make_owner(options, &owner, err) != DM_OK
        || dm_make_parent(options->store, &owner, err) != DM_OK
        || dm_make_ask(replica, &owner, &new, err) != DM_OK)
    {
        return DM_ERROR;
    }

    rc = dm_store_create_as(options->store, new.id,
                            (dm_str_t) { new.realm, new.realm_len },
                            DM_STORE_MAP_SIZE, &owner, &replica->keys, err);

    if (rc == DM_OK) {
        dm_say(DM_SAY_NOTICE, "made store \"%s\"", options->store);
    }

    return rc == DM_OK || rc == DM_EXISTS ? DM_OK : DM_ERROR;
}


/* as "dm-account init" has it */
static int
dm_make_owner(const dm_replica_options_t *options, dm_store_owner_t *owner,
    dm_err_t *err)
{
    const char     *name;
    struct passwd  *pw;

    memset(owner, 0, sizeof(dm_store_owner_t));
    owner->uid = geteuid();
    owner->gid = getegid();

    if (dm_make_workers(options->owner, owner, err) != DM_OK) {
        return DM_ERROR;
    }

    name = options->user;

    if (name == NULL && geteuid() == 0
        && strcmp(options->store, DM_DEFAULT_STORE) == 0
        && getpwnam(DM_DEFAULT_USER) != NULL)
    {
        name = DM_DEFAULT_USER;
    }

    if (name == NULL) {
        return DM_OK;
    }

    pw = getpwnam(name);

    if (pw == NULL || pw->pw_uid == 0 || pw->pw_gid == 0
        || pw->pw_uid == owner->reader || pw->pw_gid == owner->readers)
    {
        dm_err_set(err, "\"%s\" cannot own the store: it must be a user and a "
                   "group of its own, not root's and not those of the workers; "
                   "name one with --user", name);
        return DM_ERROR;
    }

    owner->uid = pw->pw_uid;
    owner->gid = pw->pw_gid;

    return DM_OK;
}


/* USER or USER:GROUP, of names */
static int
dm_make_workers(const char *text, dm_store_owner_t *owner, dm_err_t *err)
{
    char            user[LOGIN_NAME_MAX];
    const char     *group;
    struct group   *gr;
    struct passwd  *pw;

    group = strchr(text, ':');

    (void) snprintf(user, sizeof(user), "%.*s",
                    (int) (group == NULL ? strlen(text)
                                         : (size_t) (group - text)), text);

    pw = getpwnam(user);

    if (pw == NULL) {
        dm_err_set(err, "there is no user \"%s\": name the user of nginx's "
                   "workers with --owner", user);
        return DM_ERROR;
    }

    owner->reader = pw->pw_uid;
    owner->readers = pw->pw_gid;

    if (group == NULL) {
        return DM_OK;
    }

    gr = getgrnam(group + 1);

    if (gr == NULL) {
        dm_err_set(err, "there is no group \"%s\": name the group of nginx's "
                   "workers with --owner USER:GROUP", group + 1);
        return DM_ERROR;
    }

    owner->readers = gr->gr_gid;

    return DM_OK;
}


/*
 * None but root can give anything to the workers.  Root makes nothing for
 * another user where others can change the names on the way.
 */
static int
dm_make_parent(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err)
{
    char         copy[PATH_MAX], parent[PATH_MAX], *slash;
    struct stat  sb;

    (void) snprintf(copy, sizeof(copy), "%s", path);

    if (realpath(dirname(copy), parent) == NULL) {
        dm_err_set(err, "there is no store at \"%s\", and none can be made "
                   "there: %s", path, strerror(errno));
        return DM_ERROR;
    }

    if (geteuid() != 0 && owner->reader != geteuid()) {
        dm_err_set(err, "there is no store at \"%s\": only root can make one "
                   "that nginx's workers read; run \"dm-replica --once\" as "
                   "root", path);
        return DM_ERROR;
    }

    while (owner->uid != geteuid()) {

        if (stat(parent[0] == '\0' ? "/" : parent, &sb) == -1
            || sb.st_uid != 0 || (sb.st_mode & (S_IWGRP|S_IWOTH)) != 0)
        {
            dm_err_set(err, "others than root can change names in \"%s\": root "
                       "makes no store of another user below it; make it "
                       "root's alone to write", parent);
            return DM_ERROR;
        }

        slash = strrchr(parent, '/');

        if (slash == NULL || parent[0] == '\0') {
            break;
        }

        *slash = '\0';
    }

    return DM_OK;
}


/* root reads nothing from a network: a process of the store's user does */
static int
dm_make_ask(dm_replica_t *replica, const dm_store_owner_t *owner,
    dm_bootstrap_new_t *new, dm_err_t *err)
{
    int      fd[2], status;
    pid_t    pid;
    ssize_t  n;

    memset(new, 0, sizeof(dm_bootstrap_new_t));

    if (pipe(fd) == -1) {
        dm_err_set(err, "no pipe can be made: %s", strerror(errno));
        return DM_ERROR;
    }

    pid = fork();

    if (pid == 0) {
        close(fd[0]);
        _exit(dm_make_child(replica, owner, fd[1]));
    }

    close(fd[1]);
    n = pid == -1 ? -1 : dm_make_read(fd[0], new, sizeof(dm_bootstrap_new_t));
    close(fd[0]);

    while (pid != -1 && waitpid(pid, &status, 0) == -1 && errno == EINTR) {
        /* void */
    }

    if (n == sizeof(dm_bootstrap_new_t)
        && new->realm_len <= sizeof(new->realm))
    {
        return DM_OK;
    }

    dm_err_set(err, "there is no store at \"%s\", and the engine does not tell "
               "of which fleet it would be", replica->options->store);

    return DM_ERROR;
}


/* says itself what fails */
static int
dm_make_child(dm_replica_t *replica, const dm_store_owner_t *owner, int fd)
{
    ssize_t              n;
    dm_err_t             err;
    dm_engine_t         *engine;
    dm_bootstrap_new_t   new;

    engine = NULL;
    memset(&new, 0, sizeof(new));

    if (owner->uid != geteuid()
        && dm_process_become(owner->uid, owner->gid, owner->gid) != DM_OK)
    {
        dm_say(DM_SAY_ERROR, "cannot become user id %u: %s",
               (unsigned) owner->uid, strerror(errno));
        return DM_REPLICA_REFUSED;
    }

    if (dm_engine_open(&engine, replica->options->engine, "dm-replica", &err)
        != DM_OK
        || dm_bootstrap_new(engine, &replica->keys, &replica->authority, &new,
                            &err)
           != DM_OK)
    {
        dm_say(DM_SAY_ERROR, "%s", err.text);
        dm_engine_close(engine);
        return DM_REPLICA_REFUSED;
    }

    dm_engine_close(engine);

    n = write(fd, &new, sizeof(new));

    return n == sizeof(new) ? DM_REPLICA_DONE : DM_REPLICA_REFUSED;
}


static ssize_t
dm_make_read(int fd, void *out, size_t size)
{
    size_t   len;
    ssize_t  n;

    len = 0;

    while (len < size) {
        n = read(fd, (char *) out + len, size - len);

        if (n == 0 || (n == -1 && errno != EINTR)) {
            break;
        }

        len += n > 0 ? (size_t) n : 0;
    }

    return (ssize_t) len;
}


int
dm_replica_drop(const dm_replica_t *replica, dm_err_t *err)
{
    const char     *path;
    struct stat     sb;
    struct passwd  *pw;

    path = replica->options->store;

    if (geteuid() != 0 || stat(path, &sb) == -1) {
        return DM_OK;
    }

    if (sb.st_uid == 0) {
        dm_say(DM_SAY_WARN, "store \"%s\" is root's, so root itself works in "
               "it: give it a user of its own with \"dm-account upgrade --user "
               "USER --owner USER\"", path);
        return DM_OK;
    }

    pw = getpwuid(sb.st_uid);

    if (dm_process_become(sb.st_uid, pw == NULL ? sb.st_gid : pw->pw_gid,
                          sb.st_gid)
        != DM_OK)
    {
        dm_err_set(err, "cannot become user id %u, whose store \"%s\" is: %s",
                   (unsigned) sb.st_uid, path, strerror(errno));
        return DM_ERROR;
    }

    if (access(path, X_OK) == -1) {
        dm_err_set(err, "user id %u, whose store it is, cannot reach \"%s\": "
                   "the directories above must let him through",
                   (unsigned) sb.st_uid, path);
        return DM_ERROR;
    }

    return DM_OK;
}
