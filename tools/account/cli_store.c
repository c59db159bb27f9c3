/* The store that a verb of dm-account works in */

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "dm_store_follow.h"
#include "dm_version.h"
#include "account/audit.h"
#include "account/authority.h"
#include "account/cli_store.h"
#include "account/same.h"
#include "account/user.h"
#include "account/waits.h"


static int dm_cli_open_with(dm_cli_t *cli, const char *path,
    dm_store_mode_t mode);
static int dm_cli_beside(dm_cli_t *cli);
static int dm_cli_here(dm_cli_t *cli);
static void dm_cli_shut(dm_cli_t *cli);
static void dm_cli_warn_newer(dm_cli_t *cli);
static int dm_cli_is_id(dm_str_t id, void *data);
static void dm_cli_fatal(int sig);
static void dm_cli_fatal_write(const char *text);


static volatile sig_atomic_t  dm_cli_fatal_json;


int
dm_cli_open(dm_cli_t *cli, dm_store_mode_t mode)
{
    int  rc;

    /* a batch has opened it, and begun */

    if (cli->line != NULL) {
        return DM_CLI_DONE;
    }

    if (access(cli->store_path, F_OK) == -1 && errno == ENOENT) {
        return dm_cli_refuse(cli, DM_CODE_NO_STORE, "there is no store at "
                             "\"%s\": make one with \"dm-account init\", or "
                             "name it with --store", cli->store_path);
    }

    rc = dm_cli_open_at(cli, cli->store_path, mode);

    if (rc != DM_CLI_DONE || mode != DM_STORE_WRITE) {
        return rc;
    }

    dm_store_reserve(cli->store, cli->reserve);

    return dm_cli_begin(cli);
}


int
dm_cli_begin(dm_cli_t *cli)
{
    int        rc;
    dm_code_e  code;

    rc = DM_OK;

    while (cli->beside[0] == '\0') {
        dm_waits_begin(cli);

        rc = cli->apart ? dm_store_begin_apply(cli->store, &cli->err)
                        : dm_store_begin(cli->store, &cli->err);

        dm_waits_end();

        cli->writing = (rc == DM_OK);

        if (rc != DM_DECLINED) {
            break;
        }

        if (dm_cli_beside(cli) == DM_OK) {
            rc = DM_OK;
            break;
        }
    }

    if (rc == DM_OK) {
        rc = dm_store_challenge(cli->store, time(NULL), &cli->challenge,
                                &cli->err);
    }

    if (rc != DM_OK) {
        code = dm_authority_code(cli);

        return dm_cli_refuse(cli, code, "%s%s", cli->err.text,
                             code == DM_CODE_ENGINE ? "; " DM_AUTHORITY_HERE
                                                    : "");
    }

    dm_cli_warn_newer(cli);

    return DM_CLI_DONE;
}


/* a batch is told of it once */
static void
dm_cli_warn_newer(dm_cli_t *cli)
{
    const char  *writer;

    writer = dm_store_meta(cli->store)->writer;

    if (cli->newer_told || dm_version_compare(writer) <= 0) {
        return;
    }

    cli->newer_told = 1;

    dm_cli_warn(cli, "dm-account %s has written to this store, and this is the "
                "older %s: what it changes may lack what that one keeps with "
                "it; use that version, and run its \"dm-account upgrade\"",
                writer, DM_VERSION);
}


/*
 * Looks whether accounts can be disabled beside the writer who is in
 * cli->beside.  DM_OK; DM_DECLINED: no, and now it is to be waited for.
 */
static int
dm_cli_beside(dm_cli_t *cli)
{
    int  rc, follows;

    dm_waits_begin(cli);

    rc = dm_store_follows(cli->store, &follows, &cli->err);

    /* other nodes would not hear of it */

    if (rc == DM_OK && follows) {
        dm_err_set(&cli->err, "that would be on this node alone, for the store "
                   "follows a log: \"dm-account disable ID --here\" does it");
        rc = DM_DECLINED;

    } else if (rc == DM_OK) {
        rc = dm_store_beside(cli->store, &cli->err);
    }

    dm_waits_end();

    if (rc == DM_OK) {
        return DM_OK;
    }

    dm_cli_warn(cli, "nothing can be disabled beside %s, which writes to the "
                "store: %s", cli->beside, cli->err.text);

    cli->hasty = 0;
    cli->beside[0] = '\0';

    return DM_DECLINED;
}


int
dm_cli_reopen(dm_cli_t *cli, int hasty)
{
    cli->hasty = hasty;
    cli->beside[0] = '\0';

    if (cli->mode == DM_STORE_WRITE) {
        return DM_CLI_DONE;
    }

    dm_cli_shut(cli);

    return dm_cli_open_with(cli, cli->store_path, DM_STORE_WRITE);
}


/* another process can have the store locked against that, too */
static void
dm_cli_shut(dm_cli_t *cli)
{
    dm_authority_leave(cli);

    dm_waits_begin(cli);

    dm_store_close(cli->store);
    cli->store = NULL;

    dm_waits_end();
}


void
dm_cli_warn_challenge(dm_cli_t *cli)
{
    dm_err_t        err;
    dm_challenge_t  challenge;

    static const char *const  with[] = {
        [DM_CHALLENGE_ANY] = "MD5 and SHA-256",
        [DM_CHALLENGE_MD5] = "MD5 alone",
        [DM_CHALLENGE_SHA256] = "SHA-256 alone"
    };

    if (dm_store_challenge(cli->store, time(NULL), &challenge, &err) != DM_OK
        || challenge == cli->challenge)
    {
        return;
    }

    dm_cli_warn(cli, "where dm_sec_digest_algorithms is not written, Digest "
                "%s challenged with %s, and no longer with %s: \"dm-account "
                "list --lacks MD5\" and \"--lacks SHA-256\" name the "
                "accounts that decide it",
                cli->dry_run ? "would be" : "is now", with[challenge],
                with[cli->challenge]);

    cli->challenge = challenge;
}


int
dm_cli_open_at(dm_cli_t *cli, const char *path, dm_store_mode_t mode)
{
    int  rc;

    dm_cli_guard(cli, SIGBUS);

    if (dm_keys_read(cli->key_path, &cli->keys, &cli->err) != DM_OK) {
        dm_keys_wipe(&cli->keys);
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    if (mode == DM_STORE_WRITE && !cli->here && !cli->apart
        && !cli->dry_run)
    {
        dm_authority_read(cli);
    }

    /* nothing that others may write is opened by root */

    rc = dm_user_drop(cli, path);

    if (rc == DM_CLI_DONE) {
        rc = dm_cli_open_with(cli, path, mode);
    }

    if (cli->beside[0] == '\0') {
        dm_keys_wipe(&cli->keys);
    }

    return rc;
}


static int
dm_cli_open_with(dm_cli_t *cli, const char *path, dm_store_mode_t mode)
{
    int  rc;

    /* a denial of this node waits for nobody, and needs no transaction */

    if (cli->here && mode == DM_STORE_WRITE) {
        mode = DM_STORE_READ;
    }

    for ( ;; ) {
        cli->mode = mode;

        dm_waits_begin(cli);

        rc = dm_store_open(&cli->store, path, mode != DM_STORE_WRITE ? mode
                           : cli->batch ? DM_STORE_BATCH
                           : cli->import ? DM_STORE_IMPORT : DM_STORE_WRITE,
                           &cli->keys, &cli->err);

        if (rc == DM_DECLINED) {
            cli->mode = DM_STORE_READ;
            rc = dm_store_open(&cli->store, path, cli->mode, &cli->keys,
                               &cli->err);
        }

        dm_waits_end();

        if (rc != DM_OK || cli->beside[0] == '\0'
            || dm_cli_beside(cli) == DM_OK)
        {
            break;
        }

        dm_cli_shut(cli);
    }

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, dm_code_of_store(rc), "%s", cli->err.text);
    }

    if (cli->here) {
        return dm_cli_here(cli);
    }

    return cli->mode == DM_STORE_WRITE && !cli->apart ? dm_authority_use(cli)
                                                      : DM_CLI_DONE;
}


/* looks whether a denial of this node can be, and be in force at once */
static int
dm_cli_here(dm_cli_t *cli)
{
    int  rc, follows;

    rc = dm_store_follows(cli->store, &follows, &cli->err);

    if (rc == DM_OK && !follows) {
        return dm_cli_refuse(cli, DM_CODE_FOLLOWS, "--here is for a store that "
                             "follows a log, and \"%s\" is alone: without it "
                             "the change is in force at once",
                             cli->store_path);
    }

    if (rc == DM_OK) {
        dm_waits_begin(cli);
        rc = dm_store_beside(cli->store, &cli->err);
        dm_waits_end();
    }

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    (void) snprintf(cli->beside, sizeof(cli->beside), "this node");

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

    if (dm_cli_fatal_json) {
        dm_cli_fatal_write("\",\"code\":\"");
        dm_cli_fatal_write(dm_code_name(sig == SIGBUS ? DM_CODE_STORE_FAILED
                                                : DM_CODE_STORE_DAMAGED));
        dm_cli_fatal_write("\"}");
    }

    dm_cli_fatal_write("\n");

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
dm_cli_lookup(dm_cli_t *cli, dm_store_index_t index, dm_str_t key,
    dm_found_t *found)
{
    int  rc;

    rc = dm_store_lookup(cli->store, index, key, found->record, &found->len,
                         &found->account, &cli->err);

    if (rc != DM_OK && rc != DM_DECLINED) {
        (void) dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
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
    int  rc;

    rc = dm_cli_change(cli, account);

    return rc == DM_CLI_DONE ? dm_cli_commit(cli) : rc;
}


int
dm_cli_change(dm_cli_t *cli, const dm_account_t *account)
{
    int         rc;
    dm_found_t  found;

    rc = dm_cli_lookup(cli, DM_BY_ID, account->id, &found);

    cli->same = (rc == DM_OK
                 && dm_same_change(cli->store, &found.account, account));

    dm_cli_wipe(&found);

    if (rc == DM_ERROR) {
        return DM_CLI_REFUSED;
    }

    if (cli->same) {
        return DM_CLI_DONE;
    }

    rc = dm_cli_store(cli, account);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, dm_code_of(rc), "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


int
dm_cli_is_denied(dm_cli_t *cli)
{
    int       follows;
    dm_err_t  err;

    return dm_store_follows(cli->store, &follows, &err) == DM_OK && follows
           && dm_store_walk_here(cli->store, dm_cli_is_id, cli, &err)
              == DM_DECLINED;
}


/* DM_DECLINED: it is the account */
static int
dm_cli_is_id(dm_str_t id, void *data)
{
    dm_cli_t  *cli;

    cli = data;

    return dm_str_eq(id, cli->id) ? DM_DECLINED : DM_OK;
}


int
dm_cli_store(dm_cli_t *cli, const dm_account_t *account)
{
    if (cli->beside[0] == '\0') {
        return dm_store_put(cli->store, account, &cli->err);
    }

    if (account->state == DM_DISABLED) {
        return dm_store_disable(cli->store, account->id, &cli->err);
    }

    /* --here: it lifts no more than it has laid down */

    if (dm_store_lift(cli->store, account->id, &cli->err) == DM_DECLINED) {
        dm_err_set(&cli->err, "\"%.*s\" is not disabled on this node alone: "
                   "without --here it is enabled on all", dm_cli_arg(
                   account->id));
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_cli_commit(dm_cli_t *cli)
{
    if (cli->line != NULL) {
        cli->line->written |= !cli->same;
        return DM_CLI_DONE;
    }

    if (cli->dry_run || cli->same) {
        dm_cli_warn_challenge(cli);

        if (cli->writing) {
            dm_store_abort(cli->store);
        }

        cli->writing = 0;

        if (cli->same && !cli->dry_run) {
            dm_cli_audit(cli);
        }

        return DM_CLI_DONE;
    }

    if (dm_cli_written(cli) != DM_OK) {
        return dm_cli_refuse(cli, dm_authority_code(cli), "%s",
                             cli->err.text);
    }

    cli->changed = 1;
    dm_cli_audit(cli);
    dm_cli_warn_challenge(cli);

    return DM_CLI_DONE;
}


int
dm_cli_written(dm_cli_t *cli)
{
    int       rc;
    dm_err_t  why;

    cli->writing = 0;

    dm_waits_begin(cli);

    rc = cli->beside[0] == '\0'
         ? dm_store_commit(cli->store, &cli->err)
         : dm_store_disable_commit(cli->store, &cli->err);

    dm_waits_end();

    if (rc != DM_OK && dm_authority_ahead(cli)) {
        why = cli->err;
        dm_err_set(&cli->err, "the change is in the log, and so in force on "
                   "all other nodes, but not yet in this store, which gets it "
                   "from there: %.600s", why.text);
    }

    /* a directory that was renamed away is not what anybody reads */

    if (rc == DM_OK && dm_store_replaced(cli->store)) {
        dm_err_set(&cli->err, "store \"%s\" was replaced at this moment, and "
                   "the change is in the one before: try again",
                   cli->store_path);
        rc = DM_ERROR;
    }

    return rc;
}


void
dm_cli_close(dm_cli_t *cli)
{
    if (cli->writing) {
        dm_store_abort(cli->store);
    }

    dm_cli_shut(cli);
    dm_authority_end(cli);
    dm_keys_wipe(&cli->keys);
    X509_free(cli->named.cert);
}
