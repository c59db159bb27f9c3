/* The toolbox of the parts of dm-probe: sending, and judging an answer */

#ifndef DM_PROBE_RUN_H
#define DM_PROBE_RUN_H

#include "common/progress.h"
#include "probe/auth.h"
#include "probe/score.h"


/* the ways in which a request says who sends it */
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

    dm_reply_t         survey;          /* to a request that names nobody */
    int                works[DM_NMETHODS];
    dm_method_t        carrier;         /* one that works, or none */
} dm_run_t;


/* "basic", as DM-Auth-Method has it; "-" for none */
const char *dm_run_method(dm_method_t method);

/* counts one more try, and shows it on a terminal */
void dm_run_step(dm_run_t *run);

/* sends package 1, what the method needs being added to offer */
void dm_run_send(dm_run_t *run, const dm_offer_t *offer, dm_method_t method,
    dm_reply_t *reply);

/* sends package 1 with this value of Authorization, or NULL: without one */
void dm_run_send_value(dm_run_t *run, const dm_offer_t *offer,
    const char *value, dm_reply_t *reply);

/* the n-th challenge of the scheme, from 0.  DM_OK or DM_DECLINED */
int dm_run_challenge(const dm_reply_t *reply, const char *scheme, unsigned n,
    dm_challenge_t *challenge);

/* the test passes if it was served with what was offered: 1, else 0 */
int dm_run_served(const dm_run_t *run, dm_test_t *test,
    const dm_offer_t *offer, dm_method_t method, const dm_reply_t *reply);

/* 1 if the server did what it was asked, which HTTP says with 2xx, else 0 */
int dm_run_is_let_in(const dm_reply_t *reply);

/* 1 if it refused whoever asks, in the handshake or by HTTP, else 0 */
int dm_run_is_refusal(const dm_reply_t *reply);

/* the test passes if it was refused, in the handshake or by HTTP: 1, else 0 */
int dm_run_refused(dm_test_t *test, const dm_reply_t *reply);

/* as dm_run_refused(), for an Authorization header, which only HTTP refuses */
int dm_run_denied(dm_test_t *test, const dm_reply_t *reply);


#endif /* DM_PROBE_RUN_H */
