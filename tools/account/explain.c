/* dm-account explain: a line of the log in words, and its account */

#define _GNU_SOURCE     /* asprintf() */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dm_advice.h"
#include "account/lines.h"
#include "account/named.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/output.h"


#define DM_EXPLAIN_DENIED     "dm_sec: denied "
#define DM_EXPLAIN_HANDSHAKE  "dm_sec: handshake failed "


/* the fields of a line; they point into it */
typedef struct {
    int                    handshake;
    dm_str_t               reason;
    dm_str_t               detail;
    dm_str_t               status;
    dm_str_t               account;
    dm_str_t               claimed;         /* or the identity */
    dm_str_t               devid;
    const dm_advice_t     *meaning;         /* NULL: of an unknown reason */
    const dm_advice_t     *more;            /* of the detail; NULL: none */
} dm_explain_line_t;


static int dm_explain_run(dm_cli_t *cli, int argc, char **argv);
static int dm_explain_stdin(dm_cli_t *cli);
static int dm_explain_id(dm_cli_t *cli);
static int dm_explain_line(dm_cli_t *cli, dm_str_t text, uint64_t number,
    int *ours);
static int dm_explain_parse(dm_explain_line_t *line, dm_str_t text);
static dm_str_t dm_explain_behind(dm_str_t text, const char *mark);
static int dm_explain_field(dm_str_t *text, dm_str_t *name, dm_str_t *value);
static void dm_explain_keep(dm_explain_line_t *line, dm_str_t name,
    dm_str_t value);
static json_t *dm_explain_load(dm_str_t text);
static int dm_explain_parse_json(dm_explain_line_t *line, json_t *json);
static dm_str_t dm_explain_member(const json_t *json, const char *name);
static const char *dm_explain_find(dm_cli_t *cli,
    const dm_explain_line_t *line, dm_found_t *found);
static const char *dm_explain_find_claimed(dm_cli_t *cli,
    const dm_explain_line_t *line, dm_found_t *found);
static int dm_explain_find_key(dm_cli_t *cli, dm_str_t claimed,
    dm_found_t *found);
static int dm_explain_tell(dm_cli_t *cli, const dm_explain_line_t *line,
    const dm_account_t *account, const char *by);
static void dm_explain_tell_line(dm_cli_t *cli,
    const dm_explain_line_t *line);
static char *dm_explain_do(dm_cli_t *cli, const dm_explain_line_t *line,
    const dm_account_t *account, const char *by);
static char *dm_explain_words(const dm_cli_t *cli, const char *text);
static void dm_explain_option(FILE *out, const char *option,
    const char *value, const char *usual);
static void dm_explain_tell_account(const dm_account_t *account,
    const char *by);
static const char *dm_explain_state(const dm_account_t *account);
static int dm_explain_json(dm_cli_t *cli, const dm_explain_line_t *line,
    const dm_account_t *account, const char *by);
static json_t *dm_explain_text(dm_str_t str);


static const char  dm_explain_by_id[] = "its ID, which was claimed";


static const struct option  dm_explain_opts[] = {
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_explain = {
    "explain",
    "[LINE | ID]",
    "say what a line of the log means, and what to do",

    "LINE is one of nginx's error log, or of an access log in JSON; without\n"
    "one such lines are read from stdin, and others passed over. It says what\n"
    "happened, what the store holds of that device, and what to do. Of an ID\n"
    "it says what the store holds.\n"
    "\n"
    "example:\n"
    "  tail -n 1 /var/log/nginx/error.log | dm-account explain\n",

    dm_explain_opts,
    dm_explain_run
};


static int
dm_explain_run(dm_cli_t *cli, int argc, char **argv)
{
    int       ours, rc;
    dm_str_t  text;

    if (dm_cli_getopt(cli, ":", dm_explain_opts, argc, argv) != 0) {
        return cli->status;
    }

    if (optind == argc) {
        rc = dm_cli_open(cli, DM_STORE_READ);
        return rc == DM_CLI_DONE ? dm_explain_stdin(cli) : rc;
    }

    text = dm_cli_str(argv[optind]);

    if (text.len == 0 || (strstr(argv[optind], "dm_sec: ") == NULL
                          && text.data[0] != '{'))
    {
        rc = dm_named_operand(cli, argc, argv);

        if (rc == DM_CLI_DONE) {
            rc = dm_cli_open(cli, DM_STORE_READ);
        }

        return rc == DM_CLI_DONE ? dm_explain_id(cli) : rc;
    }

    if (optind + 1 != argc) {
        return dm_cli_usage(cli, "one line at a time, in quotes; more are "
                            "read from stdin");
    }

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_explain_line(cli, text, 0, &ours);

    return ours ? rc : dm_cli_refuse(cli, DM_CODE_INVALID, "this is no "
                                     "line of dm_sec that tells of a refusal");
}


static int
dm_explain_stdin(dm_cli_t *cli)
{
    int          ours, rc, some;
    dm_str_t     text;
    dm_lines_t  *lines;

    lines = malloc(sizeof(dm_lines_t));

    if (lines == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    some = 0;
    rc = dm_lines_open(lines, "-", &cli->err);
    lines->cr = 1;

    while (rc == DM_OK || rc == DM_INVALID) {
        rc = dm_lines_next(lines, &text, &cli->err);

        if (rc == DM_OK) {
            rc = dm_explain_line(cli, text, lines->number, &ours);
            rc = rc == DM_CLI_DONE ? DM_OK : DM_EXISTS;
            some |= ours;
        }
    }

    dm_lines_close(lines);
    free(lines);

    if (rc == DM_EXISTS) {
        return DM_CLI_REFUSED;
    }

    if (rc != DM_DECLINED) {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    return some ? DM_CLI_DONE
                : dm_cli_refuse(cli, DM_CODE_INVALID, "there is no line of "
                                "dm_sec that tells of a refusal");
}


static int
dm_explain_id(dm_cli_t *cli)
{
    int         rc;
    dm_found_t  found;

    rc = dm_named_find(cli, &found);

    if (rc == DM_CLI_DONE) {
        rc = dm_explain_tell(cli, NULL, &found.account, "its ID");
    }

    dm_cli_wipe(&found);

    return rc;
}


/*
 * Tells of a line, if it is one of the module's, which *ours says.  Of one in
 * JSON that cannot be read it says that; number is 0 where the caller does.
 */
static int
dm_explain_line(dm_cli_t *cli, dm_str_t text, uint64_t number, int *ours)
{
    int                 rc;
    json_t             *json;
    const char         *by;
    dm_found_t          found;
    dm_explain_line_t   line;

    json = NULL;
    memset(&line, 0, sizeof(dm_explain_line_t));

    if (text.len != 0 && text.data[0] == '{') {
        json = dm_explain_load(text);

        if (json == NULL && number != 0) {
            dm_cli_warn(cli, "line %llu is no JSON, though it begins so: it "
                        "is passed over", (unsigned long long) number);
        }

        *ours = json != NULL && dm_explain_parse_json(&line, json);

    } else {
        *ours = dm_explain_parse(&line, text);
    }

    rc = DM_CLI_DONE;

    if (*ours) {
        line.meaning = dm_advice_reason(line.reason);
        line.more = dm_advice_detail(line.reason, line.detail);
        by = dm_explain_find(cli, &line, &found);
        rc = dm_explain_tell(cli, &line, by ? &found.account : NULL, by);
        dm_cli_wipe(&found);
    }

    json_decref(json);

    return rc;
}


/* 1 if it is a line of the module's, else 0 */
static int
dm_explain_parse(dm_explain_line_t *line, dm_str_t text)
{
    dm_str_t  name, rest, value;

    rest = dm_explain_behind(text, DM_EXPLAIN_DENIED);

    if (rest.data == NULL) {
        rest = dm_explain_behind(text, DM_EXPLAIN_HANDSHAKE);
        line->handshake = 1;
    }

    if (rest.data == NULL) {
        return 0;
    }

    /* a value of a client's cannot look like a field: it has no quote */

    while (dm_explain_field(&rest, &name, &value)) {
        dm_explain_keep(line, name, value);
    }

    return line->reason.len != 0;
}


/* the text behind the mark, in front of which nothing is quoted */
static dm_str_t
dm_explain_behind(dm_str_t text, const char *mark)
{
    size_t    i, n;
    dm_str_t  none;

    none = (dm_str_t) { NULL, 0 };
    n = strlen(mark);

    for (i = 0; i + n <= text.len && text.data[i] != '"'; i++) {
        if (memcmp(text.data + i, mark, n) == 0) {
            return (dm_str_t) { text.data + i + n, text.len - i - n };
        }
    }

    return none;
}


/* the next NAME=VALUE or NAME="VALUE"; 0 at the end, which is a comma */
static int
dm_explain_field(dm_str_t *text, dm_str_t *name, dm_str_t *value)
{
    unsigned char         end;
    const unsigned char  *p, *last;

    p = text->data;
    last = p + text->len;

    name->data = p;

    while (p < last && *p != '=' && *p != ' ' && *p != ',') {
        p++;
    }

    if (p == last || *p != '=') {
        return 0;
    }

    name->len = (size_t) (p++ - name->data);
    end = ' ';

    if (p < last && *p == '"') {
        end = '"';
        p++;
    }

    value->data = p;

    while (p < last && *p != end && !(end == ' ' && *p == ',')) {
        p++;
    }

    value->len = (size_t) (p - value->data);

    if (value->len == 1 && *value->data == '-') {
        value->len = 0;
    }

    p += (p < last && end == '"');
    p += (p < last && *p == ' ');

    *text = (dm_str_t) { p, (size_t) (last - p) };

    return 1;
}


static void
dm_explain_keep(dm_explain_line_t *line, dm_str_t name, dm_str_t value)
{
    size_t  i;

    const struct {
        const char  *name;
        dm_str_t    *value;
    } fields[] = {
        { "reason", &line->reason },
        { "detail", &line->detail },
        { "status", &line->status },
        { "account", &line->account },
        { "claimed", &line->claimed },
        { "identity", &line->claimed },
        { "devid", &line->devid }
    };

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (dm_str_eq(name, dm_cli_str(fields[i].name))
            && fields[i].value->data == NULL)
        {
            *fields[i].value = value;
            return;
        }
    }
}


/*
 * Reads a line in JSON.  What clients send nginx writes as it is: each octet
 * that is no UTF-8 becomes U+FFFD, as with jq.  NULL: it cannot be read.
 */
static json_t *
dm_explain_load(dm_str_t text)
{
    size_t                n;
    json_t               *json;
    unsigned char        *clean, *q;
    const unsigned char  *p, *last;

    static const unsigned char  instead[] = { 0xef, 0xbf, 0xbd };

    clean = malloc(text.len * sizeof(instead));

    if (clean == NULL) {
        return NULL;
    }

    q = clean;
    last = text.data + text.len;

    for (p = text.data; p < last; p += n) {

        if (dm_text_next(p, last, &n) == DM_TEXT_BROKEN) {
            memcpy(q, instead, sizeof(instead));
            q += sizeof(instead);
            continue;
        }

        memcpy(q, p, n);
        q += n;
    }

    json = json_loadb((const char *) clean, (size_t) (q - clean),
                      JSON_ALLOW_NUL, NULL);
    free(clean);

    return json;
}


/* the same of an object as conf/dm-sec-log.conf writes it */
static int
dm_explain_parse_json(dm_explain_line_t *line, json_t *json)
{
    line->reason = dm_explain_member(json, "reason");
    line->detail = dm_explain_member(json, "detail");
    line->status = dm_explain_member(json, "status");
    line->account = dm_explain_member(json, "id");
    line->claimed = dm_explain_member(json, "claimed");
    line->devid = dm_explain_member(json, "devid");

    return line->reason.len != 0;
}


static dm_str_t
dm_explain_member(const json_t *json, const char *name)
{
    json_t    *value;
    dm_str_t   text;

    value = json_object_get(json, name);
    text = (dm_str_t) { NULL, 0 };

    if (json_is_string(value)) {
        text.data = (const unsigned char *) json_string_value(value);
        text.len = json_string_length(value);
    }

    return dm_str_eq(text, dm_str("-")) ? (dm_str_t) { text.data, 0 } : text;
}


/*
 * Finds the account that a line is about, and says by which of its names; NULL:
 * the store has none.  The caller wipes found in any case.
 */
static const char *
dm_explain_find(dm_cli_t *cli, const dm_explain_line_t *line,
    dm_found_t *found)
{
    dm_str_t        text;
    const char     *by;
    unsigned char   plain[DM_CERT_KEY_MAX];

    memset(found, 0, sizeof(dm_found_t));

    if (line->account.len != 0 && line->account.len <= sizeof(plain)) {
        text = (dm_str_t) { plain, dm_out_unescape(line->account, plain) };

        if (dm_named_as(cli, DM_BY_ID, text, found) == DM_OK) {
            return "the account of the line";
        }
    }

    by = NULL;

    if (line->claimed.len != 0) {
        by = dm_explain_find_claimed(cli, line, found);
    }

    if (by == NULL && line->devid.len != 0
        && line->devid.len <= sizeof(plain))
    {
        text = (dm_str_t) { plain, dm_out_unescape(line->devid, plain) };

        if (dm_named_as(cli, DM_BY_ID, text, found) == DM_OK) {
            by = "the device id, which was not verified";
        }
    }

    return by;
}


static const char *
dm_explain_find_claimed(dm_cli_t *cli, const dm_explain_line_t *line,
    dm_found_t *found)
{
    size_t          i;
    dm_str_t        claimed, text;
    unsigned char   plain[DM_CERT_KEY_MAX];

    static const struct {
        dm_store_index_t  by;
        const char       *title;
    } kinds[] = {
        { DM_BY_NAME, "its user name, which was claimed" },
        { DM_BY_PSK, "its PSK identity, which was claimed" },
        { DM_BY_ID, dm_explain_by_id }
    };

    claimed = line->claimed;

    if (!line->handshake && dm_explain_find_key(cli, claimed, found) == DM_OK) {
        return "its certificate key, which was claimed";
    }

    if (claimed.len > sizeof(plain)) {
        return NULL;
    }

    text = (dm_str_t) { plain, dm_out_unescape(claimed, plain) };

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        /* a handshake that failed tells of a PSK identity alone */

        if (line->handshake && kinds[i].by != DM_BY_PSK) {
            continue;
        }

        if (dm_named_as(cli, kinds[i].by, text, found) == DM_OK) {
            return kinds[i].title;
        }
    }

    return NULL;
}


/*
 * Looks for the key of a certificate, which is not escaped as names are.  A
 * subject may stand behind it, and either may hold what divides them: the
 * longest key that somebody has is the one.  DM_OK, or it is nobody's.
 */
static int
dm_explain_find_key(dm_cli_t *cli, dm_str_t claimed, dm_found_t *found)
{
    dm_str_t  behind, key;

    behind = dm_str(" subject:");

    for (key = claimed; key.len > 0; key.len--) {

        if (key.len != claimed.len
            && (claimed.len - key.len < behind.len
                || memcmp(claimed.data + key.len, behind.data, behind.len)
                   != 0))
        {
            continue;
        }

        if (dm_named_as(cli, DM_BY_CERT, key, found) == DM_OK) {
            return DM_OK;
        }
    }

    return DM_DECLINED;
}


/* line is NULL where an ID is asked for; account is NULL where there is none */
static int
dm_explain_tell(dm_cli_t *cli, const dm_explain_line_t *line,
    const dm_account_t *account, const char *by)
{
    char  *todo;

    if (cli->json) {
        return dm_explain_json(cli, line, account, by);
    }

    if (line != NULL) {
        dm_explain_tell_line(cli, line);
    }

    if (account != NULL) {
        dm_explain_tell_account(account, by);

    } else {
        dm_out_line(stdout, "account     the store has none that the line "
                    "names");
    }

    if (line != NULL) {
        todo = dm_explain_do(cli, line, account, by);
        dm_out_line(stdout, "do          %s", todo ? todo : "-");
        printf("\n");
        free(todo);
    }

    return DM_CLI_DONE;
}


static void
dm_explain_tell_line(dm_cli_t *cli, const dm_explain_line_t *line)
{
    char  *words;

    words = line->meaning ? dm_explain_words(cli, line->meaning->happened)
                          : NULL;

    dm_out_line(stdout, "reason      %.*s", dm_cli_arg(line->reason));
    dm_out_line(stdout, "happened    %s",
                words ? words : "this version does not know the reason");
    free(words);

    if (line->detail.len != 0) {
        words = line->more ? dm_explain_words(cli, line->more->happened)
                           : NULL;
        dm_out_line(stdout, "detail      %.*s%s%s", dm_cli_arg(line->detail),
                    words ? ": " : "", words ? words : "");
        free(words);
    }

    if (line->claimed.len != 0) {
        dm_out_line(stdout, "claimed     %.*s", dm_cli_arg(line->claimed));
    }
}


/* the thing to do, which the caller frees; NULL: out of memory */
static char *
dm_explain_do(dm_cli_t *cli, const dm_explain_line_t *line,
    const dm_account_t *account, const char *by)
{
    char      *text;
    dm_str_t   name;

    if (by != dm_explain_by_id
        || !dm_str_eq(line->reason, dm_str("bad_credentials")))
    {
        return dm_explain_words(cli, dm_advice_todo(line->reason,
                                                    line->detail));
    }

    name = account->name;

    return asprintf(&text, "the user name of this account is \"%.*s\": let "
                    "the device send that, and not the ID",
                    dm_cli_arg(name)) == -1
           ? NULL : text;
}


/*
 * The words with quotes instead of grave accents, and with this store in each
 * command; the caller frees them.  NULL: out of memory.
 */
static char *
dm_explain_words(const dm_cli_t *cli, const char *text)
{
    char        *words;
    FILE        *out;
    size_t       n;
    const char  *program;

    words = NULL;
    out = open_memstream(&words, &n);

    if (out == NULL) {
        return NULL;
    }

    program = dm_advice_program(text);

    for ( /* void */ ; *text != '\0'; text++) {

        if (text == program) {
            dm_explain_option(out, "--store", cli->store_path,
                              DM_DEFAULT_STORE);
            dm_explain_option(out, "--key", cli->key_path, DM_DEFAULT_KEY);
            program = dm_advice_program(text);
        }

        (void) fputc(*text == '`' ? '"' : *text, out);
    }

    if (fclose(out) != 0) {
        free(words);
        return NULL;
    }

    return words;
}


/* writes the option, for a shell, if its value is not the usual one */
static void
dm_explain_option(FILE *out, const char *option, const char *value,
    const char *usual)
{
    if (strcmp(value, usual) == 0) {
        return;
    }

    (void) fprintf(out, " %s ", option);

    if (dm_advice_word(dm_cli_str(value))) {
        (void) fputs(value, out);
        return;
    }

    (void) fputc('\'', out);

    for ( /* void */ ; *value != '\0'; value++) {
        (void) fputs(*value == '\'' ? "'\\'" : "", out);
        (void) fputc(*value, out);
        (void) fputs(*value == '\'' ? "'" : "", out);
    }

    (void) fputc('\'', out);
}


static void
dm_explain_tell_account(const dm_account_t *account, const char *by)
{
    const char  *password;

    password = dm_account_has_ha1(account) ? "a password for Basic and Digest"
               : account->crypt.len != 0 ? "a password for Basic alone"
               : "no password";

    dm_out_line(stdout, "account     %.*s, by %s", dm_cli_arg(account->id), by);
    dm_out_line(stdout, "name        %.*s", dm_cli_arg(account->name));
    dm_out_line(stdout, "state       %s", dm_explain_state(account));
    dm_out_line(stdout, "holds       %s, %u PSKs, %u certificate keys, %u "
                "groups", password, account->npsks, account->ncert_keys,
                account->ngroups);
}


static const char *
dm_explain_state(const dm_account_t *account)
{
    int64_t  now;

    now = (int64_t) time(NULL);

    if (account->state != DM_ACTIVE) {
        return "disabled: it is refused with account_disabled";
    }

    if (account->not_before != 0 && now < account->not_before) {
        return "not valid yet: it is refused with account_expired";
    }

    if (account->not_after != 0 && now > account->not_after) {
        return "expired: it is refused with account_expired";
    }

    return "active";
}


static int
dm_explain_json(dm_cli_t *cli, const dm_explain_line_t *line,
    const dm_account_t *account, const char *by)
{
    char    *means, *happened, *todo;
    json_t  *json;

    means = line && line->more ? dm_explain_words(cli, line->more->happened)
                               : NULL;

    json = json_pack("{s:s*, s:o, s:s*, s:s*}", "found_by", by,
                     "account", account ? dm_json_account(account)
                                        : json_null(),
                     "account_state", account ? dm_explain_state(account)
                                              : NULL,
                     "detail_means", means);
    free(means);

    if (json == NULL || line == NULL) {
        return dm_cli_printed(cli, dm_json_print(json));
    }

    happened = line->meaning ? dm_explain_words(cli, line->meaning->happened)
                             : NULL;
    todo = dm_explain_do(cli, line, account, by);

    if (json_object_set_new(json, "handshake",
                            json_boolean(line->handshake)) != 0
        || json_object_set_new(json, "reason",
                               dm_explain_text(line->reason)) != 0
        || json_object_set_new(json, "detail",
                               dm_explain_text(line->detail)) != 0
        || json_object_set_new(json, "status",
                               dm_explain_text(line->status)) != 0
        || json_object_set_new(json, "claimed",
                               dm_explain_text(line->claimed)) != 0
        || json_object_set_new(json, "happened",
                               dm_explain_text(dm_cli_str(happened
                                                          ? happened : "")))
           != 0
        || json_object_set_new(json, "todo",
                               dm_explain_text(dm_cli_str(todo ? todo : "")))
           != 0)
    {
        json_decref(json);
        json = NULL;
    }

    free(happened);
    free(todo);

    return dm_cli_printed(cli, dm_json_print(json));
}


/* null where there is none, or it is not UTF-8 */
static json_t *
dm_explain_text(dm_str_t str)
{
    json_t  *json;

    json = str.len ? dm_json_str(str) : NULL;

    return json ? json : json_null();
}
