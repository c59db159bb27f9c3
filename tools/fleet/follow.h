/*
 * Follows the log: proves what the engine shows, compares it with the store's
 * position, and applies what is new.  A store never goes back, and nothing that
 * is not proven is in a commit.
 *
 * Of what the functions return, DM_INVALID is a judgement of the engine: err
 * says what is wrong, and dm_follow_state() is rolled_back, forked, bad_entry,
 * or bootstrapping where all is right but the log begins behind the store's
 * place.  DM_ERROR is a failure, after which dm_follow_state() is disconnected
 * where it was the engine's, and otherwise as it was.
 */

#ifndef DM_FLEET_FOLLOW_H
#define DM_FLEET_FOLLOW_H


#include "dm_fleet_entry.h"
#include "dm_fleet_head.h"
#include "dm_fleet_state.h"
#include "dm_store_follow.h"
#include "fleet/engine.h"


/* a commit has at most so many, but for an entry that has more octets */
#define DM_FOLLOW_ENTRIES  2000
#define DM_FOLLOW_OCTETS   (4 * 1024 * 1024)

/* seconds that a beat may be ahead of this machine's clock to be taken down */
#define DM_FOLLOW_AHEAD    300


typedef struct dm_follow_s  dm_follow_t;


/*
 * For the store, which is open to be written and follows: keys are its keys,
 * authority the authority's public ones.  DM_OK; DM_ERROR with err, also where
 * the store has no position, or follows nothing.
 */
int dm_follow_new(dm_follow_t **follow, dm_store_t *store,
    const dm_keys_t *keys, const dm_keys_t *authority, dm_err_t *err);

/* wipes; NULL is accepted */
void dm_follow_free(dm_follow_t *follow);

/* the keys of the fleet, of which the root is known, too */
dm_fleet_t *dm_follow_fleet(dm_follow_t *follow);

dm_fleet_state_t dm_follow_state(const dm_follow_t *follow);

/* the head that was proven last; all 0 before that */
const dm_fleet_head_t *dm_follow_head(const dm_follow_t *follow);

/* the beat that came with it; NULL: there is none, or it is not believed */
const dm_fleet_beat_t *dm_follow_beat(const dm_follow_t *follow);

/*
 * The same where a store at that position is to take it down, else NULL: it is
 * there, a newer one is, or the store has not come so far.
 */
const dm_fleet_beat_t *dm_follow_beat_new(const dm_follow_t *follow,
    const dm_fleet_position_t *position);

/*
 * Why not, and the state that this is; NULL: nothing is wrong with it.  Entries
 * are good without it.
 */
const char *dm_follow_beat_wrong(const dm_follow_t *follow,
    dm_fleet_state_t *state);

/*
 * Writes a beat of the head that was proven, where the store is, with that time
 * in the place of the one that came with the head.  DM_OK; DM_EXISTS: another
 * has beaten meanwhile; DM_INVALID: the key is not the one that the head names,
 * or the role may not; DM_ERROR, and the state is disconnected where that was
 * the engine's.
 */
int dm_follow_sign_beat(dm_follow_t *follow, dm_engine_t *engine,
    dm_fleet_signer_t *signer, int64_t now, dm_err_t *err);

/*
 * From now on the position gets the state with each batch: the daemon's, which
 * no writer sets.
 */
void dm_follow_tells(dm_follow_t *follow);

/*
 * Proves head and beat as the engine's lock gave them, with the store's lock
 * held, and compares them with the position.  DM_OK: the store is there, or can
 * go there.
 */
int dm_follow_prove(dm_follow_t *follow, dm_engine_head_t *octets,
    dm_err_t *err);

/* the same of those that the engine shows now, for whoever holds no lock */
int dm_follow_look(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err);

/*
 * Applies the next batch of entries towards the head that was proven, in one
 * commit of its own.  DM_OK: there was one; DM_DECLINED: none is left, and the
 * store is at the head.
 */
int dm_follow_step(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err);

/*
 * Applies whatever follows the store's place, before anybody has looked at the
 * head: entries are good by themselves, and it saves a way to the engine and
 * back.  DM_OK; DM_DECLINED: there is nothing, look at the head; DM_INVALID;
 * DM_ERROR.
 */
int dm_follow_ahead(dm_follow_t *follow, dm_engine_t *engine, dm_err_t *err);

/*
 * All of them: in the writer's begin(), after dm_follow_prove().  Then the
 * store is at dm_follow_head().  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_follow_catch_up(dm_follow_t *follow, dm_engine_t *engine,
    dm_err_t *err);

/* the entries, and the changes in them, that were applied so far */
uint64_t dm_follow_entries(const dm_follow_t *follow);
uint64_t dm_follow_changes(const dm_follow_t *follow);


#endif /* DM_FLEET_FOLLOW_H */
