/* dm-account backup, restore: the store as a whole */

#define _GNU_SOURCE     /* statx() */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/audit.h"
#include "account/copy.h"
#include "account/old.h"
#include "account/readers.h"
#include "account/user.h"
#include "account/verbs.h"
#include "account/waits.h"
#include "common/json.h"
#include "common/output.h"


/* ms; workers look each second */
#define DM_BACKUP_PATIENCE  5000


typedef struct {
    dm_copy_t          copy;
    const char        *owner;               /* of restore; may be NULL, so */
    const char        *user;                /* may user */
    unsigned           keep;
    const char        *path;                /* of the store, without links */
    char               aside[PATH_MAX + DM_OLD_SUFFIX];  /* the one before */
    json_t            *removed;             /* old stores */
} dm_backup_t;


static int dm_backup_run(dm_cli_t *cli, int argc, char **argv);
static int dm_backup_would(dm_backup_t *backup, const char *path,
    const char *store);
static int dm_backup_dir(dm_cli_t *cli, int argc, char **argv,
    const char **dir);
static int dm_backup_done(dm_cli_t *cli, const char *dir);

static int dm_backup_restore(dm_cli_t *cli, int argc, char **argv);
static int dm_restore_options(dm_backup_t *backup, int argc, char **argv);
static int dm_restore_owner(dm_backup_t *backup, const char *path,
    int exists);
static int dm_restore_readers(dm_cli_t *cli, const char *path);
static int dm_restore_would(dm_backup_t *backup, const char *path);
static int dm_backup_target(dm_cli_t *cli, const char *dir, char *path,
    int *exists);
static int dm_backup_absent(dm_cli_t *cli, char *path);
static int dm_backup_place(dm_cli_t *cli, const char *path);
static int dm_backup_is_part(const char *dir);
static void dm_backup_wait(dm_cli_t *cli, const char *aside);
static int dm_backup_exchange(dm_backup_t *backup, const char *path,
    int exists);
static int dm_backup_put(const char *fresh, void *data, dm_err_t *err);
static int dm_backup_restored(const dm_backup_t *backup, const char *aside);


enum {
    DM_OPT_OWNER = DM_OPT_VERB,
    DM_OPT_USER,
    DM_OPT_KEEP
};


static const struct option  dm_backup_opts[] = {
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


static const struct option  dm_restore_opts[] = {
    { "owner", required_argument, NULL, DM_OPT_OWNER },
    { "user", required_argument, NULL, DM_OPT_USER },
    { "keep", required_argument, NULL, DM_OPT_KEEP },
    DM_CLI_DRY_RUN,
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
    DM_CLI_HELP_DRY_RUN
    "\n"
    "example:\n"
    "  dm-account backup /var/backups/dm-sec-2027-01-31\n",

    dm_backup_opts,
    dm_backup_run
};


const dm_verb_t  dm_verb_restore = {
    "restore",
    "DIR [OPTION ...]",
    "put a backup in the place of the store",

    "The backup is checked completely, copied beside the store and exchanged\n"
    "with it at once. nginx opens it within a second; no request is lost.\n"
    "The store that was there remains under the name that is printed. What\n"
    "was changed since the backup is not in the store any more.\n"
    "\n"
    "Owners and modes are those of the store that was there, never those of\n"
    "the machine that the backup is from.\n"
    "\n"
    "  --owner USER  where no store is: whose workers read it, as in init,\n"
    "                default www-data. Where one is, it becomes theirs, which\n"
    "                is refused while other workers have it open\n"
    "  --user USER   who shall own it, as in init\n"
    "  --keep N      how many of the stores that were replaced are kept, the\n"
    "                newest, default 1\n"
    "  --dry-run     check the backup and all else, and write nothing\n"
    "\n"
    "example:\n"
    "  dm-account restore /var/backups/dm-sec-2027-01-31\n",

    dm_restore_opts,
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
    backup.copy.cli = cli;
    backup.copy.from = cli->store_path;

    rc = cli->dry_run ? dm_backup_would(&backup, dir, cli->store_path)
                      : dm_copy_prepare(&backup.copy);

    if (rc == DM_CLI_DONE && !cli->dry_run) {
        rc = dm_copy_make(&backup.copy, dir, cli->store_path);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_backup_done(cli, dir);
}


/*
 * Does what comes before path is made: as nothing follows, this process itself
 * becomes the user whose store is read.
 */
static int
dm_backup_would(dm_backup_t *backup, const char *path, const char *store)
{
    int  rc;

    rc = dm_user_is_other(store) ? dm_user_parent(backup->copy.cli, path, 0)
                                 : DM_CLI_DONE;

    if (rc == DM_CLI_DONE) {
        rc = dm_user_may_make(backup->copy.cli, "store", path);
    }

    return rc == DM_CLI_DONE ? dm_copy_open(&backup->copy) : rc;
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
    if (!cli->dry_run) {
        dm_cli_audit(cli);
    }

    if (!cli->json) {
        dm_out_line(stdout, "copied \"%s\" to \"%s\"%s", cli->store_path,
                    dir, dm_cli_remark(cli));
        return DM_CLI_DONE;
    }

    return dm_cli_outcome(cli, json_pack("{s:s, s:o}", "result", "copied",
                                         "backup", dm_json_text(dir)));
}


static int
dm_backup_restore(dm_cli_t *cli, int argc, char **argv)
{
    int          rc, exists;
    char         path[PATH_MAX];
    dm_backup_t  backup;

    memset(&backup, 0, sizeof(dm_backup_t));
    backup.copy.cli = cli;
    backup.copy.restore = 1;

    rc = dm_restore_options(&backup, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_backup_target(cli, backup.copy.from, path, &exists);

    if (rc == DM_CLI_DONE) {
        rc = dm_restore_owner(&backup, path, exists);
    }

    if (rc == DM_CLI_DONE && cli->dry_run) {
        return dm_restore_would(&backup, path);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_copy_prepare(&backup.copy);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_backup_exchange(&backup, path, exists);
}


static int
dm_restore_would(dm_backup_t *backup, const char *path)
{
    int   rc;
    char  aside[PATH_MAX + DM_OLD_SUFFIX];

    dm_old_name(path, aside, sizeof(aside));

    rc = dm_backup_would(backup, aside, backup->copy.from);

    if (rc == DM_CLI_DONE) {
        backup->removed = json_array();
        rc = dm_backup_restored(backup, NULL);
        json_decref(backup->removed);
    }

    return rc;
}


static int
dm_restore_options(dm_backup_t *backup, int argc, char **argv)
{
    int        opt;
    dm_cli_t  *cli;

    cli = backup->copy.cli;
    backup->keep = DM_OLD_KEEP;
    backup->copy.from = "";

    while ((opt = dm_cli_getopt(cli, ":", dm_restore_opts, argc, argv)) > 0) {

        switch (opt) {

        case DM_OPT_OWNER:
            backup->owner = optarg;
            break;

        case DM_OPT_USER:
            backup->user = optarg;
            break;

        default: /* DM_OPT_KEEP */
            if (dm_old_keep(cli, optarg, &backup->keep) != DM_CLI_DONE) {
                return DM_CLI_USAGE;
            }
        }
    }

    if (opt == -1) {
        return cli->status;
    }

    if (optind == argc) {
        return dm_cli_usage(cli, "a directory is needed");
    }

    backup->copy.from = argv[optind++];

    return dm_cli_no_operand(cli, argc);
}


/*
 * Finds the owners of the new store: those of the store that is there, or as
 * init does.  Whose the backup was may be anybody, on another machine.
 */
static int
dm_restore_owner(dm_backup_t *backup, const char *path, int exists)
{
    int          rc;
    dm_cli_t    *cli;
    struct stat  sb;

    cli = backup->copy.cli;

    /* the copy is made beside it, and older ones there are removed */

    if (exists && dm_user_is_other(path)) {
        rc = dm_user_parent(cli, path, 0);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    if (exists && backup->owner == NULL) {
        return backup->user == NULL ? dm_restore_readers(cli, path)
               : dm_cli_usage(cli, "--user needs --owner where a store is");
    }

    rc = dm_user_workers(cli, backup->owner == NULL ? DM_DEFAULT_WORKERS
                                                    : backup->owner,
                         &backup->copy.whose);

    if (rc == DM_CLI_DONE) {
        rc = dm_user_owner(cli, backup->user, &backup->copy.whose);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (exists && backup->user == NULL && stat(path, &sb) == 0) {
        backup->copy.whose.uid = sb.st_uid;
        backup->copy.whose.gid = dm_user_group(sb.st_uid, getegid());
    }

    if (backup->copy.whose.uid != 0) {
        rc = dm_user_parent(cli, path, 0);
    }

    if (rc != DM_CLI_DONE || !exists) {
        return rc;
    }

    return dm_readers_keep(cli, path, &backup->copy.whose, DM_STORE_REPLACED);
}


/* no worker opens a store that has no directory for its user's slots */
static int
dm_restore_readers(dm_cli_t *cli, const char *path)
{
    int          rc;
    DIR         *dir;
    uid_t        uid;
    const char  *name;

    dir = opendir(path);
    if (dir == NULL) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" cannot be "
                             "read: %s", path, strerror(errno));
    }

    rc = dm_slots_next(dir, &name, &uid);

    (void) closedir(dir);

    return rc == DM_OK ? DM_CLI_DONE
           : dm_cli_refuse(cli, DM_CODE_USER, "\"%s\" does not say whose "
                           "workers read the store, as it has no directory "
                           "\"readers.UID\": name their user with --owner, as "
                           "in --owner " DM_DEFAULT_WORKERS, cli->store_path);
}


/* finds the store's real path, since its directory itself is exchanged */
static int
dm_backup_target(dm_cli_t *cli, const char *dir, char *path, int *exists)
{
    struct stat  backup, store;

    *exists = 0;

    if (stat(dir, &backup) == -1 && errno == ENOENT) {
        return dm_cli_refuse(cli, DM_CODE_NO_STORE, "there is no backup at "
                             "\"%s\": name the directory that \"backup\", "
                             "\"upgrade\" or \"restore\" has printed", dir);
    }

    if (dm_backup_is_part(dir)) {
        return dm_cli_refuse(cli, DM_CODE_STORE_DAMAGED, "\"%s\" is a part of "
                             "a copy, whose making was killed, or goes on: "
                             "name a whole one", dir);
    }

    *exists = (realpath(cli->store_path, path) != NULL);

    if (!*exists && errno != ENOENT) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "store \"%s\" "
                             "cannot be examined: %s", cli->store_path,
                             strerror(errno));
    }

    if (!*exists) {
        return dm_backup_absent(cli, path);
    }

    if (stat(dir, &backup) == 0 && stat(path, &store) == 0
        && backup.st_dev == store.st_dev && backup.st_ino == store.st_ino)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_EXISTS, "\"%s\" is the store "
                             "itself", dir);
    }

    return dm_backup_place(cli, path);
}


/* no store is there: path is where one will be */
static int
dm_backup_absent(dm_cli_t *cli, char *path)
{
    size_t       len;
    struct stat  sb;

    (void) snprintf(path, PATH_MAX, "%s", cli->store_path);

    for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--) {
        path[len - 1] = '\0';
    }

    if (lstat(path, &sb) == 0) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" is a "
                             "symbolic link that leads to nothing: mount or "
                             "make the directory that it leads to, or remove "
                             "the link", path);
    }

    return DM_CLI_DONE;
}


/*
 * The whole directory is exchanged: nobody shall lose one that was named by
 * mistake, and a file system that is mounted there stays where it is.
 */
static int
dm_backup_place(dm_cli_t *cli, const char *path)
{
    char          data[PATH_MAX + sizeof("/data.mdb")];
    struct stat   sb;
    struct statx  place;

    if (statx(AT_FDCWD, path, 0, STATX_TYPE, &place) == -1) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" cannot be "
                             "examined: %s", path, strerror(errno));
    }

    if (!S_ISDIR(place.stx_mode)) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" is no "
                             "directory, as a store is: look what it is, and "
                             "remove it", path);
    }

    if (place.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" is a mount "
                             "point, which cannot be exchanged: restore to a "
                             "directory below it, and name that with --store "
                             "and in dm_sec_store", path);
    }

    (void) snprintf(data, sizeof(data), "%s/data.mdb", path);

    if (lstat(data, &sb) == -1
        && dm_store_is_whole(path, "replaced", &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "%s",
                             cli->err.text);
    }

    return DM_CLI_DONE;
}


/*
 * A copy gets write.lock when data.mdb and then "disabled" are whole: without
 * it those that are disabled beside the records may lack.  The copies of a
 * version before, or of data.mdb alone, have neither.
 */
static int
dm_backup_is_part(const char *dir)
{
    int          rc;
    char         name[PATH_MAX + sizeof("/write.lock")];
    struct stat  sb;

    (void) snprintf(name, sizeof(name), "%s/disabled", dir);
    rc = (lstat(name, &sb) == 0);

    (void) snprintf(name, sizeof(name), "%s/write.lock", dir);

    return rc && lstat(name, &sb) == -1 && errno == ENOENT;
}


static int
dm_backup_exchange(dm_backup_t *backup, const char *path, int exists)
{
    int             rc;
    char            name[PATH_MAX + DM_OLD_SUFFIX];
    dm_cli_t       *cli;
    dm_store_put_t  put;

    cli = backup->copy.cli;

    dm_old_sweep(path);
    dm_old_name(path, name, sizeof(name));

    put = (dm_store_put_t) { dm_backup_put, backup };
    backup->copy.put = &put;
    backup->path = path;

    rc = dm_copy_make(&backup->copy, name,
                      exists && backup->owner == NULL ? path : NULL);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (backup->aside[0] != '\0') {
        dm_backup_wait(cli, backup->aside);
    }

    dm_cli_audit(cli);

    backup->removed = json_array();
    dm_old_prune(cli, path, backup->keep, backup->removed);

    rc = dm_backup_restored(backup, backup->aside[0] != '\0' ? backup->aside
                                                             : NULL);

    json_decref(backup->removed);

    return rc;
}


/* only this is to wait for a writer; the copy is removed where it fails */
static int
dm_backup_put(const char *fresh, void *data, dm_err_t *err)
{
    int           rc;
    dm_backup_t  *backup;

    backup = data;

    dm_waits_begin(backup->copy.cli);
    rc = dm_store_install(fresh, backup->path, dm_old_name, backup->aside,
                          sizeof(backup->aside), err);
    dm_waits_end();

    return rc;
}


/* restored is what is in force: nobody is to read the store before */
static void
dm_backup_wait(dm_cli_t *cli, const char *aside)
{
    dm_store_pids_t  pids;

    if (dm_store_left(aside, DM_BACKUP_PATIENCE, &pids, &cli->err) != DM_OK) {
        (void) dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
        return;
    }

    if (pids.n != 0) {
        (void) dm_cli_refuse(cli, DM_CODE_IN_USE, "%u processes, %d among "
                             "them, still have the store before open", pids.n,
                             (int) pids.pid[0]);
    }
}


static int
dm_backup_restored(const dm_backup_t *backup, const char *aside)
{
    size_t           i;
    json_t          *old, *path;
    dm_cli_t        *cli;
    dm_store_meta_t  meta;

    cli = backup->copy.cli;

    if (backup->copy.seen == NULL) {
        meta = *dm_store_meta(cli->store);

    } else {
        meta.accounts = backup->copy.seen->accounts;
        meta.realm.data = backup->copy.seen->realm;
        meta.realm.len = strnlen((const char *) backup->copy.seen->realm,
                                 DM_REALM_MAX);
    }

    if (!cli->json) {
        dm_out_line(stdout, "restored %llu accounts, realm \"%.*s\", from "
                    "\"%s\"%s", (unsigned long long) meta.accounts,
                    dm_cli_arg(meta.realm), backup->copy.from,
                    dm_cli_remark(cli));

        if (aside != NULL && access(aside, F_OK) == 0) {
            dm_out_line(stdout, "the store before is now \"%s\"", aside);
        }

        json_array_foreach(backup->removed, i, path) {
            dm_out_line(stdout, "removed an older one, \"%s\"",
                        json_string_value(path));
        }

        return DM_CLI_DONE;
    }

    old = aside == NULL || access(aside, F_OK) == -1 ? json_null()
                                                     : dm_json_text(aside);

    return dm_cli_outcome(cli, json_pack("{s:s, s:I, s:o, s:o, s:O}",
                                         "result", "restored",
                                         "accounts",
                                         (json_int_t) meta.accounts,
                                         "realm", dm_json_str(meta.realm),
                                         "old", old,
                                         "removed", backup->removed));
}
