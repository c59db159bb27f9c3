/* Workers that read while a tool writes: what dm_store_slot.h promises */

#define _GNU_SOURCE     /* RTLD_NEXT, F_OFD_SETLK, F_SETLEASE */

#include <dlfcn.h>
#include <signal.h>

#include "store_fixture.h"
#include "store_child.h"

#include "dm_store_internal.h"


/* in ms: much, of which a writer uses little where he need not wait */
#define LONG   60000
#define SHORT  50


static void (*between)(void);       /* called in the middle of a look-up */
static unsigned  turns;             /* how often it was */
static dm_store_t *writer;


/* what the core calls when it has chosen its snapshot */
int
mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *value,
    MDB_cursor_op op)
{
    void  *next;
    int  (*get)(MDB_cursor *, MDB_val *, MDB_val *, MDB_cursor_op);

    next = dlsym(RTLD_NEXT, "mdb_cursor_get");
    memcpy(&get, &next, sizeof(get));

    if (between != NULL && op == MDB_SET_RANGE) {
        turns++;
        between();
    }

    return get(cursor, key, value, op);
}


/* the directory of this user's slots */
static const char *
slots(void)
{
    static char  name[128];

    sprintf(name, "%s/readers.%u", path, (unsigned) getuid());

    return name;
}


static unsigned
count_files(void)
{
    DIR            *found_dir;
    unsigned        n;
    struct dirent  *entry;

    n = 0;
    found_dir = opendir(slots());
    assert_non_null(found_dir);

    while ((entry = readdir(found_dir)) != NULL) {
        n += entry->d_name[0] != '.';
    }

    closedir(found_dir);

    return n;
}


/* a worker in the middle of a look-up, until it is told to end that */
static void
run_reading(child_t *self)
{
    dm_store_slot_t  *slot;

    must(dm_slot_open(&slot, path, 1, NULL) == DM_OK);
    dm_slot_enter(slot);
    say(self);
    hear(self);
    dm_slot_leave(slot);
    say(self);
    hear(self);
    dm_slot_close(slot);
}


static void
run_writing(child_t *self)
{
    dm_store_t  *store;

    store = child_open(DM_STORE_WRITE);
    store->patience = LONG;
    say(self);
    must(dm_store_begin(store, NULL) == DM_OK);
    must(store->patience > LONG / 2);
    say(self);
    dm_store_close(store);
}


static void
test_waits(void **state)
{
    child_t  reading, writing;

    (void) state;

    child_start(&reading, run_reading);
    hear(&reading);
    child_start(&writing, run_writing);
    hear(&writing);
    assert_true(hears_nothing(&writing, 100));

    say(&reading);
    hear(&reading);
    hear(&writing);
    child_end(&writing);

    say(&reading);
    child_end(&reading);
    assert_int_equal(count_files(), 0);
}


static void
begins_at_once(void)
{
    dm_store_t  *store;

    store = open_store(DM_STORE_WRITE);
    store->patience = LONG;
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_true(store->patience > LONG / 2);
    dm_store_abort(store);
    dm_store_close(store);
}


static void
test_dead(void **state)
{
    int               status;
    child_t           child;
    dm_store_slot_t  *slot;

    (void) state;

    child_start(&child, run_reading);
    hear(&child);
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    close(child.in);
    close(child.out);

    assert_int_equal(count_files(), 1);
    begins_at_once();

    /* the next worker takes it away */

    assert_int_equal(dm_slot_open(&slot, path, 1, NULL), DM_OK);
    assert_int_equal(count_files(), 1);
    dm_slot_close(slot);
    assert_int_equal(count_files(), 0);
}


/* the store's user may give a directory of another's that name */
static void
test_not_ours(void **state)
{
    int               fd;
    char              name[160];
    unsigned          i;
    dm_store_slot_t  *slot;

    static const struct {
        const char  *dir, *name;
        uid_t        uid;
        int          stays;
    } made[] = {
        { "readers.9", "abcdefabcdefabcdefabcdef", 65533, 1 },
        { "readers.8", "abcdefabcdefabcdefabcdef", 8, 0 },
        { "readers.7", "letter", 7, 1 },
    };

    (void) state;

    if (geteuid() != 0) {
        skip();
    }

    for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        sprintf(name, "%s/%s", path, made[i].dir);
        assert_int_equal(mkdir(name, 0755), 0);
        assert_int_equal(chown(name, made[i].uid, 0), 0);
        sprintf(name, "%s/%s/%s", path, made[i].dir, made[i].name);
        fd = open(name, O_RDWR | O_CREAT, 0600);
        assert_true(fd != -1);
        close(fd);
    }

    assert_int_equal(dm_slot_open(&slot, path, 1, NULL), DM_OK);
    dm_slot_close(slot);

    for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        sprintf(name, "%s/%s/%s", path, made[i].dir, made[i].name);
        assert_int_equal(access(name, F_OK) == 0, made[i].stays);
    }
}


/* its user stops the process, or it waits for a disk */
static void
test_bound(void **state)
{
    child_t      child;
    dm_store_t  *store;

    (void) state;

    child_start(&child, run_reading);
    hear(&child);

    store = open_store(DM_STORE_WRITE);
    store->patience = SHORT;
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    dm_store_abort(store);

    /* it was waited for once */

    assert_int_equal(store->patience, DM_STORE_HASTE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    dm_store_abort(store);
    assert_int_equal(store->patience, DM_STORE_HASTE);
    dm_store_close(store);

    say(&child);
    hear(&child);
    say(&child);
    child_end(&child);
}


/* in the middle of a look-up too, as it says, and locked as well */
static void
test_foreign(void **state)
{
    int                fd;
    char               name[160];
    struct flock       lock;
    dm_slot_content_t  content;

    (void) state;

    if (geteuid() != 0) {
        skip();
    }

    memset(&content, 0, sizeof(content));
    content.counter = 1;
    sprintf(name, "%s/forged", slots());
    fd = open(name, O_RDWR | O_CREAT, 0666);
    assert_true(fd != -1);
    assert_int_equal(write(fd, &content, sizeof(content)), sizeof(content));

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    assert_int_equal(fchown(fd, 65533, 65533), 0);
    begins_at_once();

    /* what is no file is not even opened to the end */

    sprintf(name, "%s/fifo", slots());
    assert_int_equal(mkfifo(name, 0600), 0);
    sprintf(name, "%s/link", slots());
    assert_int_equal(symlink("/dev/zero", name), 0);
    begins_at_once();
    close(fd);
}


/* the owner of a file among them can have a lease on it: nobody waits */
static void
test_leased(void **state)
{
    int          fd;
    char         name[160];
    unsigned     n;
    dm_store_t  *reader;

    (void) state;

    reader = open_store(DM_STORE_SERVE);

    sprintf(name, "%s/leased", slots());
    fd = open(name, O_RDWR | O_CREAT, 0600);
    assert_true(fd != -1);

    (void) signal(SIGIO, SIG_IGN);

    if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
        assert_int_equal(open(name, O_RDONLY | O_NONBLOCK), -1);

    } else {
        print_message("# no leases on this file system\n");
    }

    assert_int_equal(dm_slots_count(path, &n, NULL), DM_OK);
    assert_int_equal(n, 1);

    close(fd);
    dm_store_close(reader);
}


/* not the user that the store was made for: told at once, and what to do */
static void
run_stranger(child_t *self)
{
    dm_err_t     err;
    dm_store_t  *store;

    must(setgid(65533) == 0 && setuid(65533) == 0);
    must(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err)
         == DM_INVALID);
    must(strstr(err.text, "is not for processes of user 65533") != NULL);
    must(strstr(err.text, "--owner 65533:65533\"") != NULL);
    say(self);
}


static void
test_stranger(void **state)
{
    child_t            child;
    dm_err_t           err;
    dm_store_owner_t   owner;

    (void) state;

    if (geteuid() != 0) {
        skip();
    }

    discard(path);
    owner = owner_of(65533);
    owner.reader = 65534;
    assert_int_equal(dm_store_create(path, str(REALM), MAP, &owner, &keys,
                                     NULL),
                     DM_OK);
    child_start(&child, run_stranger);
    hear(&child);
    child_end(&child);

    assert_int_equal(dm_slots_check(path, 65534, &err), DM_OK);
    assert_int_equal(dm_slots_check(path, 0, &err), DM_OK);
    assert_int_equal(dm_slots_check(path, 65533, &err), DM_INVALID);
}


static void
add_one(void)
{
    char  id[16];

    sprintf(id, "%u", turns);
    put_alone(writer, id, id);
}


static void
add_three_once(void)
{
    between = NULL;
    put_alone(writer, "A", "alice");
    put_alone(writer, "B", "bob");
    put_alone(writer, "C", "carol");
}


/* this process writes what it reads itself: it need not wait for itself */
static dm_store_t *
open_both(void)
{
    dm_store_t  *reader;

    turns = 0;
    reader = open_store(DM_STORE_SERVE);
    writer = open_store(DM_STORE_WRITE);
    writer->patience = 0;

    return reader;
}


static void
close_both(dm_store_t *reader)
{
    between = NULL;
    dm_store_close(writer);
    dm_store_close(reader);
}


/* who slept in the middle of it must not say that there is none */
static void
test_slept(void **state)
{
    uint64_t     version;
    dm_store_t  *reader;

    (void) state;

    reader = open_both();
    version = dm_store_version(reader);

    between = add_three_once;
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_OK);
    assert_int_equal(turns, 1);
    assert_int_equal(dm_store_looked(reader), version + 3);
    assert_int_equal(dm_store_version(reader), version + 3);

    close_both(reader);
}


static void
test_never_settles(void **state)
{
    dm_store_t  *reader;

    (void) state;

    reader = open_both();

    between = add_one;
    assert_int_equal(lookup(reader, DM_BY_NAME, "nobody"), DM_ERROR);
    assert_int_equal(turns, DM_STORE_TRIES);
    assert_non_null(strstr(found.err.text, "faster than it can be read"));
    assert_int_equal(dm_store_replaced(reader), 0);

    between = NULL;
    assert_int_equal(lookup(reader, DM_BY_NAME, "nobody"), DM_DECLINED);
    assert_int_equal(lookup(reader, DM_BY_NAME, "1"), DM_OK);

    close_both(reader);
}


static void
copy_over(const char *from, const char *to)
{
    int      in, out;
    char     buf[4096];
    ssize_t  n;

    in = open(from, O_RDONLY);
    out = open(to, O_WRONLY);
    assert_true(in != -1 && out != -1);

    while ((n = read(in, buf, sizeof(buf))) > 0) {
        assert_int_equal(write(out, buf, (size_t) n), n);
    }

    assert_int_equal(n, 0);
    close(in);
    close(out);
}


/* an older state in the same file: it is seen, and nothing is said of a key */
static void
test_copied_over(void **state)
{
    char         copy[96];
    dm_store_t  *reader;

    (void) state;

    sprintf(copy, "%s/copy", dir);
    assert_int_equal(close(open(copy, O_WRONLY | O_CREAT, 0600)), 0);
    copy_over(data, copy);

    reader = open_both();
    put_alone(writer, "A", "alice");
    put_alone(writer, "B", "bob");
    dm_store_close(writer);
    writer = NULL;
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_OK);

    copy_over(copy, data);
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_ERROR);
    assert_non_null(strstr(found.err.text, "was copied over"));
    assert_int_equal(dm_store_stale(reader), 1);
    assert_int_equal(dm_store_replaced(reader), 1);
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_ERROR);

    close_both(reader);
    unlink(copy);
}


/* another file with the same number: the tick of a second sees it */
static void
test_copied_same(void **state)
{
    char         copy[96];
    dm_store_t  *reader;

    sprintf(copy, "%s/copy", dir);
    assert_int_equal(close(open(copy, O_WRONLY | O_CREAT, 0600)), 0);
    copy_over(data, copy);
    discard(path);
    assert_int_equal(fresh(state), 0);

    reader = open_store(DM_STORE_SERVE);
    dm_store_tend(reader);
    dm_store_tend(reader);
    assert_int_equal(dm_store_replaced(reader), 0);

    copy_over(copy, data);
    dm_store_tend(reader);
    assert_int_equal(dm_store_stale(reader), 1);

    dm_store_close(reader);
    unlink(copy);
}


/* a worker whose slot was removed takes a new one, as soon as it can */
static void
test_slot_removed(void **state)
{
    char         there[96], away[96];
    unsigned     n;
    dm_err_t     err;
    dm_store_t  *reader;

    (void) state;

    sprintf(there, "%s/readers.%u", path, (unsigned) getuid());
    sprintf(away, "%s/away", dir);

    reader = open_store(DM_STORE_SERVE);
    assert_int_equal(dm_store_show(reader, &err), DM_OK);
    assert_int_equal(rename(there, away), 0);

    assert_int_equal(dm_store_show(reader, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "dm-account"));
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_DECLINED);

    assert_int_equal(mkdir(there, 0700), 0);
    assert_int_equal(dm_slots_count(path, &n, &err), DM_OK);
    assert_int_equal(n, 0);

    assert_int_equal(dm_store_show(reader, &err), DM_OK);
    assert_int_equal(dm_slots_count(path, &n, &err), DM_OK);
    assert_int_equal(n, 1);

    /* and writers let it disable beside them, and wait for it */

    writer = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_beside(writer, &err), DM_OK);
    put_alone(writer, "A", "alice");
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_OK);

    close_both(reader);
    assert_int_equal(rmdir(away), 0);
}


/* another file that stat() does not tell: as on an overlay, by its number */
static void
test_elsewhere(void **state)
{
    char         copy[96];
    dm_store_t  *reader;
    struct stat  sb;

    (void) state;

    sprintf(copy, "%s/copy", dir);
    assert_int_equal(close(open(copy, O_WRONLY | O_CREAT, 0600)), 0);
    copy_over(data, copy);

    reader = open_store(DM_STORE_SERVE);
    assert_int_equal(rename(copy, data), 0);
    assert_int_equal(stat(data, &sb), 0);
    reader->dev = sb.st_dev;
    reader->ino = sb.st_ino;

    dm_store_tend(reader);
    assert_int_equal(dm_store_replaced(reader), 0);

    writer = open_store(DM_STORE_WRITE);
    put_alone(writer, "A", "alice");
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_DECLINED);

    dm_store_tend(reader);
    assert_int_equal(dm_store_replaced(reader), 1);
    assert_int_equal(dm_store_stale(reader), 0);

    close_both(reader);

    reader = open_store(DM_STORE_SERVE);
    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_OK);
    dm_store_close(reader);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_waits, fresh),
        cmocka_unit_test_setup(test_dead, fresh),
        cmocka_unit_test_setup(test_not_ours, fresh),
        cmocka_unit_test_setup(test_bound, fresh),
        cmocka_unit_test_setup(test_foreign, fresh),
        cmocka_unit_test_setup(test_leased, fresh),
        cmocka_unit_test_setup(test_stranger, fresh),
        cmocka_unit_test_setup(test_slept, fresh),
        cmocka_unit_test_setup(test_never_settles, fresh),
        cmocka_unit_test_setup(test_copied_over, fresh),
        cmocka_unit_test_setup(test_copied_same, fresh),
        cmocka_unit_test_setup(test_slot_removed, fresh),
        cmocka_unit_test_setup(test_elsewhere, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
