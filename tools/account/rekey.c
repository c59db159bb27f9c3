/* dm-account rekey: from one store key to the next, while nginx serves */

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "dm_store_follow.h"
#include "account/audit.h"
#include "account/cli_store.h"
#include "account/holder.h"
#include "account/user.h"
#include "account/verbs.h"
#include "account/waits.h"
#include "common/json.h"
#include "common/output.h"
#include "common/progress.h"


/* room in the store for what one transaction seals anew */
#define DM_REKEY_ROOM    (1024 * 1024 + 4 * DM_RESEAL_OCTETS)

/* digits of the number in an id, so few that it cannot overflow */
#define DM_REKEY_DIGITS  8


enum {
    DM_OPT_PREPARE = DM_OPT_VERB,
    DM_OPT_FINISH
};


typedef struct {
    dm_cli_t       *cli;
    dm_holder_t     holder;                 /* reads and writes the key file */
    int             prepare;
    int             finish;

    dm_keys_t       keys;                   /* the first is the new one */
    char            kept[PATH_MAX + DM_KEYFILE_KEPT];   /* the old one */
    dm_reseal_t     at;
    dm_progress_t   progress;
} dm_rekey_t;


static int dm_rekey_run(dm_cli_t *cli, int argc, char **argv);
static int dm_rekey_options(dm_rekey_t *rekey, int argc, char **argv);
static int dm_rekey_open(dm_rekey_t *rekey);

static int dm_rekey_prepare(dm_rekey_t *rekey);
static void dm_rekey_next_id(const char *id, char *next);

static int dm_rekey_seal(dm_rekey_t *rekey);
static int dm_rekey_would(dm_rekey_t *rekey);
static int dm_rekey_aware(dm_rekey_t *rekey);
static int dm_rekey_refuse_pids(const dm_rekey_t *rekey,
    const dm_store_pids_t *pids);
static int dm_rekey_switch(dm_rekey_t *rekey);
static int dm_rekey_records(dm_rekey_t *rekey);
static void dm_rekey_bad(const dm_err_t *why, void *data);
static int dm_rekey_begin(dm_cli_t *cli);
static int dm_rekey_sealed(dm_rekey_t *rekey);

static int dm_rekey_finish(dm_rekey_t *rekey);
static int dm_rekey_is_old(const dm_rekey_t *rekey);
static int dm_rekey_done(dm_rekey_t *rekey, const char *result,
    const char *before, const char *after);
static int dm_rekey_done_json(const dm_rekey_t *rekey, const char *result);


static const struct option  dm_rekey_opts[] = {
    { "prepare", no_argument, NULL, DM_OPT_PREPARE },
    { "finish", no_argument, NULL, DM_OPT_FINISH },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_rekey = {
    "rekey",
    "[--prepare | --finish]",
    "seal the store with a new key, while nginx serves",

    "  --prepare  make the new key: it becomes the first of two in the key\n"
    "             file, and seals nothing yet\n"
    "  --finish   take the old key out of the key file, if it seals nothing\n"
    "             any more, and keep it in KEYFILE.old-DATE\n"
    "  --dry-run  do all but write: say what would be done, and refuse what\n"
    "             would be refused\n"
    "\n"
    "In this order, and no request fails meanwhile:\n"
    "  1. dm-account rekey --prepare\n"
    "  2. nginx -s reload\n"
    "  3. dm-account rekey\n"
    "  4. dm-account rekey --finish\n"
    "  5. nginx -s reload\n"
    "\n"
    "Step 3 is refused as long as a process has the store open that does not\n"
    "know the new key: an old worker that still ends its requests. It seals\n"
    "in steps between which other writers have their turn; interrupted or\n"
    "killed, it goes on when it is run again. Backups made before it need the\n"
    "old key, KEYFILE.old-DATE: keep it with them, and delete it with the\n"
    "last of them. Another store that shares the key file needs it too.\n"
    "\n"
    "example:\n"
    "  dm-account rekey --prepare && nginx -s reload\n",

    dm_rekey_opts,
    dm_rekey_run
};


static int
dm_rekey_run(dm_cli_t *cli, int argc, char **argv)
{
    int         rc;
    dm_rekey_t  rekey;

    memset(&rekey, 0, sizeof(dm_rekey_t));
    rekey.cli = cli;
    rekey.holder.fd = -1;

    rc = dm_rekey_options(&rekey, argc, argv);

    if (rc == DM_CLI_DONE) {
        rc = dm_rekey_open(&rekey);
    }

    if (rc == DM_CLI_DONE) {
        rc = rekey.prepare ? dm_rekey_prepare(&rekey)
             : rekey.finish ? dm_rekey_finish(&rekey)
             : dm_rekey_seal(&rekey);
    }

    dm_holder_stop(&rekey.holder);
    dm_keys_wipe(&rekey.keys);

    return rc;
}


static int
dm_rekey_options(dm_rekey_t *rekey, int argc, char **argv)
{
    int        opt;
    dm_cli_t  *cli;

    cli = rekey->cli;

    while ((opt = dm_cli_getopt(cli, ":", dm_rekey_opts, argc, argv)) > 0) {
        rekey->prepare |= (opt == DM_OPT_PREPARE);
        rekey->finish |= (opt == DM_OPT_FINISH);
    }

    if (opt == -1) {
        return cli->status;
    }

    if (rekey->prepare && rekey->finish) {
        return dm_cli_usage(cli, "--prepare and --finish exclude each other");
    }

    return dm_cli_no_operand(cli, argc);
}


/* the key file is changed only by who has the store's lock, as we then */
static int
dm_rekey_open(dm_rekey_t *rekey)
{
    int         rc, same;
    dm_cli_t   *cli;
    dm_keys_t   before;

    cli = rekey->cli;
    cli->reserve = DM_REKEY_ROOM;

    /* of a store that follows, too, the log knows nothing of it */

    cli->apart = 1;

    /* from here on the store's user has the store, and root the key file */

    if (dm_holder_start(&rekey->holder, cli->key_path,
                        dm_user_is_other(cli->store_path), &cli->err)
           != DM_OK
        || dm_holder_read(&rekey->holder, &before, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        dm_keys_wipe(&before);
        return rc;
    }

    rc = dm_holder_read(&rekey->holder, &rekey->keys, &cli->err);
    same = (CRYPTO_memcmp(&before, &rekey->keys, sizeof(dm_keys_t)) == 0);

    dm_keys_wipe(&before);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    if (!same) {
        return dm_cli_refuse(cli, DM_CODE_IN_USE, "key file \"%s\" was "
                             "changed at this moment: try again",
                             cli->key_path);
    }

    return DM_CLI_DONE;
}


static int
dm_rekey_prepare(dm_rekey_t *rekey)
{
    char        id[DM_KEY_ID_MAX + 1];
    dm_cli_t   *cli;
    dm_keys_t  *keys;

    cli = rekey->cli;
    keys = &rekey->keys;

    if (keys->n == DM_KEYS && !dm_rekey_is_old(rekey)) {
        return dm_cli_refuse(cli, DM_CODE_REKEY_ORDER, "key file \"%s\" still "
                             "has key \"%s\" beside \"%s\": first end that "
                             "rekey with \"dm-account rekey --finish\"",
                             cli->key_path, keys->key[1].id, keys->key[0].id);
    }

    if (keys->n < DM_KEYS) {
        dm_rekey_next_id(keys->key[0].id, id);

        if (dm_keyfile_add(keys, id, &cli->err) != DM_OK
            || (!cli->dry_run
                && dm_holder_replace(&rekey->holder, keys, &cli->err)
                   != DM_OK))
        {
            return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s",
                                 cli->err.text);
        }
    }

    return dm_rekey_done(rekey, "prepared", "prepared key",
                         ": reload nginx, then run \"dm-account rekey\"");
}


/* "k1" -> "k2", "prod" -> "prod-2"; cut where it would be too long */
static void
dm_rekey_next_id(const char *id, char *next)
{
    char           number[DM_REKEY_DIGITS + 3];
    size_t         len, digits;
    unsigned long  n;

    len = strlen(id);
    digits = 0;

    while (digits < len && digits < DM_REKEY_DIGITS
           && isdigit((unsigned char) id[len - digits - 1]))
    {
        digits++;
    }

    n = digits == 0 ? 1 : strtoul(id + len - digits, NULL, 10);
    len -= digits;

    (void) snprintf(number, sizeof(number), "%s%lu", digits == 0 ? "-" : "",
                    n + 1);

    if (len > DM_KEY_ID_MAX - strlen(number)) {
        len = DM_KEY_ID_MAX - strlen(number);
    }

    (void) snprintf(next, DM_KEY_ID_MAX + 1, "%.*s%s", (int) len, id, number);
}


static int
dm_rekey_seal(dm_rekey_t *rekey)
{
    int        rc;
    dm_cli_t  *cli;

    cli = rekey->cli;

    if (rekey->keys.n < DM_KEYS) {
        return dm_cli_refuse(cli, DM_CODE_REKEY_ORDER, "key file \"%s\" has "
                             "only key \"%s\": make the next with "
                             "\"dm-account rekey --prepare\"", cli->key_path,
                             rekey->keys.key[0].id);
    }

    rc = dm_rekey_aware(rekey);

    if (rc == DM_CLI_DONE && cli->dry_run) {
        return dm_rekey_would(rekey);
    }

    if (rc == DM_CLI_DONE && dm_rekey_is_old(rekey)) {
        rc = dm_rekey_switch(rekey);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_rekey_records(rekey);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_rekey_sealed(rekey);
}


/* counts what would be sealed anew */
static int
dm_rekey_would(dm_rekey_t *rekey)
{
    dm_cli_t     *cli;
    dm_reseal_t  *at;

    cli = rekey->cli;
    at = &rekey->at;

    at->seen = dm_store_meta(cli->store)->accounts;
    at->resealed = at->seen;

    if (!dm_rekey_is_old(rekey)
        && dm_store_count_others(cli->store, &at->resealed, &cli->err)
           != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    return dm_rekey_sealed(rekey);
}


static int
dm_rekey_aware(dm_rekey_t *rekey)
{
    dm_cli_t         *cli;
    dm_store_pids_t   pids;

    cli = rekey->cli;

    if (dm_store_unaware(cli->store, &rekey->keys, &pids, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    if (pids.n != 0) {
        return dm_rekey_refuse_pids(rekey, &pids);
    }

    return DM_CLI_DONE;
}


static int
dm_rekey_refuse_pids(const dm_rekey_t *rekey, const dm_store_pids_t *pids)
{
    char      list[DM_STORE_PIDS_LEN];
    unsigned  i;

    for (i = 0; i < pids->n && i < DM_STORE_PIDS; i++) {

        if (pids->pid[i] == 0) {
            return dm_cli_refuse(rekey->cli, DM_CODE_IN_USE, "a process of "
                                 "another container has the store open and "
                                 "does not know key \"%s\": reload nginx "
                                 "there, and wait until its old processes are "
                                 "gone; end a dm-account that runs there",
                                 rekey->keys.key[0].id);
        }
    }

    dm_store_write_pids(list, pids);

    return dm_cli_refuse(rekey->cli, DM_CODE_IN_USE, "%s %s the store open "
                         "and %s not know key \"%s\": reload nginx, and wait "
                         "until its old processes are gone; end a dm-account "
                         "that runs, such as a batch", list,
                         pids->n == 1 ? "has" : "have",
                         pids->n == 1 ? "does" : "do", rekey->keys.key[0].id);
}


/* from here on each writer seals with the new key */
static int
dm_rekey_switch(dm_rekey_t *rekey)
{
    int        rc;
    dm_cli_t  *cli;

    cli = rekey->cli;

    if (dm_store_use_key(cli->store, rekey->keys.key[0].id, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    (void) snprintf(cli->note, sizeof(cli->note), "key=%s",
                    rekey->keys.key[0].id);

    rc = dm_cli_commit(cli);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    /*
     * A process that opens the store from now on must know the new key.  One
     * that opened it just before, with the old key alone, can read on as long
     * as that seals, so look again for such a one.
     */

    rc = dm_rekey_aware(rekey);

    if (dm_rekey_begin(cli) != DM_CLI_DONE) {
        return DM_CLI_REFUSED;
    }

    if (rc == DM_CLI_DONE) {
        return DM_CLI_DONE;
    }

    if (dm_store_use_key(cli->store, rekey->keys.key[1].id, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    (void) snprintf(cli->note, sizeof(cli->note), "key=%s",
                    rekey->keys.key[1].id);
    (void) dm_cli_commit(cli);

    return rc;
}


static int
dm_rekey_records(dm_rekey_t *rekey)
{
    int           rc;
    uint64_t      accounts;
    dm_cli_t     *cli;
    dm_reseal_t  *at;

    cli = rekey->cli;
    at = &rekey->at;
    accounts = dm_store_meta(cli->store)->accounts;

    dm_progress_start(&rekey->progress, !cli->json);

    for ( ;; ) {
        rc = dm_store_reseal(cli->store, at, dm_rekey_bad, rekey, &cli->err);

        if (rc == DM_ERROR) {
            break;
        }

        if (dm_cli_written(cli) != DM_OK) {
            rc = DM_ERROR;
            break;
        }

        if (rc == DM_DECLINED) {
            break;
        }

        dm_progress_show(&rekey->progress, at->seen, accounts, at->seen,
                         "accounts", "");
        dm_progress_give_way();

        if (dm_rekey_begin(cli) != DM_CLI_DONE) {
            return DM_CLI_REFUSED;
        }
    }

    dm_progress_clear(&rekey->progress);

    if (rc == DM_ERROR) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s; run \"dm-account "
                             "rekey\" again to go on", cli->err.text);
    }

    return DM_CLI_DONE;
}


static void
dm_rekey_bad(const dm_err_t *why, void *data)
{
    dm_rekey_t  *rekey;

    rekey = data;

    dm_progress_clear(&rekey->progress);
    (void) dm_cli_refuse(rekey->cli, DM_CODE_STORE_DAMAGED, "%s", why->text);
}


static int
dm_rekey_begin(dm_cli_t *cli)
{
    int  rc;

    dm_waits_begin(cli);
    rc = dm_store_begin_apply(cli->store, &cli->err);
    dm_waits_end();

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    cli->writing = 1;

    return DM_CLI_DONE;
}


static int
dm_rekey_sealed(dm_rekey_t *rekey)
{
    const char   *key;
    dm_cli_t     *cli;
    dm_reseal_t  *at;

    cli = rekey->cli;
    at = &rekey->at;
    key = rekey->keys.key[0].id;

    (void) snprintf(cli->note, sizeof(cli->note), "key=%s resealed=%llu", key,
                    (unsigned long long) at->resealed);

    if (!cli->dry_run) {
        dm_cli_audit(cli);
    }

    if (at->closed != 0) {
        return dm_cli_refuse(cli, DM_CODE_STORE_DAMAGED, "%llu accounts do "
                             "not open, and are not sealed with key \"%s\": "
                             "see \"dm-account check\"",
                             (unsigned long long) at->closed, key);
    }

    if (!cli->json) {
        printf("sealed %llu of %llu accounts with key \"%s\"%s\n",
               (unsigned long long) at->resealed,
               (unsigned long long) at->seen, key,
               cli->dry_run ? dm_cli_remark(cli)
                            : ": now run \"dm-account rekey --finish\"");
        return DM_CLI_DONE;
    }

    return dm_cli_outcome(cli,
        json_pack("{s:s, s:s, s:I, s:I}", "result", "sealed", "key", key,
                  "accounts", (json_int_t) at->seen,
                  "resealed", (json_int_t) at->resealed));
}


/* nobody can seal with the old key any more, so that the count holds */
static int
dm_rekey_finish(dm_rekey_t *rekey)
{
    uint64_t    others;
    dm_cli_t   *cli;
    dm_keys_t  *keys;

    cli = rekey->cli;
    keys = &rekey->keys;

    if (keys->n < DM_KEYS) {
        return dm_rekey_done(rekey, "finished", "nothing to finish: key",
                             " is the only one");
    }

    if (dm_rekey_is_old(rekey)) {
        return dm_cli_refuse(cli, DM_CODE_REKEY_ORDER, "the store is still "
                             "sealed with key \"%s\": first run \"dm-account "
                             "rekey\"", keys->key[1].id);
    }

    if (dm_store_count_others(cli->store, &others, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    if (others != 0) {
        return dm_cli_refuse(cli, DM_CODE_REKEY_ORDER, "%llu accounts are not "
                             "sealed with key \"%s\": first run \"dm-account "
                             "rekey\"", (unsigned long long) others,
                             keys->key[0].id);
    }

    if (!cli->dry_run
        && dm_holder_retire(&rekey->holder, keys, rekey->kept, &cli->err)
           != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    return dm_rekey_done(rekey, "finished", "finished, key",
                         " is the only one: reload nginx");
}


/* 1 as long as the old key seals, else 0 */
static int
dm_rekey_is_old(const dm_rekey_t *rekey)
{
    return strcmp(dm_store_meta(rekey->cli->store)->key_id,
                  rekey->keys.key[0].id)
           != 0;
}


static int
dm_rekey_done(dm_rekey_t *rekey, const char *result, const char *before,
    const char *after)
{
    const char  *key;
    dm_cli_t    *cli;

    cli = rekey->cli;
    key = rekey->keys.key[0].id;

    if (!cli->dry_run) {
        (void) snprintf(cli->note, sizeof(cli->note), "%s key=%s", result,
                        key);
        dm_cli_audit(cli);
    }

    if (cli->json) {
        return dm_rekey_done_json(rekey, result);
    }

    printf("%s \"%s\"%s\n", before, key,
           cli->dry_run ? dm_cli_remark(cli) : after);

    if (rekey->kept[0] != '\0') {
        dm_out_line(stdout, "backups from before need the old key, which is "
                    "kept in \"%s\"", rekey->kept);
    }

    return DM_CLI_DONE;
}


static int
dm_rekey_done_json(const dm_rekey_t *rekey, const char *result)
{
    json_t  *old;

    old = rekey->kept[0] == '\0' ? json_null() : dm_json_text(rekey->kept);

    return dm_cli_outcome(rekey->cli,
        json_pack("{s:s, s:s, s:o}", "result", result,
                  "key", rekey->keys.key[0].id, "old_key", old));
}
