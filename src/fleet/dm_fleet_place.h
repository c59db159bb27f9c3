/* A place in the log of a fleet */

#ifndef DM_FLEET_PLACE_H
#define DM_FLEET_PLACE_H


#include "dm_fleet_derive.h"


/* the entry that a state ends with; of none, number 0 */
typedef struct {
    uint64_t       number;
    unsigned char  chain[DM_FLEET_HASH];
} dm_fleet_place_t;


#endif /* DM_FLEET_PLACE_H */
