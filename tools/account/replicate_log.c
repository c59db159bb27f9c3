/* dm-account replicate log: who changed what, and where, each entry verified */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "account/cli_store.h"
#include "account/replicate.h"
#include "common/json.h"
#include "common/output.h"


/* entries that are asked for at once */
#define DM_LOG_ENTRIES  100


typedef struct {
    dm_replicate_t    *rep;
    int                begun;
    int                bad;                 /* one could not be verified */
    int                unheard;             /* nor could it be printed */
    dm_fleet_place_t   place;               /* of the last one */
} dm_log_t;


static int dm_log_entry(uint64_t number, unsigned char *octets, size_t len,
    void *data);
static int dm_log_read(dm_log_t *log, uint64_t number, unsigned char *octets,
    size_t len, dm_fleet_entry_t *entry);
static int dm_log_print(dm_log_t *log, dm_fleet_entry_t *entry);
static int dm_log_json(dm_log_t *log, dm_fleet_entry_t *entry);
static json_t *dm_log_change(dm_fleet_change_t *change);
static int dm_log_bad(dm_log_t *log, uint64_t number);
static int dm_log_end(dm_log_t *log);


int
dm_replicate_log(dm_replicate_t *rep)
{
    int        rc;
    dm_cli_t  *cli;
    dm_log_t   log;

    cli = rep->cli;
    memset(&log, 0, sizeof(dm_log_t));
    log.rep = rep;

    rc = dm_replicate_keys(rep, 0);

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_open(rep, DM_STORE_READ);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_connect(rep);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_replicate_look(rep);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    /* right behind init there are none, whatever its number was */

    if (rep->from == 0) {
        rep->from = rep->octets.oldest != 0 ? rep->octets.oldest
                                            : rep->head.place.number + 1;
    }

    log.place.number = rep->from - 1;

    /* the head is of this moment: what comes behind it is not waited for */

    while (rc == DM_OK && log.place.number < rep->head.place.number
           && !log.bad)
    {
        rc = dm_engine_entries(rep->engine, log.place.number + 1,
                               DM_LOG_ENTRIES, dm_log_entry, &log, &cli->err);
    }

    if (log.unheard) {
        return dm_cli_shown(cli);
    }

    if (rc == DM_DECLINED && !log.begun) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "the log does not go back "
                             "to entry %llu: the oldest one is %llu",
                             (unsigned long long) rep->from,
                             (unsigned long long) (rep->octets.oldest != 0
                                                   ? rep->octets.oldest
                                                   : rep->head.place.number
                                                     + 1));
    }

    return rc == DM_OK ? dm_log_end(&log) : dm_replicate_refuse(rep, rc);
}


static int
dm_log_entry(uint64_t number, unsigned char *octets, size_t len, void *data)
{
    int                rc;
    dm_log_t          *log;
    dm_fleet_entry_t   entry;

    log = data;

    if (log->bad || number > log->rep->head.place.number) {
        return DM_OK;
    }

    rc = dm_log_read(log, number, octets, len, &entry);

    if (rc != DM_OK) {
        return dm_log_bad(log, number);
    }

    log->place = entry.place;
    log->begun = 1;

    rc = log->rep->cli->json ? dm_log_json(log, &entry)
                             : dm_log_print(log, &entry);

    OPENSSL_cleanse(octets, len);

    if (rc != DM_OK) {
        log->unheard = 1;
        log->bad = 1;
    }

    return DM_OK;
}


/* the first one is believed what it follows, as it is signed */
static int
dm_log_read(dm_log_t *log, uint64_t number, unsigned char *octets, size_t len,
    dm_fleet_entry_t *entry)
{
    dm_err_t          *err;
    dm_fleet_place_t   before;

    err = &log->rep->cli->err;

    if (number == 1) {
        if (dm_fleet_start(log->rep->fleet, &before) != DM_OK) {
            dm_err_set(err, "OpenSSL failed");
            return DM_ERROR;
        }

    } else if (log->begun) {
        before = log->place;

    } else if (dm_fleet_entry_before((dm_str_t) { octets, len }, &before, err)
               != DM_OK)
    {
        return DM_INVALID;
    }

    return dm_fleet_entry_read(log->rep->fleet, &before, octets, len, entry,
                               err);
}


static int
dm_log_print(dm_log_t *log, dm_fleet_entry_t *entry)
{
    int                  rc;
    char                 when[DM_TIME_MAX];
    dm_str_t             id;
    dm_account_t         account;
    dm_fleet_change_t    change;
    dm_fleet_changes_t  *changes;

    changes = &entry->changes;
    dm_json_time(changes->time, when);

    dm_out_line(stdout, "%llu  %s  %.*s@%.*s  %.*s, %u change%s",
                (unsigned long long) entry->place.number, when,
                dm_cli_arg(changes->user), dm_cli_arg(changes->host),
                dm_cli_arg(changes->verb), changes->n,
                changes->n == 1 ? "" : "s");

    while ((rc = dm_fleet_next(changes, &change, &log->rep->cli->err)) == DM_OK)
    {
        if (change.kind == DM_FLEET_DEL) {
            id = (dm_str_t) { change.data, change.len };
            dm_out_line(stdout, "    del \"%.*s\"", dm_cli_arg(id));
            continue;
        }

        if (dm_account_unpack(&account, change.data, change.len,
                              &log->rep->cli->err)
            != DM_OK)
        {
            rc = DM_INVALID;
            break;
        }

        dm_out_line(stdout, "    put \"%.*s\", revision %llu%s",
                    dm_cli_arg(account.id),
                    (unsigned long long) account.revision,
                    account.state == DM_DISABLED ? ", disabled" : "");
        dm_account_wipe(&account);
    }

    if (rc != DM_DECLINED) {
        return dm_log_bad(log, entry->place.number);
    }

    return ferror(stdout) ? DM_ERROR : DM_OK;
}


static int
dm_log_json(dm_log_t *log, dm_fleet_entry_t *entry)
{
    int                  rc;
    char                 when[DM_TIME_MAX], chain[DM_HASH_TEXT];
    json_t              *list, *json;
    dm_fleet_change_t    change;
    dm_fleet_changes_t  *changes;

    changes = &entry->changes;
    dm_json_time(changes->time, when);
    dm_replicate_hash(entry->place.chain, chain);

    list = json_array();

    while ((rc = dm_fleet_next(changes, &change, &log->rep->cli->err)) == DM_OK)
    {
        if (json_array_append_new(list, dm_log_change(&change)) == -1) {
            json_decref(list);
            return dm_log_bad(log, entry->place.number);
        }
    }

    if (rc != DM_DECLINED) {
        json_decref(list);
        return dm_log_bad(log, entry->place.number);
    }

    json = json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:b, s:o}",
                     "number", (json_int_t) entry->place.number,
                     "chain", chain, "time", when,
                     "user", dm_json_str(changes->user),
                     "host", dm_json_str(changes->host),
                     "verb", dm_json_str(changes->verb),
                     "verified", 1, "changes", list);

    return dm_json_print(json) == DM_OK && !ferror(stdout) ? DM_OK : DM_ERROR;
}


/* without its secrets, and without its credentials, which are those of today */
static json_t *
dm_log_change(dm_fleet_change_t *change)
{
    json_t        *json;
    dm_account_t   account;

    if (change->kind == DM_FLEET_DEL) {
        return json_pack("{s:s, s:o}", "change", "del", "id",
                         dm_json_str((dm_str_t) { change->data,
                                                  change->len }));
    }

    if (dm_account_unpack(&account, change->data, change->len, NULL) != DM_OK) {
        return NULL;
    }

    json = json_pack("{s:s, s:o}", "change", "put", "account",
                     dm_json_account(&account));

    dm_account_wipe(&account);

    return json;
}


/* nothing behind one that is not verified can be */
static int
dm_log_bad(dm_log_t *log, uint64_t number)
{
    log->bad = 1;

    if (log->rep->cli->json) {
        return dm_json_print(json_pack("{s:I, s:b, s:o}", "number",
                                       (json_int_t) number, "verified", 0,
                                       "error", dm_json_text(
                                           log->rep->cli->err.text)));
    }

    dm_out_line(stdout, "%llu  NOT VERIFIED", (unsigned long long) number);

    return DM_OK;
}


static int
dm_log_end(dm_log_t *log)
{
    dm_cli_t        *cli;
    dm_replicate_t  *rep;

    rep = log->rep;
    cli = rep->cli;

    if (log->bad) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "%s", cli->err.text);
    }

    if (log->begun && !dm_fleet_same_place(&log->place, &rep->head.place)) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "entry %llu is signed, but "
                             "it is not the one that the head is behind: the "
                             "log was forked",
                             (unsigned long long) log->place.number);
    }

    return DM_CLI_DONE;
}
