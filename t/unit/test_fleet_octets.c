/* Entries, rows, heads, beats and positions, and whoever changes them */

#include "fleet_fixture.h"

#include "dm_fleet_entry.h"
#include "dm_fleet_head.h"
#include "dm_fleet_position.h"
#include "dm_fleet_row.h"


static const unsigned char  digest[DM_FLEET_HASH] =
    "the sum behind that entry......";


/* one change of an account, and one that is gone */
static dm_str_t
make_changes(unsigned char *out, size_t size)
{
    dm_err_t            err;
    unsigned char       account[DM_RECORD_MAX];
    dm_fleet_changes_t  changes;

    memset(&changes, 0, sizeof(changes));
    changes.time = 1700000000;
    changes.user = str("ann");
    changes.host = str("dm1.example.com");
    changes.verb = str("disable");

    assert_int_equal(dm_fleet_changes(&changes, out, size, &err), DM_OK);
    assert_int_equal(dm_fleet_change(&changes, DM_FLEET_PUT,
                                     fleet_account("IMEI:1", 7, account),
                                     &err),
                     DM_OK);
    assert_int_equal(dm_fleet_change(&changes, DM_FLEET_DEL, str("IMEI:2"),
                                     &err),
                     DM_OK);

    return dm_fleet_changed(&changes);
}


/* the entry behind before, in new memory of just its size */
static dm_str_t
make_entry(dm_fleet_t *fleet, unsigned char authority,
    const dm_fleet_place_t *before, dm_fleet_place_t *place)
{
    size_t              len;
    dm_err_t            err;
    unsigned char       changes[DM_RECORD_MAX], *out, *fit;
    dm_fleet_signer_t  *signer;

    signer = fleet_signer(authority);
    out = malloc(DM_FLEET_ENTRY_MAX);
    assert_non_null(out);

    assert_int_equal(dm_fleet_entry_write(fleet, signer, before, digest,
                                          make_changes(changes,
                                                       sizeof(changes)),
                                          out, &len, place, &err),
                     DM_OK);

    dm_fleet_signer_free(signer);

    fit = realloc(out, len);
    assert_non_null(fit);

    return (dm_str_t) { fit, len };
}


/* reads a copy of it, and says what came of it */
static int
read_entry(dm_fleet_t *fleet, const dm_fleet_place_t *before, dm_str_t octets,
    dm_err_t *err)
{
    int                rc;
    unsigned char     *copy;
    dm_fleet_entry_t   entry;

    copy = malloc(octets.len);
    assert_non_null(copy);
    memcpy(copy, octets.data, octets.len);

    rc = dm_fleet_entry_read(fleet, before, copy, octets.len, &entry, err);

    /* nothing of what is not believed stays */

    assert_true(rc == DM_OK || copy[0] == 0);

    free(copy);

    return rc;
}


static void
test_entry(void **state)
{
    dm_err_t            err;
    dm_str_t            octets, twice;
    dm_fleet_t         *fleet;
    dm_account_t        account;
    unsigned char      *data;
    dm_fleet_entry_t    entry;
    dm_fleet_place_t    start, place, other;
    dm_fleet_change_t   change;

    (void) state;

    fleet = fleet_of(store_id, 1, 2);
    assert_int_equal(dm_fleet_start(fleet, &start), DM_OK);
    octets = make_entry(fleet, 2, &start, &place);
    twice = make_entry(fleet, 2, &start, &other);

    assert_int_equal(place.number, 1);
    assert_int_equal(dm_fleet_same_place(&place, &place), 1);
    assert_int_equal(dm_fleet_same_place(&place, &start), 0);

    /* the same once more is another entry: two writers cannot both be right */

    assert_int_equal(other.number, 1);
    assert_int_equal(dm_fleet_same_place(&place, &other), 0);

    /* what it follows stands in it */

    assert_int_equal(dm_fleet_entry_before(octets, &other, &err), DM_OK);
    assert_int_equal(dm_fleet_same_place(&other, &start), 1);
    assert_int_equal(dm_fleet_entry_before((dm_str_t) { octets.data, 56 },
                                           &other, &err),
                     DM_INVALID);
    assert_int_equal(dm_fleet_entry_before((dm_str_t) { octets.data, 57 },
                                           &other, &err),
                     DM_OK);

    data = (unsigned char *) octets.data;
    assert_int_equal(dm_fleet_entry_read(fleet, &start, data, octets.len,
                                         &entry, &err),
                     DM_OK);
    assert_int_equal(dm_fleet_same_place(&entry.place, &place), 1);
    assert_int_equal(dm_fleet_same_place(&entry.before, &start), 1);
    assert_memory_equal(entry.digest, digest, DM_FLEET_HASH);
    assert_int_equal(entry.changes.time, 1700000000);
    assert_true(same(entry.changes.user, "ann"));
    assert_true(same(entry.changes.host, "dm1.example.com"));
    assert_true(same(entry.changes.verb, "disable"));
    assert_int_equal(entry.changes.n, 2);

    assert_int_equal(dm_fleet_next(&entry.changes, &change, &err), DM_OK);
    assert_int_equal(change.kind, DM_FLEET_PUT);
    assert_int_equal(dm_account_unpack(&account, change.data, change.len,
                                       &err),
                     DM_OK);
    assert_true(same(account.id, "IMEI:1"));
    assert_int_equal(account.revision, 7);
    assert_true(same(account.psk[0].key, "0123456789abcdef"));

    assert_int_equal(dm_fleet_next(&entry.changes, &change, &err), DM_OK);
    assert_int_equal(change.kind, DM_FLEET_DEL);
    assert_true(same((dm_str_t) { change.data, change.len }, "IMEI:2"));
    assert_int_equal(dm_fleet_next(&entry.changes, &change, &err),
                     DM_DECLINED);

    free((void *) octets.data);
    free((void *) twice.data);
    dm_fleet_free(fleet);
}


typedef struct {
    dm_fleet_t           *fleet;
    dm_fleet_place_t      before;
    dm_fleet_verifier_t  *verifier;
    unsigned char         key[DM_FLEET_KEY];
    dm_sealer_t          *sealer;
    dm_fleet_place_t      place;
} test_reader_t;


static int
read_changed_entry(unsigned char *data, size_t len, void *data2)
{
    test_reader_t     *reader;
    dm_fleet_entry_t   entry;

    reader = data2;

    return dm_fleet_entry_read(reader->fleet, &reader->before, data, len,
                               &entry, NULL);
}


static int
read_changed_at(unsigned char *data, size_t len, void *data2)
{
    test_reader_t     *reader;
    dm_fleet_entry_t   entry;

    reader = data2;

    return dm_fleet_entry_read_at(reader->fleet, &reader->before,
                                  &reader->place, data, len, &entry, NULL);
}


/* of entries whose places are known by the signature of a later one */
static void
test_entry_at(void **state)
{
    dm_err_t           err;
    dm_str_t           first, fork;
    test_reader_t      reader;
    dm_fleet_entry_t   entry;
    dm_fleet_place_t   place, branch;

    (void) state;

    reader.fleet = fleet_of(store_id, 1, 2);
    assert_int_equal(dm_fleet_start(reader.fleet, &reader.before), DM_OK);
    first = make_entry(reader.fleet, 2, &reader.before, &reader.place);
    fork = make_entry(reader.fleet, 2, &reader.before, &branch);

    assert_int_equal(dm_fleet_entry_place(&reader.before, first, &place),
                     DM_OK);
    assert_int_equal(dm_fleet_same_place(&place, &reader.place), 1);

    assert_int_equal(dm_fleet_entry_place(&branch, first, &place),
                     DM_DECLINED);
    first.len = 56;
    assert_int_equal(dm_fleet_entry_place(&reader.before, first, &place),
                     DM_DECLINED);

    /* another one that the authority has signed, too */

    assert_int_equal(dm_fleet_entry_read_at(reader.fleet, &reader.before,
                                            &reader.place,
                                            (unsigned char *) fork.data,
                                            fork.len, &entry, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "entry 1 is another one than"));

    free((void *) first.data);
    first = make_entry(reader.fleet, 2, &reader.before, &reader.place);
    fleet_each_change(first, read_changed_at, &reader);

    assert_int_equal(dm_fleet_entry_read_at(reader.fleet, &reader.before,
                                            &reader.place,
                                            (unsigned char *) first.data,
                                            first.len, &entry, &err),
                     DM_OK);
    assert_int_equal(entry.changes.n, 2);
    assert_int_equal(dm_fleet_same_place(&entry.place, &reader.place), 1);

    free((void *) first.data);
    free((void *) fork.data);
    dm_fleet_free(reader.fleet);
}


static void
test_entry_changed(void **state)
{
    dm_str_t           octets;
    test_reader_t      reader;
    dm_fleet_place_t   place;

    (void) state;

    reader.fleet = fleet_of(store_id, 1, 2);
    assert_int_equal(dm_fleet_start(reader.fleet, &reader.before), DM_OK);
    octets = make_entry(reader.fleet, 2, &reader.before, &place);

    fleet_each_change(octets, read_changed_entry, &reader);

    free((void *) octets.data);
    dm_fleet_free(reader.fleet);
}


/* each by somebody who has all keys but those that it is about */
static void
test_entry_of_others(void **state)
{
    dm_err_t            err;
    dm_str_t            first, second, stolen, foreign, other_key, fork;
    dm_fleet_t         *fleet, *other, *key;
    dm_fleet_place_t    start, place, next, branch, unused, foreign_start;

    (void) state;

    fleet = fleet_of(store_id, 1, 2);
    other = fleet_of(root, 1, 2);
    key = fleet_of(store_id, 3, 2);

    assert_int_equal(dm_fleet_start(fleet, &start), DM_OK);
    assert_int_equal(dm_fleet_start(other, &foreign_start), DM_OK);

    first = make_entry(fleet, 2, &start, &place);
    second = make_entry(fleet, 2, &place, &next);
    fork = make_entry(fleet, 2, &start, &branch);
    stolen = make_entry(fleet, 9, &start, &unused);
    foreign = make_entry(other, 2, &start, &unused);
    other_key = make_entry(key, 2, &start, &unused);

    assert_int_equal(read_entry(fleet, &start, first, &err), DM_OK);
    assert_int_equal(read_entry(fleet, &place, second, &err), DM_OK);

    /* left out, and once more */

    assert_int_equal(read_entry(fleet, &start, second, &err), DM_INVALID);
    assert_string_equal(err.text, "entry 2 stands where 1 is to be");
    assert_int_equal(read_entry(fleet, &place, first, &err), DM_INVALID);
    assert_string_equal(err.text, "entry 1 stands where 2 is to be");

    assert_int_equal(read_entry(fleet, &branch, second, &err), DM_DECLINED);
    assert_non_null(strstr(err.text, "the log was forked"));

    assert_int_equal(read_entry(fleet, &start, stolen, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "is not signed by the authority"));

    assert_int_equal(read_entry(fleet, &start, foreign, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "not of this store"));

    assert_int_equal(read_entry(fleet, &start, other_key, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "was sealed with another"));

    free((void *) first.data);
    free((void *) second.data);
    free((void *) fork.data);
    free((void *) stolen.data);
    free((void *) foreign.data);
    free((void *) other_key.data);
    dm_fleet_free(fleet);
    dm_fleet_free(other);
    dm_fleet_free(key);
}


static void
test_changes_limits(void **state)
{
    unsigned            i;
    dm_err_t            err;
    unsigned char       out[16 * 1024];
    dm_fleet_changes_t  changes;

    (void) state;

    memset(&changes, 0, sizeof(changes));
    changes.user = str("ann");
    changes.host = str("a\nb");
    changes.verb = str("del");

    assert_int_equal(dm_fleet_changes(&changes, out, sizeof(out), &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "the host"));

    changes.host = str("ab");
    assert_int_equal(dm_fleet_changes(&changes, out, 18, &err), DM_INVALID);
    assert_int_equal(dm_fleet_changes(&changes, out, 22, &err), DM_OK);
    assert_int_equal(dm_fleet_change(&changes, DM_FLEET_DEL, str("abc"), &err),
                     DM_DECLINED);
    assert_int_equal(dm_fleet_change(&changes, DM_FLEET_DEL, str(""), &err),
                     DM_INVALID);
    assert_int_equal(changes.n, 0);

    assert_int_equal(dm_fleet_changes(&changes, out, sizeof(out), &err),
                     DM_OK);
    assert_int_equal(dm_fleet_change(&changes, DM_FLEET_DEL,
                                     (dm_str_t) { out, DM_ID_MAX + 1 }, &err),
                     DM_INVALID);

    for (i = 0; i < DM_FLEET_CHANGES; i++) {
        assert_int_equal(dm_fleet_change(&changes, DM_FLEET_DEL, str("abc"),
                                         &err),
                         DM_OK);
    }

    assert_int_equal(dm_fleet_change(&changes, DM_FLEET_DEL, str("abc"),
                                     &err),
                     DM_DECLINED);
    assert_int_equal(changes.n, DM_FLEET_CHANGES);
}


/* as many octets as an entry may have, all of them changes */
static void
test_entry_largest(void **state)
{
    size_t              i, len;
    dm_err_t            err;
    dm_fleet_t         *fleet;
    unsigned char      *plain, *out, account[DM_RECORD_MAX];
    dm_fleet_entry_t    entry;
    dm_fleet_place_t    start, place;
    dm_fleet_change_t   change;
    dm_fleet_signer_t  *signer;
    dm_fleet_changes_t  changes;

    (void) state;

    fleet = fleet_of(store_id, 1, 2);
    signer = fleet_signer(2);
    plain = malloc(DM_FLEET_CHANGES_MAX + 1);
    out = malloc(DM_FLEET_ENTRY_MAX);
    assert_true(plain != NULL && out != NULL);
    memset(account, 'a', sizeof(account));

    memset(&changes, 0, sizeof(changes));
    changes.user = changes.host = changes.verb = str("a");
    assert_int_equal(dm_fleet_changes(&changes, plain,
                                      DM_FLEET_CHANGES_MAX + 1, &err),
                     DM_OK);

    while (changes.w.pos < changes.w.last) {
        len = (size_t) (changes.w.last - changes.w.pos) - 3;
        len = len < 10000 + 4 ? len : 10000;
        assert_int_equal(dm_fleet_change(&changes, DM_FLEET_PUT,
                                         (dm_str_t) { account, len }, &err),
                         DM_OK);
    }

    assert_int_equal(dm_fleet_changed(&changes).len, DM_FLEET_CHANGES_MAX);
    assert_int_equal(dm_fleet_start(fleet, &start), DM_OK);
    assert_int_equal(dm_fleet_entry_write(fleet, signer, &start, digest,
                                          (dm_str_t) { plain,
                                              DM_FLEET_CHANGES_MAX + 1 },
                                          out, &len, &place, &err),
                     DM_ERROR);
    assert_int_equal(dm_fleet_entry_write(fleet, signer, &start, digest,
                                          dm_fleet_changed(&changes), out,
                                          &len, &place, &err),
                     DM_OK);
    assert_int_equal(dm_fleet_entry_read(fleet, &start, out, len, &entry,
                                         &err),
                     DM_OK);

    for (i = 0; dm_fleet_next(&entry.changes, &change, &err) == DM_OK; i++) {
        /* void */
    }

    assert_int_equal(i, changes.n);

    free(plain);
    free(out);
    dm_fleet_signer_free(signer);
    dm_fleet_free(fleet);
}


/* changes that end before they say, or do not */
static void
test_changes_bad(void **state)
{
    unsigned            i;
    dm_err_t            err;
    unsigned char       octets[16];
    dm_fleet_change_t   change;
    dm_fleet_changes_t  changes;

    static const struct {
        unsigned     n;
        const char  *octets;
        size_t       len;
    } bad[] = {
        { 0, "\2\1a", 3 },              /* behind the last */
        { 1, "", 0 },
        { 1, "\2\2a", 3 },
        { 1, "\0\1a", 3 },              /* of no kind */
        { 1, "\3\1a", 3 },
        { 1, "\2\0", 2 },
        { 1, "\1\2\0a", 4 }
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&changes, 0, sizeof(changes));
        memcpy(octets, bad[i].octets, bad[i].len);
        dm_wire_init(&changes.w, octets, bad[i].len);
        changes.n = bad[i].n;

        assert_int_equal(dm_fleet_next(&changes, &change, &err), DM_INVALID);
        assert_string_equal(err.text, "the changes of an entry are not "
                            "whole");
    }
}


static int
read_changed_row(unsigned char *data, size_t len, void *data2)
{
    test_reader_t   *reader;
    dm_account_t     account;
    dm_fleet_row_t   row;

    reader = data2;

    return dm_fleet_row_read(reader->fleet,
                             (dm_str_t) { reader->key, DM_FLEET_KEY }, data,
                             len, &row, &account, NULL);
}


static void
test_row(void **state)
{
    size_t          len;
    dm_err_t        err;
    dm_str_t        octets;
    dm_account_t    account;
    test_reader_t   reader;
    dm_fleet_row_t  row;
    unsigned char   packed[DM_RECORD_MAX], out[DM_FLEET_ROW_MAX];
    unsigned char   copy[DM_FLEET_ROW_MAX];

    (void) state;

    reader.fleet = fleet_of(store_id, 1, 2);
    octets = fleet_account("IMEI:1", 7, packed);

    assert_int_equal(dm_fleet_row_write(reader.fleet, str("IMEI:1"), octets,
                                        258, reader.key, out, &len, &err),
                     DM_OK);

    memcpy(copy, out, len);
    assert_int_equal(dm_fleet_row_read(reader.fleet,
                                       (dm_str_t) { reader.key, DM_FLEET_KEY },
                                       copy, len, &row, &account, &err),
                     DM_OK);
    assert_int_equal(row.number, 258);
    assert_true(same(account.id, "IMEI:1"));
    assert_true(dm_str_eq(row.octets, octets));

    fleet_each_change((dm_str_t) { out, len }, read_changed_row, &reader);

    /* under another key, whoever put it there */

    reader.key[31] ^= 1;
    memcpy(copy, out, len);
    assert_int_equal(read_changed_row(copy, len, &reader), DM_INVALID);
    assert_int_equal(copy[len - 1], 0);

    assert_int_equal(dm_fleet_row_write(reader.fleet, str("IMEI:2"), octets,
                                        258, reader.key, out, &len, &err),
                     DM_OK);
    assert_int_equal(dm_fleet_row_read(reader.fleet,
                                       (dm_str_t) { reader.key, DM_FLEET_KEY },
                                       out, len, &row, &account, &err),
                     DM_INVALID);
    assert_string_equal(err.text, "the row of account \"IMEI:1\" stands under "
                        "the key of another");

    /* sealed by one who has the key, and no account */

    assert_int_equal(dm_fleet_row_write(reader.fleet, str("IMEI:2"),
                                        str("\1bad"), 1, reader.key, out,
                                        &len, &err),
                     DM_OK);
    assert_int_equal(read_changed_row(out, len, &reader), DM_INVALID);

    dm_fleet_free(reader.fleet);
}


static int
read_changed_head(unsigned char *data, size_t len, void *data2)
{
    dm_fleet_head_t  head;

    return dm_fleet_head_read(((test_reader_t *) data2)->fleet, data, len,
                              &head, NULL);
}


static void
test_head(void **state)
{
    size_t              len;
    dm_err_t            err;
    dm_fleet_t         *other;
    unsigned char       out[DM_FLEET_HEAD_MAX], id[DM_FLEET_ID];
    test_reader_t       reader;
    dm_fleet_head_t     head, back;
    dm_fleet_signer_t  *signer, *thief;

    (void) state;

    reader.fleet = fleet_of(store_id, 1, 2);
    signer = fleet_signer(2);
    thief = fleet_signer(9);

    memset(&head, 0, sizeof(head));
    head.place.number = 300;
    memset(head.place.chain, 3, DM_FLEET_HASH);
    head.accounts = 1000000;
    memcpy(head.digest, digest, DM_FLEET_HASH);
    memset(head.beats, 4, DM_FLEET_PUBLIC);
    memcpy(head.root, root, DM_FLEET_ROOT);
    head.realm_len = 4;
    memcpy(head.realm, "fota", 4);

    assert_int_equal(dm_fleet_head_write(reader.fleet, signer, &head, out,
                                         &len, &err),
                     DM_OK);
    assert_int_equal(dm_fleet_head_read(reader.fleet, out, len, &back, &err),
                     DM_OK);
    assert_memory_equal(&head, &back, sizeof(head));

    assert_int_equal(dm_fleet_head_id((dm_str_t) { out, len }, id, &err),
                     DM_OK);
    assert_memory_equal(id, reader.fleet->store_id, DM_FLEET_ID);
    assert_int_equal(dm_fleet_head_id((dm_str_t) { out, DM_FLEET_ID }, id,
                                      &err),
                     DM_INVALID);
    assert_int_equal(dm_fleet_head_id((dm_str_t) { out + 1, len - 1 }, id,
                                      &err),
                     DM_INVALID);

    fleet_each_change((dm_str_t) { out, len }, read_changed_head, &reader);

    other = fleet_of(root, 1, 2);
    assert_int_equal(dm_fleet_head_read(other, out, len, &back, &err),
                     DM_INVALID);
    dm_fleet_free(other);

    other = fleet_of(store_id, 7, 2);
    assert_int_equal(dm_fleet_head_read(other, out, len, &back, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "does not open with the keys"));
    dm_fleet_free(other);

    assert_int_equal(dm_fleet_head_write(reader.fleet, thief, &head, out,
                                         &len, &err),
                     DM_OK);
    assert_int_equal(dm_fleet_head_read(reader.fleet, out, len, &back, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "is not signed by the authority"));

    dm_fleet_signer_free(signer);
    dm_fleet_signer_free(thief);
    dm_fleet_free(reader.fleet);
}


static int
read_changed_beat(unsigned char *data, size_t len, void *data2)
{
    test_reader_t    *reader;
    dm_fleet_beat_t   beat;

    reader = data2;

    return dm_fleet_beat_read(reader->fleet, reader->verifier, data, len,
                              &beat, NULL);
}


/* the key of beats signs beats, and nothing else of the authority's */
static void
test_beat(void **state)
{
    size_t              len;
    dm_err_t            err;
    dm_key_t            key;
    dm_keys_t           seed, public;
    unsigned char       out[DM_FLEET_HEAD_MAX];
    test_reader_t       reader;
    dm_fleet_beat_t     beat, back;
    dm_fleet_head_t     head;
    dm_fleet_signer_t  *signer, *authority;

    (void) state;

    reader.fleet = fleet_of(store_id, 1, 2);
    seed = fleet_keys("boss", 2);
    assert_int_equal(dm_fleet_beat_key(&seed.key[0], store_id, &key), DM_OK);
    assert_string_equal(key.id, "boss");
    signer = dm_fleet_signer_new(&key);
    assert_non_null(signer);

    memset(&public, 0, sizeof(public));
    public.n = 1;
    assert_int_equal(dm_fleet_signer_public(signer, &public.key[0]), DM_OK);
    reader.verifier = dm_fleet_verifier_new(&public);
    assert_non_null(reader.verifier);

    memset(&beat, 0, sizeof(beat));
    beat.place.number = 300;
    memset(beat.place.chain, 3, DM_FLEET_HASH);
    beat.time = 1700000000;

    assert_int_equal(dm_fleet_beat_write(reader.fleet, signer, &beat, out,
                                         &len, &err),
                     DM_OK);
    assert_int_equal(dm_fleet_beat_read(reader.fleet, reader.verifier, out,
                                        len, &back, &err),
                     DM_OK);
    assert_memory_equal(&beat, &back, sizeof(beat));

    fleet_each_change((dm_str_t) { out, len }, read_changed_beat, &reader);

    authority = fleet_signer(2);
    assert_int_equal(dm_fleet_beat_write(reader.fleet, authority, &beat, out,
                                         &len, &err),
                     DM_OK);
    assert_int_equal(read_changed_beat(out, len, &reader), DM_INVALID);

    memset(&head, 0, sizeof(head));
    assert_int_equal(dm_fleet_head_write(reader.fleet, signer, &head, out,
                                         &len, &err),
                     DM_OK);
    assert_int_equal(read_changed_head(out, len, &reader), DM_INVALID);

    dm_fleet_signer_free(signer);
    dm_fleet_signer_free(authority);
    dm_fleet_verifier_free(reader.verifier);
    dm_fleet_free(reader.fleet);
}


static int
read_changed_position(unsigned char *data, size_t len, void *data2)
{
    dm_fleet_position_t  position;

    return dm_fleet_position_read(&position, (dm_str_t) { data, len },
                                  ((test_reader_t *) data2)->sealer, store_id,
                                  NULL);
}


static void
test_position(void **state)
{
    size_t               i, len;
    dm_err_t             err;
    dm_keys_t            keys;
    unsigned char        out[DM_FLEET_POSITION_MAX];
    test_reader_t        reader;
    dm_fleet_position_t  position, back;

    (void) state;

    keys = fleet_keys("k1", 1);
    reader.sealer = dm_sealer_new(&keys, &err);
    assert_non_null(reader.sealer);

    memset(&position, 0, sizeof(position));
    position.follows = 1;
    position.place.number = 300;
    memset(position.place.chain, 3, DM_FLEET_HASH);
    position.accounts = 1000000;
    position.beat = 299;
    position.beaten = 1700000000;
    position.state = 255;
    memcpy(position.root, root, DM_FLEET_ROOT);

    for (i = 0; i < DM_FLEET_LANES; i++) {
        position.sum.lane[i] = (uint16_t) (i * 259);
    }

    assert_int_equal(dm_fleet_position_write(&position, reader.sealer,
                                             store_id, out, &len, &err),
                     DM_OK);

    memset(&back, 0, sizeof(back));
    assert_int_equal(dm_fleet_position_read(&back, (dm_str_t) { out, len },
                                            reader.sealer, store_id, &err),
                     DM_OK);
    assert_memory_equal(&position, &back, sizeof(position));

    fleet_each_change((dm_str_t) { out, len }, read_changed_position,
                      &reader);

    assert_int_equal(dm_fleet_position_read(&back, (dm_str_t) { out, len },
                                            reader.sealer, root, &err),
                     DM_INVALID);
    assert_non_null(strstr(err.text, "is another store's"));

    /* one octet more than it can have */

    assert_int_equal(dm_fleet_position_read(&back,
                                            (dm_str_t) { out,
                                                sizeof(out) + 1 },
                                            reader.sealer, store_id, &err),
                     DM_INVALID);

    dm_sealer_free(reader.sealer);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_entry),
        cmocka_unit_test(test_entry_at),
        cmocka_unit_test(test_entry_changed),
        cmocka_unit_test(test_entry_of_others),
        cmocka_unit_test(test_changes_limits),
        cmocka_unit_test(test_entry_largest),
        cmocka_unit_test(test_changes_bad),
        cmocka_unit_test(test_row),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_beat),
        cmocka_unit_test(test_position)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
