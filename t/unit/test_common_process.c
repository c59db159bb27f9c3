/* What a process that holds secrets does first */

#define _GNU_SOURCE

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "io_fixture.h"

#include "common/process.h"


static int  no_limit;


/* stands before libc's */
int
setrlimit(__rlimit_resource_t what, const struct rlimit *limit)
{
    if (no_limit) {
        errno = EPERM;
        return -1;
    }

    return prlimit(0, what, limit, NULL);
}


/* what a child finds out in itself: its exit status */
static int
in_child(int (*job)(void))
{
    int    status;
    pid_t  pid;

    fflush(stdout);
    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        _exit(job());
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));

    return WEXITSTATUS(status);
}


static int
leaves_nothing(void)
{
    struct rlimit  core;

    (void) umask(0);

    if (prctl(PR_GET_DUMPABLE) != 1) {
        return 1;
    }

    if (dm_process_prepare("program") != DM_OK) {
        return 2;
    }

    if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_cur != 0
        || core.rlim_max != 0)
    {
        return 3;
    }

    if (prctl(PR_GET_DUMPABLE) != 0) {
        return 4;
    }

    return umask(0) == 077 ? 0 : 5;
}


/* which descriptor the next file has */
static int
next_file(void)
{
    return open("/dev/zero", O_RDONLY | O_CLOEXEC);
}


static int
keeps_streams(void)
{
    int  before;

    before = next_file();
    close(before);

    if (dm_process_prepare("program") != DM_OK) {
        return 1;
    }

    return next_file() == before ? 0 : 2;
}


/*
 * A file that is opened later never is stdin, stdout or stderr, and what is
 * written to one that was closed is no success.
 */
static int
fills_streams(void)
{
    int          fd, mode;
    char         ch;
    struct stat  sb, null;

    if (stat("/dev/null", &null) == -1) {
        return 1;
    }

    for (fd = 0; fd <= 9; fd++) {
        close(fd);
    }

    if (dm_process_prepare("program") != DM_OK) {
        return 2;
    }

    for (fd = 0; fd <= STDERR_FILENO; fd++) {
        mode = (fd == STDIN_FILENO) ? O_WRONLY : O_RDONLY;

        if (fstat(fd, &sb) == -1 || sb.st_rdev != null.st_rdev
            || (fcntl(fd, F_GETFL) & O_ACCMODE) != mode)
        {
            return 3;
        }
    }

    if (read(STDIN_FILENO, &ch, 1) != -1 || write(STDOUT_FILENO, "x", 1) != -1
        || write(STDERR_FILENO, "x", 1) != -1)
    {
        return 4;
    }

    return next_file() == STDERR_FILENO + 1 ? 0 : 5;
}


/* one alone, the others being as they were */
static int
fills_stdout(void)
{
    int  before;

    before = next_file();
    close(before);
    close(STDOUT_FILENO);

    if (dm_process_prepare("program") != DM_OK) {
        return 1;
    }

    if (write(STDOUT_FILENO, "x", 1) != -1) {
        return 2;
    }

    return next_file() == before ? 0 : 3;
}


static int
fails(void)
{
    struct rlimit  none;

    none = (struct rlimit) { 0, 0 };
    close(STDIN_FILENO);

    if (setrlimit(RLIMIT_NOFILE, &none) == -1) {
        return 1;
    }

    return dm_process_prepare("the-program") == DM_ERROR ? 0 : 2;
}


static int
has_no_limit(void)
{
    no_limit = 1;

    return dm_process_prepare("the-program") == DM_ERROR ? 0 : 1;
}


static void
test_prepare(void **state)
{
    (void) state;

    assert_int_equal(in_child(leaves_nothing), 0);
}


static void
test_streams(void **state)
{
    (void) state;

    assert_int_equal(in_child(keeps_streams), 0);
    assert_int_equal(in_child(fills_streams), 0);
    assert_int_equal(in_child(fills_stdout), 0);
}


static void
test_fails(void **state)
{
    int  status;

    (void) state;

    capture(stderr);
    status = in_child(fails);
    assert_string_equal(captured(stderr),
                        "the-program: /dev/null: Too many open files\n");
    assert_int_equal(status, 0);

    capture(stderr);
    status = in_child(has_no_limit);
    assert_string_equal(captured(stderr), "the-program: cannot switch core "
                                          "dumps off: Operation not "
                                          "permitted\n");
    assert_int_equal(status, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_fails)
    };

    return cmocka_run_group_tests_name("common_process", tests, NULL, NULL);
}
