/* The toolbox of the parts of dm-probe: sending, and judging an answer */

#include <stdio.h>

#include <openssl/crypto.h>

#include "probe/run.h"


/* tries that a server with everything takes; for another it is an estimate */
#define DM_RUN_TRIES  90


static void dm_run_login(const dm_run_t *run, dm_login_t *login);
static void dm_run_send_digest(dm_run_t *run, const dm_offer_t *offer,
    dm_reply_t *reply);
static int dm_run_is_open(const dm_run_t *run, dm_method_t method);


int
dm_run_is_let_in(const dm_reply_t *reply)
{
    return reply->status >= 200 && reply->status < 300;
}


const char *
dm_run_method(dm_method_t method)
{
    static const char *const  names[DM_NMETHODS] = {
        "-", "basic", "digest", "x509", "psk"
    };

    return names[method];
}


void
dm_run_step(dm_run_t *run)
{
    run->tries++;

    dm_progress_show(run->progress,
                     run->tries < DM_RUN_TRIES ? run->tries : DM_RUN_TRIES,
                     DM_RUN_TRIES, run->tries, "tries", "");
}


void
dm_run_send_value(dm_run_t *run, const dm_offer_t *offer, const char *value,
    dm_reply_t *reply)
{
    dm_run_step(run);

    dm_client_send(run->probe, offer, value, reply);
}


void
dm_run_send(dm_run_t *run, const dm_offer_t *offer, dm_method_t method,
    dm_reply_t *reply)
{
    char        value[DM_AUTH_VALUE_MAX];
    dm_login_t  login;
    dm_offer_t  with;

    with = *offer;

    switch (method) {

    case DM_METHOD_BASIC:
        dm_run_login(run, &login);

        if (dm_auth_basic(&login, value) != DM_OK) {
            value[0] = '\0';
        }

        dm_run_send_value(run, offer, value, reply);
        OPENSSL_cleanse(value, sizeof(value));

        return;

    case DM_METHOD_DIGEST:
        dm_run_send_digest(run, offer, reply);
        return;

    case DM_METHOD_X509:
        with.cert = run->probe->cert;
        with.key = run->probe->key;
        with.chain = run->probe->chain;
        break;

    case DM_METHOD_PSK:
        with.psk = run->probe->psk;
        break;

    default: /* DM_METHOD_NONE */
        break;
    }

    dm_run_send_value(run, &with, NULL, reply);
}


static void
dm_run_login(const dm_run_t *run, dm_login_t *login)
{
    login->user = run->probe->user;
    login->password = &run->probe->password;
    login->method = "POST";
    login->target = run->probe->server.target;
    login->body = dm_str(DM_MESSAGE);
}


/* asks for a challenge, and answers the first that can be answered */
static void
dm_run_send_digest(dm_run_t *run, const dm_offer_t *offer, dm_reply_t *reply)
{
    char             value[DM_AUTH_VALUE_MAX];
    unsigned         n;
    dm_login_t       login;
    const char      *qop;
    dm_challenge_t   challenge;

    dm_run_login(run, &login);
    dm_run_send_value(run, offer, NULL, reply);

    for (n = 0; dm_run_challenge(reply, "Digest", n, &challenge) == DM_OK;
         n++)
    {
        if (dm_challenge_qop(&challenge, &qop) == DM_OK
            && dm_auth_digest(&login, &challenge, qop, value) == DM_OK)
        {
            dm_run_send_value(run, offer, value, reply);
            OPENSSL_cleanse(value, sizeof(value));
            return;
        }
    }
}


int
dm_run_challenge(const dm_reply_t *reply, const char *scheme, unsigned n,
    dm_challenge_t *challenge)
{
    unsigned     i;
    const char  *value;

    for (i = 0; i < reply->nchallenges; i++) {
        value = reply->challenge[i];

        while (dm_challenge_next(&value, challenge) == DM_OK) {
            if (dm_challenge_lists(challenge->scheme, scheme) && n-- == 0) {
                return DM_OK;
            }
        }
    }

    return DM_DECLINED;
}


int
dm_run_served(const dm_run_t *run, dm_test_t *test, const dm_offer_t *offer,
    dm_method_t method, const dm_reply_t *reply)
{
    if (reply->outcome != DM_REPLY_ANSWERED) {
        dm_score_set(test, reply->outcome == DM_REPLY_OURS ? DM_SKIP
                                                           : DM_FAIL,
                     "%s", reply->why);
        return 0;
    }

    if (offer->version != 0 && reply->seen.version != offer->version) {
        dm_score_set(test, DM_FAIL, "the server used %s",
                     reply->seen.protocol);
        return 0;
    }

    if (dm_run_is_open(run, method)) {
        dm_score_set(test, DM_FAIL, "%s, which says nothing: a request "
                     "without credentials is too", reply->why);
        return 0;
    }

    if (dm_run_is_let_in(reply)) {
        dm_score_set(test, DM_PASS, "%s", reply->why);
        return 1;
    }

    /* nobody was named: it is as much as can be had */

    if (method == DM_METHOD_NONE && reply->status == 401) {
        dm_score_set(test, DM_PASS, "answered 401, for want of credentials");
        return 0;
    }

    if (method == DM_METHOD_NONE && reply->status == 403) {
        dm_score_set(test, DM_SKIP, "answered 403, and there are no "
                     "credentials that work to tell why");
        return 0;
    }

    dm_score_set(test, DM_FAIL, "%s", reply->why);

    return 0;
}


/* the method proves nothing: who names no credentials is let in */
static int
dm_run_is_open(const dm_run_t *run, dm_method_t method)
{
    return method != DM_METHOD_NONE && method != DM_METHOD_PSK
           && dm_run_is_let_in(&run->survey);
}


int
dm_run_refused(dm_test_t *test, const dm_reply_t *reply)
{
    if (dm_run_is_refusal(reply)) {
        dm_score_set(test, DM_PASS, "refused: %s", reply->why);
        return 1;
    }

    dm_score_set(test, DM_FAIL, "not refused: %s", reply->why);

    return 0;
}


int
dm_run_denied(dm_test_t *test, const dm_reply_t *reply)
{
    if (reply->outcome == DM_REPLY_ANSWERED) {
        return dm_run_refused(test, reply);
    }

    dm_score_set(test, DM_FAIL, "not shown: %s", reply->why);

    return 0;
}


int
dm_run_is_refusal(const dm_reply_t *reply)
{
    switch (reply->outcome) {

    case DM_REPLY_ANSWERED:

        /* 408 and 429 are about the time, and not about who asks */
        return reply->status >= 400 && reply->status < 500
               && reply->status != 408 && reply->status != 429;

    case DM_REPLY_HANDSHAKE:
        return 1;

    case DM_REPLY_BROKEN:

        /* TLS 1.3 refuses a certificate after the client's handshake */
        return reply->seen.alert != -1 && reply->status == 0;

    default:
        return 0;
    }
}
