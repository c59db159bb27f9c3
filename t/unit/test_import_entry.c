/* What a line of each format says of an account */

#define _GNU_SOURCE

#include "io_fixture.h"

#include "account/entry.h"


#define KEY   "30313233343536373839616263646566"    /* "0123456789abcdef" */
#define MD5   "3d78807defe7de2157e2b0b6573a855f"
#define SHA   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define APR1  "$apr1$salt$zhL9MYqZGdxa3Y56Tc6CY0"


typedef int (*parse_pt)(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err);

typedef struct {
    const char  *line;
    const char  *err;       /* a part of the message */
} refusal_t;


static dm_entry_t       entry;
static dm_entry_file_t  from;
static unsigned char   *copy;   /* of the line, which an entry points into */


/* from an allocation of exactly that size, so that ASan sees an over-read */
static int
parse_octets(parse_pt parse, const char *octets, size_t len)
{
    free(copy);
    copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, octets, len);
    err.text[0] = '\0';

    return parse(&entry, (dm_str_t) { copy, len }, &from, &err);
}


static int
parse(parse_pt format, const char *line)
{
    return parse_octets(format, line, strlen(line));
}


static void
takes(parse_pt format, const char *line, unsigned has)
{
    if (parse(format, line) != DM_OK) {
        fail_msg("%s: %s", line, err.text);
    }

    assert_int_equal(entry.has, has);
}


static void
passes_over(parse_pt format, const char *line)
{
    if (parse(format, line) != DM_DECLINED) {
        fail_msg("%s", line);
    }

    dm_entry_wipe(&entry);
}


static void
refuses(parse_pt format, const refusal_t *refusal, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (parse(format, refusal[i].line) != DM_INVALID
            || strstr(err.text, refusal[i].err) == NULL)
        {
            fail_msg("%s: %s", refusal[i].line, err.text);
        }

        dm_entry_wipe(&entry);
    }
}


/* which account it is, and what is looked for first */
static void
is_user(const char *name, const char *id, dm_store_index_t by)
{
    assert_true(same(entry.account.name, name));
    assert_true(same(entry.account.id, id));
    assert_int_equal(entry.by, by);
}


static void
test_htpasswd(void **state)
{
    static const refusal_t  refusals[] = {
        { "user", "it is not USER:HASH: there is no colon" },
        { ":" APR1, "the name is empty" },
        { "us\ner:" APR1, "the name has a control character" },
        { " user:" APR1, "the name begins or ends with a blank" },
        { "user:", "hash" },
        { "user:unknown", "hash" },
        { "user:{PLAIN}", "the password is empty" },
        { "user:{PLAIN}a\x01", "the password has a control character" },
        { "user:{plain}secret", "hash" },
        { "user:" APR1 " ", "the hash begins or ends with a blank" },
        { "user: " APR1, "the hash begins or ends with a blank" },
        { "user:" APR1 "\t:comment", "the hash begins or ends with a blank" },
        { "user:" APR1 "\xc2\xa0", "the hash has the character U+00A0 at " },
        { "user:{PLAIN}secret ", "the password begins or ends with a blank" },
        { "user :" APR1, "the name begins or ends with a blank" },
        { "# comment\\", "for which Apache takes the next line as a part" }
    };

    (void) state;

    takes(dm_entry_parse_htpasswd, "user:" APR1,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_CRYPT);
    is_user("user", "user", DM_BY_NAME);
    assert_true(same(entry.account.crypt, APR1));
    dm_entry_wipe(&entry);

    /* which the map knows, and a comment */
    takes(dm_entry_parse_htpasswd, "mapped:" APR1 ":of:somebody",
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_CRYPT);
    is_user("mapped", "urn:1", DM_BY_ID);
    assert_true(same(entry.account.crypt, APR1));
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_htpasswd, "user:{PLAIN}a secret:comment",
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_PASSWORD);
    assert_string_equal((char *) entry.password.data, "a secret");
    assert_int_equal(entry.password.len, 8);
    dm_entry_wipe(&entry);

    passes_over(dm_entry_parse_htpasswd, "");
    passes_over(dm_entry_parse_htpasswd, " \t");
    passes_over(dm_entry_parse_htpasswd, "  # comment");
    passes_over(dm_entry_parse_htpasswd, "#user:" APR1);
    refuses(dm_entry_parse_htpasswd, refusals,
            sizeof(refusals) / sizeof(refusals[0]));
}


/* a line of an htdigest file with one hash, of that algorithm */
static void
is_ha1(const char *line, dm_algorithm_t alg, int md5)
{
    dm_algorithm_t  i;

    takes(dm_entry_parse_htdigest, line,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1);

    for (i = 0; i < DM_NALGORITHMS; i++) {
        assert_int_equal(entry.account.has_ha1[i], i == alg);
    }

    assert_memory_equal(entry.account.ha1[alg], md5 ? "\x3d\x78" : "\x01\x23",
                        2);
    dm_entry_wipe(&entry);
}


static void
test_htdigest(void **state)
{
    static const refusal_t  refusals[] = {
        { "user", "it is not USER:REALM:HASH: a colon is missing" },
        { "user:realm", "a colon is missing" },
        { "user:" MD5, "a colon is missing" },
        { "user:realm:", "the hash has something else than 32 hexadecimal" },
        { "user:realm:" MD5 "00", "32 hexadecimal digits" },
        { "user:realm:" MD5 MD5 "00", "digits, or 64 for SHA-256" },
        { "user:realm:zz78807defe7de2157e2b0b6573a855f", "32 hexadecimal" },
        { "user:realm:" MD5 " ", "the hash begins or ends with a blank" },
        { "user:realm:\t" MD5, "the hash begins or ends with a blank" },
        { "user:realm:" MD5 ":0d78807defe7de2157e2b0b6573a855f",
          "the userhash behind the hash is not that of its user and realm" },
        { "user:realm:" SHA ":" MD5 MD5, "the userhash behind the hash" },
        { "# a comment\\", "it ends with \"\\\"" },
        { "user:other:" MD5,
          "its realm is \"other\", that of the store \"realm\"" },
        { "user:realmx:" MD5, "its realm is \"realmx\"" },
        { "user:real:" MD5, "its realm is \"real\"" },
        { "user::" MD5, "its realm is \"\"" },
        { ":realm:" MD5, "the name is empty" }
    };

    (void) state;

    takes(dm_entry_parse_htdigest, "user:realm:" MD5,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1);
    is_user("user", "user", DM_BY_NAME);
    assert_int_equal(entry.account.has_ha1[DM_MD5], 1);
    assert_int_equal(entry.account.has_ha1[DM_SHA256], 0);
    assert_memory_equal(entry.account.ha1[DM_MD5],
                        "\x3d\x78\x80\x7d\xef\xe7\xde\x21"
                        "\x57\xe2\xb0\xb6\x57\x3a\x85\x5f", 16);
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_htdigest, "mapped:realm:" MD5,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1);
    is_user("mapped", "urn:1", DM_BY_ID);
    dm_entry_wipe(&entry);

    /* lighttpd's, whose userhash tells two algorithms apart */

    is_ha1("user:realm:" MD5 ":e760591138c3df8c9c11eeba43a9f851", DM_MD5, 1);
    is_ha1("user:realm:" MD5 ": of somebody", DM_MD5, 1);
    is_ha1("user:realm:" MD5 ":", DM_MD5, 1);
    is_ha1("user:realm:" SHA, DM_SHA256, 0);
    is_ha1("user:realm:" SHA ":6A3029116B47AA98BCAA325399733DC1A23CD57E"
           "26B81BEF3FF6531CE624E2DA",
           DM_SHA256, 0);
    is_ha1("user:realm:" SHA ":130dc7d22351a8520ee2fdadf72bd40ec055f27b"
           "3036805ac17793aa50885786",
           DM_SHA512_256, 0);
    is_ha1("user:realm:" SHA ":" MD5, DM_SHA256, 0);

    passes_over(dm_entry_parse_htdigest, "");
    passes_over(dm_entry_parse_htdigest, " \t ");
    passes_over(dm_entry_parse_htdigest, "  # user:realm:" MD5);
    passes_over(dm_entry_parse_htdigest, "#user:realm:" MD5);
    refuses(dm_entry_parse_htdigest, refusals,
            sizeof(refusals) / sizeof(refusals[0]));
}


/* with --realm, lines of others do not count, whatever hash they have */
static void
test_htdigest_realms(void **state)
{
    (void) state;

    from.one_realm = 1;
    passes_over(dm_entry_parse_htdigest, "user:other:" MD5);
    passes_over(dm_entry_parse_htdigest, "user:other:none");
    takes(dm_entry_parse_htdigest, "user:realm:" MD5,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1);
    dm_entry_wipe(&entry);
    from.one_realm = 0;

    /* the store's own realm may have colons */

    from.realm = str("a:b");
    takes(dm_entry_parse_htdigest, "user:a:b:" MD5,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1);
    dm_entry_wipe(&entry);
    assert_int_equal(parse(dm_entry_parse_htdigest, "user:a:" MD5),
                     DM_INVALID);
    err_has("its realm is \"a\", that of the store \"a:b\"");
    dm_entry_wipe(&entry);
    assert_int_equal(parse(dm_entry_parse_htdigest, "user:a:b"), DM_INVALID);
    dm_entry_wipe(&entry);

    from.realm = str("realm");
}


static void
test_psk(void **state)
{
    static const refusal_t  refusals[] = {
        { "dev", "it is not IDENTITY:KEY: there is no colon" },
        { "#dev:" KEY, "it begins with \"#\"" },
        { "#646576a:" KEY, "an identity in hex, and this is none" },
        { ":" KEY, "identity is empty" },
        { "d\x01:" KEY, "identity has a control character" },
        { "dev:", "the key is not 16 to 64 octets in hex" },
        { "dev:303132333435363738396162636465", "the key is not 16 to 64" },
        { "dev:" KEY "3", "the key is not 16 to 64" },
        { "dev:" KEY KEY KEY KEY "30", "the key is not 16 to 64" },
        { "dev:" KEY " ", "the key begins or ends with a blank" },
        { "dev: " KEY, "the key begins or ends with a blank" },
        { "dev :" KEY, "the identity begins or ends with a blank" },
        { "dev:text that stunnel takes", "the key is not 16 to 64" }
    };

    (void) state;

    takes(dm_entry_parse_psk, "dev:" KEY, DM_ENTRY_ID | DM_ENTRY_ONE_PSK);
    assert_true(same(entry.account.id, "dev"));
    assert_int_equal(entry.by, DM_BY_PSK);
    assert_int_equal(entry.account.npsks, 1);
    assert_true(same(entry.account.psk[0].identity, "dev"));
    assert_true(same(entry.account.psk[0].key, "0123456789abcdef"));
    dm_entry_wipe(&entry);

    /* an identity may have colons, and a "#" but as its first */
    takes(dm_entry_parse_psk, "urn:d#1:" KEY KEY KEY KEY,
          DM_ENTRY_ID | DM_ENTRY_ONE_PSK);
    assert_true(same(entry.account.psk[0].identity, "urn:d#1"));
    assert_int_equal(entry.account.psk[0].key.len, DM_PSK_MAX);
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_psk, "#6d61707065643a31:" KEY,
          DM_ENTRY_ID | DM_ENTRY_ONE_PSK);
    assert_true(same(entry.account.psk[0].identity, "mapped:1"));
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_psk, "dev:30:31:32:33:34:35:36:37:38:39:61:62:63:64"
          ":6566", DM_ENTRY_ID | DM_ENTRY_ONE_PSK);
    assert_true(same(entry.account.psk[0].identity, "dev"));
    assert_true(same(entry.account.psk[0].key, "0123456789abcdef"));
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_psk, "mapped:" KEY, DM_ENTRY_ID | DM_ENTRY_ONE_PSK);
    assert_true(same(entry.account.id, "urn:1"));
    assert_true(same(entry.account.psk[0].identity, "mapped"));
    assert_int_equal(entry.by, DM_BY_ID);
    dm_entry_wipe(&entry);

    passes_over(dm_entry_parse_psk, "");
    passes_over(dm_entry_parse_psk, " ");
    passes_over(dm_entry_parse_psk, "#");
    passes_over(dm_entry_parse_psk, "# those of the lab: two");
    refuses(dm_entry_parse_psk, refusals,
            sizeof(refusals) / sizeof(refusals[0]));
}


static void
test_jsonl(void **state)
{
    dm_account_t  *account;

    (void) state;

    account = &entry.account;

    takes(dm_entry_parse_jsonl, "{\"id\":\"dev\"}", DM_ENTRY_ID);
    is_user("", "dev", DM_BY_ID);
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_jsonl, " {\"name\":\"n\",\"id\":\"urn:dev:\\u00e9\","
          "\"state\":\"disabled\",\"groups\":[\"a\",\"b\"],"
          "\"not_before\":\"1970-01-01T00:00:01Z\","
          "\"not_after\":\"2027-01-31T00:00:00Z\",\"cert_keys\":[\"sha256:"
          "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"
          "\",\"san:URI:urn:x\"],\"digest\":{\"md5\":\"" MD5 "\"},"
          "\"crypt\":null,\"psk\":[{\"identity\":\"one\",\"key\":\"" KEY "\"},"
          "{\"key\":\"" KEY KEY "\",\"identity\":\"two\"}]}\t",
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_STATE | DM_ENTRY_GROUPS
          | DM_ENTRY_NOT_BEFORE | DM_ENTRY_NOT_AFTER | DM_ENTRY_CERT_KEYS
          | DM_ENTRY_DIGEST | DM_ENTRY_CRYPT | DM_ENTRY_PSK);

    is_user("n", "urn:dev:\xc3\xa9", DM_BY_ID);
    assert_int_equal(account->state, DM_DISABLED);
    assert_int_equal(account->ngroups, 2);
    assert_true(same(account->group[1], "b"));
    assert_int_equal(account->not_before, 1);
    assert_int_equal(account->not_after, 1801353600);
    assert_int_equal(account->ncert_keys, 2);
    assert_true(same(account->cert_key[0], "sha256:"
                     "0123456789abcdef0123456789abcdef"
                     "0123456789abcdef0123456789abcdef"));
    assert_true(same(account->cert_key[1], "san:URI:urn:x"));
    assert_int_equal(account->has_ha1[DM_MD5], 1);
    assert_int_equal(account->crypt.len, 0);
    assert_int_equal(account->npsks, 2);
    assert_true(same(account->psk[0].identity, "one"));
    assert_true(same(account->psk[0].key, "0123456789abcdef"));
    assert_true(same(account->psk[1].identity, "two"));
    assert_int_equal(account->psk[1].key.len, 32);
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_jsonl, "{\"id\":\"dev\",\"state\":\"active\","
          "\"not_after\":null,\"not_before\":null,\"psk\":[],\"groups\":[],"
          "\"password\":\"a secret\",\"digest\":{}}",
          DM_ENTRY_ID | DM_ENTRY_STATE | DM_ENTRY_NOT_AFTER
          | DM_ENTRY_NOT_BEFORE | DM_ENTRY_PSK | DM_ENTRY_GROUPS
          | DM_ENTRY_PASSWORD | DM_ENTRY_DIGEST);
    assert_int_equal(account->state, DM_ACTIVE);
    assert_int_equal(account->not_after, 0);
    assert_int_equal(account->npsks, 0);
    assert_string_equal((char *) entry.password.data, "a secret");
    dm_entry_wipe(&entry);

    takes(dm_entry_parse_jsonl, "{\"id\":\"dev\",\"crypt\":\"" APR1 "\"}",
          DM_ENTRY_ID | DM_ENTRY_CRYPT);
    assert_true(same(account->crypt, APR1));
    dm_entry_wipe(&entry);

    passes_over(dm_entry_parse_jsonl, "");
    passes_over(dm_entry_parse_jsonl, " \t ");
}


/* a message says which field, and never what a secret is */
static void
test_jsonl_refused(void **state)
{
    static const refusal_t  refusals[] = {
        { "{", "it is not JSON, or names a field twice: see octet 1" },
        { "{\"id\":\"a\",\"id\":\"b\"}", "or names a field twice" },
        { "{\"id\":\"a\"} x", "it is not JSON" },
        { "{\"id\":\"\xff\"}", "it is not JSON" },
        { "{\"id\":\"a\\u0000\"}", "it is not JSON" },
        { "[]", "it is not an object" },
        { "{}", "it has no \"id\"" },
        { "{\"id\":\"a\",\"x\":1}", "field 2 is unknown: the fields are" },
        { "{\"ID\":\"a\",\"id\":1}", "field 1 is unknown" },
        { "{\"id\":1}", "\"id\" is not a string" },
        { "{\"id\":\"\"}", "the id is empty" },
        { "{\"id\":\"a\",\"name\":null}", "\"name\" is not a string" },
        { "{\"id\":\"a\",\"state\":\"Active\"}", "\"state\" is neither" },
        { "{\"id\":\"a\",\"state\":true}", "\"state\" is not a string" },
        { "{\"id\":\"a\",\"groups\":\"g\"}", "\"groups\" is not a list" },
        { "{\"id\":\"a\",\"groups\":[1]}", "a group is not a string" },
        { "{\"id\":\"a\",\"not_before\":1}", "\"not_before\" is not a string" },
        { "{\"id\":\"a\",\"not_before\":\"\"}",
          "\"not_before\" is not a time after 1970" },
        { "{\"id\":\"a\",\"not_after\":\"2027-02-30T00:00:00Z\"}",
          "\"not_after\" is not a time after 1970" },
        { "{\"id\":\"a\",\"digest\":[]}", "\"digest\" is not an object" },
        { "{\"id\":\"a\",\"digest\":{\"SHA-1\":\"00\"}}",
          "\"digest\" has something else than MD5" },
        { "{\"id\":\"a\",\"digest\":{\"MD5\":\"" MD5 "\",\"md5\":\"" MD5
          "\"}}", "once each" },
        { "{\"id\":\"a\",\"digest\":{\"MD5\":1}}", "an HA1 is not a string" },
        { "{\"id\":\"a\",\"digest\":{\"MD5\":\"" MD5 MD5 "\"}}",
          "the HA1 for MD5 has something else than 32 hexadecimal digits" },
        { "{\"id\":\"a\",\"digest\":{\"SHA-256\":\"" MD5 "\"}}",
          "the HA1 for SHA-256 has something else than 64" },
        { "{\"id\":\"a\",\"digest\":{\"MD5\":\"zz78807defe7de2157e2b0b6573a"
          "855f\"}}", "the HA1 for MD5" },
        { "{\"id\":\"a\",\"crypt\":1}", "\"crypt\" is not a string" },
        { "{\"id\":\"a\",\"crypt\":\"\"}", "hash" },
        { "{\"id\":\"a\",\"psk\":{}}", "\"psk\" is not a list" },
        { "{\"id\":\"a\",\"psk\":[1,2,3]}",
          "\"psk\" has 3 items, at most 2 are allowed" },
        { "{\"id\":\"a\",\"psk\":[\"x\"]}", "a PSK has something else than" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":\"i\"}]}", "a PSK has some" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":\"i\",\"x\":1}]}",
          "a PSK has something else than" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":\"i\",\"key\":\"" KEY
          "\",\"x\":1}]}", "a PSK has something else than" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":1,\"key\":\"" KEY "\"}]}",
          "a PSK identity is not a string" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":\"i\",\"key\":1}]}",
          "a PSK key is not a string" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":\"i\",\"key\":\"0\"}]}",
          "a PSK key is not 16 to 64 octets in hex" },
        { "{\"id\":\"a\",\"psk\":[{\"identity\":\"i\",\"key\":\""
          KEY KEY KEY KEY "00\"}]}", "a PSK key is not 16 to 64" },
        { "{\"id\":\"a\",\"cert_keys\":\"x\"}", "\"cert_keys\" is not a li" },
        { "{\"id\":\"a\",\"cert_keys\":[1]}",
          "a certificate key is not a string" },
        { "{\"id\":\"a\",\"cert_keys\":[1,2,3,4,5,6,7,8,9]}",
          "\"cert_keys\" has 9 items, at most 8 are allowed" },
        { "{\"id\":\"a\",\"password\":1}", "\"password\" is not a string" },
        { "{\"id\":\"a\",\"password\":\"\"}", "the password is empty" },
        { "{\"id\":\"a\",\"password\":\"\\u001b\"}",
          "the password has a control character" },
        { "{\"id\":\"a\",\"password\":\"p\",\"crypt\":\"" APR1 "\"}",
          "exclude each other" },
        { "{\"id\":\"a\",\"password\":\"p\",\"digest\":{\"MD5\":\"" MD5
          "\"}}", "exclude each other" },
        { "{\"id\":\"a\",\"crypt\":\"" APR1 "\",\"digest\":{\"MD5\":\"" MD5
          "\"}}", "exclude each other" }
    };

    (void) state;

    refuses(dm_entry_parse_jsonl, refusals,
            sizeof(refusals) / sizeof(refusals[0]));

    assert_int_equal(parse_octets(dm_entry_parse_jsonl, "{\"id\":\"a\"}\0",
                                  11), DM_INVALID);
    dm_entry_wipe(&entry);
}


/* lists and values as long as an account may have, and one more */
static void
test_jsonl_limits(void **state)
{
    int    i, n;
    char   line[4096];
    char  *p;

    (void) state;

    for (n = DM_GROUPS; n <= DM_GROUPS + 1; n++) {
        p = line + sprintf(line, "{\"id\":\"a\",\"groups\":[\"g\"");

        for (i = 1; i < n; i++) {
            p += sprintf(p, ",\"g%d\"", i);
        }

        strcpy(p, "]}");

        if (n == DM_GROUPS) {
            takes(dm_entry_parse_jsonl, line, DM_ENTRY_ID | DM_ENTRY_GROUPS);
            assert_int_equal(entry.account.ngroups, DM_GROUPS);

        } else {
            assert_int_equal(parse(dm_entry_parse_jsonl, line), DM_INVALID);
            err_has("\"groups\" has 33 items, at most 32 are allowed");
        }

        dm_entry_wipe(&entry);
    }

    sprintf(line, "{\"id\":\"a\",\"cert_keys\":[\"san:URI:%0*d\"]}",
            DM_CERT_KEY_MAX - 8, 0);
    takes(dm_entry_parse_jsonl, line, DM_ENTRY_ID | DM_ENTRY_CERT_KEYS);
    assert_int_equal(entry.account.cert_key[0].len, DM_CERT_KEY_MAX);
    dm_entry_wipe(&entry);

    sprintf(line, "{\"id\":\"a\",\"cert_keys\":[\"san:URI:%0*d\"]}",
            DM_CERT_KEY_MAX - 7, 0);
    assert_int_equal(parse(dm_entry_parse_jsonl, line), DM_INVALID);
    err_has("a certificate key is longer than 1024 octets");
    dm_entry_wipe(&entry);
}


static void
test_set(void **state)
{
    char  long_id[DM_ID_MAX + 2], secret[DM_PASSWORD_MAX + 2];

    (void) state;

    memset(long_id, 'i', sizeof(long_id));
    long_id[DM_ID_MAX + 1] = '\0';
    assert_int_equal(dm_entry_set_id(&entry, str(long_id), &err), DM_INVALID);
    err_has("the id has 256 octets");
    assert_int_equal(entry.has, 0);

    long_id[DM_ID_MAX] = '\0';
    assert_int_equal(dm_entry_set_id(&entry, str(long_id), &err), DM_OK);
    assert_true(same(entry.account.id, long_id));
    dm_entry_wipe(&entry);

    /* in its canonical form */
    assert_int_equal(dm_entry_set_id(&entry, str("imei:49015420323751"), &err),
                     DM_OK);
    assert_true(same(entry.account.id, "IMEI:49015420323751"));
    dm_entry_wipe(&entry);

    assert_int_equal(dm_entry_set_user(&entry, str("a:b"), &from.map, &err),
                     DM_INVALID);
    err_has("the name has a colon");
    assert_int_equal(entry.has, 0);

    memset(secret, 's', sizeof(secret));
    secret[DM_PASSWORD_MAX + 1] = '\0';
    assert_int_equal(dm_entry_set_password(&entry, str(secret), &err),
                     DM_INVALID);
    err_has("the password has 512 octets, at most 511");
    assert_int_equal(entry.has, 0);

    secret[DM_PASSWORD_MAX] = '\0';
    assert_int_equal(dm_entry_set_password(&entry, str(secret), &err), DM_OK);
    assert_string_equal((char *) entry.password.data, secret);
    assert_int_equal(entry.has, DM_ENTRY_PASSWORD);
    dm_entry_wipe(&entry);
}


static void
test_until_colon(void **state)
{
    (void) state;

    assert_true(same(dm_entry_until_colon(str("a:b:c")), "a"));
    assert_true(same(dm_entry_until_colon(str(":b")), ""));
    assert_true(same(dm_entry_until_colon(str("abc")), "abc"));
    assert_true(same(dm_entry_until_colon(str("")), ""));
    assert_true(same(dm_entry_until_colon((dm_str_t) { str("ab:").data, 2 }),
                     "ab"));
}


/* an entry that was used once is as a new one, and holds no secret */
static void
test_wipe(void **state)
{
    size_t      i;
    dm_entry_t  none;

    (void) state;

    memset(&none, 0, sizeof(none));

    takes(dm_entry_parse_psk, "dev:" KEY, DM_ENTRY_ID | DM_ENTRY_ONE_PSK);
    watch("0123456789abcdef");
    dm_entry_wipe(&entry);
    assert_int_equal(wiped, 1);
    assert_int_equal(entry.by, DM_BY_ID);

    takes(dm_entry_parse_htpasswd, "user:{PLAIN}a secret",
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_PASSWORD);
    watch("a secret");
    dm_entry_wipe(&entry);
    assert_int_equal(wiped, 1);

    takes(dm_entry_parse_htdigest, "user:realm:" MD5,
          DM_ENTRY_ID | DM_ENTRY_NAME | DM_ENTRY_ONE_HA1);
    watch("\x3d\x78\x80\x7d\xef\xe7");
    dm_entry_wipe(&entry);
    assert_int_equal(wiped, 1);

    assert_int_equal(entry.has, 0);
    assert_null(entry.json);
    assert_memory_equal(&entry.account, &none.account, sizeof(dm_account_t));
    assert_memory_equal(&entry.password, &none.password,
                        sizeof(dm_secret_t));

    for (i = 0; i < sizeof(entry.psk); i++) {
        assert_int_equal(((unsigned char *) entry.psk)[i], 0);
    }
}


static int
any(dm_str_t user, dm_err_t *why)
{
    (void) user;
    (void) why;

    return DM_OK;
}


static int
setup_entry(void **state)
{
    if (setup(state) != 0 || dm_digest_init(NULL) != DM_OK) {
        return -1;
    }

    file("mapped\turn:1\n");
    from.realm = str("realm");

    return dm_map_read(&from.map, path, any, &err);
}


static int
teardown_entry(void **state)
{
    free(copy);
    dm_map_free(&from.map);

    return teardown(state);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_htpasswd),
        cmocka_unit_test(test_htdigest),
        cmocka_unit_test(test_htdigest_realms),
        cmocka_unit_test(test_psk),
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_jsonl_refused),
        cmocka_unit_test(test_jsonl_limits),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_until_colon),
        cmocka_unit_test(test_wipe)
    };

    return cmocka_run_group_tests_name("import_entry", tests, setup_entry,
                                       teardown_entry);
}
