/*
 * A writer: what is changed in a store that follows goes through the log first,
 * in one transaction of the engine, as entries of at most DM_FLEET_CHANGES
 * changes.  Nothing is said to be done before the head that tells so was read
 * back and verified.
 */

#ifndef DM_FLEET_WRITER_H
#define DM_FLEET_WRITER_H


#include "dm_store_follow.h"
#include "fleet/follow.h"


typedef struct dm_writer_s  dm_writer_t;

/* all strings live as long as the writer */
typedef struct {
    const char       *conninfo;
    const dm_keys_t  *keys;             /* the store's */
    const dm_keys_t  *authority;        /* the authority's public ones */
    const dm_key_t   *seed;             /* its key, which signs */
    const char       *user;             /* who makes the changes, */
    const char       *host;             /* and where */
    const char       *verb;
} dm_writer_conf_t;

/* how the last transaction of the store ended, or failed to begin */
typedef enum {
    DM_WRITER_DONE = 0,                 /* or nothing of it was the log's */
    DM_WRITER_FAILED,                   /* nothing was changed, anywhere */
    DM_WRITER_UNKNOWN,                  /* nobody knows what is in force */
    DM_WRITER_AHEAD                     /* it is in force, and the store lacks
                                           it until it catches up */
} dm_writer_end_t;


/*
 * For the store, which is open to be written and follows: from now on each of
 * its transactions is the log's, too.  No connection is made before the first.
 * DM_OK; DM_INVALID: seed is none of the authority's; DM_ERROR.
 */
int dm_writer_new(dm_writer_t **writer, dm_store_t *store,
    const dm_writer_conf_t *conf, dm_err_t *err);

/* after the store's last transaction; NULL is accepted */
void dm_writer_free(dm_writer_t *writer);

dm_writer_end_t dm_writer_end(const dm_writer_t *writer);

/* 1 if what failed last was the log's matter, and not the store's; else 0 */
int dm_writer_failed(const dm_writer_t *writer);


#endif /* DM_FLEET_WRITER_H */
