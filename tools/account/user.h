/* The store's own user, which root becomes before it opens a store */

#ifndef DM_ACCOUNT_USER_H
#define DM_ACCOUNT_USER_H

#include "account/cli.h"


/* the owner of the store in its default place, unless --user names another */
#define DM_USER_DEFAULT  "dm-sec"


/*
 * 1 if whoever runs this is root, and the store at path belongs to another
 * user, whom dm_user_drop() becomes; else 0.
 */
int dm_user_is_other(const char *path);

/*
 * Root becomes the owner of the store at path, in his group and in that of the
 * store, for good: nothing of root can be had again.  For all others, and a
 * store that is root's, it does nothing, but for the latter says what is wrong
 * with it.  DM_CLI_DONE, or it was told and nothing may be opened.
 */
int dm_user_drop(dm_cli_t *cli, const char *path);

/*
 * Looks whether root may make things beside path by their names, which is so
 * if only root can change names there.  DM_CLI_DONE, or it was told.
 */
int dm_user_parent(const dm_cli_t *cli, const char *path);


#endif /* DM_ACCOUNT_USER_H */
