/* Bootstraps: a store gets the state that the engine has, from its rows */

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/bootstrap.h"


/* octets of an account and its entries in the map, with room to spare */
#define DM_BOOTSTRAP_ACCOUNT  4096
#define DM_BOOTSTRAP_ROOM     ((uint64_t) 64 << 20)

/* so many rows between two calls of step */
#define DM_BOOTSTRAP_STEP     1000


/* the entry that is to follow a place */
typedef struct {
    dm_fleet_t              *fleet;
    const dm_fleet_place_t  *place;
    int                      seen;
    int                      rc;        /* of its reading */
    dm_err_t                *err;
} dm_bootstrap_behind_t;

/* while the rows come */
typedef struct {
    dm_bootstrap_t  *how;
    dm_store_t      *store;
    dm_fleet_t      *fleet;
    int              begun;         /* the transaction is open */
    int              failed;        /* a callback, and not the engine */
    uint64_t         rows;
    dm_err_t        *err;
} dm_bootstrap_run_t;


static int dm_bootstrap_look(dm_engine_t *engine, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_fleet_t **fleet, dm_fleet_head_t *head,
    dm_err_t *err);
static dm_fleet_t *dm_bootstrap_fleet(const dm_keys_t *keys,
    const dm_keys_t *authority, const dm_engine_head_t *octets,
    dm_err_t *err);
static int dm_bootstrap_read_head(dm_fleet_t *fleet,
    const dm_engine_head_t *octets, dm_fleet_head_t *head, dm_err_t *err);
static int dm_bootstrap_has(dm_engine_t *engine, dm_fleet_t *fleet,
    const dm_fleet_head_t *head, const dm_fleet_place_t *place,
    dm_fleet_state_t *state, dm_err_t *err);
static int dm_bootstrap_reaches(const dm_fleet_head_t *head,
    const dm_fleet_place_t *place, dm_fleet_state_t *state, dm_err_t *err);
static int dm_bootstrap_behind(uint64_t number, unsigned char *octets,
    size_t len, void *data);
static int dm_bootstrap_run(dm_bootstrap_run_t *run, dm_engine_t *engine);
static int dm_bootstrap_on_head(const dm_engine_head_t *octets, void *data);
static int dm_bootstrap_on_row(dm_str_t key, unsigned char *body, size_t len,
    void *data);
static int dm_bootstrap_head(dm_bootstrap_run_t *run,
    const dm_engine_head_t *octets);
static int dm_bootstrap_fits(dm_bootstrap_run_t *run);
static int dm_bootstrap_begin(dm_bootstrap_run_t *run);
static int dm_bootstrap_compare(dm_bootstrap_run_t *run);
static int dm_bootstrap_row(dm_bootstrap_run_t *run, dm_str_t key,
    unsigned char *body, size_t len);
static int dm_bootstrap_end(dm_bootstrap_run_t *run);
static int dm_bootstrap_wrong(dm_bootstrap_run_t *run,
    dm_fleet_state_t state);


int
dm_bootstrap_new(dm_engine_t *engine, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_bootstrap_new_t *new, dm_err_t *err)
{
    int              rc;
    dm_fleet_t      *fleet;
    dm_fleet_head_t  head;

    rc = dm_bootstrap_look(engine, keys, authority, &fleet, &head, err);

    if (rc == DM_OK) {
        memcpy(new->id, fleet->store_id, DM_FLEET_ID);
        memcpy(new->realm, head.realm, head.realm_len);
        new->realm_len = head.realm_len;
    }

    OPENSSL_cleanse(&head, sizeof(head));
    dm_fleet_free(fleet);

    return rc;
}


/*
 * Reads the engine's head, and makes the fleet that it names: both are to be
 * given up, whatever comes of it.  DM_OK, DM_INVALID or DM_ERROR.
 */
static int
dm_bootstrap_look(dm_engine_t *engine, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_fleet_t **fleet, dm_fleet_head_t *head,
    dm_err_t *err)
{
    dm_engine_head_t  octets;

    *fleet = NULL;

    if (dm_engine_head(engine, &octets, err) != DM_OK) {
        return DM_ERROR;
    }

    *fleet = dm_bootstrap_fleet(keys, authority, &octets, err);

    return *fleet == NULL ? DM_INVALID
                          : dm_bootstrap_read_head(*fleet, &octets, head, err);
}


/* of the store that the head names */
static dm_fleet_t *
dm_bootstrap_fleet(const dm_keys_t *keys, const dm_keys_t *authority,
    const dm_engine_head_t *octets, dm_err_t *err)
{
    unsigned char  id[DM_FLEET_ID];

    if (octets->head_len == 0) {
        dm_err_set(err, "the engine has no head: nothing is published there; "
                   "run \"dm-account replicate init\" where the store is");
        return NULL;
    }

    if (dm_fleet_head_id((dm_str_t) { octets->head, octets->head_len }, id,
                         err)
        != DM_OK)
    {
        return NULL;
    }

    return dm_fleet_new(keys, id, authority, err);
}


/* the engine's octets are read in a copy */
static int
dm_bootstrap_read_head(dm_fleet_t *fleet, const dm_engine_head_t *octets,
    dm_fleet_head_t *head, dm_err_t *err)
{
    unsigned char  copy[DM_FLEET_HEAD_MAX];

    memcpy(copy, octets->head, octets->head_len);

    return dm_fleet_head_read(fleet, copy, octets->head_len, head, err);
}


int
dm_bootstrap_expect(dm_engine_t *engine, const dm_keys_t *keys,
    const dm_keys_t *authority, const dm_fleet_place_t *place,
    dm_fleet_state_t *state, dm_err_t *err)
{
    int              rc;
    dm_fleet_t      *fleet;
    dm_fleet_head_t  head;

    *state = DM_FLEET_BAD_ENTRY;

    rc = dm_bootstrap_look(engine, keys, authority, &fleet, &head, err);

    if (rc == DM_OK) {
        rc = dm_bootstrap_has(engine, fleet, &head, place, state, err);
    }

    OPENSSL_cleanse(&head, sizeof(head));
    dm_fleet_free(fleet);

    return rc;
}


static int
dm_bootstrap_has(dm_engine_t *engine, dm_fleet_t *fleet,
    const dm_fleet_head_t *head, const dm_fleet_place_t *place,
    dm_fleet_state_t *state, dm_err_t *err)
{
    int                    rc;
    dm_bootstrap_behind_t  behind;

    rc = dm_bootstrap_reaches(head, place, state, err);

    if (rc != DM_OK || head->place.number == place->number) {
        return rc;
    }

    behind = (dm_bootstrap_behind_t) { fleet, place, 0, DM_OK, err };

    rc = dm_engine_entries(engine, place->number + 1, 1, dm_bootstrap_behind,
                           &behind, err);

    if (behind.seen) {
        *state = behind.rc == DM_DECLINED ? DM_FLEET_FORKED
                                          : DM_FLEET_BAD_ENTRY;
        return behind.rc == DM_DECLINED ? DM_INVALID : behind.rc;
    }

    if (rc == DM_OK || rc == DM_DECLINED) {
        dm_err_set(err, "the log has no entry %llu any more, which would "
                   "follow the one that is expected: take a newer place of the "
                   "other node", (unsigned long long) place->number + 1);
        *state = DM_FLEET_ROLLED_BACK;
        return DM_INVALID;
    }

    return DM_ERROR;
}


/* the head is at the place, or behind it */
static int
dm_bootstrap_reaches(const dm_fleet_head_t *head,
    const dm_fleet_place_t *place, dm_fleet_state_t *state, dm_err_t *err)
{
    if (head->place.number < place->number) {
        dm_err_set(err, "the engine's head is entry %llu, and another node was "
                   "at %llu: the engine shows an old state",
                   (unsigned long long) head->place.number,
                   (unsigned long long) place->number);
        *state = DM_FLEET_ROLLED_BACK;
        return DM_INVALID;
    }

    if (head->place.number == place->number
        && !dm_fleet_same_place(&head->place, place))
    {
        dm_err_set(err, "entry %llu of the engine's head is another one than "
                   "another node has: the log was forked",
                   (unsigned long long) place->number);
        *state = DM_FLEET_FORKED;
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_bootstrap_behind(uint64_t number, unsigned char *octets, size_t len,
    void *data)
{
    dm_fleet_entry_t        entry;
    dm_bootstrap_behind_t  *behind;

    (void) number;

    behind = data;
    behind->seen = 1;
    behind->rc = dm_fleet_entry_read(behind->fleet, behind->place, octets, len,
                                     &entry, behind->err);

    OPENSSL_cleanse(octets, len);

    return DM_OK;
}


int
dm_bootstrap(dm_bootstrap_t *bootstrap, dm_engine_t *engine, dm_err_t *err)
{
    int                 rc;
    dm_bootstrap_run_t  run;

    memset(&run, 0, sizeof(run));
    run.how = bootstrap;
    run.err = err;

    bootstrap->state = DM_FLEET_BOOTSTRAPPING;
    memset(&bootstrap->head, 0, sizeof(dm_fleet_head_t));

    /* a transaction of any size */

    rc = dm_store_open(&run.store, bootstrap->path, DM_STORE_WRITE,
                       bootstrap->keys, err);

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_bootstrap_run(&run, engine);

    if (run.begun) {
        dm_store_abort(run.store);
    }

    dm_store_close(run.store);
    dm_fleet_free(run.fleet);

    return rc;
}


static int
dm_bootstrap_run(dm_bootstrap_run_t *run, dm_engine_t *engine)
{
    int  rc;

    rc = dm_engine_rows(engine, dm_bootstrap_on_head, dm_bootstrap_on_row, run,
                        run->err);

    if (rc == DM_OK && run->begun) {
        return dm_bootstrap_end(run);
    }

    if (rc == DM_OK) {
        dm_err_set(run->err, "the engine handed out no head");
        return dm_bootstrap_wrong(run, DM_FLEET_BAD_ENTRY);
    }

    if (run->failed) {
        return rc;
    }

    run->how->state = DM_FLEET_DISCONNECTED;

    return DM_ERROR;
}


static int
dm_bootstrap_on_head(const dm_engine_head_t *octets, void *data)
{
    int                  rc;
    dm_bootstrap_run_t  *run;

    run = data;
    rc = dm_bootstrap_head(run, octets);

    run->failed = (rc != DM_OK);

    return rc;
}


static int
dm_bootstrap_on_row(dm_str_t key, unsigned char *body, size_t len, void *data)
{
    int                  rc;
    dm_bootstrap_run_t  *run;

    run = data;
    rc = dm_bootstrap_row(run, key, body, len);

    run->failed = (rc != DM_OK);

    return rc;
}


static int
dm_bootstrap_head(dm_bootstrap_run_t *run, const dm_engine_head_t *octets)
{
    int  rc;

    run->fleet = dm_bootstrap_fleet(run->how->keys, run->how->authority,
                                    octets, run->err);

    if (run->fleet == NULL) {
        return dm_bootstrap_wrong(run, DM_FLEET_BAD_ENTRY);
    }

    if (dm_bootstrap_fits(run) != DM_OK) {
        return DM_INVALID;
    }

    rc = dm_bootstrap_read_head(run->fleet, octets, &run->how->head, run->err);

    if (rc == DM_INVALID) {
        return dm_bootstrap_wrong(run, DM_FLEET_BAD_ENTRY);
    }

    if (rc != DM_OK
        || dm_fleet_use_root(run->fleet, run->how->head.root, run->err)
           != DM_OK)
    {
        return DM_ERROR;
    }

    return dm_bootstrap_begin(run);
}


/* is the store the one that the head speaks of? */
static int
dm_bootstrap_fits(dm_bootstrap_run_t *run)
{
    if (memcmp(dm_store_meta(run->store)->id, run->fleet->store_id,
               DM_FLEET_ID)
        == 0)
    {
        return DM_OK;
    }

    dm_err_set(run->err, "store \"%s\" is another one than the engine has: "
               "move it away, and run dm-replica as root once, which makes one "
               "that follows", run->how->path);

    return dm_bootstrap_wrong(run, DM_FLEET_FORKED);
}


static int
dm_bootstrap_begin(dm_bootstrap_run_t *run)
{
    int               rc;
    dm_fleet_head_t  *head;

    head = &run->how->head;

    dm_store_reserve(run->store, DM_BOOTSTRAP_ROOM
                                 + head->accounts * DM_BOOTSTRAP_ACCOUNT);

    if (dm_store_begin_apply(run->store, run->err) != DM_OK) {
        return DM_ERROR;
    }

    run->begun = 1;

    rc = dm_bootstrap_compare(run);
    if (rc != DM_OK) {
        return rc;
    }

    return dm_store_start_again(run->store, head->root, &head->place,
                                run->err);
}


/* a store never goes back, unless somebody says so */
static int
dm_bootstrap_compare(dm_bootstrap_run_t *run)
{
    int                  rc, follows;
    dm_fleet_head_t     *head;
    dm_fleet_place_t     place;
    dm_fleet_position_t  position;

    head = &run->how->head;

    if (run->how->least.number != 0
        && dm_bootstrap_reaches(head, &run->how->least, &run->how->state,
                                run->err)
           != DM_OK)
    {
        return DM_INVALID;
    }

    rc = dm_store_position(run->store, &position, run->err);

    if (rc != DM_OK && rc != DM_DECLINED) {
        return DM_ERROR;
    }

    follows = (rc == DM_OK && position.follows);
    place = position.place;
    OPENSSL_cleanse(&position, sizeof(position));

    if (!follows && dm_store_meta(run->store)->accounts != 0) {
        dm_err_set(run->err, "store \"%s\" has accounts and follows no log: "
                   "move it away, and run dm-replica as root once, which makes "
                   "one that follows", run->how->path);
        return dm_bootstrap_wrong(run, DM_FLEET_FORKED);
    }

    if (!follows || run->how->anew) {
        return DM_OK;
    }

    if (head->place.number < place.number) {
        dm_err_set(run->err, "the engine's head is entry %llu, and this store "
                   "is at %llu: nothing is taken back here",
                   (unsigned long long) head->place.number,
                   (unsigned long long) place.number);
        return dm_bootstrap_wrong(run, DM_FLEET_ROLLED_BACK);
    }

    if (head->place.number == place.number
        && !dm_fleet_same_place(&head->place, &place))
    {
        dm_err_set(run->err, "entry %llu of the engine's head is another one "
                   "than the entry %llu that is here: the log was forked",
                   (unsigned long long) head->place.number,
                   (unsigned long long) place.number);
        return dm_bootstrap_wrong(run, DM_FLEET_FORKED);
    }

    return DM_OK;
}


static int
dm_bootstrap_row(dm_bootstrap_run_t *run, dm_str_t key, unsigned char *body,
    size_t len)
{
    int             rc;
    dm_err_t        why;
    dm_account_t    account;
    dm_fleet_row_t  row;

    rc = dm_fleet_row_read(run->fleet, key, body, len, &row, &account, &why);

    if (rc == DM_OK && row.number > run->how->head.place.number) {
        dm_err_set(&why, "entry %llu wrote it, and the head is %llu",
                   (unsigned long long) row.number,
                   (unsigned long long) run->how->head.place.number);
        rc = DM_INVALID;
    }

    if (rc == DM_OK) {
        rc = dm_store_apply(run->store, DM_FLEET_PUT, row.octets, &why);
    }

    OPENSSL_cleanse(&account, sizeof(account));
    OPENSSL_cleanse(body, len);

    if (rc == DM_ERROR) {
        dm_err_set(run->err, "%s", why.text);
        return DM_ERROR;
    }

    if (rc != DM_OK) {
        dm_err_set(run->err, "a row of the engine is not to be believed: %s",
                   why.text);
        return dm_bootstrap_wrong(run, DM_FLEET_BAD_ENTRY);
    }

    run->rows++;

    if (run->how->step == NULL || run->rows % DM_BOOTSTRAP_STEP != 0) {
        return DM_OK;
    }

    rc = run->how->step(run->rows, run->how->head.accounts, run->how->data);

    return rc == DM_OK ? DM_OK : DM_ERROR;
}


/* proves that all of that is what the authority has signed, and commits */
static int
dm_bootstrap_end(dm_bootstrap_run_t *run)
{
    uint64_t          accounts;
    unsigned char     digest[DM_FLEET_HASH];
    dm_fleet_head_t  *head;

    head = &run->how->head;
    accounts = dm_store_meta(run->store)->accounts;

    if (dm_store_digest(run->store, digest, run->err) != DM_OK) {
        return DM_ERROR;
    }

    if (accounts != head->accounts) {
        dm_err_set(run->err, "the engine's rows are %llu accounts, and its "
                   "head has signed %llu: rows were taken away or added",
                   (unsigned long long) accounts,
                   (unsigned long long) head->accounts);
        return dm_bootstrap_wrong(run, DM_FLEET_BAD_ENTRY);
    }

    if (memcmp(digest, head->digest, DM_FLEET_HASH) != 0) {
        dm_err_set(run->err, "the sum of the engine's rows is not the one that "
                   "its head has signed: old rows were put back, or others in "
                   "their place");
        return dm_bootstrap_wrong(run, DM_FLEET_BAD_ENTRY);
    }

    if (dm_store_set_state(run->store, DM_FLEET_CATCHING_UP, run->err)
        != DM_OK)
    {
        return DM_ERROR;
    }

    run->begun = 0;

    return dm_store_commit(run->store, run->err) == DM_OK ? DM_OK : DM_ERROR;
}


static int
dm_bootstrap_wrong(dm_bootstrap_run_t *run, dm_fleet_state_t state)
{
    run->how->state = state;

    return DM_INVALID;
}
