/* The rows of the client, judged by what the server received */

#ifndef DM_PROBE_WITNESS_H
#define DM_PROBE_WITNESS_H

#include "probe/run.h"


/*
 * A row of the client, judged by what the server says that it received: the
 * value that it has of the header must be this.  reply is an answer of a
 * request that was served.
 */
void dm_witness_add(dm_run_t *run, dm_row_e row, const char *name,
    const dm_reply_t *reply, const char *header, const char *value);

/* C-008, of each request that was served */
void dm_witness_version(dm_run_t *run, const char *name,
    const dm_reply_t *reply);

/* says why rows of the client have no tests */
void dm_witness_done(dm_run_t *run);


#endif /* DM_PROBE_WITNESS_H */
