/* Lines for syslog: who did, or was refused, what with dm-account */

#ifndef DM_ACCOUNT_AUDIT_H
#define DM_ACCOUNT_AUDIT_H

#include "account/cli.h"


/* finds out who runs this process; to be called before anything else */
void dm_cli_who(dm_cli_t *cli);

/*
 * Tells syslog who did what to cli->id, with cli->note, and at the end of a
 * run that it was refused or misused, and why, without the words of the command
 * line.  Where syslog cannot be had, that is said on stderr, once.
 */
void dm_cli_audit(const dm_cli_t *cli);
void dm_cli_audit_end(const dm_cli_t *cli, int status, int argc,
    char **argv);


#endif /* DM_ACCOUNT_AUDIT_H */
