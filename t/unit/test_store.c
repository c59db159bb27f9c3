/* The store: accounts put, found, listed and deleted */

#include "dm_store_write_internal.h"
#include "store_fixture.h"


typedef struct {
    dm_store_t  *store;
    unsigned     n;
    unsigned     bad;
    char         ids[256];
} seen_t;


static void
refuse_open(const char *store_path, const dm_keys_t *with, const char *why)
{
    unsigned     mode;
    dm_err_t     err;
    dm_store_t  *store;

    for (mode = DM_STORE_PEEK; mode <= DM_STORE_WRITE; mode++) {
        store = (dm_store_t *) 1;
        assert_int_equal(dm_store_open(&store, store_path,
                                       (dm_store_mode_t) mode, with, &err),
                         DM_INVALID);
        assert_null(store);

        if (strstr(err.text, why) == NULL) {
            fail_msg("\"%s\" is not in \"%s\"", why, err.text);
        }
    }
}


static void
has_mode(const char *file, mode_t mode)
{
    char         name[128];
    struct stat  sb;

    sprintf(name, "%s/%s", path, file);
    assert_int_equal(stat(name, &sb), 0);
    assert_int_equal(sb.st_mode & 07777, mode);
}


static void
test_create(void **state)
{
    dm_err_t               err;
    dm_store_t            *store;
    char                   name[96];
    const dm_store_meta_t *meta;

    (void) state;

    has_mode(".", 0750);
    has_mode("data.mdb", 0640);
    has_mode("lock.mdb", 0600);
    has_mode("write.lock", 0600);
    sprintf(name, "readers.%u", (unsigned) getuid());
    has_mode(name, 02750);

    store = open_store(DM_STORE_READ);
    meta = dm_store_meta(store);
    assert_int_equal(meta->format, DM_STORE_FORMAT);
    assert_true(same(meta->realm, REALM));
    assert_int_equal(meta->accounts, 0);
    assert_int_equal(meta->lacks_sha256, 0);
    assert_int_equal(meta->map_size, MAP);
    assert_string_equal(meta->writer, DM_VERSION);
    dm_store_close(store);
    dm_store_close(NULL);

    assert_int_equal(create(path, REALM, MAP, &err), DM_EXISTS);

    sprintf(name, "%s/absent/store", dir);
    assert_int_equal(create(name, REALM, MAP, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "there is no directory"));

    sprintf(name, "%s/other/", dir);
    assert_int_equal(create(name, "", MAP, &err), DM_INVALID);
    assert_int_equal(create(name, "a\n", MAP, &err), DM_INVALID);
    assert_int_equal(create(name, "a\"b", MAP, &err), DM_INVALID);
    assert_int_equal(create(name, REALM, MAP - 1, &err), DM_INVALID);
    assert_int_equal(create(name, REALM, MAP, &err), DM_OK);
    discard(name);

    /* no half-made store is beside them: store, .. and . are all there is */

    discard(path);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(mkdir(dir, 0711), 0);
}


static void
test_open_refused(void **state)
{
    FILE           *f;
    char            name[96];
    size_t          len;
    dm_keys_t       other;
    dm_store_t     *store;
    unsigned char   meta[1024];

    (void) state;

    sprintf(name, "%s/absent", dir);
    refuse_open(name, &keys, "does not exist");
    refuse_open(data, &keys, "Not a directory");
    refuse_open(dir, &keys, "data.mdb\": No such file");

    other = keys;
    strcpy(other.key[0].id, "k2");
    refuse_open(path, &other, "was sealed with key \"k1\", which is not in "
                "the key file");

    other = keys;
    other.key[0].key[31] ^= 1;
    refuse_open(path, &other, "key \"k1\" of the key file does not open "
                "store \"");

    /* during a rekey any of the two opens it */

    other = keys;
    other.n = 2;
    other.key[1] = keys.key[0];
    strcpy(other.key[0].id, "k2");
    memset(other.key[0].key, 9, DM_KEY_SIZE);
    assert_int_equal(dm_store_open(&store, path, DM_STORE_READ, &other, NULL),
                     DM_OK);
    dm_store_close(store);

    /* a changed counter, another format, no meta record */

    len = peer_into("meta", "meta", meta);
    assert_int_equal(len, 2 + 16 + 1 + strlen(REALM) + 16 + 1 + 2 + 12 + 16
                          + strlen(DM_VERSION));
    meta[2 + 16 + 1 + strlen(REALM)] ^= 1;
    forge("meta", str("meta"), (dm_str_t) { meta, len });
    refuse_open(path, &keys, "does not open store");

    meta[0] = 2;
    meta[1] = 1;
    forge("meta", str("meta"), (dm_str_t) { meta, len });
    refuse_open(path, &keys, "has format 258, this program reads only "
                "formats 1 and 2");

    forge("meta", str("meta"), (dm_str_t) { NULL, 0 });
    refuse_open(path, &keys, "it has no meta record");

    f = fopen(data, "w");
    assert_non_null(f);
    fprintf(f, "%04096d", 0);
    fclose(f);
    refuse_open(path, &keys, "is no account store");

    /* nor does anybody wait for who would write into a FIFO */

    unlink(data);
    assert_int_equal(mkfifo(data, 0600), 0);
    (void) alarm(60);
    refuse_open(path, &keys, "is no account store");
    (void) alarm(0);
}


static void
check_a(dm_store_t *store)
{
    assert_int_equal(found.rc, DM_OK);
    assert_true(same(found.account.id, "A"));
    assert_true(same(found.account.name, "alice"));
    assert_int_equal(found.account.revision, 1);
    assert_true(found.account.changed >= time(NULL) - 60);
    assert_int_equal(found.account.ha1[DM_SHA256][31], 5);
    assert_true(same(found.account.psk[1].key, "0123456789abcdef"));
    assert_int_equal(dm_store_meta(store)->accounts, 2);
}


static void
test_each_index(void **state)
{
    unsigned     mode;
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);
    dm_store_close(store);

    for (mode = DM_STORE_PEEK; mode <= DM_STORE_WRITE; mode++) {
        store = open_store((dm_store_mode_t) mode);

        lookup(store, DM_BY_ID, "A");
        check_a(store);
        lookup(store, DM_BY_NAME, "alice");
        check_a(store);
        lookup_hash(store, DM_MD5, "alice");
        check_a(store);
        lookup_hash(store, DM_SHA256, "alice");
        check_a(store);
        lookup(store, DM_BY_PSK, "psk a");
        check_a(store);
        lookup(store, DM_BY_PSK, "psk b");
        check_a(store);
        lookup(store, DM_BY_CERT, "san:DNS:a.example");
        check_a(store);
        lookup(store, DM_BY_CERT, CERT);
        check_a(store);

        /* it has no HA1 for this one */

        lookup_hash(store, DM_SHA512_256, "alice");
        assert_int_equal(found.rc, DM_DECLINED);

        assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_OK);
        assert_true(same(found.account.id, "B"));

        dm_store_tend(store);
        dm_store_close(store);
    }
}


static void
check_decoy(void)
{
    unsigned  alg;

    assert_int_equal(found.rc, DM_DECLINED);
    assert_int_equal(found.account.state, DM_ACTIVE);
    assert_int_equal(found.account.id.len, 32);
    assert_int_equal(found.account.name.len, 32);
    assert_int_equal(found.account.npsks, 1);
    assert_int_equal(found.account.psk[0].key.len, 32);
    assert_true(found.account.psk[0].key.data > found.record);
    assert_true(found.account.psk[0].key.data < found.record + found.len);

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        assert_int_equal(found.account.has_ha1[alg], 1);
    }
}


static void
test_decoy(void **state)
{
    unsigned       index;
    dm_store_t    *store;
    unsigned char  key[2000], ha1[DM_HASH_MAX];

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);

    memset(key, 'x', sizeof(key));

    for (index = DM_BY_ID; index <= DM_BY_CERT; index++) {
        lookup(store, (dm_store_index_t) index, "");
        check_decoy();
        lookup(store, (dm_store_index_t) index, "x");
        check_decoy();
        lookup_octets(store, (dm_store_index_t) index,
                      (dm_str_t) { key, 512 });
        check_decoy();
        lookup_octets(store, (dm_store_index_t) index,
                      (dm_str_t) { key, sizeof(key) });
        check_decoy();
    }

    /* a hash is not the hash of another algorithm */

    assert_int_equal(dm_digest_userhash(DM_SHA256, str("alice"), str(REALM),
                                        key),
                     DM_OK);
    lookup_octets(store, DM_BY_USERHASH_SHA512_256, (dm_str_t) { key, 32 });
    check_decoy();
    memcpy(ha1, found.account.ha1[DM_SHA256], DM_HASH_MAX);

    /* what it holds is not the same in every process */

    dm_store_close(store);
    store = open_store(DM_STORE_READ);
    lookup(store, DM_BY_NAME, "nobody");
    check_decoy();
    assert_memory_not_equal(ha1, found.account.ha1[DM_SHA256], DM_HASH_MAX);

    dm_store_close(store);
}


/*
 * Another account's record is read in the place of one that is not there, so
 * that both take the same time, and nothing of it is left.
 */
static void
test_unknown_is_read(void **state)
{
    size_t         i;
    unsigned       index, n;
    char           group[DM_GROUPS][DM_GROUP_MAX + 1];
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);

    /* with none there is nothing to read */

    lookup(store, DM_BY_PSK, "m");
    check_decoy();
    assert_int_equal(found.record[found.len], 0xaa);

    /* an account that is longer than the decoy */

    make_account(&account, "A", "alice");
    account.npsks = 1;
    account.psk[0] = (dm_psk_t) { str("n"), str("0123456789abcdef") };
    account.ncert_keys = 1;
    account.cert_key[0] = str(CERT);
    account.ngroups = DM_GROUPS;

    for (i = 0; i < DM_GROUPS; i++) {
        sprintf(group[i], "%02zu%062d", i, 0);
        account.group[i] = str(group[i]);
    }

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    for (index = DM_BY_NAME; index <= DM_BY_CERT; index++) {

        /* before it and behind it */

        for (n = 0; n < 2; n++) {
            lookup(store, (dm_store_index_t) index,
                   index >= DM_BY_USERHASH_MD5 && index < DM_BY_PSK
                   ? (n ? "zzzzzzzzzzzzzzzz" : "mmmmmmmmmmmmmmmm")
                   : (n ? "z" : "a"));
            check_decoy();

            /* a hash of this length is of one algorithm only */

            if (index == DM_BY_USERHASH_SHA256
                || index == DM_BY_USERHASH_SHA512_256)
            {
                continue;
            }

            for (i = found.len; i < found.len + 1500; i++) {
                assert_int_equal(found.record[i], 0);
            }
        }
    }

    dm_store_close(store);
}


static void
test_duplicates(void **state)
{
    dm_err_t       err;
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    make_account(&account, "C", "alice");
    assert_int_equal(dm_store_put(store, &account, &err), DM_EXISTS);
    assert_string_equal(err.text, "account \"C\" cannot be written: account "
                        "\"A\" already has the name \"alice\"");

    make_account(&account, "C", "carol");
    account.npsks = 1;
    account.psk[0] = (dm_psk_t) { str("psk b"), str("0123456789abcdef") };
    assert_int_equal(dm_store_put(store, &account, &err), DM_EXISTS);
    assert_non_null(strstr(err.text, "\"A\" already has the PSK identity "
                           "\"psk b\""));
    account.npsks = 0;

    account.ncert_keys = 1;
    account.cert_key[0] = str(CERT);
    assert_int_equal(dm_store_put(store, &account, &err), DM_EXISTS);
    assert_non_null(strstr(err.text, "the certificate key \"subject:CN="));
    account.ncert_keys = 0;

    account.name = str("carol:");
    assert_int_equal(dm_store_put(store, &account, &err), DM_INVALID);
    account.id = str("");
    assert_int_equal(dm_store_put(store, &account, &err), DM_INVALID);

    /* nothing of what was refused is there, and the transaction goes on */

    assert_int_equal(lookup(store, DM_BY_ID, "C"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "carol"), DM_DECLINED);
    make_account(&account, "C", "carol");
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    assert_int_equal(lookup(store, DM_BY_NAME, "carol"), DM_OK);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);
    assert_true(same(found.account.id, "A"));
    assert_int_equal(dm_store_meta(store)->accounts, 3);

    dm_store_close(store);
}


static void
test_replace(void **state)
{
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);

    /* from what was looked up, as the tools do */

    assert_int_equal(lookup(store, DM_BY_ID, "A"), DM_OK);
    account = found.account;
    account.name = str("anne");
    account.npsks = 1;
    account.psk[0] = account.psk[1];
    account.ncert_keys = 1;
    account.has_ha1[DM_MD5] = 0;
    account.has_ha1[DM_SHA512_256] = 1;
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    assert_int_equal(lookup(store, DM_BY_ID, "A"), DM_OK);
    assert_int_equal(found.account.revision, 2);
    assert_int_equal(lookup(store, DM_BY_NAME, "anne"), DM_OK);
    assert_int_equal(lookup(store, DM_BY_PSK, "psk b"), DM_OK);
    assert_int_equal(lookup(store, DM_BY_CERT, "san:DNS:a.example"), DM_OK);
    assert_int_equal(lookup_hash(store, DM_SHA256, "anne"), DM_OK);
    assert_int_equal(lookup_hash(store, DM_SHA512_256, "anne"), DM_OK);

    assert_int_equal(lookup_hash(store, DM_MD5, "anne"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_DECLINED);
    assert_int_equal(lookup_hash(store, DM_SHA256, "alice"), DM_DECLINED);
    assert_int_equal(lookup_hash(store, DM_MD5, "alice"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_PSK, "psk a"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_CERT, CERT), DM_DECLINED);

    /* what A gave up another may have */

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    make_account(&account, "B", "alice");
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);
    assert_true(same(found.account.id, "B"));
    assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_DECLINED);

    dm_store_close(store);
}


static void
test_del(void **state)
{
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_two(store);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("C"), NULL), DM_DECLINED);
    assert_int_equal(dm_store_del(store, str(""), NULL), DM_DECLINED);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_DECLINED);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);

    assert_int_equal(lookup(store, DM_BY_ID, "A"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_DECLINED);
    assert_int_equal(lookup_hash(store, DM_MD5, "alice"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_PSK, "psk a"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_CERT, CERT), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_ID, "B"), DM_OK);
    assert_int_equal(dm_store_meta(store)->accounts, 1);

    put_alone(store, "C", "alice");
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);

    dm_store_close(store);
}


static void
expect_counts(unsigned accounts, unsigned lacks)
{
    dm_store_t             *store;
    const dm_store_meta_t  *meta;

    store = open_store(DM_STORE_PEEK);
    meta = dm_store_meta(store);
    assert_int_equal(meta->accounts, accounts);
    assert_int_equal(meta->lacks_sha256, lacks);
    dm_store_close(store);
}


static void
test_counters_and_abort(void **state)
{
    dm_store_t    *store;
    dm_account_t   account;

    (void) state;

    store = open_store(DM_STORE_WRITE);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    make_account(&account, "A", "alice");
    account.has_ha1[DM_SHA256] = 0;
    put(store, &account, DM_OK);
    make_account(&account, "B", "bob");
    put(store, &account, DM_OK);
    make_account(&account, "C", "carol");
    account.has_ha1[DM_MD5] = 0;
    account.has_ha1[DM_SHA256] = 0;
    put(store, &account, DM_OK);
    make_account(&account, "E", "eve");
    account.has_ha1[DM_MD5] = 0;
    account.has_ha1[DM_SHA256] = 1;
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_meta(store)->lacks_md5, 1);
    assert_int_equal(dm_store_del(store, str("E"), NULL), DM_OK);
    make_account(&account, "C", "carol");
    account.has_ha1[DM_MD5] = 0;
    account.has_ha1[DM_SHA256] = 0;
    assert_int_equal(dm_store_meta(store)->accounts, 3);
    assert_int_equal(dm_store_meta(store)->lacks_md5, 0);
    assert_int_equal(dm_store_meta(store)->lacks_sha256, 1);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    expect_counts(3, 1);

    /* an abort leaves nothing of records, indexes and counters */

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    put(store, &account, DM_OK);
    make_account(&account, "B", "bert");
    account.has_ha1[DM_SHA256] = 0;
    put(store, &account, DM_OK);
    make_account(&account, "D", "dora");
    put(store, &account, DM_OK);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_meta(store)->accounts, 3);
    assert_int_equal(lookup(store, DM_BY_NAME, "dora"), DM_OK);
    dm_store_abort(store);

    assert_int_equal(dm_store_meta(store)->accounts, 3);
    assert_int_equal(dm_store_meta(store)->lacks_sha256, 1);
    expect_counts(3, 1);
    assert_int_equal(lookup(store, DM_BY_NAME, "dora"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "bert"), DM_DECLINED);
    assert_int_equal(lookup(store, DM_BY_NAME, "bob"), DM_OK);
    assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);

    /* so does a close, and a transaction without a change is none */

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_OK);
    dm_store_close(store);
    expect_counts(3, 1);

    store = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_int_equal(dm_store_del(store, str("A"), NULL), DM_OK);
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    expect_counts(2, 0);
    dm_store_close(store);
}


static int
note(const dm_account_t *account, void *arg)
{
    seen_t  *seen;

    seen = arg;
    seen->n++;
    strncat(seen->ids, (const char *) account->id.data, account->id.len);
    assert_int_equal(account->ha1[DM_SHA256][0], 5);

    return DM_OK;
}


static int
note_bad(dm_str_t id, const dm_err_t *err, void *arg)
{
    seen_t  *seen;

    seen = arg;
    seen->bad++;
    strncat(seen->ids, (const char *) id.data, id.len);
    assert_non_null(strstr(err->text, "the record has version"));

    return DM_OK;
}


/* a lookup within the walk sees what the walk sees */
static int
note_and_lookup(const dm_account_t *account, void *arg)
{
    seen_t  *seen;

    seen = arg;
    assert_int_equal(lookup_octets(seen->store, DM_BY_NAME, account->name),
                     DM_OK);
    assert_true(dm_str_eq(found.account.id, account->id));
    assert_int_equal(lookup(seen->store, DM_BY_NAME, "nobody"), DM_DECLINED);

    return note(account, arg);
}


static int
note_and_stop(const dm_account_t *account, void *arg)
{
    (void) note(account, arg);

    return same(account->id, "b") ? -77 : DM_OK;
}


/* what an export with a change, a rekey and a purge do */
static int
note_and_change(const dm_account_t *account, void *arg)
{
    seen_t        *seen;
    dm_account_t   next;

    seen = arg;
    next = *account;

    if (same(account->id, "b") || same(account->id, "e")) {
        assert_int_equal(dm_store_del(seen->store, account->id, NULL), DM_OK);

    } else {
        next.ngroups = 1;
        next.group[0] = str("changed");
        put(seen->store, &next, DM_OK);
    }

    return note(account, arg);
}


static void
walk(seen_t *seen, dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data), int rc,
    const char *ids)
{
    memset(seen, 0, sizeof(seen_t));
    seen->store = store;
    assert_int_equal(dm_store_walk(store, fn, NULL, seen, NULL), rc);
    assert_string_equal(seen->ids, ids);
    assert_int_equal(seen->n, strlen(ids));
}


static void
test_walk(void **state)
{
    seen_t       seen;
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    walk(&seen, store, note, DM_OK, "");

    put_alone(store, "c", "3");
    put_alone(store, "a", "1");
    put_alone(store, "e", "5");
    put_alone(store, "b", "2");
    put_alone(store, "d", "4");

    walk(&seen, store, note, DM_OK, "abcde");
    walk(&seen, store, note_and_lookup, DM_OK, "abcde");
    walk(&seen, store, note_and_stop, -77, "ab");
    assert_int_equal(lookup(store, DM_BY_ID, "a"), DM_OK);

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    walk(&seen, store, note_and_change, DM_OK, "abcde");
    walk(&seen, store, note_and_lookup, DM_OK, "acd");
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_int_equal(lookup(store, DM_BY_ID, "d"), DM_OK);
    assert_true(same(found.account.group[0], "changed"));
    assert_int_equal(found.account.revision, 2);
    dm_store_close(store);

    forge("account", str("c"), str("x"));
    store = open_store(DM_STORE_READ);
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(dm_store_walk(store, note, NULL, &seen, &err), DM_ERROR);
    assert_string_equal(seen.ids, "a");
    assert_non_null(strstr(err.text, "account \"c\""));

    memset(&seen, 0, sizeof(seen));
    assert_int_equal(dm_store_walk(store, note, note_bad, &seen, &err),
                     DM_OK);
    assert_string_equal(seen.ids, "acd");
    assert_int_equal(seen.bad, 1);
    dm_store_close(store);
}


/* a writer has the lock as long as it writes, and no longer */
static void
test_lock(void **state)
{
    dm_store_t  *store;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    assert_true(is_free());

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_false(is_free());
    assert_int_equal(dm_store_commit(store, NULL), DM_OK);
    assert_true(is_free());

    assert_int_equal(dm_store_begin(store, NULL), DM_OK);
    assert_false(is_free());
    dm_store_abort(store);
    assert_true(is_free());

    dm_store_close(store);
}


/* a copy of the data alone gets both lock files, an older store does not */
static void
test_lock_files(void **state)
{
    unsigned     mode;
    char         lock[96], writers[96];
    dm_err_t     err;
    dm_store_t  *store;

    (void) state;

    sprintf(lock, "%s/lock.mdb", path);
    sprintf(writers, "%s/write.lock", path);

    for (mode = DM_STORE_READ; mode <= DM_STORE_WRITE; mode++) {
        assert_int_equal(unlink(lock), 0);
        assert_int_equal(unlink(writers), 0);

        dm_store_close(open_store((dm_store_mode_t) mode));
        has_mode("lock.mdb", 0600);
        has_mode("write.lock", 0600);
    }

    for (mode = DM_STORE_READ; mode <= DM_STORE_WRITE; mode++) {
        (void) unlink(writers);
        assert_int_equal(dm_store_open(&store, path, (dm_store_mode_t) mode,
                                       &keys, &err),
                         DM_INVALID);
        assert_non_null(strstr(err.text, "dm-account upgrade"));
        assert_int_equal(access(writers, F_OK), -1);
    }
}


/* what is there already is not taken for what was made */
static void
test_touch(void **state)
{
    dm_err_t  err;

    (void) state;

    assert_int_equal(dm_store_touch(path, "data.mdb", &err), DM_ERROR);
    assert_non_null(strstr(err.text, "cannot be made: File exists"));
    assert_int_equal(dm_store_touch(path, "absent/file", &err), DM_ERROR);
}


static unsigned
descriptors(void)
{
    DIR       *fds;
    unsigned   n;

    fds = opendir("/proc/self/fd");
    assert_non_null(fds);

    for (n = 0; readdir(fds) != NULL; n++) { /* void */ }

    closedir(fds);

    return n;
}


/* a worker opens stores as long as it lives: it loses no descriptor */
static void
test_descriptors(void **state)
{
    unsigned          n, mode, readers;
    dm_store_t       *store;
    dm_store_stat_t   st;

    (void) state;

    store = open_store(DM_STORE_WRITE);
    put_alone(store, "A", "alice");
    dm_store_close(store);

    n = descriptors();

    for (mode = DM_STORE_PEEK; mode <= DM_STORE_WRITE; mode++) {
        store = open_store((dm_store_mode_t) mode);
        assert_int_equal(lookup(store, DM_BY_NAME, "alice"), DM_OK);
        assert_int_equal(dm_store_stat(store, &st, NULL), DM_OK);
        assert_int_equal(dm_slots_count(path, &readers, NULL), DM_OK);
        assert_int_equal(readers, mode == DM_STORE_SERVE);
        assert_int_equal(dm_slots_check(path, getuid(), NULL), DM_OK);
        dm_store_close(store);
        assert_int_equal(descriptors(), n);
    }

    assert_int_not_equal(dm_slots_check(path, getuid() + 1, NULL), DM_OK);
    assert_int_equal(dm_store_open(&store, dir, DM_STORE_SERVE, &keys, NULL),
                     DM_INVALID);
    assert_int_equal(descriptors(), n);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_create, fresh),
        cmocka_unit_test_setup(test_open_refused, fresh),
        cmocka_unit_test_setup(test_each_index, fresh),
        cmocka_unit_test_setup(test_decoy, fresh),
        cmocka_unit_test_setup(test_unknown_is_read, fresh),
        cmocka_unit_test_setup(test_duplicates, fresh),
        cmocka_unit_test_setup(test_replace, fresh),
        cmocka_unit_test_setup(test_del, fresh),
        cmocka_unit_test_setup(test_counters_and_abort, fresh),
        cmocka_unit_test_setup(test_walk, fresh),
        cmocka_unit_test_setup(test_lock, fresh),
        cmocka_unit_test_setup(test_lock_files, fresh),
        cmocka_unit_test_setup(test_touch, fresh),
        cmocka_unit_test_setup(test_descriptors, fresh)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
