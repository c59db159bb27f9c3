/* dm-account init: a new store and its key */

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
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
    DM_OPT_MAP_SIZE,
    DM_OPT_UPGRADE
};


typedef struct {
    const char  *realm;
    const char  *owner;
    const char  *user;                  /* NULL: as it is */
    uint64_t     map_size;
    int          share_key;
    int          new_key;
    int          upgrade;

    dm_store_owner_t  whose;
} dm_init_t;


static int dm_init_run(dm_cli_t *cli, int argc, char **argv);
static int dm_init_options(dm_cli_t *cli, dm_init_t *init, int argc,
    char **argv);
static int dm_init_owner(dm_cli_t *cli, dm_init_t *init);
static int dm_init_user(dm_cli_t *cli, dm_init_t *init);
static int dm_init_parents(dm_cli_t *cli);
static int dm_init_parent(dm_cli_t *cli, const char *path);
static int dm_init_key(dm_cli_t *cli, dm_init_t *init);
static int dm_init_store(dm_cli_t *cli, dm_init_t *init);
static int dm_init_done(dm_cli_t *cli, dm_init_t *init);
static int dm_init_upgrade(dm_cli_t *cli, dm_init_t *init);


static const struct option  dm_init_opts[] = {
    { "realm", required_argument, NULL, DM_OPT_REALM },
    { "owner", required_argument, NULL, DM_OPT_OWNER },
    { "user", required_argument, NULL, DM_OPT_USER },
    { "map-size", required_argument, NULL, DM_OPT_MAP_SIZE },
    { "upgrade", no_argument, NULL, DM_OPT_UPGRADE },
    { "share-key", no_argument, NULL, DM_OPT_SHARE_KEY },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_init = {
    "init",
    "--realm REALM [OPTION ...], or --upgrade [--owner USER]",
    "make a store and its key file",

    "  --realm REALM    the realm of all its accounts; it cannot be changed,\n"
    "                   for the hashes of passwords hold it\n"
    "  --owner USER     whose workers read the store, by the primary group of\n"
    "                   USER, default www-data\n"
    "  --user USER      who shall own the store, a system user of its own:\n"
    "                   root becomes him before it opens the store. Neither\n"
    "                   root nor that of the workers; default dm-sec, where\n"
    "                   there is one and the store is at the default place,\n"
    "                   else whoever runs this\n"
    "  --map-size SIZE  the room it may grow into, default 16g; the file is\n"
    "                   sparse, and the room is doubled when it is 90 % full\n"
    "  --upgrade        give the store that is there the files and modes that\n"
    "                   this version makes, for the workers of USER; stop an\n"
    "                   nginx of an older version before\n"
    "  --share-key      take the key file that is there, which may seal\n"
    "                   another store: a rekey of the one that is finished\n"
    "                   then makes the other unreadable, until it gets the\n"
    "                   old key back\n"
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

    if (init.upgrade) {
        return dm_init_upgrade(cli, &init);
    }

    if (access(cli->store_path, F_OK) == 0) {
        return dm_cli_refuse(cli, "\"%s\" exists already and is left as it "
                             "is: name another place with --store",
                             cli->store_path);
    }

    rc = dm_init_owner(cli, &init);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_init_parents(cli);

    if (rc == DM_CLI_DONE && init.user != NULL) {
        rc = dm_user_parent(cli, cli->store_path);
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


static int
dm_init_options(dm_cli_t *cli, dm_init_t *init, int argc, char **argv)
{
    int  opt;

    init->realm = "";
    init->owner = "www-data";
    init->user = NULL;
    init->map_size = DM_STORE_MAP_SIZE;
    init->whose.uid = geteuid();
    init->whose.gid = getegid();
    init->share_key = 0;
    init->new_key = 0;
    init->upgrade = 0;

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

        case DM_OPT_UPGRADE:
            init->upgrade = 1;
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

    if (init->realm[0] == '\0' && !init->upgrade) {
        return dm_cli_usage(cli, "--realm is needed");
    }

    return dm_cli_no_operand(cli, argc);
}


static int
dm_init_owner(dm_cli_t *cli, dm_init_t *init)
{
    struct passwd  *pw;

    pw = getpwnam(init->owner);

    if (pw == NULL) {
        return dm_cli_refuse(cli, "there is no user \"%s\": name the user of "
                             "nginx's workers with --owner", init->owner);
    }

    init->whose.reader = pw->pw_uid;
    init->whose.readers = pw->pw_gid;

    return dm_init_user(cli, init);
}


static int
dm_init_user(dm_cli_t *cli, dm_init_t *init)
{
    struct passwd  *pw;

    if (init->user == NULL && geteuid() == 0
        && strcmp(cli->store_path, DM_DEFAULT_STORE) == 0
        && getpwnam(DM_USER_DEFAULT) != NULL)
    {
        init->user = DM_USER_DEFAULT;
    }

    if (init->user == NULL) {
        return DM_CLI_DONE;
    }

    pw = getpwnam(init->user);

    if (pw == NULL) {
        return dm_cli_refuse(cli, "there is no user \"%s\": make one with "
                             "\"adduser --system --group %s\"", init->user,
                             init->user);
    }

    if (pw->pw_uid == 0 || pw->pw_gid == 0
        || pw->pw_uid == init->whose.reader
        || pw->pw_gid == init->whose.readers)
    {
        return dm_cli_refuse(cli, "\"%s\" cannot own the store: it is a user "
                             "and a group of its own, not root's and not "
                             "those of the workers", init->user);
    }

    init->whose.uid = pw->pw_uid;
    init->whose.gid = pw->pw_gid;

    return DM_CLI_DONE;
}


/*
 * Upgrades a store, which keeps its owner, for the workers' user that is named.
 */
static int
dm_init_upgrade(dm_cli_t *cli, dm_init_t *init)
{
    int          rc;
    struct stat  sb;

    if (stat(cli->store_path, &sb) == -1) {
        return dm_cli_refuse(cli, "there is no store at \"%s\": %s",
                             cli->store_path, strerror(errno));
    }

    init->whose.uid = sb.st_uid;

    rc = dm_init_owner(cli, init);

    if (rc == DM_CLI_DONE && init->whose.uid != 0) {
        rc = dm_user_parent(cli, cli->store_path);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_store_upgrade(cli->store_path, &init->whose, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    dm_cli_audit(cli);

    if (!cli->json) {
        printf("upgraded \"%s\", for the workers of \"%s\"\n",
               cli->store_path, init->owner);
        return DM_CLI_DONE;
    }

    return dm_cli_printed(cli, dm_json_print(
        json_pack("{s:s, s:s, s:s}", "result", "upgraded",
                  "store", cli->store_path, "owner", init->owner)));
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

        return dm_cli_refuse(cli, "cannot make \"%s\": %s", dir,
                             strerror(errno));
    }

    /* against our umask: workers must pass through it */
    if (chmod(dir, 0755) == -1) {
        return dm_cli_refuse(cli, "cannot set the mode of \"%s\": %s", dir,
                             strerror(errno));
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
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    if (rc == DM_EXISTS) {
        return dm_cli_refuse(cli, "key file \"%s\" exists and may seal "
                             "another store, which would lose its key when "
                             "this one gets a new one: name another file "
                             "with --key, or say --share-key",
                             cli->key_path);
    }

    init->new_key = 1;

    return DM_CLI_DONE;
}


static int
dm_init_store(dm_cli_t *cli, dm_init_t *init)
{
    int        rc;
    dm_keys_t  keys;

    rc = dm_keys_read(cli->key_path, &keys, &cli->err);

    if (rc == DM_OK) {
        rc = dm_store_create(cli->store_path, dm_cli_str(init->realm),
                             init->map_size, &init->whose, &keys, &cli->err);
    }

    dm_keys_wipe(&keys);

    if (rc == DM_OK) {
        return DM_CLI_DONE;
    }

    /* a store that came to be meanwhile may be sealed with this very key */
    if (init->new_key && rc != DM_EXISTS) {
        (void) unlink(cli->key_path);
    }

    return dm_cli_refuse(cli, "%s", cli->err.text);
}


static int
dm_init_done(dm_cli_t *cli, dm_init_t *init)
{
    int  rc;

    dm_cli_audit(cli);

    if (init->whose.uid == 0) {
        dm_cli_warn(cli, "store \"%s\" is root's: --user gives it a user of "
                    "its own", cli->store_path);
    }

    if (!cli->json) {
        dm_out_line(stdout, "created \"%s\", realm \"%s\", with the %s key in "
                    "\"%s\"", cli->store_path, init->realm,
                    init->new_key ? "new" : "existing", cli->key_path);
        return DM_CLI_DONE;
    }

    rc = dm_json_print(json_pack("{s:s, s:s, s:s, s:s, s:b}",
                                 "result", "created",
                                 "store", cli->store_path,
                                 "realm", init->realm,
                                 "key", cli->key_path,
                                 "new_key", init->new_key));

    return dm_cli_printed(cli, rc);
}
