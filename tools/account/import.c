/* dm-account import: accounts from a file, all of it or what is good of it */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "account/cli_store.h"
#include "account/entry.h"
#include "account/lines.h"
#include "account/verbs.h"
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
    DM_OPT_KEEP_GOING
};


typedef struct {
    const char  *name;
    int        (*parse)(dm_entry_t *entry, dm_str_t line,
                   const dm_entry_file_t *file, dm_err_t *err);

    /* looks what can be a user in --id-map; NULL: lines have an id */
    int        (*user)(dm_str_t user, dm_err_t *err);

    /*
     * Octets of the store that an octet of the file can become: the shortest
     * line that has a password makes about 310, and pages may be half full.
     */
    unsigned     growth;
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
    uint64_t                   bad;

    unsigned                   batch_added;     /* since the last commit */
    unsigned                   batch_updated;
    uint64_t                   batch_line;      /* at the last commit */
    uint64_t                   batch_offset;

    dm_progress_t              progress;

    dm_entry_file_t            file;
    dm_lines_t                 lines;
    dm_entry_t                 entry;
    dm_found_t                 found;
} dm_import_t;


static int dm_import_run(dm_cli_t *cli, int argc, char **argv);
static int dm_import_steps(dm_import_t *im, int argc, char **argv);
static int dm_import_options(dm_import_t *im, int argc, char **argv);
static int dm_import_fits(dm_import_t *im);
static int dm_import_format(dm_import_t *im, const char *name);
static int dm_import_open(dm_import_t *im);
static uint64_t dm_import_room(const dm_import_t *im);

static int dm_import_file(dm_import_t *im);
static int dm_import_line(dm_import_t *im);
static int dm_import_account(dm_import_t *im, dm_str_t line, dm_err_t *err);
static void dm_import_tell(dm_import_t *im, const dm_err_t *err);
static int dm_import_failed(dm_import_t *im, const dm_err_t *err);
static int dm_import_batch_is_full(const dm_import_t *im);
static int dm_import_batch(dm_import_t *im);
static int dm_import_commit(dm_import_t *im);

static int dm_import_finish(dm_import_t *im);
static int dm_import_spoilt(dm_import_t *im);
static int dm_import_interrupted(dm_import_t *im);
static int dm_import_done(dm_import_t *im);

static void dm_import_catch(void);
static void dm_import_on_signal(int sig);
static void dm_import_show(dm_import_t *im, const char *what);


static const dm_import_format_t  dm_import_formats[] = {
    { "jsonl", dm_entry_parse_jsonl, NULL, 32 },
    { "htpasswd", dm_entry_parse_htpasswd, dm_account_check_name, 64 },
    { "htdigest", dm_entry_parse_htdigest, dm_account_check_name, 64 },
    { "psk", dm_entry_parse_psk, dm_account_check_psk_identity, 64 },
    { NULL, NULL, NULL, 0 }
};


static const struct option  dm_import_opts[] = {
    { "format", required_argument, NULL, DM_OPT_FORMAT },
    { "update", no_argument, NULL, DM_OPT_UPDATE },
    { "id-map", required_argument, NULL, DM_OPT_ID_MAP },
    { "realm", required_argument, NULL, DM_OPT_REALM },
    { "keep-going", no_argument, NULL, DM_OPT_KEEP_GOING },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_import = {
    "import",
    "FILE [OPTION ...]",
    "add accounts from a file, all or none",

    "  --format FORMAT  jsonl (the default), htpasswd, htdigest or psk\n"
    "  --update         change accounts that are there already: what a line\n"
    "                   names replaces what they have, the rest stays\n"
    "  --id-map FILE    for all others: lines \"user TAB id\"; where it lacks\n"
    "                   a user, --update changes the account of that name\n"
    "                   or PSK identity, and a new one has it as its id\n"
    "  --realm REALM    for htdigest: pass lines of other realms over;\n"
    "                   without it they are bad lines\n"
    "  --keep-going     keep the good lines, whatever the others are, in\n"
    "                   steps between which other writers have their turn\n"
    "\n"
    "A FILE of \"-\" is stdin. A bad line is told by its number; without\n"
    "--keep-going nothing of the file is kept then, nor when it is\n"
    "interrupted or killed. Exits with 0 only if every line was good.\n"
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
    "htpasswd: USER:HASH; hashes that begin with $y$, $2b$, $2y$, $6$,\n"
    "$apr1$, {SHA} or {SSHA} are kept, and serve Basic only; a {PLAIN}\n"
    "password is kept as if it had been given to dm-account add.\n"
    "\n"
    "htdigest: USER:REALM:HASH with the store's realm, for a hash holds it.\n"
    "It becomes the account's digest hash for MD5, the only one that a new\n"
    "account has: see dm-account list --lacks SHA-256. Where --update finds\n"
    "another for MD5, the password was another, and the account's hashes for\n"
    "other algorithms are dropped.\n"
    "\n"
    "psk: IDENTITY:KEY, the key as 16 to 64 octets in hex behind the last\n"
    "colon, as stunnel and psktool of GnuTLS have it; keys that stunnel takes\n"
    "as text are bad lines. With --update it replaces the key that the\n"
    "identity had, or comes beside another: an account holds two PSKs, and\n"
    "both work until one is dropped with dm-account set --drop-psk.\n"
    "\n"
    "example:\n"
    "  dm-account import devices.jsonl\n"
    "  dm-account import /etc/nginx/htpasswd --format htpasswd\n"
    "  dm-account import digest.txt --format htdigest --realm dm@example.org\n",

    dm_import_opts,
    dm_import_run
};


static volatile sig_atomic_t  dm_import_signal;


static int
dm_import_run(dm_cli_t *cli, int argc, char **argv)
{
    int           rc;
    dm_import_t  *im;

    im = calloc(1, sizeof(dm_import_t));

    if (im == NULL) {
        return dm_cli_refuse(cli, "out of memory");
    }

    im->cli = cli;

    rc = dm_import_steps(im, argc, argv);

    dm_map_free(&im->file.map);
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

        switch (opt) {

        case DM_OPT_FORMAT:
            rc = dm_import_format(im, optarg);

            if (rc != DM_CLI_DONE) {
                return rc;
            }

            break;

        case DM_OPT_UPDATE:
            im->update = 1;
            break;

        case DM_OPT_ID_MAP:
            im->map_path = optarg;
            break;

        case DM_OPT_REALM:
            im->realm = optarg;
            break;

        default: /* DM_OPT_KEEP_GOING */
            im->keep_going = 1;
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


/* options that only some formats know */
static int
dm_import_fits(dm_import_t *im)
{
    if (im->map_path != NULL && im->format->user == NULL) {
        return dm_cli_usage(im->cli, "--id-map is not for jsonl, whose lines "
                            "have an id");
    }

    if (im->realm != NULL && im->format->parse != dm_entry_parse_htdigest) {
        return dm_cli_usage(im->cli, "--realm is for htdigest, whose lines "
                            "have a realm");
    }

    return DM_CLI_DONE;
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

    return dm_cli_usage(im->cli, "--format: \"%s\" is none of jsonl, htpasswd, "
                        "htdigest and psk", name);
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
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    if (dm_lines_open(&im->lines, im->path, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    cli->reserve = dm_import_room(im);

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    im->file.realm = dm_store_meta(cli->store)->realm;
    im->file.one_realm = (im->realm != NULL);

    if (im->realm != NULL
        && !dm_str_eq(dm_cli_str(im->realm), im->file.realm))
    {
        return dm_cli_refuse(cli, "the realm of the store is \"%.*s\", and "
                             "hashes for \"%s\" are right only there",
                             dm_cli_arg(im->file.realm), im->realm);
    }

    dm_progress_start(&im->progress, !cli->json);

    dm_import_catch();

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

    return DM_IMPORT_ROOM + bytes * im->format->growth;
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

        if (dm_import_signal) {
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
    int       rc;
    dm_err_t  err;
    dm_str_t  line;

    rc = dm_lines_next(&im->lines, &line, &err);

    if (rc == DM_DECLINED) {
        return DM_DECLINED;
    }

    if (rc == DM_OK) {
        rc = dm_import_account(im, line, &err);
    }

    if (rc == DM_ERROR) {
        return dm_import_failed(im, &err);
    }

    if (rc == DM_INVALID || rc == DM_EXISTS) {
        dm_import_tell(im, &err);
    }

    return DM_OK;
}


static int
dm_import_account(dm_import_t *im, dm_str_t line, dm_err_t *err)
{
    int          rc, added;
    dm_entry_t  *entry;
    dm_found_t  *found;
    dm_store_t  *store;

    entry = &im->entry;
    found = &im->found;
    store = im->cli->store;

    rc = im->format->parse(entry, line, &im->file, err);

    if (rc == DM_OK) {
        rc = dm_entry_apply(entry, store, im->update, found, &added, err);

        if (rc == DM_OK) {
            rc = dm_store_put(store, &found->account, err);
        }

        if (rc == DM_OK) {
            im->batch_added += (unsigned) added;
            im->batch_updated += (unsigned) !added;
        }

        dm_account_wipe(&found->account);
        OPENSSL_cleanse(found->record, found->len);
    }

    dm_entry_wipe(entry);

    return rc;
}


static void
dm_import_tell(dm_import_t *im, const dm_err_t *err)
{
    im->bad++;

    dm_progress_clear(&im->progress);
    (void) dm_cli_refuse(im->cli, "\"%s\" line %llu: %s", im->path,
                         (unsigned long long) im->lines.number, err->text);
}


static int
dm_import_failed(dm_import_t *im, const dm_err_t *err)
{
    dm_progress_clear(&im->progress);

    if (im->keep_going) {
        (void) dm_cli_refuse(im->cli, "\"%s\" line %llu: %s; the good lines "
                             "up to line %llu are kept", im->path,
                             (unsigned long long) im->lines.number, err->text,
                             (unsigned long long) im->batch_line);
        return DM_ERROR;
    }

    (void) dm_cli_refuse(im->cli, "\"%s\" line %llu: %s; nothing of the file "
                         "is kept", im->path,
                         (unsigned long long) im->lines.number, err->text);

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

    rc = dm_import_commit(im);

    dm_progress_clear(&im->progress);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_import_done(im);

    return im->bad == 0 ? rc : DM_CLI_REFUSED;
}


static int
dm_import_spoilt(dm_import_t *im)
{
    dm_progress_clear(&im->progress);

    return dm_cli_refuse(im->cli, "nothing of \"%s\" is kept: %s%llu bad "
                         "line%s; correct the file, or keep its good lines "
                         "with --keep-going", im->path,
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
        return dm_cli_refuse(im->cli, "interrupted: nothing of \"%s\" is "
                             "kept", im->path);
    }

    rc = dm_import_commit(im);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_cli_refuse(im->cli, "interrupted: the good lines of \"%s\" up "
                         "to line %llu are kept", im->path,
                         (unsigned long long) im->lines.number);
}


static int
dm_import_done(dm_import_t *im)
{
    int  rc;

    if (!im->cli->json) {
        dm_out_line(stdout, "imported \"%s\": %llu added, %llu updated, "
                    "%llu refused", im->path, (unsigned long long) im->added,
                    (unsigned long long) im->updated,
                    (unsigned long long) im->bad);
        return DM_CLI_DONE;
    }

    rc = dm_json_print(json_pack("{s:s, s:o, s:I, s:I, s:I}",
                                 "result", "imported",
                                 "file", dm_json_text(im->path),
                                 "added", (json_int_t) im->added,
                                 "updated", (json_int_t) im->updated,
                                 "refused", (json_int_t) im->bad));

    return dm_cli_printed(im->cli, rc);
}


/* once: a second signal ends the process, which the store survives too */
static void
dm_import_catch(void)
{
    struct sigaction  action;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = dm_import_on_signal;
    action.sa_flags = (int) SA_RESETHAND;

    (void) sigaction(SIGINT, &action, NULL);
    (void) sigaction(SIGTERM, &action, NULL);
}


static void
dm_import_on_signal(int sig)
{
    dm_import_signal = sig;
}


static void
dm_import_show(dm_import_t *im, const char *what)
{
    dm_progress_show(&im->progress, im->lines.offset, im->lines.size,
                     im->lines.number, "lines", what);
}
