/* A session with the engine: what the files of engine.h share */

#ifndef DM_FLEET_ENGINE_INTERNAL_H
#define DM_FLEET_ENGINE_INTERNAL_H


#include <libpq-fe.h>

#include "fleet/engine.h"


/* the types of parameters; pg_type.dat of PostgreSQL has their numbers */
#define DM_ENGINE_INT8    20
#define DM_ENGINE_BYTEA   17
#define DM_ENGINE_BYTEAS  1001          /* bytea[] */
#define DM_ENGINE_NAME    19

#define DM_ENGINE_PARAMS  5             /* at most */


struct dm_engine_s {
    PGconn   *conn;                     /* NULL: it was lost */
    char     *conninfo;
    char     *name;
    int       patience;                 /* ms */
    unsigned  standby;                  /* as in dm_engine_about_t */
    unsigned  listening;
    unsigned  ended;                    /* 1: by the engine, which waited for
                                           the next statement for too long */
    unsigned  warned;                   /* 1: the engine has warned of this */
    char      warning[256];
};

/* the parameters of a statement; their octets are the caller's */
typedef struct {
    int          n;
    Oid          type[DM_ENGINE_PARAMS];
    const char  *value[DM_ENGINE_PARAMS];       /* NULL: NULL */
    int          len[DM_ENGINE_PARAMS];
    int          format[DM_ENGINE_PARAMS];
} dm_engine_params_t;


/* milliseconds of a clock that never goes back */
int64_t dm_engine_now(void);

/* connects, also after that was lost; the results of dm_engine_open() */
int dm_engine_connect(dm_engine_t *engine, dm_err_t *err);

/*
 * Ends the connection, which the engine takes as the end of its transaction;
 * err says doing, and why.  DM_ERROR.
 */
int dm_engine_lose(dm_engine_t *engine, const char *doing, const char *why,
    dm_err_t *err);

/* brings an error of libpq or of the engine into one line, text[size] */
void dm_engine_line(const char *said, char *text, size_t size);

void dm_engine_add(dm_engine_params_t *params, Oid type, const void *octets,
    size_t len);

/* with its 8 octets at buf */
void dm_engine_add_number(dm_engine_params_t *params, unsigned char *buf,
    uint64_t number);

/* sends all that is queued.  DM_OK, also where the engine ends it; DM_ERROR */
int dm_engine_flush(dm_engine_t *engine, const char *doing, dm_err_t *err);

/* waits until something has come.  DM_OK or DM_ERROR */
int dm_engine_more(dm_engine_t *engine, const char *doing, dm_err_t *err);

/*
 * Runs one statement with parameters, its result being binary, or (params NULL)
 * several without, of which the last one's result counts.  DM_OK: the caller
 * clears *result; else a result of dm_engine_failed() or DM_ERROR.  result may
 * be NULL.
 */
int dm_engine_run(dm_engine_t *engine, const char *doing, const char *sql,
    const dm_engine_params_t *params, PGresult **result, dm_err_t *err);

/*
 * The same in two steps: after dm_engine_send() dm_engine_take() takes one
 * result after another, and at their end NULL.  DM_OK or DM_ERROR;
 * of dm_engine_send() also DM_EXISTS: the engine has ended the transaction.
 */
int dm_engine_send(dm_engine_t *engine, const char *doing, const char *sql,
    const dm_engine_params_t *params, dm_err_t *err);
int dm_engine_take(dm_engine_t *engine, const char *doing, PGresult **result,
    dm_err_t *err);

/* reads and drops what comes until the engine is ready for another statement */
int dm_engine_drain(dm_engine_t *engine, const char *doing, dm_err_t *err);

/* tells of a result that is an error: DM_EXISTS, DM_INVALID or DM_ERROR */
int dm_engine_failed(dm_engine_t *engine, const char *doing,
    const PGresult *result, dm_err_t *err);

/* 1 if result has that SQLSTATE, or one of that class of two letters */
int dm_engine_is(const PGresult *result, const char *state);

/*
 * The value of a column: a number, NULL being 0, or at most max octets, and
 * NULL has none.  DM_OK or DM_INVALID.
 */
int dm_engine_number(const PGresult *result, int row, int column,
    uint64_t *number, const char *doing, dm_err_t *err);
int dm_engine_octets(const PGresult *result, int row, int column,
    dm_str_t *octets, size_t max, const char *doing, dm_err_t *err);

/* COMMIT; DM_OK, DM_EXISTS, DM_DECLINED or DM_ERROR, as dm_engine_commit() */
int dm_engine_end(dm_engine_t *engine, dm_err_t *err);


#endif /* DM_FLEET_ENGINE_INTERNAL_H */
