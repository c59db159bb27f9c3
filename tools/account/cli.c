/* Options and messages of dm-account */

#include <stdarg.h>
#include <stdio.h>

#include "dm_devid.h"
#include "account/cli.h"
#include "common/json.h"
#include "common/output.h"


static int dm_cli_bad_option(dm_cli_t *cli, int argc, char **argv, int opt);
static void dm_cli_tell(const dm_cli_t *cli, const char *text);


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
dm_cli_id_operand(dm_cli_t *cli, int argc, char **argv)
{
    dm_str_t  id;

    if (optind == argc) {
        return dm_cli_usage(cli, "an account's ID is needed");
    }

    id = dm_cli_str(argv[optind++]);

    if (optind != argc) {
        return dm_cli_usage(cli, "one ID at a time; options are written "
                            "with \"--\"");
    }

    if (dm_account_check_id(id, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    if (dm_devid_canonical(id, cli->id_buf) != DM_OK) {
        return dm_cli_refuse(cli, "the ID is not 1 to %d octets without "
                             "control characters", DM_DEVID_MAX);
    }

    cli->id = (dm_str_t) { cli->id_buf, id.len };

    return DM_CLI_DONE;
}


int
dm_cli_only_id(dm_cli_t *cli, int argc, char **argv)
{
    if (dm_cli_getopt(cli, ":", cli->verb->options, argc, argv) != 0) {
        return cli->status;
    }

    return dm_cli_id_operand(cli, argc, argv);
}


int
dm_cli_refuse(const dm_cli_t *cli, const char *fmt, ...)
{
    char     text[DM_CLI_MESSAGE_MAX];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    dm_cli_tell(cli, text);

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

    dm_cli_tell(cli, text);

    return DM_CLI_USAGE;
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
dm_cli_printed(const dm_cli_t *cli, int rc)
{
    if (rc != DM_OK) {
        return dm_cli_refuse(cli, "%s is done, but its result cannot be "
                             "written as JSON", cli->verb->name);
    }

    return DM_CLI_DONE;
}


/* a message quotes its user, files and the store */
static void
dm_cli_tell(const dm_cli_t *cli, const char *text)
{
    (void) snprintf(cli->said, DM_CLI_MESSAGE_MAX, "%s", text);

    if (!cli->json) {
        dm_out_line(stderr, "dm-account: %s", text);
        return;
    }

    dm_json_error(text);
}
