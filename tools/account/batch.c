/* dm-account batch: a line of stdin is a verb, a line of stdout its answer */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/audit.h"
#include "account/authority.h"
#include "account/batch_line.h"
#include "account/cli_store.h"
#include "account/verbs.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/room.h"


/* one transaction has no more, for other writers wait for it */
#define DM_BATCH_LINES   1000
#define DM_BATCH_OCTETS  (128 * 1024)

/* room in the store for the octets of a line, and beside them */
#define DM_BATCH_GROWTH  96
#define DM_BATCH_ROOM    (1024 * 1024)

/* beside what a verb returns: the store cannot be written, and it was told */
#define DM_BATCH_NO_TURN  (-1)


/* an answer that is not yet given, and its line for syslog */
typedef struct {
    json_t           *json;
    int               audit;
    int               refused;
    int               made;                 /* a secret, which is in it */
    const dm_verb_t  *verb;
    size_t            id_len;
    unsigned char     id[DM_ID_MAX];
    char              note[256];
} dm_batch_answer_t;


typedef struct {
    dm_cli_t          *cli;
    uint64_t           number;              /* of the line */
    int                bad;
    int                written;             /* by the open transaction */

    size_t             octets;              /* of lines since it began */
    unsigned           n;
    dm_batch_answer_t  answer[DM_BATCH_LINES];

    size_t             start;               /* in buf, of what is not read */
    size_t             len;
    size_t             cut;                 /* of a line that is too long */
    int                end;
    unsigned char      buf[2 * DM_BATCH_TEXT];
    dm_batch_line_t    words;
} dm_batch_t;


static int dm_batch_run(dm_cli_t *cli, int argc, char **argv);
static int dm_batch_lines(dm_batch_t *batch);
static int dm_batch_next(dm_batch_t *batch, dm_str_t *line);
static int dm_batch_more(dm_batch_t *batch);
static int dm_batch_do(dm_batch_t *batch, dm_str_t text);
static void dm_batch_forget(dm_batch_t *batch);
static int dm_batch_is_slow(const dm_batch_t *batch);
static int dm_batch_verb(dm_batch_t *batch, dm_str_t text);
static void dm_batch_answer(dm_batch_t *batch, int status);
static int dm_batch_begin(dm_batch_t *batch, int hasty);
static int dm_batch_turn(dm_batch_t *batch, int hasty);
static int dm_batch_commit(dm_batch_t *batch);
static int dm_batch_unheard(dm_batch_t *batch);
static void dm_batch_drop(dm_batch_t *batch);
static int dm_batch_give(dm_batch_t *batch);
static void dm_batch_as(dm_cli_t *cli, const dm_batch_answer_t *answer);
static unsigned dm_batch_lost(dm_batch_t *batch);
static void dm_batch_spoil(dm_batch_t *batch);


static const struct option  dm_batch_opts[] = {
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_batch = {
    "batch",
    "",
    "do what lines on stdin say, each with an answer",

    "A line is an object of JSON: \"verb\", which is add, set, disable,\n"
    "enable, unlock, del or show, \"id\", and the options of that verb by\n"
    "their names: true, a string, or an array of strings. \"password\" and\n"
    "\"psk\", in hex, are the secrets themselves. \"tag\" comes back.\n"
    "\n"
    "An answer is a line of JSON, in the order of the lines, with \"line\";\n"
    "else it is what --json of the verb prints, or \"error\" and \"code\".\n"
    "When it is given, its change is in force. A line that is refused ends\n"
    "nothing. Lines that come together are one transaction, at most 1000.\n"
    "Exits with 0 only if no line was refused.\n"
    "\n"
    "example:\n"
    "  echo '{\"verb\":\"disable\",\"id\":\"IMEI:493005100592800\"}' |\n"
    "      dm-account batch\n",

    dm_batch_opts,
    dm_batch_run
};


static int
dm_batch_run(dm_cli_t *cli, int argc, char **argv)
{
    int          rc;
    dm_batch_t  *batch;

    if (dm_cli_getopt(cli, ":", dm_batch_opts, argc, argv) != 0) {
        return cli->status;
    }

    if (dm_cli_no_operand(cli, argc) != DM_CLI_DONE) {
        return DM_CLI_USAGE;
    }

    /* a first line that disables shall not wait for a writer */

    cli->json = 1;
    cli->batch = 1;
    cli->hasty = 1;

    rc = dm_cli_open_at(cli, cli->store_path, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    batch = calloc(1, sizeof(dm_batch_t));

    if (batch == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    batch->cli = cli;
    (void) signal(SIGPIPE, SIG_IGN);

    dm_batch_forget(batch);

    rc = dm_batch_lines(batch);

    OPENSSL_cleanse(batch, sizeof(dm_batch_t));
    free(batch);

    return rc;
}


static int
dm_batch_lines(dm_batch_t *batch)
{
    int       rc;
    dm_str_t  line;

    for ( ;; ) {
        rc = dm_batch_next(batch, &line);

        if (rc == DM_DECLINED) {
            rc = dm_batch_commit(batch);
            break;
        }

        if (rc == DM_OK) {
            rc = dm_batch_do(batch, line);
        }

        if (rc != DM_OK) {
            break;
        }
    }

    if (rc != DM_OK) {
        return DM_CLI_REFUSED;
    }

    return batch->bad ? DM_CLI_REFUSED : DM_CLI_DONE;
}


/*
 * DM_OK, DM_DECLINED: there is none; DM_ERROR, which is told.  Of a line that
 * is longer than DM_BATCH_TEXT the length alone is right.
 */
static int
dm_batch_next(dm_batch_t *batch, dm_str_t *line)
{
    int             rc;
    unsigned char  *p, *end;

    for ( ;; ) {
        p = batch->buf + batch->start;
        end = memchr(p, '\n', batch->len);

        if (end == NULL && batch->end && batch->len + batch->cut > 0) {
            end = p + batch->len;
            batch->len++;
        }

        if (end != NULL) {
            *line = (dm_str_t) { p, (size_t) (end - p) };
            batch->start += line->len + 1;
            batch->len -= line->len + 1;
            batch->number++;

            line->len += batch->cut;
            batch->cut = 0;

            return DM_OK;
        }

        if (batch->end) {
            return DM_DECLINED;
        }

        rc = dm_batch_more(batch);

        if (rc != DM_OK) {
            return rc;
        }
    }
}


/* reads what there is; who waits for an answer has it before this waits */
static int
dm_batch_more(dm_batch_t *batch)
{
    ssize_t        n;
    struct pollfd  in;

    memmove(batch->buf, batch->buf + batch->start, batch->len);
    batch->start = 0;

    if (batch->len > DM_BATCH_TEXT) {
        OPENSSL_cleanse(batch->buf, batch->len);
        batch->cut += batch->len;
        batch->len = 0;
    }

    in = (struct pollfd) { STDIN_FILENO, POLLIN, 0 };

    if (batch->n != 0 && poll(&in, 1, 0) != 1
        && dm_batch_commit(batch) != DM_OK)
    {
        return DM_ERROR;
    }

    do {
        n = read(STDIN_FILENO, batch->buf + batch->len,
                 sizeof(batch->buf) - batch->len - 1);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        (void) dm_batch_commit(batch);
        (void) dm_cli_refuse(batch->cli, DM_CODE_BAD_FILE, "cannot read "
                             "stdin: %s", strerror(errno));
        return DM_ERROR;
    }

    batch->len += (size_t) n;
    batch->end = (n == 0);

    return DM_OK;
}


static int
dm_batch_do(dm_batch_t *batch, dm_str_t text)
{
    int            rc;
    dm_cli_t      *cli;
    dm_cli_line_t  line;

    cli = batch->cli;

    memset(&line, 0, sizeof(dm_cli_line_t));
    cli->line = &line;
    cli->said[0] = '\0';

    rc = dm_batch_verb(batch, text);

    if (rc == DM_BATCH_NO_TURN) {
        dm_batch_forget(batch);
        (void) dm_batch_give(batch);
        return DM_ERROR;
    }

    batch->written |= line.written;
    batch->octets += dm_batch_is_slow(batch) ? DM_BATCH_OCTETS : text.len;
    dm_batch_answer(batch, rc);
    dm_batch_forget(batch);

    /* of a transaction that failed in the middle nothing can be kept */

    if (rc == DM_CLI_REFUSED && (line.code == DM_CODE_STORE_FAILED
                                 || line.code == DM_CODE_SYSTEM))
    {
        dm_batch_spoil(batch);
        (void) dm_batch_give(batch);
        return DM_ERROR;
    }

    if (batch->n == DM_BATCH_LINES || batch->octets >= DM_BATCH_OCTETS) {
        return dm_batch_commit(batch);
    }

    return DM_OK;
}


/*
 * Ends a line: nothing in cli is of it any more, or points into its words.  But
 * what was said of the last one stays, for the end of the batch in syslog.
 */
static void
dm_batch_forget(dm_batch_t *batch)
{
    dm_cli_t  *cli;

    cli = batch->cli;

    X509_free(cli->named.cert);
    memset(&cli->named, 0, sizeof(dm_named_t));

    cli->line = NULL;
    cli->verb = &dm_verb_batch;
    cli->id.len = 0;
    cli->seen = 0;
    cli->same = 0;
    cli->note[0] = '\0';

    dm_batch_wipe(&batch->words);
}


/* others do not wait for a second slow hash */
static int
dm_batch_is_slow(const dm_batch_t *batch)
{
    return json_is_true(json_object_get(batch->words.json, "slow_hash"))
           || json_is_true(json_object_get(batch->words.json, "slow-hash"));
}


static int
dm_batch_verb(dm_batch_t *batch, dm_str_t text)
{
    int        rc;
    dm_cli_t  *cli;

    cli = batch->cli;

    if (text.len > DM_BATCH_TEXT) {
        return dm_cli_refuse(cli, DM_CODE_LIMIT, "the line is longer than %d "
                             "octets", DM_BATCH_TEXT);
    }

    rc = dm_batch_parse(cli, &batch->words, text);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_batch_begin(batch, batch->words.verb == &dm_verb_disable) != DM_OK)
    {
        return DM_BATCH_NO_TURN;
    }

    cli->verb = batch->words.verb;
    optind = 0;

    return cli->verb->run(cli, batch->words.argc, batch->words.argv);
}


static void
dm_batch_answer(dm_batch_t *batch, int status)
{
    json_t             *json;
    dm_cli_t           *cli;
    dm_batch_answer_t  *answer;

    cli = batch->cli;
    answer = &batch->answer[batch->n++];
    json = cli->line->result;

    answer->refused = (status != DM_CLI_DONE);

    if (answer->refused) {
        batch->bad = 1;
        json_decref(json);
        json = json_pack("{s:o, s:s}", "error", dm_json_text(cli->said),
                         "code", dm_code_name(cli->line->code));
    }

    (void) json_object_set_new(json, "line",
                               json_integer((json_int_t) batch->number));

    if (batch->words.json != NULL) {
        (void) json_object_set(json, "tag",
                               json_object_get(batch->words.json, "tag"));
    }

    answer->json = json;
    answer->audit = (cli->verb != &dm_verb_show);
    answer->made = answer->audit && !answer->refused
                   && (json_object_get(json, "password") != NULL
                       || json_object_get(json, "psk") != NULL);
    answer->verb = cli->verb;
    answer->id_len = cli->id.len;
    memcpy(answer->id, cli->id_buf, cli->id.len);
    memcpy(answer->note, cli->note, sizeof(answer->note));

    if (answer->refused) {
        dm_cli_audit_end(cli, status, batch->words.argc, batch->words.argv);
    }
}


/* hasty: the line only disables */
static int
dm_batch_begin(dm_batch_t *batch, int hasty)
{
    int             rc;
    dm_cli_t       *cli;
    dm_cli_line_t  *line;

    cli = batch->cli;

    if (cli->writing || (hasty && cli->beside[0] != '\0')) {
        return DM_OK;
    }

    /* no refusal here is a matter of this line */

    line = cli->line;
    cli->line = NULL;

    rc = dm_batch_turn(batch, hasty);

    cli->line = line;

    return rc;
}


static int
dm_batch_turn(dm_batch_t *batch, int hasty)
{
    dm_cli_t  *cli;

    cli = batch->cli;

    if (cli->beside[0] != '\0' && dm_batch_commit(batch) != DM_OK) {
        return DM_ERROR;
    }

    if (dm_cli_reopen(cli, hasty) != DM_CLI_DONE) {
        return DM_ERROR;
    }

    dm_store_reserve(cli->store, DM_BATCH_ROOM
                     + (uint64_t) DM_BATCH_GROWTH
                       * (DM_BATCH_OCTETS + DM_BATCH_TEXT));

    if (dm_cli_begin(cli) != DM_CLI_DONE) {
        return DM_ERROR;
    }

    batch->written = 0;
    batch->octets = 0;

    return DM_OK;
}


/* ends the transaction and gives the answers.  DM_OK, or DM_ERROR */
static int
dm_batch_commit(dm_batch_t *batch)
{
    int        rc, written;
    dm_cli_t  *cli;

    cli = batch->cli;
    rc = DM_OK;
    written = batch->written;

    if (cli->writing && written && dm_batch_unheard(batch)) {
        return DM_ERROR;
    }

    if (written && (cli->writing || cli->beside[0] != '\0')) {
        rc = dm_cli_written(cli);

    } else if (cli->writing) {
        dm_store_abort(cli->store);
    }

    cli->writing = 0;
    cli->beside[0] = '\0';
    batch->written = 0;

    if (rc != DM_OK) {
        dm_batch_spoil(batch);
        (void) dm_batch_give(batch);
        return DM_ERROR;
    }

    rc = dm_batch_give(batch);

    if (written) {
        dm_cli_warn_challenge(cli);
    }

    dm_progress_give_way();

    return rc;
}


/*
 * 1 if nobody could get the answers: then nothing of the transaction is kept,
 * and that was told; else 0.  For a secret that was made there is room now.
 */
static int
dm_batch_unheard(dm_batch_t *batch)
{
    int        rc;
    size_t     octets;
    unsigned   i, made;
    dm_cli_t  *cli;

    cli = batch->cli;
    octets = 0;
    made = 0;

    for (i = 0; i < batch->n; i++) {
        made |= (unsigned) batch->answer[i].made;
    }

    for (i = 0; made && i < batch->n; i++) {
        octets += dm_json_size(batch->answer[i].json);
    }

    rc = dm_room(STDOUT_FILENO, octets);

    if (rc == 0) {
        return 0;
    }

    dm_store_abort(cli->store);
    cli->writing = 0;

    (void) dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "cannot write to stdout: "
                         "%s; nothing of line %llu and those behind it is "
                         "kept", strerror(rc),
                         (unsigned long long) batch->number - batch->n + 1);
    dm_batch_drop(batch);

    return 1;
}


static void
dm_batch_drop(dm_batch_t *batch)
{
    unsigned  i;

    for (i = 0; i < batch->n; i++) {
        json_decref(batch->answer[i].json);
        OPENSSL_cleanse(&batch->answer[i], sizeof(dm_batch_answer_t));
    }

    batch->n = 0;
}


static int
dm_batch_give(dm_batch_t *batch)
{
    int                 rc, why;
    unsigned            i, lost;
    dm_cli_t           *cli;
    dm_batch_answer_t  *answer;

    cli = batch->cli;
    rc = DM_OK;

    for (i = 0; i < batch->n; i++) {
        answer = &batch->answer[i];

        if (answer->audit && !answer->refused) {
            dm_batch_as(cli, answer);
            memcpy(cli->note, answer->note, sizeof(cli->note));
            dm_cli_audit(cli);
        }

        if (dm_json_print(answer->json) != DM_OK) {
            rc = DM_ERROR;
        }

        answer->json = NULL;
    }

    if (fflush(stdout) != 0) {
        rc = DM_ERROR;
    }

    why = errno;
    lost = (rc == DM_OK) ? 0 : dm_batch_lost(batch);

    dm_batch_drop(batch);

    cli->id.len = 0;
    cli->note[0] = '\0';
    cli->verb = &dm_verb_batch;

    if (rc != DM_OK) {
        (void) dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "cannot write to "
                             "stdout: %s; what was answered is in force, and "
                             "perhaps the lines behind it, up to line %llu%s",
                             strerror(why),
                             (unsigned long long) batch->number,
                             lost ? ", with secrets that nobody has got: see "
                                    "secret=lost in syslog, and make them anew"
                                  : "");
    }

    return rc;
}


/* syslog gets what comes as of that answer's verb and account */
static void
dm_batch_as(dm_cli_t *cli, const dm_batch_answer_t *answer)
{
    cli->verb = answer->verb;
    cli->id = (dm_str_t) { answer->id, answer->id_len };
}


/* tells syslog of secrets that may be in force and unseen: how many */
static unsigned
dm_batch_lost(dm_batch_t *batch)
{
    unsigned            i, lost;
    dm_batch_answer_t  *answer;

    lost = 0;

    for (i = 0; i < batch->n; i++) {
        answer = &batch->answer[i];

        if (answer->made && !answer->refused) {
            dm_batch_as(batch->cli, answer);
            (void) snprintf(batch->cli->note, sizeof(batch->cli->note),
                            "secret=lost");
            dm_cli_audit(batch->cli);
            lost++;
        }
    }

    return lost;
}


/* nothing of the transaction is kept: all answers say so */
static void
dm_batch_spoil(dm_batch_t *batch)
{
    unsigned            i;
    json_t             *line, *tag;
    dm_cli_t           *cli;
    dm_batch_answer_t  *answer;

    cli = batch->cli;

    if (cli->writing) {
        dm_store_abort(cli->store);
        cli->writing = 0;
    }

    for (i = 0; i < batch->n; i++) {
        answer = &batch->answer[i];

        if (answer->refused) {
            continue;
        }

        line = json_object_get(answer->json, "line");
        tag = json_object_get(answer->json, "tag");
        line = json_pack("{s:s, s:s, s:O, s:O*}", "error", cli->err.text,
                         "code", dm_code_name(dm_authority_code(cli)),
                         "line", line, "tag", tag);
        json_decref(answer->json);
        answer->json = line;
        answer->refused = 1;
    }
}
