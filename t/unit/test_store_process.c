/* The store: processes that read and write it at once */

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>

#include "store_fixture.h"
#include "store_child.h"


#define LARGE_KEYS  8


/* about 10 KB each, so that a store of MAP octets soon has to grow */
static void
make_large(dm_account_t *account, unsigned n)
{
    unsigned             i;
    static char          id[16];
    static unsigned char key[LARGE_KEYS][DM_CERT_KEY_MAX];

    sprintf(id, "L%u", n);
    make_account(account, id, id);

    account->ncert_keys = LARGE_KEYS;

    for (i = 0; i < LARGE_KEYS; i++) {
        memset(key[i], '.', DM_CERT_KEY_MAX);
        sprintf((char *) key[i], "subject:CN=%u,OU=%u", n, i);
        key[i][strlen((char *) key[i])] = '.';
        account->cert_key[i] = (dm_str_t) { key[i], DM_CERT_KEY_MAX };
    }
}


static int
put_large(dm_store_t *store, unsigned n)
{
    dm_account_t  account;

    make_large(&account, n);

    return dm_store_put(store, &account, NULL);
}


/* five in a transaction are less than 10 % of MAP */
static void
add_large(dm_store_t *store, unsigned from, unsigned to)
{
    unsigned  i;

    while (from < to) {
        must(dm_store_begin(store, NULL) == DM_OK);

        for (i = 0; i < 5; i++) {
            must(put_large(store, from++) == DM_OK);
        }

        must(dm_store_commit(store, NULL) == DM_OK);
    }
}


static int
lookup_large(dm_store_t *store, unsigned n)
{
    char  id[16];

    sprintf(id, "L%u", n);

    return lookup(store, DM_BY_NAME, id);
}


static dm_store_mode_t  reader_mode;


static void
run_reader(child_t *self)
{
    dm_store_t  *store;

    store = child_open(reader_mode);
    must(lookup(store, DM_BY_NAME, "alice") == DM_DECLINED);
    say(self);

    hear(self);
    must(lookup(store, DM_BY_NAME, "alice") == DM_OK);
    must(found.account.revision == 1);
    say(self);

    hear(self);
    must(lookup(store, DM_BY_NAME, "alice") == DM_DECLINED);
    must(lookup(store, DM_BY_NAME, "anne") == DM_OK);
    must(found.account.revision == 2);
    dm_store_close(store);
    say(self);
}


static void
change_is_seen(dm_store_mode_t mode)
{
    child_t      child;
    dm_store_t  *store;

    reader_mode = mode;
    child_start(&child, run_reader);

    store = open_store(DM_STORE_WRITE);
    hear(&child);
    put_alone(store, "A", "alice");
    say(&child);
    hear(&child);
    put_alone(store, "A", "anne");
    say(&child);
    hear(&child);
    dm_store_close(store);

    child_end(&child);
}


static void
test_change_is_seen(void **state)
{
    (void) state;

    change_is_seen(DM_STORE_READ);
}


static void
test_change_is_served(void **state)
{
    (void) state;

    change_is_seen(DM_STORE_SERVE);
}


static void
run_grower(child_t *self)
{
    dm_store_t  *store;

    store = child_open(DM_STORE_WRITE);
    hear(self);
    add_large(store, 0, 300);
    must(dm_store_begin(store, NULL) == DM_OK);
    must(dm_store_meta(store)->map_size >= 4 * MAP);
    dm_store_close(store);
    say(self);
}


static void
test_growth_is_seen(void **state)
{
    unsigned     i;
    child_t      child;
    dm_store_t  *store;

    (void) state;

    child_start(&child, run_grower);

    store = open_store(DM_STORE_SERVE);
    assert_int_equal(dm_store_meta(store)->map_size, MAP);
    assert_int_equal(lookup_large(store, 0), DM_DECLINED);
    say(&child);
    hear(&child);

    for (i = 0; i < 300; i++) {
        assert_int_equal(lookup_large(store, i), DM_OK);
    }

    dm_store_close(store);
    child_end(&child);

    store = open_store(DM_STORE_PEEK);
    assert_true(dm_store_meta(store)->map_size >= 4 * MAP);
    assert_int_equal(dm_store_meta(store)->accounts, 300);
    dm_store_close(store);
}


/*
 * A writer that opened the store before another made it grow, and whose own
 * map is fuller than 90 %, must not cut the file to twice of that.
 */
static void
grow_beside(int look_first)
{
    unsigned     i;
    child_t      child;
    dm_store_t  *store;

    child_start(&child, run_grower);
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->map_size, MAP);
    say(&child);
    hear(&child);
    child_end(&child);

    if (look_first) {
        assert_int_equal(lookup_large(store, 299), DM_OK);
    }

    add_large(store, 300, 310);
    assert_true(dm_store_meta(store)->map_size >= 4 * MAP);

    for (i = 0; i < 310; i++) {
        assert_int_equal(lookup_large(store, i), DM_OK);
    }

    assert_int_equal(dm_store_meta(store)->accounts, 310);
    dm_store_close(store);
}


static void
test_stale_writer_keeps_growth(void **state)
{
    (void) state;

    grow_beside(0);
}


static void
test_stale_writer_reads_growth(void **state)
{
    (void) state;

    grow_beside(1);
}


/* the address space that this process has, and little more */
static void
cramp(struct rlimit *limit)
{
    FILE           *f;
    unsigned long   pages;
    struct rlimit   small;

    must(getrlimit(RLIMIT_AS, limit) == 0);

    pages = 0;
    f = fopen("/proc/self/statm", "r");
    must(f != NULL && fscanf(f, "%lu", &pages) == 1);
    fclose(f);

    small = *limit;
    small.rlim_cur = pages * (rlim_t) sysconf(_SC_PAGESIZE) + MAP / 2;
    must(setrlimit(RLIMIT_AS, &small) == 0);
}


static void
run_cramped(child_t *self)
{
    dm_store_t     *store;
    struct rlimit   limit;

    store = child_open(DM_STORE_SERVE);
    say(self);
    hear(self);

    cramp(&limit);
    must(lookup_large(store, 299) == DM_ERROR);
    must(strstr(found.err.text, "cannot be mapped anew") != NULL);
    must(lookup_large(store, 299) == DM_ERROR);
    must(strstr(found.err.text, "must be opened again") != NULL);
    must(dm_store_replaced(store) == 1);
    must(dm_store_version(store) == 0);
    dm_store_tend(store);
    dm_store_close(store);

    must(setrlimit(RLIMIT_AS, &limit) == 0);
    store = child_open(DM_STORE_SERVE);
    must(lookup_large(store, 299) == DM_OK);
    must(dm_store_replaced(store) == 0);
    must(dm_store_version(store) > 0);
    dm_store_close(store);
    say(self);
}


static void
test_map_is_lost(void **state)
{
    child_t      child;
    dm_store_t  *store;

    (void) state;

    child_start(&child, run_cramped);
    hear(&child);

    store = open_store(DM_STORE_WRITE);
    add_large(store, 0, 300);
    dm_store_close(store);

    say(&child);
    hear(&child);
    child_end(&child);
}


static void
run_killed(child_t *self)
{
    unsigned     i;
    dm_store_t  *store;

    store = child_open(DM_STORE_WRITE);
    must(dm_store_begin(store, NULL) == DM_OK);
    must(dm_store_meta(store)->map_size > MAP);

    for (i = 1000; i < 1050; i++) {
        must(put_large(store, i) == DM_OK);
    }

    must(dm_store_del(store, str("A"), NULL) == DM_OK);
    say(self);
    hear(self);
}


static void
test_killed_writer_leaves_nothing(void **state)
{
    int          status;
    unsigned     n;
    child_t      child;
    dm_store_t  *store;

    (void) state;

    /* to where the next transaction grows the map */

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "A", "alice");

    for (n = 0; dm_store_meta(store)->map_size == MAP; n++) {
        assert_int_equal(dm_store_begin(store, NULL), DM_OK);

        if (dm_store_meta(store)->map_size > MAP) {
            dm_store_abort(store);
            break;
        }

        assert_int_equal(put_large(store, n), DM_OK);
        assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    }

    dm_store_close(store);

    child_start(&child, run_killed);
    store = open_store(DM_STORE_READ);
    hear(&child);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFSIGNALED(status));
    close(child.in);
    close(child.out);

    dm_store_tend(store);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);
    assert_int_equal(lookup_large(store, 1000), DM_DECLINED);
    dm_store_close(store);

    /* and the next writer goes on */

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_meta(store)->accounts, n + 1);
    put_alone(store, "B", "bob");
    assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_OK);
    assert_int_equal(lookup_large(store, n - 1), DM_OK);
    dm_store_close(store);
}


static void
run_second_writer(child_t *self)
{
    dm_account_t   account;
    dm_store_t    *store;

    store = child_open(DM_STORE_WRITE);
    say(self);
    hear(self);
    must(dm_store_begin(store, NULL) == DM_OK);
    say(self);

    /* it sees what the first has done, counters too */

    must(dm_store_meta(store)->accounts == 1);
    make_account(&account, "B", "alice");
    must(dm_store_put(store, &account, NULL) == DM_EXISTS);
    account.name = str("bob");
    must(dm_store_put(store, &account, NULL) == DM_OK);
    must(dm_store_commit(store, NULL) == DM_OK);
    dm_store_close(store);
    say(self);
}


static void
test_writers_wait(void **state)
{
    child_t        child;
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    child_start(&child, run_second_writer);
    hear(&child);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    say(&child);
    make_account(&account, "A", "alice");
    put(store, &account, DM_OK);
    assert_true(hears_nothing(&child, 100));
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    hear(&child);
    hear(&child);
    assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_OK);
    dm_store_close(store);

    child_end(&child);
}


static void
run_unprivileged(child_t *self)
{
    dm_err_t     err;
    dm_store_t  *store;

    must(setgroups(0, NULL) == 0);
    must(setgid(65534) == 0 && setuid(65534) == 0);

    store = child_open(DM_STORE_SERVE);
    must(lookup(store, DM_BY_NAME, "alice") == DM_OK);
    must(dm_store_replaced(store) == 0);
    dm_store_tend(store);
    dm_store_close(store);

    store = child_open(DM_STORE_PEEK);
    dm_store_close(store);

    must(dm_store_open(&store, path, DM_STORE_WRITE, &keys, &err)
         == DM_INVALID);
    must(strstr(err.text, "cannot write \"") != NULL);
    must(strstr(err.text, "/data.mdb\" (owner ") != NULL);
    must(dm_store_open(&store, path, DM_STORE_READ, &keys, &err)
         == DM_INVALID);
    must(strstr(err.text, "/write.lock\" (owner ") != NULL);
    say(self);

    /* the files of another group, one after the other */

    hear(self);
    must(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err)
         == DM_INVALID);
    must(strstr(err.text, "/data.mdb\" (owner ") != NULL);
    say(self);

    hear(self);
    must(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err)
         == DM_INVALID);
    must(strstr(err.text, "cannot pass through \"") != NULL);
    say(self);
}


static void
test_unprivileged_reader(void **state)
{
    child_t            child;
    dm_store_t        *store;
    dm_store_owner_t   owner;

    (void) state;

    if (geteuid() != 0) {
        skip();
    }

    discard(path);
    owner = owner_of(65534);
    owner.reader = 65534;
    assert_int_equal(dm_store_create(path, str(REALM), MAP, &owner, &keys,
                                     NULL),
                     DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_alone(store, "A", "alice");
    dm_store_close(store);

    child_start(&child, run_unprivileged);
    hear(&child);

    assert_int_equal(chown(data, 0, 0), 0);
    say(&child);
    hear(&child);

    assert_int_equal(chown(path, 0, 0), 0);
    say(&child);
    hear(&child);

    child_end(&child);
}


static void
test_replaced(void **state)
{
    char         moved[96];
    dm_store_t  *reader;

    sprintf(moved, "%s/moved", dir);

    reader = open_store(DM_STORE_SERVE);
    assert_int_equal(dm_store_replaced(reader), 0);

    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(dm_store_replaced(reader), 1);

    assert_int_equal(fresh(state), 0);
    assert_int_equal(dm_store_replaced(reader), 1);

    /* what it has open still reads */

    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_DECLINED);
    dm_store_close(reader);
    discard(moved);
}


static void
test_replaced_under_a_writer(void **state)
{
    char         moved[96];
    dm_err_t     err;
    dm_store_t  *writer;

    sprintf(moved, "%s/moved", dir);

    writer = open_store(DM_STORE_WRITE);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(fresh(state), 0);

    /* it would acknowledge what nobody will ever see */

    assert_int_equal(dm_store_begin(writer, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "was replaced"));
    dm_store_close(writer);
    discard(moved);
}


static void
test_full(void **state)
{
    unsigned       i;
    dm_err_t       err;
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    for (i = 0; i < 200; i++) {
        make_large(&account, i);

        if (dm_store_put(store, &account, &err) != DM_OK) {
            break;
        }
    }

    assert_true(i > 10 && i < 200);
    assert_non_null(strstr(err.text, "is full"));
    assert_int_equal(dm_store_commit(store, &err), DM_ERROR);
    assert_int_equal(dm_store_meta(store)->accounts, 0);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_meta(store)->accounts, 0);
    dm_store_abort(store);
    put_alone(store, "A", "alice");
    dm_store_close(store);
}


/* takes all reader slots, as a thousand processes would */
static void
hold_all_slots(child_t *self)
{
    MDB_env   *env;
    MDB_txn   *txn;
    unsigned   n;

    must(mdb_env_create(&env) == 0);
    must(mdb_env_set_maxreaders(env, 1024) == 0);
    must(mdb_env_open(env, path, MDB_RDONLY | MDB_NOTLS, 0) == 0);

    for (n = 0; mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0; n++) {
        must(n < 2000);
    }

    must(n > 0);
    say(self);
    hear(self);
}


/* a store that takes no more readers is a failure, and not an empty store */
static void
test_readers_full(void **state)
{
    child_t      child;
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    child_start(&child, hold_all_slots);
    hear(&child);

    err.text[0] = '\0';
    assert_int_not_equal(dm_store_open(&store, path, DM_STORE_READ, &keys,
                                       &err),
                         DM_OK);
    assert_non_null(strstr(err.text, "reader"));

    say(&child);
    child_end(&child);

    /* what a process that has gone held is free again */

    assert_int_equal(dm_store_open(&store, path, DM_STORE_READ, &keys, NULL),
                     DM_OK);
    dm_store_close(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_change_is_seen, fresh),
        cmocka_unit_test_setup(test_change_is_served, fresh),
        cmocka_unit_test_setup(test_growth_is_seen, fresh),
        cmocka_unit_test_setup(test_stale_writer_keeps_growth, fresh),
        cmocka_unit_test_setup(test_stale_writer_reads_growth, fresh),
        cmocka_unit_test_setup(test_map_is_lost, fresh),
        cmocka_unit_test_setup(test_killed_writer_leaves_nothing, fresh),
        cmocka_unit_test_setup(test_writers_wait, fresh),
        cmocka_unit_test_setup(test_unprivileged_reader, fresh),
        cmocka_unit_test_setup(test_replaced, fresh),
        cmocka_unit_test_setup(test_replaced_under_a_writer, fresh),
        cmocka_unit_test_setup(test_full, fresh),
        cmocka_unit_test_setup(test_readers_full, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
