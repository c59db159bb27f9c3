/* dm-account import: accounts from a file, all of it or what is good of it */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/cli_store.h"
#include "account/entry_csv.h"
#include "account/interrupt.h"
#include "account/lines.h"
#include "account/made.h"
#include "account/verbs.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"
#include "common/progress.h"


/* more bad lines than that are not a few slips */
#define DM_IMPORT_BAD_MAX      20

/* a transaction of --keep-going is no longer, for other writers wait for it */
#define DM_IMPORT_BATCH        1000
#define DM_IMPORT_BATCH_BYTES  (256 * 1024)

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


typedef struct {
    const char  *name;
    int        (*parse)(dm_entry_t *entry, dm_str_t line,
                   dm_entry_file_t *file, dm_err_t *err);

    /* looks what can be a user in --id-map; NULL: lines have an id */
    int        (*user)(dm_str_t user, dm_err_t *err);

    /*
     * Octets of the store that an octet of the file can become: the shortest
     * line that has a password makes about 310, and pages may be half full.
     */
    unsigned     growth;

    /* the same where a password is made for a line that has none; 0: all do */
    unsigned     generate;
} dm_import_format_t;


typedef struct {
    dm_cli_t                  *cli;
    const char                *path;
    const char                *map_path;
    const char                *realm;
    const dm_import_format_t  *format;
    int                        update;
    int                        keep_going;

    uint64_t                   added;
    uint64_t                   updated;
    uint64_t                   same;            /* of those: not written */
    uint64_t                   bad;

    unsigned                   batch_added;     /* since the last commit */
    unsigned                   batch_updated;
    unsigned                   batch_same;
    uint64_t                   line;            /* that is told */
    uint64_t                   batch_line;      /* at the last commit */
    uint64_t                   batch_offset;

    dm_progress_t              progress;

    dm_entry_file_t            file;
    dm_seen_t                  seen;
    dm_lines_t                 lines;
    dm_entry_t                 entry;
    dm_found_t                 found;
    dm_made_t                  made;
} dm_import_t;


static int dm_import_run(dm_cli_t *cli, int argc, char **argv);
static int dm_import_steps(dm_import_t *im, int argc, char **argv);
static int dm_import_options(dm_import_t *im, int argc, char **argv);
static int dm_import_option(dm_import_t *im, int opt, const char *value);
static int dm_import_fits(dm_import_t *im);
static int dm_import_format(dm_import_t *im, const char *name);
static int dm_import_open(dm_import_t *im);
static uint64_t dm_import_room(const dm_import_t *im);

static int dm_import_file(dm_import_t *im);
static int dm_import_line(dm_import_t *im);
static int dm_import_read(dm_import_t *im, dm_err_t *err);
static int dm_import_end(dm_import_t *im, dm_err_t *err);
static int dm_import_account(dm_import_t *im, dm_str_t line, dm_err_t *err);
static void dm_import_warn(dm_import_t *im);
static void dm_import_tell(dm_import_t *im, int rc, const dm_err_t *err);
static int dm_import_failed(dm_import_t *im, const dm_err_t *err);
static int dm_import_batch_is_full(const dm_import_t *im);
static int dm_import_batch(dm_import_t *im);
static int dm_import_commit(dm_import_t *im);

static int dm_import_finish(dm_import_t *im);
static int dm_import_spoilt(dm_import_t *im);
static int dm_import_interrupted(dm_import_t *im);
static int dm_import_done(dm_import_t *im);

static void dm_import_show(dm_import_t *im, const char *what);


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
    "A FILE of \"-\" is stdin. A bad line is told by its number; without\n"
    "--keep-going nothing of the file is kept then, nor when it is\n"
    "interrupted or killed. Exits with 0 only if every line was good.\n"
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

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    dm_store_keep_disabled(cli->store);

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


static int
dm_import_file(dm_import_t *im)
{
    int  rc;

    for ( ;; ) {
        rc = dm_import_line(im);

        if (rc == DM_ERROR) {
            return DM_CLI_REFUSED;
        }

        if (rc == DM_DECLINED) {
            return dm_import_finish(im);
        }

        if (dm_interrupt_seen()) {
            return dm_import_interrupted(im);
        }

        if (!im->keep_going && im->bad == DM_IMPORT_BAD_MAX) {
            return dm_import_spoilt(im);
        }

        if (dm_import_batch_is_full(im)) {
            rc = dm_import_batch(im);

            if (rc != DM_CLI_DONE) {
                return rc;
            }
        }

        dm_import_show(im, "");
    }
}


/* DM_OK: go on; DM_DECLINED: it was the last; DM_ERROR, and it was told */
static int
dm_import_line(dm_import_t *im)
{
    int       rc, last;
    dm_err_t  err;

    rc = dm_import_read(im, &err);
    last = (rc == DM_DECLINED);

    if (last) {
        rc = dm_import_end(im, &err);
    }

    if (rc == DM_ERROR) {
        return dm_import_failed(im, &err);
    }

    if (rc == DM_INVALID || rc == DM_EXISTS) {
        dm_import_tell(im, rc, &err);
    }

    return last ? DM_DECLINED : DM_OK;
}


/* DM_OK: it was kept, or passed over; DM_DECLINED: there is no more line */
static int
dm_import_read(dm_import_t *im, dm_err_t *err)
{
    int       rc;
    dm_str_t  line;

    rc = im->file.ended ? DM_DECLINED : dm_lines_next(&im->lines, &line, err);

    im->line = im->file.number = im->lines.number;
    im->file.mark = im->lines.mark;
    /* of a line that is lost nobody knows whether it ended the record */
    im->file.ended |= (rc == DM_INVALID);

    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_import_account(im, line, err);

    return rc == DM_DECLINED ? DM_OK : rc;
}


/* behind the last line: DM_OK, DM_INVALID or DM_ERROR */
static int
dm_import_end(dm_import_t *im, dm_err_t *err)
{
    if (im->file.columns == NULL || im->file.ended) {
        return DM_OK;
    }

    im->line = dm_columns_line(im->file.columns);

    return dm_columns_end(im->file.columns, err);
}


static int
dm_import_account(dm_import_t *im, dm_str_t line, dm_err_t *err)
{
    int          rc, added, same;
    dm_entry_t  *entry;
    dm_found_t  *found;
    dm_store_t  *store;

    entry = &im->entry;
    found = &im->found;
    store = im->cli->store;

    rc = im->format->parse(entry, line, &im->file, err);

    im->file.first = im->file.first && rc == DM_DECLINED;

    if (im->file.columns != NULL) {
        im->line = dm_columns_line(im->file.columns);
    }

    if (rc == DM_OK) {
        rc = dm_entry_apply(entry, store, im->update, &im->seen, found, &added,
                            err);

        if (rc == DM_OK && im->made.on) {
            rc = dm_made_secrets(&im->made, &found->account, im->file.realm,
                                 err);
        }

        if (rc == DM_OK) {
            rc = dm_entry_put(entry, store, &found->account, im->line,
                              &im->seen, added == 1 ? NULL : &same, err);
        }

        if (rc == DM_OK) {
            rc = dm_made_put(&im->made, &found->account, err);
        }

        if (rc == DM_OK) {
            dm_import_warn(im);
            im->batch_added += (added == 1);
            im->batch_updated += (added == 0);
            im->batch_same += (added == 0 && same
                               && !(entry->has & (DM_ENTRY_ONE_HA1
                                                  | DM_ENTRY_ONE_PSK)));
        }

        dm_account_wipe(&found->account);
        OPENSSL_cleanse(found->record, found->len);
    }

    dm_made_wipe(&im->made);
    dm_entry_wipe(entry);

    return rc;
}


/* of a password that was taken as it stands in quotes */
static void
dm_import_warn(dm_import_t *im)
{
    dm_str_t  password;

    password = (dm_str_t) { im->entry.password.data, im->entry.password.len };

    if ((im->entry.has & DM_ENTRY_PASSWORD) && dm_input_blank_ends(password)) {
        dm_progress_clear(&im->progress);
        dm_cli_warn(im->cli, "\"%s\" line %llu: the password begins or ends "
                    "with a blank, which is a part of it", im->path,
                    (unsigned long long) im->line);
    }
}


static void
dm_import_tell(dm_import_t *im, int rc, const dm_err_t *err)
{
    im->bad++;

    dm_progress_clear(&im->progress);
    (void) dm_cli_refuse(im->cli, dm_code_of(rc), "\"%s\" line %llu: %s%s",
                         im->path, (unsigned long long) im->line, err->text,
                         im->file.ended ? "; the lines behind it are not read"
                                        : "");
}


static int
dm_import_failed(dm_import_t *im, const dm_err_t *err)
{
    dm_progress_clear(&im->progress);

    if (im->keep_going && im->batch_line != 0) {
        (void) dm_cli_refuse(im->cli, DM_CODE_STORE_FAILED, "\"%s\" line "
                             "%llu: %s; the good lines up to line %llu are "
                             "kept", im->path, (unsigned long long) im->line,
                             err->text, (unsigned long long) im->batch_line);
        return DM_ERROR;
    }

    (void) dm_cli_refuse(im->cli, DM_CODE_STORE_FAILED, "\"%s\" line %llu: "
                         "%s; nothing of the file is kept", im->path,
                         (unsigned long long) im->line, err->text);

    return DM_ERROR;
}


static int
dm_import_batch_is_full(const dm_import_t *im)
{
    return im->keep_going
           && (im->lines.number - im->batch_line >= DM_IMPORT_BATCH
               || im->lines.offset - im->batch_offset
                  >= DM_IMPORT_BATCH_BYTES);
}


static int
dm_import_batch(dm_import_t *im)
{
    int        rc;
    dm_cli_t  *cli;

    cli = im->cli;

    rc = dm_import_commit(im);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    dm_progress_give_way();

    if (dm_store_begin(cli->store, &cli->err) != DM_OK) {
        (void) dm_import_failed(im, &cli->err);
        return DM_CLI_REFUSED;
    }

    cli->writing = 1;

    return DM_CLI_DONE;
}


static int
dm_import_commit(dm_import_t *im)
{
    int        rc;
    dm_cli_t  *cli;

    cli = im->cli;

    (void) snprintf(cli->note, sizeof(cli->note), "added=%u updated=%u",
                    im->batch_added, im->batch_updated);

    rc = dm_cli_commit(cli);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    im->added += im->batch_added;
    im->updated += im->batch_updated;
    im->batch_added = 0;
    im->batch_updated = 0;
    im->same += im->batch_same;
    im->batch_same = 0;
    im->batch_line = im->lines.number;
    im->batch_offset = im->lines.offset;

    return DM_CLI_DONE;
}


static int
dm_import_finish(dm_import_t *im)
{
    int  rc;

    if (im->bad != 0 && !im->keep_going) {
        return dm_import_spoilt(im);
    }

    dm_progress_now(&im->progress);
    dm_import_show(im, ", writing");

    rc = dm_made_keep(&im->made, im->cli);

    if (rc == DM_CLI_DONE) {
        rc = dm_made_committed(&im->made, im->cli, dm_import_commit(im));
    }

    dm_progress_clear(&im->progress);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_import_done(im);
    dm_map_warn_unused(&im->file.map, im->cli);

    return im->bad == 0 ? rc : DM_CLI_REFUSED;
}


static int
dm_import_spoilt(dm_import_t *im)
{
    dm_progress_clear(&im->progress);

    return dm_cli_refuse(im->cli, DM_CODE_BAD_LINES, "nothing of \"%s\" is "
                         "kept: %s%llu bad line%s; correct the file, or keep "
                         "its good lines with --keep-going", im->path,
                         im->bad == DM_IMPORT_BAD_MAX ? "given up after "
                                                      : "it has ",
                         (unsigned long long) im->bad,
                         im->bad == 1 ? "" : "s");
}


static int
dm_import_interrupted(dm_import_t *im)
{
    int  rc;

    dm_progress_clear(&im->progress);

    if (!im->keep_going) {
        return dm_cli_refuse(im->cli, DM_CODE_INTERRUPTED, "interrupted: "
                             "nothing of \"%s\" is kept", im->path);
    }

    rc = dm_import_commit(im);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_cli_refuse(im->cli, DM_CODE_INTERRUPTED, "interrupted: the good "
                         "lines of \"%s\" up to line %llu are kept", im->path,
                         (unsigned long long) im->lines.number);
}


static int
dm_import_done(dm_import_t *im)
{
    int      rc;
    json_t  *json;

    if (dm_made_is_stdout(&im->made)) {
        return DM_CLI_DONE;
    }

    if (!im->cli->json) {
        dm_out(stdout, "imported \"%s\": %llu added, %llu updated, "
               "%llu refused", im->path, (unsigned long long) im->added,
               (unsigned long long) im->updated,
               (unsigned long long) im->bad);

        if (im->made.on) {
            dm_out(stdout, ", %llu %s in \"%s\"",
                   (unsigned long long) im->made.sink.lines,
                   im->made.psks ? "with secrets" : "passwords",
                   im->made.path);
        }

        if (im->same != 0) {
            dm_out(stdout, ", %llu of the updated unchanged",
                   (unsigned long long) im->same);
        }

        dm_out_line(stdout, "%s", dm_cli_remark(im->cli));

        return DM_CLI_DONE;
    }

    json = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}",
                     "result", "imported", "file", dm_json_text(im->path),
                     "added", (json_int_t) im->added,
                     "updated", (json_int_t) im->updated,
                     "unchanged", (json_int_t) im->same,
                     "refused", (json_int_t) im->bad);

    if (im->cli->dry_run) {
        (void) json_object_set_new(json, "dry_run", json_true());
    }

    if (im->made.on) {
        (void) json_object_set_new(json, "generated",
                          json_integer((json_int_t) im->made.sink.lines));
        (void) json_object_set_new(json, "output",
                                   dm_json_text(im->made.path));
    }

    rc = dm_json_print(json);

    return dm_cli_printed(im->cli, rc);
}


static void
dm_import_show(dm_import_t *im, const char *what)
{
    dm_progress_show(&im->progress, im->lines.offset, im->lines.size,
                     im->lines.number, "lines", what);
}
