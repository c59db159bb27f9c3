/* dm-account check --permissions: can who shall use the store do so */

#ifndef DM_ACCOUNT_PERMISSIONS_H
#define DM_ACCOUNT_PERMISSIONS_H

#include "account/cli.h"


/*
 * Names each part of the store, and each directory above it, that is not as
 * dm-account init makes it for the workers of owner ("USER[:GROUP]", NULL:
 * those that the store says itself), and with fix mends it; user (NULL: as it
 * is) is whose the store shall be.  DM_CLI_DONE: nothing is wrong, or is any
 * more.
 */
int dm_permissions(dm_cli_t *cli, const char *owner, const char *user,
    int fix);

/*
 * Finds whose the store at path is or shall be, in the same way; a refusal is
 * told.
 */
int dm_permissions_whose(const dm_cli_t *cli, const char *path,
    const char *owner, const char *user, dm_store_owner_t *whose);

/*
 * Finds the workers that the store says itself.  DM_OK; DM_DECLINED: it does
 * not say so.
 */
int dm_permissions_readers(const char *path, dm_store_owner_t *whose);


#endif /* DM_ACCOUNT_PERMISSIONS_H */
