/* The table, for people and for pipelines */

#include <stdio.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "common/json.h"
#include "common/output.h"
#include "common/xml.h"
#include "probe/report.h"


static void dm_report_row(const dm_score_t *score, dm_row_e row, int verbose);
static void dm_report_sum(const dm_score_t *score, const char *what,
    dm_row_e first, dm_row_e last);
static json_t *dm_report_rows(const dm_score_t *score, dm_row_e first,
    dm_row_e last);
static json_t *dm_report_tests(const dm_score_t *score, dm_row_e row);
static json_t *dm_report_counted(const dm_score_t *score);
static void dm_report_case(const dm_score_t *score, dm_row_e row);
static const char *dm_report_status_name(dm_row_e row);


void
dm_report_text(const dm_probe_t *probe, const dm_score_t *score, int verbose)
{
    dm_row_e  row;

    dm_out_line(stdout, "%s, with %s", probe->server.url,
                OpenSSL_version(OPENSSL_VERSION));

    if (score->protocol[0] != '\0') {
        dm_out_line(stdout, "the server chooses %s and %s by itself",
                    score->protocol, score->suite);
    }

    printf("\n");

    for (row = 0; row < DM_NROWS; row++) {

        if (row == DM_NOT_FIRST) {
            printf("\nwhat must not work:\n");
        }

        dm_report_row(score, row, verbose);
    }

    printf("\n");
    dm_report_sum(score, "rows", 0, DM_NOT_FIRST);
    dm_report_sum(score, "refusals", DM_NOT_FIRST, DM_NROWS);
}


static void
dm_report_row(const dm_score_t *score, dm_row_e row, int verbose)
{
    size_t               i;
    const dm_test_t     *test;
    const dm_verdict_t  *verdict;

    verdict = &score->verdict[row];

    dm_out_line(stdout, "%-15s  %-21s  %s%s %s", dm_rows[row].id,
                dm_rows[row].what, dm_score_result(verdict->result),
                dm_score_counts(score, row) ? "!" : " ", verdict->why);

    for (i = 0; verbose && i < score->ntests; i++) {
        test = &score->test[i];

        if (test->row == row) {
            dm_out_line(stdout, "    %s  %s: %s%s%s%s%s",
                        dm_score_result(test->result), test->name, test->why,
                        test->protocol[0] == '\0' ? "" : ", ",
                        test->protocol, test->protocol[0] == '\0' ? "" : " ",
                        test->suite);
        }
    }
}


static void
dm_report_sum(const dm_score_t *score, const char *what, dm_row_e first,
    dm_row_e last)
{
    dm_row_e  row;
    unsigned  n[DM_NRESULTS], counted;

    counted = 0;
    memset(n, 0, sizeof(n));

    for (row = first; row < last; row++) {
        n[score->verdict[row].result]++;
        counted += (unsigned) dm_score_counts(score, row);
    }

    printf("%u %s: %u PASS, %u FAIL, %u SKIP; %u of them (!) against the "
           "server\n", (unsigned) (last - first), what, n[DM_PASS],
           n[DM_FAIL], n[DM_SKIP], counted);
}


int
dm_report_status(const dm_score_t *score)
{
    dm_row_e  row;

    for (row = 0; row < DM_NROWS; row++) {
        if (dm_score_counts(score, row)) {
            return 1;
        }
    }

    return 0;
}


int
dm_report_json(const dm_probe_t *probe, const dm_score_t *score)
{
    return dm_json_print(json_pack("{s:o, s:s, s:{s:s, s:s}, s:o, s:o, s:o, "
                                   "s:i}",
        "url", dm_json_text(probe->server.url),
        "openssl", OpenSSL_version(OPENSSL_VERSION),
        "server", "protocol", score->protocol, "cipher", score->suite,
        "rows", dm_report_rows(score, 0, DM_NOT_FIRST),
        "must_not", dm_report_rows(score, DM_NOT_FIRST, DM_NROWS),
        "counted", dm_report_counted(score),
        "exit", dm_report_status(score)));
}


static json_t *
dm_report_rows(const dm_score_t *score, dm_row_e first, dm_row_e last)
{
    json_t               *rows;
    dm_row_e              row;
    const dm_verdict_t   *verdict;

    rows = json_array();

    for (row = first; row < last; row++) {
        verdict = &score->verdict[row];

        (void) json_array_append_new(rows,
            json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:o}",
                      "id", dm_rows[row].id,
                      "what", dm_rows[row].what,
                      "status", dm_report_status_name(row),
                      "result", dm_score_result(verdict->result),
                      "counts", dm_score_counts(score, row),
                      "reason", dm_json_text(verdict->why),
                      "tests", dm_report_tests(score, row)));
    }

    return rows;
}


static json_t *
dm_report_tests(const dm_score_t *score, dm_row_e row)
{
    size_t            i;
    json_t           *tests;
    const dm_test_t  *test;

    tests = json_array();

    for (i = 0; i < score->ntests; i++) {
        test = &score->test[i];

        if (test->row != row) {
            continue;
        }

        (void) json_array_append_new(tests,
            json_pack("{s:o, s:s, s:b, s:o, s:s, s:s, s:i}",
                      "name", dm_json_text(test->name),
                      "result", dm_score_result(test->result),
                      "decides", test->role == DM_DECIDES,
                      "reason", dm_json_text(test->why),
                      "protocol", test->protocol,
                      "cipher", test->suite,
                      "http", (int) test->status));
    }

    return tests;
}


/* the ids that make the exit status 1 */
static json_t *
dm_report_counted(const dm_score_t *score)
{
    json_t    *ids;
    dm_row_e   row;

    ids = json_array();

    for (row = 0; row < DM_NROWS; row++) {
        if (dm_score_counts(score, row)) {
            (void) json_array_append_new(ids, json_string(dm_rows[row].id));
        }
    }

    return ids;
}


static const char *
dm_report_status_name(dm_row_e row)
{
    switch (dm_rows[row].status) {

    case 'M':
        return "M";

    case 'O':
        return "O";

    default:
        return "must not";
    }
}


void
dm_report_junit(const dm_probe_t *probe, const dm_score_t *score)
{
    dm_row_e  row;
    unsigned  failures, skipped;

    failures = 0;
    skipped = 0;

    for (row = 0; row < DM_NROWS; row++) {

        if (dm_score_counts(score, row)) {
            failures++;

        } else if (score->verdict[row].result != DM_PASS) {
            skipped++;
        }
    }

    printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
           "<testsuites>\n"
           "<testsuite name=\"dm-probe ");
    dm_xml_put(stdout, probe->server.url);
    printf("\" tests=\"%u\" failures=\"%u\" errors=\"0\" skipped=\"%u\">\n",
           (unsigned) DM_NROWS, failures, skipped);

    for (row = 0; row < DM_NROWS; row++) {
        dm_report_case(score, row);
    }

    printf("</testsuite>\n</testsuites>\n");
}


static void
dm_report_case(const dm_score_t *score, dm_row_e row)
{
    size_t               i;
    const char          *kind;
    const dm_test_t     *test;
    const dm_verdict_t  *verdict;

    verdict = &score->verdict[row];

    printf("<testcase classname=\"%s\" name=\"%s\">\n", dm_rows[row].id,
           dm_rows[row].what);

    if (verdict->result != DM_PASS) {
        kind = dm_score_counts(score, row) ? "failure" : "skipped";

        printf("<%s message=\"%s: ", kind, dm_score_result(verdict->result));
        dm_xml_put(stdout, verdict->why);
        printf("\"/>\n");
    }

    printf("<system-out>");

    for (i = 0; i < score->ntests; i++) {
        test = &score->test[i];

        if (test->row == row) {
            printf("%s ", dm_score_result(test->result));
            dm_xml_put(stdout, test->name);
            printf(": ");
            dm_xml_put(stdout, test->why);
            dm_out_line(stdout, " %s %s", test->protocol, test->suite);
        }
    }

    printf("</system-out>\n</testcase>\n");
}
