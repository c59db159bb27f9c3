/* A file read line by line, in bounded memory */

#define _GNU_SOURCE

#include <sys/stat.h>
#include <sys/wait.h>

#include "io_fixture.h"

#include "account/lines.h"


static dm_lines_t  *lines;


static void
open_lines(const char *name)
{
    /* from what was there before, which has nothing to say */
    memset(lines, 0xaa, sizeof(dm_lines_t));
    err.text[0] = '\0';

    if (dm_lines_open(lines, name, &err) != DM_OK) {
        fail_msg("%s", err.text);
    }
}


/* the next line has these octets, of which n are read then */
static void
line_is(const char *text, size_t len, uint64_t number, uint64_t offset)
{
    dm_str_t  line;

    assert_int_equal(dm_lines_next(lines, &line, &err), DM_OK);
    assert_int_equal(line.len, len);
    assert_memory_equal(line.data, text, len);
    assert_int_equal(lines->number, number);
    assert_int_equal(lines->offset, offset);
}


/* how often one asks */
static void
no_more(uint64_t number)
{
    int       i;
    dm_str_t  line;

    for (i = 0; i < 3; i++) {
        assert_int_equal(dm_lines_next(lines, &line, &err), DM_DECLINED);
        assert_int_equal(lines->number, number);
        assert_int_equal(lines->offset, lines->size);
    }
}


static void
test_lines(void **state)
{
    (void) state;

    file_of("one\ntwo\r\n\n\r\na\rb\r\r\nz\0\xff\nlast", 26);
    open_lines(path);
    assert_int_equal(lines->size, 26);
    assert_int_equal(lines->number, 0);
    assert_int_equal(lines->offset, 0);

    line_is("one", 3, 1, 4);
    line_is("two", 3, 2, 9);
    line_is("", 0, 3, 10);
    line_is("", 0, 4, 12);
    lines->cr = 1;
    line_is("a\rb\r", 4, 5, 18);
    lines->cr = 0;
    line_is("z\0\xff", 3, 6, 22);

    /* which has no end */
    line_is("last", 4, 7, 26);
    no_more(7);
    dm_lines_close(lines);
}


/* is refused, and the next line is itself */
static void
test_cr(void **state)
{
    dm_str_t  line;

    (void) state;

    file("# a\ru:b\r\nnext\n\r\r\n# c\rlast\r");
    open_lines(path);
    assert_int_equal(dm_lines_next(lines, &line, &err), DM_INVALID);
    err_has("they must end with LF or with CR LF");
    line_is("next", 4, 2, 14);
    assert_int_equal(dm_lines_next(lines, &line, &err), DM_INVALID);
    assert_int_equal(dm_lines_next(lines, &line, &err), DM_INVALID);
    no_more(4);
    dm_lines_close(lines);
}


/* the mark of each file that was joined, and of those that have it twice */
static void
test_marks(void **state)
{
    size_t    i;
    dm_str_t  line;

    static const struct {
        const char  *octets;
        size_t       len;
    } utf16[] = {
        { "\xff\xfeu\0:\0", 6 }, { "\xfe\xff\0u\0:", 6 },
        { "\xff\xfe", 2 }, { "u\0:\0", 4 }, { "\0u\0:", 4 },
        { "\xff\xfe\0\0u\0\0\0", 8 }, { "\0\0\xfe\xff\0\0\0u", 8 }
    };

    (void) state;

    file("\xef\xbb\xbfone\r\n\xef\xbb\xbf\xef\xbb\xbf#two\n"
         "t\xef\xbb\xbf\n\xef\xbb\xbf");
    open_lines(path);
    line_is("one", 3, 1, 8);
    line_is("#two", 4, 2, 19);
    line_is("t\xef\xbb\xbf", 4, 3, 24);
    line_is("", 0, 4, 27);
    no_more(4);
    dm_lines_close(lines);

    file("\xef\xbb\xbf");
    open_lines(path);
    line_is("", 0, 1, 3);
    no_more(1);
    dm_lines_close(lines);

    for (i = 0; i < sizeof(utf16) / sizeof(utf16[0]); i++) {
        file_of(utf16[i].octets, utf16[i].len);
        open_lines(path);
        assert_int_equal(dm_lines_next(lines, &line, &err), DM_ERROR);
        err_has("UTF-16 is not read: save \"");
        assert_int_equal(lines->number, 1);
        dm_lines_close(lines);
    }
}


static void
test_ends(void **state)
{
    (void) state;

    file("");
    open_lines(path);
    no_more(0);
    dm_lines_close(lines);

    file("\n");
    open_lines(path);
    line_is("", 0, 1, 1);
    no_more(1);
    dm_lines_close(lines);

    file("\r");
    open_lines(path);
    line_is("", 0, 1, 1);
    no_more(1);
    dm_lines_close(lines);

    file("a\r\n");
    open_lines(path);
    line_is("a", 1, 1, 3);
    no_more(1);
    dm_lines_close(lines);
}


/* a file of a line of n octets between two others, with that end */
static void
file_of_long(size_t before, size_t n, const char *end)
{
    FILE  *out;

    out = fopen(path, "w");
    assert_non_null(out);

    if (before > 0) {
        (void) fprintf(out, "%0*d\n", (int) before - 1, 0);
    }

    (void) fprintf(out, "%0*d%snext\n", (int) n, 0, end);
    assert_int_equal(fclose(out), 0);
}


/* the line between is that long, or refused, and the next one is itself */
static void
long_is(size_t before, size_t n, const char *end)
{
    int       rc;
    dm_str_t  line;

    open_lines(path);

    if (before > 0) {
        assert_int_equal(dm_lines_next(lines, &line, &err), DM_OK);
        assert_int_equal(line.len, before - 1);
    }

    err.text[0] = '\0';
    rc = dm_lines_next(lines, &line, &err);

    if (rc != (n > DM_LINE_MAX ? DM_INVALID : DM_OK)) {
        fail_msg("%zu octets behind %zu: %d", n, before, rc);
    }

    if (rc == DM_OK) {
        assert_int_equal(line.len, n);

    } else {
        err_has("the line is longer than 131072 octets");
    }

    if (*end != '\0') {
        line_is("next", 4, 2 + (before > 0), lines->size);
    }

    no_more(1 + (before > 0) + (*end != '\0'));
    dm_lines_close(lines);
}


static void
long_line(size_t before, size_t n, const char *end)
{
    file_of_long(before, n, end);
    long_is(before, n, end);
}


/* wherever the end of a line is in the buffer, of twice the size */
static void
test_long(void **state)
{
    int     i;
    size_t  before, n;

    (void) state;

    for (i = -3; i <= 3; i++) {
        n = (size_t) (DM_LINE_MAX + i);
        long_line(0, n, "\n");
        long_line(0, n, "\r\n");
        long_line(10, n, "\n");
        long_line(10, n, "\r\n");
    }

    for (before = DM_LINE_MAX - 4; before <= DM_LINE_MAX + 1; before++) {
        long_line(before, DM_LINE_MAX - 1, "\r\n");
        long_line(before, DM_LINE_MAX, "\n");
        long_line(before, DM_LINE_MAX, "\r\n");
        long_line(before, DM_LINE_MAX + 1, "\n");
        long_line(before, DM_LINE_MAX + 1, "\r\n");
    }

    long_line(10, DM_LINES_BUF - 1, "\n");
    long_line(10, DM_LINES_BUF, "\n");
    long_line(10, 5 * DM_LINE_MAX, "\n");
    long_line(10, 5 * DM_LINE_MAX, "\r\n");
}


/* the last line, with or without a CR and no LF */
static void
test_long_last(void **state)
{
    size_t    i, j;
    FILE     *out;
    dm_str_t  line;

    static const size_t  sizes[] = {
        DM_LINE_MAX - 1, DM_LINE_MAX, DM_LINE_MAX + 1, DM_LINES_BUF,
        3 * DM_LINE_MAX
    };

    (void) state;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (j = 0; j < 2; j++) {
            out = fopen(path, "w");
            assert_non_null(out);
            (void) fprintf(out, "%0*d%s", (int) sizes[i], 0,
                           j == 0 ? "" : "\r");
            assert_int_equal(fclose(out), 0);

            open_lines(path);

            if (sizes[i] > DM_LINE_MAX) {
                assert_int_equal(dm_lines_next(lines, &line, &err),
                                 DM_INVALID);

            } else {
                assert_int_equal(dm_lines_next(lines, &line, &err), DM_OK);
                assert_int_equal(line.len, sizes[i]);
            }

            no_more(1);
            dm_lines_close(lines);
        }
    }
}


/* of more lines than the buffer holds each is whole, and itself */
static void
test_many(void **state)
{
    FILE      *out;
    char       want[64];
    unsigned   i;
    dm_str_t   line;

    (void) state;

    out = fopen(path, "w");
    assert_non_null(out);

    for (i = 1; i <= 30000; i++) {
        (void) fprintf(out, "%u %0*u\n", i, 1 + (int) (i % 40), 7u);
    }

    assert_int_equal(fclose(out), 0);
    open_lines(path);
    assert_true(lines->size > 2 * DM_LINES_BUF);

    for (i = 1; i <= 30000; i++) {
        sprintf(want, "%u %0*u", i, 1 + (int) (i % 40), 7u);
        assert_int_equal(dm_lines_next(lines, &line, &err), DM_OK);
        assert_int_equal(line.len, strlen(want));
        assert_memory_equal(line.data, want, line.len);
        assert_int_equal(lines->number, i);
    }

    no_more(30000);
    dm_lines_close(lines);
}


static void
test_open_not(void **state)
{
    (void) state;

    assert_int_equal(dm_lines_open(lines, "/nonexistent/file", &err),
                     DM_INVALID);
    err_has("cannot open \"/nonexistent/file\": No such file");
    dm_lines_close(lines);

    assert_int_equal(dm_lines_open(lines, dir, &err), DM_INVALID);
    err_has("cannot read \"/tmp/");
    err_has("Is a directory");
    dm_lines_close(lines);

    /* stdin was not closed for it */
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), 0);
}


/* who writes by and by is waited for at once, and its size is known */
static void
test_stdin(void **state)
{
    static const char *const  pieces[] = {
        "on", "e\ntwo\r", "\nthree", NULL
    };

    (void) state;

    stdin_of(pieces);
    open_lines("-");
    assert_int_equal(lines->size, 14);
    assert_int_equal(lines->offset, 0);
    stdin_back();

    line_is("one", 3, 1, 4);
    line_is("two", 3, 2, 9);
    line_is("three", 5, 3, 14);
    no_more(3);
    dm_lines_close(lines);
}


/* a signal is no end */
static void
test_stdin_interrupted(void **state)
{
    (void) state;

    stdin_late();
    open_lines("-");
    no_alarm();
    stdin_back();

    line_is("late", 4, 1, 4);
    no_more(1);
    dm_lines_close(lines);
}


/* a failure of ours is none of the file's */
static void
test_fails(void **state)
{
    int       rc, saved_fd;
    dm_str_t  line;

    (void) state;

    /* its first page cannot be read */
    open_lines("/proc/self/mem");
    assert_int_equal(dm_lines_next(lines, &line, &err), DM_ERROR);
    err_has("cannot read \"/proc/self/mem\": Input/output error");
    dm_lines_close(lines);

    saved_fd = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    rc = dm_lines_open(lines, "-", &err);
    dm_lines_close(lines);
    dup2(saved_fd, STDIN_FILENO);
    close(saved_fd);
    assert_int_equal(rc, DM_ERROR);
    err_has("cannot examine \"-\": Bad file descriptor");
}


static void
test_stdin_file(void **state)
{
    int  fd;

    (void) state;

    file("one\ntwo\n");

    /* which somebody has begun to read */
    fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    stdin_is(fd);
    open_lines("-");
    assert_int_equal(lines->size, 4);
    line_is("two", 3, 1, 4);
    no_more(1);
    dm_lines_close(lines);

    /* it stays open */
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), 0);
    stdin_back();

    /* or has read beyond its end */
    fd = open(path, O_RDONLY);
    assert_int_equal(lseek(fd, 100, SEEK_SET), 100);
    stdin_is(fd);
    open_lines("-");
    assert_int_equal(lines->size, 0);
    no_more(0);
    dm_lines_close(lines);
    stdin_back();
}


/* more than a pipe or the buffer holds, in memory and in no file */
static void
test_fifo(void **state)
{
    int        status;
    FILE      *out;
    pid_t      pid;
    unsigned   i;
    dm_str_t   line;

    (void) state;

    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        out = fopen(path, "w");

        for (i = 0; out != NULL && i < 10000; i++) {
            (void) fprintf(out, "%0100u\n", i);
        }

        _exit(out == NULL || fclose(out) != 0);
    }

    open_lines(path);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(lines->size, 1010000);

    for (i = 0; i < 10000; i++) {
        assert_int_equal(dm_lines_next(lines, &line, &err), DM_OK);
        assert_int_equal(line.len, 100);
    }

    assert_memory_equal(line.data + 95, "09999", 5);
    no_more(10000);
    dm_lines_close(lines);
    unlink(path);
}


/* no octet of a secret is left, and no descriptor */
static void
test_close(void **state)
{
    size_t    i;
    dm_str_t  line;
    unsigned  before;

    (void) state;

    before = open_files();

    file("a secret\nand another\n");
    open_lines(path);
    assert_int_equal(dm_lines_next(lines, &line, &err), DM_OK);
    dm_lines_close(lines);

    for (i = 0; i < DM_LINES_BUF; i++) {
        if (lines->buf[i] != 0) {
            fail_msg("octet %zu is left", i);
        }
    }

    open_lines("/dev/null");
    no_more(0);
    dm_lines_close(lines);
    (void) dm_lines_open(lines, dir, &err);
    dm_lines_close(lines);

    assert_int_equal(open_files(), before);
}


static int
setup_lines(void **state)
{
    lines = malloc(sizeof(dm_lines_t));

    return lines == NULL ? -1 : setup(state);
}


static int
teardown_lines(void **state)
{
    free(lines);

    return teardown(state);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_cr),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_long_last),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_open_not),
        cmocka_unit_test(test_stdin),
        cmocka_unit_test(test_stdin_interrupted),
        cmocka_unit_test(test_fails),
        cmocka_unit_test(test_stdin_file),
        cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_close)
    };

    return cmocka_run_group_tests_name("import_lines", tests, setup_lines,
                                       teardown_lines);
}
