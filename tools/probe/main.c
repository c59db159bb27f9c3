/*
 * dm-probe: the conformance client of "Security for DM Session".  What it was
 * told is read by options.c, what it tries stands in parts.c, what it says in
 * report.c.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "common/json.h"
#include "common/process.h"
#include "probe/options.h"
#include "probe/parts.h"
#include "probe/report.h"


static int dm_main_prepare(dm_options_t *options);
static int dm_main_run(dm_options_t *options);
static int dm_main_report(const dm_options_t *options,
    const dm_score_t *score);


/* too large for a stack */
static dm_score_t  dm_main_score;


int
main(int argc, char **argv)
{
    int           rc;
    dm_options_t  options;

    if (dm_process_prepare("dm-probe") != DM_OK) {
        return DM_PROBE_FAILED;
    }

    dm_json_init();
    (void) signal(SIGPIPE, SIG_IGN);

    rc = dm_options_read(&options, argc, argv);

    if (rc == DM_PROBE_DONE) {
        rc = dm_main_run(&options);
    }

    if (rc == DM_PROBE_HELP) {
        rc = DM_PROBE_DONE;
    }

    if (fflush(stdout) != 0 || ferror(stdout)) {
        dm_options_tell(&options, "cannot write to stdout: %s",
                        strerror(errno));
        rc = DM_PROBE_FAILED;
    }

    dm_options_wipe(&options);

    return rc;
}


static int
dm_main_run(dm_options_t *options)
{
    int            rc;
    dm_progress_t  progress;

    if (dm_main_prepare(options) != DM_OK) {
        dm_options_tell(options, "%s", options->err.text);
        return DM_PROBE_FAILED;
    }

    dm_progress_start(&progress, !options->json);

    rc = dm_parts_run(&options->probe, &dm_main_score, &progress,
                      &options->err);

    dm_client_done();

    if (rc != DM_OK) {
        dm_options_tell(options, "%s", options->err.text);
        return DM_PROBE_FAILED;
    }

    return dm_main_report(options, &dm_main_score);
}


/* a library with SSL 3.0 has its RC4 in a provider of its own */
static int
dm_main_prepare(dm_options_t *options)
{
    if (dm_suite_init(&options->err) != DM_OK
        || dm_digest_init(&options->err) != DM_OK)
    {
        return DM_ERROR;
    }

    if ((dm_version_available() & DM_SSLV3)
        && dm_suite_load_legacy(&options->err) != DM_OK)
    {
        return DM_ERROR;
    }

    return dm_client_init(&options->err);
}


static int
dm_main_report(const dm_options_t *options, const dm_score_t *score)
{
    if (options->json) {
        if (dm_report_json(&options->probe, score) != DM_OK) {
            dm_options_tell(options, "the result cannot be written as JSON");
            return DM_PROBE_FAILED;
        }

    } else if (options->junit) {
        dm_report_junit(&options->probe, score);

    } else {
        dm_report_text(&options->probe, score, options->verbose);
    }

    return dm_report_status(score) == 0 ? DM_PROBE_DONE : DM_PROBE_FAILED;
}
