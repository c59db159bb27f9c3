/*
 * The file of the key of beats, in the hands of root: which key it is comes
 * out only when the store was opened, by its user.  See holder.h.
 */

#ifndef DM_ACCOUNT_BEAT_KEY_H
#define DM_ACCOUNT_BEAT_KEY_H


#include <sys/types.h>

#include "dm_seal.h"


typedef struct {
    dm_key_t     key;                       /* to be set before put */
    const char  *path;
    int          fd;                        /* to the process, or -1 */
    pid_t        pid;
} dm_beat_key_t;


/* starts the process; with apart 0 there is none.  DM_OK or DM_ERROR */
int dm_beat_key_start(dm_beat_key_t *beats, const char *path, int apart,
    dm_err_t *err);

/* ends it, and wipes the key */
void dm_beat_key_stop(dm_beat_key_t *beats);

/*
 * Makes the file.  DM_OK, also where it is there and has that key; DM_ERROR:
 * it has another one, or cannot be made.
 */
int dm_beat_key_put(dm_beat_key_t *beats, dm_err_t *err);


#endif /* DM_ACCOUNT_BEAT_KEY_H */
