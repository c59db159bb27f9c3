/*
 * usage: follow STORE KEY STATE SECONDS
 *
 * What dm-replica leaves in a store, for tests without a log: has it follow,
 * if it does not, with one entry more, that state, and a beat of SECONDS ago;
 * "-": there was none.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dm_store_follow.h"


static int follow_begin(dm_store_t *store, dm_err_t *err);
static int follow_write(dm_store_t *store, char **argv, dm_err_t *err);
static unsigned follow_state(const char *name);


int
main(int argc, char **argv)
{
    dm_err_t     err;
    dm_keys_t    keys;
    dm_store_t  *store;

    err.text[0] = '\0';

    if (argc != 5
        || dm_keys_read(argv[2], &keys, &err) != DM_OK
        || dm_store_open(&store, argv[1], DM_STORE_WRITE, &keys, &err)
           != DM_OK
        || follow_begin(store, &err) != DM_OK
        || follow_write(store, argv, &err) != DM_OK
        || dm_store_commit(store, &err) != DM_OK)
    {
        fprintf(stderr, "follow: %s\n", err.text);
        return 1;
    }

    dm_store_close(store);
    dm_keys_wipe(&keys);

    return 0;
}


static int
follow_begin(dm_store_t *store, dm_err_t *err)
{
    int               follows;
    dm_fleet_place_t  place;

    static const unsigned char  root[DM_FLEET_ROOT];

    if (dm_store_follows(store, &follows, err) != DM_OK) {
        return DM_ERROR;
    }

    if (follows) {
        return dm_store_begin_apply(store, err);
    }

    memset(&place, 0, sizeof(place));

    return dm_store_begin(store, err) == DM_OK
           ? dm_store_start_following(store, root, &place, err) : DM_ERROR;
}


static int
follow_write(dm_store_t *store, char **argv, dm_err_t *err)
{
    int64_t              at;
    dm_fleet_position_t  position;

    if (dm_store_position(store, &position, err) != DM_OK) {
        return DM_ERROR;
    }

    position.place.number++;
    at = strcmp(argv[4], "-") == 0 ? 0 : (int64_t) time(NULL) - atoi(argv[4]);

    return dm_store_set_place(store, &position.place, err) == DM_OK
           && dm_store_set_beat(store, position.place.number, at, err)
              == DM_OK
           ? dm_store_set_state(store, follow_state(argv[3]), err)
           : DM_ERROR;
}


static unsigned
follow_state(const char *name)
{
    unsigned  state;

    for (state = 0; state < DM_FLEET_STATES; state++) {
        if (strcmp(name, dm_fleet_state_name(state)) == 0) {
            break;
        }
    }

    return state;
}
