/* The lines of an import */

#include <stdio.h>

#include <openssl/crypto.h>

#include "account/import.h"
#include "account/interrupt.h"
#include "account/waits.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"


/* more bad lines than that are not a few slips */
#define DM_IMPORT_BAD_MAX      20

#define DM_IMPORT_LEFT         192      /* octets of a text, with the NUL */

#define DM_IMPORT_KEPT                                                        \
    "kept disabled, as somebody disabled, deleted or changed them meanwhile"


static int dm_import_line(dm_import_t *im);
static int dm_import_read(dm_import_t *im, dm_err_t *err);
static int dm_import_end(dm_import_t *im, dm_err_t *err);
static int dm_import_account(dm_import_t *im, dm_str_t line, dm_err_t *err);
static void dm_import_warn(dm_import_t *im);
static void dm_import_tell(dm_import_t *im, int rc, const dm_err_t *err);
static int dm_import_failed(dm_import_t *im, const dm_err_t *err);
static void dm_import_left(const dm_import_t *im, char *left);
static void dm_import_warn_kept(const dm_import_t *im);
static int dm_import_batch_is_full(const dm_import_t *im);
static int dm_import_batch(dm_import_t *im);
static int dm_import_commit(dm_import_t *im);

static int dm_import_finish(dm_import_t *im);
static int dm_import_spoilt(dm_import_t *im);
static int dm_import_interrupted(dm_import_t *im);
static int dm_import_done(dm_import_t *im);

static void dm_import_show(dm_import_t *im, const char *what);


int
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
    char  left[DM_IMPORT_LEFT];

    dm_progress_clear(&im->progress);
    dm_import_warn_kept(im);
    dm_import_left(im, left);

    (void) dm_cli_refuse(im->cli, DM_CODE_STORE_FAILED, "\"%s\" line %llu: "
                         "%s; %s", im->path, (unsigned long long) im->line,
                         err->text, left);

    return DM_ERROR;
}


/* says how much is there of an import that went no further */
static void
dm_import_left(const dm_import_t *im, char *left)
{
    if (im->batch_line == 0) {
        (void) snprintf(left, DM_IMPORT_LEFT, "nothing of the file is kept");
        return;
    }

    (void) snprintf(left, DM_IMPORT_LEFT, "the good lines up to line %llu are "
                    "%s", (unsigned long long) im->batch_line,
                    dm_store_replaced(im->cli->store)
                    ? "in the store that was there before: import the file "
                      "into the one that is there now" : "kept");
}


/* before somebody imports the file once more */
static void
dm_import_warn_kept(const dm_import_t *im)
{
    if (im->kept != 0) {
        dm_cli_warn(im->cli, "%llu " DM_IMPORT_KEPT "; the same file, imported "
                    "once more, makes them what it says",
                    (unsigned long long) im->kept);
    }
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

    dm_waits_begin(cli);
    rc = dm_store_begin(cli->store, &cli->err);
    dm_waits_end();

    if (rc != DM_OK) {
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
    char       left[DM_IMPORT_LEFT];
    dm_cli_t  *cli;

    cli = im->cli;

    (void) snprintf(cli->note, sizeof(cli->note), "added=%u updated=%u",
                    im->batch_added, im->batch_updated);

    rc = dm_cli_commit(cli);

    if (rc != DM_CLI_DONE && im->batch_line != 0) {
        dm_import_left(im, left);
        (void) dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "\"%s\": %s",
                             im->path, left);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    im->added += im->batch_added;
    im->updated += im->batch_updated;
    im->batch_added = 0;
    im->batch_updated = 0;
    im->same += im->batch_same;
    im->batch_same = 0;
    im->kept = dm_store_kept_disabled(cli->store);
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

    dm_import_warn_kept(im);

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

        if (im->kept != 0) {
            dm_out(stdout, ", %llu " DM_IMPORT_KEPT,
                   (unsigned long long) im->kept);
        }

        dm_out_line(stdout, "%s", dm_cli_remark(im->cli));

        return DM_CLI_DONE;
    }

    json = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I}",
                     "result", "imported", "file", dm_json_text(im->path),
                     "added", (json_int_t) im->added,
                     "updated", (json_int_t) im->updated,
                     "unchanged", (json_int_t) im->same,
                     "kept_disabled", (json_int_t) im->kept,
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
