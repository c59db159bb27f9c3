/*
 * Calls the functions of fleet/engine.h for t/fleet_engine.t: a line of its
 * standard input is a call, with words for what the fleet has sealed, and a
 * line of its standard output is the result.
 *
 * A word "-" is nothing; "@N" is N octets.  A row is KEY=BODY, or KEY, which
 * deletes it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/engine.h"


#define WORDS  1100


typedef struct {
    dm_engine_row_t  row[WORDS];
    unsigned char    key[WORDS][DM_FLEET_KEY];
    size_t           n;
    size_t           next;              /* of those that are published */
    size_t           many;              /* as often as this */
} rows_t;


static char          line[64 * 1024];
static char         *word[WORDS];
static size_t        words;
static dm_engine_t  *engine;
static dm_err_t      err;
static rows_t        rows;
static int           count, most;       /* handed out, and to be */


static void call(const char *name);
static int call_rest(const char *name);
static dm_str_t octets(size_t n);
static void read_rows(size_t first);
static void answer(int rc);
static void answer_head(int rc, const dm_engine_head_t *head);
static void say_head(const dm_engine_head_t *head);
static int take_entry(uint64_t number, unsigned char *body, size_t len,
    void *data);
static int take_head(const dm_engine_head_t *head, void *data);
static int take_row(dm_str_t key, unsigned char *body, size_t len, void *data);
static int take_node(const char *name, dm_str_t said, int64_t at, void *data);
static int give_row(dm_engine_row_t *row, void *data);


int
main(void)
{
    char  *p;

    /* wait-stdin must see what is not read yet */

    (void) setvbuf(stdin, NULL, _IONBF, 0);
    (void) setvbuf(stdout, NULL, _IOLBF, 0);

    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        words = 0;
        err.text[0] = '\0';
        count = 0;
        most = 0;

        if (strncmp(line, "open ", 5) == 0) {
            dm_engine_close(engine);
            answer(dm_engine_open(&engine, line + 5, "driver", &err));
            continue;
        }

        for (p = strtok(line, " "); p != NULL && words < WORDS;
             p = strtok(NULL, " "))
        {
            word[words++] = p;
        }

        if (words == 0) {
            continue;
        }

        call(word[0]);
    }

    dm_engine_close(engine);

    return 0;
}


static unsigned long
number(size_t n)
{
    return n < words ? strtoul(word[n], NULL, 10) : 0;
}


static void
call(const char *name)
{
    int               rc;
    dm_engine_head_t  head;

    if (strcmp(name, "head") == 0) {
        rc = dm_engine_head(engine, &head, &err);
        answer_head(rc, &head);

    } else if (strcmp(name, "lock") == 0) {
        rc = dm_engine_lock(engine, &head, &err);
        answer_head(rc, &head);

    } else if (strcmp(name, "commit") == 0) {
        rc = dm_engine_commit(engine, &head, &err);
        answer_head(rc, &head);

    } else if (strcmp(name, "resolve") == 0) {
        rc = dm_engine_resolve(engine, number(1), octets(2), &head, &err);
        answer_head(rc, &head);

    } else if (strcmp(name, "append") == 0) {
        read_rows(4);
        answer(dm_engine_append(engine, number(1), octets(2), octets(3),
            rows.row, rows.n, &err));

    } else if (strcmp(name, "entries") == 0) {
        most = (int) number(3);
        answer(dm_engine_entries(engine, number(1), (unsigned) number(2),
            take_entry, NULL, &err));

    } else if (strcmp(name, "rows") == 0) {
        most = (int) number(1);
        rc = dm_engine_rows(engine, take_head, take_row, NULL, &err);
        printf("%d ", count);
        answer(rc);

    } else {
        answer(call_rest(name));
    }
}


static int
call_rest(const char *name)
{
    int                rc;
    uint64_t           n;
    dm_engine_about_t  about;

    if (strcmp(name, "abort") == 0) {
        dm_engine_abort(engine);
        return DM_OK;
    }

    if (strcmp(name, "patience") == 0) {
        dm_engine_patience(engine, (int) number(1));
        return DM_OK;
    }

    if (strcmp(name, "about") == 0) {
        dm_engine_about(engine, &about);
        printf("%d %s %s %s %u ", about.version / 10000, about.user,
            about.database, about.tls == NULL ? "-" : about.tls,
            about.standby);
        return DM_OK;
    }

    if (strcmp(name, "wait") == 0) {
        return dm_engine_wait(engine, -1, (int) number(1), &err);
    }

    if (strcmp(name, "wait-stdin") == 0) {
        return dm_engine_wait(engine, 0, (int) number(1), &err);
    }

    if (strcmp(name, "beat") == 0) {
        return dm_engine_beat(engine, octets(1), octets(2), &err);
    }

    if (strcmp(name, "tell") == 0) {
        return dm_engine_tell(engine, octets(1), &err);
    }

    if (strcmp(name, "nodes") == 0) {
        return dm_engine_nodes(engine, take_node, NULL, &err);
    }

    if (strcmp(name, "forget") == 0) {
        return dm_engine_forget(engine, word[1], &err);
    }

    if (strcmp(name, "prune") == 0) {
        rc = dm_engine_prune(engine, number(1), &n, &err);

        if (rc == DM_OK) {
            printf("%llu ", (unsigned long long) n);
        }

        return rc;
    }

    if (strcmp(name, "install") == 0) {
        return dm_engine_install(engine, &err);
    }

    if (strcmp(name, "publish") == 0 || strcmp(name, "replace") == 0) {
        read_rows(3);
        return dm_engine_publish(engine, number(1), octets(2), give_row, NULL,
            name[0] == 'r', &err);
    }

    dm_err_set(&err, "there is no such call");
    return DM_INVALID;
}


static dm_str_t
octets(size_t n)
{
    dm_str_t               value;
    static unsigned char   buf[3][2 * 1024 * 1024];

    value.data = (const unsigned char *) (n < words ? word[n] : "-");
    value.len = strlen((const char *) value.data);

    if (dm_str_eq(value, dm_str("-"))) {
        value.len = 0;

    } else if (value.data[0] == '@') {
        value.len = strtoul(word[n] + 1, NULL, 10);
        memset(buf[n % 3], 'x', value.len);
        value.data = buf[n % 3];
    }

    return value;
}


static void
read_rows(size_t first)
{
    char   *body;
    size_t  i;

    rows.n = 0;
    rows.next = 0;
    rows.many = 1;

    for (i = first; i < words; i++) {
        if (word[i][0] == '*') {
            rows.many = strtoul(word[i] + 1, NULL, 10);
            continue;
        }

        body = strchr(word[i], '=');

        if (body != NULL) {
            *body++ = '\0';
        }

        memset(rows.key[rows.n], ' ', DM_FLEET_KEY);
        memcpy(rows.key[rows.n], word[i], strlen(word[i]));
        rows.row[rows.n].key = (dm_str_t) { rows.key[rows.n], DM_FLEET_KEY };
        rows.row[rows.n].body = (dm_str_t) { NULL, 0 };

        if (body != NULL) {
            word[i] = body;
            rows.row[rows.n].body = octets(i);
        }

        rows.n++;
    }
}


static void
answer(int rc)
{
    static const char *const  name[] = { "OK", "DECLINED", "INVALID", "EXISTS",
                                         "ERROR", "USELESS" };

    printf("%s%s%s\n", name[-rc], err.text[0] == '\0' ? "" : ": ", err.text);
}


static void
answer_head(int rc, const dm_engine_head_t *head)
{
    if (rc == DM_OK) {
        say_head(head);
    }

    answer(rc);
}


static void
say_head(const dm_engine_head_t *head)
{
    printf("%llu %llu %.*s %.*s ", (unsigned long long) head->number,
        (unsigned long long) head->oldest,
        head->head_len == 0 ? 1 : (int) head->head_len,
        head->head_len == 0 ? "-" : (const char *) head->head,
        head->beat_len == 0 ? 1 : (int) head->beat_len,
        head->beat_len == 0 ? "-" : (const char *) head->beat);
}


static int
take_entry(uint64_t n, unsigned char *body, size_t len, void *data)
{
    (void) data;

    if (len > 20) {
        printf("%llu:@%zu ", (unsigned long long) n, len);

    } else {
        printf("%llu:%.*s ", (unsigned long long) n, (int) len, body);
    }

    return ++count == most ? DM_USELESS : DM_OK;
}


static int
take_head(const dm_engine_head_t *head, void *data)
{
    (void) data;

    say_head(head);
    printf("; go on?\n");

    return fgets(line, sizeof(line), stdin) == NULL ? DM_USELESS : DM_OK;
}


static int
take_row(dm_str_t key, unsigned char *body, size_t len, void *data)
{
    size_t  n;

    (void) data;

    for (n = key.len; n > 0 && key.data[n - 1] == ' '; n--) {
        /* void */
    }

    if (count < 20) {
        if (len > 20) {
            printf("%.*s=@%zu ", (int) n, key.data, len);

        } else {
            printf("%.*s=%.*s ", (int) n, key.data, (int) len, body);
        }
    }

    return ++count == most ? DM_USELESS : DM_OK;
}


static int
take_node(const char *name, dm_str_t said, int64_t at, void *data)
{
    (void) data;

    printf("%s=%.*s%s ", name, (int) said.len, said.data,
        at > 1600000000 ? "" : " long ago");

    return DM_OK;
}


/* those that were read, or many whose keys are counted */
static int
give_row(dm_engine_row_t *row, void *data)
{
    size_t                n;
    static unsigned char  key[DM_FLEET_KEY + 1];

    (void) data;

    if (rows.n == 0 || rows.next == rows.n * rows.many) {
        return DM_DECLINED;
    }

    n = rows.next++;
    *row = rows.row[n % rows.n];

    if (rows.many > 1) {
        (void) snprintf((char *) key, sizeof(key), "%-32zu", n);
        row->key.data = key;
    }

    return DM_OK;
}
