/* The command line of dm-probe */

#ifndef DM_PROBE_OPTIONS_H
#define DM_PROBE_OPTIONS_H

#include "probe/mo.h"


/* exit statuses; DONE is "go on" */
#define DM_PROBE_DONE     0
#define DM_PROBE_FAILED   1
#define DM_PROBE_USAGE    2

/* no exit status: help was asked for, and is printed */
#define DM_PROBE_HELP     3


typedef struct {
    dm_probe_t       probe;
    int              json;
    int              junit;
    int              verbose;

    /* probe points to these; and the words that gave them */
    dm_probe_psk_t   psk;
    const char      *url;
    const char      *plain_url;
    const char      *password_file;
    const char      *psk_identity;
    const char      *psk_file;
    const char      *cert_file;
    const char      *key_file;
    char             account_url[DM_PROBE_URL_MAX];
    uint64_t         limit;             /* s, of all requests together */
    dm_err_t         err;
} dm_options_t;


/* DM_PROBE_DONE, _USAGE (told on stderr) or _HELP */
int dm_options_read(dm_options_t *options, int argc, char **argv);

void dm_options_wipe(dm_options_t *options);

/* an error on stderr, in JSON where that is asked for */
void dm_options_tell(const dm_options_t *options, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* DM_PROBE_OPTIONS_H */
