/* What is tried, in order, and what each part of it shares */

#ifndef DM_PROBE_RUN_H
#define DM_PROBE_RUN_H

#include "common/progress.h"
#include "probe/auth.h"
#include "probe/score.h"


/* how a request says who sends it */
typedef enum {
    DM_METHOD_NONE = 0,
    DM_METHOD_BASIC,
    DM_METHOD_DIGEST,
    DM_METHOD_X509,
    DM_METHOD_PSK,
    DM_NMETHODS
} dm_method_t;


typedef struct {
    const dm_probe_t  *probe;
    dm_score_t        *score;
    dm_progress_t     *progress;
    unsigned           tries;

    dm_reply_t         survey;          /* to a request of nobody */
    int                works[DM_NMETHODS];
    dm_method_t        carrier;         /* one that works, or none */
} dm_run_t;


/*
 * Tries everything.  DM_OK, and score has all of it; DM_INVALID: err says why
 * the server cannot be tried at all; DM_ERROR.
 */
int dm_run_all(const dm_probe_t *probe, dm_score_t *score,
    dm_progress_t *progress, dm_err_t *err);


/* the parts, in their order */
void dm_methods_run(dm_run_t *run);
void dm_versions_run(dm_run_t *run);
void dm_refusals_run(dm_run_t *run);


/* "basic", as DM-Auth-Method has it; "-" for none */
const char *dm_run_method(dm_method_t method);

/* one more try, on a terminal */
void dm_run_step(dm_run_t *run);

/* sends package 1, what the method needs being added to offer */
void dm_run_send(dm_run_t *run, const dm_offer_t *offer, dm_method_t method,
    dm_reply_t *reply);

/* the same with the value of an Authorization header, or NULL */
void dm_run_send_value(dm_run_t *run, const dm_offer_t *offer,
    const char *value, dm_reply_t *reply);

/* the n-th challenge of the scheme, from 0.  DM_OK or DM_DECLINED */
int dm_run_challenge(const dm_reply_t *reply, const char *scheme, unsigned n,
    dm_challenge_t *challenge);

/* passes where it was served with what was offered: 1, else 0 */
int dm_run_served(const dm_run_t *run, dm_test_t *test,
    const dm_offer_t *offer, dm_method_t method, const dm_reply_t *reply);

/* passes where it was refused, in the handshake or by HTTP: 1, else 0 */
int dm_run_refused(dm_test_t *test, const dm_reply_t *reply);

/* the same for an Authorization header, which only an answer refuses */
int dm_run_denied(dm_test_t *test, const dm_reply_t *reply);


/*
 * A row of the client, judged by what the server says that it received: the
 * value that it has of the header must be this.  reply is an answer of a
 * request that was served.
 */
void dm_witness_add(dm_run_t *run, dm_row_e row, const char *name,
    const dm_reply_t *reply, const char *header, const char *value);

/* C-008, of each request that was served */
void dm_witness_version(dm_run_t *run, const char *name,
    const dm_reply_t *reply);

/* why rows of the client have no tests */
void dm_witness_done(dm_run_t *run);


#endif /* DM_PROBE_RUN_H */
