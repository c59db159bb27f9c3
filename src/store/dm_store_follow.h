/*
 * A store that follows a log: its position, the log that its changes go
 * through, and how changes come in from there.  docs/fleet.md has the words.
 *
 * Such a store is changed by no ordinary transaction without its log: then
 * dm_store_begin() fails, and says what to do.  What concerns this machine
 * alone, as a rekey, is done between dm_store_begin_apply() and
 * dm_store_commit().
 */

#ifndef DM_STORE_FOLLOW_H
#define DM_STORE_FOLLOW_H


#include "dm_fleet_entry.h"
#include "dm_fleet_position.h"
#include "dm_store_write.h"


/*
 * The log of a store that follows, as it is called while the store is changed.
 * begin, change and commit return DM_OK, or what dm_store_begin(), then
 * dm_store_put() or dm_store_del(), and then dm_store_commit() are to return.
 */
typedef struct dm_store_log_s {
    /*
     * With the lock of the writers, and no transaction open: locks the log,
     * and brings the store to its head.  dm_store_begin_apply() up to
     * dm_store_commit() can be called in it, as often as need be.  Where it
     * fails it leaves nothing locked.
     */
    int   (*begin)(dm_store_t *store, void *data, dm_err_t *err);

    /*
     * A change was made in the transaction, and is in its sum: what is as
     * dm_account_pack() has it, or the id.  Where this fails nothing of the
     * transaction can be committed any more.
     */
    int   (*change)(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t id,
                    dm_str_t what, void *data, dm_err_t *err);

    /*
     * Has all changes in force in the log, and has set the place that they end
     * with by dm_store_set_place().  Called before LMDB commits, and only where
     * there was a change.  Anything but DM_OK: LMDB is left as it was; with
     * DM_DECLINED err says that nobody knows whether they are in force.
     */
    int   (*commit)(dm_store_t *store, void *data, dm_err_t *err);

    /*
     * Once for each begin that returned DM_OK, with the lock of the writers:
     * unlocks the log.  done is 1 where LMDB has committed.
     */
    void  (*end)(dm_store_t *store, int done, void *data);
} dm_store_log_t;


/*
 * Has the store, which was opened to be written, use that log where it follows;
 * where it does not, the log is never called.  data is the log's own.
 */
void dm_store_follow(dm_store_t *store, const dm_store_log_t *log,
    void *data);

/*
 * The position as the last commit left it, or as the open write transaction has
 * it.  DM_OK: the caller wipes it; DM_DECLINED: the store has none; DM_INVALID:
 * it was taken away or changed, and err says so; DM_ERROR.
 */
int dm_store_position(dm_store_t *store, dm_fleet_position_t *position,
    dm_err_t *err);

/* 1 if it follows, else 0, *follows.  DM_OK, DM_INVALID or DM_ERROR */
int dm_store_follows(dm_store_t *store, int *follows, dm_err_t *err);

/*
 * In a write transaction of a store that follows, what the position will be:
 * the place of the last entry; number and time of the last beat; the state of
 * the daemon, a dm_fleet_state_t.  Accounts and sum are counted by the store.
 * DM_OK or DM_ERROR.
 */
int dm_store_set_place(dm_store_t *store, const dm_fleet_place_t *place,
    dm_err_t *err);
int dm_store_set_beat(dm_store_t *store, uint64_t number, int64_t time,
    dm_err_t *err);
int dm_store_set_state(dm_store_t *store, unsigned state, dm_err_t *err);

/*
 * The digest of the sum as it is now in the write transaction, into
 * digest[DM_FLEET_HASH].  DM_OK or DM_ERROR.
 */
int dm_store_digest(dm_store_t *store, unsigned char *digest, dm_err_t *err);

/*
 * As dm_store_begin(), but the log is not asked, nor by the dm_store_commit()
 * or dm_store_abort() that ends it, and dm_store_put() and dm_store_del() are
 * refused where the store follows.
 */
int dm_store_begin_apply(dm_store_t *store, dm_err_t *err);

/*
 * Makes a change that came from the log, in such a transaction, or in that of
 * dm_store_start_following(): what is as an entry has it, and may be changed.
 * Revision and time of the account are kept.  DM_OK; DM_INVALID: it breaks a
 * rule of the store, as no change of a log of this store can, and err says
 * which; DM_ERROR.  Only after DM_OK can the transaction be committed.
 */
int dm_store_apply(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t what,
    dm_err_t *err);

/*
 * In the write transaction of a store that does not follow, has it follow: with
 * that root[DM_FLEET_ROOT], its accounts as they are at that place.  What this
 * transaction changes from then on is for dm_store_apply() alone.  DM_OK;
 * DM_EXISTS: it follows already; DM_INVALID: an account does not open; or
 * DM_ERROR.
 */
int dm_store_start_following(dm_store_t *store, const unsigned char *root,
    const dm_fleet_place_t *place, dm_err_t *err);

/*
 * In the transaction of dm_store_begin_apply(), drops all accounts, and has the
 * store follow with that root from that place on, as dm_store_start_following()
 * does; whoever reads it has those accounts until the commit.  Those that were
 * disabled on this machine alone stay so.  DM_OK or DM_ERROR.
 */
int dm_store_start_again(dm_store_t *store, const unsigned char *root,
    const dm_fleet_place_t *place, dm_err_t *err);

/* dm_store_create() of a store with that id[DM_STORE_ID_SIZE] */
int dm_store_create_as(const char *path, const unsigned char *id,
    dm_str_t realm, uint64_t map_size, const dm_store_owner_t *owner,
    const dm_keys_t *keys, dm_err_t *err);

/*
 * Accounts are disabled on this machine alone, "--here", by dm_store_disable()
 * on a store that follows.  That holds, whatever the log says, until the
 * account is disabled or gone at the log's head, or until dm_store_lift() and
 * dm_store_disable_commit().  DM_OK; DM_DECLINED: it was not disabled here;
 * DM_INVALID: the store does not follow; DM_ERROR.
 */
int dm_store_lift(dm_store_t *store, dm_str_t id, dm_err_t *err);

/* calls fn for each of them; it returns DM_OK to go on.  As dm_store_walk() */
int dm_store_walk_here(dm_store_t *store,
    int (*fn)(dm_str_t id, void *data), void *data, dm_err_t *err);


#endif /* DM_STORE_FOLLOW_H */
