/*
 * The key file in the hands of root, while the store is changed by its user.
 *
 * A process of root's is split off before the other drops what it is.  It
 * serves one key file and nothing else: who has taken the other process over
 * knows the keys anyway, and can make it write keys, in the form of keys.
 */

#ifndef DM_ACCOUNT_HOLDER_H
#define DM_ACCOUNT_HOLDER_H

#include "account/keyfile.h"


typedef struct {
    const char  *path;
    int          fd;                        /* to the process, or -1 */
} dm_holder_t;


/*
 * Starts the process; with apart 0 there is none, and this one does all
 * itself.  DM_OK or DM_ERROR.
 */
int dm_holder_start(dm_holder_t *holder, const char *path, int apart,
    dm_err_t *err);

/* ends the process, which also ends when this one does */
void dm_holder_stop(dm_holder_t *holder);

/* dm_keys_read() and dm_keyfile_replace() */
int dm_holder_read(dm_holder_t *holder, dm_keys_t *keys, dm_err_t *err);
int dm_holder_replace(dm_holder_t *holder, const dm_keys_t *keys,
    dm_err_t *err);

/*
 * Takes the second of both keys out of the file; it is kept as
 * dm_keyfile_keep() does.  DM_OK, or DM_ERROR: nothing has changed.
 */
int dm_holder_retire(dm_holder_t *holder, const dm_keys_t *keys, char *kept,
    dm_err_t *err);


#endif /* DM_ACCOUNT_HOLDER_H */
