/* The methods of authentication: the right credentials, and wrong ones */

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "probe/methods.h"
#include "probe/witness.h"


#define DM_METHODS_CERT_DAY  86400      /* s */


static void dm_methods_basic(dm_run_t *run);
static void dm_methods_basic_wrong(dm_run_t *run);
static void dm_methods_digest(dm_run_t *run);
static int dm_methods_digest_asks(const dm_run_t *run, unsigned n,
    const char *qop);
static void dm_methods_digest_qop(dm_run_t *run, const char *algorithm,
    const char *qop);
static void dm_methods_digest_wrong(dm_run_t *run);
static int dm_methods_digest_answer(dm_run_t *run, const char *algorithm,
    const char *qop, const dm_secret_t *password, char *value,
    dm_reply_t *reply);
static int dm_methods_challenge(const dm_reply_t *reply,
    const char *algorithm, dm_challenge_t *challenge);
static void dm_methods_replay(dm_run_t *run, const char *value);
static void dm_methods_x509(dm_run_t *run);
static void dm_methods_x509_wrong(dm_run_t *run);
static X509 *dm_methods_stranger(EVP_PKEY *key);
static void dm_methods_right(dm_run_t *run, dm_row_e row, dm_method_t method,
    dm_test_t *test, const dm_reply_t *reply);
static void dm_methods_carrier(dm_run_t *run);


/* for each method the server chooses version and suite */
static const dm_offer_t  dm_methods_offer;


void
dm_methods_run(dm_run_t *run)
{
    const dm_probe_t  *probe;

    static const char  no_password[] = "there is no password: --user and "
                                       "--password-file";

    probe = run->probe;

    if (probe->user != NULL) {
        dm_methods_basic(run);
        dm_methods_digest(run);

    } else {
        dm_score_skip(run->score, DM_S_BASIC, no_password);
        dm_score_skip(run->score, DM_S_DIGEST, no_password);
        dm_score_excuse(run->score, DM_NOT_REPLAY, no_password);
    }

    if (probe->cert != NULL) {
        dm_methods_x509(run);

    } else {
        dm_score_skip(run->score, DM_S_X509, "there is no certificate: "
                      "--account, or --cert and --private-key");
    }

    dm_methods_carrier(run);
}


static void
dm_methods_basic(dm_run_t *run)
{
    dm_test_t       *test;
    dm_reply_t       reply;
    dm_challenge_t   challenge;

    dm_run_send(run, &dm_methods_offer, DM_METHOD_BASIC, &reply);

    test = dm_score_add(run->score, DM_S_BASIC, DM_DECIDES, &reply,
                        "the right password");
    dm_methods_right(run, DM_C_BASIC, DM_METHOD_BASIC, test, &reply);

    dm_methods_basic_wrong(run);

    /* a client that waits to be asked needs it */

    test = dm_score_add(run->score, DM_S_BASIC, DM_TELLS, &run->survey,
                        "a challenge");

    if (dm_run_challenge(&run->survey, "Basic", 0, &challenge) == DM_OK) {
        dm_score_set(test, DM_PASS, "%s", run->survey.why);

    } else {
        dm_score_set(test, DM_FAIL, "none, %s", run->survey.why);
    }
}


static void
dm_methods_basic_wrong(dm_run_t *run)
{
    char         value[DM_AUTH_VALUE_MAX];
    dm_test_t   *test;
    dm_login_t   login;
    dm_reply_t   reply;
    dm_secret_t  wrong;

    memset(&login, 0, sizeof(dm_login_t));
    login.user = run->probe->user;
    login.password = &wrong;

    if (dm_auth_wrong(&wrong) != DM_OK
        || dm_auth_basic(&login, value) != DM_OK)
    {
        test = dm_score_add(run->score, DM_S_BASIC, DM_DECIDES, NULL,
                            "a wrong password");
        dm_score_set(test, DM_FAIL, "it cannot be made: the library failed");
        return;
    }

    dm_run_send_value(run, &dm_methods_offer, value, &reply);

    test = dm_score_add(run->score, DM_S_BASIC, DM_DECIDES, &reply,
                        "a wrong password");
    (void) dm_run_denied(test, &reply);
}


/* tries each algorithm with each qop that the server asks for */
static void
dm_methods_digest(dm_run_t *run)
{
    unsigned         n;
    dm_test_t       *test;
    const char      *qop;
    dm_challenge_t   challenge;

    for (n = 0;
         dm_run_challenge(&run->survey, "Digest", n, &challenge) == DM_OK;
         n++)
    {
        if (dm_challenge_qop(&challenge, &qop) != DM_OK) {
            test = dm_score_add(run->score, DM_S_DIGEST, DM_TELLS,
                                &run->survey, "%s",
                                challenge.algorithm[0] == '\0'
                                    ? "MD5" : challenge.algorithm);
            dm_score_set(test, DM_SKIP, "no qop that dm-probe knows");
            continue;
        }

        if (challenge.qop[0] == '\0') {
            dm_methods_digest_qop(run, challenge.algorithm, NULL);
        }

        if (dm_methods_digest_asks(run, n, "auth")) {
            dm_methods_digest_qop(run, challenge.algorithm, "auth");
        }

        if (dm_methods_digest_asks(run, n, "auth-int")) {
            dm_methods_digest_qop(run, challenge.algorithm, "auth-int");
        }
    }

    if (n == 0) {
        test = dm_score_add(run->score, DM_S_DIGEST, DM_DECIDES,
                            &run->survey, "a challenge");
        dm_score_set(test, DM_FAIL, "none, %s", run->survey.why);

    } else {
        dm_methods_digest_wrong(run);
    }

    if (!run->works[DM_METHOD_DIGEST]) {
        dm_score_excuse(run->score, DM_NOT_REPLAY, "Digest does not work "
                        "here");
    }
}


/* 1 if challenge n is the first of its algorithm that lists the qop, else 0 */
static int
dm_methods_digest_asks(const dm_run_t *run, unsigned n, const char *qop)
{
    unsigned        i;
    dm_challenge_t  challenge, before;

    if (dm_run_challenge(&run->survey, "Digest", n, &challenge) != DM_OK
        || !dm_challenge_lists(challenge.qop, qop))
    {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (dm_run_challenge(&run->survey, "Digest", i, &before) == DM_OK
            && strcasecmp(before.algorithm, challenge.algorithm) == 0
            && dm_challenge_lists(before.qop, qop))
        {
            return 0;
        }
    }

    return 1;
}


static void
dm_methods_digest_qop(dm_run_t *run, const char *algorithm, const char *qop)
{
    int          rc, replay;
    char         value[DM_AUTH_VALUE_MAX];
    dm_test_t   *test;
    dm_reply_t   reply;

    replay = !run->works[DM_METHOD_DIGEST];

    rc = dm_methods_digest_answer(run, algorithm, qop,
                                  &run->probe->password, value, &reply);

    test = dm_score_add(run->score, DM_S_DIGEST,
                        rc == DM_DECLINED ? DM_TELLS : DM_DECIDES, &reply,
                        "%s%s%s", algorithm[0] == '\0' ? "MD5" : algorithm,
                        qop == NULL ? "" : " ", qop == NULL ? "" : qop);

    if (rc == DM_DECLINED) {
        dm_score_set(test, DM_SKIP, "an algorithm that dm-probe does not "
                     "know");
        return;
    }

    if (rc != DM_OK) {
        dm_score_set(test, DM_FAIL, "its challenge cannot be answered: %s",
                     reply.why);
        return;
    }

    dm_methods_right(run, DM_C_DIGEST, DM_METHOD_DIGEST, test, &reply);

    if (replay && run->works[DM_METHOD_DIGEST]) {
        dm_methods_replay(run, value);
    }

    OPENSSL_cleanse(value, sizeof(value));
}


static void
dm_methods_digest_wrong(dm_run_t *run)
{
    char             value[DM_AUTH_VALUE_MAX];
    unsigned         n;
    dm_test_t       *test;
    dm_reply_t       reply;
    const char      *qop;
    dm_secret_t      wrong;
    dm_challenge_t   challenge;

    if (dm_auth_wrong(&wrong) != DM_OK) {
        wrong.len = 0;
    }

    for (n = 0;
         dm_run_challenge(&run->survey, "Digest", n, &challenge) == DM_OK;
         n++)
    {
        if (dm_challenge_qop(&challenge, &qop) != DM_OK
            || dm_methods_digest_answer(run, challenge.algorithm, qop, &wrong,
                                        value, &reply)
               != DM_OK)
        {
            continue;
        }

        test = dm_score_add(run->score, DM_S_DIGEST, DM_DECIDES, &reply,
                            "a wrong password");
        (void) dm_run_denied(test, &reply);

        return;
    }

    test = dm_score_add(run->score, DM_S_DIGEST, DM_DECIDES, NULL,
                        "a wrong password");
    dm_score_set(test, DM_FAIL, "there is no challenge that can be answered");
}


/*
 * Answers a new challenge of the algorithm; value is what was sent.  DM_OK;
 * DM_DECLINED: it is not known; DM_INVALID: there is none, or it is malformed;
 * DM_ERROR.
 */
static int
dm_methods_digest_answer(dm_run_t *run, const char *algorithm,
    const char *qop, const dm_secret_t *password, char *value,
    dm_reply_t *reply)
{
    int             rc;
    dm_login_t      login;
    dm_challenge_t  challenge;

    dm_run_send_value(run, &dm_methods_offer, NULL, reply);

    if (dm_methods_challenge(reply, algorithm, &challenge) != DM_OK) {
        return DM_INVALID;
    }

    login.user = run->probe->user;
    login.password = password;
    login.method = "POST";
    login.target = run->probe->server.target;
    login.body = dm_str(DM_MESSAGE);

    rc = dm_auth_digest(&login, &challenge, qop, value);

    if (rc == DM_OK) {
        dm_run_send_value(run, &dm_methods_offer, value, reply);
    }

    return rc;
}


static int
dm_methods_challenge(const dm_reply_t *reply, const char *algorithm,
    dm_challenge_t *challenge)
{
    unsigned  n;

    for (n = 0; dm_run_challenge(reply, "Digest", n, challenge) == DM_OK; n++)
    {
        if (strcmp(challenge->algorithm, algorithm) == 0) {
            return DM_OK;
        }
    }

    return DM_DECLINED;
}


/* sends a value that was accepted once again, on another connection */
static void
dm_methods_replay(dm_run_t *run, const char *value)
{
    dm_test_t   *test;
    dm_reply_t   reply;

    dm_run_send_value(run, &dm_methods_offer, value, &reply);

    test = dm_score_add(run->score, DM_NOT_REPLAY, DM_DECIDES, &reply,
                        "the same Authorization again");
    (void) dm_run_denied(test, &reply);
}


static void
dm_methods_x509(dm_run_t *run)
{
    dm_test_t   *test;
    dm_reply_t   reply;

    if (run->probe->key == NULL) {
        dm_score_skip(run->score, DM_S_X509, "there is no key of the "
                      "certificate: --private-key");
        return;
    }

    dm_run_send(run, &dm_methods_offer, DM_METHOD_X509, &reply);

    test = dm_score_add(run->score, DM_S_X509, DM_DECIDES, &reply,
                        "the right certificate");
    dm_methods_right(run, DM_C_X509, DM_METHOD_X509, test, &reply);

    dm_methods_x509_wrong(run);
}


static void
dm_methods_x509_wrong(dm_run_t *run)
{
    X509        *cert;
    EVP_PKEY    *key;
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;

    key = EVP_EC_gen("P-256");
    cert = dm_methods_stranger(key);

    if (cert == NULL) {
        test = dm_score_add(run->score, DM_S_X509, DM_DECIDES, NULL,
                            "a self-signed certificate");
        dm_score_set(test, DM_FAIL, "it cannot be made: the library failed");
        EVP_PKEY_free(key);
        return;
    }

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.cert = cert;
    offer.key = key;

    dm_run_send_value(run, &offer, NULL, &reply);

    test = dm_score_add(run->score, DM_S_X509, DM_DECIDES, &reply,
                        "a self-signed certificate");
    (void) dm_run_refused(test, &reply);

    X509_free(cert);
    EVP_PKEY_free(key);
}


static X509 *
dm_methods_stranger(EVP_PKEY *key)
{
    X509       *cert;
    X509_NAME  *name;

    cert = X509_new();
    name = X509_NAME_new();

    if (cert == NULL
        || key == NULL
        || name == NULL
        || X509_set_version(cert, X509_VERSION_3) != 1
        || ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1
        || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                      (const unsigned char *) "dm-probe", -1,
                                      -1, 0)
           != 1
        || X509_set_subject_name(cert, name) != 1
        || X509_set_issuer_name(cert, name) != 1
        || X509_gmtime_adj(X509_getm_notBefore(cert), -DM_METHODS_CERT_DAY)
           == NULL
        || X509_gmtime_adj(X509_getm_notAfter(cert), DM_METHODS_CERT_DAY)
           == NULL
        || X509_set_pubkey(cert, key) != 1
        || X509_sign(cert, key, EVP_sha256()) == 0)
    {
        X509_free(cert);
        cert = NULL;
    }

    X509_NAME_free(name);

    return cert;
}


static void
dm_methods_right(dm_run_t *run, dm_row_e row, dm_method_t method,
    dm_test_t *test, const dm_reply_t *reply)
{
    if (!dm_run_served(run, test, &dm_methods_offer, method, reply)) {
        return;
    }

    run->works[method] = 1;

    dm_witness_add(run, row, test->name, reply, "DM-Auth-Method",
                   dm_run_method(method));
    dm_witness_version(run, dm_run_method(method), reply);
}


/*
 * Chooses the method that says who we are while versions and suites are tried.
 */
static void
dm_methods_carrier(dm_run_t *run)
{
    dm_method_t  method;

    for (method = DM_METHOD_BASIC; method <= DM_METHOD_X509; method++) {
        if (run->works[method]) {
            run->carrier = method;
            return;
        }
    }
}
