/* The store that a verb of dm-account works in */

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/audit.h"
#include "account/cli_store.h"
#include "account/user.h"


static void dm_cli_fatal(int sig);
static void dm_cli_fatal_write(const char *text);


static volatile sig_atomic_t  dm_cli_fatal_json;


int
dm_cli_open(dm_cli_t *cli, dm_store_mode_t mode)
{
    int  rc;

    if (access(cli->store_path, F_OK) == -1 && errno == ENOENT) {
        return dm_cli_refuse(cli, "there is no store at \"%s\": make one "
                             "with \"dm-account init\", or name it with "
                             "--store", cli->store_path);
    }

    rc = dm_cli_open_at(cli, cli->store_path, mode);

    if (rc != DM_CLI_DONE || mode != DM_STORE_WRITE) {
        return rc;
    }

    dm_store_reserve(cli->store, cli->reserve);

    if (dm_store_begin(cli->store, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    cli->writing = 1;

    return DM_CLI_DONE;
}


int
dm_cli_open_at(dm_cli_t *cli, const char *path, dm_store_mode_t mode)
{
    int        rc;
    dm_keys_t  keys;

    dm_cli_guard(cli, SIGBUS);

    rc = dm_keys_read(cli->key_path, &keys, &cli->err);

    /* nothing that others may write is opened by root */

    if (rc == DM_OK && dm_user_drop(cli, path) != DM_CLI_DONE) {
        dm_keys_wipe(&keys);
        return DM_CLI_REFUSED;
    }

    if (rc == DM_OK) {
        rc = dm_store_open(&cli->store, path, mode, &keys, &cli->err);
    }

    dm_keys_wipe(&keys);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


void
dm_cli_guard(const dm_cli_t *cli, int sig)
{
    struct sigaction  action;

    dm_cli_fatal_json = cli->json;

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_handler = dm_cli_fatal;
    action.sa_flags = (int) SA_RESETHAND;

    (void) sigaction(sig, &action, NULL);
}


static void
dm_cli_fatal(int sig)
{
    dm_cli_fatal_write(dm_cli_fatal_json ? "{\"error\":\"" : "dm-account: ");

    if (sig == SIGBUS) {
        dm_cli_fatal_write("a page of the store cannot be had: its disk is "
                           "full, or its file is damaged; nothing of this "
                           "transaction is kept");

    } else {
        dm_cli_fatal_write("the store's file is damaged: restore a backup");
    }

    dm_cli_fatal_write(dm_cli_fatal_json ? "\"}\n" : "\n");

    _exit(DM_CLI_REFUSED);
}


/* writes to stderr; if that fails, there is nobody left to tell */
static void
dm_cli_fatal_write(const char *text)
{
    ssize_t  n;

    n = write(STDERR_FILENO, text, strlen(text));
    (void) n;
}


int
dm_cli_find(dm_cli_t *cli, dm_found_t *found)
{
    int  rc;

    rc = dm_cli_lookup(cli, DM_BY_ID, cli->id, found);

    if (rc == DM_ERROR) {
        return DM_CLI_REFUSED;
    }

    if (rc == DM_DECLINED) {
        return dm_cli_absent(cli);
    }

    return DM_CLI_DONE;
}


int
dm_cli_absent(const dm_cli_t *cli)
{
    return dm_cli_refuse(cli, "there is no account \"%.*s\": see "
                         "\"dm-account list\", or make it with "
                         "\"dm-account add\"", dm_cli_arg(cli->id));
}


int
dm_cli_lookup(dm_cli_t *cli, dm_store_index_t index, dm_str_t key,
    dm_found_t *found)
{
    int  rc;

    rc = dm_store_lookup(cli->store, index, key, found->record, &found->len,
                         &found->account, &cli->err);

    if (rc != DM_OK && rc != DM_DECLINED) {
        (void) dm_cli_refuse(cli, "%s", cli->err.text);
        return DM_ERROR;
    }

    return rc;
}


void
dm_cli_wipe(dm_found_t *found)
{
    OPENSSL_cleanse(found, sizeof(dm_found_t));
}


int
dm_cli_put(dm_cli_t *cli, const dm_account_t *account)
{
    if (dm_store_put(cli->store, account, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    return dm_cli_commit(cli);
}


int
dm_cli_commit(dm_cli_t *cli)
{
    cli->writing = 0;

    if (dm_store_commit(cli->store, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, "%s", cli->err.text);
    }

    dm_cli_audit(cli);

    return DM_CLI_DONE;
}


void
dm_cli_close(dm_cli_t *cli)
{
    if (cli->writing) {
        dm_store_abort(cli->store);
    }

    dm_store_close(cli->store);
}
