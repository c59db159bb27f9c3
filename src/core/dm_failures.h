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


/* the kinds of failures, which are counted apart */
typedef enum {
    DM_FAILURES_NAME = 0,       /* a name at an address */
    DM_FAILURES_ADDRESS,        /* an address, with all names */
    DM_FAILURES_KINDS
} dm_failures_kind_t;


/* the claimant who fails */
typedef struct {
    dm_failures_kind_t  kind;
    dm_slot_t           slot;           /* from a keyed hash of all of it */
    uint64_t            network;        /* from a keyed hash of its network */
    unsigned char       note[DM_FAILURES_NOTE];
} dm_failures_key_t;


/* the limit at which a claimant is locked */
typedef struct {
    unsigned            attempts;       /* from 1 to 65535 */
    uint64_t            window;         /* ms, from the first failure on */
    uint64_t            duration;       /* ms */
} dm_failures_limit_t;


typedef struct dm_failures_s  dm_failures_t;


/*
 * Makes the counters in size octets of zeroed memory, aligned to 64; NULL if
 * they are too few.
 */
dm_failures_t *dm_failures_init(void *memory, size_t size);

/* the ms for which the claimant is still locked; 0: he is not locked */
uint64_t dm_failures_left(dm_failures_t *failures,
    const dm_failures_key_t *key, uint64_t now);

/* 1 if the claimant has a counter of his own, else 0: then he has the lock of
   his network, if any */
int dm_failures_own(dm_failures_t *failures, const dm_failures_key_t *key,
    uint64_t now);

/*
 * Counts a failure; it changes nothing for a claimant who is locked.  1: a
 * lock was pushed out for it, and the network of that is locked instead; else
 * 0.
 */
int dm_failures_add(dm_failures_t *failures, const dm_failures_key_t *key,
    const dm_failures_limit_t *limit, uint64_t now);

/* the table that holds the counters, for statistics */
const dm_table_t *dm_failures_table(const dm_failures_t *failures);

/*
 * These read a live cell of that table: 1 if it is a lock, else 0; and the
 * note of its key.
 */
int dm_failures_is_lock(const dm_cell_t *cell);
const unsigned char *dm_failures_note(const dm_cell_t *cell);


#endif /* DM_FAILURES_H */
