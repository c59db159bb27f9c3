/* A store that follows, a log that is an array, and a second store for it */

#ifndef FOLLOW_FIXTURE_H
#define FOLLOW_FIXTURE_H


#include "dm_store_follow.h"
#include "dm_store_internal.h"
#include "store_fixture.h"


#define ENTRIES  64


typedef struct {
    dm_fleet_kind_t  kind;
    size_t           len;
    unsigned char    octets[DM_RECORD_MAX];
    unsigned char    digest[DM_FLEET_HASH];     /* of the sum behind it */
} entry_t;

/* the log, what it is to answer, and how often it was called */
typedef struct {
    unsigned   n;                   /* entries that are in force */
    unsigned   open;                /* those, and what the transaction adds */
    entry_t    entry[ENTRIES];

    unsigned   behind;              /* entries that begin() is to apply */
    int        on_begin;
    int        on_change;
    int        on_commit;

    unsigned   begun;
    unsigned   committed;
    unsigned   ended;
    int        done;                /* as end() was told last */
    unsigned   locked;
} log_now_t;


static const unsigned char  root[DM_FLEET_ROOT] = "the root of this fleet";
static const unsigned char  fleet_id[DM_STORE_ID_SIZE] = "sixteen octets!";

static log_now_t  log_now;
static char       first[64];        /* path of the store that is written */
static char       second[64];       /* and of the one that follows */


static inline dm_fleet_place_t
place_of(unsigned number)
{
    dm_fleet_place_t  place;

    memset(&place, 0, sizeof(place));
    place.number = number;
    memset(place.chain, (int) number + 1, DM_FLEET_HASH);

    return place;
}


/* one change of the log, as dm_store_apply() is to make it */
static inline int
apply(dm_store_t *store, unsigned i, dm_err_t *err)
{
    int            rc;
    unsigned char  octets[DM_RECORD_MAX];

    memcpy(octets, log_now.entry[i].octets, log_now.entry[i].len);
    rc = dm_store_apply(store, log_now.entry[i].kind,
                        (dm_str_t) { octets, log_now.entry[i].len }, err);

    return rc;
}


/* entries up to there, in one commit; each leaves the sum that it had */
static inline void
apply_to(dm_store_t *store, unsigned from, unsigned to)
{
    unsigned          i;
    dm_err_t          err;
    unsigned char     digest[DM_FLEET_HASH];
    dm_fleet_place_t  place;

    if (dm_store_begin_apply(store, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    for (i = from; i < to; i++) {
        if (apply(store, i, &err) != DM_OK) {
            fail_msg("%u: %s", i, err.text);
        }

        assert_int_equal(dm_store_digest(store, digest, NULL), DM_OK);
        assert_memory_equal(digest, log_now.entry[i].digest, DM_FLEET_HASH);
    }

    place = place_of(to);
    assert_int_equal(dm_store_set_place(store, &place, NULL), DM_OK);

    if (dm_store_commit(store, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }
}


static inline int
log_begin(dm_store_t *store, void *data, dm_err_t *err)
{
    dm_fleet_position_t  position;

    assert_ptr_equal(data, &log_now);

    log_now.begun++;

    if (log_now.on_begin != DM_OK) {
        dm_err_set(err, "the log does not begin");
        return log_now.on_begin;
    }

    assert_int_equal(dm_store_position(store, &position, NULL), DM_OK);

    while (log_now.behind > 0) {
        apply_to(store, (unsigned) position.place.number,
                 (unsigned) position.place.number + 1);
        assert_false(is_free());
        position.place.number++;
        log_now.behind--;
    }

    log_now.locked = 1;
    log_now.open = log_now.n;

    return DM_OK;
}


static inline int
log_change(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t id,
    dm_str_t what, void *data, dm_err_t *err)
{
    entry_t       *entry;
    dm_account_t   account;

    assert_ptr_equal(data, &log_now);
    assert_true(log_now.open < ENTRIES);
    assert_true(log_now.locked);

    entry = &log_now.entry[log_now.open++];
    entry->kind = kind;
    entry->len = what.len;
    memcpy(entry->octets, what.data, what.len);
    assert_int_equal(dm_store_digest(store, entry->digest, NULL), DM_OK);

    if (kind == DM_FLEET_PUT) {
        assert_int_equal(dm_account_unpack(&account, entry->octets,
                                           entry->len, NULL),
                         DM_OK);
        assert_true(dm_str_eq(account.id, id));

    } else {
        assert_true(dm_str_eq(what, id));
    }

    if (log_now.on_change != DM_OK) {
        dm_err_set(err, "the log takes no change");
    }

    return log_now.on_change;
}


static inline int
log_commit(dm_store_t *store, void *data, dm_err_t *err)
{
    dm_fleet_place_t  place;

    assert_ptr_equal(data, &log_now);
    assert_true(log_now.locked);

    log_now.committed++;

    if (log_now.on_commit != DM_OK) {
        dm_err_set(err, "the log does not commit");
        return log_now.on_commit;
    }

    log_now.n = log_now.open;
    place = place_of(log_now.n);

    return dm_store_set_place(store, &place, err);
}


static inline void
log_end(dm_store_t *store, int done, void *data)
{
    assert_ptr_equal(data, &log_now);
    assert_true(log_now.locked);
    assert_null(store->write);
    assert_false(is_free());

    log_now.ended++;
    log_now.done = done;
    log_now.locked = 0;
}


static const dm_store_log_t  log_calls = {
    log_begin, log_change, log_commit, log_end
};


/* a store at path, with a log from its first entry on */
static inline void
make_following(const char *at)
{
    dm_err_t          err;
    dm_store_t       *store;
    dm_store_owner_t  owner;
    dm_fleet_place_t  place;

    discard(at);
    owner = owner_of(getgid());
    assert_int_equal(dm_store_create_as(at, fleet_id, str(REALM), MAP, &owner,
                                        &keys, NULL),
                     DM_OK);

    if (dm_store_open(&store, at, DM_STORE_WRITE, &keys, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    place = place_of(0);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_start_following(store, root, &place, NULL),
                     DM_OK);
    assert_int_equal(dm_store_start_following(store, root, &place, NULL),
                     DM_EXISTS);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
}


static inline dm_store_t *
open_following(dm_store_mode_t mode)
{
    dm_store_t  *store;

    store = open_store(mode);
    dm_store_follow(store, &log_calls, &log_now);

    return store;
}


/* two stores, and no entry */
static inline int
follow_fresh(void **state)
{
    (void) state;

    memset(&log_now, 0, sizeof(log_now));

    strcpy(path, first);
    make_following(second);
    make_following(first);

    return 0;
}


static inline int
follow_setup(void **state)
{
    if (setup(state) != 0) {
        return -1;
    }

    strcpy(first, path);
    sprintf(second, "%s/second", dir);

    return 0;
}


static inline int
follow_teardown(void **state)
{
    discard(second);
    strcpy(path, first);

    return teardown(state);
}


static inline dm_fleet_position_t
position_of(dm_store_t *store)
{
    dm_err_t             err;
    dm_fleet_position_t  position;

    if (dm_store_position(store, &position, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    return position;
}


#endif /* FOLLOW_FIXTURE_H */
