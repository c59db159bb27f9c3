/* dm-account disable, enable, unlock, del, verify */

#include <stdio.h>
#include <time.h>

#include <openssl/crypto.h>

#include "account/cli_store.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/output.h"
#include "common/secret.h"


enum {
    DM_OPT_PASSWORD_FILE = DM_OPT_VERB
};


static int dm_state_disable(dm_cli_t *cli, int argc, char **argv);
static int dm_state_enable(dm_cli_t *cli, int argc, char **argv);
static int dm_state_unlock(dm_cli_t *cli, int argc, char **argv);
static int dm_state_change(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result);
static void dm_state_set_disabled(dm_account_t *account);
static void dm_state_set_active(dm_account_t *account);
static void dm_state_set_unlocked(dm_account_t *account);
static int dm_state_del(dm_cli_t *cli, int argc, char **argv);
static int dm_state_done(dm_cli_t *cli, const char *result);

static int dm_state_verify(dm_cli_t *cli, int argc, char **argv);
static int dm_state_verify_options(dm_cli_t *cli, const char **file,
    int argc, char **argv);
static int dm_state_verify_password(dm_cli_t *cli,
    const dm_secret_t *password, dm_found_t *found);
static int dm_state_verify_usable(dm_cli_t *cli,
    const dm_account_t *account);


static const struct option  dm_state_opts[] = {
    DM_CLI_OPTIONS
};


static const struct option  dm_state_verify_opts[] = {
    { "password-file", required_argument, NULL, DM_OPT_PASSWORD_FILE },
    { "password", optional_argument, NULL, DM_OPT_SECRET },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_disable = {
    "disable",
    "ID",
    "refuse an account from the next request on",

    "example:\n"
    "  dm-account disable IMEI:493005100592800\n",

    dm_state_opts,
    dm_state_disable
};


const dm_verb_t  dm_verb_enable = {
    "enable",
    "ID",
    "accept a disabled account again",

    "example:\n"
    "  dm-account enable IMEI:493005100592800\n",

    dm_state_opts,
    dm_state_enable
};


const dm_verb_t  dm_verb_unlock = {
    "unlock",
    "ID",
    "end the lockout that wrong passwords caused",

    "The count of failures starts anew at the next request.\n"
    "\n"
    "example:\n"
    "  dm-account unlock IMEI:493005100592800\n",

    dm_state_opts,
    dm_state_unlock
};


const dm_verb_t  dm_verb_del = {
    "del",
    "ID",
    "delete an account with all its credentials",

    "example:\n"
    "  dm-account del IMEI:493005100592800\n",

    dm_state_opts,
    dm_state_del
};


const dm_verb_t  dm_verb_verify = {
    "verify",
    "ID --password-file FILE",
    "check a password, the account's state and its validity",

    "  --password-file FILE  the password, less one final newline;\n"
    "                        \"-\" is stdin\n"
    "\n"
    "Exits with 0 if the account could log in with it, else with 1.\n"
    "\n"
    "example:\n"
    "  dm-account verify IMEI:493005100592800 --password-file -\n",

    dm_state_verify_opts,
    dm_state_verify
};


static int
dm_state_disable(dm_cli_t *cli, int argc, char **argv)
{
    return dm_state_change(cli, argc, argv, dm_state_set_disabled,
                           "disabled");
}


static int
dm_state_enable(dm_cli_t *cli, int argc, char **argv)
{
    return dm_state_change(cli, argc, argv, dm_state_set_active, "enabled");
}


static int
dm_state_unlock(dm_cli_t *cli, int argc, char **argv)
{
    return dm_state_change(cli, argc, argv, dm_state_set_unlocked,
                           "unlocked");
}


static int
dm_state_change(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result)
{
    int         rc;
    dm_found_t  found;

    rc = dm_cli_only_id(cli, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_find(cli, &found);

    if (rc == DM_CLI_DONE) {
        change(&found.account);
        rc = dm_cli_put(cli, &found.account);
    }

    dm_cli_wipe(&found);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_state_done(cli, result);
}


static void
dm_state_set_disabled(dm_account_t *account)
{
    account->state = DM_DISABLED;
}


static void
dm_state_set_active(dm_account_t *account)
{
    account->state = DM_ACTIVE;
}


/* the module's failure counters are kept under this number */
static void
dm_state_set_unlocked(dm_account_t *account)
{
    account->unlocks++;
}


static int
dm_state_del(dm_cli_t *cli, int argc, char **argv)
{
    int  rc;

    rc = dm_cli_only_id(cli, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_store_del(cli->store, cli->id, &cli->err);

    if (rc == DM_DECLINED) {
        return dm_cli_absent(cli);
    }

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    rc = dm_cli_commit(cli);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_state_done(cli, "deleted");
}


static int
dm_state_done(dm_cli_t *cli, const char *result)
{
    int  rc;

    if (!cli->json) {
        dm_out_line(stdout, "%s \"%.*s\"", result, dm_cli_arg(cli->id));
        return DM_CLI_DONE;
    }

    rc = dm_json_print(json_pack("{s:s, s:o}", "result", result,
                                 "id", dm_json_str(cli->id)));

    return dm_cli_printed(cli, rc);
}


static int
dm_state_verify(dm_cli_t *cli, int argc, char **argv)
{
    int           rc;
    const char   *file;
    dm_found_t    found;
    dm_secret_t   password;

    rc = dm_state_verify_options(cli, &file, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_secret_read_password(file, &password, &cli->err);

    if (rc != DM_OK) {
        rc = dm_cli_refuse(cli, "%s", cli->err.text);

    } else {
        rc = dm_state_verify_password(cli, &password, &found);
        dm_cli_wipe(&found);
    }

    OPENSSL_cleanse(&password, sizeof(dm_secret_t));

    return rc;
}


static int
dm_state_verify_options(dm_cli_t *cli, const char **file, int argc,
    char **argv)
{
    int  opt;

    *file = NULL;

    while ((opt = dm_cli_getopt(cli, ":", dm_state_verify_opts, argc, argv))
           > 0)
    {
        *file = optarg;
    }

    if (opt == -1) {
        return cli->status;
    }

    if (*file == NULL) {
        return dm_cli_usage(cli, "--password-file is needed");
    }

    return dm_cli_id_operand(cli, argc, argv);
}


static int
dm_state_verify_password(dm_cli_t *cli, const dm_secret_t *password,
    dm_found_t *found)
{
    int          rc;
    const char  *by;

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_find(cli, found);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_secret_verify(&found->account, dm_store_meta(cli->store)->realm,
                         password, &by, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, "\"%.*s\" is not verified: %s",
                             dm_cli_arg(cli->id), cli->err.text);
    }

    rc = dm_state_verify_usable(cli, &found->account);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (!cli->json) {
        dm_out_line(stdout, "verified \"%.*s\" by %s", dm_cli_arg(cli->id),
                    by);
        return DM_CLI_DONE;
    }

    rc = dm_json_print(json_pack("{s:s, s:o, s:s}", "result", "verified",
                                 "id", dm_json_str(cli->id), "by", by));

    return dm_cli_printed(cli, rc);
}


static int
dm_state_verify_usable(dm_cli_t *cli, const dm_account_t *account)
{
    char     when[DM_TIME_MAX];
    int64_t  now;

    now = (int64_t) time(NULL);

    if (account->state != DM_ACTIVE) {
        return dm_cli_refuse(cli, "\"%.*s\" is not verified: the password is "
                             "right, but the account is disabled",
                             dm_cli_arg(account->id));
    }

    if (account->not_before != 0 && now < account->not_before) {
        dm_json_time(account->not_before, when);
        return dm_cli_refuse(cli, "\"%.*s\" is not verified: the password is "
                             "right, but the account is not valid before %s",
                             dm_cli_arg(account->id), when);
    }

    if (account->not_after != 0 && now > account->not_after) {
        dm_json_time(account->not_after, when);
        return dm_cli_refuse(cli, "\"%.*s\" is not verified: the password is "
                             "right, but the account expired at %s",
                             dm_cli_arg(account->id), when);
    }

    return DM_CLI_DONE;
}
