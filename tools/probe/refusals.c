/*
 * Tries that must be refused: SSL 2.0, suites without protection, Basic in
 * clear
 */

#include <stdio.h>

#include <openssl/ssl.h>

#include "probe/refusals.h"
#include "probe/socket.h"


#define DM_REFUSALS_NOBODY  "dm-probe-nobody"


static void dm_refusals_suites(dm_run_t *run, dm_row_e row,
    const uint16_t *suites, unsigned last);
static void dm_refusals_hello(dm_run_t *run, dm_row_e row, const char *name,
    const unsigned char *hello, size_t len);
static void dm_refusals_control(dm_run_t *run);
static void dm_refusals_plain(dm_run_t *run);
static int dm_refusals_plain_asked(dm_test_t *test, const dm_reply_t *reply);
static void dm_refusals_plain_sent(dm_run_t *run, long status);


void
dm_refusals_run(dm_run_t *run)
{
    size_t         len;
    unsigned char  hello[DM_RAW_HELLO_MAX];

    len = dm_raw_hello_ssl2(hello);
    dm_refusals_hello(run, DM_NOT_SSL2, "SSL 2.0", hello, len);

    dm_refusals_suites(run, DM_NOT_NULL, dm_raw_null, 0x0304);
    dm_refusals_suites(run, DM_NOT_EXPORT, dm_raw_export, 0x0303);
    dm_refusals_suites(run, DM_NOT_ANONYMOUS, dm_raw_anonymous, 0x0303);
    dm_refusals_control(run);

    if (run->probe->plain.url[0] != '\0') {
        dm_refusals_plain(run);
        return;
    }

    dm_score_excuse(run->score, DM_NOT_PLAIN_BASIC, "--plain-url does not "
                    "say where the server takes plain HTTP");
}


/* tries each version by itself: a server may have the suites in one only */
static void
dm_refusals_suites(dm_run_t *run, dm_row_e row, const uint16_t *suites,
    unsigned last)
{
    size_t         len;
    unsigned       version;
    unsigned char  hello[DM_RAW_HELLO_MAX];

    static const char *const  names[] = {
        "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"
    };

    for (version = 0x0300; version <= last; version++) {
        len = dm_raw_hello(version, suites, run->probe->server.host, hello);

        dm_refusals_hello(run, row, names[version - 0x0300], hello, len);
    }
}


static void
dm_refusals_hello(dm_run_t *run, dm_row_e row, const char *name,
    const unsigned char *hello, size_t len)
{
    dm_test_t            *test;
    dm_raw_answer_t       answer;
    dm_socket_outcome_t   outcome;

    dm_run_step(run);

    outcome = dm_socket_hello(run->probe, hello, len, &answer);

    test = dm_score_add(run->score, row, DM_DECIDES, NULL, "%s", name);

    switch (outcome) {

    case DM_SOCKET_UNREACHABLE:
        dm_score_set(test, DM_FAIL, "not tried: there is no connection");
        return;

    case DM_SOCKET_CLOSED:
        dm_score_set(test, DM_PASS, "refused: closed");
        return;

    case DM_SOCKET_SILENT:
        dm_score_set(test, DM_SKIP, "not shown: no answer in time");
        return;

    default: /* DM_SOCKET_ANSWERED */
        break;
    }

    switch (answer.kind) {

    case DM_RAW_HELLO:
        dm_score_set(test, DM_FAIL, "the server goes on, with version 0x%04x "
                     "and suite 0x%04x", answer.version, answer.suite);
        return;

    case DM_RAW_ALERT:
        dm_score_set(test, DM_PASS, "refused: alert \"%s\"",
                     SSL_alert_desc_string_long((int) answer.alert));
        return;

    default:
        dm_score_set(test, DM_PASS, "refused: what came is no ServerHello");
    }
}


/*
 * A server that has come to close all connections has not refused: look for it.
 */
static void
dm_refusals_control(dm_run_t *run)
{
    dm_row_e     row;
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;

    if (!run->survey.seen.done) {
        return;
    }

    memset(&offer, 0, sizeof(dm_offer_t));

    dm_run_send_value(run, &offer, NULL, &reply);

    if (reply.seen.done) {
        return;
    }

    for (row = DM_NOT_SSL2; row <= DM_NOT_ANONYMOUS; row++) {
        test = dm_score_add(run->score, row, DM_DECIDES, &reply,
                            "what was taken before");
        dm_score_set(test, DM_SKIP, "not shown: it is refused too, %s",
                     reply.why);
    }
}


/*
 * The password is never sent in clear: first nothing is, then a name and a
 * password that are nobody's.
 */
static void
dm_refusals_plain(dm_run_t *run)
{
    dm_test_t   *test;
    dm_reply_t   reply;

    dm_run_send_value(run, NULL, NULL, &reply);

    test = dm_score_add(run->score, DM_NOT_PLAIN_BASIC, DM_DECIDES, &reply,
                        "without credentials");

    if (dm_refusals_plain_asked(test, &reply)) {
        dm_refusals_plain_sent(run, reply.status);
    }
}


/* judges the answer to a request in clear; 1: there is more to be tried */
static int
dm_refusals_plain_asked(dm_test_t *test, const dm_reply_t *reply)
{
    dm_challenge_t  challenge;

    if (reply->outcome == DM_REPLY_CLOSED) {
        dm_score_set(test, DM_PASS, "refused: no connection");
        return 0;
    }

    if (reply->outcome != DM_REPLY_ANSWERED || reply->status >= 500) {
        dm_score_set(test, DM_FAIL, "not shown: %s", reply->why);
        return 0;
    }

    if (dm_run_challenge(reply, "Basic", 0, &challenge) == DM_OK) {
        dm_score_set(test, DM_FAIL, "answered %ld, and asks for Basic",
                     reply->status);
        return 0;
    }

    if (reply->status < 300) {
        dm_score_set(test, DM_FAIL, "not refused: %s", reply->why);
        return 0;
    }

    dm_score_set(test, DM_PASS, "%s", reply->why);

    return 1;
}


/* status is the answer to nothing: credentials must not make it another */
static void
dm_refusals_plain_sent(dm_run_t *run, long status)
{
    char         value[DM_AUTH_VALUE_MAX];
    dm_test_t   *test;
    dm_login_t   login;
    dm_reply_t   reply;
    dm_secret_t  wrong;

    memset(&login, 0, sizeof(dm_login_t));
    login.user = DM_REFUSALS_NOBODY;
    login.password = &wrong;

    if (dm_auth_wrong(&wrong) != DM_OK
        || dm_auth_basic(&login, value) != DM_OK)
    {
        value[0] = '\0';
    }

    dm_run_send_value(run, NULL, value, &reply);

    test = dm_score_add(run->score, DM_NOT_PLAIN_BASIC, DM_DECIDES, &reply,
                        "with credentials of nobody");

    if (reply.outcome == DM_REPLY_ANSWERED
        && reply.status >= 300 && reply.status < 500
        && (reply.status != 401 || status == 401))
    {
        dm_score_set(test, DM_PASS, "%s", reply.why);
        return;
    }

    dm_score_set(test, DM_FAIL, "they are looked at: %s", reply.why);
}
