/* JSON and time forms of an account */

#define _GNU_SOURCE

#include "io_fixture.h"

#include "common/json.h"


#define KEY     "0123456789abcdef"
#define HASH    "$2y$05$abcdefghijklmnopqrstuuTESTTESTTESTTESTTESTTESTTESTTES"
#define BROKEN  "a\xff"


static dm_account_t  account;


static void
make_account(void)
{
    memset(&account, 0, sizeof(account));

    account.id = str("urn:dev:1");
    account.name = str("d\xc3\xa9v");
    account.state = DM_DISABLED;
    account.ngroups = 2;
    account.group[0] = str("a");
    account.group[1] = str("b");
    account.not_before = 1;
    account.not_after = 1801353600;
    account.ncert_keys = 1;
    account.cert_key[0] = str("subject:CN=x");
    account.has_ha1[DM_MD5] = 1;
    memset(account.ha1[DM_MD5], 0xab, 16);
    account.has_ha1[DM_SHA256] = 1;
    memset(account.ha1[DM_SHA256], 0x0c, 32);
    account.npsks = 2;
    account.psk[0] = (dm_psk_t) { str("one"), str(KEY) };
    account.psk[1] = (dm_psk_t) { str("two"), { (const unsigned char *)
                                                "\0\xff", 2 } };
}


/* how it is printed, in the order of its fields */
static const char *
printed(json_t *json)
{
    assert_non_null(json);

    capture(stdout);

    if (dm_json_print(json) != DM_OK) {
        (void) captured(stdout);
        fail_msg("it is not printed");
    }

    return captured(stdout);
}


static void
test_account(void **state)
{
    (void) state;

    make_account();

    assert_string_equal(printed(dm_json_account(&account)),
        "{\"id\":\"urn:dev:1\",\"name\":\"d\xc3\xa9v\",\"state\":\"disabled\","
        "\"groups\":[\"a\",\"b\"],"
        "\"not_before\":\"1970-01-01T00:00:01Z\","
        "\"not_after\":\"2027-01-31T00:00:00Z\","
        "\"cert_keys\":[\"subject:CN=x\"],"
        "\"digest\":[\"MD5\",\"SHA-256\"],\"crypt\":null,"
        "\"psk\":[{\"identity\":\"one\"},{\"identity\":\"two\"}]}\n");

    memset(&account, 0, sizeof(account));
    account.id = str("i");
    account.name = str("n");
    account.crypt = str(HASH);

    assert_string_equal(printed(dm_json_account(&account)),
        "{\"id\":\"i\",\"name\":\"n\",\"state\":\"active\",\"groups\":[],"
        "\"not_before\":null,\"not_after\":null,\"cert_keys\":[],"
        "\"digest\":[],\"crypt\":\"bcrypt\",\"psk\":[]}\n");
}


static void
test_export(void **state)
{
    (void) state;

    make_account();

    assert_string_equal(printed(dm_json_export(&account, 1)),
        "{\"id\":\"urn:dev:1\",\"name\":\"d\xc3\xa9v\",\"state\":\"disabled\","
        "\"groups\":[\"a\",\"b\"],"
        "\"not_before\":\"1970-01-01T00:00:01Z\","
        "\"not_after\":\"2027-01-31T00:00:00Z\","
        "\"cert_keys\":[\"subject:CN=x\"],"
        "\"digest\":{\"MD5\":\"abababababababababababababababab\","
        "\"SHA-256\":\"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c"
        "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c\"},\"crypt\":null,"
        "\"psk\":[{\"identity\":\"one\","
        "\"key\":\"30313233343536373839616263646566\"},"
        "{\"identity\":\"two\",\"key\":\"00ff\"}]}\n");

    account.crypt = str(HASH);
    assert_non_null(strstr(printed(dm_json_export(&account, 1)),
                           "\"crypt\":\"" HASH "\""));

    assert_string_equal(printed(dm_json_export(&account, 0)),
        "{\"id\":\"urn:dev:1\",\"name\":\"d\xc3\xa9v\",\"state\":\"disabled\","
        "\"groups\":[\"a\",\"b\"],"
        "\"not_before\":\"1970-01-01T00:00:01Z\","
        "\"not_after\":\"2027-01-31T00:00:00Z\","
        "\"cert_keys\":[\"subject:CN=x\"]}\n");
}


/* what cannot be JSON makes no account, rather than one that lacks it */
static void
test_broken(void **state)
{
    size_t     i;
    dm_str_t  *fields[] = {
        &account.id, &account.name, &account.group[1], &account.cert_key[0],
        &account.psk[1].identity
    };

    (void) state;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        make_account();
        *fields[i] = str(BROKEN);

        assert_null(dm_json_account(&account));
        assert_null(dm_json_export(&account, 1));
    }

    make_account();
    account.psk[1].identity = str(BROKEN);
    assert_non_null(strstr(printed(dm_json_export(&account, 0)),
                           "\"cert_keys\":[\"subject:CN=x\"]}"));

    account.crypt = str(BROKEN);
    assert_null(dm_json_export(&account, 1));
}


static void
test_str(void **state)
{
    json_t  *json;

    (void) state;

    json = dm_json_str((dm_str_t) { (const unsigned char *) "ab\0cd", 4 });
    assert_int_equal(json_string_length(json), 4);
    assert_memory_equal(json_string_value(json), "ab\0c", 4);
    json_decref(json);

    json = dm_json_str(str(""));
    assert_int_equal(json_string_length(json), 0);
    json_decref(json);

    assert_null(dm_json_str(str(BROKEN)));
    assert_null(dm_json_str((dm_str_t) { (const unsigned char *) "\xc3\xa9",
                                         1 }));
}


static void
test_text(void **state)
{
    size_t   i;
    json_t  *json;

    static const char *const  texts[][2] = {
        { "", "" },
        { "d\xc3\xa9v\x1b", "d\xc3\xa9v\x1b" },
        { "d\xc3\xa9v\xff", "d??v?" },
        { "\xe2\x82", "??" },
        { "\x7f\x80", "\x7f?" }
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json = dm_json_text(texts[i][0]);
        assert_string_equal(json_string_value(json), texts[i][1]);
        json_decref(json);
    }
}


/* a terminal obeys nothing of it, and it is still the same JSON */
static void
test_print(void **state)
{
    size_t   i;
    json_t  *json, *again;

    static const char *const  texts[][2] = {
        { "plain \"\\/ ~", "[\"plain \\\"\\\\/ ~\"]\n" },
        { "\xc3\xa9\xc2\xa1\xe2\x82\xac\xf0\x9f\x98\x80",
          "[\"\xc3\xa9\xc2\xa1\xe2\x82\xac\xf0\x9f\x98\x80\"]\n" },
        { "\xc2\xa0\xf3\xa0\x81\x81", "[\"\\u00a0\\udb40\\udc41\"]\n" },
        { "\x1b\n\x01", "[\"\\u001B\\n\\u0001\"]\n" },
        { "a\x7f" "b", "[\"a\\u007fb\"]\n" },
        { "\xc2\x80\xc2\x9b\xc2\x9f", "[\"\\u0080\\u009b\\u009f\"]\n" },
        { "\xd8\x9c", "[\"\\u061c\"]\n" },
        { "\xe2\x80\x8e\xe2\x80\xa8\xe2\x81\xa9z",
          "[\"\\u200e\\u2028\\u2069z\"]\n" }
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json = json_pack("[s]", texts[i][0]);
        assert_string_equal(printed(json_incref(json)), texts[i][1]);
        assert_int_equal(json->refcount, 1);

        again = json_loads(captured_text, 0, NULL);
        assert_int_equal(json_equal(json, again), 1);
        json_decref(again);
        json_decref(json);
    }

    json = json_pack("[o]", json_stringn("a\0b", 3));
    assert_string_equal(printed(json), "[\"a\\u0000b\"]\n");
}


static void
test_print_fails(void **state)
{
    int      rc, fd;
    char    *much;
    json_t  *json;

    (void) state;

    capture(stdout);
    rc = dm_json_print(NULL);
    (void) captured(stdout);
    assert_int_equal(rc, DM_ERROR);
    assert_int_equal(captured_len, 0);

    /* more than stdout keeps for later */

    much = malloc(100000);
    assert_non_null(much);
    memset(much, 'x', 99999);
    much[99999] = '\0';
    json = json_pack("[s]", much);
    assert_non_null(json);
    free(much);

    fd = open("/dev/full", O_WRONLY);
    assert_true(fd != -1);
    capture_to(stdout, fd);
    rc = dm_json_print(json_incref(json));
    (void) captured(stdout);
    assert_int_equal(rc, DM_ERROR);
    assert_int_equal(json->refcount, 1);
    json_decref(json);
}


static void
test_tell(void **state)
{
    (void) state;

    capture(stderr);
    dm_json_error(NULL, "a \"b\"\n\xe2\x80\x8e");
    assert_string_equal(captured(stderr),
                        "{\"error\":\"a \\\"b\\\"\\n\\u200e\"}\n");

    capture(stderr);
    dm_json_error("no_account", "there is none");
    assert_string_equal(captured(stderr), "{\"error\":\"there is none\","
                        "\"code\":\"no_account\"}\n");

    capture(stderr);
    dm_json_warning("d\xc3\xa9v\x1b\x7f\xff");
    assert_string_equal(captured(stderr),
                        "{\"warning\":\"d??v\\u001B\\u007f?\"}\n");
}


static void
test_time(void **state)
{
    size_t   i;
    char    *out;

    static const struct {
        int64_t      t;
        const char  *text;
    } times[] = {
        { 0, "1970-01-01T00:00:00Z" },
        { -1, "1969-12-31T23:59:59Z" },
        { 951827696, "2000-02-29T12:34:56Z" },
        { 253402300799, "9999-12-31T23:59:59Z" },
        { 253402300800, "10000-01-01T00:00:00Z" },
        { 67767976233532799, "2147483647-12-31T23:59:59Z" },
        { INT64_MAX, "?" },
        { INT64_MIN, "?" }
    };

    (void) state;

    out = malloc(DM_TIME_MAX);
    assert_non_null(out);

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        dm_json_time(times[i].t, out);
        assert_string_equal(out, times[i].text);
    }

    free(out);
}


/* a secret is not left in memory that is free again */
static void
test_wiped(void **state)
{
    void         (*release)(void *);
    json_t        *json;
    json_malloc_t  allocate;

    (void) state;

    json = json_string("a very secret text");
    watch("a very secret text");
    json_decref(json);
    assert_int_equal(wiped, 1);

    make_account();
    watch("30313233343536373839616263646566");
    json = dm_json_export(&account, 1);
    assert_non_null(json);
    json_decref(json);

    /* where it was made, and where it was kept */
    assert_true(wiped >= 2);

    json_get_alloc_funcs(&allocate, &release);
    release(NULL);
}


static int
setup_json(void **state)
{
    (void) state;

    setenv("TZ", "America/New_York", 1);
    dm_json_init();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_str),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_fails),
        cmocka_unit_test(test_tell),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_wiped)
    };

    return cmocka_run_group_tests_name("common_json", tests, setup_json,
                                       NULL);
}
