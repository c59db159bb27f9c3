/*
 * What becomes of a call to OpenSSL or LMDB that fails while the store is
 * opened, read or written, each in turn: a failure of ours, never an account,
 * nor that there is none, nor half a change
 */

#define _GNU_SOURCE

#include "library_fails.h"
#include "store_fixture.h"


static dm_store_t        *tested;
static dm_store_mode_t    open_mode;
static dm_store_index_t   index_of;
static const char        *wanted;


static int
job_store_open(void)
{
    int          rc;
    dm_store_t  *opened;

    rc = dm_store_open(&opened, path, open_mode, &keys, NULL);

    assert_int_equal(rc == DM_OK, opened != NULL);
    dm_store_close(opened);

    return rc;
}


static void
test_store_open(void **state)
{
    (void) state;

    for (open_mode = DM_STORE_PEEK; open_mode <= DM_STORE_WRITE; open_mode++) {
        each_call_fails(job_store_open);
    }
}


static int
job_lookup(void)
{
    if (index_of >= DM_BY_USERHASH_MD5 && index_of <= DM_BY_USERHASH_SHA256) {
        return lookup_octets(tested, index_of, (dm_str_t) {
                             (const unsigned char *) wanted,
                             dm_digest_size(index_of - DM_BY_USERHASH_MD5) });
    }

    return lookup(tested, index_of, wanted);
}


/* a failure is no account that is not there, which is a wrong password */
static void
test_lookup(void **state)
{
    size_t         i;
    unsigned char  hash[DM_HASH_MAX];

    static const struct {
        dm_store_index_t  index;
        const char       *key;
    } by[] = {
        { DM_BY_ID, "A" },
        { DM_BY_NAME, "alice" },
        { DM_BY_PSK, "psk a" },
        { DM_BY_CERT, CERT },
        { DM_BY_USERHASH_SHA256, NULL },
    };

    (void) state;

    tested = open_store(DM_STORE_WRITE);
    put_two(tested);
    dm_store_close(tested);

    assert_int_equal(dm_digest_userhash(DM_SHA256, str("alice"), str(REALM),
                                        hash), DM_OK);

    for (open_mode = DM_STORE_SERVE; open_mode <= DM_STORE_READ; open_mode++) {
        tested = open_store(open_mode);

        for (i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
            index_of = by[i].index;
            wanted = by[i].key ? by[i].key : (const char *) hash;

            each_call_fails(job_lookup);
        }

        dm_store_close(tested);
    }
}


/* nobody's account never becomes one, whatever fails */
static void
test_lookup_nobody(void **state)
{
    int       rc;
    unsigned  n;

    (void) state;

    tested = open_store(DM_STORE_WRITE);
    put_two(tested);
    dm_store_close(tested);
    tested = open_store(DM_STORE_SERVE);

    for (index_of = DM_BY_ID; index_of <= DM_BY_CERT; index_of++) {
        wanted = "nobody is called so, and has no such hash";

        for (n = 1; /* void */ ; n++) {
            countdown = n;
            rc = job_lookup();

            if (countdown != 0) {
                break;
            }

            assert_true(rc == DM_ERROR || rc == DM_DECLINED);
        }

        countdown = 0;
        assert_int_equal(rc, DM_DECLINED);
    }

    dm_store_close(tested);
}


/* begins, and then does this, and leaves no transaction and no lock */
static int
in_transaction(int (*fn)(void))
{
    int  rc;

    rc = dm_store_begin(tested, NULL);

    if (rc == DM_OK) {
        rc = fn();
        dm_store_abort(tested);
    }

    assert_true(is_free());

    return rc;
}


static int
put_new(void)
{
    dm_account_t  account;

    make_account(&account, "C", "carol");
    account.npsks = 1;
    account.psk[0] = (dm_psk_t) { str("psk c"), str("fedcba9876543210") };
    account.ncert_keys = 1;
    account.cert_key[0] = str("san:DNS:c.example");

    return dm_store_put(tested, &account, NULL);
}


static int
put_changed(void)
{
    dm_account_t  account;

    make_account(&account, "A", "anna");
    account.ncert_keys = 1;
    account.cert_key[0] = str("san:DNS:anna.example");

    return dm_store_put(tested, &account, NULL);
}


static int
has(void)
{
    return dm_store_has(tested, str("A"), NULL);
}


static int
use_key(void)
{
    return dm_store_use_key(tested, "k2", NULL);
}


static void
no_bad(const dm_err_t *why, void *data)
{
    (void) data;
    fail_msg("%s", why->text);
}


static int
reseal(void)
{
    int          rc;
    dm_reseal_t  at;

    memset(&at, 0, sizeof(at));

    rc = dm_store_reseal(tested, &at, no_bad, NULL, NULL);

    return rc == DM_DECLINED ? DM_OK : rc;
}


static int
job_put_new(void)
{
    return in_transaction(put_new);
}


static int
job_put_changed(void)
{
    return in_transaction(put_changed);
}


static int
job_has(void)
{
    return in_transaction(has);
}


static int
job_use_key(void)
{
    return in_transaction(use_key);
}


static int
job_reseal(void)
{
    return in_transaction(reseal);
}


static int
job_commit(void)
{
    int       rc;
    unsigned  armed;

    armed = countdown;
    countdown = 0;
    assert_int_equal(dm_store_begin(tested, NULL), DM_OK);
    assert_int_equal(put_new(), DM_OK);
    countdown = armed;

    rc = dm_store_commit(tested, NULL);

    armed = countdown;
    countdown = 0;
    assert_true(is_free());
    assert_int_equal(dm_store_meta(tested)->accounts, rc == DM_OK ? 3 : 2);
    assert_int_equal(lookup(tested, DM_BY_NAME, "carol"),
                     rc == DM_OK ? DM_OK : DM_DECLINED);
    countdown = armed;

    return rc;
}


static int
note(const dm_account_t *account, void *n)
{
    (void) account;
    (*(unsigned *) n)++;

    return DM_OK;
}


static int
job_walk(void)
{
    int       rc;
    unsigned  n;

    n = 0;
    rc = dm_store_walk(tested, note, NULL, &n, NULL);

    if (rc == DM_OK) {
        assert_int_equal(n, 2);
    }

    return rc;
}


static int
job_check(void)
{
    uint64_t  damages;

    return dm_store_check(tested, NULL, no_bad, NULL, &damages, NULL);
}


static int
job_others(void)
{
    uint64_t  n;

    return dm_store_count_others(tested, &n, NULL);
}


static int
job_stat(void)
{
    dm_store_stat_t  st;

    return dm_store_stat(tested, &st, NULL);
}


/* who looks for what is damaged takes OpenSSL's word for it */
static void
test_write(void **state)
{
    (void) state;

    keys.n = 2;
    keys.key[1] = keys.key[0];
    strcpy(keys.key[1].id, "k2");

    tested = open_store(DM_STORE_WRITE);
    put_two(tested);

    each_call_fails(job_put_new);
    each_call_fails(job_put_changed);
    each_call_fails(job_has);
    each_call_fails(job_use_key);
    each_call_fails(job_walk);

    lmdb_alone = 1;

    each_call_fails(job_check);
    each_call_fails(job_stat);

    assert_int_equal(dm_store_begin(tested, NULL), DM_OK);
    assert_int_equal(use_key(), DM_OK);
    assert_int_equal(dm_store_commit(tested, NULL), DM_OK);

    each_call_fails(job_reseal);
    each_call_fails(job_others);

    lmdb_alone = 0;

    each_call_fails(job_commit);

    dm_store_close(tested);
    keys.n = 1;
}


/* what cannot be read is deleted otherwise: then too nothing of it is left */
static void
test_del(void **state)
{
    int       rc;
    unsigned  n, armed;

    (void) state;

    tested = open_store(DM_STORE_WRITE);
    put_two(tested);
    armed = 0;

    for (n = 1; armed == 0; n++) {
        assert_int_equal(dm_store_begin(tested, NULL), DM_OK);

        countdown = n;
        rc = dm_store_del(tested, str("A"), NULL);
        armed = countdown;
        countdown = 0;

        if (rc == DM_OK) {
            assert_int_equal(dm_store_has(tested, str("A"), NULL), DM_DECLINED);
            assert_int_equal(lookup(tested, DM_BY_NAME, "alice"), DM_DECLINED);
            assert_int_equal(lookup(tested, DM_BY_PSK, "psk a"), DM_DECLINED);
            assert_int_equal(lookup(tested, DM_BY_CERT, CERT), DM_DECLINED);
            assert_int_equal(lookup_hash(tested, DM_SHA256, "alice"),
                             DM_DECLINED);

        } else {
            assert_int_equal(rc, DM_ERROR);
            assert_int_equal(armed, 0);
        }

        dm_store_abort(tested);
    }

    dm_store_close(tested);
}


/* a fresh store that has a position */
static int
positioned(void **state)
{
    int  rc;

    rc = fresh(state);

    if (rc == DM_OK) {
        tested = open_store(DM_STORE_WRITE);
        assert_int_equal(dm_store_begin(tested, NULL), DM_OK);
        assert_int_equal(dm_store_keep_position(tested, NULL), DM_OK);
        rc = dm_store_commit(tested, NULL);
        dm_store_close(tested);
    }

    return rc;
}


/* where OpenSSL opens no record, it is as one that nobody can open */
static int
keep_position(void)
{
    int  rc;

    rc = dm_store_keep_position(tested, NULL);

    return rc == DM_INVALID ? DM_ERROR : rc;
}


static int
job_keep_position(void)
{
    return in_transaction(keep_position);
}


static void
test_keep_position(void **state)
{
    (void) state;

    tested = open_store(DM_STORE_WRITE);
    put_two(tested);
    each_call_fails(job_keep_position);
    dm_store_close(tested);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_store_open, fresh),
        cmocka_unit_test_setup(test_lookup, fresh),
        cmocka_unit_test_setup(test_lookup_nobody, fresh),
        cmocka_unit_test_setup(test_write, fresh),
        cmocka_unit_test_setup(test_del, fresh),
        cmocka_unit_test_setup(test_write, positioned),
        cmocka_unit_test_setup(test_del, positioned),
        cmocka_unit_test_setup(test_keep_position, fresh),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
