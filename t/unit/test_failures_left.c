/* dm_failures: which counter is pushed out of a full set, and what it leaves */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dm_failures.h"


#define SIZE      (7 * 4096)    /* octets: 199 residues, 23 sets */
#define WINDOW    60000         /* ms */
#define DURATION  20000
#define NOW       (WINDOW + 1)  /* a count that is left then is gone at END */
#define END       (2 * WINDOW)
#define STRANGER  180           /* a network that nobody else is of */


static void dirty_stack(void) __attribute__((noinline));

static const dm_failures_limit_t  limit = { 10, WINDOW, DURATION };

static dm_failures_t  *failures;


static int
setup(void **state)
{
    (void) state;

    failures = aligned_alloc(64, SIZE);

    return failures == NULL;
}


static int
teardown(void **state)
{
    (void) state;

    free(failures);

    return 0;
}


static void
fresh(void)
{
    memset(failures, 0, SIZE);
    assert_ptr_equal(dm_failures_init(failures, SIZE), failures);
}


/*
 * A name in a set: its network has four residues in a row, from the one of
 * this number on.
 */
static dm_failures_key_t
in_set(uint64_t set, uint64_t network, uint64_t name)
{
    dm_failures_key_t  key;

    memset(&key, 0, sizeof(key));

    key.slot.set = set;
    key.slot.tag[0] = network << 8 | name;
    key.slot.tag[1] = set + 1;
    key.network = network;
    memset(key.note, (int) name, sizeof(key.note));

    return key;
}


static dm_failures_key_t
name(uint64_t network, uint64_t n)
{
    return in_set(0, network, n);
}


/* so that what is not set is not 0 by chance */
static void
dirty_stack(void)
{
    size_t         i;
    volatile char  junk[1024];

    for (i = 0; i < sizeof(junk); i++) {
        junk[i] = 0x55;
    }
}


/* 1 if a failure said that a lock was pushed out */
static int
wrong(dm_failures_key_t key, unsigned times, uint64_t now)
{
    int  overflow;

    for (overflow = 0; times; times--) {
        dirty_stack();
        overflow |= dm_failures_add(failures, &key, &limit, now);
    }

    return overflow;
}


static uint64_t
left(dm_failures_key_t key, uint64_t now)
{
    return dm_failures_left(failures, &key, now);
}


static const dm_cell_t *
held(dm_failures_key_t key)
{
    size_t             i;
    const dm_cell_t   *cell;
    const dm_table_t  *table;

    table = dm_failures_table(failures);

    for (i = 0; i < dm_table_cells(table); i++) {
        cell = dm_table_cell(table, i);

        if (memcmp(cell->tag, key.slot.tag, sizeof(cell->tag)) == 0) {
            return cell;
        }
    }

    return NULL;
}


/* names from one to before another, each of a network of its own */
static void
fill(uint64_t set, unsigned from, unsigned to, unsigned times, uint64_t now)
{
    for ( /* void */ ; from < to; from++) {
        wrong(in_set(set, 100 + 5 * from, 1), times, now);
    }
}


/* the first of them that is held no more */
static unsigned
gone(uint64_t set)
{
    unsigned  i;

    for (i = 0; held(in_set(set, 100 + 5 * i, 1)); i++) { /* void */ }

    return i;
}


/* the counter of a name that failed less than 9 times: no other does */
static void
push_out(dm_failures_key_t key, uint64_t now)
{
    fill(key.slot.set, 0, 15, 9, now);
    assert_non_null(held(key));

    assert_int_equal(wrong(in_set(key.slot.set, STRANGER, 1), 1, now), 0);
    assert_null(held(key));
}


/* the lock of a name that is the first one of its set to end */
static void
push_lock_out(dm_failures_key_t key, uint64_t now)
{
    assert_non_null(held(key));

    fill(key.slot.set, 0, 15, 10, now);
    assert_non_null(held(key));

    assert_int_equal(wrong(in_set(key.slot.set, STRANGER, 1), 1, now), 1);
    assert_null(held(key));
}


/* the failures until the key is locked */
static unsigned
until_locked(dm_failures_key_t key, uint64_t now)
{
    unsigned  n;

    for (n = 0; left(key, now) == 0; n++) {
        assert_true(n < 100);
        wrong(key, 1, now);
    }

    return n;
}


static void
test_cell(void **state)
{
    unsigned             i;
    dm_failures_key_t    key;
    dm_failures_limit_t  other;

    (void) state;

    fresh();

    key = name(1, 7);
    assert_int_equal(wrong(key, 1, NOW), 0);

    assert_non_null(held(key));
    assert_int_equal(held(key)->expires, NOW + WINDOW);
    assert_false(dm_failures_is_lock(held(key)));
    assert_memory_equal(dm_failures_note(held(key)), key.note,
                        sizeof(key.note));

    wrong(key, 9, NOW + 5);
    assert_true(dm_failures_is_lock(held(key)));
    assert_int_equal(held(key)->expires, NOW + 5 + DURATION);

    /* the fewest attempts, and the most */

    other = limit;
    other.attempts = 1;
    key = name(1, 8);
    dm_failures_add(failures, &key, &other, NOW);
    assert_int_equal(left(key, NOW), DURATION);

    other.attempts = 65535;
    key = name(1, 9);

    for (i = 1; i < other.attempts; i++) {
        dm_failures_add(failures, &key, &other, NOW);
    }

    assert_int_equal(left(key, NOW), 0);
    dm_failures_add(failures, &key, &other, NOW);
    assert_int_equal(left(key, NOW), DURATION);
}


/* a new counter of its network begins where the one that went ended */
static void
test_count(void **state)
{
    dm_failures_key_t  key;

    (void) state;

    fresh();

    key = name(10, 1);
    wrong(key, 4, NOW);
    push_out(key, NOW);

    assert_int_equal(until_locked(in_set(1, 10, 2), NOW), 6);
    assert_int_equal(until_locked(in_set(2, 10, 3), END - 1), 6);
    assert_int_equal(until_locked(in_set(3, 10, 4), END), 10);

    /* of another kind it is no measure */

    key = in_set(4, 10, 5);
    key.kind = DM_FAILURES_ADDRESS;
    assert_int_equal(until_locked(key, NOW), 10);

    key = in_set(5, 20, 1);
    key.kind = DM_FAILURES_ADDRESS;
    wrong(key, 4, NOW);
    push_out(key, NOW);

    assert_int_equal(until_locked(in_set(6, 20, 2), NOW), 10);
    key = in_set(6, 20, 3);
    key.kind = DM_FAILURES_ADDRESS;
    assert_int_equal(until_locked(key, NOW), 6);
}


/* the highest that went, whichever went last, until it is forgotten */
static void
test_highest(void **state)
{
    dm_failures_key_t  high, low, later;

    (void) state;

    fresh();

    high = in_set(0, 10, 1);
    low = in_set(1, 10, 2);
    later = in_set(2, 10, 3);

    wrong(high, 7, NOW);
    wrong(low, 3, NOW);
    wrong(later, 2, END - 1);
    push_out(high, NOW);
    push_out(low, NOW);

    assert_int_equal(until_locked(in_set(3, 10, 4), END - 1), 3);

    push_out(later, END);
    assert_int_equal(until_locked(in_set(4, 10, 5), END), 8);
    assert_int_equal(until_locked(in_set(5, 10, 6), END + WINDOW - 1), 8);
    assert_int_equal(until_locked(in_set(6, 10, 7), END + WINDOW), 10);
}


/* who shares some of the four rows takes over the least of what is there */
static void
test_rows(void **state)
{
    uint64_t           network;
    dm_failures_key_t  key;

    (void) state;

    fresh();

    key = in_set(0, 40, 1);
    wrong(key, 4, NOW);
    push_out(key, NOW);

    for (network = 37; network <= 43; network++) {
        assert_int_equal(until_locked(in_set(1, network, 1), NOW),
                         network == 40 ? 6 : 10);
    }

    key = in_set(2, 44, 1);
    wrong(key, 2, NOW);
    push_out(key, NOW);

    assert_int_equal(until_locked(in_set(3, 42, 2), NOW), 8);

    /* the other half of the network says how far its rows are from another */

    key = in_set(4, (uint64_t) 7 << 32 | 60, 1);
    wrong(key, 4, NOW);
    push_out(key, NOW);

    assert_int_equal(until_locked(in_set(5, 60, 1), NOW), 10);
    assert_int_equal(until_locked(in_set(5, key.network, 2), NOW), 6);
}


/* the network of a lock that is pushed out is locked as long as it was */
static void
test_lock_left(void **state)
{
    dm_failures_key_t  key, other;

    (void) state;

    fresh();

    key = name(10, 1);
    other = in_set(1, 10, 2);
    wrong(key, 10, NOW);
    push_lock_out(key, NOW + 1);

    assert_int_equal(left(other, NOW + 1), DURATION - 1);
    assert_int_equal(left(in_set(1, 13, 2), NOW + 1), 0);

    /* who is locked so is not counted */

    assert_int_equal(wrong(other, 20, NOW + DURATION - 1), 0);
    assert_null(held(other));
    assert_int_equal(left(other, NOW + DURATION - 1), 1);

    /* and begins anew */

    assert_int_equal(left(other, NOW + DURATION), 0);
    assert_int_equal(until_locked(other, NOW + DURATION), 10);
}


/* of several the one that ends last, whichever went last */
static void
test_latest_lock(void **state)
{
    uint64_t           network;
    dm_failures_key_t  early, late;

    (void) state;

    fresh();

    for (network = 10; network <= 20; network += 10) {
        early = in_set(network, network, 1);
        late = in_set(network + 1, network, 2);

        wrong(early, 10, NOW);
        wrong(late, 10, NOW + 5);

        if (network == 10) {
            push_lock_out(early, NOW + 6);
            push_lock_out(late, NOW + 6);

        } else {
            push_lock_out(late, NOW + 6);
            push_lock_out(early, NOW + 6);
        }

        assert_int_equal(left(in_set(0, network, 3), NOW + 6), DURATION - 1);
    }
}


/*
 * In a full set, after this many names of others, so many of network 10, later
 * and as often as is said, the others once; then one more name of a network.
 * The number of those of network 10 that went for it.
 */
static unsigned
went(unsigned others, unsigned cells, unsigned times, uint64_t network)
{
    unsigned  i, n;

    others = others < 16 - cells ? others : 16 - cells;

    fresh();

    /* what it has in other sets is none of this one's */

    wrong(in_set(1, 10, 1), 1, NOW);

    fill(0, 0, others, 1, NOW);

    for (i = 0; i < cells; i++) {
        wrong(name(10, i), times, NOW + 1);
    }

    fill(0, others, 16 - cells, 1, NOW);
    assert_null(held(name(network, 100)));
    wrong(name(network, 100), 1, NOW + 2);
    assert_non_null(held(name(network, 100)));

    n = 0;

    for (i = 0; i < cells; i++) {
        n += held(name(10, i)) == NULL;
    }

    assert_int_equal(n == 0, gone(0) < 16 - cells);

    return n;
}


/* who has more than a share pushes out himself, else the low counts go */
static void
test_share(void **state)
{
    unsigned  others;

    (void) state;

    for (others = 0; others < 16; others++) {
        assert_int_equal(went(others, 4, 9, STRANGER), 0);
        assert_int_equal(went(others, 5, 9, STRANGER), 1);
        assert_int_equal(went(others, 3, 9, 10), 0);
        assert_int_equal(went(others, 4, 9, 10), 1);

        /* of as many failures those of whom has more */

        assert_int_equal(went(others, 2, 1, STRANGER), 1);
        assert_int_equal(went(others, 1, 1, STRANGER), 0);
        assert_int_equal(went(others, 1, 1, 10), 1);
    }
}


/* of two that have too much whoever has more, of him the lowest count */
static void
test_both(void **state)
{
    unsigned  i, n;

    (void) state;

    /* of the one 7, of which one failed 6 times, of the other 5 */

    for (n = 0; n < 7; n++) {
        fresh();
        fill(0, 0, 4, 1, NOW);

        for (i = 0; i < 7; i++) {
            wrong(name(20, i), i < 5 ? 2 : 0, NOW);
            wrong(name(10, i), i == n ? 6 : 8, NOW + 1);
        }

        wrong(name(STRANGER, 1), 1, NOW + 2);

        for (i = 0; i < 7; i++) {
            assert_int_equal(held(name(10, i)) == NULL, i == n);
        }
    }
}


/* of all alike the first to end */
static void
test_first(void **state)
{
    unsigned  i, first;

    (void) state;

    for (first = 0; first < 16; first++) {
        fresh();

        for (i = 0; i < 16; i++) {
            fill(0, i, i + 1, 3, i == first ? NOW : NOW + 1);
        }

        wrong(name(STRANGER, 1), 1, NOW + 2);
        assert_int_equal(gone(0), first);
    }
}


/* a lock goes only where there is nothing else */
static void
test_lock_stays(void **state)
{
    unsigned  i, other;

    (void) state;

    for (other = 0; other < 16; other++) {
        fresh();

        for (i = 0; i < 16; i++) {
            fill(0, i, i + 1, i == other ? 9 : 10, i == other ? NOW + 1 : NOW);
        }

        assert_int_equal(wrong(name(STRANGER, 1), 1, NOW + 2), 0);
        assert_int_equal(gone(0), other);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cell),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_highest),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_lock_left),
        cmocka_unit_test(test_latest_lock),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_both),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_lock_stays),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
