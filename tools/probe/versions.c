/* Versions and cipher suites, with certificates and with a pre-shared key */

#include <stdio.h>

#include <openssl/crypto.h>

#include "probe/versions.h"
#include "probe/witness.h"


#define DM_VERSIONS_SUITES  32


/* a version, and the rows that it is tried for */
typedef struct {
    unsigned     version;
    dm_row_e     row;
    const char  *list;          /* its suites are tried one by one */
    dm_row_e     suites_row;    /* their row; row itself: for information */
    dm_row_e     client;
    dm_row_e     client_suites; /* DM_NROWS: none */
} dm_plan_t;


static void dm_versions_try(dm_run_t *run, const dm_plan_t *plan);
static void dm_versions_methods(dm_run_t *run, const dm_plan_t *plan);
static void dm_versions_suites(dm_run_t *run, const dm_plan_t *plan);
static void dm_versions_suite(dm_run_t *run, const dm_plan_t *plan,
    const char *suite);
static void dm_versions_absent(dm_run_t *run, const dm_plan_t *plan);
static void dm_versions_modern(dm_run_t *run);
static void dm_versions_psk(dm_run_t *run);
static void dm_versions_psk_any(dm_run_t *run, unsigned version,
    dm_role_t role);
static void dm_versions_psk_suite(dm_run_t *run, const char *suite);
static void dm_versions_psk_wrong(dm_run_t *run);
static const char *const *dm_versions_list(const char *name);


static const dm_plan_t  dm_plans[] = {
    { DM_TLSV1, DM_S_TLS1_0, "DM-TLS11", DM_S_TLS1_0, DM_C_TLS1_0, DM_NROWS },
    { DM_SSLV3, DM_S_SSL3, "DM-SSL3", DM_S_SSL3_SUITES, DM_C_SSL3,
      DM_C_SSL3_SUITES },
    { DM_TLSV1_1, DM_S_TLS1_1, "DM-TLS11", DM_S_TLS1_1, DM_C_TLS1_1,
      DM_NROWS },
    { DM_TLSV1_2, DM_S_TLS1_2, "DM-X509", DM_S_TLS1_2, DM_C_TLS1_2, DM_NROWS }
};


void
dm_versions_run(dm_run_t *run)
{
    size_t  i;

    for (i = 0; i < sizeof(dm_plans) / sizeof(dm_plans[0]); i++) {

        if (dm_version_available() & dm_plans[i].version) {
            dm_versions_try(run, &dm_plans[i]);
            dm_versions_suites(run, &dm_plans[i]);

        } else {
            dm_versions_absent(run, &dm_plans[i]);
        }
    }

    dm_versions_modern(run);

    if (run->probe->psk != NULL) {
        dm_versions_psk(run);
        return;
    }

    dm_score_skip(run->score, DM_S_PSK, "there is no key: --account, or "
                  "--psk-identity and --psk-file");
    dm_score_skip(run->score, DM_S_PSK_SUITES, "there is no key");
}


static void
dm_versions_try(dm_run_t *run, const dm_plan_t *plan)
{
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;
    const char  *name;

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.version = plan->version;
    name = dm_version_name(plan->version);

    dm_run_send(run, &offer, run->carrier, &reply);

    test = dm_score_add(run->score, plan->row, DM_DECIDES, &reply, "%s",
                        name);

    if (!dm_run_served(run, test, &offer, run->carrier, &reply)) {
        return;
    }

    dm_witness_add(run, plan->client, name, &reply, "DM-TLS-Protocol", name);
    dm_witness_version(run, name, &reply);

    dm_versions_methods(run, plan);
}


/* the other methods that work, for information */
static void
dm_versions_methods(dm_run_t *run, const dm_plan_t *plan)
{
    dm_test_t    *test;
    dm_offer_t    offer;
    dm_reply_t    reply;
    dm_method_t   method;

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.version = plan->version;

    for (method = DM_METHOD_BASIC; method <= DM_METHOD_X509; method++) {

        if (!run->works[method] || method == run->carrier) {
            continue;
        }

        dm_run_send(run, &offer, method, &reply);

        test = dm_score_add(run->score, plan->row, DM_TELLS, &reply, "%s, %s",
                            dm_version_name(plan->version),
                            dm_run_method(method));
        (void) dm_run_served(run, test, &offer, method, &reply);
    }
}


static void
dm_versions_suites(dm_run_t *run, const dm_plan_t *plan)
{
    const char *const  *suite;

    for (suite = dm_versions_list(plan->list); *suite != NULL; suite++) {
        dm_versions_suite(run, plan, *suite);
    }
}


static void
dm_versions_suite(dm_run_t *run, const dm_plan_t *plan, const char *suite)
{
    dm_role_t    role;
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;
    const char  *one[2], *known[2];

    role = plan->row == plan->suites_row ? DM_TELLS : DM_DECIDES;
    one[0] = suite;
    one[1] = NULL;

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.version = plan->version;
    offer.suites = one;

    if (dm_tls_suites(one, plan->version, known, 2) == 0) {
        test = dm_score_add(run->score, plan->suites_row, role, NULL,
                            "%s", suite);
        dm_score_set(test, DM_SKIP, "this OpenSSL does not have it");
        return;
    }

    dm_run_send(run, &offer, run->carrier, &reply);

    test = dm_score_add(run->score, plan->suites_row, role, &reply, "%s",
                        suite);

    if (dm_run_served(run, test, &offer, run->carrier, &reply)) {
        dm_witness_version(run, suite, &reply);

        if (plan->client_suites != DM_NROWS) {
            dm_witness_add(run, plan->client_suites, suite, &reply,
                           "DM-TLS-Cipher", suite);
        }
    }
}


static void
dm_versions_absent(dm_run_t *run, const dm_plan_t *plan)
{
    char  why[DM_SCORE_WHY_MAX];

    (void) snprintf(why, sizeof(why), "the OpenSSL that dm-probe runs on has "
                    "no %s: see \"make legacy\"",
                    dm_version_name(plan->version));

    dm_score_skip(run->score, plan->row, why);
    dm_score_skip(run->score, plan->suites_row, why);
}


/* TLS 1.3 stands in no table: it is told where the nearest thing is */
static void
dm_versions_modern(dm_run_t *run)
{
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.version = DM_TLSV1_3;

    dm_run_send(run, &offer, run->carrier, &reply);

    test = dm_score_add(run->score, DM_S_TLS1_2, DM_BESIDE, &reply, "TLSv1.3");

    if (dm_run_served(run, test, &offer, run->carrier, &reply)) {
        dm_witness_version(run, "TLSv1.3", &reply);
    }

    if (run->probe->psk == NULL) {
        return;
    }

    dm_run_send(run, &offer, DM_METHOD_PSK, &reply);

    test = dm_score_add(run->score, DM_S_PSK, DM_BESIDE, &reply, "TLSv1.3");
    (void) dm_run_served(run, test, &offer, DM_METHOD_PSK, &reply);
}


static void
dm_versions_psk(dm_run_t *run)
{
    const char *const  *suite;

    dm_versions_psk_any(run, 0, DM_DECIDES);
    dm_versions_psk_wrong(run);
    dm_versions_psk_any(run, DM_TLSV1, DM_TELLS);
    dm_versions_psk_any(run, DM_TLSV1_1, DM_TELLS);

    for (suite = dm_versions_list("DM-PSK"); *suite != NULL; suite++) {
        dm_versions_psk_suite(run, *suite);
    }
}


static void
dm_versions_psk_any(dm_run_t *run, unsigned version,
    dm_role_t role)
{
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;
    const char  *name, *suites[DM_VERSIONS_SUITES];

    name = version == 0 ? "any version" : dm_version_name(version);

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.version = version;
    offer.suites = suites;

    (void) dm_tls_suites(dm_versions_list("DM-PSK"),
                         version == 0 ? DM_TLSV1_2 : version, suites,
                         DM_VERSIONS_SUITES);

    dm_run_send(run, &offer, DM_METHOD_PSK, &reply);

    test = dm_score_add(run->score, DM_S_PSK, role, &reply, "%s", name);

    if (dm_run_served(run, test, &offer, DM_METHOD_PSK, &reply)) {
        run->works[DM_METHOD_PSK] = 1;

        dm_witness_add(run, DM_C_PSK, name, &reply, "DM-Auth-Method", "psk");
        dm_witness_version(run, "psk", &reply);
    }
}


/* a server that takes any key knows nobody */
static void
dm_versions_psk_wrong(dm_run_t *run)
{
    dm_test_t      *test;
    dm_offer_t      offer;
    dm_reply_t      reply;
    const char     *suites[DM_VERSIONS_SUITES];
    dm_probe_psk_t  wrong;

    wrong = *run->probe->psk;
    wrong.key.data[0] ^= 0xff;

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.suites = suites;
    offer.psk = &wrong;

    (void) dm_tls_suites(dm_versions_list("DM-PSK"), DM_TLSV1_2, suites,
                         DM_VERSIONS_SUITES);

    dm_run_send_value(run, &offer, NULL, &reply);
    OPENSSL_cleanse(&wrong, sizeof(dm_probe_psk_t));

    test = dm_score_add(run->score, DM_S_PSK, DM_DECIDES, &reply,
                        "a wrong key");
    (void) dm_run_refused(test, &reply);
}


/* six are in both editions of the standard, the ECDHE one is in the later */
static void
dm_versions_psk_suite(dm_run_t *run, const char *suite)
{
    dm_test_t   *test;
    dm_offer_t   offer;
    dm_reply_t   reply;
    const char  *one[2];

    memset(&offer, 0, sizeof(dm_offer_t));
    offer.version = DM_TLSV1_2;
    offer.suites = one;

    one[0] = suite;
    one[1] = NULL;

    dm_run_send(run, &offer, DM_METHOD_PSK, &reply);

    test = dm_score_add(run->score, DM_S_PSK_SUITES,
                        strncmp(suite, "TLS_ECDHE_", 10) == 0 ? DM_TELLS
                                                              : DM_DECIDES,
                        &reply, "%s", suite);

    if (dm_run_served(run, test, &offer, DM_METHOD_PSK, &reply)) {
        dm_witness_version(run, suite, &reply);
        dm_witness_add(run, DM_C_PSK_SUITES, suite, &reply, "DM-TLS-Cipher",
                       suite);
    }
}


static const char *const *
dm_versions_list(const char *name)
{
    return dm_suite_list((dm_str_t) { (const unsigned char *) name,
                                      strlen(name) });
}
