/* dm_failures: counters that forget nobody, and tell nobody from another */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dm_failures.h"


#define SMALLEST  (7 * 4096)            /* octets: of a zone of 128k */
#define USUAL     (2560 * 1024)         /* of 10m */

#define FAILURES  1000000
#define GUESSES   100000
#define ATTEMPTS  10
#define WINDOW    60000                 /* ms */
#define DURATION  300000


static const dm_failures_limit_t  limit = { ATTEMPTS, WINDOW, DURATION };

/* a lock as short as a window: then most is to be had */
static const dm_failures_limit_t  brief = { ATTEMPTS, WINDOW, WINDOW };

static uint64_t  seed;


/* splitmix64: the tests are the same each time */
static uint64_t
mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
    n = (n ^ n >> 27) * 0x94d049bb133111eb;

    return n ^ n >> 31;
}


static uint64_t
any(uint64_t n)
{
    seed++;

    return mix(seed) % n;
}


static dm_failures_t *
failures_new(size_t size)
{
    void           *memory;
    dm_failures_t  *failures;

    memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);

    failures = dm_failures_init(memory, size);
    assert_non_null(failures);

    return failures;
}


/* a name at an address, which is one of 256 of its network */
static dm_failures_key_t
who(uint64_t name, uint64_t address)
{
    uint64_t           hash[3];
    dm_failures_key_t  key;

    hash[0] = mix(mix(name) ^ address);
    hash[1] = mix(hash[0]);
    hash[2] = mix(hash[1]);

    memset(&key, 0, sizeof(key));
    dm_table_slot((unsigned char *) hash, &key.slot);
    key.network = mix(~(address >> 8));

    return key;
}


static dm_failures_key_t
whole(uint64_t address)
{
    dm_failures_key_t  key;

    key = who(~(uint64_t) 0, address);
    key.kind = DM_FAILURES_ADDRESS;

    return key;
}


static void
test_size(void **state)
{
    char            memory[1024] __attribute__((aligned(64)));
    dm_failures_t  *failures;

    (void) state;

    memset(memory, 0, sizeof(memory));
    assert_null(dm_failures_init(memory, 64));
    assert_null(dm_failures_init(memory, sizeof(memory)));

    failures = failures_new(SMALLEST);
    assert_in_range(dm_table_cells(dm_failures_table(failures)), 360, 400);
    free(failures);
}


static void
test_lock(void **state)
{
    unsigned            i;
    dm_failures_t      *failures;
    dm_failures_key_t   key, other;

    (void) state;

    failures = failures_new(SMALLEST);
    key = who(1, 1);
    other = who(2, 1);

    for (i = 1; i < ATTEMPTS; i++) {
        assert_int_equal(dm_failures_add(failures, &key, &limit, 5), 0);
        assert_int_equal(dm_failures_left(failures, &key, 5), 0);
    }

    dm_failures_add(failures, &key, &limit, 10);
    assert_int_equal(dm_failures_left(failures, &key, 10), DURATION);
    assert_int_equal(dm_failures_left(failures, &other, 10), 0);

    /* one that was on its way changes nothing */

    dm_failures_add(failures, &key, &limit, 20);
    assert_int_equal(dm_failures_left(failures, &key, 20), DURATION - 10);

    /* and then it is counted anew */

    assert_int_equal(dm_failures_left(failures, &key, DURATION + 9), 1);
    assert_int_equal(dm_failures_left(failures, &key, DURATION + 10), 0);

    for (i = 1; i < ATTEMPTS; i++) {
        dm_failures_add(failures, &key, &limit, DURATION + 10);
    }

    assert_int_equal(dm_failures_left(failures, &key, DURATION + 10), 0);

    /* as after a window */

    dm_failures_add(failures, &key, &limit, DURATION + 10 + WINDOW);
    assert_int_equal(dm_failures_left(failures, &key, DURATION + 10 + WINDOW),
                     0);

    free(failures);
}


/* an address may fail more often than a name, and is no measure for it */
static void
test_kinds(void **state)
{
    uint64_t            name;
    dm_failures_t      *failures;
    dm_failures_key_t   key, address;
    dm_failures_limit_t more;

    (void) state;

    failures = failures_new(SMALLEST);
    address = whole(1);

    more = limit;
    more.attempts = 1000;

    for (name = 0; name < 999; name++) {
        key = who(name, 1);
        dm_failures_add(failures, &key, &limit, 1);
        dm_failures_add(failures, &address, &more, 1);
    }

    /* three times as many counters as places */

    assert_true(dm_table_evicted(dm_failures_table(failures)) > 0);

    key = who(name, 1);
    assert_int_equal(dm_failures_left(failures, &key, 1), 0);
    dm_failures_add(failures, &key, &limit, 1);
    assert_int_equal(dm_failures_left(failures, &key, 1), 0);

    assert_int_equal(dm_failures_left(failures, &address, 1), 0);
    dm_failures_add(failures, &address, &more, 1);
    assert_int_equal(dm_failures_left(failures, &address, 1), DURATION);

    free(failures);
}


/* a lock that has no room any more is one of its network, as long as it was */
static void
test_network(void **state)
{
    unsigned            i;
    uint64_t            name;
    dm_failures_t      *failures;
    dm_failures_key_t   key, neighbour, other;

    (void) state;

    failures = failures_new(SMALLEST);
    neighbour = who(1, 0x102);
    other = who(1, 0x201);

    for (name = 0; dm_failures_left(failures, &neighbour, 1) == 0; name++) {
        assert_true(name < 1000);

        key = who(name, 0x101);

        for (i = 0; i < ATTEMPTS; i++) {
            dm_failures_add(failures, &key, &limit, 1);
        }
    }

    assert_true(name > dm_table_cells(dm_failures_table(failures)) / 4);
    assert_int_equal(dm_failures_left(failures, &neighbour, 1), DURATION);
    assert_int_equal(dm_failures_left(failures, &other, 1), 0);
    assert_int_equal(dm_failures_left(failures, &neighbour, DURATION + 1), 0);

    /* its first failure is no other's */

    dm_failures_add(failures, &other, &limit, 1);
    assert_int_equal(dm_failures_left(failures, &other, 1), 0);

    free(failures);
}


/* who floods from one network pushes out nobody else's */
static void
test_share(void **state)
{
    unsigned            i, n;
    uint64_t            name;
    dm_failures_t      *failures;
    dm_failures_key_t   key, victim[20];

    (void) state;

    failures = failures_new(SMALLEST);

    for (n = 0; n < 20; n++) {
        victim[n] = who(n, 0x1000 + (n << 8));

        for (i = 1; i < ATTEMPTS - n % 2; i++) {
            dm_failures_add(failures, &victim[n], &limit, 1);
        }
    }

    for (name = 0; name < FAILURES; name++) {
        key = who(name, 0x100 + name % 256);
        dm_failures_add(failures, &key, &limit, 2);
    }

    for (n = 0; n < 20; n++) {
        assert_int_equal(dm_failures_left(failures, &victim[n], 2), 0);
        dm_failures_add(failures, &victim[n], &limit, 2);
        assert_int_equal(dm_failures_left(failures, &victim[n], 2) > 0,
                         n % 2 == 0);
    }

    free(failures);
}


/*
 * Two tables see the same failures; in one of them half of the names are
 * accounts, in the other none.  Each answer is the same.
 */
static void
test_told_apart(void **state)
{
    int                 table;
    uint64_t            i, name, left[2], locked;
    dm_failures_t      *failures[2];
    dm_failures_key_t   key;

    (void) state;

    seed = 1;
    locked = 0;
    failures[0] = failures_new(USUAL / 10);
    failures[1] = failures_new(USUAL / 10);

    for (i = 0; i < FAILURES; i++) {

        name = any(i % 3 ? 100 : FAILURES);
        key = who(name, any(i % 2 ? 4 : 1 << 20));

        for (table = 0; table < 2; table++) {
            memset(key.note, table && name % 2, sizeof(key.note));

            left[table] = dm_failures_left(failures[table], &key, i * 2);

            if (left[table] == 0) {
                dm_failures_add(failures[table], &key, &limit, i * 2);
            }
        }

        assert_int_equal(left[0], left[1]);
        locked += left[0] != 0;
    }

    assert_in_range(locked, FAILURES / 100, FAILURES / 100 * 99);

    free(failures[0]);
    free(failures[1]);
}


/*
 * Guesses at one account from one address, now and then some of them, while
 * the table is filled with failures of others; the most within a window.
 */
static unsigned
most_guesses(uint64_t networks, unsigned between, unsigned pace)
{
    unsigned            i, n, first, most, burst;
    uint64_t            now;
    dm_failures_t      *failures;
    dm_failures_key_t   key;

    static uint64_t     when[GUESSES];

    seed = networks;
    n = 0;
    first = 0;
    most = 0;
    burst = 0;
    failures = failures_new(SMALLEST);

    for (i = 0; i < GUESSES; i++) {
        now = (uint64_t) i * pace;

        if (burst) {
            burst--;

        } else if (any(between) == 0) {
            burst = 1 + (unsigned) any(2 * ATTEMPTS);
        }

        key = burst ? who(0, 1) : who(any(FAILURES), any(networks << 8));

        if (dm_failures_left(failures, &key, now)) {
            continue;
        }

        dm_failures_add(failures, &key, &brief, now);

        if (burst) {
            when[n++] = now;

            while (when[first] + WINDOW <= now) {
                first++;
            }

            most = n - first > most ? n - first : most;
        }
    }

    free(failures);

    return most;
}


static void
test_guesses(void **state)
{
    size_t    i, j;
    unsigned  n, pace, most;

    static const uint64_t  networks[] = { 1, 3, 20, 300, 60000 };
    static const unsigned  between[] = { 50, 400, 2000 };

    (void) state;

    most = 0;

    for (i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        for (j = 0; j < sizeof(between) / sizeof(between[0]); j++) {
            for (pace = 1; pace <= 729; pace *= 3) {
                n = most_guesses(networks[i], between[j], pace);
                most = n > most ? n : most;
            }
        }
    }

    print_message("# guesses in a window, at most: %u of %u\n", most,
                  ATTEMPTS);

    assert_true(most > ATTEMPTS);
    assert_true(most <= 3 * ATTEMPTS);
}


/*
 * How many of 10,000 devices, each of a network of its own, are locked, or
 * would be by less than half of the attempts, after a flood from so many
 * networks.
 */
static unsigned
hurt(uint64_t networks)
{
    unsigned            i, n;
    uint64_t            device;
    dm_failures_t      *failures;
    dm_failures_key_t   key;

    seed = networks;
    n = 0;
    failures = failures_new(USUAL);

    for (i = 0; i < FAILURES; i++) {
        key = who(any(50000), any(networks << 8));

        if (dm_failures_left(failures, &key, 1) == 0) {
            dm_failures_add(failures, &key, &limit, 1);
        }
    }

    for (device = 0; device < 10000; device++) {
        key = who(device, 1 << 30 | device << 8);

        for (i = 0; i < ATTEMPTS / 2 - 1; i++) {
            dm_failures_add(failures, &key, &limit, 1);
        }

        n += dm_failures_left(failures, &key, 1) != 0;
    }

    free(failures);

    return n;
}


static void
test_devices(void **state)
{
    unsigned  n;

    (void) state;

    assert_int_equal(hurt(1), 0);
    assert_int_equal(hurt(10), 0);

    n = hurt(200);
    print_message("# a flood from 200 networks locks %u devices of 10000\n",
                  n);
    assert_true(n <= 10);

    print_message("# one from 2000 networks %u\n", hurt(2000));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_told_apart),
        cmocka_unit_test(test_guesses),
        cmocka_unit_test(test_devices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
