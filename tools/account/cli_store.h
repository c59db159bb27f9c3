/* The store that a verb of dm-account works in */

#ifndef DM_ACCOUNT_CLI_STORE_H
#define DM_ACCOUNT_CLI_STORE_H

#include "account/cli.h"


/* an account and the record that it points into */
typedef struct {
    dm_account_t      account;
    size_t            len;
    unsigned char     record[DM_RECORD_MAX];
} dm_found_t;


/* opens the store; with DM_STORE_WRITE a transaction too */
int dm_cli_open(dm_cli_t *cli, dm_store_mode_t mode);

/*
 * dm_store_begin(), and a wait that lasts is told.
 *
 * With cli->hasty neither this nor dm_cli_open() waits longer than a moment for
 * another writer: then there is no transaction, cli->beside says who it is, and
 * all that can be put is an account that is disabled; dm_cli_commit() has it in
 * force beside the writer.
 */
int dm_cli_begin(dm_cli_t *cli);

/* warns where Digest is challenged with something else since dm_cli_begin() */
void dm_cli_warn_challenge(dm_cli_t *cli);

/* has the store open to be written, for whoever is done beside a writer */
int dm_cli_reopen(dm_cli_t *cli, int hasty);

/*
 * Opens the store at another path, and begins no transaction.  Root reads the
 * key, and then becomes the store's user for good: see user.h.
 * What only root can read or write is opened before.
 */
int dm_cli_open_at(dm_cli_t *cli, const char *path, dm_store_mode_t mode);

/*
 * A page of a mapped file cannot fail, there is a signal instead: SIGBUS where
 * the disk is full or the file was cut short (each opened store is guarded
 * from it), SIGSEGV or SIGABRT in LMDB where it is damaged.  From here on the
 * process says so and exits.
 */
void dm_cli_guard(const dm_cli_t *cli, int sig);

/* dm_store_lookup(), and DM_ERROR is told: DM_OK, DM_DECLINED or DM_ERROR */
int dm_cli_lookup(dm_cli_t *cli, dm_store_index_t index, dm_str_t key,
    dm_found_t *found);

void dm_cli_wipe(dm_found_t *found);

/* puts the account and ends the transaction as dm_cli_commit() does */
int dm_cli_put(dm_cli_t *cli, const dm_account_t *account);

/* the same without the end; cli->same is 1 if there was nothing to change */
int dm_cli_change(dm_cli_t *cli, const dm_account_t *account);

/* 1 if cli->id is disabled on this node alone, by --here; else 0 */
int dm_cli_is_denied(dm_cli_t *cli);

/* dm_store_put(), or what is done beside a writer; its results */
int dm_cli_store(dm_cli_t *cli, const dm_account_t *account);

/* dm_store_commit(), or the same of that; its results */
int dm_cli_written(dm_cli_t *cli);

/*
 * Commits the transaction and tells syslog; with cli->dry_run, or where
 * nothing had to be changed, nothing is written.
 */
int dm_cli_commit(dm_cli_t *cli);

/* ends a transaction that was not committed, closes the store */
void dm_cli_close(dm_cli_t *cli);


#endif /* DM_ACCOUNT_CLI_STORE_H */
