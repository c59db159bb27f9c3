/* dm-account check --permissions: can who shall use the store do so */

#define _GNU_SOURCE     /* getgrouplist() */

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
#include <sys/statvfs.h>
#include <unistd.h>

#include "account/audit.h"
#include "account/permissions.h"
#include "account/readers.h"
#include "account/user.h"
#include "common/json.h"
#include "common/output.h"
#include "dm_store_access.h"
#include "dm_store_slot.h"


#define DM_PERMISSIONS_NAME  48


typedef struct {
    dm_cli_t              *cli;
    char                   path[PATH_MAX];  /* the store's, without links */
    int                    fix;
    dm_store_owner_t       whose;
    dm_ids_t               reader;
    dm_ids_t               user;
    unsigned               wrong;
    unsigned               mended;
    int                    failed;          /* stdout */
} dm_permissions_t;


static int dm_permissions_prepare(dm_permissions_t *perm, const char *owner,
    const char *user);
static int dm_permissions_reads(const char *store, uid_t uid,
    const struct stat *sb);
static int dm_permissions_safe(dm_permissions_t *perm);
static int dm_permissions_above(dm_permissions_t *perm);
static int dm_permissions_dir(dm_permissions_t *perm, const char *dir);
static int dm_permissions_default(dm_permissions_t *perm, const char *dir,
    const struct stat *sb);
static void dm_permissions_mount(dm_permissions_t *perm);
static void dm_permissions_open(dm_permissions_t *perm);
static int dm_permissions_part(const dm_store_part_t *part, void *data);
static void dm_permissions_names(dm_permissions_t *perm,
    const dm_store_part_t *part, const char *path);
static void dm_permissions_foreign(dm_permissions_t *perm,
    const dm_store_part_t *part, const char *path);
static void dm_permissions_tell(dm_permissions_t *perm, const char *path,
    const char *is, const char *should, int mended);
static const char *dm_permissions_text(char *buf, uid_t uid, gid_t gid,
    mode_t mode);
static int dm_permissions_done(dm_permissions_t *perm);


/* octets of a text of whose something is and of its mode */
#define DM_PERMISSIONS_TEXT  (2 * DM_PERMISSIONS_NAME + 64)


int
dm_permissions(dm_cli_t *cli, const char *owner, const char *user, int fix)
{
    int               rc;
    dm_permissions_t  perm;

    memset(&perm, 0, sizeof(dm_permissions_t));

    perm.cli = cli;
    perm.fix = fix;

    rc = dm_permissions_prepare(&perm, owner, user);

    if (rc == DM_CLI_DONE && fix) {
        rc = dm_permissions_safe(&perm);
    }

    if (rc == DM_CLI_DONE && fix) {
        rc = dm_readers_keep(cli, perm.path, &perm.whose, DM_STORE_CHANGED);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_permissions_above(&perm);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    dm_permissions_mount(&perm);
    dm_permissions_open(&perm);

    if (dm_store_rights(perm.path, &perm.whose, dm_permissions_part, &perm,
                        &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    return dm_permissions_done(&perm);
}


/* finds the store, and who it is for */
static int
dm_permissions_prepare(dm_permissions_t *perm, const char *owner,
    const char *user)
{
    int          rc;
    dm_cli_t    *cli;
    struct stat  sb;

    cli = perm->cli;

    if (realpath(cli->store_path, perm->path) == NULL
        || lstat(perm->path, &sb) == -1)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "store \"%s\" "
                             "cannot be examined by %s: %s",
                             cli->store_path,
                             dm_access_who(geteuid(), getegid()),
                             strerror(errno));
    }

    if (!S_ISDIR(sb.st_mode)) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" is no "
                             "account store: it is no "
                             "directory", cli->store_path);
    }

    rc = dm_permissions_whose(cli, perm->path, owner, user, &perm->whose);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    dm_ids_of_user(&perm->reader, perm->whose.reader, perm->whose.readers);
    dm_ids_of_user(&perm->user, perm->whose.uid, perm->whose.gid);

    return DM_CLI_DONE;
}


int
dm_permissions_whose(const dm_cli_t *cli, const char *path, const char *owner,
    const char *user, dm_store_owner_t *whose)
{
    int          rc;
    struct stat  sb;

    if (owner != NULL) {
        rc = dm_user_workers(cli, owner, whose);

        if (rc != DM_CLI_DONE) {
            return rc;
        }

    } else if (dm_permissions_readers(path, whose) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_USER, "store \"%s\" does not say "
                             "whose workers read it: name their user with "
                             "--owner", cli->store_path);
    }

    if (user != NULL) {
        return dm_user_owner(cli, user, whose);
    }

    if (stat(path, &sb) == -1) {
        return dm_cli_refuse(cli, DM_CODE_NO_STORE, "there is no store at "
                             "\"%s\": %s", path, strerror(errno));
    }

    whose->uid = sb.st_uid;
    whose->gid = dm_user_group(sb.st_uid, getegid());

    return DM_CLI_DONE;
}


/*
 * Finds the workers by the directory of their slots: one whose group, of all
 * that are there, is that of the store, or else the only one.
 */
int
dm_permissions_readers(const char *path, dm_store_owner_t *whose)
{
    DIR         *dir;
    uid_t        uid, only;
    unsigned     n, fit;
    struct stat  sb;
    const char  *name;

    n = 0;
    fit = 0;
    only = 0;

    if (stat(path, &sb) == -1) {
        return DM_DECLINED;
    }

    dir = opendir(path);

    while (dir != NULL && dm_slots_next(dir, &name, &uid) == DM_OK) {
        n++;

        if (dm_permissions_reads(path, uid, &sb)) {
            fit++;
            whose->reader = uid;
        }

        only = uid;
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }

    if (fit == 1) {
        whose->readers = sb.st_gid;
        return DM_OK;
    }

    if (n == 1) {
        whose->reader = only;
        whose->readers = dm_user_group(only, sb.st_gid);
        return DM_OK;
    }

    return DM_DECLINED;
}


/* 1 if the data is given to a group of that user, else 0 */
static int
dm_permissions_reads(const char *store, uid_t uid, const struct stat *sb)
{
    char         data[PATH_MAX + sizeof("/data.mdb")];
    dm_ids_t     who;
    struct stat  file;

    (void) snprintf(data, sizeof(data), "%s/data.mdb", store);

    if (lstat(data, &file) == -1 || file.st_gid != sb->st_gid) {
        return 0;
    }

    dm_ids_of_user(&who, uid, dm_user_group(uid, sb->st_gid));

    return dm_ids_has(&who, sb->st_gid);
}


/* root changes nothing by a name that others can give to another thing */
static int
dm_permissions_safe(dm_permissions_t *perm)
{
    struct stat  sb;

    return dm_user_parent(perm->cli, perm->path,
                          perm->whose.uid == 0
                          && lstat(perm->path, &sb) == 0 && sb.st_uid == 0);
}


/* looks at each directory above the store, from the root on */
static int
dm_permissions_above(dm_permissions_t *perm)
{
    int     rc;
    char    dir[PATH_MAX];
    size_t  i;

    rc = dm_permissions_dir(perm, "/");

    for (i = 1; perm->path[i] != '\0' && rc == DM_CLI_DONE; i++) {

        if (perm->path[i] == '/') {
            (void) snprintf(dir, sizeof(dir), "%.*s", (int) i, perm->path);
            rc = dm_permissions_dir(perm, dir);
        }
    }

    return rc;
}


static int
dm_permissions_dir(dm_permissions_t *perm, const char *dir)
{
    int           done;
    char          is[DM_PERMISSIONS_TEXT], quoted[PATH_MAX];
    char          should[PATH_MAX + 512];
    dm_ids_t     *who;
    struct stat   sb;

    if (lstat(dir, &sb) == -1) {
        return dm_cli_refuse(perm->cli, DM_CODE_STORE_UNUSABLE, "\"%s\" "
                             "cannot be examined: %s", dir,
                             strerror(errno));
    }

    if (!dm_ids_may(&perm->reader, &sb, S_IXOTH)) {
        who = &perm->reader;

    } else if (!dm_ids_may(&perm->user, &sb, S_IXOTH)) {
        who = &perm->user;

    } else {
        return DM_CLI_DONE;
    }

    (void) dm_permissions_text(is, sb.st_uid, sb.st_gid, sb.st_mode);

    done = dm_permissions_default(perm, dir, &sb);

    if (done == -1) {
        dm_access_quote(quoted, sizeof(quoted), dir);
        (void) snprintf(should, sizeof(should), "and does not let %s pass: if "
                        "you mean it to, run \"chmod o+x %s\"",
                        dm_access_who(who->uid, who->group[0]), quoted);

    } else {
        (void) snprintf(should, sizeof(should), "and should be 0755");
    }

    dm_permissions_tell(perm, dir, is, should, done == 1);

    return DM_CLI_DONE;
}


/*
 * The directory that init makes for the default store: 1 if it was mended, 0 if
 * not, -1: it is none.
 */
static int
dm_permissions_default(dm_permissions_t *perm, const char *dir,
    const struct stat *sb)
{
    int   fd, rc;
    char  copy[] = DM_DEFAULT_STORE;

    if (strcmp(perm->path, DM_DEFAULT_STORE) != 0
        || strcmp(dir, dirname(copy)) != 0 || sb->st_uid != 0)
    {
        return -1;
    }

    if (!perm->fix) {
        return 0;
    }

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    rc = (fd != -1 && fchmod(fd, 0755) == 0);

    if (fd != -1) {
        close(fd);
    }

    return rc;
}


static void
dm_permissions_mount(dm_permissions_t *perm)
{
    char            mount[PATH_MAX], quoted[PATH_MAX], should[PATH_MAX + 256];
    struct statvfs  sv;

    if (statvfs(perm->path, &sv) == -1 || !(sv.f_flag & ST_RDONLY)) {
        return;
    }

    dm_access_mount(perm->path, mount, sizeof(mount));

    dm_access_quote(quoted, sizeof(quoted), mount);

    (void) snprintf(should, sizeof(should), "and workers make a file in the "
                    "store: run \"mount -o remount,rw %s\"; "
                    DM_ACCESS_CONFINED, quoted);

    dm_permissions_tell(perm, mount, "mounted read-only", should, 0);
}


/* workers that have it open and could not open it as it should be */
static void
dm_permissions_open(dm_permissions_t *perm)
{
    char               text[DM_STORE_LOSERS_LEN];
    char               should[DM_STORE_LOSERS_LEN + 128];
    dm_store_losers_t  losers;

    if (dm_store_losers(perm->path, &perm->whose, DM_STORE_CHANGED, &losers,
                        NULL)
        != DM_OK
        || losers.pids.n == 0)
    {
        return;
    }

    dm_store_write_losers(text, &losers);

    (void) snprintf(should, sizeof(should), "and %s it open, to whom it would "
                    "be closed: stop that nginx first", text);

    dm_permissions_tell(perm, perm->path, "in use", should, 0);
}


static int
dm_permissions_part(const dm_store_part_t *part, void *data)
{
    int                mended;
    char               path[PATH_MAX + DM_SLOTS_NAME];
    char               is[DM_PERMISSIONS_TEXT], text[DM_PERMISSIONS_TEXT];
    char               should[DM_PERMISSIONS_TEXT + 16];
    dm_permissions_t  *perm;

    perm = data;

    (void) snprintf(path, sizeof(path), "%s%s%s", perm->path,
                    strcmp(part->name, ".") == 0 ? "" : "/",
                    strcmp(part->name, ".") == 0 ? "" : part->name);

    if (dm_store_has_names(part)) {
        dm_permissions_names(perm, part, path);
        return DM_OK;
    }

    if (dm_store_is_kept(part)) {
        dm_permissions_foreign(perm, part, path);
        return DM_OK;
    }

    if (part->absent) {
        (void) snprintf(is, sizeof(is), "not there");

    } else {
        (void) dm_permissions_text(is, part->is.st_uid, part->is.st_gid,
                                   part->is.st_mode);
    }

    (void) snprintf(should, sizeof(should), "and should be %s",
                    dm_permissions_text(text, part->uid, part->gid,
                                        part->mode));

    mended = (perm->fix
              && dm_store_right(part, &perm->cli->err) == DM_OK);

    dm_permissions_tell(perm, path, is, should, mended);

    if (perm->fix && !mended) {
        (void) dm_cli_refuse(perm->cli, DM_CODE_STORE_FAILED, "%s",
                             perm->cli->err.text);
    }

    return DM_OK;
}


/* a file with other names, as "cp -al" gives it, or another's file */
static void
dm_permissions_names(dm_permissions_t *perm, const dm_store_part_t *part,
    const char *path)
{
    char  is[64], own[PATH_MAX + sizeof(".own")];
    char  store[PATH_MAX], copy[PATH_MAX], should[4 * PATH_MAX + 512];

    (void) snprintf(own, sizeof(own), "%s.own", perm->path);
    dm_access_quote(store, sizeof(store), perm->path);
    dm_access_quote(copy, sizeof(copy), own);

    (void) snprintf(is, sizeof(is), "a file with %ju names (hard links)",
                    (uintmax_t) part->is.st_nlink);

    (void) snprintf(should, sizeof(should), "and should have one: what is "
                    "written under one is written under all, so a copy by "
                    "links is no backup; do not remove it: \"dm-account "
                    "--store %s backup %s\", then \"dm-account --store %s "
                    "restore %s\", give the store files of its own, also "
                    "while it is served", store, copy, store, copy);

    dm_permissions_tell(perm, path, is, should, 0);
}


/* root has copied it there, or the store's user has: only a person can tell */
static void
dm_permissions_foreign(dm_permissions_t *perm, const dm_store_part_t *part,
    const char *path)
{
    char  is[DM_PERMISSIONS_TEXT], text[DM_PERMISSIONS_TEXT];
    char  quoted[PATH_MAX], should[PATH_MAX + DM_PERMISSIONS_TEXT + 512];

    dm_access_quote(quoted, sizeof(quoted), path);

    (void) dm_permissions_text(is, part->is.st_uid, part->is.st_gid,
                               part->is.st_mode);

    (void) snprintf(should, sizeof(should), "and should be %s: look whose it "
                    "is and what is in it, for the store's user can put there "
                    "what he could not read; if it is the store's own, run "
                    "\"chown -h %u %s\", and this again; else take it away",
                    dm_permissions_text(text, part->uid, part->gid,
                                        part->mode),
                    (unsigned) part->dir->is.st_uid, quoted);

    dm_permissions_tell(perm, path, is, should, 0);
}


static void
dm_permissions_tell(dm_permissions_t *perm, const char *path, const char *is,
    const char *should, int mended)
{
    perm->wrong++;
    perm->mended += (unsigned) mended;

    if (!perm->cli->json) {
        dm_out_line(stdout, "%s: \"%s\" %s %s, %s",
                    mended ? "mended" : "wrong", path, mended ? "was" : "is",
                    is, should);
        return;
    }

    perm->failed |= (dm_json_print(json_pack("{s:o, s:s, s:o}",
                                             mended ? "mended" : "wrong",
                                             dm_json_text(path), "is", is,
                                             "should", dm_json_text(should)))
                     != DM_OK);
}


/* USER:GROUP, mode MODE */
static const char *
dm_permissions_text(char *buf, uid_t uid, gid_t gid, mode_t mode)
{
    char            user[DM_PERMISSIONS_NAME], group[DM_PERMISSIONS_NAME];
    struct group   *gr;
    struct passwd  *pw;

    (void) snprintf(user, sizeof(user), "%u", (unsigned) uid);
    (void) snprintf(group, sizeof(group), "%u", (unsigned) gid);

    pw = getpwuid(uid);
    gr = getgrgid(gid);

    (void) snprintf(buf, DM_PERMISSIONS_TEXT, "%.*s:%.*s %04o",
                    DM_PERMISSIONS_NAME, pw == NULL ? user : pw->pw_name,
                    DM_PERMISSIONS_NAME, gr == NULL ? group : gr->gr_name,
                    (unsigned) mode & 07777);

    return buf;
}


static int
dm_permissions_done(dm_permissions_t *perm)
{
    unsigned     left;
    dm_cli_t    *cli;
    const char  *who;

    cli = perm->cli;
    left = perm->wrong - perm->mended;
    who = dm_access_who(perm->whose.reader, perm->whose.readers);

    if (perm->mended != 0) {
        dm_cli_audit(cli);
    }

    if (!cli->json) {
        dm_out_line(stdout, "for workers of %s: %u wrong, %u mended", who,
                    perm->wrong, perm->mended);

    } else {
        perm->failed |= (dm_json_print(
                             json_pack("{s:s, s:o, s:I, s:I}", "result",
                                       left == 0 ? "right" : "wrong",
                                       "workers", dm_json_text(who),
                                       "wrong", (json_int_t) perm->wrong,
                                       "mended", (json_int_t) perm->mended))
                         != DM_OK);
    }

    if (perm->failed) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "the findings cannot "
                             "be written as JSON");
    }

    if (left == 0) {
        return DM_CLI_DONE;
    }

    return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "store \"%s\" is not "
                         "as it should be: %s",
                         cli->store_path, perm->fix
                         ? "the rest is not this program's to mend, see above"
                         : "look at what is named, or say --fix");
}
