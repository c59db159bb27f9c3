/*
 * Stores that a restore has replaced, and copies of those that an upgrade has
 * changed, which lie beside the one in force.  For the latter, path below is
 * the store's with DM_OLD_UPGRADE behind it: neither gives up what the other
 * has kept.
 */

#ifndef DM_ACCOUNT_OLD_H
#define DM_ACCOUNT_OLD_H

#include <jansson.h>

#include "account/cli.h"


/* octets of the suffix of their names: "." and a time in UTC, and the NUL */
#define DM_OLD_SUFFIX  sizeof(".20270131T000000Z")


/* stands before that in the names of copies that an upgrade makes */
#define DM_OLD_UPGRADE  ".upgrade"


/* so many are kept, unless --keep says another number */
#define DM_OLD_KEEP  1


/* reads the value of --keep.  DM_CLI_DONE or DM_CLI_USAGE, told */
int dm_old_keep(const dm_cli_t *cli, const char *value, unsigned *keep);

/*
 * Removes what a process has left that was killed while it made a store of such
 * a name.
 */
void dm_old_sweep(const char *path);

/* writes the name that the store at path gets where it is replaced now */
void dm_old_name(const char *path, char *name, size_t size);

/*
 * Removes all of those beside path but the newest keep; one that a process has
 * open stays, and it is said.  The names of those that are gone are added to
 * removed.
 */
void dm_old_prune(dm_cli_t *cli, const char *path, unsigned keep,
    json_t *removed);

/* prints the command that puts the copy in the place of the store at path */
void dm_old_print_back(const dm_cli_t *cli, const char *path,
    const char *copy);


#endif /* DM_ACCOUNT_OLD_H */
