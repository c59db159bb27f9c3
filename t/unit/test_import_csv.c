/* The records of a CSV file, and what a column makes of a cell */

#define _GNU_SOURCE

#include "io_fixture.h"

#include "account/entry_csv.h"


static dm_entry_t       entry;
static dm_entry_file_t  from;
static unsigned char   *copy;   /* of the line, which nothing may point into */


static int
begin(void **state)
{
    (void) state;

    from.number = 0;
    from.ended = 0;
    from.mark = 0;
    from.columns = dm_columns_make();
    assert_non_null(from.columns);

    return 0;
}


static int
end(void **state)
{
    (void) state;

    dm_entry_wipe(&entry);
    dm_columns_free(from.columns);
    free(copy);
    copy = NULL;

    return 0;
}


/* from an allocation of exactly that size, so that ASan sees an over-read */
static int
line_of(const char *octets, size_t len)
{
    dm_entry_wipe(&entry);

    free(copy);
    copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, octets, len);

    from.number++;
    err.text[0] = '\0';

    return dm_entry_parse_csv(&entry, (dm_str_t) { copy, len }, &from, &err);
}


static int
line(const char *text)
{
    return line_of(text, strlen(text));
}


static void
refused(int rc, const char *text, const char *why)
{
    assert_int_equal(line(text), rc);
    err_has(why);
}


static void
test_record(void **state)
{
    (void) state;

    assert_int_equal(line(" \t"), DM_DECLINED);
    assert_int_equal(line("groups,id,psk,psk_identity"), DM_DECLINED);
    assert_int_equal(line(""), DM_DECLINED);
    assert_int_equal(line(",,,"), DM_DECLINED);
    assert_int_equal(line("\"\",,,"), DM_DECLINED);

    assert_int_equal(line("a;b c,\"x\"\",\",,"), DM_OK);

    assert_int_equal(entry.has, DM_ENTRY_ID | DM_ENTRY_GROUPS);
    assert_true(same(entry.account.id, "x\","));
    assert_int_equal(entry.account.ngroups, 2);
    assert_true(same(entry.account.group[0], "a"));
    assert_true(same(entry.account.group[1], "b c"));

    assert_int_equal(line(",y,000102030405060708090a0b0c0d0e0f,i"), DM_OK);
    assert_int_equal(entry.has, DM_ENTRY_ID | DM_ENTRY_PSK);
    assert_int_equal(entry.account.npsks, 1);
    assert_true(same(entry.account.psk[0].identity, "i"));
    assert_int_equal(entry.account.psk[0].key.len, 16);

    assert_int_equal(dm_columns_end(from.columns, &err), DM_OK);
    assert_int_equal(dm_columns_line(from.columns), 7);
}


/* a record that goes on over lines begins where it began */
static void
test_lines(void **state)
{
    (void) state;

    assert_int_equal(line("\"id\",name"), DM_DECLINED);
    assert_int_equal(line("x,\"a"), DM_DECLINED);
    assert_int_equal(line(""), DM_DECLINED);
    refused(DM_OK, "b\"", "");
    assert_true(same(entry.account.name, "a\n\nb"));
    assert_int_equal(dm_columns_line(from.columns), 2);

    /* one that has too many cells ends where it says */

    refused(DM_INVALID, "x,a,b", "it has 3 cells");
    assert_int_equal(from.ended, 0);

    assert_int_equal(line("\"x"), DM_DECLINED);
    assert_int_equal(dm_columns_end(from.columns, &err), DM_INVALID);
    err_has("a quote is not closed, in cell 1");
}


/* of a record that is none nobody can tell where it ends */
static void
test_ended(void **state)
{
    (void) state;

    assert_int_equal(line("id,name"), DM_DECLINED);
    assert_int_equal(line("x,\"a"), DM_DECLINED);
    assert_int_equal(from.ended, 0);
    refused(DM_INVALID, "\"\"\"b", "a quote stands where none can be, in "
            "cell 2");
    assert_int_equal(dm_columns_line(from.columns), 2);
    assert_int_equal(from.ended, 1);
}


static void
test_ended_nul(void **state)
{
    (void) state;

    assert_int_equal(line("id,name"), DM_DECLINED);
    assert_int_equal(line("x,\"a"), DM_DECLINED);
    assert_int_equal(line_of("b\0", 2), DM_INVALID);
    err_has("it has a NUL");
    assert_int_equal(from.ended, 1);
}


/* where another file begins nobody can tell what its cells mean */
static void
test_ended_again(void **state)
{
    static const char  *again[] = {
        "id,name", "name,id", "id,", "name,psk", "id,name,groups", "name",
        "xid,imsi,name"
    };

    size_t  i;

    (void) state;

    assert_int_equal(line("id,name"), DM_DECLINED);

    for (i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        from.ended = 0;
        refused(DM_INVALID, again[i], "it is a header line again");
        assert_int_equal(from.ended, 1);
    }

    from.ended = 0;
    assert_int_equal(line("x,id"), DM_OK);
    assert_int_equal(line("id,x"), DM_OK);
    assert_int_equal(line("ID,Name"), DM_OK);
    assert_int_equal(from.ended, 0);
}


/* a mark begins a file: not the first time, nor within a cell */
static void
test_ended_mark(void **state)
{
    (void) state;

    from.mark = 1;
    assert_int_equal(line(""), DM_DECLINED);
    assert_int_equal(line("id,name"), DM_DECLINED);

    from.mark = 0;
    assert_int_equal(line("x,\"a"), DM_DECLINED);

    from.mark = 1;
    assert_int_equal(line("b\""), DM_OK);
    assert_int_equal(from.ended, 0);

    refused(DM_INVALID, "", "it is a header line again");
    assert_int_equal(dm_columns_line(from.columns), 5);
    assert_int_equal(from.ended, 1);
}


static void
test_header(void **state)
{
    (void) state;

    refused(DM_ERROR, "id,imsi", "column 2 is unknown");
    refused(DM_ERROR, "id,id", "column \"id\" is named twice");
    refused(DM_ERROR, "name", "column \"id\" is missing");
    refused(DM_ERROR, "a,b", "the first line names none");
    refused(DM_ERROR, "id;name", "separated by commas");
    refused(DM_ERROR, "id,name\rx,y", "the lines end with CR alone");
    assert_int_equal(dm_columns_end(from.columns, &err), DM_ERROR);

    assert_int_equal(line("id"), DM_DECLINED);
    assert_int_equal(line("x"), DM_OK);
}


static void
test_header_ended(void **state)
{
    (void) state;

    refused(DM_ERROR, "id\"", "a quote stands where none can be");
    assert_int_equal(dm_columns_end(from.columns, &err), DM_ERROR);
}


static void
test_header_nul(void **state)
{
    (void) state;

    assert_int_equal(line_of("id\0", 3), DM_ERROR);
    assert_int_equal(dm_columns_end(from.columns, &err), DM_ERROR);
}


/* the longest record, and one octet more, in one line and in two */
static void
test_longest(void **state)
{
    char  *text;

    (void) state;

    text = malloc(DM_LINE_MAX + 2);
    assert_non_null(text);
    memset(text, 'x', DM_LINE_MAX + 1);
    text[DM_LINE_MAX + 1] = '\0';

    assert_int_equal(line("id,name"), DM_DECLINED);

    assert_int_equal(line_of(text, DM_LINE_MAX), DM_INVALID);
    err_has("it has 1 cells");
    assert_int_equal(from.ended, 0);

    text[DM_LINE_MAX - 5] = '"';
    assert_int_equal(line("a,\""), DM_DECLINED);
    assert_int_equal(line_of(text, DM_LINE_MAX - 4), DM_OK);
    assert_int_equal(entry.account.name.len, DM_LINE_MAX - 4);

    assert_int_equal(line("a,\""), DM_DECLINED);
    assert_int_equal(line_of(text, DM_LINE_MAX - 3), DM_INVALID);
    err_has("goes on in line");
    assert_int_equal(from.ended, 1);

    free(text);
}


/* more cells than there is room for are counted */
static void
test_cells(void **state)
{
    char  text[2 * DM_CSV_CELLS + 2];

    (void) state;

    assert_int_equal(line("id"), DM_DECLINED);

    memset(text, ',', sizeof(text));
    text[0] = 'x';
    assert_int_equal(line_of(text, sizeof(text)), DM_INVALID);
    err_has("it has 130 cells, and the header line names 1 columns");
    assert_int_equal(line("y"), DM_OK);
}


/* of a password nothing is left: neither in the reader nor in the library */
static void
test_wiped(void **state)
{
    (void) state;

    assert_int_equal(line("id,password"), DM_DECLINED);
    assert_int_equal(line("x,hunter2"), DM_OK);
    assert_int_equal(line("y,\"hunter2"), DM_DECLINED);

    watch("hunter2");
    dm_columns_free(from.columns);
    watched = NULL;
    from.columns = NULL;

    assert_int_equal(wiped, 2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup_teardown(test_record, begin, end),
        cmocka_unit_test_setup_teardown(test_lines, begin, end),
        cmocka_unit_test_setup_teardown(test_ended, begin, end),
        cmocka_unit_test_setup_teardown(test_ended_nul, begin, end),
        cmocka_unit_test_setup_teardown(test_ended_again, begin, end),
        cmocka_unit_test_setup_teardown(test_ended_mark, begin, end),
        cmocka_unit_test_setup_teardown(test_header, begin, end),
        cmocka_unit_test_setup_teardown(test_header_ended, begin, end),
        cmocka_unit_test_setup_teardown(test_header_nul, begin, end),
        cmocka_unit_test_setup_teardown(test_longest, begin, end),
        cmocka_unit_test_setup_teardown(test_cells, begin, end),
        cmocka_unit_test_setup_teardown(test_wiped, begin, end)
    };

    return cmocka_run_group_tests_name("import_csv", tests, NULL, NULL);
}
