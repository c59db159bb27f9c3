/* From root to the store's user, and never back */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/user.h"
#include "common/process.h"


/* links on a way, as many as Linux follows */
#define DM_USER_LINKS  40


/* a way, as far as it was walked */
typedef struct {
    char      done[PATH_MAX];       /* without links; "": the root */
    char      rest[PATH_MAX];
    unsigned  links;
    int       own;                  /* what it leads to stays root's */
} dm_user_way_t;


static int dm_user_number(const char *text, uint32_t *id);
static int dm_user_start(dm_user_way_t *way, const char *path);
static int dm_user_walk(dm_user_way_t *way);
static int dm_user_next(dm_user_way_t *way, char name[NAME_MAX + 1]);
static int dm_user_step(dm_user_way_t *way, const char *name);
static int dm_user_alone(const struct stat *dir, const struct stat *sb);
static int dm_user_link(dm_user_way_t *way, size_t len);


int
dm_user_workers(const dm_cli_t *cli, const char *owner,
    dm_store_owner_t *whose)
{
    char            user[LOGIN_NAME_MAX];
    uint32_t        id;
    const char     *group;
    struct group   *gr;
    struct passwd  *pw;

    group = strchr(owner, ':');

    (void) snprintf(user, sizeof(user), "%.*s",
                    (int) (group == NULL ? strlen(owner)
                                         : (size_t) (group - owner)), owner);

    pw = getpwnam(user);

    if (pw == NULL && dm_user_number(user, &id) == DM_OK) {
        pw = getpwuid(id);
        whose->reader = id;

    } else if (pw == NULL) {
        return dm_cli_refuse(cli, DM_CODE_USER, "there is no user \"%s\": name "
                             "the user of nginx's workers with --owner", user);
    }

    if (pw != NULL) {
        whose->reader = pw->pw_uid;
        whose->readers = pw->pw_gid;
    }

    if (group == NULL && pw == NULL) {
        return dm_cli_refuse(cli, DM_CODE_USER, "user %s has no name, and "
                             "so no group of his own: write \"--owner "
                             "%s:GROUP\"", user, user);
    }

    if (group == NULL) {
        return DM_CLI_DONE;
    }

    group++;
    gr = getgrnam(group);

    if (gr != NULL) {
        whose->readers = gr->gr_gid;

    } else if (dm_user_number(group, &id) == DM_OK) {
        whose->readers = id;

    } else {
        return dm_cli_refuse(cli, DM_CODE_USER, "there is no group \"%s\""
                             ": name the group of nginx's workers with "
                             "--owner USER:GROUP", group);
    }

    return DM_CLI_DONE;
}


/* DM_OK, DM_INVALID: it is no id */
static int
dm_user_number(const char *text, uint32_t *id)
{
    char           *end;
    unsigned long   n;

    if (text[0] < '0' || text[0] > '9') {
        return DM_INVALID;
    }

    errno = 0;
    n = strtoul(text, &end, 10);

    if (*end != '\0' || errno != 0 || n >= UINT32_MAX) {
        return DM_INVALID;
    }

    *id = (uint32_t) n;

    return DM_OK;
}


int
dm_user_is_named(const dm_cli_t *cli, const char *user)
{
    return user != NULL
           || (geteuid() == 0
               && strcmp(cli->store_path, DM_DEFAULT_STORE) == 0
               && getpwnam(DM_DEFAULT_USER) != NULL);
}


int
dm_user_owner(const dm_cli_t *cli, const char *user, dm_store_owner_t *whose)
{
    struct passwd  *pw;

    whose->uid = geteuid();
    whose->gid = getegid();

    if (!dm_user_is_named(cli, user)) {
        return DM_CLI_DONE;
    }

    if (user == NULL) {
        user = DM_DEFAULT_USER;
    }

    pw = getpwnam(user);

    if (pw == NULL) {
        return dm_cli_refuse(cli, DM_CODE_USER, "there is no user \"%s\": make "
                             "one with "
                             "\"adduser --system --group %s\"", user, user);
    }

    if (pw->pw_uid == 0 || pw->pw_gid == 0
        || pw->pw_uid == whose->reader || pw->pw_gid == whose->readers)
    {
        return dm_cli_refuse(cli, DM_CODE_USER, "\"%s\" cannot own the "
                             "store: it is a user and a group of its own, "
                             "not root's and not "
                             "those of the workers", user);
    }

    whose->uid = pw->pw_uid;
    whose->gid = pw->pw_gid;

    return DM_CLI_DONE;
}


gid_t
dm_user_group(uid_t uid, gid_t otherwise)
{
    struct passwd  *pw;

    pw = getpwuid(uid);

    return pw == NULL ? otherwise : pw->pw_gid;
}


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
                    "give it a user of its own with \"dm-account upgrade "
                    "--user USER --owner USER\"", path);
        return DM_CLI_DONE;
    }

    pw = getpwuid(sb.st_uid);
    gid = (pw == NULL) ? sb.st_gid : pw->pw_gid;

    if (dm_process_become(sb.st_uid, gid, sb.st_gid) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_USER, "cannot become user id %u, "
                             "whose store \"%s\" is: %s", (unsigned) sb.st_uid,
                             path, strerror(errno));
    }

    if (access(path, X_OK) == -1) {
        return dm_cli_refuse(cli, DM_CODE_USER, "user id %u, whose store it "
                             "is, cannot reach \"%s\": the directories above "
                             "must let him through", (unsigned) sb.st_uid,
                             path);
    }

    return DM_CLI_DONE;
}


int
dm_user_is_alone(const char *path)
{
    char         copy[PATH_MAX];
    struct stat  sb;

    (void) snprintf(copy, sizeof(copy), "%s", path);

    if (geteuid() != 0 || stat(dirname(copy), &sb) == -1) {
        return 1;
    }

    return sb.st_uid == 0
           && ((sb.st_mode & (S_IWGRP|S_IWOTH)) == 0
               || (sb.st_mode & S_ISVTX) != 0);
}


int
dm_user_parent(const dm_cli_t *cli, const char *path, int own)
{
    dm_user_way_t  way;

    if (geteuid() != 0 || dm_user_start(&way, path) != DM_OK) {
        return DM_CLI_DONE;
    }

    way.own = own;

    if (dm_user_walk(&way) != DM_DECLINED) {
        return DM_CLI_DONE;
    }

    return dm_cli_refuse(cli, DM_CODE_USER, "others than root can change "
                         "names in \"%s\": root makes and changes no store of "
                         "another user below it; make it root's alone to "
                         "write (being sticky is not enough), or run "
                         "dm-account as that user",
                         way.done[0] == '\0' ? "/" : way.done);
}


static int
dm_user_start(dm_user_way_t *way, const char *path)
{
    char  cwd[PATH_MAX];
    int   n;

    memset(way, 0, sizeof(dm_user_way_t));

    if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL) {
        return DM_ERROR;
    }

    n = snprintf(way->rest, sizeof(way->rest), "%s/%s",
                 path[0] == '/' ? "" : cwd, path);

    return n < (int) sizeof(way->rest) ? DM_OK : DM_ERROR;
}


/*
 * DM_OK; DM_DECLINED: others can change names in way->done; DM_ERROR: it leads
 * nowhere, and whoever opens it is told why.
 */
static int
dm_user_walk(dm_user_way_t *way)
{
    int   rc;
    char  name[NAME_MAX + 1];

    while (dm_user_next(way, name) == DM_OK) {
        rc = dm_user_step(way, name);

        if (rc != DM_OK) {
            return rc;
        }
    }

    return DM_OK;
}


/* takes a name from the rest of the way; DM_DECLINED: there is none */
static int
dm_user_next(dm_user_way_t *way, char name[NAME_MAX + 1])
{
    size_t  n, len;

    n = strspn(way->rest, "/");
    len = strcspn(way->rest + n, "/");

    if (len == 0 || len > NAME_MAX) {
        return DM_DECLINED;
    }

    memcpy(name, way->rest + n, len);
    name[len] = '\0';

    n += len;

    /* the last name is known by an empty rest */

    for ( ;; ) {
        n += strspn(way->rest + n, "/");

        if (way->rest[n] != '.' || strcspn(way->rest + n, "/") != 1) {
            break;
        }

        n++;
    }

    memmove(way->rest, way->rest + n, strlen(way->rest + n) + 1);

    return DM_OK;
}


static int
dm_user_step(dm_user_way_t *way, const char *name)
{
    int          last, there;
    char        *slash;
    size_t       len;
    struct stat  dir, sb;

    if (strcmp(name, ".") == 0) {
        return DM_OK;
    }

    slash = strrchr(way->done, '/');

    if (strcmp(name, "..") == 0) {
        if (slash != NULL) {
            *slash = '\0';
        }

        return DM_OK;
    }

    len = strlen(way->done);

    if (lstat(len == 0 ? "/" : way->done, &dir) == -1
        || len + 1 + strlen(name) >= sizeof(way->done))
    {
        return DM_ERROR;
    }

    (void) snprintf(way->done + len, sizeof(way->done) - len, "/%s", name);
    there = (lstat(way->done, &sb) == 0);

    last = way->rest[0] == '\0' && !way->own
           && (!there || !S_ISLNK(sb.st_mode));

    if (!dm_user_alone(&dir, there && !last ? &sb : NULL)) {
        way->done[len] = '\0';
        return DM_DECLINED;
    }

    if (!there) {
        return DM_ERROR;
    }

    return S_ISLNK(sb.st_mode) ? dm_user_link(way, len) : DM_OK;
}


/* 1 if only root can give the name of sb, in dir, to another thing, else 0 */
static int
dm_user_alone(const struct stat *dir, const struct stat *sb)
{
    if (dir->st_uid != 0) {
        return 0;
    }

    return (dir->st_mode & (S_IWGRP|S_IWOTH)) == 0
           || (dir->st_mode & S_ISVTX && sb != NULL && sb->st_uid == 0);
}


/* goes on where the link way->done leads, which stands in its first len */
static int
dm_user_link(dm_user_way_t *way, size_t len)
{
    int      n;
    char     target[PATH_MAX], rest[PATH_MAX];
    ssize_t  size;

    size = readlink(way->done, target, sizeof(target) - 1);

    if (size <= 0 || way->links++ == DM_USER_LINKS) {
        return DM_ERROR;
    }

    target[size] = '\0';
    way->done[target[0] == '/' ? 0 : len] = '\0';

    n = snprintf(rest, sizeof(rest), "%s%s%s", target,
                 way->rest[0] == '\0' ? "" : "/", way->rest);

    if (n >= (int) sizeof(rest)) {
        return DM_ERROR;
    }

    memcpy(way->rest, rest, (size_t) n + 1);

    return DM_OK;
}


int
dm_user_may_make(const dm_cli_t *cli, const char *what, const char *path)
{
    char         copy[PATH_MAX];
    dm_err_t     err;
    struct stat  sb;

    if (lstat(path, &sb) == 0) {
        return dm_cli_refuse(cli, DM_CODE_STORE_EXISTS, "\"%s\" exists "
                             "already", path);
    }

    (void) snprintf(copy, sizeof(copy), "%s", path);

    if (access(dirname(copy), W_OK|X_OK) == -1) {
        dm_err_set_made(&err, what, path);

        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", err.text);
    }

    return DM_CLI_DONE;
}
