/* dm-account backup, restore: the store as a whole */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "account/audit.h"
#include "account/cli_store.h"
#include "account/user.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/output.h"


/* the suffix of a store that was replaced: "." and a time in UTC */
#define DM_BACKUP_SUFFIX  sizeof(".20270131T000000Z")


/* ms; workers look each second */
#define DM_BACKUP_PATIENCE  5000


/* shared memory, in which the process that opened the store tells of it */
typedef struct {
    uint64_t       accounts;
    unsigned char  realm[DM_REALM_MAX];
    char           said[DM_CLI_MESSAGE_MAX];
} dm_backup_seen_t;


typedef struct {
    dm_cli_t          *cli;
    const char        *from;
    int                restore;             /* else backup */
    dm_backup_seen_t  *seen;                /* NULL: this process has it */
} dm_backup_t;


static int dm_backup_run(dm_cli_t *cli, int argc, char **argv);
static int dm_backup_prepare(dm_backup_t *backup);
static int dm_backup_open(dm_backup_t *backup);
static int dm_backup_make(dm_backup_t *backup, const char *path,
    const char *like);
static int dm_backup_fill(int fd, void *data, dm_err_t *err);
static int dm_backup_child(dm_backup_t *backup, int fd);
static int dm_backup_dir(dm_cli_t *cli, int argc, char **argv,
    const char **dir);
static int dm_backup_done(dm_cli_t *cli, const char *dir);

static int dm_backup_restore(dm_cli_t *cli, int argc, char **argv);
static int dm_backup_check(dm_cli_t *cli, const char *dir);
static void dm_backup_damage(const dm_err_t *what, void *data);
static int dm_backup_target(dm_cli_t *cli, const char *dir, char *path,
    int *exists);
static void dm_backup_wait(dm_cli_t *cli, const char *aside);
static void dm_backup_aside(const char *path, char *aside, size_t size);
static int dm_backup_exchange(dm_backup_t *backup, const char *path,
    int exists);
static int dm_backup_restored(const dm_backup_t *backup, const char *aside);


static const struct option  dm_backup_opts[] = {
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_backup = {
    "backup",
    "DIR",
    "copy the store, as it is now, to a new directory",

    "DIR must not exist. The copy has no free room, and the owner and the\n"
    "modes of the store; others read and write the store meanwhile. The key\n"
    "file is not in it: keep a copy of that elsewhere.\n"
    "\n"
    "example:\n"
    "  dm-account backup /var/backups/dm-sec-2027-01-31\n",

    dm_backup_opts,
    dm_backup_run
};


const dm_verb_t  dm_verb_restore = {
    "restore",
    "DIR",
    "put a backup in the place of the store",

    "The backup is checked completely, copied beside the store and exchanged\n"
    "with it at once. nginx opens it within a second; no request is lost.\n"
    "The store that was there remains under the name that is printed. What\n"
    "was changed since the backup is not in the store any more.\n"
    "\n"
    "example:\n"
    "  dm-account restore /var/backups/dm-sec-2027-01-31\n",

    dm_backup_opts,
    dm_backup_restore
};


static int
dm_backup_run(dm_cli_t *cli, int argc, char **argv)
{
    int          rc;
    const char  *dir;
    dm_backup_t  backup;

    rc = dm_backup_dir(cli, argc, argv, &dir);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    memset(&backup, 0, sizeof(dm_backup_t));
    backup.cli = cli;
    backup.from = cli->store_path;

    rc = dm_backup_prepare(&backup);

    if (rc == DM_CLI_DONE) {
        rc = dm_backup_make(&backup, dir, cli->store_path);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_backup_done(cli, dir);
}


/*
 * Opens the store; if root handles another user's, then in a process that has
 * become him, and this one makes the new store where only root can.
 */
static int
dm_backup_prepare(dm_backup_t *backup)
{
    void  *seen;

    if (!dm_user_is_other(backup->from)) {
        return dm_backup_open(backup);
    }

    seen = mmap(NULL, sizeof(dm_backup_seen_t), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (seen == MAP_FAILED) {
        return dm_cli_refuse(backup->cli, "out of memory");
    }

    backup->seen = seen;

    return DM_CLI_DONE;
}


static int
dm_backup_open(dm_backup_t *backup)
{
    int        rc;
    dm_cli_t  *cli;

    cli = backup->cli;

    if (!backup->restore) {
        return dm_cli_open(cli, DM_STORE_READ);
    }

    dm_cli_guard(cli, SIGSEGV);
    dm_cli_guard(cli, SIGABRT);

    /* nobody else has a backup open: no lock file is made in it */
    rc = dm_cli_open_at(cli, backup->from, DM_STORE_PEEK);

    return rc == DM_CLI_DONE ? dm_backup_check(cli, backup->from) : rc;
}


static int
dm_backup_make(dm_backup_t *backup, const char *path, const char *like)
{
    int        rc;
    dm_cli_t  *cli;

    cli = backup->cli;

    if (backup->seen == NULL) {
        rc = dm_store_copy(cli->store, path, like, &cli->err);

    } else if (dm_user_parent(cli, path) != DM_CLI_DONE) {
        return DM_CLI_REFUSED;

    } else {
        rc = dm_store_receive(path, like, dm_backup_fill, backup, &cli->err);
    }

    if (rc == DM_OK) {
        return DM_CLI_DONE;
    }

    /* the child has told it on stderr itself */

    if (backup->seen != NULL && backup->seen->said[0] != '\0') {
        (void) snprintf(cli->said, DM_CLI_MESSAGE_MAX, "%.*s",
                        DM_CLI_MESSAGE_MAX - 1, backup->seen->said);
        return DM_CLI_REFUSED;
    }

    return dm_cli_refuse(cli, "%s", cli->err.text);
}


static int
dm_backup_fill(int fd, void *data, dm_err_t *err)
{
    int           status;
    pid_t         pid;
    dm_backup_t  *backup;

    backup = data;
    pid = fork();

    if (pid == 0) {
        _exit(dm_backup_child(backup, fd));
    }

    if (pid == -1 || waitpid(pid, &status, 0) == -1) {
        dm_err_set(err, "cannot make a process for the store's user: %s",
                   strerror(errno));
        return DM_ERROR;
    }

    if (!WIFEXITED(status) || WEXITSTATUS(status) != DM_CLI_DONE) {
        dm_err_set(err, "\"%s\" cannot be copied", backup->from);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_backup_child(dm_backup_t *backup, int fd)
{
    int                     rc;
    dm_cli_t               *cli;
    dm_backup_seen_t       *seen;
    const dm_store_meta_t  *meta;

    cli = backup->cli;
    seen = backup->seen;
    cli->said = seen->said;

    rc = dm_backup_open(backup);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_store_send(cli->store, fd, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    meta = dm_store_meta(cli->store);

    seen->accounts = meta->accounts;
    memcpy(seen->realm, meta->realm.data, meta->realm.len);

    dm_cli_close(cli);

    return DM_CLI_DONE;
}


static int
dm_backup_dir(dm_cli_t *cli, int argc, char **argv, const char **dir)
{
    *dir = "";

    if (dm_cli_getopt(cli, ":", dm_backup_opts, argc, argv) != 0) {
        return cli->status;
    }

    if (optind == argc) {
        return dm_cli_usage(cli, "a directory is needed");
    }

    *dir = argv[optind++];

    return dm_cli_no_operand(cli, argc);
}


static int
dm_backup_done(dm_cli_t *cli, const char *dir)
{
    int  rc;

    dm_cli_audit(cli);

    if (!cli->json) {
        dm_out_line(stdout, "copied \"%s\" to \"%s\"", cli->store_path,
                    dir);
        return DM_CLI_DONE;
    }

    rc = dm_json_print(json_pack("{s:s, s:o}", "result", "copied",
                                 "backup", dm_json_text(dir)));

    return dm_cli_printed(cli, rc);
}


static int
dm_backup_restore(dm_cli_t *cli, int argc, char **argv)
{
    int          rc, exists;
    char         path[PATH_MAX];
    const char  *dir;
    dm_backup_t  backup;

    rc = dm_backup_dir(cli, argc, argv, &dir);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_backup_target(cli, dir, path, &exists);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    memset(&backup, 0, sizeof(dm_backup_t));
    backup.cli = cli;
    backup.from = dir;
    backup.restore = 1;

    rc = dm_backup_prepare(&backup);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_backup_exchange(&backup, path, exists);
}


/* finds the store's real path, since its directory itself is exchanged */
static int
dm_backup_target(dm_cli_t *cli, const char *dir, char *path, int *exists)
{
    struct stat  backup, store;

    *exists = (realpath(cli->store_path, path) != NULL);

    if (!*exists && errno != ENOENT) {
        return dm_cli_refuse(cli, "store \"%s\" cannot be examined: %s",
                             cli->store_path, strerror(errno));
    }

    if (!*exists) {
        (void) snprintf(path, PATH_MAX, "%s", cli->store_path);
        return DM_CLI_DONE;
    }

    if (stat(dir, &backup) == 0 && stat(path, &store) == 0
        && backup.st_dev == store.st_dev && backup.st_ino == store.st_ino)
    {
        return dm_cli_refuse(cli, "\"%s\" is the store itself", dir);
    }

    return DM_CLI_DONE;
}


static int
dm_backup_check(dm_cli_t *cli, const char *dir)
{
    uint64_t  damages;

    if (dm_store_check(cli->store, NULL, dm_backup_damage, cli, &damages,
                       &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    if (damages != 0) {
        return dm_cli_refuse(cli, "backup \"%s\" is damaged, and the store "
                             "is left as it is", dir);
    }

    return DM_CLI_DONE;
}


static void
dm_backup_damage(const dm_err_t *what, void *data)
{
    (void) dm_cli_refuse(data, "damage: %s", what->text);
}


static int
dm_backup_exchange(dm_backup_t *backup, const char *path, int exists)
{
    int        rc, old;
    char       aside[PATH_MAX + DM_BACKUP_SUFFIX];
    dm_cli_t  *cli;

    cli = backup->cli;

    dm_backup_aside(path, aside, sizeof(aside));

    rc = dm_backup_make(backup, aside, exists ? path : backup->from);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_store_install(aside, path, &old, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s; the copy of the backup is \"%s\"",
                             cli->err.text, aside);
    }

    if (old) {
        dm_backup_wait(cli, aside);
    }

    dm_cli_audit(cli);

    return dm_backup_restored(backup, old ? aside : NULL);
}


/* restored is what is in force: nobody is to read the store before */
static void
dm_backup_wait(dm_cli_t *cli, const char *aside)
{
    dm_store_pids_t  pids;

    if (dm_store_left(aside, DM_BACKUP_PATIENCE, &pids, &cli->err) != DM_OK) {
        (void) dm_cli_refuse(cli, "%s", cli->err.text);
        return;
    }

    if (pids.n != 0) {
        (void) dm_cli_refuse(cli, "%u processes, %d among them, still have "
                             "the store before open", pids.n,
                             (int) pids.pid[0]);
    }
}


/*
 * Makes the name that the new store has until the exchange, and then the old.
 */
static void
dm_backup_aside(const char *path, char *aside, size_t size)
{
    size_t     len;
    time_t     now;
    struct tm  tm;

    len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }

    now = time(NULL);
    (void) gmtime_r(&now, &tm);

    (void) snprintf(aside, size, "%.*s", (int) len, path);
    (void) strftime(aside + len, size - len, ".%Y%m%dT%H%M%SZ", &tm);
}


static int
dm_backup_restored(const dm_backup_t *backup, const char *aside)
{
    int              rc;
    json_t          *old;
    dm_cli_t        *cli;
    dm_store_meta_t  meta;

    cli = backup->cli;

    if (backup->seen == NULL) {
        meta = *dm_store_meta(cli->store);

    } else {
        meta.accounts = backup->seen->accounts;
        meta.realm.data = backup->seen->realm;
        meta.realm.len = strnlen((const char *) backup->seen->realm,
                                 DM_REALM_MAX);
    }

    if (!cli->json) {
        dm_out_line(stdout, "restored %llu accounts, realm \"%.*s\", from "
                    "\"%s\"", (unsigned long long) meta.accounts,
                    dm_cli_arg(meta.realm), backup->from);

        if (aside != NULL) {
            dm_out_line(stdout, "the store before is now \"%s\"", aside);
        }

        return DM_CLI_DONE;
    }

    old = aside == NULL ? json_null() : dm_json_text(aside);

    rc = dm_json_print(json_pack("{s:s, s:I, s:o, s:o}",
                                 "result", "restored",
                                 "accounts", (json_int_t) meta.accounts,
                                 "realm", dm_json_str(meta.realm),
                                 "old", old));

    return dm_cli_printed(cli, rc);
}
