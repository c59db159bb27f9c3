/*
 * Fixed cells in sets, for memory that several processes share: no pointers,
 * no allocation, nothing to unlink.  A process that dies in the middle of a
 * call loses a cell at most.  The caller holds a lock around each call.
 */

#ifndef DM_TABLE_H
#define DM_TABLE_H


#include "dm.h"


#define DM_TABLE_SET   16       /* cells in a set */
#define DM_CELL_DATA   32       /* octets that the caller has in a cell */


/* 64 octets */
typedef struct {
    uint64_t       tag[2];      /* of the key; both 0: the cell is free */
    uint64_t       expires;     /* ms; dead from then on */
    uint64_t       stamp;       /* ms; what its removal raises the horizon to:
                                   the caller's own where it reads no horizon */
    unsigned char  data[DM_CELL_DATA];
} dm_cell_t;


/* the place of a key, made from a keyed hash, outside of the lock */
typedef struct {
    uint64_t       tag[2];
    uint64_t       set;
} dm_slot_t;

#define DM_SLOT_HASH  24        /* octets of the hash that a slot takes */


typedef struct dm_table_s  dm_table_t;


/* the table in size octets of zeroed memory, aligned to 64; NULL: too few */
dm_table_t *dm_table_init(void *memory, size_t size);

/* the number of its cells */
size_t dm_table_cells(const dm_table_t *table);

/* the slot of a hash of at least DM_SLOT_HASH octets */
void dm_table_slot(const unsigned char *hash, dm_slot_t *slot);

/* the slot's cell, if it is alive; else NULL */
dm_cell_t *dm_table_find(dm_table_t *table, const dm_slot_t *slot,
    uint64_t now);

/* chooses the cell that is to go, of the DM_TABLE_SET of a set, all alive */
typedef dm_cell_t *(*dm_table_victim_pt)(dm_cell_t *set, void *data);

/*
 * Gives a cell for the slot, which has none: a free or a dead one, or else the
 * one that victim(set, data) chooses, or, if victim is NULL, the one that
 * expires first.  The caller fills it, and then dm_table_put() makes it the
 * slot's.
 */
dm_cell_t *dm_table_take(dm_table_t *table, const dm_slot_t *slot,
    uint64_t now, dm_table_victim_pt victim, void *data);
void dm_table_put(dm_cell_t *cell, const dm_slot_t *slot);

/*
 * The latest stamp of all cells that were ever removed from the slot's set,
 * evicted or dead: a key that is older and has no cell may have had one.
 */
uint64_t dm_table_horizon(const dm_table_t *table, const dm_slot_t *slot);

/* cells that were evicted while alive, since the table was made */
uint64_t dm_table_evicted(const dm_table_t *table);

/*
 * The n-th cell, for statistics: may be called without the lock, and what it
 * shows is then a guess.
 */
const dm_cell_t *dm_table_cell(const dm_table_t *table, size_t n);

/* 1 if the cell is alive, else 0 */
int dm_cell_alive(const dm_cell_t *cell, uint64_t now);


#endif /* DM_TABLE_H */
