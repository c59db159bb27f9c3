/* dm-account check: is the store whole, and what in it is weak */

#include <signal.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "dm_password.h"
#include "dm_store_stamp.h"
#include "account/cli_store.h"
#include "account/permissions.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/output.h"


enum {
    DM_OPT_PERMISSIONS = DM_OPT_VERB,
    DM_OPT_FIX,
    DM_OPT_OWNER,
    DM_OPT_USER
};


typedef struct {
    int          permissions;
    int          fix;
    const char  *owner;                     /* may be NULL, as user */
    const char  *user;
} dm_check_opts_t;


typedef struct {
    dm_cli_t  *cli;
    dm_str_t   realm;
    uint64_t   weak;
    int        failed;                      /* stdout */
} dm_check_t;


static int dm_check_run(dm_cli_t *cli, int argc, char **argv);
static int dm_check_options(dm_cli_t *cli, int argc, char **argv,
    dm_check_opts_t *opts);
static void dm_check_damage(const dm_err_t *what, void *data);
static int dm_check_account(const dm_account_t *account, void *data);
static void dm_check_weak(dm_check_t *check, const dm_account_t *account,
    const char *why);
static int dm_check_guessed(const dm_account_t *account, dm_str_t realm,
    dm_str_t guess);
static void dm_check_print(dm_check_t *check, json_t *json);
static void dm_check_stamp(dm_cli_t *cli);
static int dm_check_done(dm_check_t *check, uint64_t damages);


static const struct option  dm_check_opts[] = {
    { "permissions", no_argument, NULL, DM_OPT_PERMISSIONS },
    { "fix", no_argument, NULL, DM_OPT_FIX },
    { "owner", required_argument, NULL, DM_OPT_OWNER },
    { "user", required_argument, NULL, DM_OPT_USER },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_check = {
    "check",
    "[--permissions [--fix] [--owner USER] [--user USER]]",
    "go through the whole store: is it sound, what is weak",

    "Each record must open with the key, each account be found by all that\n"
    "it is found by, each entry of an index lead to an account that holds\n"
    "it, and the counters agree. Exits with 1 if there is any damage; with 0\n"
    "nginx reads the store again, where it left it alone since a worker died\n"
    "in it.\n"
    "\n"
    "Accounts are listed as weak that have no credential at all, a password\n"
    "hash that is quickly tried ($1$, $apr1$, {SHA}, {SSHA}, bcrypt with a\n"
    "cost below 10, $5$ and $6$ with less than 5000 rounds) or takes too\n"
    "long, none for SHA-256, or their own id or name as password.\n"
    "\n"
    "  --permissions  instead of that, look whether nginx's workers can read\n"
    "                 the store and its user write it: each file of it and\n"
    "                 each directory on the way is named that is not so, or\n"
    "                 is not as init makes it. Exits with 1 if there is any\n"
    "  --fix          give them the owner, group and mode that init gives;\n"
    "                 directories above the store are yours, but for that of\n"
    "                 the default place\n"
    "  --owner USER   whose workers read the store, as in init; default those\n"
    "                 that it says itself\n"
    "  --user USER    who shall own the store, as in init; default who does\n"
    "\n"
    "example:\n"
    "  dm-account check\n"
    "  dm-account check --permissions --fix --owner www-data\n",

    dm_check_opts,
    dm_check_run
};


static int
dm_check_run(dm_cli_t *cli, int argc, char **argv)
{
    int              rc;
    uint64_t         damages;
    dm_check_t       check;
    dm_check_opts_t  opts;

    rc = dm_check_options(cli, argc, argv, &opts);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (opts.permissions) {
        return dm_permissions(cli, opts.owner, opts.user, opts.fix);
    }

    dm_cli_guard(cli, SIGSEGV);
    dm_cli_guard(cli, SIGABRT);

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    memset(&check, 0, sizeof(dm_check_t));
    check.cli = cli;
    check.realm = dm_store_meta(cli->store)->realm;

    if (dm_store_check(cli->store, dm_check_account, dm_check_damage, &check,
                       &damages, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    return dm_check_done(&check, damages);
}


static int
dm_check_options(dm_cli_t *cli, int argc, char **argv, dm_check_opts_t *opts)
{
    int  opt;

    memset(opts, 0, sizeof(dm_check_opts_t));

    while ((opt = dm_cli_getopt(cli, ":", dm_check_opts, argc, argv)) > 0) {

        switch (opt) {

        case DM_OPT_PERMISSIONS:
            opts->permissions = 1;
            break;

        case DM_OPT_FIX:
            opts->fix = 1;
            break;

        case DM_OPT_OWNER:
            opts->owner = optarg;
            break;

        default: /* DM_OPT_USER */
            opts->user = optarg;
        }
    }

    if (opt == -1) {
        return cli->status;
    }

    if (!opts->permissions
        && (opts->fix || opts->owner != NULL || opts->user != NULL))
    {
        return dm_cli_usage(cli, "--fix, --owner and --user are for "
                            "--permissions");
    }

    return dm_cli_no_operand(cli, argc);
}


static void
dm_check_damage(const dm_err_t *what, void *data)
{
    dm_check_t  *check;

    check = data;

    if (!check->cli->json) {
        dm_out_line(stdout, "damage: %s", what->text);
        return;
    }

    dm_check_print(check, json_pack("{s:o}", "damage",
                                    dm_json_text(what->text)));
}


static int
dm_check_account(const dm_account_t *account, void *data)
{
    char         why[96];
    dm_check_t  *check;

    check = data;

    if (account->crypt.len > 0 && dm_password_is_weak(account->crypt)) {
        (void) snprintf(why, sizeof(why), "its password hash, %s, is quickly "
                        "tried", dm_password_scheme(account->crypt));
        dm_check_weak(check, account, why);
    }

    if (account->crypt.len > 0 && dm_password_is_costly(account->crypt)) {
        (void) snprintf(why, sizeof(why), "its password hash, %s, takes too "
                        "long, and nginx does not verify it",
                        dm_password_scheme(account->crypt));
        dm_check_weak(check, account, why);
    }

    if (dm_account_lacks(account, DM_SHA256)) {
        dm_check_weak(check, account, "no hash for SHA-256");
    }

    if (dm_check_guessed(account, check->realm, account->name)
        || dm_check_guessed(account, check->realm, account->id))
    {
        dm_check_weak(check, account, "its own name or id is the password");
    }

    if (!dm_account_has_ha1(account) && account->crypt.len == 0
        && account->npsks == 0 && account->ncert_keys == 0)
    {
        dm_check_weak(check, account, "no credential");
    }

    return DM_OK;
}


static void
dm_check_weak(dm_check_t *check, const dm_account_t *account, const char *why)
{
    check->weak++;

    if (!check->cli->json) {
        dm_out_line(stdout, "weak: account \"%.*s\": %s",
                    dm_cli_arg(account->id), why);
        return;
    }

    dm_check_print(check, json_pack("{s:s, s:o}", "weak", why,
                                    "id", dm_json_str(account->id)));
}


/*
 * Tries a guess at the password by HA1s only: a slow hash would take its time.
 */
static int
dm_check_guessed(const dm_account_t *account, dm_str_t realm, dm_str_t guess)
{
    int             same;
    dm_algorithm_t  alg;
    unsigned char   ha1[DM_HASH_MAX];

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        if (account->has_ha1[alg]) {
            break;
        }
    }

    if (alg == DM_NALGORITHMS
        || dm_digest_ha1(alg, account->name, realm, guess, ha1) != DM_OK)
    {
        return 0;
    }

    same = CRYPTO_memcmp(ha1, account->ha1[alg], dm_digest_size(alg)) == 0;

    OPENSSL_cleanse(ha1, sizeof(ha1));

    return same;
}


static void
dm_check_print(dm_check_t *check, json_t *json)
{
    check->failed |= (dm_json_print(json) != DM_OK);
}


/*
 * Lets workers that left the store alone, since one died in it, open it again.
 */
static void
dm_check_stamp(dm_cli_t *cli)
{
    if (dm_store_stamp_checked(cli->store_path, &cli->err) != DM_OK) {
        dm_cli_warn(cli, "nginx cannot see that the store was found whole: %s",
                    cli->err.text);
    }
}


static int
dm_check_done(dm_check_t *check, uint64_t damages)
{
    dm_cli_t  *cli;
    uint64_t   accounts;

    cli = check->cli;
    accounts = dm_store_meta(cli->store)->accounts;

    if (!cli->json) {
        printf("%llu accounts, %llu weaknesses, %llu damages\n",
               (unsigned long long) accounts,
               (unsigned long long) check->weak,
               (unsigned long long) damages);

    } else {
        dm_check_print(check, json_pack("{s:s, s:I, s:I, s:I}",
                                        "result",
                                        damages == 0 ? "sound" : "damaged",
                                        "accounts", (json_int_t) accounts,
                                        "weak", (json_int_t) check->weak,
                                        "damaged", (json_int_t) damages));
    }

    if (check->failed) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "the findings cannot "
                             "be written as JSON");
    }

    if (damages == 0) {
        dm_check_stamp(cli);
        return DM_CLI_DONE;
    }

    return dm_cli_refuse(cli, DM_CODE_STORE_DAMAGED, "store \"%s\" is "
                         "damaged: restore a backup, or delete and add the "
                         "accounts that were named", cli->store_path);
}
