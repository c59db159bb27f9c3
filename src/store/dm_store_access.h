/* The reason why this process cannot use a store, and what mends it */

#ifndef DM_STORE_ACCESS_H
#define DM_STORE_ACCESS_H


#include <sys/types.h>

#include "dm.h"


/* beside the command for a file system that is read-only */
#define DM_ACCESS_CONFINED                                                    \
    "where systemd or a container makes it so, name the store in "            \
    "ReadWritePaths=, or mount its volume without :ro (docs/confine.md)"

/* the one who needs it, by which the mend is chosen */
typedef enum {
    DM_ACCESS_WORKER,           /* the store is to be made for this user */
    DM_ACCESS_TOOL              /* this may be the wrong user to run it */
} dm_access_for_t;


/*
 * Looks whether this process, by its effective ids, may use the file of that
 * name in the store at path, and get there; need is made of R_OK, W_OK and
 * X_OK.  DM_OK, or DM_INVALID: err names the first thing on the way that is
 * closed to it, the user and the group, what is missing and, where one can be
 * named, the command that mends it, as run "COMMAND".
 */
int dm_access_check(const char *path, const char *file, int need,
    dm_access_for_t whom, dm_err_t *err);

/*
 * Says that the store at path has no directory slots for the processes of that
 * user; old: the store is of an older version.
 */
void dm_access_no_slots(const char *path, const char *slots, uid_t uid,
    int old, dm_err_t *err);

/*
 * Messages from then on name no command that makes the store this user's, but
 * those who would lose it, as "process PID of user NAME has".  The text must
 * stay where it is; NULL: there are none.
 */
void dm_access_spare(const char *losers);

/* writes text as a word of a shell's command line; what does not fit is cut */
void dm_access_quote(char *buf, size_t size, const char *text);

/* finds the directory at which the file system of path is mounted */
void dm_access_mount(const char *path, char *mount, size_t size);

/*
 * The user and the group in words: user "NAME" (ID), group "NAME" (ID), with
 * the names that there are.  Valid until the next call.
 */
const char *dm_access_who(uid_t uid, gid_t gid);


#endif /* DM_STORE_ACCESS_H */
