/* dm-account replicate repair: entries that the engine has lost, put back */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "dm_store_write_ring.h"
#include "account/audit.h"
#include "account/cli_store.h"
#include "account/replicate.h"
#include "common/json.h"
#include "common/output.h"
#include "fleet/rows.h"


typedef struct {
    dm_replicate_t    *rep;
    uint64_t           n;                   /* entries that were put back */
    dm_fleet_place_t   place;               /* of the last one */
    size_t             len;
    unsigned char      octets[DM_FLEET_ENTRY_MAX];  /* as it is in the log, */
    unsigned char      opened[DM_FLEET_ENTRY_MAX];  /* and read */
    dm_rows_t          rows;
} dm_repair_t;


static int dm_repair_run(dm_repair_t *repair);
static int dm_repair_compare(dm_repair_t *repair);
static int dm_repair_entry(dm_repair_t *repair);
static int dm_repair_rows(dm_repair_t *repair, dm_fleet_entry_t *entry);
static int dm_repair_append(dm_repair_t *repair,
    const dm_fleet_entry_t *entry);
static int dm_repair_commit(dm_repair_t *repair);
static int dm_repair_done(dm_repair_t *repair);


int
dm_replicate_repair(dm_replicate_t *rep)
{
    int           rc;
    dm_cli_t     *cli;
    dm_repair_t  *repair;

    cli = rep->cli;

    rc = dm_replicate_keys(rep, 1);

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_signer(rep);
    }

    /* with the lock of the store's writers: it stays where it is */

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_open(rep, DM_STORE_WRITE);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_connect(rep);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    repair = calloc(1, sizeof(dm_repair_t));

    if (repair == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    repair->rep = rep;

    rc = dm_repair_run(repair);

    OPENSSL_cleanse(repair, sizeof(dm_repair_t));
    free(repair);

    return rc;
}


static int
dm_repair_run(dm_repair_t *repair)
{
    int              rc;
    dm_cli_t        *cli;
    dm_replicate_t  *rep;

    rep = repair->rep;
    cli = rep->cli;

    rc = dm_engine_lock(rep->engine, &rep->octets, &cli->err);

    if (rc != DM_OK) {
        return dm_replicate_refuse(rep, rc);
    }

    rc = dm_replicate_prove(rep);

    if (rc == DM_CLI_DONE) {
        rc = dm_repair_compare(repair);
    }

    repair->place = rep->head.place;

    while (rc == DM_CLI_DONE
           && repair->place.number < rep->position.place.number)
    {
        rc = dm_repair_entry(repair);
    }

    if (rc == DM_CLI_DONE
        && !dm_fleet_same_place(&repair->place, &rep->position.place))
    {
        rc = dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "the entries of this "
                           "store do not lead to the state that it is in: "
                           "nothing was changed");
    }

    if (rc == DM_CLI_DONE && repair->n != 0) {
        rc = dm_repair_commit(repair);
    }

    dm_engine_abort(rep->engine);

    return rc == DM_CLI_DONE ? dm_repair_done(repair) : rc;
}


static int
dm_repair_compare(dm_repair_t *repair)
{
    dm_cli_t          *cli;
    dm_replicate_t    *rep;
    dm_fleet_place_t  *here, *there;

    rep = repair->rep;
    cli = rep->cli;
    here = &rep->position.place;
    there = &rep->head.place;

    if (there->number > here->number) {
        return dm_cli_refuse(cli, DM_CODE_INVALID, "the engine is at entry "
                             "%llu, and this store only at %llu: repair takes "
                             "the node that is farthest, which \"dm-account "
                             "replicate status\" names",
                             (unsigned long long) there->number,
                             (unsigned long long) here->number);
    }

    if (there->number == here->number && !dm_fleet_same_place(here, there)) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "the log was forked: the "
                             "engine has another entry %llu than this store; "
                             "a person decides which one counts: \"dm-account "
                             "replicate init --replace\" publishes this "
                             "store, and \"dm-replica --bootstrap\" takes the "
                             "engine's state",
                             (unsigned long long) there->number);
    }

    return DM_CLI_DONE;
}


/* the next entry, as the ring has it */
static int
dm_repair_entry(dm_repair_t *repair)
{
    int                rc;
    uint64_t           number;
    dm_cli_t          *cli;
    dm_replicate_t    *rep;
    dm_fleet_entry_t   entry;

    rep = repair->rep;
    cli = rep->cli;
    number = repair->place.number + 1;

    rc = dm_store_ring_get(cli->store, number, repair->octets,
                           sizeof(repair->octets), &repair->len, &cli->err);

    if (rc == DM_DECLINED) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "the engine has lost all "
                             "behind entry %llu, and this store does not have "
                             "entry %llu any more: \"dm-account replicate init "
                             "--replace\" publishes its state anew; nothing "
                             "was changed",
                             (unsigned long long) repair->place.number,
                             (unsigned long long) number);
    }

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    memcpy(repair->opened, repair->octets, repair->len);

    rc = dm_fleet_entry_read(rep->fleet, &repair->place, repair->opened,
                             repair->len, &entry, &cli->err);

    if (rc == DM_DECLINED) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "the log was forked: what "
                             "the engine has as entry %llu is not what this "
                             "store has seen; nothing was changed",
                             (unsigned long long) repair->place.number);
    }

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    rc = dm_repair_rows(repair, &entry);

    return rc == DM_CLI_DONE ? dm_repair_append(repair, &entry) : rc;
}


static int
dm_repair_rows(dm_repair_t *repair, dm_fleet_entry_t *entry)
{
    int                 rc;
    dm_str_t            id, what;
    dm_cli_t           *cli;
    dm_replicate_t     *rep;
    dm_account_t        account;
    dm_fleet_change_t   change;

    rep = repair->rep;
    cli = rep->cli;

    dm_rows_start(&repair->rows);
    memset(&account, 0, sizeof(dm_account_t));

    while ((rc = dm_fleet_next(&entry->changes, &change, &cli->err)) == DM_OK) {
        what = (dm_str_t) { change.data, change.len };
        id = what;

        if (change.kind == DM_FLEET_PUT) {
            rc = dm_account_unpack(&account, change.data, change.len,
                                   &cli->err);
            id = account.id;
        }

        if (rc == DM_OK) {
            rc = dm_rows_add(&repair->rows, rep->fleet, change.kind, id, what,
                             entry->place.number, &cli->err);
            dm_account_wipe(&account);
        }

        if (rc != DM_OK) {
            break;
        }
    }

    return rc == DM_DECLINED
           ? DM_CLI_DONE
           : dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
}


/*
 * Only the last head is seen by others: that one has the accounts of this
 * store, whose state it is.
 */
static int
dm_repair_append(dm_repair_t *repair, const dm_fleet_entry_t *entry)
{
    int              rc;
    dm_cli_t        *cli;
    dm_replicate_t  *rep;

    rep = repair->rep;
    cli = rep->cli;

    rep->head.place = entry->place;
    rep->head.accounts = rep->position.accounts;
    memcpy(rep->head.digest, entry->digest, DM_FLEET_HASH);

    if (dm_fleet_head_write(rep->fleet, rep->signer, &rep->head,
                            rep->octets.head, &rep->octets.head_len,
                            &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    rc = dm_engine_append(rep->engine, repair->place.number,
                          (dm_str_t) { rep->octets.head,
                                       rep->octets.head_len },
                          (dm_str_t) { repair->octets, repair->len },
                          repair->rows.row, repair->rows.n, &cli->err);

    if (rc != DM_OK) {
        return dm_replicate_refuse(rep, rc == DM_DECLINED ? DM_ERROR : rc);
    }

    repair->place = entry->place;
    repair->n++;

    return DM_CLI_DONE;
}


static int
dm_repair_commit(dm_repair_t *repair)
{
    int              rc;
    dm_cli_t        *cli;
    dm_replicate_t  *rep;

    rep = repair->rep;
    cli = rep->cli;

    rc = dm_engine_commit(rep->engine, &rep->octets, &cli->err);

    if (rc == DM_DECLINED) {
        rc = dm_engine_resolve(rep->engine, repair->place.number,
                               (dm_str_t) { repair->octets, repair->len },
                               &rep->octets, &cli->err);
    }

    if (rc != DM_OK) {
        return dm_replicate_refuse(rep, rc == DM_EXISTS ? rc : DM_DECLINED);
    }

    rc = dm_replicate_prove(rep);

    if (rc == DM_CLI_DONE
        && rep->head.place.number < repair->place.number)
    {
        rc = dm_cli_refuse(cli, DM_CODE_NOT_KNOWN, "the engine says that it "
                           "is done, and shows an older state: look with "
                           "\"dm-account replicate status\"");
    }

    return rc;
}


static int
dm_repair_done(dm_repair_t *repair)
{
    char       place[DM_PLACE_TEXT];
    dm_cli_t  *cli;

    cli = repair->rep->cli;
    cli->same = (repair->n == 0);
    cli->changed = !cli->same;

    (void) snprintf(cli->note, sizeof(cli->note), "entries=%llu",
                    (unsigned long long) repair->n);
    dm_cli_audit(cli);

    dm_replicate_place(&repair->place, place);

    if (cli->json) {
        return dm_cli_show(cli, json_pack("{s:s, s:I, s:s}", "result",
                                          "repaired", "entries",
                                          (json_int_t) repair->n, "expect",
                                          place));
    }

    if (repair->n == 0) {
        dm_out_line(stdout, "the engine has lost nothing: it is at %s", place);
        return DM_CLI_DONE;
    }

    dm_out_line(stdout, "put back %llu entries: the engine is at %s",
                (unsigned long long) repair->n, place);

    return DM_CLI_DONE;
}
