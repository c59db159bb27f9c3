/* The first steps of a process that holds secrets */

#ifndef DM_COMMON_PROCESS_H
#define DM_COMMON_PROCESS_H

#include "dm.h"


/*
 * Leaves no core, no trace, no readable file, and no file of its own as
 * stdout: of a stream that is closed each read or write fails.  DM_OK or
 * DM_ERROR, which is told on stderr.
 */
int dm_process_prepare(const char *program);


#endif /* DM_COMMON_PROCESS_H */
