/*
 * A file of secrets that a verb makes, of many lines of JSON: it is there when
 * all of it is on the disk, or not at all.
 *
 * It has no name before, so that nothing is left of it whatever is killed.  A
 * process is split off that gives it its name: it stays root where the other
 * becomes the store's user.  Where a file must have a name, this process takes
 * it away if the other one is killed.
 */

#ifndef DM_ACCOUNT_SINK_H
#define DM_ACCOUNT_SINK_H


#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "dm.h"


#define DM_SINK_BUF  65536


typedef struct {
    const char  *path;                      /* "-" is stdout */
    FILE        *out;
    int          keeper;                    /* to the process, or -1 */
    pid_t        pid;
    uint64_t     lines;
    char         buf[DM_SINK_BUF];
} dm_sink_t;


/*
 * Begins a file, closed to all others, to be called before a store is opened;
 * "-" is stdout, which gets nothing before dm_sink_keep().  DM_OK; DM_INVALID
 * with err: there is a file, or none can be made; dm_sink_close() in any case.
 */
int dm_sink_open(dm_sink_t *sink, const char *path, dm_err_t *err);

/* adds a line, and gives the reference up; NULL fails.  DM_OK or DM_ERROR */
int dm_sink_put(dm_sink_t *sink, json_t *json, dm_err_t *err);

/*
 * DM_OK: all lines are on the disk, under the name of the file, and stay there
 * whatever happens; of stdout: they are written.  DM_ERROR: there is no file.
 */
int dm_sink_keep(dm_sink_t *sink, dm_err_t *err);

/* takes away what was not kept, and wipes what was written */
void dm_sink_close(dm_sink_t *sink);


#endif /* DM_ACCOUNT_SINK_H */
