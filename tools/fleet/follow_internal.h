/* Shared by follow.c and follow_prove.c */

#ifndef DM_FLEET_FOLLOW_INTERNAL_H
#define DM_FLEET_FOLLOW_INTERNAL_H


#include "fleet/follow.h"


struct dm_follow_s {
    dm_store_t            *store;
    dm_fleet_t            *fleet;
    dm_keys_t              authority;       /* public */
    dm_fleet_verifier_t   *beats;           /* of head.beats; NULL: none yet */
    unsigned               tells;           /* the state is written, too */

    dm_fleet_state_t       state;
    dm_fleet_head_t        head;
    dm_fleet_beat_t        beat;
    unsigned               has_beat;
    size_t                 beat_len;        /* as it came; 0: there was none */
    unsigned char          beat_octets[DM_FLEET_BEAT_MAX];
    dm_err_t               beat_wrong;      /* "": nothing is wrong with it */
    dm_fleet_state_t       beat_state;

    unsigned               ask;             /* entries, the next time */
    uint64_t               end;             /* the log's last, as it is known
                                               while entries are applied */
    uint64_t               entries;
    uint64_t               changes;
};


/*
 * The position of the store, which follows, or that is an error; the caller
 * wipes it.  DM_OK or DM_ERROR.
 */
int dm_follow_position(dm_follow_t *follow, dm_fleet_position_t *position,
    dm_err_t *err);

/*
 * The store is at the number of the head that was proven: looks whether it is
 * the same there.  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_follow_here(dm_follow_t *follow, const dm_fleet_position_t *position,
    dm_err_t *err);

/* sets the state and returns DM_INVALID */
int dm_follow_wrong(dm_follow_t *follow, dm_fleet_state_t state);


#endif /* DM_FLEET_FOLLOW_INTERNAL_H */
