/* A wait for the other writer of a store, said after a moment */

#ifndef DM_ACCOUNT_WAITS_H
#define DM_ACCOUNT_WAITS_H

#include "account/cli.h"


/*
 * Between the two, a wait for the store's lock that lasts is told on stderr,
 * with the process that holds it; or, with cli->hasty, it ends, and that
 * process is in cli->beside.  They do not nest.
 */
void dm_waits_begin(dm_cli_t *cli);
void dm_waits_end(void);


#endif /* DM_ACCOUNT_WAITS_H */
