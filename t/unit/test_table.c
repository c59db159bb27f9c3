/* dm_table: cells in sets; and dm_mac, that chooses the set */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dm_mac.h"
#include "dm_table.h"


#define SIZE  8192              /* octets: 7 sets */


static dm_table_t *
table_new(size_t size)
{
    void        *memory;
    dm_table_t  *table;

    memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);

    table = dm_table_init(memory, size);
    assert_non_null(table);

    return table;
}


/* the n-th key of one set */
static dm_slot_t
slot(unsigned n)
{
    dm_slot_t      slot;
    unsigned char  hash[DM_SLOT_HASH];

    memset(hash, 0, sizeof(hash));
    hash[0] = (unsigned char) n;
    hash[1] = 1;
    hash[8] = 2;

    dm_table_slot(hash, &slot);

    return slot;
}


static dm_cell_t *
add(dm_table_t *table, unsigned n, uint64_t now, uint64_t expires)
{
    dm_cell_t  *cell;
    dm_slot_t   where;

    where = slot(n);
    cell = dm_table_take(table, &where, now, NULL, NULL);

    cell->stamp = now;
    cell->expires = expires;
    dm_table_put(cell, &where);

    return cell;
}


static dm_cell_t *
find(dm_table_t *table, unsigned n, uint64_t now)
{
    dm_slot_t  where;

    where = slot(n);

    return dm_table_find(table, &where, now);
}


static uint64_t
horizon(dm_table_t *table)
{
    dm_slot_t  where;

    where = slot(0);

    return dm_table_horizon(table, &where);
}


static void
test_size(void **state)
{
    char         memory[1024] __attribute__((aligned(64)));
    dm_table_t  *table;

    (void) state;

    memset(memory, 0, sizeof(memory));
    assert_null(dm_table_init(memory, sizeof(memory)));

    table = table_new(SIZE);
    assert_int_equal(dm_table_cells(table), 7 * DM_TABLE_SET);
    free(table);
}


static void
test_find(void **state)
{
    dm_cell_t   *cell;
    dm_slot_t    where;
    dm_table_t  *table;

    (void) state;

    table = table_new(SIZE);

    assert_null(find(table, 1, 10));
    assert_non_null(add(table, 1, 10, 20));
    assert_ptr_equal(find(table, 1, 19), find(table, 1, 19));
    assert_non_null(find(table, 1, 19));
    assert_null(find(table, 2, 19));

    /* a tag is one of its set alone, and of its whole length */

    where = slot(3);
    where.set++;
    cell = dm_table_take(table, &where, 10, NULL, NULL);
    cell->expires = 20;
    dm_table_put(cell, &where);
    assert_ptr_equal(dm_table_find(table, &where, 19), cell);
    assert_null(find(table, 3, 19));

    where = slot(1);
    where.tag[1]++;
    assert_null(dm_table_find(table, &where, 19));

    /* dead, and gone: its horizon is all that is left */

    assert_null(find(table, 1, 20));
    assert_int_equal(horizon(table), 10);
    assert_null(find(table, 1, 15));

    free(table);
}


/* a cell that was taken and never put: its worker died */
static void
test_unfinished(void **state)
{
    dm_slot_t    where;
    dm_cell_t   *cell;
    dm_table_t  *table;

    (void) state;

    table = table_new(SIZE);
    where = slot(1);

    cell = dm_table_take(table, &where, 10, NULL, NULL);
    cell->expires = 100;

    assert_null(find(table, 1, 11));
    assert_ptr_equal(dm_table_take(table, &where, 11, NULL, NULL), cell);

    free(table);
}


static void
test_evict(void **state)
{
    unsigned     i;
    dm_table_t  *table;

    (void) state;

    table = table_new(SIZE);

    for (i = 0; i < DM_TABLE_SET; i++) {
        assert_non_null(add(table, i, 10 + i, 200 - i));
    }

    assert_int_equal(horizon(table), 0);
    assert_int_equal(dm_table_evicted(table), 0);

    /* the one that expires first goes, and raises the horizon to its stamp */

    assert_non_null(add(table, 100, 50, 300));
    assert_null(find(table, DM_TABLE_SET - 1, 50));
    assert_non_null(find(table, 0, 50));
    assert_int_equal(horizon(table), 10 + DM_TABLE_SET - 1);
    assert_int_equal(dm_table_evicted(table), 1);

    /* the next has an earlier stamp: a horizon never falls */

    assert_non_null(add(table, 101, 51, 300));
    assert_int_equal(horizon(table), 10 + DM_TABLE_SET - 1);

    /* a dead one goes before all that live, and is no eviction */

    assert_non_null(add(table, 102, 250, 400));
    assert_int_equal(dm_table_evicted(table), 2);

    free(table);
}


/* the one that was put last, of a full set */
static dm_cell_t *
latest(dm_cell_t *set, void *data)
{
    size_t      i;
    dm_cell_t  *cell;

    *(unsigned *) data += 1;
    cell = set;

    for (i = 1; i < DM_TABLE_SET; i++) {
        if (set[i].stamp > cell->stamp) {
            cell = &set[i];
        }
    }

    return cell;
}


static void
test_victim(void **state)
{
    unsigned     i, asked;
    dm_slot_t    where;
    dm_cell_t   *cell;
    dm_table_t  *table;

    (void) state;

    table = table_new(SIZE);
    where = slot(200);
    asked = 0;

    for (i = 0; i < DM_TABLE_SET; i++) {
        assert_non_null(add(table, i, 10 + i, 100 + i));
    }

    /* while all are alive it is the caller's choice, and it is evicted */

    cell = find(table, DM_TABLE_SET - 1, 20);
    assert_ptr_equal(dm_table_take(table, &where, 20, latest, &asked), cell);
    assert_int_equal(asked, 1);
    assert_int_equal(dm_table_evicted(table), 1);
    assert_int_equal(horizon(table), 10 + DM_TABLE_SET - 1);

    /* that was never put, so it is free, and nobody is asked */

    assert_ptr_equal(dm_table_take(table, &where, 20, latest, &asked), cell);
    assert_int_equal(asked, 1);
    assert_int_equal(dm_table_evicted(table), 1);

    free(table);
}


/* free is both words 0: no key may look so */
static void
test_zero(void **state)
{
    dm_slot_t      where;
    unsigned char  hash[DM_SLOT_HASH];

    (void) state;

    memset(hash, 0, sizeof(hash));
    dm_table_slot(hash, &where);

    assert_true(where.tag[0] || where.tag[1]);
}


/* RFC 4231 gives HMAC; the framing is ours: each length, then the part */
static void
test_mac(void **state)
{
    dm_mac_t       *mac;
    dm_str_t        part[2];
    unsigned char   key[DM_MAC_SIZE], a[DM_MAC_SIZE], b[DM_MAC_SIZE];

    (void) state;

    memset(key, 0x0b, sizeof(key));
    mac = dm_mac_new(key);
    assert_non_null(mac);

    part[0] = dm_str("ab");
    part[1] = dm_str("c");
    assert_int_equal(dm_mac_parts(mac, part, 2, a), DM_OK);
    assert_int_equal(dm_mac_parts(mac, part, 2, b), DM_OK);
    assert_memory_equal(a, b, sizeof(a));

    part[0] = dm_str("a");
    part[1] = dm_str("bc");
    assert_int_equal(dm_mac_parts(mac, part, 2, b), DM_OK);
    assert_memory_not_equal(a, b, sizeof(a));

    assert_int_equal(dm_mac_parts(mac, part, 1, a), DM_OK);
    assert_memory_not_equal(a, b, sizeof(a));

    dm_mac_free(mac);
    dm_mac_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_evict),
        cmocka_unit_test(test_victim),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_mac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
