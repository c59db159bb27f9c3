/* Accounts that are disabled while another writer has the store */

#include "store_fixture.h"
#include "store_child.h"

#include "dm_store_count.h"
#include "dm_store_internal.h"


#define ENTRY  DM_DISABLED_START


static dm_store_t   *writer, *reader;
static unsigned      walked, damages;
static char          file[96];


/* the writer is in the middle of a change of A, and adds C */
static void
begin(void)
{
    dm_account_t  account;

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);

    make_account(&account, "A", "anne");
    account.ngroups = 1;
    account.group[0] = str("lab");
    put(writer, &account, DM_OK);

    make_account(&account, "C", "carol");
    put(writer, &account, DM_OK);
}


/* in this process a worker can disable, for it has no lock of LMDB's */
static void
open_two(void)
{
    writer = open_store(DM_STORE_WRITE);
    put_two(writer);
    reader = open_store(DM_STORE_SERVE);
    writer->patience = 0;
}


static void
close_two(void)
{
    dm_store_close(reader);
    dm_store_close(writer);
}


static void
disable_by(dm_store_t *store, const char *id)
{
    dm_err_t  err;

    assert_int_equal(dm_store_beside(store, NULL), DM_OK);

    if (dm_store_disable(store, str(id), &err) != DM_OK
        || dm_store_disable_commit(store, &err) != DM_OK)
    {
        fail_msg("%s", err.text);
    }
}


static void
disable(const char *id)
{
    disable_by(reader, id);
}


static int
count_one(const dm_account_t *account, void *data)
{
    dm_state_t  *state;

    state = data;
    state[account->id.data[0] - 'A'] = account->state;
    walked++;

    return DM_OK;
}


static void
count_damage(const dm_err_t *what, void *data)
{
    (void) data;

    print_error("%s\n", what->text);
    damages++;
}


/* by each way to read: A to C are so, 0 is that there is no such account */
static void
are(dm_store_t *store, const char *states)
{
    unsigned            i, n, disabled;
    char                id[2];
    uint64_t            found_n;
    dm_state_t          seen[3];
    dm_store_counts_t   counts;

    n = 0;
    disabled = 0;
    id[1] = '\0';

    for (i = 0; i < 3; i++) {
        id[0] = (char) ('A' + i);
        assert_int_equal(lookup(store, DM_BY_ID, id),
                         states[i] == '0' ? DM_DECLINED : DM_OK);
        n += (states[i] != '0');
        disabled += (states[i] == 'd');

        if (states[i] != '0') {
            assert_int_equal(found.account.state,
                             states[i] == 'd' ? DM_DISABLED : DM_ACTIVE);
        }
    }

    walked = 0;
    assert_int_equal(dm_store_walk(store, count_one, NULL, seen, NULL), DM_OK);
    assert_int_equal(walked, n);

    assert_int_equal(dm_store_count(store, 0, &counts, NULL), DM_OK);
    assert_int_equal(counts.active, n - disabled);
    assert_int_equal(counts.disabled, disabled);
    assert_int_equal(counts.hashes[1 << DM_MD5 | 1 << DM_SHA256],
                     n - disabled);

    for (i = 0; i < 3; i++) {
        if (states[i] != '0') {
            assert_int_equal(seen[i], states[i] == 'd' ? DM_DISABLED
                                                       : DM_ACTIVE);
        }
    }

    walked = 0;
    damages = 0;
    found_n = 0;
    assert_int_equal(dm_store_check(store, count_one, count_damage, seen,
                                    &found_n, NULL),
                     DM_OK);
    assert_int_equal(walked, n);
    assert_int_equal(damages, 0);

    for (i = 0; i < 3; i++) {
        if (states[i] != '0') {
            assert_int_equal(seen[i], states[i] == 'd' ? DM_DISABLED
                                                       : DM_ACTIVE);
        }
    }
}


static uint64_t
length(void)
{
    int                  fd;
    dm_disabled_head_t   head;

    fd = open(file, O_RDONLY);
    assert_true(fd != -1);
    assert_int_equal(pread(fd, &head, sizeof(head), 0), sizeof(head));
    close(fd);

    return head.len;
}


static void
overwrite(const void *octets, size_t len, off_t at)
{
    int  fd;

    fd = open(file, O_WRONLY);
    assert_true(fd != -1);
    assert_int_equal(pwrite(fd, octets, len, at), len);
    close(fd);
}


static void
test_in_force(void **state)
{
    uint64_t  version;

    (void) state;

    open_two();
    begin();
    are(reader, "aa0");
    version = dm_store_version(reader);

    disable("A");
    assert_true(dm_store_version(reader) > version);
    are(reader, "da0");
    assert_int_equal(dm_store_looked(reader), dm_store_version(reader));

    assert_int_equal(lookup(reader, DM_BY_NAME, "alice"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    assert_int_equal(lookup(reader, DM_BY_PSK, "psk a"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    assert_int_equal(lookup(reader, DM_BY_CERT, CERT), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    assert_int_equal(lookup(reader, DM_BY_NAME, "anne"), DM_DECLINED);

    /* the writer sees what it does */

    assert_int_equal(lookup(writer, DM_BY_NAME, "anne"), DM_OK);
    assert_int_equal(found.account.state, DM_ACTIVE);
    assert_int_equal(lookup(writer, DM_BY_ID, "C"), DM_OK);

    /* it has written A, and says that it is active: disabled is stronger */

    version = dm_store_version(reader);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    assert_true(dm_store_version(reader) > version);

    are(reader, "daa");
    are(writer, "daa");
    assert_int_equal(lookup(reader, DM_BY_NAME, "anne"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    assert_int_equal(found.account.ngroups, 1);
    assert_int_equal(length(), 0);
    assert_true(is_free());

    close_two();
}


/* nothing of the writer's stays, and all that was disabled */
static void
test_aborted(void **state)
{
    (void) state;

    open_two();
    begin();
    disable("B");
    dm_store_abort(writer);

    are(reader, "ad0");
    assert_int_equal(length(), 0);
    assert_int_equal(lookup(reader, DM_BY_NAME, "bob"), DM_OK);
    assert_int_equal(found.account.revision, 2);

    close_two();
}


/* accounts that the writer has deleted, and that were never there */
static void
test_gone(void **state)
{
    (void) state;

    open_two();
    begin();
    assert_int_equal(dm_store_del(writer, str("B"), NULL), DM_OK);
    disable("B");
    disable("nobody");
    are(reader, "ad0");
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);

    assert_int_equal(lookup(reader, DM_BY_ID, "B"), DM_DECLINED);
    assert_int_equal(lookup(reader, DM_BY_ID, "C"), DM_OK);
    assert_int_equal(length(), 0);

    close_two();
}


/* a list is in force as a whole; one that is disabled already stays so */
static void
test_list(void **state)
{
    (void) state;

    open_two();
    begin();
    assert_int_equal(dm_store_disable(reader, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_disable(reader, str("B"), NULL), DM_OK);
    are(reader, "aa0");
    assert_int_equal(dm_store_disable_commit(reader, NULL), DM_OK);
    are(reader, "dd0");

    disable("A");
    are(reader, "dd0");
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    are(reader, "dda");

    close_two();
}


static void
run_killed(child_t *self)
{
    writer = child_open(DM_STORE_WRITE);
    begin();
    say(self);
    hear(self);
    _exit(0);
}


/* a writer that is killed leaves the file: who writes next takes it over */
static void
test_killed(void **state)
{
    child_t       child;
    dm_account_t  account;

    (void) state;

    open_two();
    child_start(&child, run_killed);
    hear(&child);
    disable("A");
    say(&child);
    child_end(&child);

    are(reader, "da0");
    assert_true(length() > 0);
    are(writer, "da0");

    /* and can enable it, which is later */

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    assert_int_equal(length(), 0);
    assert_int_equal(lookup(writer, DM_BY_ID, "A"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    account = found.account;
    account.state = DM_ACTIVE;
    put(writer, &account, DM_OK);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);

    are(reader, "aa0");
    are(writer, "aa0");

    close_two();
}


/* killed when the records had it and the file still, too */
static void
test_killed_late(void **state)
{
    uint64_t       len;
    unsigned char  head[sizeof(dm_disabled_head_t)];

    (void) state;

    open_two();
    begin();
    disable("A");
    len = length();
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);

    /* that is the file as it was before it was emptied */

    assert_int_equal(length(), 0);
    memcpy(head, reader->disabled.head, sizeof(head));
    ((dm_disabled_head_t *) (void *) head)->len = len;
    ((dm_disabled_head_t *) (void *) head)->changes += 2;
    overwrite(head, sizeof(head), 0);
    are(reader, "daa");

    put_alone(writer, "D", "dora");
    assert_int_equal(length(), 0);
    assert_int_equal(lookup(reader, DM_BY_ID, "A"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    assert_int_equal(found.account.revision, 3);

    close_two();
}


/* killed when it had emptied the file, and before the number that says so */
static void
test_killed_between(void **state)
{
    dm_account_t        account;
    dm_disabled_head_t  head;

    (void) state;

    open_two();
    begin();
    disable("A");
    are(reader, "da0");
    head = *reader->disabled.head;
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);

    head.changes++;
    head.cleared++;
    head.len = 0;
    overwrite(&head, sizeof(head), 0);

    /* who is enabled then is in */

    assert_int_equal(lookup(writer, DM_BY_ID, "A"), DM_OK);
    account = found.account;
    account.state = DM_ACTIVE;
    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    put(writer, &account, DM_OK);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    are(reader, "aaa");

    /* and who is disabled then is out, by an entry as long as that was */

    overwrite(&head, sizeof(head), 0);
    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    disable("B");
    are(reader, "ada");
    dm_store_abort(writer);
    are(writer, "ada");

    close_two();
}


/* a copy that is made meanwhile has it */
/*
 * A reader that looks while the file is being emptied knows its old length
 * with its new number, and has to see that what comes then begins anew.
 */
static void
test_seen_between(void **state)
{
    dm_store_t          *other;
    dm_disabled_head_t   head, after;

    (void) state;

    open_two();
    other = open_store(DM_STORE_SERVE);
    begin();
    disable("A");
    head = *reader->disabled.head;
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    after = *reader->disabled.head;
    assert_int_equal(after.len, 0);

    head.changes++;
    head.cleared = after.cleared;
    overwrite(&head, sizeof(head), 0);
    are(reader, "daa");
    overwrite(&after, sizeof(after), 0);

    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    disable_by(other, "B");
    assert_int_equal(length(), head.len);
    are(reader, "dda");
    dm_store_abort(writer);
    dm_store_close(other);

    close_two();
}


/* killed in the middle of an entry: what was looked up is not remembered */
static void
test_killed_adding(void **state)
{
    uint64_t            version;
    dm_disabled_head_t  head, after;

    (void) state;

    open_two();
    begin();
    disable("A");
    head = *reader->disabled.head;
    are(reader, "da0");
    version = dm_store_version(reader);
    assert_int_equal(version, dm_store_looked(reader));
    disable("B");
    after = *reader->disabled.head;
    assert_int_equal(after.changes, head.changes + 2);

    /* before the length, and behind it */

    head.changes++;
    overwrite(&head, sizeof(head), 0);
    are(reader, "da0");
    assert_int_equal(dm_store_version(reader), 0);

    head.len = after.len;
    overwrite(&head, sizeof(head), 0);
    are(reader, "dd0");
    assert_int_equal(dm_store_version(reader), 0);

    /* the next one ends it */

    disable("C");
    are(reader, "dd0");
    assert_true(dm_store_version(reader) > version);
    assert_int_equal(dm_store_version(reader), dm_store_looked(reader));
    dm_store_abort(writer);

    close_two();
}


/* a writer without the key of a record does not lose what disables it */
static void
test_other_key(void **state)
{
    dm_err_t    err;
    dm_keys_t   one;
    dm_store_t  *store;

    (void) state;

    /* A and B are under the first key, and a rekey has begun */

    open_two();
    one = keys;
    memset(&keys, 0, sizeof(keys));
    keys.n = 2;
    strcpy(keys.key[0].id, "k9");
    memset(keys.key[0].key, 9, DM_KEY_SIZE);
    keys.key[1] = one.key[0];
    close_two();

    writer = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(writer, NULL), DM_OK);
    assert_int_equal(dm_store_use_key(writer, "k9", NULL), DM_OK);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);

    /* no writer is left that would take it over */

    reader = open_store(DM_STORE_SERVE);
    disable("A");
    close_two();

    keys.n = 1;
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "account \"A\" was disabled"));
    assert_non_null(strstr(err.text, "which the key file does not have"));
    dm_store_close(store);

    keys.n = 2;
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(lookup(store, DM_BY_ID, "A"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    put_alone(store, "D", "dora");
    assert_int_equal(length(), 0);
    assert_int_equal(lookup(store, DM_BY_ID, "A"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    dm_store_close(store);
    keys = one;
}


static void
test_copy(void **state)
{
    char         backup[80], aside[80];
    dm_store_t  *store;
    const char  *like;

    (void) state;

    like = path;

    sprintf(backup, "%s/copy", dir);
    sprintf(aside, "%s/aside", dir);

    open_two();
    begin();
    disable("A");
    assert_int_equal(dm_store_copy(reader, backup, like, NULL, NULL, NULL),
                     DM_OK);
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    close_two();

    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(rename(backup, path), 0);

    store = open_store(DM_STORE_PEEK);
    are(store, "da0");
    dm_store_close(store);

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "C", "carol");
    are(store, "daa");
    dm_store_close(store);
    assert_int_equal(length(), 0);

    discard(path);
    assert_int_equal(rename(aside, path), 0);
}


static int
resize(const dm_slot_seen_t *seen, void *data)
{
    int  fd;

    assert_true(seen->alive);
    fd = openat(seen->dir, seen->name, O_WRONLY);
    assert_int_equal(ftruncate(fd, *(off_t *) data), 0);
    close(fd);

    return DM_OK;
}


static void
resize_slot(off_t size)
{
    assert_int_equal(dm_slots_walk(path, resize, &size, NULL), DM_OK);
}


/* a store of an older version has no such file: a writer makes it */
static void
test_older(void **state)
{
    (void) state;

    assert_int_equal(unlink(file), 0);
    open_two();
    dm_store_close(reader);
    assert_int_equal(unlink(file), 0);
    reader = open_store(DM_STORE_SERVE);
    are(reader, "aa0");

    begin();
    assert_int_equal(length(), 0);

    /* the worker looks once a second, and its slot says when it has */

    assert_null(reader->disabled.head);
    dm_store_tend(reader);
    assert_non_null(reader->disabled.head);
    disable("A");
    are(reader, "da0");

    /* one that does not know of it, as an older version, whose slot is short */

    resize_slot(offsetof(dm_slot_content_t, follows));
    assert_int_equal(dm_store_beside(reader, NULL), DM_DECLINED);
    resize_slot(sizeof(dm_slot_content_t));
    dm_slot_follow(reader->slot, (uint64_t) reader->disabled.ino);

    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    are(reader, "daa");

    close_two();
}


/* who removes the file, as he is told to, has none */
static void
test_removed(void **state)
{
    (void) state;

    open_two();
    begin();
    disable("A");
    are(reader, "da0");
    assert_int_equal(unlink(file), 0);
    dm_store_tend(reader);
    are(reader, "aa0");

    disable("B");
    are(reader, "ad0");
    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    are(reader, "ada");

    close_two();
}


static void
is_refused(void)
{
    assert_int_equal(lookup(reader, DM_BY_ID, "B"), DM_ERROR);
    assert_non_null(strstr(found.err.text, "/disabled\" is damaged"));
    assert_int_equal(dm_store_begin(writer, &found.err), DM_ERROR);
    assert_non_null(strstr(found.err.text, "/disabled\" is damaged"));
    assert_true(is_free());
}


/* who has not the key cannot disable, and a damage is not passed over */
static void
test_forged(void **state)
{
    dm_err_t            err;
    dm_store_t         *store;
    dm_disabled_head_t  head;
    unsigned char       entry[DM_DISABLED_ENTRY];

    (void) state;

    open_two();
    begin();
    disable("A");
    dm_store_abort(writer);

    /* the octets of the entry are there still */

    memcpy(&head, reader->disabled.head, sizeof(head));
    head.len = 2 + 1 + 1 + 1 + 2 + 12 + 16;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    are(reader, "da0");

    /* of another account */

    overwrite("B", 1, ENTRY + 3);
    head.cleared++;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    is_refused();
    overwrite("A", 1, ENTRY + 3);

    /* its end is missing; more than the file has; more than it may have */

    head.len--;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    is_refused();

    head.len = DM_DISABLED_LEN_MAX;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    is_refused();

    head.len++;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    is_refused();

    /* an entry of no length, and one that is all id */

    memset(entry, 0, sizeof(entry));
    overwrite(entry, sizeof(entry), ENTRY);
    head.len = 2;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    is_refused();

    entry[0] = 8;
    entry[2] = 7;
    overwrite(entry, sizeof(entry), ENTRY);
    head.len = 10;
    head.changes += 2;
    overwrite(&head, sizeof(head), 0);
    is_refused();

    /* no such file at all */

    close_two();
    overwrite("x", 1, 0);
    assert_int_equal(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "/disabled\" is damaged"));
    unlink(file);
    assert_int_equal(symlink("data.mdb", file), 0);
    assert_int_equal(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err),
                     DM_INVALID);
    unlink(file);
}


/* there is an end to it, and then nothing of the list is in force */
static void
test_many(void **state)
{
    int       rc;
    char      id[16];
    dm_err_t  err;
    unsigned  n;

    (void) state;

    open_two();
    begin();

    for (n = 0; /* void */ ; n++) {
        sprintf(id, "n%u", n);
        rc = dm_store_disable(reader, str(n == 0 ? "A" : id), &err);

        if (rc != DM_OK) {
            break;
        }
    }

    assert_true(n > 100000);
    assert_int_equal(rc, DM_ERROR);
    assert_int_equal(dm_store_disable_commit(reader, NULL), DM_OK);
    are(reader, "da0");

    assert_int_equal(dm_store_disable(reader, str("B"), NULL), DM_OK);

    while (n-- > 0) {
        assert_int_equal(dm_store_disable(reader, str("x"), NULL), DM_OK);
    }

    assert_int_equal(dm_store_disable_commit(reader, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "too many accounts"));
    are(reader, "da0");

    assert_int_equal(dm_store_commit(writer, NULL), DM_OK);
    are(reader, "daa");
    assert_int_equal(length(), 0);

    close_two();
}


static int
setup_all(void **state)
{
    if (setup(state) != 0) {
        return -1;
    }

    sprintf(file, "%s/disabled", path);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_in_force, fresh),
        cmocka_unit_test_setup(test_aborted, fresh),
        cmocka_unit_test_setup(test_gone, fresh),
        cmocka_unit_test_setup(test_list, fresh),
        cmocka_unit_test_setup(test_killed, fresh),
        cmocka_unit_test_setup(test_killed_late, fresh),
        cmocka_unit_test_setup(test_killed_between, fresh),
        cmocka_unit_test_setup(test_seen_between, fresh),
        cmocka_unit_test_setup(test_killed_adding, fresh),
        cmocka_unit_test_setup(test_other_key, fresh),
        cmocka_unit_test_setup(test_copy, fresh),
        cmocka_unit_test_setup(test_older, fresh),
        cmocka_unit_test_setup(test_removed, fresh),
        cmocka_unit_test_setup(test_forged, fresh),
        cmocka_unit_test_setup(test_many, fresh)
    };

    return cmocka_run_group_tests(tests, setup_all, teardown);
}
