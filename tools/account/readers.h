/* Workers that have the store open, of whom none shall lose it */

#ifndef DM_ACCOUNT_READERS_H
#define DM_ACCOUNT_READERS_H

#include "account/cli.h"


/*
 * Refuses, with DM_CODE_IN_USE, to make the store at path owner's where workers
 * have it open that could not open it then; it says who they are.  A store that
 * is not there is nobody's.
 */
int dm_readers_keep(const dm_cli_t *cli, const char *path,
    const dm_store_owner_t *owner, dm_store_become_t become);


#endif /* DM_ACCOUNT_READERS_H */
