/* The first steps of a process that holds secrets */

#ifndef DM_COMMON_PROCESS_H
#define DM_COMMON_PROCESS_H

#include <sys/types.h>

#include "dm.h"


/*
 * Leaves no core, no trace, no readable file, and no file of its own as
 * stdout: of a stream that is closed each read or write fails.  DM_OK or
 * DM_ERROR, which is told on stderr.
 */
int dm_process_prepare(const char *program);

/*
 * Root becomes that user, in these two groups alone, for good: nothing of root
 * can be had again.  DM_OK; DM_ERROR with errno, and then the process must end.
 */
int dm_process_become(uid_t uid, gid_t gid, gid_t group);

/* the environment's value of that name; of none, or an empty one, value */
const char *dm_process_env(const char *name, const char *value);


#endif /* DM_COMMON_PROCESS_H */
