/* Counters of failures, as many as memory has room for */

#include <string.h>

#include "dm_failures.h"


#define DM_FAILURES_ALIGN  64
#define DM_FAILURES_PART   6    /* residues get a sixth of the memory */
#define DM_FAILURES_ROWS   4    /* residues that a network has */
#define DM_FAILURES_LOCK   0xffff


/* the data of a cell; the cell's stamp is the network */
typedef struct {
    uint16_t       count;
    unsigned char  kind;
    unsigned char  note[DM_FAILURES_NOTE];
} dm_failure_t;


/*
 * A residue keeps, of the counters of a network that were pushed out, the
 * highest of each kind.
 */
typedef struct {
    uint64_t       until;       /* ms: the network is locked as long */
    uint64_t       ends;        /* ms: when the counts are forgotten */
    uint32_t       count[DM_FAILURES_KINDS];
} dm_residue_t;


/* followed by the residues and, aligned, by the table */
struct dm_failures_s {
    dm_table_t    *table;
    size_t         n;
    dm_residue_t   residue[];
};


/* the arguments of the choice of a victim */
typedef struct {
    dm_failures_t            *failures;
    const dm_failures_key_t  *key;
    uint64_t                  window;
    uint64_t                  now;
    int                       overflow;
} dm_failures_choice_t;


static dm_cell_t *dm_failures_new(dm_failures_choice_t *choice);
static dm_cell_t *dm_failures_victim(dm_cell_t *set, void *data);
static int dm_failures_worse(const dm_cell_t *set, const dm_cell_t *cell,
    const dm_cell_t *than, uint64_t network);
static unsigned dm_failures_share(const dm_cell_t *set, uint64_t holder,
    uint64_t network);
static void dm_failures_leave(dm_failures_choice_t *choice,
    const dm_cell_t *cell);
static dm_residue_t dm_failures_left_of(dm_failures_t *failures,
    uint64_t network, uint64_t now);
static dm_residue_t *dm_failures_row(dm_failures_t *failures,
    uint64_t network, unsigned row);


#define dm_failure(cell)  ((dm_failure_t *) (void *) (cell)->data)

_Static_assert(sizeof(dm_failure_t) == DM_CELL_DATA,
               "a counter fills a cell");


dm_failures_t *
dm_failures_init(void *memory, size_t size)
{
    size_t          n, header;
    dm_failures_t  *failures;

    failures = memory;

    n = size / DM_FAILURES_PART / sizeof(dm_residue_t);

    header = sizeof(dm_failures_t) + n * sizeof(dm_residue_t);
    header = (header + DM_FAILURES_ALIGN - 1)
             & ~(size_t) (DM_FAILURES_ALIGN - 1);

    if (n == 0 || header >= size) {
        return NULL;
    }

    failures->n = n;
    failures->table = dm_table_init((unsigned char *) memory + header,
                                    size - header);

    return failures->table ? failures : NULL;
}


uint64_t
dm_failures_left(dm_failures_t *failures, const dm_failures_key_t *key,
    uint64_t now)
{
    uint64_t    until;
    dm_cell_t  *cell;

    cell = dm_table_find(failures->table, &key->slot, now);

    if (cell) {
        until = dm_failures_is_lock(cell) ? cell->expires : 0;

    } else {
        until = dm_failures_left_of(failures, key->network, now).until;
    }

    return until > now ? until - now : 0;
}


int
dm_failures_own(dm_failures_t *failures, const dm_failures_key_t *key,
    uint64_t now)
{
    return dm_table_find(failures->table, &key->slot, now) != NULL;
}


int
dm_failures_add(dm_failures_t *failures, const dm_failures_key_t *key,
    const dm_failures_limit_t *limit, uint64_t now)
{
    dm_cell_t             *cell;
    dm_failure_t          *failure;
    dm_failures_choice_t   choice;

    choice.failures = failures;
    choice.key = key;
    choice.window = limit->window;
    choice.now = now;
    choice.overflow = 0;

    cell = dm_table_find(failures->table, &key->slot, now);

    if (cell == NULL) {
        cell = dm_failures_new(&choice);
    }

    /* a failure that was on its way when the lock came changes nothing */

    if (cell == NULL || dm_failures_is_lock(cell)) {
        return 0;
    }

    failure = dm_failure(cell);

    if (failure->count + 1u < limit->attempts) {
        failure->count++;

    } else {
        cell->expires = now + limit->duration;
        failure->count = DM_FAILURES_LOCK;
    }

    return choice.overflow;
}


/*
 * Makes a cell that begins with the counts that its network left; NULL: the
 * network is locked.
 */
static dm_cell_t *
dm_failures_new(dm_failures_choice_t *choice)
{
    dm_cell_t                *cell;
    dm_failure_t             *failure;
    dm_residue_t              left;
    const dm_failures_key_t  *key;

    key = choice->key;
    left = dm_failures_left_of(choice->failures, key->network, choice->now);

    if (left.until > choice->now) {
        return NULL;
    }

    cell = dm_table_take(choice->failures->table, &key->slot, choice->now,
                         dm_failures_victim, choice);

    cell->stamp = key->network;
    cell->expires = choice->now + choice->window;

    failure = dm_failure(cell);

    failure->count = (uint16_t) left.count[key->kind];
    failure->kind = (unsigned char) key->kind;
    memcpy(failure->note, key->note, DM_FAILURES_NOTE);

    dm_table_put(cell, &key->slot);

    return cell;
}


/*
 * Chooses the cell that must go.  Its count is left to its network first, so
 * that it is not lost if this process dies here.
 */
static dm_cell_t *
dm_failures_victim(dm_cell_t *set, void *data)
{
    dm_failures_choice_t *choice = data;

    size_t      i;
    dm_cell_t  *victim;

    victim = &set[0];

    for (i = 1; i < DM_TABLE_SET; i++) {
        if (dm_failures_worse(set, &set[i], victim, choice->key->network)) {
            victim = &set[i];
        }
    }

    dm_failures_leave(choice, victim);

    return victim;
}


/*
 * Tells whether cell goes before than.  Cells go first whose network has more
 * than its share, then low counts, so that a lock goes only where all are
 * locks, then those whose network has more than others.
 */
static int
dm_failures_worse(const dm_cell_t *set, const dm_cell_t *cell,
    const dm_cell_t *than, uint64_t network)
{
    unsigned  share, other;

    share = dm_failures_share(set, cell->stamp, network);
    other = dm_failures_share(set, than->stamp, network);

    if (share != other
        && (share > DM_FAILURES_SHARE || other > DM_FAILURES_SHARE))
    {
        return share > other;
    }

    if (dm_failure(cell)->count != dm_failure(than)->count) {
        return dm_failure(cell)->count < dm_failure(than)->count;
    }

    if (share != other) {
        return share > other;
    }

    return cell->expires < than->expires;
}


/* the cells of a network, and the one that a network wants */
static unsigned
dm_failures_share(const dm_cell_t *set, uint64_t holder, uint64_t network)
{
    size_t    i;
    unsigned  n;

    n = (holder == network);

    for (i = 0; i < DM_TABLE_SET; i++) {
        n += (set[i].stamp == holder);
    }

    return n;
}


/*
 * Leaves the count of a cell to its network's residue.  All counts are
 * forgotten at the same moments, once in a window: if each row had its own, a
 * network would be forgotten as often as it has rows.
 */
static void
dm_failures_leave(dm_failures_choice_t *choice, const dm_cell_t *cell)
{
    unsigned       i;
    dm_failure_t  *failure;
    dm_residue_t  *residue;

    failure = dm_failure(cell);
    choice->overflow = dm_failures_is_lock(cell);

    for (i = 0; i < DM_FAILURES_ROWS; i++) {
        residue = dm_failures_row(choice->failures, cell->stamp, i);

        if (choice->overflow) {

            if (residue->until < cell->expires) {
                residue->until = cell->expires;
            }

            continue;
        }

        if (residue->ends <= choice->now) {
            memset(residue->count, 0, sizeof(residue->count));
            residue->ends = (choice->now / choice->window + 1)
                            * choice->window;
        }

        if (residue->count[failure->kind] < failure->count) {
            residue->count[failure->kind] = failure->count;
        }
    }
}


/* others may have left something in a row too: the least of them is enough */
static dm_residue_t
dm_failures_left_of(dm_failures_t *failures, uint64_t network, uint64_t now)
{
    unsigned       i, kind;
    uint32_t       count;
    dm_residue_t   left, *residue;

    memset(&left, 0xff, sizeof(dm_residue_t));

    for (i = 0; i < DM_FAILURES_ROWS; i++) {
        residue = dm_failures_row(failures, network, i);

        if (left.until > residue->until) {
            left.until = residue->until;
        }

        for (kind = 0; kind < DM_FAILURES_KINDS; kind++) {
            count = now < residue->ends ? residue->count[kind] : 0;

            if (left.count[kind] > count) {
                left.count[kind] = count;
            }
        }
    }

    return left;
}


/* the network is a hash already: two halves of it give all rows */
static dm_residue_t *
dm_failures_row(dm_failures_t *failures, uint64_t network, unsigned row)
{
    return &failures->residue[((network & 0xffffffff)
                               + row * (network >> 32 | 1)) % failures->n];
}


const dm_table_t *
dm_failures_table(const dm_failures_t *failures)
{
    return failures->table;
}


int
dm_failures_is_lock(const dm_cell_t *cell)
{
    return dm_failure(cell)->count == DM_FAILURES_LOCK;
}


const unsigned char *
dm_failures_note(const dm_cell_t *cell)
{
    return dm_failure(cell)->note;
}
