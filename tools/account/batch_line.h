/* A line of dm-account batch as the command line that it stands for */

#ifndef DM_ACCOUNT_BATCH_LINE_H
#define DM_ACCOUNT_BATCH_LINE_H

#include "account/cli.h"


/* words of such a command line, and the octets of all of them */
#define DM_BATCH_WORDS  160
#define DM_BATCH_TEXT   65536


typedef struct {
    const dm_verb_t  *verb;
    int               argc;
    char             *argv[DM_BATCH_WORDS + 1];
    size_t            used;
    char              text[DM_BATCH_TEXT];
    json_t           *json;                 /* strings of the line point here */
} dm_batch_line_t;


/*
 * Reads an object: "verb", "id", "tag", and the options of the verb by their
 * names, with "-" or "_" in them; true for one that has no value, a string or
 * an array of strings.  "password" and "psk" go into cli->line.
 * DM_CLI_DONE, or it was told.  The caller wipes line in any case.
 */
int dm_batch_parse(dm_cli_t *cli, dm_batch_line_t *line, dm_str_t text);

void dm_batch_wipe(dm_batch_line_t *line);


#endif /* DM_ACCOUNT_BATCH_LINE_H */
