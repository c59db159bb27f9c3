/* dm-account provision --list: what each device of a list gets */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "dm_devid.h"
#include "account/audit.h"
#include "account/lines.h"
#include "account/provision.h"
#include "account/seen.h"
#include "account/sink.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"
#include "common/progress.h"


/* more bad lines than that are not a few slips */
#define DM_LIST_BAD_MAX  20

/* three texts of 1024 characters, each as an entity, and what is around */
#define DM_LIST_XML_MAX  65536


typedef struct {
    dm_cli_t        *cli;
    dm_provision_t  *pro;

    uint64_t         bad;
    dm_progress_t    progress;

    dm_lines_t       lines;
    dm_seen_t        seen;
    dm_found_t       found;
    dm_sink_t        sink;
    char             xml[DM_LIST_XML_MAX];
} dm_list_t;


static int dm_list_steps(dm_list_t *list);
static int dm_list_open(dm_list_t *list);
static int dm_list_lines(dm_list_t *list);
static int dm_list_line(dm_list_t *list, dm_err_t *err);
static int dm_list_key(dm_list_t *list, dm_str_t line, dm_str_t *key,
    json_t **json, dm_err_t *err);
static int dm_list_account(dm_list_t *list, dm_str_t key, dm_err_t *err);
static int dm_list_find(dm_list_t *list, dm_str_t key, dm_err_t *err);
static int dm_list_once(dm_list_t *list, dm_err_t *err);
static int dm_list_put(dm_list_t *list, dm_err_t *err);
static json_t *dm_list_mo(dm_list_t *list);
static int dm_list_told(dm_list_t *list, int rc, const dm_err_t *err);
static int dm_list_finish(dm_list_t *list);
static int dm_list_done(const dm_list_t *list);


int
dm_provision_list(dm_provision_t *pro)
{
    int         rc;
    dm_list_t  *list;

    list = calloc(1, sizeof(dm_list_t));

    if (list == NULL) {
        return dm_cli_refuse(pro->cli, DM_CODE_SYSTEM, "out of memory");
    }

    list->cli = pro->cli;
    list->pro = pro;
    list->sink.keeper = -1;

    rc = dm_list_steps(list);

    dm_sink_close(&list->sink);
    dm_seen_free(&list->seen);
    OPENSSL_cleanse(list, sizeof(dm_list_t));
    free(list);

    return rc;
}


static int
dm_list_steps(dm_list_t *list)
{
    int  rc;

    rc = dm_list_open(list);

    if (rc == DM_CLI_DONE) {
        rc = dm_list_lines(list);
    }

    dm_lines_close(&list->lines);
    dm_progress_clear(&list->progress);

    if (rc == DM_CLI_DONE) {
        rc = dm_list_finish(list);
    }

    return rc;
}


static int
dm_list_open(dm_list_t *list)
{
    dm_cli_t  *cli;

    cli = list->cli;

    if (dm_lines_open(&list->lines, list->pro->list, &cli->err) != DM_OK
        || dm_sink_open(&list->sink, list->pro->output, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    dm_progress_start(&list->progress, !cli->json);

    return dm_cli_open(cli, DM_STORE_READ);
}


static int
dm_list_lines(dm_list_t *list)
{
    int       rc;
    dm_err_t  err;

    for ( ;; ) {
        rc = dm_list_line(list, &err);

        if (rc == DM_DECLINED) {
            break;
        }

        if (rc != DM_OK) {
            rc = dm_list_told(list, rc, &err);
        }

        if (rc != DM_OK) {
            break;
        }

        dm_progress_show(&list->progress, list->lines.offset,
                         list->lines.size, list->lines.number, "lines", "");
    }

    if (list->bad == 0 && rc == DM_DECLINED) {
        return DM_CLI_DONE;
    }

    dm_progress_clear(&list->progress);

    return dm_cli_refuse(list->cli, DM_CODE_BAD_LINES, "nothing is written: "
                         "%s%llu bad line%s in \"%s\"",
                         rc == DM_DECLINED ? "" : "given up after ",
                         (unsigned long long) list->bad,
                         list->bad == 1 ? "" : "s", list->pro->list);
}


/* DM_OK, DM_DECLINED: there is none; DM_INVALID or DM_ERROR with err */
static int
dm_list_line(dm_list_t *list, dm_err_t *err)
{
    int       rc;
    json_t   *json;
    dm_str_t  line, key;

    rc = dm_lines_next(&list->lines, &line, err);

    if (rc != DM_OK) {
        return rc;
    }

    if (dm_lines_is_comment(line)) {
        return DM_OK;
    }

    rc = dm_list_key(list, line, &key, &json, err);

    if (rc == DM_OK) {
        rc = dm_list_account(list, key, err);
    }

    json_decref(json);

    return rc;
}


/* the id or the name that a line has, which points into it or into json */
static int
dm_list_key(dm_list_t *list, dm_str_t line, dm_str_t *key, json_t **json,
    dm_err_t *err)
{
    json_t      *value;
    const char  *field;

    *key = line;
    *json = NULL;

    if (line.data[0] != '{') {
        return DM_OK;
    }

    field = list->pro->by_name ? "name" : "id";
    *json = json_loadb((const char *) line.data, line.len,
                       JSON_REJECT_DUPLICATES, NULL);
    value = json_object_get(*json, field);

    if (!json_is_string(value)) {
        dm_err_set(err, "it begins as a line of JSON, and is none with a "
                   "\"%s\"", field);
        return DM_INVALID;
    }

    *key = (dm_str_t) { (const unsigned char *) json_string_value(value),
                        json_string_length(value) };

    return DM_OK;
}


static int
dm_list_account(dm_list_t *list, dm_str_t key, dm_err_t *err)
{
    int              rc;
    dm_provision_t  *pro;

    pro = list->pro;

    rc = dm_list_find(list, key, err);

    if (rc == DM_OK) {
        rc = dm_list_once(list, err);
    }

    if (rc == DM_OK) {
        rc = dm_provision_psk(pro, &list->found.account, err);
    }

    /* behind the first bad line the others are only looked at */

    if (rc == DM_OK && list->bad == 0) {
        rc = dm_list_put(list, err);
    }

    json_decref(pro->data);
    json_decref(pro->secret);
    pro->data = NULL;
    pro->secret = NULL;

    dm_cli_wipe(&list->found);

    return rc;
}


static int
dm_list_find(dm_list_t *list, dm_str_t key, dm_err_t *err)
{
    int               rc;
    dm_err_t          hint;
    dm_found_t       *found;
    unsigned char     id[DM_ID_MAX];
    dm_store_index_t  by;

    found = &list->found;
    by = list->pro->by_name ? DM_BY_NAME : DM_BY_ID;

    rc = (by == DM_BY_NAME) ? dm_account_check_name(key, err)
                            : dm_account_check_id(key, err);

    if (rc != DM_OK) {
        return DM_INVALID;
    }

    if (by == DM_BY_ID && dm_devid_canonical(key, id) != DM_OK) {
        dm_err_set(err, "the id has a control character");
        return DM_INVALID;
    }

    key.data = (by == DM_BY_ID) ? id : key.data;

    rc = dm_store_lookup(list->cli->store, by, key, found->record,
                         &found->len, &found->account, err);

    if (rc == DM_DECLINED) {
        dm_err_set(err, "there is no account %s\"%.*s\"%s",
                   by == DM_BY_NAME ? "with the name " : "", dm_cli_arg(key),
                   dm_input_unseen(key, &hint));
        return DM_INVALID;
    }

    return rc;
}


/* DM_OK, DM_INVALID: a line before is of the same account; DM_ERROR */
static int
dm_list_once(dm_list_t *list, dm_err_t *err)
{
    dm_str_t  id;
    uint64_t  line;

    id = list->found.account.id;
    line = dm_seen_line(&list->seen, id, dm_str(""));

    if (line != 0) {
        dm_err_set(err, "it is of account \"%.*s\", as line %llu is: keep one "
                   "of the two", dm_cli_arg(id), (unsigned long long) line);
        return DM_INVALID;
    }

    return dm_seen_add(&list->seen, id, dm_str(""), list->lines.number, err);
}


static int
dm_list_put(dm_list_t *list, dm_err_t *err)
{
    const dm_account_t  *account;

    account = &list->found.account;

    return dm_sink_put(&list->sink,
                       json_pack("{s:o, s:o, s:o}",
                                 "id", dm_json_str(account->id),
                                 "name", dm_json_str(account->name),
                                 "mo", dm_list_mo(list)),
                       err);
}


/* the MO as it is written for one account, XML as a string */
static json_t *
dm_list_mo(dm_list_t *list)
{
    FILE    *out;
    json_t  *json;

    if (!list->pro->tnds) {
        return dm_provision_json(list->pro);
    }

    out = fmemopen(list->xml, DM_LIST_XML_MAX, "w");

    if (out == NULL) {
        return NULL;
    }

    dm_provision_tnds(out, list->pro);

    json = (fclose(out) == 0) ? json_string(list->xml) : NULL;
    OPENSSL_cleanse(list->xml, DM_LIST_XML_MAX);

    return json;
}


/* tells what came of a line; DM_OK: the next one can be looked at */
static int
dm_list_told(dm_list_t *list, int rc, const dm_err_t *err)
{
    list->bad++;

    dm_progress_clear(&list->progress);
    (void) dm_cli_refuse(list->cli, dm_code_of(rc), "\"%s\" line %llu: %s",
                         list->pro->list,
                         (unsigned long long) list->lines.number, err->text);

    return rc != DM_ERROR && list->bad < DM_LIST_BAD_MAX ? DM_OK : DM_ERROR;
}


static int
dm_list_finish(dm_list_t *list)
{
    dm_cli_t  *cli;

    cli = list->cli;

    /* say it before the first of them leaves: nothing may be heard later */

    (void) snprintf(cli->note, sizeof(cli->note), "secrets=begin "
                    "accounts=%llu", (unsigned long long) list->sink.lines);
    dm_cli_audit(cli);

    if (dm_sink_keep(&list->sink, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "%s", cli->err.text);
    }

    (void) snprintf(cli->note, sizeof(cli->note), "secrets=end "
                    "accounts=%llu", (unsigned long long) list->sink.lines);
    dm_cli_audit(cli);

    return dm_list_done(list);
}


static int
dm_list_done(const dm_list_t *list)
{
    unsigned long long     n;
    const dm_provision_t  *pro;

    pro = list->pro;
    n = list->sink.lines;

    if (strcmp(pro->output, "-") == 0) {
        return DM_CLI_DONE;
    }

    if (!list->cli->json) {
        dm_out_line(stdout, "provisioned %llu account%s in \"%s\"", n,
                    n == 1 ? "" : "s", pro->output);
        return DM_CLI_DONE;
    }

    return dm_cli_printed(list->cli,
                          dm_json_print(json_pack("{s:s, s:I, s:o}",
                                        "result", "provisioned",
                                        "accounts", (json_int_t) n,
                                        "output",
                                        dm_json_text(pro->output))));
}
