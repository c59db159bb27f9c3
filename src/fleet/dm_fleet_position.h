/* The position: what a store knows of its own state, sealed with its key */

#ifndef DM_FLEET_POSITION_H
#define DM_FLEET_POSITION_H


#include "dm_fleet_place.h"
#include "dm_fleet_state.h"
#include "dm_fleet_sum.h"


#define DM_FLEET_POSITION_PLAIN                                               \
    (1 + 8 + DM_FLEET_HASH + 8 + DM_FLEET_SUM_SIZE + DM_FLEET_ROOT + 8 + 8    \
     + 1)
#define DM_FLEET_POSITION_MAX                                                 \
    (1 + DM_FLEET_POSITION_PLAIN + DM_SEAL_OVERHEAD)


typedef struct {
    unsigned          follows;      /* 1: a log; 0: it is alone */
    dm_fleet_place_t  place;        /* of one that is alone, the number counts
                                       its transactions */
    uint64_t          accounts;
    dm_fleet_sum_t    sum;
    unsigned char     root[DM_FLEET_ROOT];      /* secret */
    uint64_t          beat;         /* the number that the last beat had */
    int64_t           beaten;       /* and its time; 0: there was none */
    unsigned          state;        /* a dm_fleet_state_t, at most 255 */
} dm_fleet_position_t;


/*
 * Writes it into out[DM_FLEET_POSITION_MAX], sealed by the store's own sealer,
 * for the store with store_id[DM_FLEET_ID].  DM_OK or DM_ERROR with err.
 */
int dm_fleet_position_write(const dm_fleet_position_t *position,
    dm_sealer_t *sealer, const unsigned char *store_id, unsigned char *out,
    size_t *outlen, dm_err_t *err);

/*
 * The way back.  DM_OK: the caller wipes it; DM_INVALID: it was changed by
 * somebody without the store key, or is another store's; DM_ERROR.
 */
int dm_fleet_position_read(dm_fleet_position_t *position, dm_str_t octets,
    dm_sealer_t *sealer, const unsigned char *store_id, dm_err_t *err);


#endif /* DM_FLEET_POSITION_H */
