/* The parts of dm-probe, in their order */

#ifndef DM_PROBE_PARTS_H
#define DM_PROBE_PARTS_H

#include "probe/run.h"


/*
 * Tries everything.  DM_OK, and score has all of it; DM_INVALID: err says why
 * the server cannot be tried at all; DM_ERROR.
 */
int dm_parts_run(const dm_probe_t *probe, dm_score_t *score,
    dm_progress_t *progress, dm_err_t *err);


#endif /* DM_PROBE_PARTS_H */
