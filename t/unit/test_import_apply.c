/* What a line of an import says of an account, done to one of a store */

#include "store_fixture.h"

#include "account/entry.h"


#define OTHER  "$apr1$salt$zhL9MYqZGdxa3Y56Tc6CY0"


static dm_store_t  *opened;
static dm_entry_t   line;
static dm_found_t   got;
static dm_seen_t    seen;
static int          added;
static dm_err_t     why;


/* an entry of an id alone */
static void
entry_of(const char *id)
{
    dm_entry_wipe(&line);
    assert_int_equal(dm_entry_set_id(&line, str(id), &why), DM_OK);
}


static int
apply(int update)
{
    memset(&got, 0xaa, sizeof(got));
    added = 99;
    why.text[0] = '\0';

    return dm_entry_apply(&line, opened, update, &seen, &got, &added, &why);
}


static void
err_has(const char *part)
{
    if (strstr(why.text, part) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", why.text, part);
    }
}


static unsigned
has_ha1(void)
{
    const unsigned  *has;

    has = got.account.has_ha1;

    return has[DM_MD5] + 2 * has[DM_SHA512_256] + 4 * has[DM_SHA256];
}


static void
test_new(void **state)
{
    (void) state;

    entry_of("C");
    assert_int_equal(apply(0), DM_OK);
    assert_int_equal(added, 1);
    assert_true(same(got.account.id, "C"));
    assert_true(same(got.account.name, "C"));
    assert_int_equal(got.account.state, DM_ACTIVE);
    assert_int_equal(has_ha1(), 0);

    /* nothing but what the entry says, and the same with --update */
    line.has |= DM_ENTRY_NAME | DM_ENTRY_STATE | DM_ENTRY_GROUPS
                 | DM_ENTRY_NOT_BEFORE | DM_ENTRY_NOT_AFTER;
    line.account.name = str("carol");
    line.account.state = DM_DISABLED;
    line.account.ngroups = 1;
    line.account.group[0] = str("g");
    line.account.not_before = 1;
    line.account.not_after = 2;
    line.account.npsks = 1;
    line.account.ncert_keys = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(added, 1);
    assert_true(same(got.account.name, "carol"));
    assert_int_equal(got.account.state, DM_DISABLED);
    assert_int_equal(got.account.ngroups, 1);
    assert_true(same(got.account.group[0], "g"));
    assert_int_equal(got.account.not_before, 1);
    assert_int_equal(got.account.not_after, 2);
    assert_int_equal(got.account.npsks, 0);
    assert_int_equal(got.account.ncert_keys, 0);
}


/* its name is its id, less the scheme of a device identity */
static void
test_default_name(void **state)
{
    (void) state;

    entry_of("IMEI:49015420323751");
    assert_int_equal(apply(0), DM_OK);
    assert_true(same(got.account.name, "49015420323751"));

    entry_of("a:b");
    assert_int_equal(apply(0), DM_INVALID);
    err_has("a user name has no colon, so \"a:b\" cannot be its own");
}


static void
test_exists(void **state)
{
    (void) state;

    entry_of("A");
    assert_int_equal(apply(0), DM_EXISTS);
    err_has("there is an account \"A\" already");

    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(added, 0);
    assert_true(same(got.account.name, "alice"));
    assert_int_equal(has_ha1(), 5);
    assert_int_equal(got.account.npsks, 2);
    assert_int_equal(got.account.ncert_keys, 2);
}


/* an update finds the account by what its format knows, then by the id */
static void
test_found_by(void **state)
{
    dm_map_t  map;

    (void) state;

    memset(&map, 0, sizeof(map));
    dm_entry_wipe(&line);
    assert_int_equal(dm_entry_set_user(&line, str("alice"), &map, &why),
                     DM_OK);
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(added, 0);
    assert_true(same(got.account.id, "A"));

    assert_int_equal(apply(0), DM_OK);
    assert_int_equal(added, 1);
    assert_true(same(got.account.id, "alice"));

    dm_entry_wipe(&line);
    assert_int_equal(dm_entry_set_user(&line, str("dave"), &map, &why),
                     DM_OK);
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(added, 1);

    entry_of("elsewhere");
    line.by = DM_BY_PSK;
    line.account.psk[0].identity = str("psk b");
    line.account.name = str("bob");
    assert_int_equal(apply(1), DM_OK);
    assert_true(same(got.account.id, "A"));

    entry_of("B");
    line.by = DM_BY_PSK;
    line.account.psk[0].identity = str("psk none");
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(added, 0);
    assert_true(same(got.account.id, "B"));
}


/* an HA1 holds the name: another name needs another password */
static void
test_rename(void **state)
{
    (void) state;

    entry_of("A");
    line.has |= DM_ENTRY_NAME;
    line.account.name = str("alice");
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 5);

    line.account.name = str("anna");
    assert_int_equal(apply(1), DM_INVALID);
    err_has("the password of \"A\" is kept as hashes that hold its name "
            "\"alice\"");

    line.account.crypt = str(OTHER);
    line.has |= DM_ENTRY_CRYPT;
    assert_int_equal(apply(1), DM_OK);
    assert_true(same(got.account.name, "anna"));
    assert_true(same(got.account.crypt, OTHER));
    assert_int_equal(has_ha1(), 0);

    /* a null is no password */
    line.account.crypt.len = 0;
    assert_int_equal(apply(1), DM_INVALID);

    line.has = DM_ENTRY_ID | DM_ENTRY_NAME;
    assert_int_equal(dm_entry_set_password(&line, str("secret"), &why),
                     DM_OK);
    assert_int_equal(apply(1), DM_OK);
    assert_true(same(got.account.name, "anna"));
    assert_int_equal(has_ha1(), 7);

    line.has = DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1;
    line.account.has_ha1[DM_MD5] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 1);
    line.account.has_ha1[DM_MD5] = 0;

    line.has = DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_DIGEST;
    line.account.has_ha1[DM_SHA256] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 4);
}


/* who is looked for by a name renames nobody whose id it happens to be */
static void
test_rename_unsaid(void **state)
{
    dm_map_t  map;

    (void) state;

    memset(&map, 0, sizeof(map));
    dm_entry_wipe(&line);
    assert_int_equal(dm_entry_set_user(&line, str("A"), &map, &why), DM_OK);
    line.account.crypt = str(OTHER);
    line.has |= DM_ENTRY_CRYPT;
    assert_int_equal(apply(1), DM_INVALID);
    err_has("there is an account \"A\" with the name \"alice\": where \"A\"");

    line.by = DM_BY_ID;
    assert_int_equal(apply(1), DM_OK);
    assert_true(same(got.account.name, "A"));

    /* nor one that a line has set */
    assert_int_equal(dm_seen_add(&seen, str("A"), str(""), 7, &why), DM_OK);
    line.has = DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1;
    line.account.crypt.len = 0;
    line.account.has_ha1[DM_SHA256] = 1;
    assert_int_equal(apply(1), DM_INVALID);
    err_has("account \"A\" has the name \"alice\", from line 7");
}


/* of a password, HA1s or crypt, each replaces the others */
static void
test_replaces(void **state)
{
    dm_account_t  account;

    (void) state;

    entry_of("A");
    line.has |= DM_ENTRY_DIGEST;
    line.account.has_ha1[DM_SHA512_256] = 1;
    memset(line.account.ha1[DM_SHA512_256], 9, DM_HASH_MAX);
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 2);
    assert_int_equal(got.account.ha1[DM_SHA512_256][31], 9);

    /* no HA1 at all */
    line.account.has_ha1[DM_SHA512_256] = 0;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 0);

    /* of an account with a crypt hash */
    make_account(&account, "C", "carol");
    memset(account.has_ha1, 0, sizeof(account.has_ha1));
    account.crypt = str(OTHER);
    put(opened, &account, DM_OK);

    entry_of("C");
    assert_int_equal(apply(1), DM_OK);
    assert_true(same(got.account.crypt, OTHER));

    line.has |= DM_ENTRY_CRYPT;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(got.account.crypt.len, 0);

    line.has = DM_ENTRY_ID | DM_ENTRY_DIGEST;
    assert_int_equal(apply(1), DM_OK);
    assert_true(same(got.account.crypt, OTHER));
    line.account.has_ha1[DM_SHA256] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(got.account.crypt.len, 0);
    assert_int_equal(has_ha1(), 4);

    line.has = DM_ENTRY_ID;
    line.account.has_ha1[DM_SHA256] = 0;
    assert_int_equal(dm_entry_set_password(&line, str("secret"), &why),
                     DM_OK);
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(got.account.crypt.len, 0);
    assert_int_equal(has_ha1(), 7);
}


/* of htdigest: the same hash says nothing new, another one is another's */
static void
test_md5(void **state)
{
    (void) state;

    entry_of("A");
    line.has |= DM_ENTRY_ONE_HA1;
    line.account.has_ha1[DM_MD5] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 5);

    /* only 16 octets are its own */
    line.account.ha1[DM_MD5][16] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 5);

    line.account.ha1[DM_MD5][15] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 1);
    assert_int_equal(got.account.ha1[DM_MD5][15], 1);

    /* one that the account lacked has nothing to be compared with */
    line.account.has_ha1[DM_MD5] = 0;
    line.account.has_ha1[DM_SHA512_256] = 1;
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(has_ha1(), 2);
}


static void
test_lists(void **state)
{
    (void) state;

    entry_of("A");
    line.has |= DM_ENTRY_ONE_PSK;
    line.account.psk[0] = (dm_psk_t) { str("psk b"), str("another key") };
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(got.account.npsks, 2);
    assert_true(same(got.account.psk[1].key, "another key"));
    assert_true(same(got.account.psk[0].identity, "psk a"));

    line.account.psk[0].identity = str("psk c");
    assert_int_equal(apply(1), DM_INVALID);
    err_has("\"A\" holds 2 PSKs already");

    entry_of("A");
    line.has |= DM_ENTRY_PSK | DM_ENTRY_CERT_KEYS;
    line.account.ncert_keys = 1;
    line.account.cert_key[0] = str("san:URI:x");
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(got.account.npsks, 0);
    assert_int_equal(got.account.ncert_keys, 1);
    assert_true(same(got.account.cert_key[0], "san:URI:x"));

    line.account.npsks = 1;
    line.account.psk[0] = (dm_psk_t) { str("psk z"), str("a third key") };
    assert_int_equal(apply(1), DM_OK);
    assert_int_equal(got.account.npsks, 1);
    assert_true(same(got.account.psk[0].identity, "psk z"));
    assert_true(same(got.account.psk[0].key, "a third key"));
}


/* the store's failure is none of the line's */
static void
test_store_fails(void **state)
{
    (void) state;

    dm_store_close(opened);
    forge("account", str("A"), str("no record"));
    opened = open_store(DM_STORE_WRITE);
    assert_int_equal(dm_store_begin(opened, NULL), DM_OK);

    entry_of("A");
    assert_int_equal(apply(1), DM_ERROR);

    entry_of("other");
    line.by = DM_BY_NAME;
    line.account.name = str("alice");
    assert_int_equal(apply(1), DM_ERROR);
}


/* the line is applied, and kept as that one */
static void
saw(int update, uint64_t number)
{
    if (apply(update) != DM_OK) {
        fail_msg("%s", why.text);
    }

    assert_int_equal(dm_entry_put(&line, opened, &got.account, number, &seen,
                                  NULL, &why), DM_OK);
}


/* whatever --update says, a line does not change what another has set */
static void
test_twice(void **state)
{
    (void) state;

    entry_of("A");
    saw(1, 3);
    assert_int_equal(apply(1), DM_INVALID);
    err_has("it is of account \"A\", as line 3 is: keep one of the two");
    assert_int_equal(apply(0), DM_INVALID);

    entry_of("N");
    saw(0, 4);
    assert_int_equal(apply(0), DM_INVALID);
    err_has("it is of account \"N\", as line 4 is");

    /* the first of them counts */
    assert_int_equal(dm_seen_add(&seen, str("N"), str(""), 9, &why), DM_OK);
    assert_int_equal(dm_seen_line(&seen, str("N"), str("")), 4);
    assert_int_equal(dm_seen_line(&seen, str("n"), str("")), 0);
    assert_int_equal(dm_seen_line(&seen, str("N"), str("x")), 0);

    /* a name that is another's */
    entry_of("O");
    line.has |= DM_ENTRY_NAME;
    line.account.name = str("N");
    assert_int_equal(apply(0), DM_OK);
    assert_int_equal(dm_entry_put(&line, opened, &got.account, 5, &seen, NULL,
                                  &why),
                     DM_EXISTS);
    err_has("account \"N\" already has the name \"N\", from line 4");
}


/* what a line of the file has set stays, of what was there nothing does */
static void
test_parts_order(void **state)
{
    (void) state;

    /* the same as there was, for MD5 */
    entry_of("A");
    line.has |= DM_ENTRY_ONE_HA1;
    line.account.has_ha1[DM_MD5] = 1;
    saw(1, 1);
    assert_int_equal(has_ha1(), 5);

    line.account.has_ha1[DM_MD5] = 0;
    line.account.has_ha1[DM_SHA512_256] = 1;
    saw(1, 2);
    assert_int_equal(has_ha1(), 3);

    /* the other way round */
    entry_of("B");
    line.has |= DM_ENTRY_ONE_HA1;
    line.account.has_ha1[DM_SHA512_256] = 1;
    saw(1, 3);
    assert_int_equal(has_ha1(), 2);

    line.account.has_ha1[DM_SHA512_256] = 0;
    line.account.has_ha1[DM_MD5] = 1;
    saw(1, 4);
    assert_int_equal(has_ha1(), 3);
}


/* hashes of several algorithms, as lighttpd has them, a line each */
static void
test_parts(void **state)
{
    (void) state;

    entry_of("A");
    line.has |= DM_ENTRY_ONE_HA1;
    line.account.has_ha1[DM_SHA256] = 1;
    memset(line.account.ha1[DM_SHA256], 7, DM_HASH_MAX);
    assert_int_equal(apply(0), DM_EXISTS);
    saw(1, 1);
    assert_int_equal(has_ha1(), 1 << DM_SHA256);

    /* of a password that was another, too: they stand beside each other */
    line.account.has_ha1[DM_SHA256] = 0;
    line.account.has_ha1[DM_MD5] = 1;
    memset(line.account.ha1[DM_MD5], 7, DM_HASH_MAX);
    saw(0, 2);
    assert_int_equal(has_ha1(), 1 << DM_SHA256 | 1 << DM_MD5);

    assert_int_equal(apply(1), DM_INVALID);
    err_has("it is of \"MD5\" of account \"A\", as line 2 is");
    line.account.has_ha1[DM_SHA256] = 1;
    line.account.has_ha1[DM_MD5] = 0;
    assert_int_equal(apply(1), DM_INVALID);
    err_has("it is of \"SHA-256\" of account \"A\", as line 1");
}


static int
each(void **state)
{
    if (fresh(state) != DM_OK) {
        return -1;
    }

    opened = open_store(DM_STORE_WRITE);
    put_two(opened);

    return dm_store_begin(opened, NULL);
}


static int
after(void **state)
{
    (void) state;

    dm_entry_wipe(&line);
    dm_seen_free(&seen);
    dm_store_close(opened);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_new, each, after),
        cmocka_unit_test_setup_teardown(test_default_name, each, after),
        cmocka_unit_test_setup_teardown(test_exists, each, after),
        cmocka_unit_test_setup_teardown(test_found_by, each, after),
        cmocka_unit_test_setup_teardown(test_rename, each, after),
        cmocka_unit_test_setup_teardown(test_rename_unsaid, each, after),
        cmocka_unit_test_setup_teardown(test_replaces, each, after),
        cmocka_unit_test_setup_teardown(test_md5, each, after),
        cmocka_unit_test_setup_teardown(test_lists, each, after),
        cmocka_unit_test_setup_teardown(test_twice, each, after),
        cmocka_unit_test_setup_teardown(test_parts, each, after),
        cmocka_unit_test_setup_teardown(test_parts_order, each, after),
        cmocka_unit_test_setup_teardown(test_store_fails, each, after)
    };

    return cmocka_run_group_tests_name("import_apply", tests, setup,
                                       teardown);
}
