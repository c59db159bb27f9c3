/* dm-account disable, enable, unlock, del, verify */

#include <stdio.h>
#include <time.h>

#include <openssl/crypto.h>

#include "account/bulk.h"
#include "account/named.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/output.h"
#include "common/secret.h"


enum {
    DM_OPT_PASSWORD_FILE = DM_OPT_VERB,
    DM_OPT_IF_PRESENT,
    DM_OPT_LIST,
    DM_OPT_LIST_BY_NAME,
    DM_OPT_KEEP_GOING,
    DM_OPT_HERE
};


static int dm_state_disable(dm_cli_t *cli, int argc, char **argv);
static int dm_state_enable(dm_cli_t *cli, int argc, char **argv);
static int dm_state_unlock(dm_cli_t *cli, int argc, char **argv);
static int dm_state_change(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result);
static int dm_state_able(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result);
static int dm_state_one(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result);
static void dm_state_set_disabled(dm_account_t *account);
static void dm_state_set_active(dm_account_t *account);
static void dm_state_set_unlocked(dm_account_t *account);
static int dm_state_del(dm_cli_t *cli, int argc, char **argv);
static int dm_state_delete(dm_cli_t *cli);
static int dm_state_done(dm_cli_t *cli, const char *result);

static int dm_state_verify(dm_cli_t *cli, int argc, char **argv);
static int dm_state_verify_options(dm_cli_t *cli, const char **file,
    int argc, char **argv);
static int dm_state_verify_password(dm_cli_t *cli,
    const dm_secret_t *password, dm_found_t *found);
static int dm_state_verify_usable(dm_cli_t *cli,
    const dm_account_t *account);


#define DM_STATE_HELP_LIST                                                    \
    "  --list FILE            each account of a list, an ID a line; \"-\" is\n"\
    "                         stdin. All or none, in one transaction\n"       \
    "  --list-names FILE      the same, a user name a line\n"                 \
    "  --keep-going           the others, where lines are bad\n"


static const struct option  dm_state_opts[] = {
    DM_NAMED_OPTIONS,
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


static const struct option  dm_state_able_opts[] = {
    DM_NAMED_OPTIONS,
    { "list", required_argument, NULL, DM_OPT_LIST },
    { "list-names", required_argument, NULL, DM_OPT_LIST_BY_NAME },
    { "keep-going", no_argument, NULL, DM_OPT_KEEP_GOING },
    { "here", no_argument, NULL, DM_OPT_HERE },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


static const struct option  dm_state_del_opts[] = {
    DM_NAMED_OPTIONS,
    { "if-present", no_argument, NULL, DM_OPT_IF_PRESENT },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


static const struct option  dm_state_verify_opts[] = {
    DM_NAMED_OPTIONS,
    { "password-file", required_argument, NULL, DM_OPT_PASSWORD_FILE },
    { "password", optional_argument, NULL, DM_OPT_SECRET },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_disable = {
    "disable",
    "ID",
    "refuse an account from the next request on",

    "It does not wait for an import: it is in force at once, and wins over\n"
    "what the import says of the account.\n"
    "\n"
    DM_STATE_HELP_LIST
    "  --here                 on this node alone, of a store that follows a\n"
    "                         log: at once and without it. It holds until the\n"
    "                         log says the same, or enable --here\n"
    DM_CLI_HELP_DRY_RUN
    DM_NAMED_HELP
    "example:\n"
    "  dm-account disable IMEI:493005100592800\n",

    dm_state_able_opts,
    dm_state_disable
};


const dm_verb_t  dm_verb_enable = {
    "enable",
    "ID",
    "accept a disabled account again",

    DM_STATE_HELP_LIST
    "  --here                 take back a disable --here, which nothing else\n"
    "                         does\n"
    DM_CLI_HELP_DRY_RUN
    DM_NAMED_HELP
    "example:\n"
    "  dm-account enable IMEI:493005100592800\n",

    dm_state_able_opts,
    dm_state_enable
};


const dm_verb_t  dm_verb_unlock = {
    "unlock",
    "ID",
    "end the lockout that wrong passwords caused",

    DM_CLI_HELP_DRY_RUN
    DM_NAMED_HELP
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

    "  --if-present           done, too, where there is no such account\n"
    DM_CLI_HELP_DRY_RUN
    DM_NAMED_HELP
    "example:\n"
    "  dm-account del IMEI:493005100592800\n",

    dm_state_del_opts,
    dm_state_del
};


const dm_verb_t  dm_verb_verify = {
    "verify",
    "ID --password-file FILE",
    "check a password, the account's state and its validity",

    "  --password-file FILE   the password, less one final newline;\n"
    "                         \"-\" is stdin\n"
    DM_NAMED_HELP
    "Exits with 0 if the account could log in with it, else with 1; it must\n"
    "be right by each hash that the account has.\n"
    "\n"
    "example:\n"
    "  dm-account verify IMEI:493005100592800 --password-file -\n",

    dm_state_verify_opts,
    dm_state_verify
};


static int
dm_state_disable(dm_cli_t *cli, int argc, char **argv)
{
    /* in a batch another line may have to wait for a writer */

    cli->hasty = (cli->line == NULL);

    return dm_state_able(cli, argc, argv, dm_state_set_disabled,
                           "disabled");
}


static int
dm_state_enable(dm_cli_t *cli, int argc, char **argv)
{
    return dm_state_able(cli, argc, argv, dm_state_set_active, "enabled");
}


static int
dm_state_unlock(dm_cli_t *cli, int argc, char **argv)
{
    return dm_state_change(cli, argc, argv, dm_state_set_unlocked,
                           "unlocked");
}


/* one account, or those of a list */
static int
dm_state_able(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result)
{
    int        opt;
    dm_bulk_t  bulk;

    memset(&bulk, 0, sizeof(dm_bulk_t));

    while ((opt = dm_cli_getopt(cli, ":", dm_state_able_opts, argc, argv))
           > 0)
    {
        if (opt == DM_OPT_KEEP_GOING) {
            bulk.keep_going = 1;
            continue;
        }

        if (opt == DM_OPT_HERE && cli->line != NULL) {
            return dm_cli_usage(cli, "--here is none of a batch");
        }

        if (opt == DM_OPT_HERE) {
            cli->here = 1;
            continue;
        }

        if (bulk.path != NULL || dm_named_is(cli) || cli->line != NULL) {
            return dm_cli_usage(cli, "one list at a time, and nothing else");
        }

        bulk.path = optarg;
        bulk.by_name = (opt == DM_OPT_LIST_BY_NAME);
    }

    if (opt == -1) {
        return cli->status;
    }

    if (bulk.path == NULL) {
        return dm_state_one(cli, argc, argv, change, result);
    }

    if (dm_named_is(cli)) {
        return dm_cli_usage(cli, "one list at a time, and nothing else");
    }

    if (dm_cli_no_operand(cli, argc) != DM_CLI_DONE) {
        return DM_CLI_USAGE;
    }

    return dm_bulk_change(cli, &bulk, change, result);
}


static int
dm_state_change(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result)
{
    if (dm_cli_getopt(cli, ":", cli->verb->options, argc, argv) != 0) {
        return cli->status;
    }

    return dm_state_one(cli, argc, argv, change, result);
}


static int
dm_state_one(dm_cli_t *cli, int argc, char **argv,
    void (*change)(dm_account_t *account), const char *result)
{
    int         rc;
    dm_found_t  found;

    rc = dm_named_operand(cli, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_named_find(cli, &found);

    if (rc == DM_CLI_DONE) {
        change(&found.account);
        rc = dm_cli_put(cli, &found.account);
    }

    dm_cli_wipe(&found);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    /* of a store that follows, what was denied here stays so */

    if (change == dm_state_set_active && !cli->here && dm_cli_is_denied(cli))
    {
        dm_cli_warn(cli, "\"%.*s\" is still refused on this node, by a "
                    "disable --here: enable --here lifts that",
                    dm_cli_arg(cli->id));
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
    int  opt, rc, if_present;

    if_present = 0;

    while ((opt = dm_cli_getopt(cli, ":", dm_state_del_opts, argc, argv))
           > 0)
    {
        if_present = 1;
    }

    rc = (opt == 0) ? dm_named_operand(cli, argc, argv) : cli->status;

    if (rc == DM_CLI_DONE) {
        rc = dm_cli_open(cli, DM_STORE_WRITE);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_state_delete(cli);

    if (rc == DM_ERROR) {
        return DM_CLI_REFUSED;
    }

    if (rc == DM_DECLINED && !if_present) {
        return dm_named_absent(cli);
    }

    cli->same = (rc == DM_DECLINED);

    rc = dm_cli_commit(cli);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_state_done(cli, cli->same ? "absent" : "deleted");
}


/* DM_OK; DM_DECLINED: there is none; DM_ERROR, which is told */
static int
dm_state_delete(dm_cli_t *cli)
{
    int         rc;
    dm_found_t  found;

    /* by its ID it is deleted also if its record does not open */

    if (dm_named_is(cli)) {
        rc = dm_named_lookup(cli, &found);
        dm_cli_wipe(&found);

        if (rc != DM_OK) {
            return rc;
        }
    }

    rc = dm_store_del(cli->store, cli->id, &cli->err);

    if (rc == DM_ERROR) {
        (void) dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    return rc;
}


static int
dm_state_done(dm_cli_t *cli, const char *result)
{
    if (cli->json) {
        return dm_cli_result(cli, json_pack("{s:s, s:o}", "result", result,
                                            "id", dm_json_str(cli->id)));
    }

    dm_out_line(stdout, "%s \"%.*s\"%s", result, dm_cli_arg(cli->id),
                dm_cli_remark(cli));

    return DM_CLI_DONE;
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
        rc = dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);

    } else {
        dm_cli_warn_blank(cli, file, (dm_str_t) { password.data,
                                                  password.len });
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

    if (dm_named_is_stdin(cli) && strcmp(*file, "-") == 0) {
        return dm_cli_usage(cli, "only one option can read stdin (\"-\")");
    }

    return dm_named_operand(cli, argc, argv);
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

    rc = dm_named_find(cli, found);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_secret_verify(&found->account, dm_store_meta(cli->store)->realm,
                          password, &by, &cli->err);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, rc == DM_DECLINED ? DM_CODE_NOT_VERIFIED
                                                    : DM_CODE_SYSTEM,
                             "\"%.*s\" is not verified: %s",
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
        return dm_cli_refuse(cli, DM_CODE_DISABLED, "\"%.*s\" is not "
                             "verified: the password is right, but the "
                             "account is disabled", dm_cli_arg(account->id));
    }

    if (account->not_before != 0 && now < account->not_before) {
        dm_json_time(account->not_before, when);
        return dm_cli_refuse(cli, DM_CODE_NOT_YET_VALID, "\"%.*s\" is not "
                             "verified: the password is right, but the "
                             "account is not valid before %s",
                             dm_cli_arg(account->id), when);
    }

    if (account->not_after != 0 && now > account->not_after) {
        dm_json_time(account->not_after, when);
        return dm_cli_refuse(cli, DM_CODE_EXPIRED, "\"%.*s\" is not verified: "
                             "the password is right, but the account expired "
                             "at %s", dm_cli_arg(account->id), when);
    }

    return DM_CLI_DONE;
}
