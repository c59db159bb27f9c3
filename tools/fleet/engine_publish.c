/* Making a fleet in a database: the schema, and its first state */

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/engine_internal.h"


#define ENGINE_BUFFER  (256 * 1024)
#define ENGINE_ROW     (2 + 4 + DM_FLEET_KEY + 4 + DM_FLEET_ROW_MAX)


/* rows on their way */
typedef struct {
    size_t         len;
    unsigned char  octets[ENGINE_BUFFER + ENGINE_ROW];
} engine_buffer_t;


static int engine_vacant(dm_engine_t *engine, unsigned replace, dm_err_t *err);
static int engine_fill(dm_engine_t *engine,
    int (*next)(dm_engine_row_t *row, void *data), void *data, dm_err_t *err);
static int engine_pour(dm_engine_t *engine, engine_buffer_t *buffer,
    int (*next)(dm_engine_row_t *row, void *data), void *data, dm_err_t *err);
static int engine_buffer_row(engine_buffer_t *buffer,
    const dm_engine_row_t *row, dm_err_t *err);
static int engine_buffer_send(dm_engine_t *engine, engine_buffer_t *buffer,
    dm_err_t *err);
static void engine_buffer_put(engine_buffer_t *buffer, const void *octets,
    size_t len);


static const char  engine_publishing[] = "publishing the accounts";


int
dm_engine_install(dm_engine_t *engine, dm_err_t *err)
{
    int                rc;
    PGresult          *result;
    static const char  doing[] = "making the schema of the fleet";

    rc = dm_engine_run(engine, doing, "SELECT to_regnamespace('dm_sec')"
        " IS NOT NULL", NULL, &result, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);

    if (rc) {
        return DM_OK;
    }

    rc = dm_engine_run(engine, doing, dm_engine_schema, NULL, NULL, err);

    dm_engine_abort(engine);

    return rc;
}


int
dm_engine_publish(dm_engine_t *engine, uint64_t number, dm_str_t head,
    int (*next)(dm_engine_row_t *row, void *data), void *data,
    unsigned replace, dm_err_t *err)
{
    int                 rc;
    unsigned char       buf[8];
    dm_engine_params_t  params;

    rc = dm_engine_run(engine, engine_publishing, "BEGIN;"
        " SET LOCAL ROLE \"dm-sec-owner\"; SET LOCAL statement_timeout = 0;"
        " SELECT dm_sec.lock()", NULL, NULL, err);

    if (rc == DM_OK) {
        rc = engine_vacant(engine, replace, err);
    }

    if (rc == DM_OK) {
        rc = engine_fill(engine, next, data, err);
    }

    if (rc == DM_OK) {
        params.n = 0;
        dm_engine_add_number(&params, buf, number);
        dm_engine_add(&params, DM_ENGINE_BYTEA, head.data, head.len);

        rc = dm_engine_run(engine, engine_publishing, "UPDATE dm_sec.head"
            " SET number = $1, body = $2", &params, NULL, err);
    }

    if (rc == DM_OK) {
        rc = dm_engine_run(engine, engine_publishing, "NOTIFY dm_sec", NULL,
            NULL, err);
    }

    if (rc == DM_OK) {
        rc = dm_engine_end(engine, err);
    }

    dm_engine_abort(engine);

    return rc;
}


/* other sessions, which read it now, go on to see what was there before */
static int
engine_vacant(dm_engine_t *engine, unsigned replace, dm_err_t *err)
{
    int               rc;
    dm_engine_head_t  head;

    if (replace) {
        return dm_engine_run(engine, engine_publishing,
            "DELETE FROM dm_sec.entry; DELETE FROM dm_sec.\"row\";"
            " UPDATE dm_sec.beat SET body = NULL", NULL, NULL, err);
    }

    rc = dm_engine_head(engine, &head, err);

    if (rc == DM_OK && head.head_len > 0) {
        dm_err_set(err, "%s: the engine's database \"%s\" has those of a fleet"
            " already", engine_publishing, PQdb(engine->conn));
        rc = DM_EXISTS;
    }

    return rc;
}


static int
engine_fill(dm_engine_t *engine,
    int (*next)(dm_engine_row_t *row, void *data), void *data, dm_err_t *err)
{
    int               rc;
    PGresult         *result;
    engine_buffer_t  *buffer;

    buffer = malloc(sizeof(engine_buffer_t));

    if (buffer == NULL) {
        dm_err_set(err, "%s: no memory", engine_publishing);
        return DM_ERROR;
    }

    rc = dm_engine_send(engine, engine_publishing, "COPY dm_sec.\"row\""
        " (key, body) FROM STDIN (FORMAT binary)", NULL, err);

    if (rc == DM_OK) {
        rc = dm_engine_take(engine, engine_publishing, &result, err);
    }

    if (rc == DM_OK) {
        if (PQresultStatus(result) == PGRES_COPY_IN) {
            rc = engine_pour(engine, buffer, next, data, err);

        } else {
            rc = dm_engine_failed(engine, engine_publishing, result, err);
        }

        PQclear(result);
    }

    free(buffer);

    return rc;
}


static int
engine_pour(dm_engine_t *engine, engine_buffer_t *buffer,
    int (*next)(dm_engine_row_t *row, void *data), void *data, dm_err_t *err)
{
    int              rc, put;
    PGresult        *result;
    dm_engine_row_t  row;

    /* a signature, no flags, nothing more of a header */

    buffer->len = 0;
    engine_buffer_put(buffer, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);

    while ((rc = next(&row, data)) == DM_OK) {
        rc = engine_buffer_row(buffer, &row, err);

        if (rc == DM_OK && buffer->len >= ENGINE_BUFFER) {
            rc = engine_buffer_send(engine, buffer, err);
        }

        if (rc != DM_OK) {
            break;
        }
    }

    /* whatever it was, the engine is told, and takes nothing of it */

    if (rc == DM_DECLINED) {
        engine_buffer_put(buffer, "\377\377", 2);
        rc = engine_buffer_send(engine, buffer, err);
    }

    if (engine->conn == NULL) {
        return rc;
    }

    while ((put = PQputCopyEnd(engine->conn, rc == DM_OK ? NULL : "ended"))
           == 0)
    {
        if (dm_engine_flush(engine, engine_publishing, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    if (put < 0) {
        return dm_engine_lose(engine, engine_publishing,
            PQerrorMessage(engine->conn), err);
    }

    if (rc != DM_OK) {
        dm_engine_drain(engine, engine_publishing, NULL);
        return rc;
    }

    if (dm_engine_take(engine, engine_publishing, &result, err) != DM_OK) {
        return DM_ERROR;
    }

    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        rc = dm_engine_failed(engine, engine_publishing, result, err);
    }

    PQclear(result);

    if (engine->conn != NULL && dm_engine_drain(engine, engine_publishing, err)
        != DM_OK)
    {
        return DM_ERROR;
    }

    return rc;
}


static int
engine_buffer_row(engine_buffer_t *buffer, const dm_engine_row_t *row,
    dm_err_t *err)
{
    uint16_t  fields;
    uint32_t  len[2];

    if (row->key.len != DM_FLEET_KEY || row->body.data == NULL
        || row->body.len == 0 || row->body.len > DM_FLEET_ROW_MAX)
    {
        dm_err_set(err, "%s: a row has %zu octets, its key %zu",
            engine_publishing, row->body.len, row->key.len);
        return DM_INVALID;
    }

    fields = htobe16(2);
    len[0] = htobe32((uint32_t) row->key.len);
    len[1] = htobe32((uint32_t) row->body.len);

    engine_buffer_put(buffer, &fields, 2);
    engine_buffer_put(buffer, &len[0], 4);
    engine_buffer_put(buffer, row->key.data, row->key.len);
    engine_buffer_put(buffer, &len[1], 4);
    engine_buffer_put(buffer, row->body.data, row->body.len);

    return DM_OK;
}


static void
engine_buffer_put(engine_buffer_t *buffer, const void *octets, size_t len)
{
    memcpy(buffer->octets + buffer->len, octets, len);
    buffer->len += len;
}


static int
engine_buffer_send(dm_engine_t *engine, engine_buffer_t *buffer,
    dm_err_t *err)
{
    int  put;

    for ( ;; ) {
        put = PQputCopyData(engine->conn, (const char *) buffer->octets,
            (int) buffer->len);

        if (put < 0) {
            return dm_engine_lose(engine, engine_publishing,
                PQerrorMessage(engine->conn), err);
        }

        if (dm_engine_flush(engine, engine_publishing, err) != DM_OK) {
            return DM_ERROR;
        }

        if (put == 1) {
            buffer->len = 0;
            return DM_OK;
        }
    }
}
