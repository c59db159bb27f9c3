/* The engine of a tree that was built without libpq: it can not be opened */

#include "fleet/engine.h"


#pragma GCC diagnostic ignored "-Wunused-parameter"


static int
none(dm_err_t *err)
{
    dm_err_set(err, "this program was built without PostgreSQL's libpq, and"
        " cannot speak with the engine of a fleet: install the one of the"
        " Debian packages, or build it where libpq-dev is");
    return DM_INVALID;
}


int
dm_engine_open(dm_engine_t **engine, const char *conninfo, const char *name,
    dm_err_t *err)
{
    *engine = NULL;
    return none(err);
}


void
dm_engine_close(dm_engine_t *engine)
{
}


void
dm_engine_patience(dm_engine_t *engine, int ms)
{
}


void
dm_engine_about(dm_engine_t *engine, dm_engine_about_t *about)
{
    *about = (dm_engine_about_t) { 0, "", "", "", "", NULL, 0 };
}


int
dm_engine_head(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_lock(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_append(dm_engine_t *engine, uint64_t before, dm_str_t head,
    dm_str_t entry, const dm_engine_row_t *row, size_t n, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_commit(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err)
{
    return none(err);
}


void
dm_engine_abort(dm_engine_t *engine)
{
}


int
dm_engine_resolve(dm_engine_t *engine, uint64_t number, dm_str_t entry,
    dm_engine_head_t *out, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_entries(dm_engine_t *engine, uint64_t from, unsigned max,
    int (*fn)(uint64_t number, unsigned char *octets, size_t len, void *data),
    void *data, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_rows(dm_engine_t *engine,
    int (*head)(const dm_engine_head_t *head, void *data),
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_wait(dm_engine_t *engine, int fd, int ms, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_beat(dm_engine_t *engine, dm_str_t before, dm_str_t beat,
    dm_err_t *err)
{
    return none(err);
}


int
dm_engine_tell(dm_engine_t *engine, dm_str_t said, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_nodes(dm_engine_t *engine,
    int (*fn)(const char *name, dm_str_t said, int64_t at, void *data),
    void *data, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_forget(dm_engine_t *engine, const char *name, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_prune(dm_engine_t *engine, uint64_t before, uint64_t *n,
    dm_err_t *err)
{
    return none(err);
}


int
dm_engine_install(dm_engine_t *engine, dm_err_t *err)
{
    return none(err);
}


int
dm_engine_publish(dm_engine_t *engine, uint64_t number, dm_str_t head,
    int (*next)(dm_engine_row_t *row, void *data), void *data,
    unsigned replace, dm_err_t *err)
{
    return none(err);
}
