/*
 * Tries that must be refused: SSL 2.0, suites without protection, Basic in
 * clear
 */

#ifndef DM_PROBE_REFUSALS_H
#define DM_PROBE_REFUSALS_H

#include "probe/run.h"


/* tries what must be refused */
void dm_refusals_run(dm_run_t *run);


#endif /* DM_PROBE_REFUSALS_H */
