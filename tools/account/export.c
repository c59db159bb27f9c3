/* dm-account export: all accounts, in the form that import takes */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "account/audit.h"
#include "account/cli_store.h"
#include "account/verbs.h"
#include "common/json.h"


enum {
    DM_OPT_SECRETS = DM_OPT_VERB
};


typedef struct {
    dm_cli_t  *cli;
    int        secrets;
    uint64_t   accounts;
} dm_export_t;


static int dm_export_run(dm_cli_t *cli, int argc, char **argv);
static int dm_export_options(dm_export_t *export, int argc, char **argv);
static int dm_export_account(const dm_account_t *account, void *data);


static const struct option  dm_export_opts[] = {
    { "secrets", no_argument, NULL, DM_OPT_SECRETS },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_export = {
    "export",
    "[--secrets]",
    "write all accounts as lines of JSON, for import",

    "  --secrets  with password hashes and PSKs, which are as good as\n"
    "             passwords; not to a terminal\n"
    "\n"
    "Without --secrets a line has neither \"digest\", \"crypt\" nor \"psk\":\n"
    "imported with --update it changes the other fields and leaves these.\n"
    "Hashes of \"digest\" are right only in a store of the same realm.\n"
    "\n"
    "example:\n"
    "  (umask 077; dm-account export --secrets >accounts.jsonl)\n",

    dm_export_opts,
    dm_export_run
};


static int
dm_export_run(dm_cli_t *cli, int argc, char **argv)
{
    int          rc;
    dm_export_t  export;

    export.cli = cli;
    export.secrets = 0;
    export.accounts = 0;

    rc = dm_export_options(&export, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    /* say it before the first of them leaves: nothing may be heard later */

    if (export.secrets) {
        (void) snprintf(cli->note, sizeof(cli->note), "secrets=begin");
        dm_cli_audit(cli);
    }

    if (dm_store_walk(cli->store, dm_export_account, NULL, &export,
                      &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    if (fflush(stdout) != 0) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "cannot write to "
                             "stdout: %s", strerror(errno));
    }

    if (export.secrets) {
        (void) snprintf(cli->note, sizeof(cli->note), "secrets=end "
                        "accounts=%llu",
                        (unsigned long long) export.accounts);
        dm_cli_audit(cli);
    }

    return DM_CLI_DONE;
}


static int
dm_export_options(dm_export_t *export, int argc, char **argv)
{
    int        opt;
    dm_cli_t  *cli;

    cli = export->cli;

    while ((opt = dm_cli_getopt(cli, ":", dm_export_opts, argc, argv)) > 0) {
        export->secrets = 1;
    }

    if (opt == -1) {
        return cli->status;
    }

    if (export->secrets && isatty(STDOUT_FILENO)) {
        return dm_cli_refuse(cli, DM_CODE_TERMINAL, "secrets are not shown on "
                             "a terminal: write them to a file, see "
                             "\"dm-account export --help\"");
    }

    return dm_cli_no_operand(cli, argc);
}


static int
dm_export_account(const dm_account_t *account, void *data)
{
    dm_export_t  *export;

    export = data;

    if (dm_json_print(dm_json_export(account, export->secrets)) != DM_OK) {
        dm_err_set(&export->cli->err, "account \"%.*s\" cannot be written to "
                   "stdout: %s", dm_cli_arg(account->id), strerror(errno));
        return DM_ERROR;
    }

    export->accounts++;

    return DM_OK;
}
