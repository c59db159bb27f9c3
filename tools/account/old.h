/* Stores that a restore has replaced, which lie beside the one in force */

#ifndef DM_ACCOUNT_OLD_H
#define DM_ACCOUNT_OLD_H

#include <jansson.h>

#include "account/cli.h"


/* octets of the suffix of their names: "." and a time in UTC, and the NUL */
#define DM_OLD_SUFFIX  sizeof(".20270131T000000Z")


/* writes the name that the store at path gets where it is replaced now */
void dm_old_name(const char *path, char *name, size_t size);

/*
 * Removes all of those beside path but the newest keep; one that a process has
 * open stays, and it is said.  The names of those that are gone are added to
 * removed.
 */
void dm_old_prune(dm_cli_t *cli, const char *path, unsigned keep,
    json_t *removed);


#endif /* DM_ACCOUNT_OLD_H */
