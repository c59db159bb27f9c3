/* Writing entries and beats, and the lines of nodes */

#include <assert.h>
#include <endian.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/engine_internal.h"


#define ENGINE_PAUSE  500               /* ms between two tries */


/* schema.sql has its bounds in figures */
static_assert(DM_FLEET_HEAD_MAX <= 1024, "head");
static_assert(DM_FLEET_BEAT_MAX <= 1024, "beat");
static_assert(DM_FLEET_ENTRY_MAX <= 1052672, "entry");
static_assert(DM_FLEET_ROW_MAX <= 20480, "row");
static_assert(DM_FLEET_KEY == 32, "key");
static_assert(DM_FLEET_CHANGES == 1000, "changes");
static_assert(DM_ENGINE_SAID_MAX == 4096, "said");


static void engine_holder(dm_engine_t *engine, dm_err_t *err);
static int engine_yes(dm_engine_t *engine, const char *doing, const char *sql,
    const dm_engine_params_t *params, unsigned *yes, dm_err_t *err);
static unsigned char *engine_array(const dm_engine_row_t *row, size_t n,
    int keys, size_t *size);
static unsigned char *engine_put(unsigned char *p, size_t value);
static int engine_compare(dm_engine_t *engine, uint64_t number,
    dm_str_t entry, unsigned *same, dm_err_t *err);


int
dm_engine_lock(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err)
{
    int         rc;
    PGresult   *result;
    static const char  doing[] = "locking the fleet's log";

    if (dm_engine_send(engine, doing, "BEGIN; SET LOCAL statement_timeout = 0;"
            " SELECT dm_sec.lock()", NULL, err) != DM_OK)
    {
        return DM_ERROR;
    }

    /* the result of each of the three, or the first that failed */

    rc = DM_OK;

    for ( ;; ) {
        if (dm_engine_take(engine, doing, &result, err) != DM_OK) {
            return DM_ERROR;
        }

        if (result == NULL) {
            break;
        }

        if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
            rc = dm_engine_is(result, "55P03") ? DM_DECLINED
                : dm_engine_failed(engine, doing, result, err);
        }

        PQclear(result);

        if (engine->conn == NULL) {
            return rc;
        }
    }

    if (rc == DM_OK) {
        rc = dm_engine_head(engine, out, err);
        if (rc == DM_OK) {
            return DM_OK;
        }
    }

    dm_engine_abort(engine);

    if (rc == DM_DECLINED) {
        engine_holder(engine, err);
        return DM_ERROR;
    }

    return rc;
}


/* tells whom it was that writers have waited for; only its role can be seen */
static void
engine_holder(dm_engine_t *engine, dm_err_t *err)
{
    int          rc;
    PGresult    *result;
    const char  *who;

    rc = dm_engine_run(engine, "looking who writes",
        "SELECT string_agg(DISTINCT format('%I (process %s)', a.usename,"
        "         a.pid), ', ')"
        "     || CASE WHEN bool_or(a.wait_event = 'SyncRep') THEN ', which"
        " waits for the engine''s standby' ELSE '' END"
        " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a"
        "     ON a.pid = l.pid"
        " WHERE l.relation = 'dm_sec.head'::regclass AND l.granted"
        "     AND l.mode IN ('RowShareLock', 'RowExclusiveLock')"
        "     AND l.pid <> pg_backend_pid() AND NOT EXISTS (SELECT"
        "         FROM pg_catalog.pg_locks w"
        "         WHERE w.pid = l.pid AND NOT w.granted)",
        NULL, &result, NULL);

    who = rc == DM_OK && PQntuples(result) == 1 ? PQgetvalue(result, 0, 0)
                                                : "";

    dm_err_set(err, "another writer has locked the fleet's log%s%s, and was"
        " not done in time: nothing was changed; try again",
        who[0] == '\0' ? "" : ": the role ", who);

    if (rc == DM_OK) {
        PQclear(result);
    }
}


int
dm_engine_append(dm_engine_t *engine, uint64_t before, dm_str_t head,
    dm_str_t entry, const dm_engine_row_t *row, size_t n, dm_err_t *err)
{
    int                 rc;
    size_t              size[2];
    unsigned            yes;
    unsigned char      *keys, *bodies, number[8];
    dm_engine_params_t  params;
    static const char   doing[] = "appending to the fleet's log";

    keys = engine_array(row, n, 1, &size[0]);
    bodies = engine_array(row, n, 0, &size[1]);

    if (keys == NULL || bodies == NULL) {
        dm_err_set(err, "%s: no memory for %zu rows", doing, n);
        free(keys);
        free(bodies);
        return DM_ERROR;
    }

    params.n = 0;
    dm_engine_add_number(&params, number, before);
    dm_engine_add(&params, DM_ENGINE_BYTEA, head.data, head.len);
    dm_engine_add(&params, DM_ENGINE_BYTEA, entry.data, entry.len);
    dm_engine_add(&params, DM_ENGINE_BYTEAS, keys, size[0]);
    dm_engine_add(&params, DM_ENGINE_BYTEAS, bodies, size[1]);

    rc = engine_yes(engine, doing,
        "SELECT dm_sec.append($1, $2, $3, $4, $5)", &params, &yes, err);

    free(keys);
    free(bodies);

    if (rc == DM_OK && !yes) {
        dm_err_set(err, "%s: the last entry is not %llu any more; nothing was"
            " changed, try again", doing, (unsigned long long) before);
        rc = DM_EXISTS;
    }

    if (rc == DM_EXISTS) {
        dm_engine_abort(engine);
    }

    return rc;
}


/* the octets of a bytea[], of the keys or of the bodies; NULL: no memory */
static unsigned char *
engine_array(const dm_engine_row_t *row, size_t n, int keys, size_t *size)
{
    size_t          i;
    dm_str_t        value;
    unsigned char  *array, *p;

    *size = 5 * 4;

    for (i = 0; i < n; i++) {
        value = keys ? row[i].key : row[i].body;
        *size += 4 + (value.data == NULL ? 0 : value.len);
    }

    array = malloc(*size);
    if (array == NULL) {
        return NULL;
    }

    /* dimensions, whether it has NULLs, the type; size and first index */

    p = engine_put(array, n > 0);
    p = engine_put(p, !keys);
    p = engine_put(p, DM_ENGINE_BYTEA);

    if (n == 0) {
        *size = 3 * 4;
        return array;
    }

    p = engine_put(p, n);
    p = engine_put(p, 1);

    for (i = 0; i < n; i++) {
        value = keys ? row[i].key : row[i].body;

        if (value.data == NULL) {
            p = engine_put(p, UINT32_MAX);
            continue;
        }

        p = engine_put(p, value.len);
        memcpy(p, value.data, value.len);
        p += value.len;
    }

    return array;
}


static unsigned char *
engine_put(unsigned char *p, size_t value)
{
    uint32_t  big;

    big = htobe32((uint32_t) value);
    memcpy(p, &big, 4);

    return p + 4;
}


/* runs what returns a boolean */
static int
engine_yes(dm_engine_t *engine, const char *doing, const char *sql,
    const dm_engine_params_t *params, unsigned *yes, dm_err_t *err)
{
    int        rc;
    dm_str_t   octets;
    PGresult  *result;

    rc = dm_engine_run(engine, doing, sql, params, &result, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_engine_octets(result, 0, 0, &octets, 1, doing, err);
    *yes = rc == DM_OK && octets.len == 1 && octets.data[0] == 1;

    PQclear(result);

    return rc;
}


int
dm_engine_commit(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err)
{
    int  rc;

    rc = dm_engine_end(engine, err);

    if (rc == DM_OK && dm_engine_head(engine, out, err) != DM_OK) {
        rc = DM_DECLINED;
    }

    return rc;
}


int
dm_engine_end(dm_engine_t *engine, dm_err_t *err)
{
    int         rc;
    PGresult   *result;
    static const char  doing[] = "committing to the fleet's log";

    if (engine->conn == NULL
        || PQtransactionStatus(engine->conn) == PQTRANS_IDLE)
    {
        dm_err_set(err, "%s: there is no transaction any more, and nothing was"
            " changed", doing);
        return DM_ERROR;
    }

    /* from here on only the engine's answer tells */

    rc = dm_engine_send(engine, doing, "COMMIT", NULL, err);
    if (rc != DM_OK) {
        return rc == DM_EXISTS ? DM_EXISTS : DM_DECLINED;
    }

    if (dm_engine_take(engine, doing, &result, err) != DM_OK) {
        return DM_DECLINED;
    }

    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        rc = dm_engine_is(result, "25P03") ? DM_EXISTS : DM_DECLINED;

        if (PQstatus(engine->conn) == CONNECTION_OK) {
            rc = DM_ERROR;
        }

        if (dm_engine_failed(engine, doing, result, err) == DM_EXISTS) {
            rc = DM_EXISTS;
        }

    } else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        dm_err_set(err, "%s: the engine has ended the transaction, and nothing"
            " was changed; try again", doing);
        rc = DM_EXISTS;

    } else {
        rc = DM_OK;
    }

    PQclear(result);

    if (engine->conn != NULL && dm_engine_drain(engine, doing, NULL) != DM_OK
        && rc == DM_OK)
    {
        dm_err_set(err, "%s: the connection was lost", doing);
        rc = DM_DECLINED;
    }

    /* it is in force here, but a failover may lose it */

    if (rc == DM_OK && engine->warned) {
        dm_err_set(err, "%s: the engine says: %s", doing, engine->warning);
        rc = DM_DECLINED;
    }

    return rc;
}


void
dm_engine_abort(dm_engine_t *engine)
{
    if (engine->conn == NULL
        || PQtransactionStatus(engine->conn) == PQTRANS_IDLE)
    {
        return;
    }

    /* whatever stands in the way of that: the end of the session is its end */

    if (PQtransactionStatus(engine->conn) == PQTRANS_ACTIVE
        || dm_engine_run(engine, "ending the transaction", "ROLLBACK", NULL,
               NULL, NULL) != DM_OK)
    {
        dm_engine_lose(engine, "ending the transaction", "", NULL);
    }
}


int
dm_engine_resolve(dm_engine_t *engine, uint64_t number, dm_str_t entry,
    dm_engine_head_t *out, dm_err_t *err)
{
    int       rc;
    int64_t   end;
    unsigned  same;

    end = dm_engine_now() + 2 * (int64_t) engine->patience;

    for ( ;; ) {
        rc = dm_engine_connect(engine, err);

        if (rc == DM_OK) {
            rc = dm_engine_lock(engine, out, err);
        }

        if (rc == DM_OK) {
            rc = engine_compare(engine, number, entry, &same, err);
        }

        /* it has nothing new, but is behind all that was before it */

        if (rc == DM_OK) {
            rc = dm_engine_end(engine, err);
        }

        if (rc == DM_OK) {
            break;
        }

        dm_engine_abort(engine);

        if (rc == DM_INVALID) {
            return rc;
        }

        if (dm_engine_now() >= end) {
            return DM_ERROR;
        }

        poll(NULL, 0, ENGINE_PAUSE);
    }

    if (!same) {
        dm_err_set(err, "entry %llu of the fleet's log is not the one that was"
            " to be appended: nothing was changed",
            (unsigned long long) number);
        return DM_EXISTS;
    }

    return DM_OK;
}


static int
engine_compare(dm_engine_t *engine, uint64_t number, dm_str_t entry,
    unsigned *same, dm_err_t *err)
{
    int                 rc;
    unsigned char       buf[8];
    dm_engine_params_t  params;

    params.n = 0;
    dm_engine_add_number(&params, buf, number);
    dm_engine_add(&params, DM_ENGINE_BYTEA, entry.data, entry.len);

    rc = engine_yes(engine, "looking for the entry",
        "SELECT EXISTS (SELECT FROM dm_sec.entry e WHERE e.number = $1"
        "     AND e.body = $2)", &params, same, err);

    return rc;
}


int
dm_engine_beat(dm_engine_t *engine, dm_str_t before, dm_str_t beat,
    dm_err_t *err)
{
    int                 rc;
    unsigned            yes, connected;
    dm_engine_params_t  params;
    static const char   doing[] = "writing a beat";

    connected = engine->conn != NULL;

    params.n = 0;
    dm_engine_add(&params, DM_ENGINE_BYTEA,
        before.len == 0 ? NULL : before.data, before.len);
    dm_engine_add(&params, DM_ENGINE_BYTEA, beat.data, beat.len);

    rc = engine_yes(engine, doing, "SELECT dm_sec.beat($1, $2)", &params, &yes,
        err);

    if (rc == DM_ERROR && connected && engine->conn == NULL) {
        return DM_DECLINED;
    }

    if (rc == DM_OK && engine->warned) {
        dm_err_set(err, "%s: the engine says: %s", doing, engine->warning);
        return DM_DECLINED;
    }

    if (rc == DM_OK && !yes) {
        dm_err_set(err, "%s: somebody else has written one", doing);
        return DM_EXISTS;
    }

    return rc;
}


int
dm_engine_tell(dm_engine_t *engine, dm_str_t said, dm_err_t *err)
{
    dm_engine_params_t  params;

    params.n = 0;
    dm_engine_add(&params, DM_ENGINE_BYTEA, said.data, said.len);

    /* it comes again in a moment, and need not wait for disk or standby */

    return dm_engine_run(engine, "telling of this node",
        "SELECT set_config('synchronous_commit', 'off', true),"
        " dm_sec.tell($1)", &params, NULL, err);
}


int
dm_engine_forget(dm_engine_t *engine, const char *name, dm_err_t *err)
{
    int                 rc;
    unsigned            yes;
    dm_engine_params_t  params;
    static const char   doing[] = "forgetting a node";

    params.n = 0;
    dm_engine_add(&params, DM_ENGINE_NAME, name, strlen(name));

    rc = engine_yes(engine, doing, "SELECT dm_sec.forget($1)", &params, &yes,
        err);

    if (rc == DM_OK && !yes) {
        dm_err_set(err, "%s: the role \"%s\" has no line", doing, name);
        return DM_DECLINED;
    }

    return rc;
}


int
dm_engine_prune(dm_engine_t *engine, uint64_t before, uint64_t *n,
    dm_err_t *err)
{
    int                 rc;
    PGresult           *result;
    unsigned char       buf[8];
    dm_engine_params_t  params;
    static const char   doing[] = "pruning the fleet's log";

    params.n = 0;
    dm_engine_add_number(&params, buf, before);

    rc = dm_engine_run(engine, doing, "SELECT dm_sec.prune($1)", &params,
        &result, err);

    if (rc == DM_OK) {
        rc = dm_engine_number(result, 0, 0, n, doing, err);
        PQclear(result);
    }

    return rc;
}
