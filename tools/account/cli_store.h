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

/* the account cli->id; the caller wipes found in any case */
int dm_cli_find(dm_cli_t *cli, dm_found_t *found);

/* tells that there is no account cli->id: DM_CLI_REFUSED */
int dm_cli_absent(const dm_cli_t *cli);

/* dm_store_lookup(), and DM_ERROR is told: DM_OK, DM_DECLINED or DM_ERROR */
int dm_cli_lookup(dm_cli_t *cli, dm_store_index_t index, dm_str_t key,
    dm_found_t *found);

void dm_cli_wipe(dm_found_t *found);

/* puts the account and ends the transaction as dm_cli_commit() does */
int dm_cli_put(dm_cli_t *cli, const dm_account_t *account);

/* commits the transaction and tells syslog */
int dm_cli_commit(dm_cli_t *cli);

/* ends a transaction that was not committed, closes the store */
void dm_cli_close(dm_cli_t *cli);


#endif /* DM_ACCOUNT_CLI_STORE_H */
