/* How far a long job has come, on a terminal, by a clock of the test's own */

#define _GNU_SOURCE

#include <pty.h>
#include <time.h>

#include "io_fixture.h"

#include "common/progress.h"


static int64_t          now_ms;
static unsigned         pauses;
static struct timespec  paused;


/* stand before libc's */

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    (void) clock;

    now->tv_sec = now_ms / 1000;
    now->tv_nsec = now_ms % 1000 * 1000000 + 999999;

    return 0;
}


int
nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void) left;

    pauses++;
    paused = *pause;

    return 0;
}


/* stderr is a terminal up to shown(); what it shows is read at the other end */
static int
terminal(void)
{
    int             master, slave;
    struct termios  raw;

    memset(&raw, 0, sizeof(raw));
    cfmakeraw(&raw);

    assert_int_equal(openpty(&master, &slave, NULL, &raw, NULL), 0);
    assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
    capture_to(stderr, slave);

    return master;
}


/* what was shown since; "" if nothing */
static const char *
shown(int master)
{
    ssize_t      n;
    static char  text[512];

    fflush(stderr);
    n = read(master, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';

    return text;
}


static void
terminal_back(int master)
{
    (void) captured(stderr);
    close(master);
}


static void
test_show(void **state)
{
    int            master;
    dm_progress_t  progress;

    (void) state;

    master = terminal();
    now_ms = 5000;
    dm_progress_start(&progress, 1);

    now_ms = 5249;
    dm_progress_show(&progress, 1, 4, 10, "lines", "");
    assert_string_equal(shown(master), "");

    now_ms = 5250;
    dm_progress_show(&progress, 1, 4, 251, "lines", ", 3 added");
    assert_string_equal(shown(master),
                        "\r25 %, 251 lines, 1000 lines/s, 3 added\033[K");

    now_ms = 5499;
    dm_progress_show(&progress, 2, 4, 20, "lines", "");
    assert_string_equal(shown(master), "");

    now_ms = 6999;
    dm_progress_show(&progress, 2, 3, 20, "lines", "");
    assert_string_equal(shown(master), "\r66 %, 20 lines, 10 lines/s\033[K");

    /* nothing of nothing */
    now_ms = 7999;
    dm_progress_show(&progress, 0, 0, 0, "lines", "");
    assert_string_equal(shown(master), "\r0 %, 0 lines, 0 lines/s\033[K");

    terminal_back(master);
}


static void
test_now(void **state)
{
    int            master;
    dm_progress_t  progress;

    (void) state;

    master = terminal();
    now_ms = 5000;
    dm_progress_start(&progress, 1);
    dm_progress_now(&progress);
    dm_progress_show(&progress, 1, 1, 1, "lines", "");
    assert_string_equal(shown(master),
                        "\r100 %, 1 lines, 1000 lines/s\033[K");

    dm_progress_show(&progress, 1, 1, 1, "lines", "");
    assert_string_equal(shown(master), "");

    dm_progress_clear(&progress);
    assert_string_equal(shown(master), "\r\033[K");

    terminal_back(master);
}


static void
test_hidden(void **state)
{
    int            master;
    dm_progress_t  progress;

    (void) state;

    /* a terminal, but it is not wanted */

    master = terminal();
    now_ms = 5000;
    dm_progress_start(&progress, 0);
    now_ms = 9000;
    dm_progress_show(&progress, 1, 1, 1, "lines", "");
    dm_progress_now(&progress);
    dm_progress_show(&progress, 1, 1, 1, "lines", "");
    dm_progress_clear(&progress);
    assert_string_equal(shown(master), "");
    terminal_back(master);

    /* wanted, but no terminal */

    capture(stderr);
    dm_progress_start(&progress, 1);
    now_ms = 19000;
    dm_progress_show(&progress, 1, 1, 1, "lines", "");
    dm_progress_clear(&progress);
    assert_string_equal(captured(stderr), "");
}


static void
test_give_way(void **state)
{
    (void) state;

    dm_progress_give_way();

    assert_int_equal(pauses, 1);
    assert_int_equal(paused.tv_sec, 0);
    assert_true(paused.tv_nsec > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_now),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_give_way)
    };

    return cmocka_run_group_tests_name("common_progress", tests, NULL, NULL);
}
