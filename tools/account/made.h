/* Secrets that an import makes, and the file that gets them */

#ifndef DM_ACCOUNT_MADE_H
#define DM_ACCOUNT_MADE_H

#include "account/cli.h"
#include "account/sink.h"
#include "common/secret.h"


typedef struct {
    int          on;                        /* 0: none is made */
    int          passwords;
    int          psks;
    const char  *path;                      /* of --output, may be NULL */
    dm_secret_t  password;                  /* of the last account, or len 0 */
    dm_secret_t  psk;
    dm_sink_t    sink;
} dm_made_t;


/*
 * Looks whether the options fit; format names one whose lines have secrets, or
 * is NULL.  DM_CLI_DONE, or it was told.
 */
int dm_made_check(const dm_made_t *made, const dm_cli_t *cli,
    const char *format, int keep_going);

/* the option by which it is on, for messages */
const char *dm_made_option(const dm_made_t *made);

/*
 * Makes a password for the account, if it has no secret, and a PSK, if it has
 * none, as far as they are wanted.  The account points to them until
 * dm_made_wipe().  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_made_secrets(dm_made_t *made, dm_account_t *account, dm_str_t realm,
    dm_err_t *err);
void dm_made_wipe(dm_made_t *made);

/* adds to the file what was made, if anything was.  DM_OK or DM_ERROR */
int dm_made_put(dm_made_t *made, const dm_account_t *account, dm_err_t *err);

/*
 * Has all of them on the disk, before the accounts are.  DM_CLI_DONE, or it was
 * told, and there is no file.
 */
int dm_made_keep(dm_made_t *made, dm_cli_t *cli);

/*
 * Says what the secrets are worth if the commit did not return DM_CLI_DONE;
 * returns rc.
 */
int dm_made_committed(const dm_made_t *made, const dm_cli_t *cli, int rc);

/* 1: nothing else may be written to stdout */
int dm_made_is_stdout(const dm_made_t *made);


#endif /* DM_ACCOUNT_MADE_H */
