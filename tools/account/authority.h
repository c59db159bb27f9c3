/* The log that a change goes through in a store that follows one */

#ifndef DM_ACCOUNT_AUTHORITY_H
#define DM_ACCOUNT_AUTHORITY_H

#include "account/cli.h"
#include "fleet/engine.h"


/* the authority's key, unless the environment names another */
#define DM_AUTHORITY_KEY   "/etc/dm-sec/authority.key"

/* the key of beats, of a machine that writes them */
#define DM_AUTHORITY_BEAT  "/etc/dm-sec/beat.key"


/* for who cannot wait for a log */
#define DM_AUTHORITY_HERE  "\"dm-account disable ID --here\" refuses an "      \
                           "account on this node at once"


/*
 * Reads the keys, before root becomes the store's user: errors are kept until
 * it is known whether the store follows.
 */
void dm_authority_read(dm_cli_t *cli);

/*
 * For a store that was opened to be written: where it follows its changes go
 * through the log from now on or, with cli->dry_run, nowhere.  DM_CLI_DONE, or
 * it was told that no change can be made here, and why.
 */
int dm_authority_use(dm_cli_t *cli);

/* for a store that is about to be closed, and at the end */
void dm_authority_leave(dm_cli_t *cli);
void dm_authority_end(dm_cli_t *cli);

/* the code of what failed in the store's last transaction */
dm_code_e dm_authority_code(const dm_cli_t *cli);

/* 1 if the change is in force in the log, and not in this store; else 0 */
int dm_authority_ahead(const dm_cli_t *cli);

/*
 * Where the keys are, and how the engine is reached by whoever writes, or who
 * only reads.  The strings live on.
 */
const char *dm_authority_key_path(void);
const char *dm_authority_public_path(void);
const char *dm_authority_beat_path(void);
const char *dm_authority_conninfo(int writes);

/* the name of this machine into host[size] */
void dm_authority_host(char *host, size_t size);


#endif /* DM_ACCOUNT_AUTHORITY_H */
