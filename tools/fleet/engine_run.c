/* Statements, their results, and how long one waits for them */

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fleet/engine_internal.h"


static int engine_poll(dm_engine_t *engine, int writing, int64_t end,
    const char *doing, dm_err_t *err);
static int engine_no_schema(dm_engine_t *engine, const char *doing,
    dm_err_t *err);


int64_t
dm_engine_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
dm_engine_line(const char *said, char *text, size_t size)
{
    size_t  n;

    for (n = 0; *said != '\0' && n < size - 1; said++) {
        if ((unsigned char) *said >= ' ') {
            text[n++] = *said;

        } else if (*said == '\n' && said[1] != '\0' && n < size - 2) {
            text[n++] = ';';
            text[n++] = ' ';
        }
    }

    text[n] = '\0';
}


int
dm_engine_lose(dm_engine_t *engine, const char *doing, const char *why,
    dm_err_t *err)
{
    char  line[512];

    dm_engine_line(why, line, sizeof(line));
    dm_err_set(err, "%s: the connection to the engine is over: %s", doing,
        line);

    PQfinish(engine->conn);
    engine->conn = NULL;
    engine->listening = 0;

    return DM_ERROR;
}


void
dm_engine_add(dm_engine_params_t *params, Oid type, const void *octets,
    size_t len)
{
    int  n;

    n = params->n++;

    params->type[n] = type;
    params->value[n] = octets;
    params->len[n] = (int) len;
    params->format[n] = 1;
}


void
dm_engine_add_number(dm_engine_params_t *params, unsigned char *buf,
    uint64_t number)
{
    uint64_t  big;

    big = htobe64(number);
    memcpy(buf, &big, 8);
    dm_engine_add(params, DM_ENGINE_INT8, buf, 8);
}


/* DM_OK; DM_DECLINED: the engine has ended it, PQgetResult() tells; DM_ERROR */
static int
engine_poll(dm_engine_t *engine, int writing, int64_t end, const char *doing,
    dm_err_t *err)
{
    int            n;
    char           text[64];
    int64_t        left;
    struct pollfd  pfd;

    left = end - dm_engine_now();

    pfd.fd = PQsocket(engine->conn);
    pfd.events = (short) (POLLIN | (writing ? POLLOUT : 0));

    n = poll(&pfd, 1, left > 0 ? (int) left : 0);

    if (n == 0) {
        (void) snprintf(text, sizeof(text), "no answer within %d ms",
            engine->patience);
        return dm_engine_lose(engine, doing, text, err);
    }

    if (n < 0 && errno != EINTR) {
        return dm_engine_lose(engine, doing, strerror(errno), err);
    }

    if (n > 0 && (pfd.revents & ~POLLOUT) != 0
        && PQconsumeInput(engine->conn) != 1)
    {
        return DM_DECLINED;
    }

    return DM_OK;
}


int
dm_engine_flush(dm_engine_t *engine, const char *doing, dm_err_t *err)
{
    int      rc;
    int64_t  end;

    end = dm_engine_now() + engine->patience;
    rc = DM_OK;

    /* where it fails, PQgetResult() tells that the engine has ended it */

    while (rc == DM_OK && PQflush(engine->conn) == 1) {
        rc = engine_poll(engine, 1, end, doing, err);
    }

    return rc == DM_ERROR ? DM_ERROR : DM_OK;
}


int
dm_engine_more(dm_engine_t *engine, const char *doing, dm_err_t *err)
{
    if (engine_poll(engine, 0, dm_engine_now() + engine->patience, doing, err)
        == DM_DECLINED)
    {
        return dm_engine_lose(engine, doing, PQerrorMessage(engine->conn),
            err);
    }

    return engine->conn == NULL ? DM_ERROR : DM_OK;
}


int
dm_engine_send(dm_engine_t *engine, const char *doing, const char *sql,
    const dm_engine_params_t *params, dm_err_t *err)
{
    int  rc;

    if (engine->conn == NULL) {
        dm_err_set(err, "%s: there is no connection to the engine any more",
            doing);
        return DM_ERROR;
    }

    engine->warned = 0;

    /* the engine may have ended the session, and has told why then */

    if (PQconsumeInput(engine->conn) != 1 || PQisBusy(engine->conn)
        || engine->ended)
    {
        rc = engine->ended ? DM_EXISTS : DM_ERROR;

        dm_engine_lose(engine, doing, engine->warned ? engine->warning
            : PQerrorMessage(engine->conn), err);

        return rc;
    }

    if (params == NULL) {
        rc = PQsendQuery(engine->conn, sql);

    } else {
        rc = PQsendQueryParams(engine->conn, sql, params->n, params->type,
            params->value, params->len, params->format, 1);
    }

    if (rc != 1) {
        return dm_engine_lose(engine, doing, PQerrorMessage(engine->conn),
            err);
    }

    return DM_OK;
}


int
dm_engine_take(dm_engine_t *engine, const char *doing, PGresult **result,
    dm_err_t *err)
{
    int      rc;
    int64_t  end;

    rc = dm_engine_flush(engine, doing, err);
    end = dm_engine_now() + engine->patience;

    while (rc == DM_OK && PQisBusy(engine->conn)) {
        rc = engine_poll(engine, 0, end, doing, err);
    }

    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    *result = PQgetResult(engine->conn);

    return DM_OK;
}


int
dm_engine_drain(dm_engine_t *engine, const char *doing, dm_err_t *err)
{
    PGresult  *result;

    do {
        if (dm_engine_take(engine, doing, &result, err) != DM_OK) {
            return DM_ERROR;
        }

        PQclear(result);

    } while (result != NULL);

    return DM_OK;
}


int
dm_engine_run(dm_engine_t *engine, const char *doing, const char *sql,
    const dm_engine_params_t *params, PGresult **out, dm_err_t *err)
{
    int        rc;
    PGresult  *result, *next;

    if (out != NULL) {
        *out = NULL;
    }

    rc = dm_engine_send(engine, doing, sql, params, err);
    if (rc != DM_OK) {
        return rc;
    }

    if (dm_engine_take(engine, doing, &result, err) != DM_OK) {
        return DM_ERROR;
    }

    /* after one that failed there are no others */

    for ( ;; ) {
        if (dm_engine_take(engine, doing, &next, err) != DM_OK) {
            PQclear(result);
            return DM_ERROR;
        }

        if (next == NULL) {
            break;
        }

        PQclear(result);
        result = next;
    }

    switch (PQresultStatus(result)) {

    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        rc = DM_OK;
        break;

    default:
        rc = dm_engine_failed(engine, doing, result, err);
    }

    if (rc == DM_OK && out != NULL) {
        *out = result;

    } else {
        PQclear(result);
    }

    return rc;
}


int
dm_engine_is(const PGresult *result, const char *state)
{
    const char  *is;

    is = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return is != NULL && strncmp(is, state, strlen(state)) == 0;
}


int
dm_engine_failed(dm_engine_t *engine, const char *doing,
    const PGresult *result, dm_err_t *err)
{
    char         line[512];
    const char  *said;

    said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    dm_engine_line(said != NULL ? said : PQresultErrorMessage(result), line,
        sizeof(line));

    /* nothing of such a transaction is left, and it can be tried again */

    if (dm_engine_is(result, "25P03") || dm_engine_is(result, "40")) {
        dm_err_set(err, "%s: the engine has ended the transaction, and nothing"
            " was changed: %s; try again", doing, line);
        return DM_EXISTS;
    }

    if (dm_engine_is(result, "3F000") || dm_engine_is(result, "42P01")
        || dm_engine_is(result, "42883"))
    {
        return engine_no_schema(engine, doing, err);
    }

    if (dm_engine_is(result, "42501")) {
        dm_err_set(err, "%s: the engine refuses it to the role \"%s\": %s;"
            " docs/fleet.md tells which role may do what", doing,
            PQuser(engine->conn), line);
        return DM_INVALID;
    }

    if (dm_engine_is(result, "25006")) {
        dm_err_set(err, "%s: the engine at \"%s\" is a standby: its conninfo"
            " needs target_session_attrs=read-write, and both hosts", doing,
            PQhost(engine->conn));
        return DM_ERROR;
    }

    if (dm_engine_is(result, "22") || dm_engine_is(result, "23")) {
        dm_err_set(err, "%s: the engine refuses it: %s", doing, line);
        return DM_INVALID;
    }

    if (PQstatus(engine->conn) != CONNECTION_OK) {
        return dm_engine_lose(engine, doing, line, err);
    }

    dm_err_set(err, "%s: the engine says: %s", doing, line);
    return DM_ERROR;
}


static int
engine_no_schema(dm_engine_t *engine, const char *doing, dm_err_t *err)
{
    dm_err_set(err, "%s: the engine's database \"%s\" has no fleet of this"
        " version: \"dm-account replicate init\" makes one", doing,
        PQdb(engine->conn));
    return DM_INVALID;
}


int
dm_engine_number(const PGresult *result, int row, int column,
    uint64_t *number, const char *what, dm_err_t *err)
{
    dm_str_t  octets;
    uint64_t  big;

    if (dm_engine_octets(result, row, column, &octets, 8, what, err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    big = 0;

    if (octets.len == 8) {
        memcpy(&big, octets.data, 8);
    }

    *number = be64toh(big);

    if ((octets.len != 0 && octets.len != 8) || *number > INT64_MAX) {
        dm_err_set(err, "%s: the engine hands out what is no number", what);
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_engine_octets(const PGresult *result, int row, int column,
    dm_str_t *octets, size_t max, const char *what, dm_err_t *err)
{
    int  len;

    len = PQgetlength(result, row, column);

    if (row >= PQntuples(result) || column >= PQnfields(result)
        || PQfformat(result, column) != 1)
    {
        dm_err_set(err, "%s: the engine hands out something else", what);
        return DM_INVALID;
    }

    if (len < 0 || (size_t) len > max) {
        dm_err_set(err, "%s: the engine hands out %d octets, which is more"
            " than there can be", what, len);
        return DM_INVALID;
    }

    octets->data = (const unsigned char *) PQgetvalue(result, row, column);
    octets->len = (size_t) len;

    return DM_OK;
}
