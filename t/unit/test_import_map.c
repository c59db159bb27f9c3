/* The file of --id-map: which account a user of another system is */

#define _GNU_SOURCE

#include "io_fixture.h"

#include "account/lines.h"
#include "account/map.h"


static dm_map_t  map;


/* a user is anything that has no "x", as no format has it */
static int
no_x(dm_str_t user, dm_err_t *why)
{
    if (user.len == 0 || memchr(user.data, 'x', user.len) != NULL) {
        dm_err_set(why, "the user has an x");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
read_map(const char *octets, size_t len)
{
    file_of(octets, len);
    memset(&map, 0xaa, sizeof(map));
    err.text[0] = '\0';

    return dm_map_read(&map, path, no_x, &err);
}


static void
map_of(const char *text)
{
    if (read_map(text, strlen(text)) != DM_OK) {
        fail_msg("%s", err.text);
    }
}


static void
not_map(const char *text, const char *why)
{
    if (read_map(text, strlen(text)) != DM_INVALID) {
        fail_msg("\"%s\" is a map", text);
    }

    err_has(why);
    dm_map_free(&map);
}


/* NULL: the map says nothing of it */
static void
user_is(const char *user, const char *want)
{
    int       rc;
    dm_str_t  id;

    rc = dm_map_find(&map, str(user), &id);

    if (rc != (want == NULL ? DM_DECLINED : DM_OK)
        || (want != NULL && !same(id, want)))
    {
        fail_msg("user \"%s\": %d", user, rc);
    }
}


static void
test_find(void **state)
{
    dm_str_t  id;

    (void) state;

    map_of("m\tid m\nb\turn:b\r\n\n\r\nab\tid:ab\na\t1\nabc\td\xc3\xa9v\n"
           "\xc3\xa9\tm\nB\tother\nlast\t2");

    user_is("a", "1");
    user_is("ab", "id:ab");
    user_is("abc", "d\xc3\xa9v");
    user_is("b", "urn:b");
    user_is("B", "other");
    user_is("m", "id m");
    user_is("\xc3\xa9", "m");
    user_is("last", "2");

    user_is("", NULL);
    user_is("aa", NULL);
    user_is("abcd", NULL);
    user_is("A", NULL);
    user_is("ma", NULL);
    user_is("zzz", NULL);
    user_is("\xff", NULL);

    /* no more of it than its length says */
    assert_int_equal(dm_map_find(&map, (dm_str_t) { str("abZ").data, 2 }, &id),
                     DM_OK);
    assert_true(same(id, "id:ab"));

    dm_map_free(&map);
}


static void
test_one(void **state)
{
    (void) state;

    map_of("b\t1\n");
    user_is("a", NULL);
    user_is("b", "1");
    user_is("c", NULL);
    dm_map_free(&map);

    map_of("b\t1\na\t1\n");
    user_is("a", "1");
    user_is("b", "1");
    dm_map_free(&map);
}


static void
test_empty(void **state)
{
    (void) state;

    map_of("");
    user_is("a", NULL);
    user_is("", NULL);
    dm_map_free(&map);

    map_of("\n\r\n\n");
    user_is("a", NULL);
    dm_map_free(&map);
}


/* whatever follows the "#", a line that was taken out too */
static void
test_comments(void **state)
{
    (void) state;

    map_of("# users\n#a\t1\n#\nb\t2\n");
    user_is("a", NULL);
    user_is("#a", NULL);
    user_is("b", "2");
    dm_map_free(&map);
}


static void
test_refused(void **state)
{
    (void) state;

    not_map("a\t1\nb 2\n", "\" line 2: a user, a TAB and an id are needed");
    err_has(path);
    not_map("a", "\" line 1: a user, a TAB and an id are needed");
    not_map("\n\n\na\n", "\" line 4: ");
    not_map("a\t1\nax\t2\n", "\" line 2: the user has an x");
    not_map("\t1\n", "\" line 1: the user has an x");
    not_map("a\t4.93005E+14\n", "\" line 1: the id is a number that a spread");
    not_map("4.93E14\t1\n", "\" line 1: the user is a number that a spread");
    not_map("a\t493005100592800.0\n", "the id is a number that a spreadsheet,");
    not_map("=\"493005\"\t1\n", "the user is a formula of a spreadsheet");
    not_map("a\t1\nb\xc2\xa0\t2\n", "\" line 2: the user has the character "
            "U+00A0 at octet 2");
    not_map("a\t1\xe2\x80\x8b\n", "\" line 1: the id has the character U+200B");
    not_map("a\t\n", "\" line 1: the id is empty");
    not_map("a\t1\tb\n", "\" line 1: the id has a control character");
    not_map("a\t1 \n", "\" line 1: the id begins or ends with a blank");
    not_map("a\t\xff\n", "\" line 1: the id is not UTF-8");

    /* whatever is on either side */
    not_map("b\t1\na\t2\nc\t3\nb\t1\n", "user \"b\" twice, in lines 1 and 4");
    not_map("b\t1\na\t2\na\t3\n", "user \"a\" twice, in lines 2 and 3");

    assert_int_equal(read_map("a\0\t1\na\0\t2", 9), DM_INVALID);
    err_has("twice");
    dm_map_free(&map);

    assert_int_equal(dm_map_read(&map, "/nonexistent/file", no_x, &err),
                     DM_INVALID);
    err_has("cannot open \"/nonexistent/file\"");
    dm_map_free(&map);
}


static void
test_long(void **state)
{
    size_t   len;
    char    *text;

    (void) state;

    len = DM_LINE_MAX + 100;
    text = malloc(len);
    assert_non_null(text);
    memset(text, 'a', len);
    memcpy(text, "a\t1\n", 4);

    assert_int_equal(read_map(text, len), DM_INVALID);
    err_has("\" line 2: the line is longer than 131072 octets");
    dm_map_free(&map);
    free(text);
}


/* more text and more lines than there was room for at first, in no order */
static void
many(unsigned count)
{
    FILE      *out;
    char       user[32], id[64];
    unsigned   i, n;

    out = fopen(path, "w");
    assert_non_null(out);

    for (i = 0; i < count; i++) {
        n = i * 5003 % count;
        (void) fprintf(out, "%u\tid %u, of somebody\n", n, n + 1);
    }

    assert_int_equal(fclose(out), 0);
    memset(&map, 0xaa, sizeof(map));
    assert_int_equal(dm_map_read(&map, path, no_x, &err), DM_OK);
    assert_int_equal(map.nlines, count);

    for (i = 0; i < count; i++) {
        sprintf(user, "%u", i);
        sprintf(id, "id %u, of somebody", i + 1);
        user_is(user, id);
    }

    sprintf(user, "%u", count);
    user_is(user, NULL);
    dm_map_free(&map);
}


/* 4096 lines are what there is room for at first */
static void
test_many(void **state)
{
    (void) state;

    many(4095);
    many(4096);
    many(4097);
    many(10007);
}


static void
warns_unused(const char *warning)
{
    dm_cli_t  cli;

    memset(&cli, 0, sizeof(dm_cli_t));

    capture(stderr);
    dm_map_warn_unused(&map, &cli);
    assert_string_equal(captured(stderr), warning);
}


/* how many were never found, and the first by their numbers */
static void
test_unused(void **state)
{
    char  told[1024];

    (void) state;

    map_of("e\t1\nb\t2\na\t3\nd\t4\n");
    user_is("b", "2");
    user_is("nobody", NULL);
    (void) snprintf(told, sizeof(told), "dm-account: warning: 3 lines of the "
                    "id map \"%s\" were not used, as no user of the file is "
                    "called so: line 1 \"e\", line 3 \"a\", line 4 \"d\"\n",
                    path);
    warns_unused(told);
    user_is("e", "1");
    user_is("a", "3");
    (void) snprintf(told, sizeof(told), "dm-account: warning: 1 line of the id "
                    "map \"%s\" was not used, as no user of the file is called "
                    "so: line 4 \"d\"\n", path);
    warns_unused(told);
    user_is("d", "4");
    warns_unused("");
    dm_map_free(&map);

    map_of("a\t1\nf\t1\nb\t2\ne\t3\nd\t4\n");
    (void) snprintf(told, sizeof(told), "dm-account: warning: 5 lines of the "
                    "id map \"%s\" were not used, as no user of the file is "
                    "called so: line 1 \"a\", line 2 \"f\", line 3 \"b\", "
                    "...\n", path);
    warns_unused(told);
    dm_map_free(&map);

    map_of("");
    warns_unused("");
    dm_map_free(&map);
}


/* nothing of the file is left open, or in memory that is free again */
static void
test_closes(void **state)
{
    unsigned  before;

    (void) state;

    before = open_files();
    watch("b\tan id of somebody");
    map_of("a\t1\nb\tan id of somebody\n");
    assert_int_equal(wiped, 1);
    dm_map_free(&map);

    watch("b\tan id of somebody");
    not_map("b\tan id of somebody\nc\n", "a TAB");
    assert_int_equal(wiped, 1);
    assert_int_equal(open_files(), before);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_closes)
    };

    return cmocka_run_group_tests_name("import_map", tests, setup, teardown);
}
