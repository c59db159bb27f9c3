/* The table, for people and for pipelines */

#ifndef DM_PROBE_REPORT_H
#define DM_PROBE_REPORT_H

#include "probe/score.h"


/* prints the table on stdout; verbose: each try below its row */
void dm_report_text(const dm_probe_t *probe, const dm_score_t *score,
    int verbose);

/* prints one line of JSON on stdout.  DM_OK or DM_ERROR */
int dm_report_json(const dm_probe_t *probe, const dm_score_t *score);

/* prints a JUnit file on stdout; a failure that does not count is "skipped" */
void dm_report_junit(const dm_probe_t *probe, const dm_score_t *score);

/* the exit status: 0 if nothing counts against the server, else 1 */
int dm_report_status(const dm_score_t *score);


#endif /* DM_PROBE_REPORT_H */
