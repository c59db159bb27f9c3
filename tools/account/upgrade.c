/* dm-account upgrade: a store that an older version wrote */

#define _GNU_SOURCE     /* asprintf() */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "account/audit.h"
#include "account/permissions.h"
#include "account/readers.h"
#include "account/upgrade.h"
#include "account/user.h"
#include "account/verbs.h"
#include "account/waits.h"
#include "common/json.h"
#include "common/output.h"


static int dm_upgrade_run(dm_cli_t *cli, int argc, char **argv);
static int dm_upgrade_options(dm_upgrade_t *up, int argc, char **argv);
static int dm_upgrade_find(dm_upgrade_t *up);
static int dm_upgrade_find_files(dm_upgrade_t *up);
static int dm_upgrade_part(const dm_store_part_t *part, void *data);
static int dm_upgrade_files(dm_upgrade_t *up);
static int dm_upgrade_look(dm_upgrade_t *up);
static int dm_upgrade_child(dm_upgrade_t *up);
static int dm_upgrade_done(const dm_upgrade_t *up);
static void dm_upgrade_print(const dm_upgrade_t *up, int changed);


static const char *const  dm_upgrade_names[DM_UPGRADE_STEPS] = {
    [DM_UPGRADE_FILES] = "files",
    [DM_UPGRADE_COUNTERS] = "counters",
    [DM_UPGRADE_DISABLED] = "disabled",
    [DM_UPGRADE_VERSION] = "version"
};


enum {
    DM_OPT_OWNER = DM_OPT_VERB,
    DM_OPT_USER,
    DM_OPT_KEEP
};


static const struct option  dm_upgrade_opts[] = {
    { "owner", required_argument, NULL, DM_OPT_OWNER },
    { "user", required_argument, NULL, DM_OPT_USER },
    { "keep", required_argument, NULL, DM_OPT_KEEP },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_upgrade = {
    "upgrade",
    "[OPTION ...]",
    "make a store what this version makes, in its place",

    "To be run once, after dm-account and the module were upgraded. nginx\n"
    "serves meanwhile; who else changes accounts waits for it, as it waits\n"
    "for him. The store as it was is kept beside it before anything is\n"
    "written, and the command that takes it back is printed. If it was\n"
    "killed, run it again. Where nothing is to be done it does nothing, and\n"
    "makes no copy.\n"
    "\n"
    "It makes the files that older versions had not, counts the accounts and\n"
    "writes its version into the store, which nginx compares with its own.\n"
    "\n"
    "  --owner USER  whose workers shall read the store, as in init; by\n"
    "                default those that do. Refused while other workers have\n"
    "                it open. It is needed for a store of before 0.1.0, whose\n"
    "                nginx must be stopped\n"
    "  --user USER   who shall own it, as in init; by default who does\n"
    "  --keep N      how many copies of upgrades are kept, the newest; by\n"
    "                default 1; 0: no copy is made, and those that are there\n"
    "                stay. What a restore has kept always stays\n"
    "  --dry-run     write nothing: say what would be done\n"
    "\n"
    "example:\n"
    "  dm-account upgrade --dry-run\n",

    dm_upgrade_opts,
    dm_upgrade_run
};


/*
 * Each step is whole or not there at all, and the next run finds out by itself
 * which are to be done: it may be killed anywhere.
 */
static int
dm_upgrade_run(dm_cli_t *cli, int argc, char **argv)
{
    int           rc;
    dm_upgrade_t  up;

    memset(&up, 0, sizeof(dm_upgrade_t));

    up.cli = cli;

    rc = dm_upgrade_options(&up, argc, argv);

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_find(&up);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_files(&up);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_look(&up);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_judge(&up);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    up.removed = json_array();

    if (dm_upgrade_changes(&up) && !cli->dry_run) {
        rc = dm_upgrade_change(&up);

    } else if (up.step[DM_UPGRADE_FILES] && !cli->dry_run) {
        dm_cli_audit(cli);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_done(&up);
    }

    json_decref(up.removed);

    return rc;
}


static int
dm_upgrade_options(dm_upgrade_t *up, int argc, char **argv)
{
    int        opt;
    dm_cli_t  *cli;

    cli = up->cli;
    up->keep = DM_OLD_KEEP;

    while ((opt = dm_cli_getopt(cli, ":", dm_upgrade_opts, argc, argv)) > 0) {

        switch (opt) {

        case DM_OPT_OWNER:
            up->owner = optarg;
            break;

        case DM_OPT_USER:
            up->user = optarg;
            break;

        default: /* DM_OPT_KEEP */
            if (dm_old_keep(cli, optarg, &up->keep) != DM_CLI_DONE) {
                return DM_CLI_USAGE;
            }
        }
    }

    return opt == -1 ? cli->status : dm_cli_no_operand(cli, argc);
}


static int
dm_upgrade_find(dm_upgrade_t *up)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;

    if (realpath(cli->store_path, up->path) == NULL) {
        return dm_cli_refuse(cli, errno == ENOENT ? DM_CODE_NO_STORE
                                                  : DM_CODE_STORE_UNUSABLE,
                             "there is no store at \"%s\": %s",
                             cli->store_path, strerror(errno));
    }

    if (snprintf(up->copies, sizeof(up->copies), "%s" DM_OLD_UPGRADE, up->path)
        >= (int) sizeof(up->copies))
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "\"%s\" is too long "
                             "a path to keep a copy beside it", up->path);
    }

    up->step[DM_UPGRADE_DISABLED] = !dm_upgrade_has(up, "disabled");

    rc = dm_upgrade_find_files(up);

    if (rc == DM_CLI_DONE
        && (up->whose.uid != 0 || dm_user_is_other(up->path)))
    {
        rc = dm_user_parent(cli, up->path, 0);
    }

    return rc;
}


/* finds out whether files are missing, or are not whose they are to be */
static int
dm_upgrade_find_files(dm_upgrade_t *up)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;

    /* a store for several workers does not say whose it is, and need not */

    if (up->owner == NULL && up->user == NULL
        && dm_upgrade_has(up, "write.lock")
        && dm_permissions_readers(up->path, &up->whose) != DM_OK)
    {
        return DM_CLI_DONE;
    }

    rc = dm_permissions_whose(cli, up->path, up->owner, up->user, &up->whose);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_store_rights(up->path, &up->whose, dm_upgrade_part, up, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


/*
 * Modes and groups may be as somebody wants them, unless they are said; a file
 * of another user is what a run that was killed left.
 */
static int
dm_upgrade_part(const dm_store_part_t *part, void *data)
{
    dm_upgrade_t  *up;

    up = data;

    if (part->absent || part->is.st_uid != part->uid || up->owner != NULL
        || up->user != NULL)
    {
        up->step[DM_UPGRADE_FILES] = 1;
    }

    return DM_OK;
}


int
dm_upgrade_has(const dm_upgrade_t *up, const char *file)
{
    int    rc;
    char  *name;

    if (asprintf(&name, "%s/%s", up->path, file) == -1) {
        return 0;
    }

    rc = (access(name, F_OK) == 0);

    free(name);

    return rc;
}


/* this is for root, and changes no data */
static int
dm_upgrade_files(dm_upgrade_t *up)
{
    int        rc, given;
    dm_cli_t  *cli;

    cli = up->cli;

    if (!up->step[DM_UPGRADE_FILES]) {
        return DM_CLI_DONE;
    }

    rc = dm_readers_keep(cli, up->path, &up->whose, DM_STORE_CHANGED);

    if (rc != DM_CLI_DONE || cli->dry_run) {
        return rc;
    }

    dm_waits_begin(cli);
    given = dm_store_upgrade(up->path, &up->whose, &cli->err);
    dm_waits_end();

    if (given != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


/* a process of the store's user looks, and this one remains what it is */
static int
dm_upgrade_look(dm_upgrade_t *up)
{
    int        status;
    pid_t      pid;
    dm_cli_t  *cli;

    cli = up->cli;

    up->seen = mmap(NULL, sizeof(dm_upgrade_seen_t), PROT_READ|PROT_WRITE,
                    MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    if (up->seen == MAP_FAILED) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    pid = fork();

    if (pid == 0) {
        _exit(dm_upgrade_child(up));
    }

    if (pid == -1 || waitpid(pid, &status, 0) == -1) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "cannot make a process for "
                             "the store's user: %s", strerror(errno));
    }

    return dm_upgrade_failed(up, status);
}


int
dm_upgrade_failed(dm_upgrade_t *up, int status)
{
    dm_cli_t  *cli;

    cli = up->cli;

    if (WIFEXITED(status) && WEXITSTATUS(status) == DM_CLI_DONE) {
        return DM_CLI_DONE;
    }

    if (up->seen->said[0] == '\0') {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "\"%s\" cannot be "
                             "upgraded: see what \"dm-account check\" says",
                             cli->store_path);
    }

    (void) snprintf(cli->said, DM_CLI_MESSAGE_MAX, "%.*s",
                    DM_CLI_MESSAGE_MAX - 1, up->seen->said);

    return DM_CLI_REFUSED;
}


static int
dm_upgrade_child(dm_upgrade_t *up)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;
    cli->said = up->seen->said;

    /* without the lock file nobody of this version writes */

    rc = dm_cli_open_at(cli, up->path, dm_upgrade_has(up, "write.lock")
                                       ? DM_STORE_READ : DM_STORE_PEEK);

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_see(up);
        dm_cli_close(cli);
    }

    return rc;
}


int
dm_upgrade_see(dm_upgrade_t *up)
{
    int                     rc;
    dm_cli_t               *cli;
    dm_store_counts_t       counts;
    const dm_store_meta_t  *meta;

    cli = up->cli;

    rc = dm_store_count(cli->store, (int64_t) time(NULL), &counts, &cli->err);

    if (rc == DM_ERROR) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    meta = dm_store_meta(cli->store);

    up->seen->counted = (rc == DM_OK);
    memcpy(up->seen->writer, meta->writer, sizeof(up->seen->writer));

    return DM_CLI_DONE;
}


int
dm_upgrade_judge(dm_upgrade_t *up)
{
    int        older;
    dm_cli_t  *cli;

    cli = up->cli;

    /* it is of a process that may be less than this one */

    dm_version_read(up->writer, (dm_str_t) { up->seen->writer,
                                             DM_VERSION_MAX });

    older = dm_version_compare(up->writer);

    if (older > 0) {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "store \"%s\" was "
                             "last written by dm-account %s, and this is %s: "
                             "install that version, or restore a backup that "
                             "this one wrote", cli->store_path, up->writer,
                             DM_VERSION);
    }

    up->step[DM_UPGRADE_COUNTERS] = !up->seen->counted;
    up->step[DM_UPGRADE_VERSION] = (older < 0);

    return DM_CLI_DONE;
}


int
dm_upgrade_changes(const dm_upgrade_t *up)
{
    return up->step[DM_UPGRADE_COUNTERS] || up->step[DM_UPGRADE_VERSION]
           || up->step[DM_UPGRADE_DISABLED];
}


static int
dm_upgrade_done(const dm_upgrade_t *up)
{
    int        i, changed;
    json_t    *steps;
    dm_cli_t  *cli;

    cli = up->cli;
    changed = 0;
    steps = json_array();

    for (i = 0; i < DM_UPGRADE_STEPS; i++) {

        if (up->step[i]) {
            changed = 1;
            (void) json_array_append_new(steps,
                                         json_string(dm_upgrade_names[i]));
        }
    }

    if (!cli->json) {
        json_decref(steps);
        dm_upgrade_print(up, changed);
        return DM_CLI_DONE;
    }

    return dm_cli_outcome(cli, json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:O}",
                                         "result", changed ? "upgraded"
                                                           : "unchanged",
                                         "store", dm_json_text(up->path),
                                         "from", up->writer[0]
                                         ? json_string(up->writer)
                                         : json_null(),
                                         "to", DM_VERSION,
                                         "steps", steps,
                                         "old", up->aside[0]
                                         ? dm_json_text(up->aside)
                                         : json_null(),
                                         "removed", up->removed));
}


static void
dm_upgrade_print(const dm_upgrade_t *up, int changed)
{
    size_t     i;
    json_t    *path;
    dm_cli_t  *cli;

    cli = up->cli;

    if (!changed) {
        dm_out_line(stdout, "\"%s\" is a store of %s: nothing is to be done, "
                    "and no copy was made", up->path, DM_VERSION);
        return;
    }

    dm_out_line(stdout, "upgraded \"%s\" from %s%s to %s:%s%s%s%s%s",
                up->path, up->writer[0] ? "" : "before ",
                up->writer[0] ? up->writer : DM_VERSION_SIGNS,
                DM_VERSION,
                up->step[DM_UPGRADE_FILES] ? " files" : "",
                up->step[DM_UPGRADE_COUNTERS] ? " counters" : "",
                up->step[DM_UPGRADE_DISABLED] ? " disabled" : "",
                up->step[DM_UPGRADE_VERSION] ? " version" : "",
                dm_cli_remark(cli));

    if (up->aside[0] != '\0') {
        dm_out_line(stdout, "the store as it was is kept as \"%s\"",
                    up->aside);
        dm_old_print_back(cli, up->path, up->aside);
    }

    json_array_foreach(up->removed, i, path) {
        dm_out_line(stdout, "removed an older one, \"%s\"",
                    json_string_value(path));
    }
}
