/*
 * A store that follows, away from its log: what is disabled here, and who puts
 * another position, or none, in the place of the one that there is
 */

#include "follow_fixture.h"


static unsigned  damages;
static dm_err_t  said;


static void
note_damage(const dm_err_t *what, void *data)
{
    (void) data;

    damages++;
    said = *what;
}


static void
check(const char *what)
{
    uint64_t     n;
    dm_store_t  *store;

    damages = 0;
    said.text[0] = '\0';
    store = open_store(DM_STORE_READ);
    assert_int_equal(dm_store_check(store, NULL, note_damage, NULL, &n, NULL),
                     DM_OK);
    dm_store_close(store);

    if (n != (what[0] == '\0' ? 0 : 1) || strstr(said.text, what) == NULL) {
        fail_msg("%u damages, the last: \"%s\"", (unsigned) n,
                 said.text);
    }
}


static void
put_as(dm_store_t *store, const char *id, dm_state_t state)
{
    dm_err_t      err;
    dm_account_t  account;

    make_account(&account, id, id);
    account.state = state;

    if (dm_store_begin(store, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


/* the log has A, B and C; then each of them is disabled, and A and B again
   active.  C is gone.  This machine has the first three entries of the nine. */
static void
written(void **state)
{
    dm_store_t  *store;

    assert_int_equal(follow_fresh(state), 0);
    store = open_following(DM_STORE_WRITE);
    put_as(store, "A", DM_ACTIVE);
    put_as(store, "B", DM_ACTIVE);
    put_as(store, "C", DM_ACTIVE);
    put_as(store, "A", DM_DISABLED);
    put_as(store, "B", DM_DISABLED);
    put_as(store, "A", DM_ACTIVE);
    put_as(store, "C", DM_DISABLED);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("C"), NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    put_as(store, "B", DM_ACTIVE);
    dm_store_close(store);

    strcpy(path, second);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 0, 3);
    dm_store_close(store);
}


/* a worker, and who disables beside it */
static void
here(dm_store_t *store, const char *id, int lift)
{
    int       rc;
    dm_err_t  err;

    assert_int_equal(dm_store_beside(store, NULL), DM_OK);

    rc = lift ? dm_store_lift(store, str(id), &err)
              : dm_store_disable(store, str(id), &err);

    if (rc != DM_OK || dm_store_disable_commit(store, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }
}


static int
is_active(dm_store_t *reader, const char *id)
{
    assert_int_equal(lookup(reader, DM_BY_ID, id), DM_OK);

    return found.account.state == DM_ACTIVE;
}


static int
note_here(dm_str_t id, void *data)
{
    char  *ids;

    ids = data;
    strncat(ids, (const char *) id.data, id.len);

    return DM_OK;
}


static void
are_here(dm_store_t *store, const char *expected)
{
    char  ids[64];

    ids[0] = '\0';
    assert_int_equal(dm_store_walk_here(store, note_here, ids, NULL), DM_OK);
    assert_string_equal(ids, expected);
}


static void
state_is(dm_store_t *store, unsigned state)
{
    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(dm_store_set_state(store, state, NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
}


static void
test_holds(void **state)
{
    dm_store_t  *store, *reader;

    written(state);
    store = open_store(DM_STORE_WRITE);
    reader = open_store(DM_STORE_SERVE);
    store->patience = 0;

    here(reader, "A", 0);
    here(reader, "B", 0);
    here(reader, "C", 0);
    assert_false(is_active(reader, "A"));

    /* the records are the log's */

    apply_to(store, 3, 3);
    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_true(is_active(store, "A"));
    dm_store_abort(store);
    are_here(reader, "ABC");
    are_here(store, "ABC");

    /* A and B were disabled, and A is active again: old entries lift nothing */

    state_is(store, DM_FLEET_CATCHING_UP);
    apply_to(store, 3, 5);
    are_here(reader, "ABC");
    apply_to(store, 5, 6);
    assert_false(is_active(reader, "A"));

    /* at the end of the log B is disabled there, too, and C is soon gone */

    state_is(store, DM_FLEET_FOLLOWING);
    are_here(reader, "AC");
    assert_false(is_active(reader, "A"));
    assert_false(is_active(reader, "B"));
    apply_to(store, 6, 8);
    are_here(reader, "A");

    /* what the log makes active then is active here */

    apply_to(store, 8, 9);
    assert_true(is_active(reader, "B"));
    assert_false(is_active(reader, "A"));

    /* until somebody takes it back here, by whom all is emptied */

    assert_int_equal(dm_store_lift(reader, str("B"), NULL), DM_DECLINED);
    here(reader, "A", 1);
    assert_true(is_active(reader, "A"));
    assert_true(reader->disabled.head->len > 0);
    are_here(reader, "");
    apply_to(store, 9, 9);
    assert_int_equal(reader->disabled.head->len, 0);
    assert_true(is_active(reader, "A"));

    /* and once more */

    here(reader, "A", 0);
    assert_false(is_active(reader, "A"));
    apply_to(store, 9, 9);
    assert_false(is_active(reader, "A"));

    dm_store_close(reader);
    dm_store_close(store);
    check("");
}


/* a writer is at the end of the log, whatever the daemon says */
static void
test_writer_confirms(void **state)
{
    dm_store_t  *store, *reader;

    written(state);
    strcpy(path, first);
    store = open_following(DM_STORE_WRITE);
    reader = open_store(DM_STORE_SERVE);
    store->patience = 0;

    here(reader, "A", 0);
    here(reader, "B", 0);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    are_here(reader, "AB");
    dm_store_abort(store);
    are_here(reader, "AB");

    put_as(store, "A", DM_DISABLED);
    are_here(reader, "B");
    put_as(store, "B", DM_ACTIVE);
    assert_false(is_active(reader, "B"));
    assert_false(is_active(reader, "A"));
    put_as(store, "A", DM_ACTIVE);
    assert_true(is_active(reader, "A"));
    assert_false(is_active(reader, "B"));

    dm_store_close(reader);
    dm_store_close(store);
}


/* there a denial is taken over, and nothing is to be lifted */
static void
test_alone(void **state)
{
    dm_err_t     err;
    dm_store_t  *store, *reader;

    assert_int_equal(follow_fresh(state), 0);
    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    reader = open_store(DM_STORE_SERVE);
    store->patience = 0;
    put_as(store, "A", DM_ACTIVE);
    here(reader, "A", 0);
    assert_int_equal(dm_store_lift(reader, str("A"), &err), DM_INVALID);
    assert_non_null(strstr(err.text, "follows no log"));
    are_here(reader, "");
    put_as(store, "B", DM_ACTIVE);
    assert_int_equal(reader->disabled.head->len, 0);
    assert_false(is_active(reader, "A"));
    dm_store_close(reader);
    dm_store_close(store);
}


/* of a record that does not open nobody knows whether the log says the same */
static void
test_does_not_open(void **state)
{
    dm_store_t  *store, *reader;

    written(state);
    forge("account", str("B"), str("no record"));
    store = open_store(DM_STORE_WRITE);
    reader = open_store(DM_STORE_SERVE);
    store->patience = 0;
    here(reader, "B", 0);
    state_is(store, DM_FLEET_FOLLOWING);
    apply_to(store, 3, 3);
    are_here(reader, "B");
    dm_store_close(reader);
    dm_store_close(store);
}


/* a copy has position and denials, and goes on where the store was */
static void
test_copy(void **state)
{
    dm_err_t              err;
    dm_store_t           *store, *reader;
    dm_store_owner_t      owner;
    dm_fleet_position_t   position, copied;

    written(state);
    store = open_store(DM_STORE_WRITE);
    reader = open_store(DM_STORE_SERVE);
    store->patience = 0;
    here(reader, "A", 0);
    here(reader, "B", 0);
    here(reader, "B", 1);
    position = position_of(store);
    assert_int_equal(position.place.number, 3);

    discard(first);
    owner = owner_of(getgid());

    if (dm_store_copy(store, first, second, &owner, NULL, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }

    dm_store_close(reader);
    dm_store_close(store);

    strcpy(path, first);
    check("");
    store = open_store(DM_STORE_WRITE);
    copied = position_of(store);
    assert_memory_equal(&position, &copied, sizeof(position));
    are_here(store, "A");
    apply_to(store, 3, 9);
    are_here(store, "A");
    dm_store_close(store);
    check("");
}


/* the meta record of the time before the store followed, which it does then */
static size_t
old_meta(unsigned char *meta)
{
    dm_store_t         *store;
    size_t              len;
    dm_fleet_place_t    place;

    assert_int_equal(fresh(NULL), DM_OK);
    store = open_store(DM_STORE_WRITE);
    put_as(store, "A", DM_ACTIVE);
    dm_store_close(store);

    len = peer_into("meta", "meta", meta);

    store = open_following(DM_STORE_WRITE);
    place = place_of(0);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_start_following(store, root, &place, NULL),
                     DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);

    return len;
}


/* who can write the file cannot write a format that the store has not had */
static void
test_format(void **state)
{
    size_t          len;
    dm_err_t        err;
    dm_store_t     *store;
    unsigned char   meta[DM_STORE_META_MAX], old[DM_STORE_META_MAX];

    assert_int_equal(follow_fresh(state), 0);
    (void) old_meta(old);
    assert_int_equal(old[0], DM_STORE_FORMAT);

    len = peer_into("meta", "meta", meta);
    assert_int_equal(meta[0], DM_STORE_FORMAT_POSITION);
    meta[0] = DM_STORE_FORMAT;
    forge("meta", str("meta"), (dm_str_t) { meta, len });

    assert_int_equal(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "changed by somebody without the key"));
}


/* nor can he put back one that it had, as long as the position is there */
static void
test_old_format(void **state)
{
    int                  follows;
    size_t               len;
    dm_err_t             err;
    dm_store_t          *store;
    unsigned char        meta[DM_STORE_META_MAX];
    dm_store_replica_t   replica;

    assert_int_equal(follow_fresh(state), 0);
    len = old_meta(meta);
    forge("meta", str("meta"), (dm_str_t) { meta, len });

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "exchanged for an old one"));
    assert_int_equal(dm_store_begin_apply(store, &err), DM_ERROR);
    assert_int_equal(dm_store_follows(store, &follows, &err), DM_INVALID);
    assert_int_equal(dm_store_replica(store, &replica, &err), DM_INVALID);
    dm_store_close(store);
    check("exchanged for an old one");

    /* with that gone, too, it is the store that it was before: it follows
       nothing, which is what those see who expect that it does */

    forge("meta", str("position"), (dm_str_t) { NULL, 0 });
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_follows(store, &follows, &err), DM_OK);
    assert_int_equal(follows, 0);
    assert_int_equal(dm_store_replica(store, &replica, &err), DM_DECLINED);
    dm_store_close(store);
}


/* after a rekey no meta record of the time before it opens */
static void
test_old_key(void **state)
{
    size_t          len;
    dm_err_t        err;
    dm_keys_t       both;
    dm_store_t     *store;
    unsigned char   meta[DM_STORE_META_MAX];

    assert_int_equal(follow_fresh(state), 0);
    len = old_meta(meta);

    both = keys;
    keys.n = 2;
    strcpy(keys.key[1].id, "k2");
    memset(keys.key[1].key, 9, DM_KEY_SIZE);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(dm_store_use_key(store, "k2", NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);

    keys.key[0] = keys.key[1];
    keys.n = 1;
    forge("meta", str("meta"), (dm_str_t) { meta, len });
    assert_int_equal(dm_store_open(&store, path, DM_STORE_SERVE, &keys, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "sealed with key \"k1\""));
    keys = both;
}


/* an old position, or another store's, has another sum, or does not open */
static void
test_old_position(void **state)
{
    size_t          len;
    dm_err_t        err;
    dm_store_t     *store;
    unsigned char   old[DM_FLEET_POSITION_MAX], digest[DM_FLEET_HASH];

    written(state);
    len = peer_into("meta", "position", old);
    store = open_store(DM_STORE_WRITE);
    apply_to(store, 3, 5);
    dm_store_close(store);

    forge("meta", str("position"), (dm_str_t) { old, len });
    check("an old record was put back");

    /* the first entry that comes says so, before it is committed */

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(position_of(store).place.number, 3);
    assert_int_equal(dm_store_begin_apply(store, NULL), DM_OK);
    assert_int_equal(apply(store, 3, NULL), DM_OK);
    assert_int_equal(dm_store_digest(store, digest, NULL), DM_OK);
    assert_memory_not_equal(digest, log_now.entry[3].digest, DM_FLEET_HASH);
    dm_store_abort(store);
    dm_store_close(store);

    assert_int_equal(fresh(state), DM_OK);
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_keep_position(store, NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    dm_store_close(store);
    forge("meta", str("position"), (dm_str_t) { old, len });
    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "is another store's"));
    dm_store_close(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_writer_confirms),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_does_not_open),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_old_format),
        cmocka_unit_test(test_old_key),
        cmocka_unit_test(test_old_position)
    };

    return cmocka_run_group_tests(tests, follow_setup, follow_teardown);
}
