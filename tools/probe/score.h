/* The rows of the conformance table, and what was found for each */

#ifndef DM_PROBE_SCORE_H
#define DM_PROBE_SCORE_H

#include "probe/client.h"


#define DM_SCORE_TESTS     320
#define DM_SCORE_NAME_MAX  128
#define DM_SCORE_WHY_MAX   384


typedef enum {
    DM_PASS = 0,
    DM_FAIL,
    DM_SKIP,
    DM_NRESULTS
} dm_result_t;


/*
 * The rows, in the order in which they are printed: those of the server, those
 * of the client, and then what must not work, which is no row of the standard.
 */
typedef enum {
    DM_S_TLS1_0 = 0,
    DM_S_SSL3,
    DM_S_SSL3_SUITES,
    DM_S_TLS1_1,
    DM_S_PSK,
    DM_S_PSK_SUITES,
    DM_S_TLS1_2,
    DM_S_BASIC,
    DM_S_DIGEST,
    DM_S_X509,

    DM_C_TLS1_0,
    DM_C_SSL3,
    DM_C_SSL3_SUITES,
    DM_C_TLS1_1,
    DM_C_PSK,
    DM_C_PSK_SUITES,
    DM_C_TLS1_2,
    DM_C_VERSION,
    DM_C_BASIC,
    DM_C_DIGEST,
    DM_C_X509,

    DM_NOT_SSL2,
    DM_NOT_NULL,
    DM_NOT_EXPORT,
    DM_NOT_ANONYMOUS,
    DM_NOT_PLAIN_BASIC,
    DM_NOT_REPLAY,
    DM_NOT_ANYBODY,

    DM_NROWS
} dm_row_e;

#define DM_NOT_FIRST  DM_NOT_SSL2       /* the table has the rows before it */
#define DM_C_FIRST    DM_C_TLS1_0


typedef struct {
    const char  *id;
    const char  *what;
    char         status;                /* 'M', 'O'; 'N': must not work */
    int          needed_by;             /* a row that requires it, or -1 */
} dm_row_t;

extern const dm_row_t  dm_rows[DM_NROWS];


typedef enum {
    DM_TELLS = 0,                       /* counted, and named if it fails */
    DM_DECIDES,                         /* the row fails if it does */
    DM_BESIDE                           /* the standard does not know it */
} dm_role_t;


/* a try and its result */
typedef struct {
    dm_row_e     row;
    dm_role_t    role;
    dm_result_t  result;
    char         name[DM_SCORE_NAME_MAX];
    char         why[DM_SCORE_WHY_MAX];
    char         protocol[16];          /* negotiated; empty: none */
    const char  *suite;
    long         status;                /* of HTTP, 0: none */
} dm_test_t;


typedef struct {
    dm_result_t  result;
    int          excused;               /* a SKIP that does not count */
    char         why[DM_SCORE_WHY_MAX];
    unsigned     passed, tried;         /* of all its tests */
} dm_verdict_t;


typedef struct {
    size_t        ntests;
    dm_test_t     test[DM_SCORE_TESTS];

    dm_verdict_t  verdict[DM_NROWS];

    char          protocol[16];         /* the server's own choice */
    const char   *suite;
} dm_score_t;


/*
 * A test of the row; reply NULL where there was none.  The result and its
 * reason are the caller's: DM_FAIL until it says otherwise.  Of both texts
 * what is not printable ASCII becomes "?".
 */
dm_test_t *dm_score_add(dm_score_t *score, dm_row_e row, dm_role_t role,
    const dm_reply_t *reply, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* sets the result of a test, and why */
void dm_score_set(dm_test_t *test, dm_result_t result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* says why nothing was tried for the row */
void dm_score_skip(dm_score_t *score, dm_row_e row, const char *why);

/* as dm_score_skip(), if an option is missing, or the server's own word */
void dm_score_excuse(dm_score_t *score, dm_row_e row, const char *why);

/* 1: one of the row's tests was passed, else 0 */
int dm_score_passed(const dm_score_t *score, dm_row_e row);

/* comes to a verdict on each row */
void dm_score_judge(dm_score_t *score);

/*
 * 1 if the row makes the exit status 1, else 0: it failed, and is mandatory,
 * must not work, or is required by an optional row that works; or it is
 * mandatory and there was nothing to try it with; or a try of what must not
 * work showed nothing.
 */
int dm_score_counts(const dm_score_t *score, dm_row_e row);

/* "PASS", "FAIL", "SKIP" */
const char *dm_score_result(dm_result_t result);


#endif /* DM_PROBE_SCORE_H */
