/* Reading head, beat, entries and rows, and waiting for others of them */

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "fleet/engine_internal.h"


#define ENGINE_VERSION  1               /* of schema.sql */

/* a COPY in binary begins with a signature, flags and a length */
#define ENGINE_COPY      "PGCOPY\n\377\r\n\0"
#define ENGINE_COPY_LEN  (11 + 4 + 4)


/* a piece of a COPY that is read */
typedef struct {
    unsigned char  *p;
    unsigned char  *last;
} engine_piece_t;


static int engine_some(const PGresult *result, int row, int column,
    unsigned char *out, size_t max, size_t *len, const char *what,
    dm_err_t *err);
static int engine_entry(const PGresult *result, uint64_t *from,
    int (*fn)(uint64_t number, unsigned char *octets, size_t len, void *data),
    void *data, dm_err_t *err);
static int engine_copy(dm_engine_t *engine,
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err);
static int engine_piece(dm_engine_t *engine, char **piece, int *len,
    dm_err_t *err);
static int engine_take_rows(engine_piece_t *piece, size_t skip,
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err);
static int engine_row(engine_piece_t *piece, dm_str_t *key, dm_str_t *body);
static int engine_field(engine_piece_t *piece, dm_str_t *field, size_t min,
    size_t max);


static const char  engine_rows[] = "reading the fleet's accounts";


int
dm_engine_head(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err)
{
    int                 rc;
    uint64_t            version;
    PGresult           *result;
    dm_engine_params_t  params;
    static const char   doing[] = "reading the fleet's head";

    params.n = 0;

    rc = dm_engine_run(engine, doing,
        "SELECT dm_sec.version()::bigint, h.number,"
        "     (SELECT min(e.number) FROM dm_sec.entry e), h.body, b.body"
        " FROM dm_sec.head h, dm_sec.beat b", &params, &result, err);
    if (rc != DM_OK) {
        return rc;
    }

    if (dm_engine_number(result, 0, 0, &version, doing, err) != DM_OK
        || dm_engine_number(result, 0, 1, &out->number, doing, err) != DM_OK
        || dm_engine_number(result, 0, 2, &out->oldest, doing, err) != DM_OK
        || engine_some(result, 0, 3, out->head, sizeof(out->head),
               &out->head_len, doing, err) != DM_OK
        || engine_some(result, 0, 4, out->beat, sizeof(out->beat),
               &out->beat_len, doing, err) != DM_OK)
    {
        rc = DM_INVALID;

    } else if (version != ENGINE_VERSION) {
        dm_err_set(err, "%s: the engine's schema has version %llu, and this"
            " program knows version %d", doing, (unsigned long long) version,
            ENGINE_VERSION);
        rc = DM_INVALID;
    }

    PQclear(result);

    return rc;
}


static int
engine_some(const PGresult *result, int row, int column, unsigned char *out,
    size_t max, size_t *len, const char *what, dm_err_t *err)
{
    dm_str_t  octets;

    if (dm_engine_octets(result, row, column, &octets, max, what, err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    memcpy(out, octets.data, octets.len);
    *len = octets.len;

    return DM_OK;
}


int
dm_engine_entries(dm_engine_t *engine, uint64_t from, unsigned max,
    int (*fn)(uint64_t number, unsigned char *octets, size_t len, void *data),
    void *data, dm_err_t *err)
{
    int                 rc;
    PGresult           *result;
    unsigned char       buf[2][8];
    dm_engine_params_t  params;
    static const char   doing[] = "reading the fleet's log";

    params.n = 0;
    dm_engine_add_number(&params, buf[0], from);
    dm_engine_add_number(&params, buf[1], max);

    rc = dm_engine_send(engine, doing,
        "SELECT h.number, e.number, e.body FROM dm_sec.head h LEFT JOIN"
        "     (SELECT number, body FROM dm_sec.entry WHERE number >= $1"
        "         ORDER BY number LIMIT $2) e ON true"
        " ORDER BY e.number", &params, err);
    if (rc != DM_OK) {
        return rc;
    }

    PQsetSingleRowMode(engine->conn);

    while (rc == DM_OK) {
        if (dm_engine_take(engine, doing, &result, err) != DM_OK) {
            return DM_ERROR;
        }

        if (result == NULL) {
            return DM_OK;
        }

        switch (PQresultStatus(result)) {

        case PGRES_SINGLE_TUPLE:
            rc = engine_entry(result, &from, fn, data, err);
            break;

        case PGRES_TUPLES_OK:
            break;

        default:
            rc = dm_engine_failed(engine, doing, result, err);
        }

        PQclear(result);
    }

    /* the connection goes on, but for the rest of these */

    if (engine->conn != NULL) {
        dm_engine_drain(engine, doing, NULL);
    }

    return rc;
}


static int
engine_entry(const PGresult *result, uint64_t *from,
    int (*fn)(uint64_t number, unsigned char *octets, size_t len, void *data),
    void *data, dm_err_t *err)
{
    uint64_t           head, number;
    dm_str_t           octets;
    static const char  doing[] = "reading the fleet's log";

    if (dm_engine_number(result, 0, 0, &head, doing, err) != DM_OK
        || dm_engine_number(result, 0, 1, &number, doing, err) != DM_OK
        || dm_engine_octets(result, 0, 2, &octets, DM_FLEET_ENTRY_MAX, doing,
               err) != DM_OK)
    {
        return DM_INVALID;
    }

    if (number == *from) {
        (*from)++;
        return fn(number, (unsigned char *) PQgetvalue(result, 0, 2),
            octets.len, data);
    }

    if (number == 0 && head < *from) {
        return DM_OK;
    }

    dm_err_set(err, "%s: entry %llu is not there any more", doing,
        (unsigned long long) *from);
    return DM_DECLINED;
}


int
dm_engine_rows(dm_engine_t *engine,
    int (*head)(const dm_engine_head_t *head, void *data),
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err)
{
    int                rc;
    dm_engine_head_t   now;

    rc = dm_engine_run(engine, engine_rows,
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
        " SET LOCAL statement_timeout = 0", NULL, NULL, err);

    if (rc == DM_OK) {
        rc = dm_engine_head(engine, &now, err);
    }

    if (rc == DM_OK) {
        rc = head(&now, data);
    }

    if (rc == DM_OK) {
        rc = engine_copy(engine, row, data, err);
    }

    dm_engine_abort(engine);

    return rc;
}


/* after a failure the rest of them ends with the session */
static int
engine_copy(dm_engine_t *engine,
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err)
{
    int                rc, len;
    char              *octets;
    size_t             skip;
    PGresult          *result;
    engine_piece_t     piece;

    rc = dm_engine_send(engine, engine_rows, "COPY (SELECT r.key, r.body"
        " FROM dm_sec.\"row\" r) TO STDOUT (FORMAT binary)", NULL, err);

    if (rc != DM_OK
        || dm_engine_take(engine, engine_rows, &result, err) != DM_OK)
    {
        return DM_ERROR;
    }

    if (PQresultStatus(result) != PGRES_COPY_OUT) {
        rc = dm_engine_failed(engine, engine_rows, result, err);
        PQclear(result);
        return rc;
    }

    PQclear(result);

    for (skip = ENGINE_COPY_LEN; rc == DM_OK; skip = 0) {
        rc = engine_piece(engine, &octets, &len, err);

        if (rc == DM_DECLINED) {
            return DM_OK;
        }

        if (rc == DM_OK) {
            piece.p = (unsigned char *) octets;
            piece.last = piece.p + len;

            rc = engine_take_rows(&piece, skip, row, data, err);
            PQfreemem(octets);
        }
    }

    if (engine->conn != NULL) {
        dm_engine_lose(engine, engine_rows, "", NULL);
    }

    return rc;
}


/* DM_OK: a piece, which the caller frees; DM_DECLINED: that was the last */
static int
engine_piece(dm_engine_t *engine, char **piece, int *len, dm_err_t *err)
{
    int        rc;
    PGresult  *result;

    for ( ;; ) {
        *len = PQgetCopyData(engine->conn, piece, 1);

        if (*len > 0) {
            return DM_OK;
        }

        if (*len < 0) {
            break;
        }

        if (dm_engine_more(engine, engine_rows, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    if (dm_engine_take(engine, engine_rows, &result, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = *len == -1 && PQresultStatus(result) == PGRES_COMMAND_OK
         ? dm_engine_drain(engine, engine_rows, err)
         : dm_engine_failed(engine, engine_rows, result, err);

    PQclear(result);

    return rc == DM_OK ? DM_DECLINED : rc;
}


static int
engine_take_rows(engine_piece_t *piece, size_t skip,
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err)
{
    int       rc;
    dm_str_t  key, body;

    rc = DM_OK;

    if (skip > 0 && ((size_t) (piece->last - piece->p) < skip
        || memcmp(piece->p, ENGINE_COPY, sizeof(ENGINE_COPY) - 1) != 0))
    {
        rc = DM_INVALID;
    }

    piece->p += rc == DM_OK ? skip : 0;

    while (rc == DM_OK && piece->p < piece->last) {
        rc = engine_row(piece, &key, &body);

        if (rc == DM_DECLINED) {
            return DM_OK;
        }

        if (rc == DM_OK) {
            rc = row(key, (unsigned char *) body.data, body.len, data);
            if (rc != DM_OK) {
                return rc;
            }
        }
    }

    if (rc != DM_OK) {
        dm_err_set(err, "%s: the engine hands out what is no row",
            engine_rows);
    }

    return rc;
}


/* DM_OK; DM_DECLINED: the end of all rows; DM_INVALID */
static int
engine_row(engine_piece_t *piece, dm_str_t *key, dm_str_t *body)
{
    uint16_t  fields;

    if (piece->last - piece->p < 2) {
        return DM_INVALID;
    }

    memcpy(&fields, piece->p, 2);
    piece->p += 2;

    if (fields == UINT16_MAX) {
        return piece->p == piece->last ? DM_DECLINED : DM_INVALID;
    }

    if (fields != htobe16(2)
        || engine_field(piece, key, DM_FLEET_KEY, DM_FLEET_KEY) != DM_OK)
    {
        return DM_INVALID;
    }

    return engine_field(piece, body, 1, DM_FLEET_ROW_MAX);
}


static int
engine_field(engine_piece_t *piece, dm_str_t *field, size_t min, size_t max)
{
    size_t    left;
    uint32_t  len;

    left = (size_t) (piece->last - piece->p);
    if (left < 4) {
        return DM_INVALID;
    }

    memcpy(&len, piece->p, 4);
    len = be32toh(len);

    if (len < min || len > max || len > left - 4) {
        return DM_INVALID;
    }

    field->data = piece->p + 4;
    field->len = len;
    piece->p += 4 + len;

    return DM_OK;
}


int
dm_engine_wait(dm_engine_t *engine, int fd, int ms, dm_err_t *err)
{
    int            n;
    int64_t        end, left;
    PGnotify      *notify;
    struct pollfd  pfd[2];
    static const char  doing[] = "waiting for the engine";

    if (!engine->listening) {
        engine->listening = 1;
        return dm_engine_run(engine, doing, "LISTEN dm_sec", NULL, NULL, err);
    }

    end = dm_engine_now() + ms;

    for ( ;; ) {
        for (n = 0; (notify = PQnotifies(engine->conn)) != NULL; n++) {
            PQfreemem(notify);
        }

        if (n > 0) {
            return DM_OK;
        }

        pfd[0].fd = PQsocket(engine->conn);
        pfd[0].events = POLLIN;
        pfd[1].fd = fd;
        pfd[1].events = POLLIN;

        left = end - dm_engine_now();
        n = poll(pfd, 2, left > 0 ? (int) left : 0);

        if (n == 0) {
            return DM_DECLINED;
        }

        if (n < 0) {
            return errno == EINTR ? DM_OK
                : dm_engine_lose(engine, doing, strerror(errno), err);
        }

        if (pfd[0].revents != 0 && PQconsumeInput(engine->conn) != 1) {
            return dm_engine_lose(engine, doing, engine->warned
                ? engine->warning : PQerrorMessage(engine->conn), err);
        }

        if (fd >= 0 && pfd[1].revents != 0) {
            return DM_OK;
        }
    }
}


int
dm_engine_nodes(dm_engine_t *engine,
    int (*fn)(const char *name, dm_str_t said, int64_t at, void *data),
    void *data, dm_err_t *err)
{
    int                 rc, i;
    char                name[DM_ENGINE_NAME_MAX + 1];
    uint64_t            at;
    dm_str_t            who, said;
    PGresult           *result;
    dm_engine_params_t  params;
    static const char   doing[] = "reading who follows the fleet";

    params.n = 0;

    rc = dm_engine_run(engine, doing, "SELECT n.name, n.said,"
        " extract(epoch FROM n.at)::bigint FROM dm_sec.node n"
        " ORDER BY n.name", &params, &result, err);

    if (rc != DM_OK) {
        return rc;
    }

    for (i = 0; rc == DM_OK && i < PQntuples(result); i++) {
        if (dm_engine_octets(result, i, 0, &who, DM_ENGINE_NAME_MAX, doing,
                err) != DM_OK
            || dm_engine_octets(result, i, 1, &said, DM_ENGINE_SAID_MAX,
                   doing, err) != DM_OK
            || dm_engine_number(result, i, 2, &at, doing, err) != DM_OK)
        {
            rc = DM_INVALID;
            break;
        }

        memcpy(name, who.data, who.len);
        name[who.len] = '\0';

        rc = fn(name, said, (int64_t) at, data);
    }

    PQclear(result);

    return rc;
}
