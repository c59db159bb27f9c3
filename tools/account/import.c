/* dm-account import: accounts from a file, all of it or what is good of it */

#include <stdlib.h>

#include "account/import.h"
#include "account/interrupt.h"
#include "account/verbs.h"


/* room in the store beside what grows with the file */
#define DM_IMPORT_ROOM         (1024 * 1024)


enum {
    DM_OPT_FORMAT = DM_OPT_VERB,
    DM_OPT_UPDATE,
    DM_OPT_ID_MAP,
    DM_OPT_REALM,
    DM_OPT_KEEP_GOING,
    DM_OPT_GENERATE_PASSWORDS,
    DM_OPT_GENERATE_PSKS,
    DM_OPT_OUTPUT
};


static int dm_import_run(dm_cli_t *cli, int argc, char **argv);
static int dm_import_steps(dm_import_t *im, int argc, char **argv);
static int dm_import_options(dm_import_t *im, int argc, char **argv);
static int dm_import_option(dm_import_t *im, int opt, const char *value);
static int dm_import_fits(dm_import_t *im);
static int dm_import_format(dm_import_t *im, const char *name);
static int dm_import_open(dm_import_t *im);
static uint64_t dm_import_room(const dm_import_t *im);


static const dm_import_format_t  dm_import_formats[] = {
    { "jsonl", dm_entry_parse_jsonl, NULL, 32, 96 },
    { "csv", dm_entry_parse_csv, NULL, 192, 480 },
    { "htpasswd", dm_entry_parse_htpasswd, dm_account_check_name, 64, 0 },
    { "htdigest", dm_entry_parse_htdigest, dm_account_check_name, 64, 0 },
    { "psk", dm_entry_parse_psk, dm_account_check_psk_identity, 64, 0 },
    { NULL, NULL, NULL, 0, 0 }
};


static const struct option  dm_import_opts[] = {
    { "format", required_argument, NULL, DM_OPT_FORMAT },
    { "update", no_argument, NULL, DM_OPT_UPDATE },
    { "id-map", required_argument, NULL, DM_OPT_ID_MAP },
    { "realm", required_argument, NULL, DM_OPT_REALM },
    { "keep-going", no_argument, NULL, DM_OPT_KEEP_GOING },
    { "generate-passwords", no_argument, NULL, DM_OPT_GENERATE_PASSWORDS },
    { "generate-psks", no_argument, NULL, DM_OPT_GENERATE_PSKS },
    { "output", required_argument, NULL, DM_OPT_OUTPUT },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_import = {
    "import",
    "FILE [OPTION ...]",
    "add accounts from a file, all or none",

    "  --format FORMAT  jsonl (the default), csv, htpasswd, htdigest or psk\n"
    "  --update         change accounts that are there already: what a line\n"
    "                   names replaces what they have, the rest stays\n"
    "  --id-map FILE    for the last three: lines \"user TAB id\"; where it\n"
    "                   lacks a user, --update changes the account of that\n"
    "                   name or PSK identity, and a new one has it as its id\n"
    "  --realm REALM    for htdigest: pass lines of other realms over;\n"
    "                   without it they are bad lines\n"
    "  --keep-going     keep the good lines, whatever the others are, in\n"
    "                   steps between which other writers have their turn\n"
    "  --generate-passwords  make a password for each account of the file\n"
    "                   that has neither password nor PSK then (jsonl, csv)\n"
    "  --generate-psks  make a PSK for each that has none then; its identity\n"
    "                   is the id of the account\n"
    "  --output FILE    gets them, as lines of JSON: a new file with mode\n"
    "                   0600, or \"-\" for stdout, which is then no terminal\n"
    "  --dry-run        do all but write\n"
    "\n"
    "A FILE of \"-\" is stdin, up to its end, at which the import begins. A\n"
    "bad line is told by its number; without --keep-going nothing of the\n"
    "file is kept then, nor when it is interrupted or killed. Exits with 0\n"
    "only if every line was good.\n"
    "Generated secrets are on the disk before the accounts are in force,\n"
    "and where nothing is kept there is no FILE of them.\n"
    "A line of an account that a line before made or changed is bad, with\n"
    "--update too, but for another hash of htdigest or another PSK.\n"
    "\n"
    "jsonl: an object a line, as dm-account export writes it:\n"
    "  {\"id\":\"IMEI:1\", \"name\":\"one\", \"state\":\"active\",\n"
    "   \"groups\":[\"lab\"], \"not_before\":null,\n"
    "   \"not_after\":\"2027-01-31T00:00:00Z\",\n"
    "   \"digest\":{\"SHA-256\":HEX}, \"crypt\":null,\n"
    "   \"psk\":[{\"identity\":\"i\", \"key\":HEX}], \"cert_keys\":[]}\n"
    "Only \"id\" must be there. \"password\", in clear, may stand instead of\n"
    "\"digest\" and \"crypt\"; the hashes of \"digest\" hold a name and a\n"
    "realm, and are right only for these.\n"
    "\n"
    "csv: a header line, which names the columns, in any order: id, name,\n"
    "password, psk_identity, psk, groups, not_before, not_after, state,\n"
    "cert_keys, crypt, digest_MD5, digest_SHA-256, digest_SHA-512-256. They\n"
    "are what they are in JSON, psk being the key in hex; only id must be\n"
    "there. Several groups or cert_keys in a cell are separated by \";\". An\n"
    "empty cell names nothing. Quotes are as RFC 4180 has them.\n"
    "\n"
    "htpasswd: USER:HASH; hashes that begin with $y$, $2a$, $2b$, $2y$, $6$,\n"
    "$5$, $1$, $apr1$, {SHA} or {SSHA} are kept, and serve Basic only; a\n"
    "{PLAIN} password is kept as if it had been given to dm-account add.\n"
    "\n"
    "htdigest: USER:REALM:HASH with the store's realm, for a hash holds it.\n"
    "It becomes the account's digest hash for MD5 or, with 64 digits, for\n"
    "SHA-256, the only one that a new account has: see dm-account list\n"
    "--lacks SHA-256. With --update hashes for other algorithms stay only if\n"
    "the account has those of the file already: else the password may be\n"
    "another. Lines of one account for several algorithms belong together.\n"
    "lighttpd's userhash may follow: it tells SHA-512-256 from SHA-256.\n"
    "\n"
    "psk: IDENTITY:KEY, the key as 16 to 64 octets in hex behind the last\n"
    "colon, as stunnel and psktool of GnuTLS have it; keys that stunnel takes\n"
    "as text are bad lines. With --update it replaces the key that the\n"
    "identity had, or comes beside another: an account holds two PSKs, and\n"
    "both work until one is dropped with dm-account set --drop-psk.\n"
    "\n"
    "example:\n"
    "  dm-account import devices.jsonl\n"
    "  dm-account import devices.csv --format csv --generate-passwords \\\n"
    "      --output passwords.jsonl\n"
    "  dm-account import /etc/nginx/htpasswd --format htpasswd\n"
    "  dm-account import digest.txt --format htdigest --realm dm@example.org\n",

    dm_import_opts,
    dm_import_run
};


static int
dm_import_run(dm_cli_t *cli, int argc, char **argv)
{
    int           rc;
    dm_import_t  *im;

    im = calloc(1, sizeof(dm_import_t));

    if (im == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    im->cli = cli;
    im->made.sink.keeper = -1;

    rc = dm_import_steps(im, argc, argv);

    dm_sink_close(&im->made.sink);
    dm_map_free(&im->file.map);
    dm_columns_free(im->file.columns);
    dm_seen_free(&im->seen);
    OPENSSL_cleanse(im, sizeof(dm_import_t));
    free(im);

    return rc;
}


static int
dm_import_steps(dm_import_t *im, int argc, char **argv)
{
    int  rc;

    rc = dm_import_options(im, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_import_open(im);

    if (rc == DM_CLI_DONE) {
        rc = dm_import_file(im);
    }

    dm_lines_close(&im->lines);

    return rc;
}


static int
dm_import_options(dm_import_t *im, int argc, char **argv)
{
    int        opt, rc;
    dm_cli_t  *cli;

    cli = im->cli;
    im->format = dm_import_formats;

    while ((opt = dm_cli_getopt(cli, ":", dm_import_opts, argc, argv)) > 0) {

        rc = dm_import_option(im, opt, optarg);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    if (opt == -1) {
        return cli->status;
    }

    rc = dm_import_fits(im);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (optind == argc) {
        return dm_cli_usage(cli, "a FILE is needed");
    }

    im->path = argv[optind++];

    if (im->map_path != NULL && strcmp(im->map_path, "-") == 0
        && strcmp(im->path, "-") == 0)
    {
        return dm_cli_usage(cli, "FILE and --id-map cannot both be stdin");
    }

    return dm_cli_no_operand(cli, argc);
}


static int
dm_import_option(dm_import_t *im, int opt, const char *value)
{
    switch (opt) {

    case DM_OPT_FORMAT:
        return dm_import_format(im, value);

    case DM_OPT_UPDATE:
        im->update = 1;
        return DM_CLI_DONE;

    case DM_OPT_ID_MAP:
        im->map_path = value;
        return DM_CLI_DONE;

    case DM_OPT_REALM:
        im->realm = value;
        return DM_CLI_DONE;

    case DM_OPT_KEEP_GOING:
        im->keep_going = 1;
        return DM_CLI_DONE;

    case DM_OPT_GENERATE_PASSWORDS:
        im->made.on = 1;
        im->made.passwords = 1;
        return DM_CLI_DONE;

    case DM_OPT_GENERATE_PSKS:
        im->made.on = 1;
        im->made.psks = 1;
        return DM_CLI_DONE;

    default: /* DM_OPT_OUTPUT */
        im->made.path = value;
        return DM_CLI_DONE;
    }
}


/* options that only some formats know */
static int
dm_import_fits(dm_import_t *im)
{
    if (im->map_path != NULL && im->format->user == NULL) {
        return dm_cli_usage(im->cli, "--id-map is not for %s, whose lines "
                            "have an id", im->format->name);
    }

    if (im->realm != NULL && im->format->parse != dm_entry_parse_htdigest) {
        return dm_cli_usage(im->cli, "--realm is for htdigest, whose lines "
                            "have a realm");
    }

    if (im->cli->dry_run && (im->made.on || im->keep_going)) {
        return dm_cli_usage(im->cli, "--dry-run is for all of a file, and "
                            "makes no secrets");
    }

    return dm_made_check(&im->made, im->cli, im->format->generate != 0 ? NULL
                                             : im->format->name,
                         im->keep_going);
}


static int
dm_import_format(dm_import_t *im, const char *name)
{
    const dm_import_format_t  *format;

    for (format = dm_import_formats; format->name != NULL; format++) {

        if (strcmp(format->name, name) == 0) {
            im->format = format;
            return DM_CLI_DONE;
        }
    }

    return dm_cli_usage(im->cli, "--format: \"%s\" is none of jsonl, csv, "
                        "htpasswd, htdigest and psk", name);
}


/* all that may take its time is done before the store is locked */
static int
dm_import_open(dm_import_t *im)
{
    int        rc;
    dm_cli_t  *cli;

    cli = im->cli;

    if (im->map_path != NULL
        && dm_map_read(&im->file.map, im->map_path, im->format->user,
                       &cli->err)
           != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    if (dm_lines_open(&im->lines, im->path, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    if (im->format->parse == dm_entry_parse_csv) {
        im->file.columns = dm_columns_make();

        if (im->file.columns == NULL) {
            return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
        }

        /* in a cell, which is refused or not as others are */
        im->lines.cr = 1;
    }

    if (im->made.on
        && dm_sink_open(&im->made.sink, im->made.path, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "%s", cli->err.text);
    }

    cli->reserve = dm_import_room(im);

    cli->import = 1;

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    im->file.first = 1;
    im->file.realm = dm_store_meta(cli->store)->realm;
    im->file.one_realm = (im->realm != NULL);

    if (im->realm != NULL
        && !dm_str_eq(dm_cli_str(im->realm), im->file.realm))
    {
        return dm_cli_refuse(cli, DM_CODE_WRONG_REALM, "the realm of the "
                             "store is \"%.*s\", and hashes for \"%s\" are "
                             "right only there", dm_cli_arg(im->file.realm),
                             im->realm);
    }

    dm_progress_start(&im->progress, !cli->json);

    dm_interrupt_catch();

    return DM_CLI_DONE;
}


/* the octets that the longest transaction adds to the store at most */
static uint64_t
dm_import_room(const dm_import_t *im)
{
    uint64_t  bytes;

    bytes = im->lines.size;

    if (im->keep_going && bytes > DM_IMPORT_BATCH_BYTES + DM_LINE_MAX) {
        bytes = DM_IMPORT_BATCH_BYTES + DM_LINE_MAX;
    }

    return DM_IMPORT_ROOM + bytes * (im->made.on ? im->format->generate
                                                 : im->format->growth);
}
