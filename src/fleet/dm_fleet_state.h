/*
 * States of a store that follows a log, as dm-replica writes them into its
 * position: docs/fleet.md tells what each means, and by what it ends.
 */

#ifndef DM_FLEET_STATE_H
#define DM_FLEET_STATE_H


/* in the order of their numbers in a position, which stay what they are */
typedef enum {
    DM_FLEET_STARTING = 0,
    DM_FLEET_BOOTSTRAPPING,
    DM_FLEET_CATCHING_UP,
    DM_FLEET_FOLLOWING,
    DM_FLEET_DISCONNECTED,
    DM_FLEET_ROLLED_BACK,
    DM_FLEET_FORKED,
    DM_FLEET_BAD_ENTRY,
    DM_FLEET_STATES                 /* so many */
} dm_fleet_state_t;


/* of a number that a newer version wrote, "unknown" */
static inline const char *
dm_fleet_state_name(unsigned state)
{
    static const char *const  name[DM_FLEET_STATES] = {
        "starting", "bootstrapping", "catching_up", "following",
        "disconnected", "rolled_back", "forked", "bad_entry"
    };

    return state < DM_FLEET_STATES ? name[state] : "unknown";
}


#endif /* DM_FLEET_STATE_H */
