/* One change of each account of a list */

#include <stdio.h>

#include "dm_devid.h"
#include "account/bulk.h"
#include "account/lines.h"
#include "account/same.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"


/* of each kind, so far */
typedef struct {
    uint64_t  changed;
    uint64_t  same;
    uint64_t  bad;
} dm_bulk_count_t;


static int dm_bulk_lines(dm_cli_t *cli, const dm_bulk_t *bulk,
    dm_lines_t *lines, void (*change)(dm_account_t *account),
    dm_bulk_count_t *count);
static int dm_bulk_line(dm_cli_t *cli, const dm_bulk_t *bulk, dm_str_t line,
    void (*change)(dm_account_t *account));
static int dm_bulk_end(dm_cli_t *cli, const dm_bulk_t *bulk,
    const dm_bulk_count_t *count, const char *result);


int
dm_bulk_change(dm_cli_t *cli, const dm_bulk_t *bulk,
    void (*change)(dm_account_t *account), const char *result)
{
    int              rc;
    dm_lines_t       lines;
    dm_bulk_count_t  count;

    memset(&count, 0, sizeof(dm_bulk_count_t));
    memset(&lines, 0, sizeof(dm_lines_t));

    if (dm_lines_open(&lines, bulk->path, &cli->err) != DM_OK) {
        dm_lines_close(&lines);
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc == DM_CLI_DONE) {
        rc = dm_bulk_lines(cli, bulk, &lines, change, &count);
    }

    dm_lines_close(&lines);

    return rc == DM_CLI_DONE ? dm_bulk_end(cli, bulk, &count, result) : rc;
}


static int
dm_bulk_lines(dm_cli_t *cli, const dm_bulk_t *bulk, dm_lines_t *lines,
    void (*change)(dm_account_t *account), dm_bulk_count_t *count)
{
    int       rc;
    dm_str_t  line;

    while ((rc = dm_lines_next(lines, &line, &cli->err)) != DM_DECLINED) {

        if (rc == DM_OK && dm_lines_is_blank(line)) {
            continue;
        }

        if (rc == DM_OK) {
            rc = dm_bulk_line(cli, bulk, line, change);
        }

        if (rc != DM_OK) {
            count->bad++;
            (void) dm_cli_refuse(cli, dm_code_of(rc), "\"%s\" line %llu: %s",
                                 bulk->path,
                                 (unsigned long long) lines->number,
                                 cli->err.text);
        }

        if (rc == DM_ERROR) {
            return DM_CLI_REFUSED;
        }

        count->changed += (rc == DM_OK && !cli->same);
        count->same += (rc == DM_OK && cli->same);
    }

    return DM_CLI_DONE;
}


/* DM_OK; DM_DECLINED, DM_INVALID or DM_ERROR with cli->err */
static int
dm_bulk_line(dm_cli_t *cli, const dm_bulk_t *bulk, dm_str_t line,
    void (*change)(dm_account_t *account))
{
    int            rc;
    dm_err_t       hint;
    dm_found_t     found, old;
    unsigned char  id[DM_ID_MAX];

    rc = bulk->by_name ? dm_account_check_name(line, &cli->err)
                       : dm_account_check_id(line, &cli->err);

    if (rc != DM_OK) {
        return DM_INVALID;
    }

    if (!bulk->by_name) {
        if (dm_devid_canonical(line, id) != DM_OK) {
            dm_err_set(&cli->err, "the id has a control character");
            return DM_INVALID;
        }

        line.data = id;
    }

    rc = dm_store_lookup(cli->store, bulk->by_name ? DM_BY_NAME : DM_BY_ID,
                         line, found.record, &found.len, &found.account,
                         &cli->err);

    if (rc == DM_OK) {
        old.account = found.account;
        change(&found.account);
        cli->same = dm_same_change(cli->store, &old.account, &found.account);

    } else if (rc == DM_DECLINED) {
        dm_err_set(&cli->err, "there is no account %s\"%.*s\"%s",
                   bulk->by_name ? "with the name " : "", dm_cli_arg(line),
                   dm_input_unseen(line, &hint));
    }

    if (rc == DM_OK && !cli->same) {
        rc = dm_cli_store(cli, &found.account);
    }

    dm_cli_wipe(&found);
    dm_account_wipe(&old.account);

    return rc;
}


static int
dm_bulk_end(dm_cli_t *cli, const dm_bulk_t *bulk,
    const dm_bulk_count_t *count, const char *result)
{
    int  rc;

    if (count->bad != 0 && !bulk->keep_going) {
        return dm_cli_refuse(cli, DM_CODE_BAD_LINES, "nothing is changed: "
                             "\"%s\" has %llu bad lines; correct it, or say "
                             "--keep-going", bulk->path,
                             (unsigned long long) count->bad);
    }

    (void) snprintf(cli->note, sizeof(cli->note), "changed=%llu",
                    (unsigned long long) count->changed);

    cli->same = (count->changed == 0);

    rc = dm_cli_commit(cli);

    if (rc == DM_CLI_DONE && cli->json) {
        rc = dm_cli_printed(cli, dm_json_print(
                 json_pack("{s:s, s:o, s:I, s:I, s:I, s:b, s:b}",
                           "result", result,
                           "file", dm_json_text(bulk->path),
                           "changed", (json_int_t) count->changed,
                           "unchanged", (json_int_t) count->same,
                           "refused", (json_int_t) count->bad,
                           "dry_run", cli->dry_run,
                           "beside", dm_cli_is_beside(cli))));

    } else if (rc == DM_CLI_DONE) {
        dm_out_line(stdout, "%s \"%s\": %llu changed, %llu unchanged, "
                    "%llu refused%s", result, bulk->path,
                    (unsigned long long) count->changed,
                    (unsigned long long) count->same,
                    (unsigned long long) count->bad,
                    cli->same && !cli->dry_run ? "" : dm_cli_remark(cli));
    }

    return (rc == DM_CLI_DONE && count->bad != 0) ? DM_CLI_REFUSED : rc;
}
