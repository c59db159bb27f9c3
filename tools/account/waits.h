/* A wait for another process that uses a store, said after a moment */

#ifndef DM_ACCOUNT_WAITS_H
#define DM_ACCOUNT_WAITS_H

#include "account/cli.h"


/*
 * Between the two, a wait for a lock of the store that lasts is told on stderr,
 * with the process that holds it; or, with cli->hasty, one for the writer's
 * ends, and that process is in cli->beside.  They do not nest.
 */
void dm_waits_begin(dm_cli_t *cli);
void dm_waits_end(void);


#endif /* DM_ACCOUNT_WAITS_H */
