/* dm-account init: a new store and its key */

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/audit.h"
#include "account/keyfile.h"
#include "account/user.h"
#include "account/verbs.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"


#define DM_INIT_KEY_ID    "k1"


enum {
    DM_OPT_REALM = DM_OPT_VERB,
    DM_OPT_OWNER,
    DM_OPT_USER,
    DM_OPT_SHARE_KEY,
    DM_OPT_MAP_SIZE
};


typedef struct {
    const char  *realm;
    const char  *owner;
    const char  *user;                  /* NULL: as it is */
    uint64_t     map_size;
    int          share_key;
    int          new_key;

    dm_store_owner_t  whose;
} dm_init_t;


static int dm_init_run(dm_cli_t *cli, int argc, char **argv);
static int dm_init_options(dm_cli_t *cli, dm_init_t *init, int argc,
    char **argv);
static int dm_init_owner(dm_cli_t *cli, dm_init_t *init);
static int dm_init_parents(dm_cli_t *cli);
static int dm_init_parent(dm_cli_t *cli, const char *path);
static int dm_init_key(dm_cli_t *cli, dm_init_t *init);
static int dm_init_key_exists(const dm_cli_t *cli);
static int dm_init_would(dm_cli_t *cli, dm_init_t *init);
static int dm_init_store(dm_cli_t *cli, dm_init_t *init);
static int dm_init_done(dm_cli_t *cli, dm_init_t *init);


static const struct option  dm_init_opts[] = {
    { "realm", required_argument, NULL, DM_OPT_REALM },
    { "owner", required_argument, NULL, DM_OPT_OWNER },
    { "user", required_argument, NULL, DM_OPT_USER },
    { "map-size", required_argument, NULL, DM_OPT_MAP_SIZE },
    { "share-key", no_argument, NULL, DM_OPT_SHARE_KEY },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_init = {
    "init",
    "--realm REALM [OPTION ...]",
    "make a store and its key file",

    "  --realm REALM    the realm of all its accounts; it cannot be changed,\n"
    "                   for the hashes of passwords hold it\n"
    "  --owner USER     whose workers read the store, by the primary group of\n"
    "                   USER, or with USER:GROUP by that; default www-data\n"
    "  --user USER      who shall own the store, a system user of its own:\n"
    "                   root becomes him before it opens the store. Neither\n"
    "                   root nor that of the workers; default dm-sec, where\n"
    "                   there is one and the store is at the default place,\n"
    "                   else whoever runs this\n"
    "  --map-size SIZE  the room it may grow into, default 16g; the file is\n"
    "                   sparse, and the room is doubled when it is 90 % full\n"
    "  --share-key      take the key file that is there, which may seal\n"
    "                   another store: a rekey of the one that is finished\n"
    "                   then makes the other unreadable, until it gets the\n"
    "                   old key back\n"
    "  --dry-run        write nothing: say what would be made\n"
    "\n"
    "The key file is made with mode 0600. Keep a copy of it apart from the\n"
    "store's: without it no password and no PSK can be read again.\n"
    "\n"
    "example:\n"
    "  dm-account init --realm dm@example.org\n",

    dm_init_opts,
    dm_init_run
};


static int
dm_init_run(dm_cli_t *cli, int argc, char **argv)
{
    int        rc;
    dm_init_t  init;

    rc = dm_init_options(cli, &init, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (access(cli->store_path, F_OK) == 0) {
        return dm_cli_refuse(cli, DM_CODE_STORE_EXISTS, "\"%s\" exists "
                             "already and is left as it is: name another "
                             "place with --store", cli->store_path);
    }

    rc = dm_init_owner(cli, &init);

    if (rc == DM_CLI_DONE && cli->dry_run) {
        return dm_init_would(cli, &init);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_init_parents(cli);

    if (rc == DM_CLI_DONE && dm_user_is_named(cli, init.user)) {
        rc = dm_user_parent(cli, cli->store_path, 0);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_init_key(cli, &init);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_init_store(cli, &init);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_init_done(cli, &init);
}


/* looks at all that comes before, or comes out of, the making itself */
static int
dm_init_would(dm_cli_t *cli, dm_init_t *init)
{
    int        rc;
    dm_keys_t  keys;

    rc = DM_CLI_DONE;

    if (dm_store_check_new(dm_cli_str(init->realm), init->map_size, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_UNUSABLE, "%s",
                             cli->err.text);
    }

    if (dm_user_is_named(cli, init->user)) {
        rc = dm_user_parent(cli, cli->store_path, 0);
    }

    /* the directories of the default places are made */

    if (rc == DM_CLI_DONE && strcmp(cli->store_path, DM_DEFAULT_STORE) != 0) {
        rc = dm_user_may_make(cli, "store", cli->store_path);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (init->share_key) {
        rc = dm_keys_read(cli->key_path, &keys, &cli->err);
        dm_keys_wipe(&keys);

        return rc == DM_OK ? dm_init_done(cli, init)
               : dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s",
                               cli->err.text);
    }

    if (access(cli->key_path, F_OK) == 0) {
        return dm_init_key_exists(cli);
    }

    if (strcmp(cli->key_path, DM_DEFAULT_KEY) != 0) {
        rc = dm_user_may_make(cli, "key file", cli->key_path);
    }

    init->new_key = 1;

    return rc == DM_CLI_DONE ? dm_init_done(cli, init) : rc;
}


static int
dm_init_options(dm_cli_t *cli, dm_init_t *init, int argc, char **argv)
{
    int  opt;

    init->realm = "";
    init->owner = DM_DEFAULT_WORKERS;
    init->user = NULL;
    init->map_size = DM_STORE_MAP_SIZE;
    init->share_key = 0;
    init->new_key = 0;

    while ((opt = dm_cli_getopt(cli, ":", dm_init_opts, argc, argv)) > 0) {

        switch (opt) {

        case DM_OPT_REALM:
            init->realm = optarg;
            break;

        case DM_OPT_OWNER:
            init->owner = optarg;
            break;

        case DM_OPT_USER:
            init->user = optarg;
            break;

        case DM_OPT_SHARE_KEY:
            init->share_key = 1;
            break;

        default: /* DM_OPT_MAP_SIZE */
            if (dm_input_size(optarg, &init->map_size, &cli->err) != DM_OK) {
                return dm_cli_usage(cli, "--map-size: %s", cli->err.text);
            }
        }
    }

    if (opt == -1) {
        return cli->status;
    }

    if (init->realm[0] == '\0') {
        return dm_cli_usage(cli, "--realm is needed");
    }

    return dm_cli_no_operand(cli, argc);
}


static int
dm_init_owner(dm_cli_t *cli, dm_init_t *init)
{
    int  rc;

    rc = dm_user_workers(cli, init->owner, &init->whose);

    return rc == DM_CLI_DONE ? dm_user_owner(cli, init->user, &init->whose)
                             : rc;
}


/*
 * Makes the directories of the default places only: elsewhere a missing
 * directory is a slip.
 */
static int
dm_init_parents(dm_cli_t *cli)
{
    int  rc;

    rc = DM_CLI_DONE;

    if (strcmp(cli->store_path, DM_DEFAULT_STORE) == 0) {
        rc = dm_init_parent(cli, DM_DEFAULT_STORE);
    }

    if (rc == DM_CLI_DONE && strcmp(cli->key_path, DM_DEFAULT_KEY) == 0) {
        rc = dm_init_parent(cli, DM_DEFAULT_KEY);
    }

    return rc;
}


static int
dm_init_parent(dm_cli_t *cli, const char *path)
{
    char  copy[PATH_MAX], *dir;

    (void) snprintf(copy, sizeof(copy), "%s", path);
    dir = dirname(copy);

    if (mkdir(dir, 0755) == -1) {
        if (errno == EEXIST) {
            return DM_CLI_DONE;
        }

        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "cannot make \"%s\": %s",
                             dir, strerror(errno));
    }

    /* against our umask: workers must pass through it */
    if (chmod(dir, 0755) == -1) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "cannot set the mode of "
                             "\"%s\": %s", dir, strerror(errno));
    }

    return DM_CLI_DONE;
}


static int
dm_init_key(dm_cli_t *cli, dm_init_t *init)
{
    int        rc;
    dm_keys_t  keys;

    if (init->share_key) {
        return DM_CLI_DONE;
    }

    memset(&keys, 0, sizeof(dm_keys_t));

    rc = dm_keyfile_add(&keys, DM_INIT_KEY_ID, &cli->err);

    if (rc == DM_OK) {
        rc = dm_keyfile_create(cli->key_path, &keys, &cli->err);
    }

    dm_keys_wipe(&keys);

    if (rc == DM_ERROR) {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    if (rc == DM_EXISTS) {
        return dm_init_key_exists(cli);
    }

    init->new_key = 1;

    return DM_CLI_DONE;
}


static int
dm_init_key_exists(const dm_cli_t *cli)
{
    return dm_cli_refuse(cli, DM_CODE_KEY_EXISTS, "key file \"%s\" exists "
                         "and may seal another store, which would lose "
                         "its key when this one gets a new one: name "
                         "another file with --key, or say --share-key",
                         cli->key_path);
}


static int
dm_init_store(dm_cli_t *cli, dm_init_t *init)
{
    int        rc;
    dm_keys_t  keys;

    if (dm_keys_read(cli->key_path, &keys, &cli->err) != DM_OK) {
        dm_keys_wipe(&keys);
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    rc = dm_store_create(cli->store_path, dm_cli_str(init->realm),
                         init->map_size, &init->whose, &keys, &cli->err);

    dm_keys_wipe(&keys);

    if (rc == DM_OK) {
        return DM_CLI_DONE;
    }

    /* a store that came to be meanwhile may be sealed with this very key */
    if (init->new_key && rc != DM_EXISTS) {
        (void) unlink(cli->key_path);
    }

    return dm_cli_refuse(cli, dm_code_of_store(rc), "%s", cli->err.text);
}


static int
dm_init_done(dm_cli_t *cli, dm_init_t *init)
{
    if (!cli->dry_run) {
        dm_cli_audit(cli);
    }

    if (init->whose.uid == 0) {
        dm_cli_warn(cli, "store \"%s\" is root's: --user gives it a user of "
                    "its own", cli->store_path);
    }

    if (!cli->json) {
        dm_out_line(stdout, "created \"%s\", realm \"%s\", with the %s key in "
                    "\"%s\"%s", cli->store_path, init->realm,
                    init->new_key ? "new" : "existing", cli->key_path,
                    dm_cli_remark(cli));
        return DM_CLI_DONE;
    }

    return dm_cli_outcome(cli, json_pack("{s:s, s:s, s:s, s:s, s:b}",
                                         "result", "created",
                                         "store", cli->store_path,
                                         "realm", init->realm,
                                         "key", cli->key_path,
                                         "new_key", init->new_key));
}
