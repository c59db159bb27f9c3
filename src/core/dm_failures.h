/*
 * Counters of failures, as many as memory has room for.
 *
 * A counter is a cell of a dm_table_t.  What happens to it follows from keyed
 * hashes, counts and the time alone: the caller's note is never looked at, so
 * nothing here can tell one who fails from another.
 *
 * A counter that is pushed out leaves its count to its network, and each new
 * counter of the network begins there; a lock that is pushed out locks the
 * network.  So a counter may count too much, where somebody of the network
 * fails in masses, and too little only once in a window.  A network that has
 * more than its share of a full set pushes out its own counters, not those of
 * others.
 *
 * The caller holds a lock around each call, as with dm_table_t.
 */

#ifndef DM_FAILURES_H
#define DM_FAILURES_H


#include "dm.h"
#include "dm_table.h"


#define DM_FAILURES_SHARE  4    /* cells of a full set that a network keeps */
#define DM_FAILURES_NOTE   29   /* octets that the caller has in a cell */


/* they are counted apart: one is no measure for the other */
typedef enum {
    DM_FAILURES_NAME = 0,       /* of a name at an address */
    DM_FAILURES_ADDRESS,        /* of an address, with all names */
    DM_FAILURES_KINDS
} dm_failures_kind_t;


/* who fails */
typedef struct {
    dm_failures_kind_t  kind;
    dm_slot_t           slot;           /* from a keyed hash of all of it */
    uint64_t            network;        /* from a keyed hash of its network */
    unsigned char       note[DM_FAILURES_NOTE];
} dm_failures_key_t;


/* when he is locked */
typedef struct {
    unsigned            attempts;       /* from 1 to 65535 */
    uint64_t            window;         /* ms, from the first failure on */
    uint64_t            duration;       /* ms */
} dm_failures_limit_t;


typedef struct dm_failures_s  dm_failures_t;


/* in size octets of zeroed memory, aligned to 64; NULL: too few */
dm_failures_t *dm_failures_init(void *memory, size_t size);

/* ms until he is not locked any more; 0: he is not */
uint64_t dm_failures_left(dm_failures_t *failures,
    const dm_failures_key_t *key, uint64_t now);

/*
 * Counts a failure, which does nothing to who is locked already.  1: a lock
 * was pushed out for it, and its network is locked instead; else 0.
 */
int dm_failures_add(dm_failures_t *failures, const dm_failures_key_t *key,
    const dm_failures_limit_t *limit, uint64_t now);

/* what the counters are in, for statistics */
const dm_table_t *dm_failures_table(const dm_failures_t *failures);

/* of a live cell of that table: 1 if it is a lock, else 0; the key's note */
int dm_failures_is_lock(const dm_cell_t *cell);
const unsigned char *dm_failures_note(const dm_cell_t *cell);


#endif /* DM_FAILURES_H */
