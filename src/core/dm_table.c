/* Fixed cells in sets, for memory that several processes share */

#include <string.h>

#include "dm_table.h"


#define DM_TABLE_ALIGN  64


/* followed by a horizon for each set, and, aligned, by the cells */
struct dm_table_s {
    uint64_t  nsets;
    uint64_t  evicted;
    uint64_t  horizon[];
};


static size_t dm_table_header(uint64_t nsets);
static dm_cell_t *dm_table_set(const dm_table_t *table,
    const dm_slot_t *slot);
static void dm_table_remove(dm_table_t *table, const dm_slot_t *slot,
    dm_cell_t *cell);
static dm_cell_t *dm_table_spare(dm_cell_t *set, uint64_t now);
static dm_cell_t *dm_table_first(dm_cell_t *set);


_Static_assert(sizeof(dm_cell_t) == 64, "a cell has 64 octets");


dm_table_t *
dm_table_init(void *memory, size_t size)
{
    uint64_t     nsets;
    dm_table_t  *table;

    table = memory;
    nsets = size / (DM_TABLE_SET * sizeof(dm_cell_t) + sizeof(uint64_t));

    while (nsets && dm_table_header(nsets)
                    + nsets * DM_TABLE_SET * sizeof(dm_cell_t) > size)
    {
        nsets--;
    }

    if (nsets == 0) {
        return NULL;
    }

    table->nsets = nsets;

    return table;
}


static size_t
dm_table_header(uint64_t nsets)
{
    size_t  size;

    size = sizeof(dm_table_t) + nsets * sizeof(uint64_t);

    return (size + DM_TABLE_ALIGN - 1) & ~(size_t) (DM_TABLE_ALIGN - 1);
}


size_t
dm_table_cells(const dm_table_t *table)
{
    return table->nsets * DM_TABLE_SET;
}


void
dm_table_slot(const unsigned char *hash, dm_slot_t *slot)
{
    memcpy(slot->tag, hash, sizeof(slot->tag));
    memcpy(&slot->set, hash + sizeof(slot->tag), sizeof(slot->set));

    /* a tag of 0 would be a free cell's */
    slot->tag[0] |= (slot->tag[0] == 0 && slot->tag[1] == 0);
}


static dm_cell_t *
dm_table_set(const dm_table_t *table, const dm_slot_t *slot)
{
    return (dm_cell_t *) dm_table_cell(table, slot->set % table->nsets
                                              * DM_TABLE_SET);
}


const dm_cell_t *
dm_table_cell(const dm_table_t *table, size_t n)
{
    const unsigned char  *cells;

    cells = (const unsigned char *) table + dm_table_header(table->nsets);

    return (const dm_cell_t *) cells + n;
}


int
dm_cell_alive(const dm_cell_t *cell, uint64_t now)
{
    return (cell->tag[0] || cell->tag[1]) && now < cell->expires;
}


dm_cell_t *
dm_table_find(dm_table_t *table, const dm_slot_t *slot, uint64_t now)
{
    size_t      i;
    dm_cell_t  *cell;

    cell = dm_table_set(table, slot);

    for (i = 0; i < DM_TABLE_SET; i++) {

        if (cell[i].tag[0] != slot->tag[0] || cell[i].tag[1] != slot->tag[1]) {
            continue;
        }

        if (dm_cell_alive(&cell[i], now)) {
            return &cell[i];
        }

        dm_table_remove(table, slot, &cell[i]);
    }

    return NULL;
}


dm_cell_t *
dm_table_take(dm_table_t *table, const dm_slot_t *slot, uint64_t now,
    dm_table_victim_pt victim, void *data)
{
    dm_cell_t  *cell, *set;

    set = dm_table_set(table, slot);
    cell = dm_table_spare(set, now);

    if (cell == NULL) {
        cell = victim ? victim(set, data) : dm_table_first(set);
        table->evicted++;
    }

    dm_table_remove(table, slot, cell);

    return cell;
}


/* finds a cell that is free or dead; NULL: all are alive */
static dm_cell_t *
dm_table_spare(dm_cell_t *set, uint64_t now)
{
    size_t  i;

    for (i = 0; i < DM_TABLE_SET; i++) {
        if (!dm_cell_alive(&set[i], now)) {
            return &set[i];
        }
    }

    return NULL;
}


static dm_cell_t *
dm_table_first(dm_cell_t *set)
{
    size_t      i;
    dm_cell_t  *first;

    first = set;

    for (i = 1; i < DM_TABLE_SET; i++) {
        if (set[i].expires < first->expires) {
            first = &set[i];
        }
    }

    return first;
}


/*
 * The horizon first, then the tag, in this order also for a process that dies
 * between the two: what was there must never look as if it had not been.
 */
static void
dm_table_remove(dm_table_t *table, const dm_slot_t *slot, dm_cell_t *cell)
{
    uint64_t  *horizon;

    horizon = &table->horizon[slot->set % table->nsets];

    if ((cell->tag[0] || cell->tag[1]) && cell->stamp > *horizon) {
        *horizon = cell->stamp;
    }

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    memset(cell, 0, sizeof(dm_cell_t));
}


/* the tag last: a cell that was not finished stays free */
void
dm_table_put(dm_cell_t *cell, const dm_slot_t *slot)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    cell->tag[1] = slot->tag[1];
    cell->tag[0] = slot->tag[0];
}


uint64_t
dm_table_horizon(const dm_table_t *table, const dm_slot_t *slot)
{
    return table->horizon[slot->set % table->nsets];
}


uint64_t
dm_table_evicted(const dm_table_t *table)
{
    return table->evicted;
}
