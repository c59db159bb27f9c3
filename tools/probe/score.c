/* The rows of the conformance table, and what was found for each */

#include <stdarg.h>
#include <stdio.h>

#include "probe/score.h"


static void dm_score_clean(char *text);
static void dm_score_judge_row(dm_score_t *score, dm_row_e row);
static void dm_score_explain(const dm_score_t *score, dm_row_e row,
    dm_verdict_t *verdict, const dm_test_t *first, unsigned more);


const dm_row_t  dm_rows[DM_NROWS] = {
    { "DM-SEC-S-001-O", "TLS 1.0", 'O', -1 },
    { "DM-SEC-S-002-O", "SSL 3.0", 'O', -1 },
    { "DM-SEC-S-003-O", "both DM-SSL3 suites", 'O', DM_S_SSL3 },
    { "DM-SEC-S-004-M", "TLS 1.1", 'M', -1 },
    { "DM-SEC-S-005-O", "PSK-TLS", 'O', -1 },
    { "DM-SEC-S-006-O", "all six DM-PSK suites", 'O', DM_S_PSK },
    { "DM-SEC-S-007-O", "TLS 1.2", 'O', -1 },
    { "DM-SEC-S-008-M", "Basic", 'M', -1 },
    { "DM-SEC-S-009-M", "Digest", 'M', -1 },
    { "DM-SEC-S-010-M", "X.509 certificate", 'M', -1 },

    { "DM-SEC-C-001-O", "client: TLS 1.0", 'O', -1 },
    { "DM-SEC-C-002-O", "client: SSL 3.0", 'O', -1 },
    { "DM-SEC-C-003-O", "client: DM-SSL3 suite", 'O', DM_C_SSL3 },
    { "DM-SEC-C-004-M", "client: TLS 1.1", 'M', -1 },
    { "DM-SEC-C-005-O", "client: PSK-TLS", 'O', -1 },
    { "DM-SEC-C-006-O", "client: DM-PSK suite", 'O', DM_C_PSK },
    { "DM-SEC-C-007-O", "client: TLS 1.2", 'O', -1 },
    { "DM-SEC-C-008-M", "client: the version", 'M', -1 },
    { "DM-SEC-C-009-M", "client: Basic", 'M', -1 },
    { "DM-SEC-C-010-O", "client: Digest", 'O', -1 },
    { "DM-SEC-C-011-M", "client: X.509", 'M', -1 },

    { "not-ssl2", "SSL 2.0", 'N', -1 },
    { "not-null", "NULL suites", 'N', -1 },
    { "not-export", "EXPORT suites", 'N', -1 },
    { "not-anonymous", "anonymous suites", 'N', -1 },
    { "not-plain-basic", "Basic over plain HTTP", 'N', -1 },
    { "not-replay", "replayed Digest", 'N', -1 },
    { "not-anybody", "no credentials", 'N', -1 }
};


dm_test_t *
dm_score_add(dm_score_t *score, dm_row_e row, dm_role_t role,
    const dm_reply_t *reply, const char *fmt, ...)
{
    va_list     args;
    dm_test_t  *test;

    /* the last place is written again and again: it is never reached */

    test = &score->test[score->ntests];

    if (score->ntests < DM_SCORE_TESTS - 1) {
        score->ntests++;
    }

    memset(test, 0, sizeof(dm_test_t));

    test->row = row;
    test->role = role;
    test->result = DM_FAIL;
    test->suite = "";

    va_start(args, fmt);
    (void) vsnprintf(test->name, sizeof(test->name), fmt, args);
    va_end(args);

    dm_score_clean(test->name);

    if (reply != NULL) {
        test->status = reply->status;
    }

    if (reply != NULL && reply->seen.done) {
        test->suite = reply->seen.suite;
        memcpy(test->protocol, reply->seen.protocol, sizeof(test->protocol));
    }

    return test;
}


void
dm_score_set(dm_test_t *test, dm_result_t result, const char *fmt, ...)
{
    va_list  args;

    test->result = result;

    va_start(args, fmt);
    (void) vsnprintf(test->why, sizeof(test->why), fmt, args);
    va_end(args);

    dm_score_clean(test->why);
}


/* some of it is the server's, and must not speak to the terminal */
static void
dm_score_clean(char *text)
{
    char  *p;

    for (p = text; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
}


void
dm_score_skip(dm_score_t *score, dm_row_e row, const char *why)
{
    (void) snprintf(score->verdict[row].why, DM_SCORE_WHY_MAX, "%s", why);
}


void
dm_score_excuse(dm_score_t *score, dm_row_e row, const char *why)
{
    dm_score_skip(score, row, why);
    score->verdict[row].excused = 1;
}


int
dm_score_passed(const dm_score_t *score, dm_row_e row)
{
    size_t  i;

    for (i = 0; i < score->ntests; i++) {
        if (score->test[i].row == row && score->test[i].result == DM_PASS) {
            return 1;
        }
    }

    return 0;
}


void
dm_score_judge(dm_score_t *score)
{
    dm_row_e  row;

    for (row = 0; row < DM_NROWS; row++) {
        dm_score_judge_row(score, row);
    }
}


/* the worst of what decides: FAIL, then SKIP, then PASS */
static void
dm_score_judge_row(dm_score_t *score, dm_row_e row)
{
    size_t            i;
    unsigned          n[DM_NRESULTS];
    dm_test_t        *test;
    dm_verdict_t     *verdict;
    const dm_test_t  *first[DM_NRESULTS];

    memset(n, 0, sizeof(n));
    memset(first, 0, sizeof(first));
    verdict = &score->verdict[row];

    for (i = 0; i < score->ntests; i++) {
        test = &score->test[i];

        if (test->row != row || test->role == DM_BESIDE) {
            continue;
        }

        verdict->tried++;
        verdict->passed += (test->result == DM_PASS);

        if (test->role == DM_DECIDES && n[test->result]++ == 0) {
            first[test->result] = test;
        }
    }

    verdict->result = DM_SKIP;
    verdict->excused &= (verdict->tried == 0);

    if (n[DM_FAIL] != 0) {
        verdict->result = DM_FAIL;

    } else if (n[DM_SKIP] == 0 && n[DM_PASS] != 0) {
        verdict->result = DM_PASS;
    }

    if (first[verdict->result] != NULL) {
        dm_score_explain(score, row, verdict, first[verdict->result],
                         n[verdict->result] - 1);
    }
}


static void
dm_score_explain(const dm_score_t *score, dm_row_e row, dm_verdict_t *verdict,
    const dm_test_t *first, unsigned more)
{
    int               len;
    size_t            i;
    const dm_test_t  *test;

    if (verdict->result != DM_PASS) {
        len = snprintf(verdict->why, DM_SCORE_WHY_MAX, "%s: %s", first->name,
                       first->why);

        if (more != 0 && len < DM_SCORE_WHY_MAX) {
            (void) snprintf(verdict->why + len,
                            DM_SCORE_WHY_MAX - (size_t) len,
                            "; and %u more", more);
        }

        return;
    }

    len = snprintf(verdict->why, DM_SCORE_WHY_MAX, "%u of %u tries: %s%s%s%s",
                   verdict->passed, verdict->tried, first->why,
                   first->protocol[0] == '\0' ? "" : ", ", first->protocol,
                   first->protocol[0] == '\0' ? "" : " ");

    if (len < DM_SCORE_WHY_MAX) {
        len += snprintf(verdict->why + len, DM_SCORE_WHY_MAX - (size_t) len,
                        "%s", first->suite);
    }

    for (i = 0; i < score->ntests && len < DM_SCORE_WHY_MAX; i++) {
        test = &score->test[i];

        if (test->row == row && test->role != DM_BESIDE
            && test->result != DM_PASS)
        {
            len += snprintf(verdict->why + len,
                            DM_SCORE_WHY_MAX - (size_t) len, "; %s: %s",
                            test->name, test->why);
        }
    }
}


int
dm_score_counts(const dm_score_t *score, dm_row_e row)
{
    int                  needed_by;
    const dm_verdict_t  *verdict;

    verdict = &score->verdict[row];
    needed_by = dm_rows[row].needed_by;

    switch (verdict->result) {

    case DM_FAIL:
        return dm_rows[row].status != 'O'
               || (needed_by != -1
                   && score->verdict[needed_by].result == DM_PASS);

    case DM_SKIP:
        return dm_rows[row].status != 'O' && !verdict->excused;

    default:
        return 0;
    }
}


const char *
dm_score_result(dm_result_t result)
{
    static const char *const  names[DM_NRESULTS] = { "PASS", "FAIL", "SKIP" };

    return names[result];
}
