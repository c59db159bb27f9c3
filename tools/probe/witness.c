/* The rows of the client, judged by what the server received */

#include <stdio.h>

#include "probe/witness.h"


#define DM_WITNESS_MAX  512


static dm_row_e dm_witness_server_row(dm_row_e row);


void
dm_witness_add(dm_run_t *run, dm_row_e row, const char *name,
    const dm_reply_t *reply, const char *header, const char *value)
{
    char        received[DM_WITNESS_MAX];
    dm_test_t  *test;

    if (!run->probe->echo) {
        return;
    }

    test = dm_score_add(run->score, row, DM_DECIDES, reply, "%s", name);

    if (!dm_client_echo(reply, header, received, sizeof(received))) {
        dm_score_set(test, DM_SKIP, "the answer repeats no %s, or two",
                     header);
        return;
    }

    dm_score_set(test, strcmp(received, value) == 0 ? DM_PASS : DM_FAIL,
                 "the server received %s: %s%s%s", header, received,
                 strcmp(received, value) == 0 ? "" : ", not ",
                 strcmp(received, value) == 0 ? "" : value);
}


void
dm_witness_version(dm_run_t *run, const char *name, const dm_reply_t *reply)
{
    dm_witness_add(run, DM_C_VERSION, name, reply, "DM-TLS-Protocol",
                   reply->seen.protocol);
    dm_witness_add(run, DM_C_VERSION, name, reply, "DM-TLS-Cipher",
                   reply->seen.suite);
}


void
dm_witness_done(dm_run_t *run)
{
    char      why[DM_SCORE_WHY_MAX];
    dm_row_e  row, server;

    for (row = DM_C_FIRST; row < DM_NOT_FIRST; row++) {

        if (!run->probe->echo) {
            dm_score_excuse(run->score, row, "the server does not tell what "
                            "it received: --echo says that it does");
            continue;
        }

        server = dm_witness_server_row(row);

        if (server == DM_NROWS) {
            dm_score_excuse(run->score, row, "no request was served");
            continue;
        }

        (void) snprintf(why, sizeof(why), "no such request was served: see "
                        "%s", dm_rows[server].id);
        dm_score_excuse(run->score, row, why);
    }
}


/* the row of the server that it takes; DM_NROWS: any */
static dm_row_e
dm_witness_server_row(dm_row_e row)
{
    if (row < DM_C_VERSION) {
        return row - DM_C_FIRST;
    }

    return row == DM_C_VERSION ? DM_NROWS
                               : row - DM_C_BASIC + DM_S_BASIC;
}
