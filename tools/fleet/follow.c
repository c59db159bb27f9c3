/* Follows the log: what the engine shows is proven, and then applied */

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "dm_store_write_ring.h"
#include "fleet/follow_internal.h"


/* entries that are asked for, at first; later as many as a batch can have */
#define DM_FOLLOW_ASK  16


/* an entry as it was read; its changes point into the octets */
typedef struct {
    unsigned char     *octets;      /* sealed, for the ring */
    unsigned char     *data;        /* the same, opened in place */
    size_t             len;
    dm_fleet_place_t   place;       /* if it follows the one before it */
    dm_fleet_entry_t   entry;
} dm_follow_entry_t;

/* those of a batch, in their order */
typedef struct {
    unsigned            n;
    unsigned            room;
    size_t              octets;
    unsigned            full;       /* more did not go in */
    unsigned            short_of;   /* memory was */
    dm_follow_entry_t  *entry;
} dm_follow_batch_t;


static int dm_follow_init(dm_follow_t *follow, const dm_keys_t *keys,
    dm_err_t *err);
static int dm_follow_fetch(dm_follow_t *follow, dm_engine_t *engine,
    uint64_t from, uint64_t max, dm_follow_batch_t *batch, dm_err_t *err);
static int dm_follow_keep(uint64_t number, unsigned char *octets, size_t len,
    void *data);
static int dm_follow_open(dm_follow_t *follow, const dm_fleet_place_t *from,
    dm_follow_batch_t *batch, dm_err_t *err);
static int dm_follow_prove_last(dm_follow_t *follow,
    const dm_fleet_place_t *from, dm_follow_batch_t *batch);
static int dm_follow_put(dm_follow_t *follow, const dm_fleet_place_t *from,
    dm_follow_batch_t *batch, dm_err_t *err);
static int dm_follow_transact(dm_follow_t *follow,
    const dm_fleet_place_t *from, const dm_follow_batch_t *batch,
    unsigned *done, dm_err_t *err);
static int dm_follow_apply(dm_follow_t *follow, const dm_fleet_entry_t *entry,
    dm_err_t *err);
static int dm_follow_prove_sum(dm_follow_t *follow,
    const dm_fleet_entry_t *entry, dm_err_t *err);
static int dm_follow_mark(dm_follow_t *follow,
    const dm_fleet_position_t *before, const dm_fleet_place_t *place,
    dm_err_t *err);
static void dm_follow_drop(dm_follow_batch_t *batch);


int
dm_follow_new(dm_follow_t **follow, dm_store_t *store, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_err_t *err)
{
    dm_follow_t  *made;

    made = calloc(1, sizeof(dm_follow_t));

    if (made == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    made->store = store;
    made->authority = *authority;
    made->state = DM_FLEET_STARTING;
    made->ask = DM_FOLLOW_ASK;

    if (dm_follow_init(made, keys, err) != DM_OK) {
        dm_follow_free(made);
        return DM_ERROR;
    }

    *follow = made;

    return DM_OK;
}


static int
dm_follow_init(dm_follow_t *follow, const dm_keys_t *keys, dm_err_t *err)
{
    int                  rc;
    dm_fleet_position_t  position;

    if (dm_follow_position(follow, &position, err) != DM_OK) {
        return DM_ERROR;
    }

    follow->fleet = dm_fleet_new(keys, dm_store_meta(follow->store)->id,
                                 &follow->authority, err);

    rc = follow->fleet == NULL
         ? DM_ERROR : dm_fleet_use_root(follow->fleet, position.root, err);

    OPENSSL_cleanse(&position, sizeof(position));

    return rc;
}


void
dm_follow_free(dm_follow_t *follow)
{
    if (follow == NULL) {
        return;
    }

    dm_fleet_free(follow->fleet);
    dm_fleet_verifier_free(follow->beats);

    OPENSSL_cleanse(follow, sizeof(dm_follow_t));
    free(follow);
}


dm_fleet_t *
dm_follow_fleet(dm_follow_t *follow)
{
    return follow->fleet;
}


dm_fleet_state_t
dm_follow_state(const dm_follow_t *follow)
{
    return follow->state;
}


const dm_fleet_head_t *
dm_follow_head(const dm_follow_t *follow)
{
    return &follow->head;
}


const dm_fleet_beat_t *
dm_follow_beat(const dm_follow_t *follow)
{
    return follow->has_beat ? &follow->beat : NULL;
}


const char *
dm_follow_beat_wrong(const dm_follow_t *follow, dm_fleet_state_t *state)
{
    *state = follow->beat_state;

    return follow->beat_wrong.text[0] == '\0' ? NULL
                                              : follow->beat_wrong.text;
}


void
dm_follow_tells(dm_follow_t *follow)
{
    follow->tells = 1;
}


uint64_t
dm_follow_entries(const dm_follow_t *follow)
{
    return follow->entries;
}


uint64_t
dm_follow_changes(const dm_follow_t *follow)
{
    return follow->changes;
}


int
dm_follow_position(dm_follow_t *follow, dm_fleet_position_t *position,
    dm_err_t *err)
{
    int  rc;

    rc = dm_store_position(follow->store, position, err);

    if (rc == DM_DECLINED || (rc == DM_OK && !position->follows)) {
        dm_err_set(err, "the store follows no log: it is alone");
        rc = DM_ERROR;
    }

    if (rc != DM_OK) {
        OPENSSL_cleanse(position, sizeof(dm_fleet_position_t));
        return DM_ERROR;
    }

    return DM_OK;
}


int
dm_follow_catch_up(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err)
{
    int  rc;

    do {
        rc = dm_follow_step(follow, engine, err);
    } while (rc == DM_OK);

    return rc == DM_DECLINED ? DM_OK : rc;
}


int
dm_follow_step(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err)
{
    int                  rc;
    uint64_t             left;
    dm_fleet_place_t     from;
    dm_follow_batch_t    batch;
    dm_fleet_position_t  position;

    if (dm_follow_position(follow, &position, err) != DM_OK) {
        return DM_ERROR;
    }

    from = position.place;
    rc = DM_OK;

    if (from.number == follow->head.place.number) {
        rc = dm_follow_here(follow, &position, err);
    }

    OPENSSL_cleanse(&position, sizeof(position));

    if (rc != DM_OK) {
        return rc;
    }

    if (from.number >= follow->head.place.number) {
        return DM_DECLINED;
    }

    follow->state = DM_FLEET_CATCHING_UP;
    follow->end = follow->head.place.number;
    left = follow->end - from.number;

    memset(&batch, 0, sizeof(batch));

    rc = dm_follow_fetch(follow, engine, from.number + 1, left, &batch, err);

    if (rc == DM_OK) {
        rc = dm_follow_put(follow, &from, &batch, err);
    }

    dm_follow_drop(&batch);

    return rc;
}


int
dm_follow_ahead(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err)
{
    int                  rc;
    unsigned             asked;
    dm_fleet_place_t     from;
    dm_follow_batch_t    batch;
    dm_fleet_position_t  position;

    if (dm_follow_position(follow, &position, err) != DM_OK) {
        return DM_ERROR;
    }

    from = position.place;
    OPENSSL_cleanse(&position, sizeof(position));

    memset(&batch, 0, sizeof(batch));
    asked = follow->ask;

    rc = dm_follow_fetch(follow, engine, from.number + 1, asked, &batch, err);

    /* of an entry that is not there the head says why */

    if (rc == DM_INVALID) {
        rc = DM_DECLINED;
    }

    if (rc == DM_OK) {
        follow->end = from.number + batch.n + (batch.n == asked || batch.full);
        rc = dm_follow_put(follow, &from, &batch, err);
    }

    dm_follow_drop(&batch);

    return rc;
}


static int
dm_follow_fetch(dm_follow_t *follow, dm_engine_t *engine, uint64_t from,
    uint64_t max, dm_follow_batch_t *batch, dm_err_t *err)
{
    int  rc;

    if (max > follow->ask) {
        max = follow->ask;
    }

    batch->room = (unsigned) max;
    batch->entry = calloc(batch->room, sizeof(dm_follow_entry_t));

    if (batch->entry == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    rc = dm_engine_entries(engine, from, (unsigned) max, dm_follow_keep, batch,
                           err);

    if (batch->short_of) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    if (batch->full) {
        follow->ask = batch->n;
        return DM_OK;
    }

    if (rc == DM_DECLINED && batch->n == 0) {
        return dm_follow_wrong(follow, DM_FLEET_BOOTSTRAPPING);
    }

    if (rc == DM_OK && batch->n == 0) {
        dm_err_set(err, "the engine's head is entry %llu, and its log has no "
                   "entry %llu", (unsigned long long) follow->head.place.number,
                   (unsigned long long) from);
        return dm_follow_wrong(follow, DM_FLEET_BAD_ENTRY);
    }

    if (rc == DM_INVALID && batch->n == 0) {
        return dm_follow_wrong(follow, DM_FLEET_BAD_ENTRY);
    }

    if (rc == DM_ERROR) {
        follow->state = DM_FLEET_DISCONNECTED;
        return DM_ERROR;
    }

    if (batch->octets < DM_FOLLOW_OCTETS / 2) {
        follow->ask = follow->ask > DM_FOLLOW_ENTRIES / 2
                      ? DM_FOLLOW_ENTRIES : 2 * follow->ask;
    }

    return DM_OK;
}


/* copies an entry; any but DM_OK ends the reading, and batch tells why */
static int
dm_follow_keep(uint64_t number, unsigned char *octets, size_t len, void *data)
{
    dm_follow_batch_t  *batch;
    dm_follow_entry_t  *entry;

    (void) number;

    batch = data;

    if (batch->n == batch->room
        || (batch->n > 0 && batch->octets + len > DM_FOLLOW_OCTETS))
    {
        batch->full = 1;
        return DM_EXISTS;
    }

    entry = &batch->entry[batch->n];
    entry->len = len;
    entry->data = malloc(len + 1);
    entry->octets = malloc(len + 1);

    if (entry->data == NULL || entry->octets == NULL) {
        batch->short_of = 1;
        return DM_ERROR;
    }

    memcpy(entry->data, octets, len);
    memcpy(entry->octets, octets, len);

    batch->octets += len;
    batch->n++;

    return DM_OK;
}


static int
dm_follow_put(dm_follow_t *follow, const dm_fleet_place_t *from,
    dm_follow_batch_t *batch, dm_err_t *err)
{
    int       rc, judged;
    dm_err_t  why;
    unsigned  done;

    rc = dm_follow_open(follow, from, batch, err);

    if (rc == DM_ERROR || (rc != DM_OK && batch->n == 0)) {
        return rc;
    }

    /* those before one that is wrong are good */

    done = 0;

    judged = rc;
    rc = dm_follow_transact(follow, from, batch, &done, &why);

    if (rc == DM_OK) {
        return judged;
    }

    if (rc == DM_INVALID && done > 0) {
        batch->n = done;

        if (dm_follow_transact(follow, from, batch, &done, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    dm_err_set(err, "%s", why.text);

    return rc;
}


/* proves and opens the entries, of which batch->n are good then */
static int
dm_follow_open(dm_follow_t *follow, const dm_fleet_place_t *from,
    dm_follow_batch_t *batch, dm_err_t *err)
{
    int                      rc, proven;
    unsigned                 i;
    dm_follow_entry_t       *entry;
    const dm_fleet_place_t  *before;

    before = from;
    rc = DM_OK;
    proven = dm_follow_prove_last(follow, from, batch);

    for (i = 0; i < batch->n; i++) {
        entry = &batch->entry[i];

        if (!proven || i + 1 < batch->n) {
            rc = dm_fleet_entry_read_at(follow->fleet, before,
                                        proven ? &entry->place : NULL,
                                        entry->data, entry->len, &entry->entry,
                                        err);
        }

        if (rc != DM_OK) {
            break;
        }

        before = &entry->entry.place;
    }

    batch->n = i;

    if (rc == DM_OK || rc == DM_ERROR) {
        return rc;
    }

    return dm_follow_wrong(follow, rc == DM_DECLINED ? DM_FLEET_FORKED
                                                     : DM_FLEET_BAD_ENTRY);
}


/*
 * Opens the last entry, if its signature proves it: with it all others, which
 * its chain leads to.  A signature takes longer to verify than all else of an
 * entry with one change.  1, or 0: each is to be proven by its own, and where
 * one is wrong it is named.
 */
static int
dm_follow_prove_last(dm_follow_t *follow, const dm_fleet_place_t *from,
    dm_follow_batch_t *batch)
{
    unsigned                 i;
    dm_err_t                 err;
    dm_follow_entry_t       *entry;
    const dm_fleet_place_t  *before;

    before = from;

    for (i = 0; i + 1 < batch->n; i++) {
        entry = &batch->entry[i];

        if (dm_fleet_entry_place(before, (dm_str_t) { entry->octets,
                                                      entry->len },
                                 &entry->place)
            != DM_OK)
        {
            return 0;
        }

        before = &entry->place;
    }

    entry = &batch->entry[batch->n - 1];

    if (dm_fleet_entry_read(follow->fleet, before, entry->data, entry->len,
                            &entry->entry, &err)
        == DM_OK)
    {
        return 1;
    }

    memcpy(entry->data, entry->octets, entry->len);

    return 0;
}


/*
 * One transaction, and *done entries are in it.  DM_OK, or nothing is in force:
 * DM_INVALID, and that is the fault of the entry with the index *done; or
 * DM_ERROR.
 */
static int
dm_follow_transact(dm_follow_t *follow, const dm_fleet_place_t *from,
    const dm_follow_batch_t *batch, unsigned *done, dm_err_t *err)
{
    int                      rc, moved;
    uint64_t                 changes;
    unsigned                 i;
    dm_fleet_position_t      position;
    const dm_fleet_entry_t  *entry;

    *done = 0;
    changes = 0;

    if (dm_store_begin_apply(follow->store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (dm_follow_position(follow, &position, err) != DM_OK) {
        dm_store_abort(follow->store);
        return DM_ERROR;
    }

    /* a writer of this machine was here meanwhile: read what is left anew */

    moved = !dm_fleet_same_place(&position.place, from);

    if (moved) {
        OPENSSL_cleanse(&position, sizeof(position));
        dm_store_abort(follow->store);
        return DM_OK;
    }

    rc = DM_OK;

    for (i = 0; i < batch->n && rc == DM_OK; i++) {
        entry = &batch->entry[i].entry;
        rc = dm_follow_apply(follow, entry, err);

        if (rc == DM_OK) {
            rc = dm_store_ring_put(follow->store, entry->place.number,
                                   (dm_str_t) { batch->entry[i].octets,
                                                batch->entry[i].len },
                                   err);
        }

        if (rc == DM_OK) {
            changes += entry->changes.n;
            *done = i + 1;
        }
    }

    if (rc == DM_OK) {
        rc = dm_follow_mark(follow, &position,
                            &batch->entry[batch->n - 1].entry.place, err);
    }

    OPENSSL_cleanse(&position, sizeof(position));

    if (rc != DM_OK) {
        dm_store_abort(follow->store);
        return rc;
    }

    if (dm_store_commit(follow->store, err) != DM_OK) {
        return DM_ERROR;
    }

    follow->entries += batch->n;
    follow->changes += changes;

    return DM_OK;
}


static int
dm_follow_apply(dm_follow_t *follow, const dm_fleet_entry_t *entry,
    dm_err_t *err)
{
    int                 rc, next;
    dm_err_t            why;
    dm_fleet_change_t   change;
    dm_fleet_changes_t  changes;

    /* a copy: the entry may be applied once more */

    changes = entry->changes;
    rc = DM_OK;

    do {
        next = dm_fleet_next(&changes, &change, &why);

        if (next == DM_OK) {
            rc = dm_store_apply(follow->store, change.kind,
                                (dm_str_t) { change.data, change.len }, &why);
        }

    } while (next == DM_OK && rc == DM_OK);

    if (rc == DM_OK && next == DM_DECLINED) {
        return dm_follow_prove_sum(follow, entry, err);
    }

    if (rc == DM_ERROR) {
        dm_err_set(err, "%s", why.text);
        return DM_ERROR;
    }

    dm_err_set(err, "change %u of entry %llu cannot be applied: %s",
               changes.done, (unsigned long long) entry->place.number,
               why.text);

    return dm_follow_wrong(follow, DM_FLEET_BAD_ENTRY);
}


static int
dm_follow_prove_sum(dm_follow_t *follow, const dm_fleet_entry_t *entry,
    dm_err_t *err)
{
    unsigned char  digest[DM_FLEET_HASH];

    if (dm_store_digest(follow->store, digest, err) != DM_OK) {
        return DM_ERROR;
    }

    if (memcmp(digest, entry->digest, DM_FLEET_HASH) != 0) {
        dm_err_set(err, "with entry %llu this store would have other accounts "
                   "than its writer had: the store has diverged before, and "
                   "nothing of the entry is applied",
                   (unsigned long long) entry->place.number);
        return dm_follow_wrong(follow, DM_FLEET_BAD_ENTRY);
    }

    return DM_OK;
}


/* sets what the position says beside its sum */
static int
dm_follow_mark(dm_follow_t *follow, const dm_fleet_position_t *before,
    const dm_fleet_place_t *place, dm_err_t *err)
{
    dm_fleet_state_t        state;
    dm_fleet_position_t     is;
    const dm_fleet_beat_t  *beat;

    if (dm_store_set_place(follow->store, place, err) != DM_OK) {
        return DM_ERROR;
    }

    is.place = *place;
    is.beaten = before->beaten;
    beat = dm_follow_beat_new(follow, &is);

    if (beat != NULL
        && dm_store_set_beat(follow->store, beat->place.number, beat->time,
                             err)
           != DM_OK)
    {
        return DM_ERROR;
    }

    if (!follow->tells) {
        return DM_OK;
    }

    state = place->number < follow->end ? DM_FLEET_CATCHING_UP
                                        : DM_FLEET_FOLLOWING;

    return dm_store_set_state(follow->store, state, err);
}


static void
dm_follow_drop(dm_follow_batch_t *batch)
{
    unsigned            i;
    dm_follow_entry_t  *entry;

    for (i = 0; i < batch->room && batch->entry != NULL; i++) {
        entry = &batch->entry[i];

        if (entry->data != NULL) {
            OPENSSL_cleanse(entry->data, entry->len);
        }

        free(entry->data);
        free(entry->octets);
    }

    free(batch->entry);
}


int
dm_follow_wrong(dm_follow_t *follow, dm_fleet_state_t state)
{
    follow->state = state;

    return DM_INVALID;
}
