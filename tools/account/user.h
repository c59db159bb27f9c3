/* The store's own user, which root becomes before it opens a store */

#ifndef DM_ACCOUNT_USER_H
#define DM_ACCOUNT_USER_H

#include "account/cli.h"


/*
 * Reads who nginx's workers are, USER or USER:GROUP, of names or numbers, into
 * whose->reader and whose->readers; without a group it is the user's own.
 * DM_CLI_DONE, or it was told.
 */
int dm_user_workers(const dm_cli_t *cli, const char *owner,
    dm_store_owner_t *whose);

/*
 * Sets whose->uid and whose->gid, the owner of a store that is made for
 * whose->reader: user, or if that is NULL what dm-account init does without
 * --user.  DM_CLI_DONE, or it was told.
 */
int dm_user_owner(const dm_cli_t *cli, const char *user,
    dm_store_owner_t *whose);

/* 1 if dm_user_owner() finds a user by user or by its default, else 0 */
int dm_user_is_named(const dm_cli_t *cli, const char *user);

/* the group that the store of uid is given to, else where uid has none */
gid_t dm_user_group(uid_t uid, gid_t otherwise);

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
 * 1 if nobody but root, where root runs this, can change the names beside path;
 * else 0.
 */
int dm_user_is_alone(const char *path);

/*
 * Looks whether root may make and change things at path by their names, which
 * is so if only root can change a name on the way there, behind links too.  A
 * sticky directory is one where the owner of a name can change it; own is 1 if
 * what is at path is root's and stays so.  DM_CLI_DONE, or it was told.
 */
int dm_user_parent(const dm_cli_t *cli, const char *path, int own);

/*
 * Looks, in a dry run, whether what is to be made at path can be: nothing is
 * there yet, and its directory can be written.  DM_CLI_DONE, or it was told.
 */
int dm_user_may_make(const dm_cli_t *cli, const char *what, const char *path);


#endif /* DM_ACCOUNT_USER_H */
