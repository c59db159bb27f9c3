/* A store that follows: what goes to the log, and what comes from it */

#include "follow_fixture.h"


/* the last of what dm_store_check() said */
static dm_err_t  said;


static void
note_damage(const dm_err_t *what, void *data)
{
    (void) data;

    said = *what;
}


static void
check(dm_store_t *store)
{
    uint64_t  n;

    assert_int_equal(dm_store_check(store, NULL, note_damage, NULL, &n, NULL),
                     DM_OK);

    if (n != 0) {
        fail_msg("%s", said.text);
    }
}


/* all of its accounts, as an entry has them, one behind the other */
typedef struct {
    size_t         len;
    unsigned char  octets[ENTRIES * 1024];
} content_t;


static int
add_content(const dm_account_t *account, void *data)
{
    size_t      len;
    content_t  *content;

    content = data;

    assert_true(sizeof(content->octets) - content->len >= DM_RECORD_MAX);
    assert_int_equal(dm_account_pack(account, content->octets + content->len,
                                     &len, NULL),
                     DM_OK);
    content->len += len;

    return DM_OK;
}


static void
content_of(dm_store_t *store, content_t *content)
{
    memset(content, 0, sizeof(content_t));
    assert_int_equal(dm_store_walk(store, add_content, NULL, content, NULL),
                     DM_OK);
}


static void
put_as(dm_store_t *store, const char *id, const char *name, dm_state_t state)
{
    dm_account_t  account;

    make_account(&account, id, name);
    account.state = state;
    put(store, &account, DM_OK);
}


static void
begin(dm_store_t *store)
{
    dm_err_t  err;

    if (dm_store_begin(store, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }
}


static void
commit(dm_store_t *store)
{
    dm_err_t  err;

    if (dm_store_commit(store, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }
}


/* a history: all that accounts go through, and names that change hands */
static void
live(dm_store_t *store)
{
    dm_account_t  account;

    put_two(store);

    begin(store);
    put_as(store, "C", "carol", DM_ACTIVE);
    put_as(store, "B", "bob", DM_DISABLED);
    make_account(&account, "D", "alice");
    put(store, &account, DM_EXISTS);
    commit(store);

    /* A and B exchange their names; D gets what C had */

    begin(store);
    put_as(store, "A", "nobody", DM_ACTIVE);
    put_as(store, "B", "alice", DM_ACTIVE);
    put_as(store, "A", "bob", DM_ACTIVE);
    assert_int_equal(dm_store_del(store, str("C"), NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("C"), NULL), DM_DECLINED);
    put_as(store, "D", "carol", DM_ACTIVE);
    commit(store);
}


static void
test_told(void **state)
{
    unsigned              i;
    dm_store_t           *store;
    content_t             content;
    unsigned char         digest[DM_FLEET_HASH];
    dm_fleet_position_t   position;

    static const dm_fleet_kind_t  kind[] = {
        DM_FLEET_PUT, DM_FLEET_PUT, DM_FLEET_PUT, DM_FLEET_PUT, DM_FLEET_PUT,
        DM_FLEET_PUT, DM_FLEET_PUT, DM_FLEET_DEL, DM_FLEET_PUT
    };

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);

    assert_int_equal(log_now.n, 9);

    for (i = 0; i < log_now.n; i++) {
        assert_int_equal(log_now.entry[i].kind, kind[i]);
    }

    assert_int_equal(log_now.begun, 3);
    assert_int_equal(log_now.committed, 3);
    assert_int_equal(log_now.ended, 3);
    assert_int_equal(log_now.done, 1);

    /* the last put is there as the log has it, and the sum is the last one */

    content_of(store, &content);
    assert_memory_equal(content.octets + content.len - log_now.entry[8].len,
                        log_now.entry[8].octets, log_now.entry[8].len);

    position = position_of(store);
    assert_int_equal(position.follows, 1);
    assert_int_equal(position.place.number, 9);
    assert_int_equal(position.place.chain[0], 10);
    assert_int_equal(position.accounts, 3);
    assert_int_equal(dm_fleet_sum_digest(&position.sum, digest), DM_OK);
    assert_memory_equal(digest, log_now.entry[8].digest, DM_FLEET_HASH);

    /* where nothing changes the log has nothing to commit */

    begin(store);
    commit(store);
    begin(store);
    dm_store_sign(store);
    commit(store);
    begin(store);
    put_as(store, "E", "eve", DM_ACTIVE);
    dm_store_abort(store);

    assert_int_equal(log_now.n, 9);
    assert_int_equal(log_now.begun, 6);
    assert_int_equal(log_now.committed, 3);
    assert_int_equal(log_now.ended, 6);
    assert_int_equal(log_now.done, 0);
    assert_int_equal(position_of(store).place.number, 9);

    check(store);
    dm_store_close(store);
}


/* the log does not begin, takes no change, or does not commit */
static void
test_log_fails(void **state)
{
    int                   rc;
    unsigned              i, n;
    dm_err_t              err;
    dm_store_t           *store;
    content_t             before, after;
    dm_account_t          account;
    dm_fleet_position_t   position;

    static const struct {
        int         begin;
        int         change;
        int         commit;
        int         rc;
        const char *err;
    } when[] = {
        { DM_ERROR, DM_OK, DM_OK, DM_ERROR, "the log does not begin" },
        { DM_INVALID, DM_OK, DM_OK, DM_INVALID, "the log does not begin" },
        { DM_OK, DM_ERROR, DM_OK, DM_ERROR, "the log takes no change" },
        { DM_OK, DM_OK, DM_ERROR, DM_ERROR, "the log does not commit" },
        { DM_OK, DM_OK, DM_EXISTS, DM_EXISTS, "the log does not commit" },
        { DM_OK, DM_OK, DM_DECLINED, DM_DECLINED, "the log does not commit" }
    };

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    content_of(store, &before);

    for (i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
        log_now.on_begin = when[i].begin;
        log_now.on_change = when[i].change;
        log_now.on_commit = when[i].commit;
        n = log_now.ended;

        err.text[0] = '\0';
        rc = dm_store_begin(store, &err);

        if (rc == DM_OK) {
            make_account(&account, "A", "anne");
            rc = dm_store_put(store, &account, &err);

            if (rc == DM_OK) {
                rc = dm_store_commit(store, &err);

            } else {
                assert_int_equal(dm_store_commit(store, NULL), DM_ERROR);
            }

            assert_int_equal(log_now.ended, n + 1);
            assert_int_equal(log_now.done, 0);

        } else {
            assert_int_equal(log_now.ended, n);
        }

        assert_int_equal(rc, when[i].rc);
        assert_string_equal(err.text, when[i].err);
        assert_true(is_free());

        content_of(store, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        position = position_of(store);
        assert_int_equal(position.place.number, 9);
        check(store);
    }

    log_now.on_begin = log_now.on_change = log_now.on_commit = DM_OK;
    begin(store);
    put_as(store, "A", "anne", DM_ACTIVE);
    commit(store);
    assert_int_equal(position_of(store).place.number, 10);
    dm_store_close(store);
}


static void
test_without_log(void **state)
{
    int           follows;
    dm_err_t      err;
    dm_store_t   *store;
    content_t     before, after;
    dm_account_t  account;
    dm_reseal_t   at;

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    content_of(store, &before);
    dm_store_close(store);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_follows(store, &follows, NULL), DM_OK);
    assert_int_equal(follows, 1);

    assert_int_equal(dm_store_begin(store, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "follows a log, and is changed only"));
    assert_true(is_free());

    /* nor past it, in a transaction for what comes from the log */

    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    make_account(&account, "A", "anne");
    assert_int_equal(dm_store_put(store, &account, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "is for what comes from there"));
    assert_int_equal(dm_store_del(store, str("A"), &err), DM_ERROR);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    /* seals are this machine's alone */

    memset(&at, 0, sizeof(at));
    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(dm_store_use_key(store, "k1", NULL), DM_OK);
    assert_int_equal(dm_store_reseal(store, &at, NULL, NULL, NULL),
                     DM_DECLINED);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    content_of(store, &after);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(position_of(store).place.number, 9);
    check(store);
    dm_store_close(store);
}


/* a store that is alone asks no log that it was given */
static void
test_alone(void **state)
{
    int                  follows;
    dm_store_t          *store;
    unsigned char        digest[DM_FLEET_HASH];
    dm_fleet_place_t     place;
    dm_fleet_position_t  position;

    assert_int_equal(follow_fresh(state), 0);
    assert_int_equal(fresh(state), DM_OK);
    place = place_of(1);

    store = open_following(DM_STORE_WRITE);
    put_two(store);

    assert_int_equal(log_now.begun, 0);
    assert_int_equal(dm_store_follows(store, &follows, NULL), DM_OK);
    assert_int_equal(follows, 0);
    assert_int_equal(dm_store_position(store, &position, NULL), DM_DECLINED);

    begin(store);
    assert_int_equal(dm_store_set_place(store, &place, NULL), DM_ERROR);
    assert_int_equal(dm_store_set_beat(store, 1, 1, NULL), DM_ERROR);
    assert_int_equal(dm_store_set_state(store, 1, NULL), DM_ERROR);
    assert_int_equal(dm_store_digest(store, digest, NULL), DM_ERROR);
    assert_int_equal(dm_store_position(store, &position, NULL), DM_DECLINED);
    dm_store_abort(store);

    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(dm_store_apply(store, DM_FLEET_DEL, str("A"), NULL),
                     DM_ERROR);
    dm_store_abort(store);

    dm_store_close(store);
}


static void
test_applied(void **state)
{
    unsigned              n;
    dm_store_t           *store;
    content_t             written, followed;
    dm_store_replica_t    replica;
    dm_fleet_position_t   here, there;

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    content_of(store, &written);
    here = position_of(store);
    dm_store_close(store);

    strcpy(path, second);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 0, 2);
    apply_to(store, 2, 2);
    apply_to(store, 2, 9);
    content_of(store, &followed);
    assert_int_equal(followed.len, written.len);
    assert_memory_equal(&followed, &written, sizeof(written));

    there = position_of(store);
    assert_memory_equal(&here.place, &there.place, sizeof(here.place));
    assert_memory_equal(&here.sum, &there.sum, sizeof(here.sum));
    assert_int_equal(here.accounts, there.accounts);
    assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_OK);
    assert_true(dm_str_eq(found.account.id, str("A")));
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);
    assert_true(dm_str_eq(found.account.id, str("B")));
    assert_int_equal(lookup_hash(store, DM_MD5, "carol"), DM_OK);
    assert_true(dm_str_eq(found.account.id, str("D")));
    check(store);

    /* what the daemon says beside, and who reads it */

    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(dm_store_set_beat(store, 9, 1700000000, NULL), DM_OK);
    assert_int_equal(dm_store_set_state(store, DM_FLEET_FOLLOWING, NULL),
                     DM_OK);
    there = position_of(store);
    assert_int_equal(there.beat, 9);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);

    for (n = 0; n < 3; n++) {
        static const dm_store_mode_t  mode[] = {
            DM_STORE_PEEK, DM_STORE_SERVE, DM_STORE_READ
        };

        store = open_store(mode[n]);
        assert_int_equal(dm_store_replica(store, &replica, NULL), DM_OK);
        assert_int_equal(replica.number, 9);
        assert_int_equal(replica.beaten, 1700000000);
        assert_int_equal(replica.state, DM_FLEET_FOLLOWING);
        dm_store_close(store);
    }
}


/* revision and time are the log's, also where the account was there */
static void
test_kept(void **state)
{
    size_t          i, len;
    dm_store_t     *store;
    dm_account_t    account;
    unsigned char   octets[DM_RECORD_MAX];

    assert_int_equal(follow_fresh(state), 0);
    store = open_store(DM_STORE_WRITE);
    make_account(&account, "A", "anne");

    for (i = 0; i < 2; i++) {
        account.revision = 77 - i;
        account.changed = (int64_t) (12345 - i);
        assert_int_equal(dm_account_pack(&account, octets, &len, NULL), DM_OK);

        assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
        assert_int_equal(dm_store_apply(store, DM_FLEET_PUT,
                                        (dm_str_t) { octets, len }, NULL),
                         DM_OK);
        commit(store);

        assert_int_equal(lookup(store, DM_BY_NAME, "anne"), DM_OK);
        assert_int_equal(found.account.revision, 77 - i);
        assert_int_equal(found.account.changed, 12345 - i);
    }

    dm_store_close(store);
}


/* in each case nothing of the transaction can be committed */
static void
test_not_applied(void **state)
{
    int              rc;
    size_t           len;
    dm_err_t         err;
    unsigned         i;
    dm_store_t      *store;
    content_t        before, after;
    dm_account_t     account;
    unsigned char    octets[DM_RECORD_MAX], taken[DM_RECORD_MAX];

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    dm_store_close(store);

    strcpy(path, second);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 0, 9);
    content_of(store, &before);

    make_account(&account, "E", "alice");
    assert_int_equal(dm_account_pack(&account, taken, &len, NULL), DM_OK);

    {
        const struct {
            dm_fleet_kind_t  kind;
            dm_str_t         what;
            int              rc;
            const char      *err;
        } change[] = {
            { DM_FLEET_PUT, { taken, len }, DM_INVALID,
              "account \"B\" already has the name \"alice\"" },
            { DM_FLEET_PUT, { taken, len - 1 }, DM_INVALID, "" },
            { DM_FLEET_PUT, { taken, 0 }, DM_INVALID, "" },
            { DM_FLEET_DEL, str("E"), DM_INVALID,
              "account \"E\" is deleted, which is not there" },
            { DM_FLEET_DEL, str(""), DM_INVALID, "" },
            { (dm_fleet_kind_t) 3, str("A"), DM_INVALID, "of kind 3" }
        };

        for (i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
            memcpy(octets, change[i].what.data, change[i].what.len);

            assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
            rc = dm_store_apply(store, DM_FLEET_DEL, str("D"), NULL);
            assert_int_equal(rc, DM_OK);
            rc = dm_store_apply(store, change[i].kind,
                                (dm_str_t) { octets, change[i].what.len },
                                &err);
            assert_int_equal(rc, change[i].rc);

            if (strstr(err.text, change[i].err) == NULL) {
                fail_msg("%s", err.text);
            }

            assert_int_equal(dm_store_commit(store, &err), DM_ERROR);
            assert_true(is_free());
            content_of(store, &after);
            assert_memory_equal(&before, &after, sizeof(before));
        }
    }

    check(store);
    dm_store_close(store);
}


/* a writer that is behind applies what it lacks, and then changes on that */
static void
test_behind(void **state)
{
    dm_store_t           *store;
    content_t             here, there;

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    dm_store_close(store);

    strcpy(path, second);
    log_now.behind = 9;
    store = open_following(DM_STORE_WRITE);
    begin(store);
    put_as(store, "A", "bob", DM_DISABLED);
    put_as(store, "F", "frank", DM_ACTIVE);
    commit(store);
    assert_true(is_free());
    assert_int_equal(log_now.n, 11);
    assert_int_equal(position_of(store).place.number, 11);
    check(store);
    content_of(store, &there);
    dm_store_close(store);

    strcpy(path, first);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 9, 11);
    check(store);
    content_of(store, &here);
    assert_memory_equal(&here, &there, sizeof(here));
    dm_store_close(store);
}


/*
 * An import was asked for before others disabled B and deleted D, which it
 * hears of from the log: it brings neither back.
 */
static void
test_import(void **state)
{
    dm_store_t  *store, *importing;

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    dm_store_close(store);

    strcpy(path, second);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 0, 9);
    dm_store_close(store);

    strcpy(path, first);
    store = open_following(DM_STORE_WRITE);
    begin(store);
    put_as(store, "B", "alice", DM_DISABLED);
    assert_int_equal(dm_store_del(store, str("D"), NULL), DM_OK);
    commit(store);
    dm_store_close(store);

    strcpy(path, second);
    importing = open_following(DM_STORE_IMPORT);
    log_now.behind = 2;
    begin(importing);
    put_as(importing, "A", "bob", DM_ACTIVE);
    put_as(importing, "B", "alice", DM_ACTIVE);
    put_as(importing, "X", "carol", DM_ACTIVE);
    commit(importing);

    assert_int_equal(dm_store_kept_disabled(importing), 2);
    assert_int_equal(lookup(importing, DM_BY_ID, "A"), DM_OK);
    assert_int_equal(found.account.state, DM_ACTIVE);
    assert_int_equal(lookup(importing, DM_BY_ID, "B"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    assert_int_equal(lookup(importing, DM_BY_ID, "X"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    dm_store_close(importing);

    /* and the log has it as it is */

    strcpy(path, first);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 11, 14);
    assert_int_equal(lookup(store, DM_BY_ID, "B"), DM_OK);
    assert_int_equal(found.account.state, DM_DISABLED);
    check(store);
    dm_store_close(store);
}


/* this machine's record is damaged, and no other's */
static void
test_does_not_open(void **state)
{
    dm_err_t     err;
    dm_store_t  *store;

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    live(store);
    dm_store_close(store);
    forge("account", str("B"), str("no record"));

    store = open_following(DM_STORE_WRITE);
    begin(store);
    assert_int_equal(dm_store_del(store, str("B"), &err), DM_ERROR);
    dm_store_abort(store);
    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(dm_store_apply(store, DM_FLEET_DEL, str("B"), &err),
                     DM_ERROR);
    dm_store_abort(store);
    assert_int_equal(position_of(store).accounts, 3);
    dm_store_close(store);
}


/* its accounts are what it follows with, and its sum has another root then */
static void
test_started(void **state)
{
    size_t                i;
    dm_err_t              err;
    dm_store_t           *store;
    content_t             before, after;
    dm_account_t          account;
    dm_fleet_place_t      place;
    dm_fleet_position_t   alone, position;

    assert_int_equal(follow_fresh(state), 0);

    for (i = 0; i < 2; i++) {
        assert_int_equal(fresh(state), DM_OK);
        store = open_following(DM_STORE_WRITE);
        put_two(store);
        memset(&alone, 0, sizeof(alone));

        if (i == 1) {
            begin(store);
            assert_int_equal(dm_store_keep_position(store, NULL), DM_OK);
            commit(store);
            alone = position_of(store);
        }

        content_of(store, &before);

        begin(store);
        place = place_of(5);
        assert_int_equal(dm_store_start_following(store, root, &place, NULL),
                         DM_OK);
        make_account(&account, "E", "eve");
        assert_int_equal(dm_store_put(store, &account, &err), DM_ERROR);
        commit(store);

        assert_int_equal(log_now.begun, 0);
        position = position_of(store);
        assert_int_equal(position.follows, 1);
        assert_int_equal(position.place.number, 5);
        assert_int_equal(position.accounts, 2);
        assert_memory_equal(position.root, root, DM_FLEET_ROOT);
        assert_memory_not_equal(&position.sum, &alone.sum, sizeof(alone.sum));
        content_of(store, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        check(store);
        dm_store_close(store);
    }

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);
    forge("account", str("B"), str("no record"));

    store = open_store(DM_STORE_WRITE);
    begin(store);
    assert_int_equal(dm_store_start_following(store, root, &place, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "has accounts that do not open"));
    dm_store_abort(store);
    dm_store_close(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_log_fails),
        cmocka_unit_test(test_without_log),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_applied),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_not_applied),
        cmocka_unit_test(test_behind),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_does_not_open),
        cmocka_unit_test(test_started)
    };

    return cmocka_run_group_tests(tests, follow_setup, follow_teardown);
}
