/*
 * The last entries of the log, in the store of each node that follows it: from
 * there "dm-account replicate repair" puts back what an engine has lost.  They
 * are as they were in the log, sealed and signed, in the database "ring":
 * number (64, big-endian) -> entry; 0 -> the octets of all (64).
 */

#ifndef DM_STORE_WRITE_RING_H
#define DM_STORE_WRITE_RING_H


#include "dm_store_write.h"


#define DM_STORE_RING  "ring"

/* so many are kept at most, and the newest in any case */
#define DM_RING_ENTRIES  10000
#define DM_RING_OCTETS   ((uint64_t) 256 << 20)


/* All of these are for within a write transaction. */

/*
 * Keeps the entry of that number, and drops those that are too old.  DM_OK or
 * DM_ERROR.
 */
int dm_store_ring_put(dm_store_t *store, uint64_t number, dm_str_t entry,
    dm_err_t *err);

/*
 * Copies the entry of that number into out[size].  DM_OK; DM_DECLINED: it is
 * not there; DM_ERROR.
 */
int dm_store_ring_get(dm_store_t *store, uint64_t number, unsigned char *out,
    size_t size, size_t *len, dm_err_t *err);


#endif /* DM_STORE_WRITE_RING_H */
