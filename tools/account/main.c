/*
 * dm-account: the command line of the account store.  This file knows the
 * verbs and the options before them; each verb and its help live in a file of
 * its matter.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/audit.h"
#include "account/cli_store.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/process.h"


enum {
    DM_OPT_STORE = DM_OPT_VERB,
    DM_OPT_KEY,
    DM_OPT_VERSION
};


static int dm_main_run(dm_cli_t *cli, int argc, char **argv);
static int dm_main_options(dm_cli_t *cli, int argc, char **argv);
static const dm_verb_t *dm_main_verb(const char *name);
static int dm_main_help_run(dm_cli_t *cli, int argc, char **argv);
static void dm_main_usage(const dm_verb_t *verb);
static void dm_main_verbs_usage(void);


static const struct option  dm_main_opts[] = {
    { "store", required_argument, NULL, DM_OPT_STORE },
    { "key", required_argument, NULL, DM_OPT_KEY },
    { "version", no_argument, NULL, DM_OPT_VERSION },
    DM_CLI_OPTIONS
};


static const struct option  dm_main_help_opts[] = {
    DM_CLI_OPTIONS
};


static const dm_verb_t  dm_main_help = {
    "help",
    "[VERB]",
    "say more of a verb",

    "example:\n"
    "  dm-account help add\n",

    dm_main_help_opts,
    dm_main_help_run
};


static const dm_verb_t  *dm_main_verbs[] = {
    &dm_verb_init,
    &dm_verb_add,
    &dm_verb_set,
    &dm_verb_disable,
    &dm_verb_enable,
    &dm_verb_unlock,
    &dm_verb_del,
    &dm_verb_show,
    &dm_verb_list,
    &dm_verb_explain,
    &dm_verb_verify,
    &dm_verb_batch,
    &dm_verb_import,
    &dm_verb_export,
    &dm_verb_check,
    &dm_verb_backup,
    &dm_verb_restore,
    &dm_verb_upgrade,
    &dm_verb_rekey,
    &dm_verb_provision,
    &dm_verb_replicate,
    &dm_main_help,
    NULL
};


int
main(int argc, char **argv)
{
    int       status;
    char      said[DM_CLI_MESSAGE_MAX];
    dm_cli_t  cli;

    if (dm_process_prepare("dm-account") != DM_OK) {
        return DM_CLI_REFUSED;
    }

    dm_json_init();

    said[0] = '\0';

    memset(&cli, 0, sizeof(dm_cli_t));
    cli.said = said;
    dm_cli_who(&cli);

    cli.store_path = dm_process_env("DM_SEC_STORE", DM_DEFAULT_STORE);
    cli.key_path = dm_process_env("DM_SEC_STORE_KEY", DM_DEFAULT_KEY);

    status = dm_main_run(&cli, argc, argv);

    dm_cli_close(&cli);

    if (status == DM_CLI_HELP) {
        dm_main_usage(cli.verb);
        status = DM_CLI_DONE;
    }

    if (status == DM_CLI_VERSION) {
        printf("dm-account %s\n", DM_VERSION);
        status = DM_CLI_DONE;
    }

    /* where that was told before, it is told once */

    if (status == DM_CLI_DONE) {
        status = dm_cli_shown(&cli);
    }

    dm_cli_audit_end(&cli, status, argc, argv);

    return status;
}


static int
dm_main_run(dm_cli_t *cli, int argc, char **argv)
{
    int  rc;

    rc = dm_main_options(cli, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    argc -= optind;
    argv += optind;

    if (argc == 0) {
        return dm_cli_usage(cli, "a verb is needed");
    }

    cli->verb = dm_main_verb(argv[0]);

    if (cli->verb == NULL) {
        return dm_cli_usage(cli, "unknown verb \"%s\"", argv[0]);
    }

    /* glibc: begin anew with another argv */
    optind = 0;
    cli->seen = 0;

    if (dm_digest_init(&cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    return cli->verb->run(cli, argc, argv);
}


static int
dm_main_options(dm_cli_t *cli, int argc, char **argv)
{
    int  opt;

    /* "+" ends at the verb, whose options are its own */
    while ((opt = dm_cli_getopt(cli, "+:", dm_main_opts, argc, argv)) > 0) {

        switch (opt) {

        case DM_OPT_STORE:
            cli->store_path = optarg;
            break;

        case DM_OPT_KEY:
            cli->key_path = optarg;
            break;

        default: /* DM_OPT_VERSION */
            return DM_CLI_VERSION;
        }
    }

    return opt == 0 ? DM_CLI_DONE : cli->status;
}


static const dm_verb_t *
dm_main_verb(const char *name)
{
    const dm_verb_t  **verb;

    for (verb = dm_main_verbs; *verb != NULL; verb++) {
        if (strcmp((*verb)->name, name) == 0) {
            break;
        }
    }

    return *verb;
}


static int
dm_main_help_run(dm_cli_t *cli, int argc, char **argv)
{
    if (dm_cli_getopt(cli, ":", dm_main_help_opts, argc, argv) != 0) {
        return cli->status;
    }

    cli->verb = NULL;

    if (optind == argc) {
        return DM_CLI_HELP;
    }

    cli->verb = dm_main_verb(argv[optind]);

    if (cli->verb == NULL) {
        return dm_cli_usage(cli, "unknown verb \"%s\"", argv[optind]);
    }

    optind++;

    return dm_cli_no_operand(cli, argc) == DM_CLI_DONE ? DM_CLI_HELP
                                                       : DM_CLI_USAGE;
}


static void
dm_main_usage(const dm_verb_t *verb)
{
    if (verb == NULL) {
        dm_main_verbs_usage();
        return;
    }

    printf("usage: dm-account [--store PATH] [--key FILE] [--json] %s %s\n"
           "\n"
           "Verb %s: %s.\n"
           "\n"
           "%s",
           verb->name, verb->args, verb->name, verb->summary, verb->help);
}


static void
dm_main_verbs_usage(void)
{
    const dm_verb_t  **verb;

    printf("usage: dm-account [--store PATH] [--key FILE] [--json] VERB "
           "[ARGUMENT ...]\n"
           "\n"
           "Manages the accounts of a dm_sec store; nginx sees a change with "
           "the next request.\n"
           "\n"
           "verbs:\n");

    for (verb = dm_main_verbs; *verb != NULL; verb++) {
        printf("  %-9s  %s\n", (*verb)->name, (*verb)->summary);
    }

    printf("\n"
           "options before the verb:\n"
           "  --store PATH  the store, default $DM_SEC_STORE or\n"
           "                %s\n"
           "  --key FILE    its key file, default $DM_SEC_STORE_KEY or\n"
           "                %s\n"
           "  --json        results and errors in JSON\n"
           "  --help        also after a verb: its options, an example\n"
           "  --version\n"
           "\n"
           "Exits with 0 when done, 1 when refused, 2 when misused.\n"
           "\n"
           "example:\n"
           "  dm-account add IMEI:493005100592800 --generate-password\n",
           DM_DEFAULT_STORE, DM_DEFAULT_KEY);
}
