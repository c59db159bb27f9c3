/* The parts of dm-probe, in their order */

#include "probe/methods.h"
#include "probe/parts.h"
#include "probe/refusals.h"
#include "probe/versions.h"
#include "probe/witness.h"


static int dm_parts_survey(dm_run_t *run, dm_err_t *err);
static void dm_parts_anybody(dm_run_t *run);


int
dm_parts_run(const dm_probe_t *probe, dm_score_t *score,
    dm_progress_t *progress, dm_err_t *err)
{
    int       rc;
    dm_run_t  run;

    memset(&run, 0, sizeof(dm_run_t));
    memset(score, 0, sizeof(dm_score_t));

    run.probe = probe;
    run.score = score;
    run.progress = progress;

    rc = dm_parts_survey(&run, err);

    if (rc == DM_OK) {
        dm_parts_anybody(&run);
        dm_methods_run(&run);
        dm_versions_run(&run);
        dm_refusals_run(&run);
        dm_witness_done(&run);
        dm_score_judge(score);
    }

    dm_progress_clear(progress);

    return rc;
}


/*
 * Sees what the server chooses by itself, and whether it can be tried at all.
 */
static int
dm_parts_survey(dm_run_t *run, dm_err_t *err)
{
    dm_offer_t         offer;
    const dm_reply_t  *reply;

    memset(&offer, 0, sizeof(dm_offer_t));

    reply = &run->survey;
    run->score->suite = "-";

    dm_run_send_value(run, &offer, NULL, &run->survey);

    if (reply->seen.done) {
        memcpy(run->score->protocol, reply->seen.protocol,
               sizeof(run->score->protocol));
        run->score->suite = reply->seen.suite;
    }

    switch (reply->outcome) {

    case DM_REPLY_ANSWERED:
    case DM_REPLY_HANDSHAKE:
    case DM_REPLY_BROKEN:
        return DM_OK;

    case DM_REPLY_UNTRUSTED:
        dm_err_set(err, "%s: name the certificate of its CA with --cacert "
                   "FILE, and the server as its certificate does",
                   reply->why);
        return DM_INVALID;

    case DM_REPLY_OURS:
        dm_err_set(err, "%s", reply->why);
        return DM_ERROR;

    default:
        dm_err_set(err, "there is no answer from %s port %s: %s",
                   run->probe->server.host, run->probe->server.port,
                   reply->why);
        return DM_INVALID;
    }
}


/*
 * A request without credentials must be refused, or none that has some proves
 * anything.
 */
static void
dm_parts_anybody(dm_run_t *run)
{
    dm_test_t         *test;
    const dm_reply_t  *reply;

    reply = &run->survey;

    test = dm_score_add(run->score, DM_NOT_ANYBODY, DM_DECIDES, reply,
                        "a request without credentials");

    if (dm_run_is_let_in(reply)) {
        dm_score_set(test, DM_FAIL, "%s", reply->why);
        return;
    }

    /*
     * A redirect lets nobody in; a request that broke may have been let in
     * before.
     */

    if ((reply->outcome == DM_REPLY_ANSWERED && reply->status < 400)
        || dm_run_is_refusal(reply))
    {
        dm_score_set(test, DM_PASS, "%s", reply->why);
        return;
    }

    dm_score_set(test, DM_SKIP, "not shown: %s", reply->why);
}
