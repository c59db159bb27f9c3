/*
 * What a program reads, writes and wipes, held by a test: a file at path,
 * stdin by pieces, what goes to stdout or stderr, and OPENSSL_cleanse(), which
 * stands before the library's.  The file that includes it asks for _GNU_SOURCE.
 */

#ifndef IO_FIXTURE_H
#define IO_FIXTURE_H


#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>

#include "dm.h"
#include "str.h"


#define CAPTURED_MAX  (1024 * 1024)


static char         dir[] = "/tmp/dm-test-io.XXXXXX";
static char         path[64];
static dm_err_t     err;

static int          saved_stdin = -1;
static int          late_ticks;             /* of stdin_late() */
static int          late_end;
static int          saved = -1;             /* what was captured is of it */
static char         captured_text[CAPTURED_MAX];
static size_t       captured_len;

static const char  *watched;                /* a secret */
static unsigned     wiped;                  /* how often it was */


/* for a message that must have a part */
static inline void
err_has(const char *part)
{
    if (strstr(err.text, part) == NULL) {
        fail_msg("\"%s\" has no \"%s\"", err.text, part);
    }
}


void
OPENSSL_cleanse(void *p, size_t n)
{
    volatile unsigned char  *octet;

    if (watched != NULL && n > 0
        && memmem(p, n, watched, strlen(watched)) != NULL)
    {
        wiped++;
    }

    for (octet = p; n > 0; n--) {
        *octet++ = 0;
    }
}


static inline void
watch(const char *secret)
{
    watched = secret;
    wiped = 0;
}


/* path is a file of these octets and no more */
static inline void
file_of(const void *octets, size_t len)
{
    FILE  *out;

    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(octets, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}


static inline void
file(const char *text)
{
    file_of(text, strlen(text));
}


/* fd is stdin until stdin_back() */
static inline void
stdin_is(int fd)
{
    assert_int_equal(saved_stdin, -1);
    saved_stdin = dup(STDIN_FILENO);
    assert_true(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
}


/* each piece, up to the NULL, is what one read() of stdin gives */
static inline void
stdin_of(const char *const *piece)
{
    int  pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);

    for ( /* void */ ; *piece != NULL; piece++) {
        assert_int_equal(send(pair[1], *piece, strlen(*piece), MSG_NOSIGNAL),
                         strlen(*piece));
    }

    close(pair[1]);
    stdin_is(pair[0]);
}


static inline void
on_alarm(int sig)
{
    (void) sig;

    if (++late_ticks == 5) {
        (void) !write(late_end, "late", 4);
        close(late_end);
    }
}


/*
 * Begins to interrupt what waits for stdin; "late" comes after some times, and
 * then its end.
 */
static inline void
stdin_late(void)
{
    int               ends[2];
    struct sigaction  action;
    struct itimerval  every;

    assert_int_equal(pipe(ends), 0);
    stdin_is(ends[0]);
    late_ticks = 0;
    late_end = ends[1];

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_alarm;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);

    every.it_interval = (struct timeval) { 0, 2000 };
    every.it_value = every.it_interval;
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
}


/* ends what stdin_late() began */
static inline void
no_alarm(void)
{
    struct itimerval  never;

    memset(&never, 0, sizeof(never));
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
}


/* how many files are open */
static inline unsigned
open_files(void)
{
    DIR       *fds;
    unsigned   n;

    fds = opendir("/proc/self/fd");
    assert_non_null(fds);

    for (n = 0; readdir(fds) != NULL; n++) {
        /* void */
    }

    closedir(fds);

    return n;
}


static inline void
stdin_back(void)
{
    if (saved_stdin != -1) {
        assert_int_equal(dup2(saved_stdin, STDIN_FILENO), STDIN_FILENO);
        close(saved_stdin);
        saved_stdin = -1;
    }
}


/* what is written to stdout or stderr goes to fd, up to captured() */
static inline void
capture_to(FILE *out, int fd)
{
    fflush(out);
    saved = dup(fileno(out));
    assert_true(saved != -1);
    assert_true(dup2(fd, fileno(out)) != -1);
    close(fd);
}


static inline void
capture(FILE *out)
{
    capture_to(out, memfd_create("captured", MFD_CLOEXEC));
}


/* what was written since; it has captured_len octets and a NUL */
static inline const char *
captured(FILE *out)
{
    ssize_t  n;

    fflush(out);
    clearerr(out);

    n = pread(fileno(out), captured_text, CAPTURED_MAX - 1, 0);

    assert_true(dup2(saved, fileno(out)) != -1);
    close(saved);

    captured_len = n < 0 ? 0 : (size_t) n;
    captured_text[captured_len] = '\0';

    return captured_text;
}


static inline int
setup(void **state)
{
    (void) state;

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    sprintf(path, "%s/file", dir);

    return 0;
}


static inline int
teardown(void **state)
{
    (void) state;

    unlink(path);

    return rmdir(dir);
}


#endif /* IO_FIXTURE_H */
