/*
 * Bootstraps: brings a store to the state that the engine has, from its rows,
 * in one transaction.  Whoever reads the store has the state before until all
 * rows are there and their sum is the one that the head has signed.
 */

#ifndef DM_FLEET_BOOTSTRAP_H
#define DM_FLEET_BOOTSTRAP_H


#include "dm_fleet_head.h"
#include "dm_fleet_state.h"
#include "dm_store_follow.h"
#include "fleet/engine.h"


/* an id and a realm, of a store that is to be made for that */
typedef struct {
    unsigned char  id[DM_FLEET_ID];
    size_t         realm_len;
    unsigned char  realm[DM_FLEET_REALM_MAX];
} dm_bootstrap_new_t;

typedef struct {
    const char        *path;        /* of the store, which is not open */
    const dm_keys_t   *keys;
    const dm_keys_t   *authority;   /* public */
    unsigned           anew;        /* 1: also where this store is further, or
                                       is at another entry of that number */

    dm_fleet_place_t   least;       /* the head is not before it; number 0:
                                       it may be any */

    /* called now and then, with the rows so far; DM_OK to go on */
    int              (*step)(uint64_t rows, uint64_t all, void *data);
    void              *data;

    /* set by dm_bootstrap() */
    dm_fleet_state_t   state;       /* bad_entry, rolled_back, forked; or
                                       disconnected: the engine's failure */
    dm_fleet_head_t    head;        /* whoever called wipes it */
} dm_bootstrap_t;


/*
 * Proves the head, and tells id and realm.  DM_OK; DM_INVALID: the head is not
 * the authority's, or there is none; DM_ERROR.
 */
int dm_bootstrap_new(dm_engine_t *engine, const dm_keys_t *keys,
    const dm_keys_t *authority, dm_bootstrap_new_t *new, dm_err_t *err);

/*
 * Looks whether the log has that place, which another node has told: by the
 * head, or by the entry that follows it.  DM_OK; DM_INVALID, and *state is
 * rolled_back, forked or bad_entry; DM_ERROR.
 */
int dm_bootstrap_expect(dm_engine_t *engine, const dm_keys_t *keys,
    const dm_keys_t *authority, const dm_fleet_place_t *place,
    dm_fleet_state_t *state, dm_err_t *err);

/*
 * Brings the store to that state.  It must have the id of the fleet, and follow
 * or be empty.  DM_OK; DM_INVALID: the engine is not to be believed, see state,
 * or the store is another one; DM_ERROR.  In all but the first the store is as
 * it was.
 */
int dm_bootstrap(dm_bootstrap_t *bootstrap, dm_engine_t *engine,
    dm_err_t *err);


#endif /* DM_FLEET_BOOTSTRAP_H */
