/* The account that a command line names: by its ID, or by another key of it */

#ifndef DM_ACCOUNT_NAMED_H
#define DM_ACCOUNT_NAMED_H


#include "account/cli_store.h"


/*
 * The options of a verb by which it can name an account; of one that gives an
 * account new values by the short ones, DM_NAMED_BY_OPTIONS.
 */
#define DM_NAMED_BY_OPTIONS                                                   \
    { "by-name", required_argument, NULL, DM_OPT_NAMED_NAME },                \
    { "by-psk-identity", required_argument, NULL, DM_OPT_NAMED_PSK },         \
    { "by-cert-key", required_argument, NULL, DM_OPT_NAMED_CERT_KEY },        \
    { "by-cert", required_argument, NULL, DM_OPT_NAMED_CERT }

#define DM_NAMED_OPTIONS                                                      \
    { "name", required_argument, NULL, DM_OPT_NAMED_NAME },                   \
    { "psk-identity", required_argument, NULL, DM_OPT_NAMED_PSK },            \
    { "cert-key", required_argument, NULL, DM_OPT_NAMED_CERT_KEY },           \
    { "cert", required_argument, NULL, DM_OPT_NAMED_CERT },                   \
    DM_NAMED_BY_OPTIONS

#define DM_NAMED_BY_HELP                                                      \
    "  --by-name NAME         the account of that user name, without an ID\n" \
    "  --by-psk-identity I    the one that has that PSK identity\n"           \
    "  --by-cert-key KEY      the one that is bound to that certificate key\n"\
    "  --by-cert FILE         the one that is bound to a key of that\n"       \
    "                         certificate\n"

#define DM_NAMED_HELP                                                         \
    "  --name NAME            the account of that user name, without an ID\n" \
    "  --psk-identity I       the one that has that PSK identity\n"           \
    "  --cert-key KEY         the one that is bound to that certificate key\n"\
    "  --cert FILE            the one that is bound to a key of that\n"       \
    "                         certificate (\"-\" is stdin)\n"                 \
    "\n"                                                                      \
    "--by-name and so on are the same, as in set.\n"                          \
    "\n"


/*
 * Reads what the rest of the command line names, at its end: nothing, where an
 * option did, or one ID, brought into cli->id.  Files are read here, before a
 * store is opened.
 */
int dm_named_operand(dm_cli_t *cli, int argc, char **argv);

/* the same where no account has to be named, and no ID can */
int dm_named_filter(dm_cli_t *cli, int argc);

/* 1 if an option names the account, else 0 */
int dm_named_is(const dm_cli_t *cli);

/* 1 if the certificate that names it is read from stdin, else 0 */
int dm_named_is_stdin(const dm_cli_t *cli);

/* reads the options of a verb that has no others, then one operand */
int dm_named_only(dm_cli_t *cli, int argc, char **argv);

/*
 * Finds the account that is named, and makes cli->id its ID; DM_CLI_REFUSED:
 * there is none.  The caller wipes found in any case.
 */
int dm_named_find(dm_cli_t *cli, dm_found_t *found);

/*
 * The same, but that there is none is not told: DM_OK, DM_DECLINED, or
 * DM_ERROR, which is.
 */
int dm_named_lookup(dm_cli_t *cli, dm_found_t *found);

/*
 * Looks up text as a name of that kind, as a person or a log writes it.  DM_OK,
 * DM_DECLINED or DM_ERROR, which is not told.
 */
int dm_named_as(dm_cli_t *cli, dm_store_index_t by, dm_str_t text,
    dm_found_t *found);

/*
 * Tells that there is none, and where it is the name of another kind by which
 * there is one: DM_CLI_REFUSED.
 */
int dm_named_absent(dm_cli_t *cli);


#endif /* DM_ACCOUNT_NAMED_H */
