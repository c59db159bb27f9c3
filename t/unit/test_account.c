/* Accounts and their records */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dm_account.h"
#include "str.h"


#define HEX32  "0123456789abcdef0123456789abcdef"
#define HEX64  HEX32 HEX32

/* where fields of the clear part are, dm_account.c */
#define FLAGS   1
#define STATE   2
#define ID      39


typedef struct {
    const char  *text;
    int          rc;
} verdict_t;


static const unsigned char   store_id[DM_STORE_ID_SIZE] = "store 0123456789";
static dm_sealer_t          *sealer;


static dm_sealer_t *
make_sealer(unsigned char octet)
{
    dm_keys_t  keys;

    memset(&keys, 0, sizeof(keys));
    keys.n = 1;
    strcpy(keys.key[0].id, "k1");
    memset(keys.key[0].key, octet, DM_KEY_SIZE);

    return dm_sealer_new(&keys, NULL);
}


static void
minimal(dm_account_t *account)
{
    memset(account, 0, sizeof(dm_account_t));
    account->id = str("IMEI:1");
    account->name = str("1");
}


static void
full(dm_account_t *account)
{
    unsigned  i;

    minimal(account);

    account->state = DM_DISABLED;
    account->not_before = 1700000000;
    account->not_after = 1800000000;
    account->revision = 0x0123456789abcdef;
    account->changed = -1;
    account->unlocks = 0xfffffffe;
    account->ngroups = 2;
    account->group[0] = str("fleet a");
    account->group[1] = str("b");
    account->ncert_keys = 2;
    account->cert_key[0] = str("sha256:" HEX64);
    account->cert_key[1] = str("subject:CN=d\xc3\xa9");
    account->npsks = 2;
    account->psk[0] = (dm_psk_t) { str("one"), str("0123456789abcdef") };
    account->psk[1] = (dm_psk_t) { str("two"), str(HEX64) };
    account->crypt = str("$y$j9T$abc$def");

    for (i = 0; i < DM_NALGORITHMS; i++) {
        account->has_ha1[i] = 1;
        memset(account->ha1[i], (int) (0xa0 + i),
               dm_digest_size((dm_algorithm_t) i));
    }
}


static void
assert_str_equal(dm_str_t a, dm_str_t b)
{
    assert_int_equal(a.len, b.len);
    assert_true(dm_str_eq(a, b));
}


static void
assert_account_equal(const dm_account_t *a, const dm_account_t *b)
{
    unsigned  i;

    assert_str_equal(a->id, b->id);
    assert_str_equal(a->name, b->name);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->not_before, b->not_before);
    assert_int_equal(a->not_after, b->not_after);
    assert_int_equal(a->revision, b->revision);
    assert_int_equal(a->changed, b->changed);
    assert_int_equal(a->unlocks, b->unlocks);
    assert_str_equal(a->crypt, b->crypt);
    assert_memory_equal(a->has_ha1, b->has_ha1, sizeof(a->has_ha1));
    assert_memory_equal(a->ha1, b->ha1, sizeof(a->ha1));

    assert_int_equal(a->ngroups, b->ngroups);

    for (i = 0; i < a->ngroups; i++) {
        assert_str_equal(a->group[i], b->group[i]);
    }

    assert_int_equal(a->ncert_keys, b->ncert_keys);

    for (i = 0; i < a->ncert_keys; i++) {
        assert_str_equal(a->cert_key[i], b->cert_key[i]);
    }

    assert_int_equal(a->npsks, b->npsks);

    for (i = 0; i < a->npsks; i++) {
        assert_str_equal(a->psk[i].identity, b->psk[i].identity);
        assert_str_equal(a->psk[i].key, b->psk[i].key);
    }
}


static size_t
encode(const dm_account_t *account, unsigned char *out)
{
    size_t    len;
    dm_err_t  err;

    assert_int_equal(dm_account_encode(account, sealer, store_id, out, &len,
                                       &err),
                     DM_OK);

    return len;
}


/* from an allocation of exactly that size, so that ASan sees an over-read */

static int
decode(const unsigned char *record, size_t len, dm_err_t *err)
{
    int             rc;
    dm_account_t    account;
    unsigned char  *copy;

    copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, record, len);

    rc = dm_account_decode(&account, copy, len, sealer, store_id, err);

    free(copy);

    return rc;
}


static void
round_trip(const dm_account_t *in)
{
    size_t         len;
    dm_err_t       err;
    dm_account_t   out;
    unsigned char  record[DM_RECORD_MAX];

    len = encode(in, record);

    assert_int_equal(dm_account_decode(&out, record, len, sealer, store_id,
                                       &err),
                     DM_OK);
    assert_account_equal(in, &out);

    dm_account_wipe(&out);
    assert_int_equal(out.ha1[DM_SHA256][0], 0);
}


static void
test_round_trip(void **state)
{
    unsigned      i;
    dm_account_t  account;

    (void) state;

    minimal(&account);
    round_trip(&account);

    full(&account);
    round_trip(&account);

    /* each kind of secret alone */

    for (i = 0; i < DM_NALGORITHMS; i++) {
        minimal(&account);
        account.has_ha1[i] = 1;
        account.ha1[i][3] = 7;
        round_trip(&account);
    }

    minimal(&account);
    account.crypt = str("x");
    round_trip(&account);

    minimal(&account);
    account.npsks = 1;
    account.psk[0] = (dm_psk_t) { str("one"), str("0123456789abcdef") };
    round_trip(&account);
}


static void
test_largest(void **state)
{
    unsigned             i;
    dm_account_t         account;
    static unsigned char group[DM_GROUPS][DM_GROUP_MAX];
    static unsigned char cert_key[DM_CERT_KEYS][DM_CERT_KEY_MAX];
    static unsigned char identity[DM_PSKS][DM_PSK_IDENTITY_MAX];
    static unsigned char text[DM_CRYPT_MAX];

    (void) state;

    full(&account);
    memset(text, 'x', sizeof(text));
    account.id = (dm_str_t) { text, DM_ID_MAX };
    account.name = (dm_str_t) { text, DM_NAME_MAX };
    account.crypt = (dm_str_t) { text, DM_CRYPT_MAX };

    account.ngroups = DM_GROUPS;

    for (i = 0; i < DM_GROUPS; i++) {
        memset(group[i], 'A' + (int) i, DM_GROUP_MAX);
        account.group[i] = (dm_str_t) { group[i], DM_GROUP_MAX };
    }

    account.ncert_keys = DM_CERT_KEYS;

    for (i = 0; i < DM_CERT_KEYS; i++) {
        memset(cert_key[i], 'a' + (int) i, DM_CERT_KEY_MAX);
        memcpy(cert_key[i], "subject:", 8);
        account.cert_key[i] = (dm_str_t) { cert_key[i], DM_CERT_KEY_MAX };
    }

    account.npsks = DM_PSKS;

    for (i = 0; i < DM_PSKS; i++) {
        memset(identity[i], 'a' + (int) i, DM_PSK_IDENTITY_MAX);
        account.psk[i].identity = (dm_str_t) { identity[i],
                                               DM_PSK_IDENTITY_MAX };
        account.psk[i].key = (dm_str_t) { text, DM_PSK_MAX };
    }

    round_trip(&account);
}


static void
test_each_octet_counts(void **state)
{
    size_t         i, len;
    unsigned       n, bit;
    dm_err_t       err;
    dm_account_t   account;
    unsigned char  record[DM_RECORD_MAX];

    (void) state;

    for (n = 0; n < 2; n++) {
        n == 0 ? minimal(&account) : full(&account);
        len = encode(&account, record);

        for (i = 0; i < len; i++) {
            for (bit = 1; bit < 0x100; bit <<= 1) {
                record[i] ^= (unsigned char) bit;
                assert_int_equal(decode(record, len, &err), DM_ERROR);
                assert_non_null(strstr(err.text, "the record "));
                record[i] ^= (unsigned char) bit;
            }
        }

        for (i = 0; i < len; i++) {
            assert_int_equal(decode(record, i, &err), DM_ERROR);
        }

        record[len] = 0;
        assert_int_equal(decode(record, len + 1, NULL), DM_ERROR);
        assert_int_equal(decode(record, len, NULL), DM_OK);
    }
}


static void
test_bound_to_store_and_key(void **state)
{
    size_t         len;
    dm_err_t       err;
    dm_sealer_t   *other;
    dm_account_t   account, out;
    unsigned char  record[DM_RECORD_MAX], copy[DM_RECORD_MAX];

    (void) state;

    full(&account);
    len = encode(&account, record);

    memcpy(copy, record, len);
    assert_int_equal(dm_account_decode(&out, copy, len, sealer,
                                       (unsigned char *) "store 012345678x",
                                       &err),
                     DM_ERROR);

    /* and nothing of it stays behind */

    assert_int_equal(out.id.len, 0);
    assert_int_equal(copy[len / 2], 0);

    other = make_sealer(8);
    memcpy(copy, record, len);
    assert_int_equal(dm_account_decode(&out, copy, len, other, store_id,
                                       &err),
                     DM_ERROR);
    assert_non_null(strstr(err.text, "sealed with another key"));
    dm_sealer_free(other);
}


/* what somebody with the key but with a faulty program would write */

static int
decode_sealed(const unsigned char *clear, size_t len, const void *secrets,
    size_t secrets_len, dm_err_t *err)
{
    size_t         n;
    dm_str_t       ad[3];
    unsigned char  record[DM_RECORD_MAX];

    memcpy(record, clear, len);

    ad[0] = str("dm-sec account");
    ad[1] = (dm_str_t) { store_id, DM_STORE_ID_SIZE };
    ad[2] = (dm_str_t) { record, len };

    assert_int_equal(dm_sealer_seal(sealer, ad, 3,
                                    (dm_str_t) { secrets, secrets_len },
                                    record + len, &n),
                     DM_OK);

    return decode(record, len + n, err);
}


static void
test_strict(void **state)
{
    size_t         len;
    dm_err_t       err;
    dm_account_t   account;
    unsigned char  clear[DM_RECORD_MAX], ha1[DM_HASH_MAX + 1] = { 0 };

    (void) state;

    /* behind the clear part: key id, IV, tag, 1 + 2 + 12 + 16 octets */

    minimal(&account);
    len = encode(&account, clear) - 31;

    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_OK);

    assert_int_equal(decode_sealed(clear, len, "x", 1, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "does not hold what its clear part"));

    /* flags and secrets that do not match */

    clear[FLAGS] = 1 << DM_MD5;
    assert_int_equal(decode_sealed(clear, len, ha1, 16, &err), DM_OK);
    assert_int_equal(decode_sealed(clear, len, ha1, 15, &err), DM_ERROR);
    assert_int_equal(decode_sealed(clear, len, ha1, 17, &err), DM_ERROR);
    assert_int_equal(decode_sealed(clear, len, ha1, 0, &err), DM_ERROR);

    clear[FLAGS] = 1 << DM_SHA256;
    assert_int_equal(decode_sealed(clear, len, ha1, 32, &err), DM_OK);
    assert_int_equal(decode_sealed(clear, len, ha1, 16, &err), DM_ERROR);

    clear[FLAGS] = 8;
    assert_int_equal(decode_sealed(clear, len, "\1\0x", 3, &err), DM_OK);
    assert_int_equal(decode_sealed(clear, len, "\0\0", 2, &err), DM_ERROR);
    assert_int_equal(decode_sealed(clear, len, "\2\0x", 3, &err), DM_ERROR);
    assert_int_equal(decode_sealed(clear, len, "\1\0\n", 3, &err), DM_ERROR);

    clear[FLAGS] = 16;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    clear[FLAGS] = 0;

    /* numbers out of range */

    clear[0] = 2;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "version 2"));
    clear[0] = 1;

    clear[STATE] = 2;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    clear[STATE] = 1;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_OK);

    clear[len - 3] = DM_GROUPS + 1;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    clear[len - 3] = 0;

    clear[len - 2] = DM_CERT_KEYS + 1;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    clear[len - 2] = 0;

    clear[len - 1] = DM_PSKS + 1;
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    clear[len - 1] = 0;

    /* fields that no border lets in */

    assert_memory_equal(clear + ID, "\6IMEI:1", 7);
    clear[ID + 3] = '\n';
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "control character"));
    clear[ID + 3] = 'E';

    clear[len - 4] = ':';
    assert_int_equal(decode_sealed(clear, len, "", 0, &err), DM_ERROR);
    assert_non_null(strstr(err.text, "colon"));
}


static void
check_each(int (*check)(dm_str_t text, dm_err_t *err),
    const verdict_t *verdict, size_t n)
{
    size_t    i;
    dm_err_t  err;

    for (i = 0; i < n; i++) {
        err.text[0] = '\0';

        if (check(str(verdict[i].text), &err) != verdict[i].rc) {
            fail_msg("\"%s\": %s", verdict[i].text, err.text);
        }

        assert_int_equal(err.text[0] == '\0', verdict[i].rc == DM_OK);
    }
}

#define CHECK_EACH(check, list)                                               \
    check_each(check, list, sizeof(list) / sizeof(list[0]))


static const verdict_t  texts[] = {
    { "a", DM_OK },
    { "J\xc3\xa4germ\xc3\xa4nner", DM_OK },
    { "\xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbd", DM_OK },
    { "", DM_INVALID },
    { "a\n", DM_INVALID },
    { "\x1f", DM_INVALID },
    { "\x7f", DM_INVALID },
    { "\xc2\x80", DM_INVALID },
    { "\xc2\x9f", DM_INVALID },
    { "\xc2\xa0", DM_OK },
    { "\x80", DM_INVALID },
    { "\xc3", DM_INVALID },
    { "\xc3(", DM_INVALID },
    { "\xc0\xaf", DM_INVALID },
    { "\xc1\xbf", DM_INVALID },
    { "\xe0\x80\xaf", DM_INVALID },
    { "\xe0\xa0\x80", DM_OK },
    { "\xe2\x82", DM_INVALID },
    { "\xed\x9f\xbf", DM_OK },
    { "\xed\xa0\x80", DM_INVALID },
    { "\xf0\x8f\xbf\xbf", DM_INVALID },
    { "\xf4\x8f\xbf\xbf", DM_OK },
    { "\xf4\x90\x80\x80", DM_INVALID },
    { "\xf5\x80\x80\x80", DM_INVALID },
    { "\xff", DM_INVALID }
};

static const verdict_t  names[] = {
    { "a,b", DM_OK },
    { "a:b", DM_INVALID },
    { " a", DM_INVALID },
    { "a ", DM_INVALID },
    { ":", DM_INVALID }
};

/* HTTP would take them away, and another identity would be left */
static const verdict_t  blanks[] = {
    { "a b", DM_OK },
    { " a", DM_INVALID },
    { "a ", DM_INVALID }
};

static const verdict_t  groups[] = {
    { "a:b", DM_OK },
    { "a b", DM_OK },
    { " ab", DM_INVALID },
    { "ab ", DM_INVALID },
    { " ", DM_INVALID },
    { "a,b", DM_INVALID }
};

static const verdict_t  cert_keys[] = {
    { "sha256:" HEX64, DM_OK },
    { "sha256:" HEX64 "0", DM_INVALID },
    { "sha256:0123456789abcdef", DM_INVALID },
    { "sha256::123456789abcdef0123456789abcdef" HEX32, DM_INVALID },
    { "sha256:`123456789abcdef0123456789abcdef" HEX32, DM_INVALID },
    { "sha256:g123456789abcdef0123456789abcdef" HEX32, DM_INVALID },
    { "sha256:0123456789ABCDEF0123456789abcdef" HEX32, DM_INVALID },
    { "SHA256:" HEX64, DM_INVALID },
    { "issuer-serial:CN=ca#1f", DM_OK },
    { "issuer-serial:", DM_INVALID },
    { "san:URI:urn:x", DM_OK },
    { "san:DNS:device.example", DM_OK },
    { "san:DNS:", DM_INVALID },
    { "san:email:a@b", DM_INVALID },
    { "subject:CN=\xc3\xa9", DM_OK },
    { "subject:CN=\xe9", DM_INVALID },
    { "subject:CN=a\tb", DM_INVALID },
    { "subject:", DM_INVALID },
    { "subject", DM_INVALID },
    { "CN=a", DM_INVALID }
};


static void
check_length(int (*check)(dm_str_t text, dm_err_t *err), size_t max,
    const char *prefix)
{
    dm_err_t       err;
    unsigned char  text[2048];

    memset(text, 'a', sizeof(text));
    memcpy(text, prefix, strlen(prefix));

    assert_int_equal(check((dm_str_t) { text, max }, &err), DM_OK);
    assert_int_equal(check((dm_str_t) { text, max + 1 }, &err), DM_INVALID);
    assert_int_equal(check((dm_str_t) { text, max + 1 }, NULL), DM_INVALID);
}


static void
test_field_checks(void **state)
{
    (void) state;

    CHECK_EACH(dm_account_check_id, texts);
    CHECK_EACH(dm_account_check_name, texts);
    CHECK_EACH(dm_account_check_group, texts);
    CHECK_EACH(dm_account_check_psk_identity, texts);
    CHECK_EACH(dm_account_check_name, names);
    CHECK_EACH(dm_account_check_group, groups);
    CHECK_EACH(dm_account_check_id, blanks);
    CHECK_EACH(dm_account_check_cert_key, cert_keys);

    check_length(dm_account_check_id, 255, "");
    check_length(dm_account_check_name, 255, "");
    check_length(dm_account_check_group, 64, "");
    check_length(dm_account_check_psk_identity, 128, "");
    check_length(dm_account_check_cert_key, 1024, "subject:");
}


static void
refuse(const dm_account_t *account, const char *why)
{
    size_t         len;
    dm_err_t       err;
    unsigned char  record[DM_RECORD_MAX];

    assert_int_equal(dm_account_check(account, &err), DM_INVALID);

    if (strstr(err.text, why) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", why, err.text);
    }

    assert_int_equal(dm_account_encode(account, sealer, store_id, record,
                                       &len, &err),
                     DM_INVALID);
}


static void
test_account_checks(void **state)
{
    dm_err_t       err;
    dm_account_t   account;
    unsigned char  text[DM_CRYPT_MAX + 1];

    (void) state;

    full(&account);
    assert_int_equal(dm_account_check(&account, &err), DM_OK);

    account.id = str("");
    refuse(&account, "the id is empty");

    full(&account);
    account.name = str("a:b");
    refuse(&account, "colon");

    full(&account);
    account.state = (dm_state_t) 2;
    refuse(&account, "state");

    full(&account);
    account.not_before = account.not_after + 1;
    refuse(&account, "not_before");
    account.not_after = 0;
    assert_int_equal(dm_account_check(&account, &err), DM_OK);
    account.not_after = 5;
    account.not_before = 0;
    assert_int_equal(dm_account_check(&account, &err), DM_OK);
    account.not_before = 5;
    assert_int_equal(dm_account_check(&account, &err), DM_OK);

    full(&account);
    account.ngroups = DM_GROUPS + 1;
    refuse(&account, "33 groups");

    full(&account);
    account.group[1] = account.group[0];
    refuse(&account, "the group \"fleet a\" is there twice");

    full(&account);
    account.group[1] = str("a,b");
    refuse(&account, "comma");

    full(&account);
    account.ncert_keys = DM_CERT_KEYS + 1;
    refuse(&account, "9 certificate keys");

    full(&account);
    account.cert_key[1] = account.cert_key[0];
    refuse(&account, "there twice");

    full(&account);
    account.cert_key[1] = str("x");
    refuse(&account, "certificate key");

    full(&account);
    account.npsks = DM_PSKS + 1;
    refuse(&account, "3 PSKs");

    full(&account);
    account.psk[1].identity = account.psk[0].identity;
    refuse(&account, "the PSK identity \"one\" is there twice");

    full(&account);
    account.psk[1].identity = str("\n");
    refuse(&account, "PSK identity");

    full(&account);
    account.psk[1].key = str("0123456789abcde");
    refuse(&account, "15 octets");
    account.psk[1].key = str(HEX64 "x");
    refuse(&account, "65 octets");

    full(&account);
    memset(text, 'x', sizeof(text));
    account.crypt = (dm_str_t) { text, sizeof(text) };
    refuse(&account, "385 octets");
    account.crypt = str("a b");
    refuse(&account, "blanks");
    account.crypt = str("\xc3\xa9");
    refuse(&account, "ASCII");
}


static void
test_messages(void **state)
{
    int       i;
    dm_err_t  err;

    (void) state;

    dm_err_set(NULL, "x");

    dm_err_set(&err, "a\nb\x7f" "c\xc3\xa9");
    assert_string_equal(err.text, "a?b?c\xc3\xa9");

    /* NOLINTNEXTLINE(misc-misleading-bidirectional) */
    dm_err_set(&err, "\xc2\x9b" "1\x9b" "2\xe2\x80\xae" "3\xc2");
    assert_string_equal(err.text, "??1?2???3?");

    /* cut between characters */

    for (i = 500; i < 520; i++) {
        dm_err_set(&err, "%0*d\xe2\x82\xac", i, 0);
        assert_int_equal(dm_text_check(str(err.text), sizeof(err.text),
                                       "it", NULL),
                         DM_OK);
        assert_true(strlen(err.text) >= 500);
    }
}


/* the ends of each range */
/* NOLINTBEGIN(misc-misleading-bidirectional) */
static const char *const  misleading[] = {
    "\xc2\xa0", "\xc2\xad", "\xcd\x8f", "\xe1\x85\x9f", "\xe1\x85\xa0",
    "\xe1\x9a\x80", "\xe1\x9e\xb4", "\xe1\x9e\xb5", "\xe1\xa0\x8b",
    "\xe1\xa0\x8e", "\xe1\xa0\x8f", "\xe2\x80\x80", "\xe2\x80\x8b",
    "\xe2\x80\x8d", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe2\x81\xa0",
    "\xe2\x81\xaf", "\xe2\xa0\x80", "\xe3\x80\x80", "\xe3\x85\xa4",
    "\xef\xb8\x80", "\xef\xb8\x8f", "\xef\xbe\xa0", "\xef\xbf\xb0",
    "\xef\xbf\xbb", "\xf0\x9d\x85\xb3", "\xf0\x9d\x85\xba",
    "\xf3\xa0\x80\x80", "\xf3\xa0\x81\x81", "\xf3\xa0\xbf\xbf",
    "\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac",
    "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7",
    "\xe2\x81\xa8", "\xe2\x81\xa9", "\xef\xbb\xbf"
};
/* NOLINTEND(misc-misleading-bidirectional) */

/* their neighbours */
static const char *const  shown[] = {
    "\xc2\xa1", "\xc2\xac", "\xc2\xae", "\xcd\x8e", "\xcd\x90",
    "\xd8\x9b", "\xd8\x9d", "\xd9\x9c", "\xe1\x85\x9e", "\xe1\x85\xa1",
    "\xe1\x9a\x81", "\xe1\x9e\xb6", "\xe1\xa0\x90", "\xe1\xbf\xbe",
    "\xe2\x80\x90", "\xe2\x80\xa7", "\xe2\x80\xb0", "\xe2\x81\x9e",
    "\xe2\x81\xb0", "\xe2\xa0\x81", "\xe3\x80\x81", "\xe3\x85\xa3",
    "\xe3\x85\xa5", "\xef\xb8\x90", "\xef\xbe\x9f", "\xef\xbe\xa1",
    "\xef\xbf\xbc", "\xef\xbf\xbd", "\xf0\x9d\x85\xb2",
    "\xf0\x9d\x85\xbb", "\xf3\x9f\xbf\xbf", "\xf3\xa1\x80\x80",
    "\xef\xbb\xbe", "\xef\xbc\xbf", "\xee\xbb\xbf", "\xf4\x8f\xbf\xbf",
    "\xe2\x82\xa6", "\xe3\x80\xae", "\xe1\x81\xa6", "\xf0\xa2\x80\xae",
    " ", "~"
};


static dm_text_e
first(const char *text, size_t *n)
{
    const unsigned char  *p;

    p = (const unsigned char *) text;

    return dm_text_next(p, p + strlen(text), n);
}


static void
test_next(void **state)
{
    size_t  i, n;

    (void) state;

    for (i = 0; i < sizeof(misleading) / sizeof(misleading[0]); i++) {
        assert_int_equal(first(misleading[i], &n), DM_TEXT_MISLEADING);
        assert_int_equal(n, strlen(misleading[i]));
    }

    for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        assert_int_equal(first(shown[i], &n), DM_TEXT_PLAIN);
        assert_int_equal(n, strlen(shown[i]));
        assert_int_equal(dm_text_check_shown(str(shown[i]), "it", NULL),
                         DM_OK);
    }

    assert_int_equal(first("\x1f", &n), DM_TEXT_CONTROL);
    assert_int_equal(first("\x7f", &n), DM_TEXT_CONTROL);
    assert_int_equal(first("\xc2\x80", &n), DM_TEXT_CONTROL);
    assert_int_equal(n, 2);
    assert_int_equal(first("\xc2\x9f", &n), DM_TEXT_CONTROL);
    assert_int_equal(first("\x9b", &n), DM_TEXT_BROKEN);
    assert_int_equal(n, 1);
    assert_int_equal(first("\xe2\x80", &n), DM_TEXT_BROKEN);
    assert_int_equal(n, 1);
}


/* what account has with text in field n, refused if it is new */
static void
refuse_new(unsigned n, const char *text)
{
    dm_str_t      *field;
    dm_err_t       err;
    dm_account_t   account, old;

    full(&account);
    full(&old);

    field = n == 0 ? &account.id : n == 1 ? &account.name
            : n == 2 ? &account.group[1] : &account.psk[1].identity;
    *field = str(text);

    /* it can be read, and sealed again, wherever it is from */
    assert_int_equal(dm_account_check(&account, &err), DM_OK);

    assert_int_equal(dm_account_check_new(&account, NULL, &err), DM_INVALID);
    assert_non_null(strstr(err.text, "look like something else"));
    assert_int_equal(dm_account_check_new(&account, &old, &err), DM_INVALID);
    assert_int_equal(dm_account_check_new(&account, &account, &err), DM_OK);
    assert_int_equal(dm_account_check_new(&old, &account, &err), DM_OK);
}


static void
test_new(void **state)
{
    char          text[64];
    dm_err_t      err;
    size_t        i;
    unsigned      n;
    dm_account_t  account;

    (void) state;

    full(&account);
    assert_int_equal(dm_account_check_new(&account, NULL, NULL), DM_OK);

    assert_int_equal(dm_text_check_shown(str("dev\xc2\xa0"), "it", &err),
                     DM_INVALID);
    assert_memory_equal(err.text, "it has the character U+00A0 at octet 4, ",
                        40);
    assert_int_equal(dm_text_check_shown(str("\xf3\xa0\x81\x81"), "it", &err),
                     DM_INVALID);
    assert_memory_equal(err.text, "it has the character U+E0041 at octet 1,",
                        40);

    for (i = 0; i < sizeof(misleading) / sizeof(misleading[0]); i++) {
        for (n = 0; n < 4; n++) {
            (void) snprintf(text, sizeof(text), "a%sb", misleading[i]);
            refuse_new(n, text);
        }
    }

    /* of a certificate it is what its CA wrote */

    account.cert_key[1] = str("subject:CN=a\xe2\x80\xae\xe2\x80\xac"
                              "b\xc2\xa0");
    assert_int_equal(dm_account_check_new(&account, NULL, NULL), DM_OK);
}


static int
setup(void **state)
{
    (void) state;

    if (dm_digest_init(NULL) != DM_OK) {
        return -1;
    }

    sealer = make_sealer(7);

    return sealer == NULL;
}


static int
teardown(void **state)
{
    (void) state;

    dm_sealer_free(sealer);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_each_octet_counts),
        cmocka_unit_test(test_bound_to_store_and_key),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_field_checks),
        cmocka_unit_test(test_account_checks),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_new)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
