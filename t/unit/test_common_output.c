/* Text of others, made harmless where it leaves a program */

#define _GNU_SOURCE

#include "io_fixture.h"

#include <sys/socket.h>

#include "common/output.h"


/* what a character of others becomes, wherever it goes out */
static const struct {
    const char  *in;
    const char  *out;
} forms[] = {
    { "", "" },
    { "plain \\ \"'%s~", "plain \\ \"'%s~" },
    { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
      "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },

    /* obeyed by a terminal, or the end of a line */
    { "a\x1b[2Jb", "a\\x1B[2Jb" },
    { "\a\b\t\n\r\x7f", "\\x07\\x08\\x09\\x0A\\x0D\\x7F" },
    { "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
      "\\xC2\\x80\\xC2\\x9B\\xC2\\x9F\\xC2\\xA0" },

    /* what turns the line around */
    { "a\xe2\x80\x8e" "b", "a\\xE2\\x80\\x8E" "b" },
    { "\xd8\x9c", "\\xD8\\x9C" },

    /* no UTF-8: cut short, overlong, a surrogate, no beginning */
    { "a\xe2\x82", "a\\xE2\\x82" },
    { "\xf0\x9f\x98", "\\xF0\\x9F\\x98" },
    { "\xc0\xaf", "\\xC0\\xAF" },
    { "\xed\xa0\x80", "\\xED\\xA0\\x80" },
    { "\xff\x80z", "\\xFF\\x80z" },
};


static void
test_out(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        capture(stdout);
        dm_out(stdout, "<%s>", forms[i].in);
        captured(stdout);

        assert_int_equal(captured_text[0], '<');
        assert_int_equal(captured_text[captured_len - 1], '>');
        captured_text[captured_len - 1] = '\0';
        assert_string_equal(captured_text + 1, forms[i].out);
    }

    capture(stderr);
    dm_out(stderr, "%d%c%s%%", 42, '\0', "b");
    assert_string_equal(captured(stderr), "42\\x00b%");

    capture(stderr);
    dm_out(stderr, "%s", "");
    captured(stderr);
    assert_int_equal(captured_len, 0);
}


static void
test_out_line(void **state)
{
    (void) state;

    capture(stdout);
    dm_out_line(stdout, "a%s", "\nb");
    dm_out_line(stdout, "%s", "");
    assert_string_equal(captured(stdout), "a\\x0Ab\n\n");
}


/* of any length */
static void
test_out_long(void **state)
{
    size_t  len;
    char   *text;

    (void) state;

    len = 100000;
    text = malloc(len + 1);
    assert_non_null(text);
    memset(text, 'x', len);
    text[0] = '\x1b';
    text[len - 1] = '\x1b';
    text[len] = '\0';

    capture(stdout);
    dm_out(stdout, "%s", text);
    captured(stdout);

    assert_int_equal(captured_len, len + 6);
    assert_memory_equal(captured_text, "\\x1Bxx", 6);
    assert_string_equal(captured_text + len, "xx\\x1B");

    free(text);
}


/* into exactly size octets, so that ASan sees one more */
static void
escape(dm_str_t in, size_t size, const char *also, const char *want)
{
    char  *text;

    text = malloc(size);
    assert_non_null(text);
    memset(text, 0x55, size);

    dm_out_escape(text, size, in, also);
    assert_string_equal(text, want);

    free(text);
}


static void
test_escape(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        escape(str(forms[i].in), strlen(forms[i].out) + 1, "", forms[i].out);
        escape(str(forms[i].in), 200, "", forms[i].out);
    }

    escape((dm_str_t) { (const unsigned char *) "a\0b", 3 }, 20, "",
           "a\\x00b");
    escape((dm_str_t) { (const unsigned char *) "abc", 2 }, 20, "", "ab");
    escape((dm_str_t) { (const unsigned char *) "\xc3\xa9", 1 }, 20, "",
           "\\xC3");
}


static void
test_escape_also(void **state)
{
    (void) state;

    escape(str("a\"b\\c,d"), 40, "\"\\", "a\\x22b\\x5Cc,d");
    escape(str("a b\xc3\xa9"), 40, " ", "a\\x20b\xc3\xa9");

    /* the end of also is none of its characters */
    escape(str("ab"), 40, "", "ab");
}


static void
test_unescape(void **state)
{
    size_t  i, n;
    char    out[40];

    static const struct {
        const char  *in;
        const char  *out;
    } written[] = {
        { "", "" },
        { "abc", "abc" },
        { "caf\\xC3\\xa9", "caf\xc3\xa9" },
        { "\\x5Cx41", "\\x41" },
        { "\\x", "\\x" },
        { "\\x4", "\\x4" },
        { "\\x4g", "\\x4g" },
        { "\\y41", "\\y41" },
        { "\\\\x41", "\\A" }
    };

    (void) state;

    for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        n = dm_out_unescape(str(written[i].in), (unsigned char *) out);
        out[n] = '\0';
        assert_string_equal(out, written[i].out);
    }
}


/* it ends before a character that has no room, whatever is behind that */
static void
test_escape_room(void **state)
{
    (void) state;

    escape(str("abc"), 1, "", "");
    escape(str("abc"), 3, "", "ab");
    escape(str("abc"), 4, "", "abc");

    escape(str("a\xc3\xa9z"), 2, "", "a");
    escape(str("a\xc3\xa9z"), 3, "", "a");
    escape(str("a\xc3\xa9z"), 4, "", "a\xc3\xa9");
    escape(str("a\xc3\xa9z"), 5, "", "a\xc3\xa9z");

    escape(str("a\nz"), 5, "", "a");
    escape(str("a\nz"), 6, "", "a\\x0A");
    escape(str("\xe2\x80\x8ez"), 12, "", "");
    escape(str("\xe2\x80\x8ez"), 13, "", "\\xE2\\x80\\x8E");
}


static void
test_width(void **state)
{
    (void) state;

    assert_int_equal(dm_out_width(""), 0);
    assert_int_equal(dm_out_width("abc"), 3);
    assert_int_equal(dm_out_width("\xc3\xa9t\xc3\xa9"), 3);
    assert_int_equal(dm_out_width("\xe2\x82\xac\xf0\x9f\x98\x80"), 2);
}


/* a stream without a buffer gets a line as one piece, whatever is in it */
static void
test_out_whole(void **state)
{
    int      fd[2];
    char     text[64];
    FILE    *out;
    ssize_t  n;

    (void) state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd), 0);

    out = fdopen(fd[0], "w");
    assert_non_null(out);
    assert_int_equal(setvbuf(out, NULL, _IONBF, 0), 0);

    dm_out_line(out, "a %s \x1b %d", "line", 7);

    n = recv(fd[1], text, sizeof(text), MSG_DONTWAIT);
    assert_int_equal(n, sizeof("a line \\x1B 7\n") - 1);
    assert_memory_equal(text, "a line \\x1B 7\n", (size_t) n);

    (void) fclose(out);
    (void) close(fd[1]);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_out),
        cmocka_unit_test(test_out_line),
        cmocka_unit_test(test_out_long),
        cmocka_unit_test(test_out_whole),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_escape_also),
        cmocka_unit_test(test_escape_room),
        cmocka_unit_test(test_width)
    };

    return cmocka_run_group_tests_name("common_output", tests, setup,
                                       teardown);
}
