/*
 * The identity of the store that stands at a path, and the time when it was
 * last found whole: a store in which a process died is recognised by it.
 */

#ifndef DM_STORE_STAMP_H
#define DM_STORE_STAMP_H


#include "dm.h"


/* the file that "dm-account check" leaves in a store that it found whole */
#define DM_STORE_CHECKED  "checked"


typedef struct {
    uint64_t  dev;          /* the data file's */
    uint64_t  ino;
    uint64_t  born;         /* ns: a number is given again; 0: not known */
    uint64_t  checked;      /* ns: found whole then; 0: never */
} dm_store_stamp_t;


/* DM_OK; DM_ERROR: there is no such file, or too little memory */
int dm_store_stamp(const char *path, dm_store_stamp_t *stamp);

/* says of the store that it was found whole just now; DM_OK or DM_ERROR */
int dm_store_stamp_checked(const char *path, dm_err_t *err);


#endif /* DM_STORE_STAMP_H */
