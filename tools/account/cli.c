/* Options and messages of dm-account */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "account/cli.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"


static int dm_cli_name(dm_cli_t *cli, int opt, const char *value);
static int dm_cli_bad_option(dm_cli_t *cli, int argc, char **argv, int opt);
static void dm_cli_tell(const dm_cli_t *cli, dm_code_e code,
    const char *text);


int
dm_cli_getopt(dm_cli_t *cli, const char *shorts,
    const struct option *options, int argc, char **argv)
{
    int       opt;
    uint64_t  bit;

    for ( ;; ) {
        opt = getopt_long(argc, argv, shorts, options, NULL);

        if (opt == -1) {
            return 0;
        }

        if (opt == '?' || opt == ':') {
            cli->status = dm_cli_bad_option(cli, argc, argv, opt);
            return -1;
        }

        if (opt == DM_OPT_JSON) {
            cli->json = 1;
            continue;
        }

        if (opt == DM_OPT_HELP) {
            cli->status = DM_CLI_HELP;
            return -1;
        }

        if (opt == DM_OPT_SECRET) {
            cli->status = dm_cli_usage(cli, "secrets never come from the "
                                       "command line, where others can read "
                                       "them: write --password-file FILE or "
                                       "--psk-file FILE (\"-\" is stdin)");
            return -1;
        }

        if (opt >= DM_OPT_NAMED_NAME && opt <= DM_OPT_NAMED_CERT) {
            cli->status = dm_cli_name(cli, opt, optarg);

            if (cli->status != DM_CLI_DONE) {
                return -1;
            }

            continue;
        }

        if (opt == DM_OPT_DRY_RUN) {
            cli->dry_run = 1;
            continue;
        }

        bit = (uint64_t) 1 << (opt & 0x3f);

        if ((cli->seen & bit) && !(opt & DM_OPT_MANY)) {
            cli->status = dm_cli_usage(cli, "\"%s\" has an option twice that "
                                       "may stand only once", argv[0]);
            return -1;
        }

        cli->seen |= bit;

        return opt;
    }
}


/* keeps an option that names an account, for dm_named_operand() */
static int
dm_cli_name(dm_cli_t *cli, int opt, const char *value)
{
    if (cli->named.opt != 0) {
        return dm_cli_usage(cli, "the account is named twice: one way is "
                            "enough");
    }

    cli->named.opt = opt;
    cli->named.value = value;

    return DM_CLI_DONE;
}


static int
dm_cli_bad_option(dm_cli_t *cli, int argc, char **argv, int opt)
{
    const char  *arg;
    int          len;

    /* say nothing behind "=", which may have been meant as a secret */
    arg = (optind > 0 && optind <= argc) ? argv[optind - 1] : "";
    len = (int) strcspn(arg, "=");

    if (opt == ':') {
        return dm_cli_usage(cli, "option \"%.*s\" needs a value", len, arg);
    }

    if (optopt > 0 && optopt < DM_OPT_JSON) {
        return dm_cli_usage(cli, "unknown option \"-%c\"", optopt);
    }

    if (optopt != 0) {
        return dm_cli_usage(cli, "option \"%.*s\" takes no value", len, arg);
    }

    return dm_cli_usage(cli, "unknown or ambiguous option \"%.*s\"", len, arg);
}


int
dm_cli_no_operand(dm_cli_t *cli, int argc)
{
    if (optind != argc) {
        return dm_cli_usage(cli, "too many arguments");
    }

    return DM_CLI_DONE;
}


int
dm_cli_refuse(const dm_cli_t *cli, dm_code_e code, const char *fmt, ...)
{
    char     text[DM_CLI_MESSAGE_MAX];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    dm_cli_tell(cli, code, text);

    return DM_CLI_REFUSED;
}


int
dm_cli_usage(const dm_cli_t *cli, const char *fmt, ...)
{
    int      len;
    char     text[DM_CLI_MESSAGE_MAX + 64];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, DM_CLI_MESSAGE_MAX, fmt, args);
    va_end(args);

    len = (int) strlen(text);

    if (cli->verb == NULL) {
        (void) snprintf(text + len, sizeof(text) - (size_t) len,
                        "; see \"dm-account --help\"");

    } else {
        (void) snprintf(text + len, sizeof(text) - (size_t) len,
                        "; see \"dm-account %s --help\"", cli->verb->name);
    }

    dm_cli_tell(cli, DM_CODE_USAGE, text);

    return DM_CLI_USAGE;
}


void
dm_cli_warn_blank(const dm_cli_t *cli, const char *path, dm_str_t password)
{
    if (dm_input_blank_ends(password)) {
        dm_cli_warn(cli, "the password in \"%s\" begins or ends with a blank, "
                    "which is a part of it", path);
    }
}


void
dm_cli_warn(const dm_cli_t *cli, const char *fmt, ...)
{
    char     text[DM_CLI_MESSAGE_MAX];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (cli->json) {
        dm_json_warning(text);

    } else {
        dm_out_line(stderr, "dm-account: warning: %s", text);
    }
}


int
dm_cli_result(const dm_cli_t *cli, json_t *json)
{
    int  failed;

    failed = json_object_set_new(json, "changed", json_boolean(!cli->same));

    if (dm_cli_is_beside(cli)) {
        failed |= json_object_set_new(json, cli->here ? "here" : "beside",
                                      json_true());
    }

    if (failed) {
        json_decref(json);
        json = NULL;
    }

    return dm_cli_outcome(cli, json);
}


int
dm_cli_outcome(const dm_cli_t *cli, json_t *json)
{
    if (cli->dry_run
        && json_object_set_new(json, "dry_run", json_true()) == -1)
    {
        json_decref(json);
        json = NULL;
    }

    return dm_cli_show(cli, json);
}


int
dm_cli_show(const dm_cli_t *cli, json_t *json)
{
    if (cli->line != NULL && json != NULL) {
        cli->line->result = json;
        return DM_CLI_DONE;
    }

    return dm_cli_printed(cli, dm_json_print(json));
}


int
dm_cli_is_beside(const dm_cli_t *cli)
{
    return cli->beside[0] != '\0' && !cli->same && !cli->dry_run;
}


const char *
dm_cli_remark(const dm_cli_t *cli)
{
    static char  beside[DM_WAITS_WHO + 64];

    if (cli->same) {
        return " (unchanged)";
    }

    if (dm_cli_is_beside(cli) && cli->here) {
        return " (on this node alone)";
    }

    if (dm_cli_is_beside(cli)) {
        (void) snprintf(beside, sizeof(beside), " (at once, while %s writes "
                        "to the store)", cli->beside);
        return beside;
    }

    return cli->dry_run ? " (not written: --dry-run)" : "";
}


int
dm_cli_printed(const dm_cli_t *cli, int rc)
{
    if (rc == DM_OK) {
        return DM_CLI_DONE;
    }

    if (ferror(stdout)) {
        return dm_cli_shown(cli);
    }

    if (cli->writing) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "the result cannot "
                             "be written as JSON; nothing is changed");
    }

    return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "%s is done, but its "
                         "result cannot be written as JSON", cli->verb->name);
}


int
dm_cli_shown(const dm_cli_t *cli)
{
    if (cli->line != NULL) {
        return DM_CLI_DONE;
    }

    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return DM_CLI_DONE;
    }

    if (cli->changed) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "%s is done, but "
                             "cannot write to stdout: %s", cli->verb->name,
                             strerror(errno));
    }

    return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "cannot write to stdout: "
                         "%s%s", strerror(errno),
                         cli->writing ? "; nothing is changed" : "");
}


/* a message quotes its user, files and the store */
static void
dm_cli_tell(const dm_cli_t *cli, dm_code_e code, const char *text)
{
    (void) snprintf(cli->said, DM_CLI_MESSAGE_MAX, "%s", text);

    if (cli->line != NULL) {
        cli->line->code = code;
        return;
    }

    if (!cli->json) {
        dm_out_line(stderr, "dm-account: %s", text);
        return;
    }

    dm_json_error(dm_code_name(code), text);
}
