/* A file of secrets that a verb makes: all of it or none */

#define _GNU_SOURCE     /* memfd_create(), renameat2(), O_TMPFILE */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/sink.h"
#include "common/json.h"


#define DM_SINK_FD_PATH  (sizeof("/proc/self/fd/") + 3 * sizeof(int))


/* the names of a file, of which temp is there until it is kept, or is "" */
typedef struct {
    const char  *path;
    int          dir;
    int          fd;
    char         name[NAME_MAX + 1];
    char         temp[NAME_MAX + 1];
} dm_sink_names_t;


static int dm_sink_file(dm_sink_t *sink, dm_err_t *err);
static int dm_sink_names(const char *path, dm_sink_names_t *names);
static int dm_sink_dir(const char *path);
static int dm_sink_make(dm_sink_names_t *names);
static int dm_sink_make_unnamed(const dm_sink_names_t *names);
static void dm_sink_fd_path(int fd, char *path);
static int dm_sink_start(dm_sink_t *sink, const dm_sink_names_t *names);
static void dm_sink_serve(int fd, const dm_sink_names_t *names);
static int dm_sink_is_there(const dm_sink_names_t *names);
static int dm_sink_name(const dm_sink_names_t *names);
static int dm_sink_link(const dm_sink_names_t *names);
static int dm_sink_rename(const dm_sink_names_t *names);
static int dm_sink_ask(const dm_sink_t *sink);
static int dm_sink_copy(FILE *from);
static int dm_sink_sync(int fd);
static int dm_sink_is_stdout(const dm_sink_t *sink);


int
dm_sink_open(dm_sink_t *sink, const char *path, dm_err_t *err)
{
    int  fd;

    sink->path = path;
    sink->out = NULL;
    sink->keeper = -1;
    sink->lines = 0;

    if (!dm_sink_is_stdout(sink)) {
        return dm_sink_file(sink, err);
    }

    /* memory, and no temporary file: there are secrets in it */

    fd = memfd_create("dm-account", MFD_CLOEXEC);
    sink->out = (fd == -1) ? NULL : fdopen(fd, "r+");

    if (sink->out == NULL) {
        dm_err_set(err, "cannot make room for what goes to stdout: %s",
                   strerror(errno));
        return DM_INVALID;
    }

    (void) setvbuf(sink->out, sink->buf, _IOFBF, DM_SINK_BUF);

    return DM_OK;
}


static int
dm_sink_file(dm_sink_t *sink, dm_err_t *err)
{
    dm_sink_names_t  names;

    names.fd = -1;

    if (dm_sink_names(sink->path, &names) == 0) {
        names.fd = dm_sink_make(&names);
    }

    sink->out = (names.fd == -1) ? NULL : fdopen(names.fd, "w");

    if (sink->out == NULL || dm_sink_start(sink, &names) == -1) {

        if (errno == EEXIST) {
            dm_err_set(err, "there is a file \"%s\" already, and it may hold "
                       "what is nowhere else: name another", sink->path);

        } else {
            dm_err_set_made(err, "file", sink->path);
        }

        /* of another one it is not taken away */

        if (names.fd != -1 && names.temp[0] != '\0') {
            (void) unlinkat(names.dir, names.temp, 0);
        }
    }

    if (names.dir != -1) {
        (void) close(names.dir);
    }

    if (sink->keeper == -1) {
        return DM_INVALID;
    }

    (void) setvbuf(sink->out, sink->buf, _IOFBF, DM_SINK_BUF);

    return DM_OK;
}


/* 0, or -1 with errno, which is EEXIST if the name is somebody's */
static int
dm_sink_names(const char *path, dm_sink_names_t *names)
{
    int          n;
    char         copy[PATH_MAX];
    struct stat  sb;

    names->path = path;
    names->dir = dm_sink_dir(path);

    if (names->dir == -1) {
        return -1;
    }

    /* without the slashes at its end, behind which a link would be followed */

    (void) snprintf(copy, sizeof(copy), "%s", path);
    n = snprintf(names->name, sizeof(names->name), "%s", basename(copy));

    if (n >= (int) sizeof(names->name)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    if (fstatat(names->dir, names->name, &sb, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }

    if (errno == ENOENT && path[strlen(path) - 1] == '/') {
        errno = EISDIR;
    }

    return errno == ENOENT ? 0 : -1;
}


/* opens the directory of path: -1 with errno */
static int
dm_sink_dir(const char *path)
{
    char  copy[PATH_MAX];

    if (snprintf(copy, sizeof(copy), "%s", path) >= (int) sizeof(copy)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}


/*
 * A file without a name, or with names->temp, where the file system knows no
 * other: -1 with errno.
 */
static int
dm_sink_make(dm_sink_names_t *names)
{
    int  n, fd;

    names->temp[0] = '\0';

    fd = dm_sink_make_unnamed(names);

    if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR
                     && errno != EINVAL))
    {
        return fd;
    }

    n = snprintf(names->temp, sizeof(names->temp), "%s.%ld", names->name,
                 (long) getpid());

    if (n >= (int) sizeof(names->temp)) {
        errno = ENAMETOOLONG;
        return -1;
    }

    return openat(names->dir, names->temp,
                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}


/* splits the process off: 0, or -1 with errno */
static int
dm_sink_start(dm_sink_t *sink, const dm_sink_names_t *names)
{
    int       pair[2], saved;
    pid_t     pid;
    sigset_t  all, before;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
        return -1;
    }

    /* it has them blocked from its first moment: they are for this process */

    (void) sigfillset(&all);
    (void) sigprocmask(SIG_BLOCK, &all, &before);

    pid = fork();

    if (pid == 0) {
        (void) close(pair[0]);
        dm_sink_serve(pair[1], names);
        _exit(0);
    }

    saved = errno;
    (void) sigprocmask(SIG_SETMASK, &before, NULL);
    (void) close(pair[1]);

    if (pid == -1) {
        (void) close(pair[0]);
        errno = saved;
        return -1;
    }

    sink->keeper = pair[0];
    sink->pid = pid;

    return 0;
}


/* -1 with errno, which is EOPNOTSUPP where it could not get a name */
static int
dm_sink_make_unnamed(const dm_sink_names_t *names)
{
    int   fd;
    char  path[DM_SINK_FD_PATH];

    fd = openat(names->dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

    if (fd == -1) {
        return -1;
    }

    dm_sink_fd_path(fd, path);

    if (access(path, F_OK) == -1) {
        (void) close(fd);
        errno = EOPNOTSUPP;
        return -1;
    }

    return fd;
}


/* the name of an open file that has none, into path[DM_SINK_FD_PATH] */
static void
dm_sink_fd_path(int fd, char *path)
{
    (void) snprintf(path, DM_SINK_FD_PATH, "/proc/self/fd/%d", fd);
}


/*
 * Waits until it is told to give the file its name, or the other process has
 * ended.
 */
static void
dm_sink_serve(int fd, const dm_sink_names_t *names)
{
    int  rc;

    if (recv(fd, &rc, sizeof(rc), 0) == (ssize_t) sizeof(rc)) {
        rc = dm_sink_name(names) == 0 ? 0 : errno;
        (void) send(fd, &rc, sizeof(rc), 0);

        if (rc == 0) {
            return;
        }
    }

    if (names->temp[0] != '\0') {
        (void) unlinkat(names->dir, names->temp, 0);
    }
}


/*
 * Gives the file its name, if nobody has it: 0, or -1 with errno.  It must be
 * found by its path then.
 */
static int
dm_sink_name(const dm_sink_names_t *names)
{
    int  rc;

    if (!dm_sink_is_there(names)) {
        errno = ESTALE;
        return -1;
    }

    rc = names->temp[0] == '\0' ? dm_sink_link(names) : dm_sink_rename(names);

    if (rc == 0 && fsync(names->dir) == -1) {
        rc = errno;
        (void) unlinkat(names->dir, names->name, 0);
        errno = rc;
        return -1;
    }

    return rc;
}


/* 1 if the directory of the path is the one that it was, else 0 */
static int
dm_sink_is_there(const dm_sink_names_t *names)
{
    int          dir, same;
    struct stat  was, is;

    dir = dm_sink_dir(names->path);

    if (dir == -1) {
        return 0;
    }

    same = (fstat(names->dir, &was) == 0 && fstat(dir, &is) == 0
            && was.st_dev == is.st_dev && was.st_ino == is.st_ino);

    (void) close(dir);

    return same;
}


static int
dm_sink_link(const dm_sink_names_t *names)
{
    char  path[DM_SINK_FD_PATH];

    dm_sink_fd_path(names->fd, path);

    return linkat(AT_FDCWD, path, names->dir, names->name, AT_SYMLINK_FOLLOW);
}


/* not every file system can do that in one step */
static int
dm_sink_rename(const dm_sink_names_t *names)
{
    int  rc;

    rc = renameat2(names->dir, names->temp, names->dir, names->name,
                   RENAME_NOREPLACE);

    if (rc == -1 && (errno == EINVAL || errno == ENOSYS)) {
        rc = linkat(names->dir, names->temp, names->dir, names->name, 0);

        if (rc == 0) {
            (void) unlinkat(names->dir, names->temp, 0);
        }
    }

    return rc;
}


int
dm_sink_put(dm_sink_t *sink, json_t *json, dm_err_t *err)
{
    if (dm_json_put(sink->out, json) != DM_OK) {
        dm_err_set(err, "cannot write to \"%s\": %s", sink->path,
                   strerror(errno));
        return DM_ERROR;
    }

    sink->lines++;

    return DM_OK;
}


int
dm_sink_keep(dm_sink_t *sink, dm_err_t *err)
{
    int  rc;

    if (fflush(sink->out) != 0) {
        rc = -1;

    } else if (dm_sink_is_stdout(sink)) {
        rc = dm_sink_copy(sink->out);

    } else {
        rc = fsync(fileno(sink->out)) == -1 ? -1 : dm_sink_ask(sink);
    }

    if (rc == -1) {
        dm_err_set(err, "cannot write \"%s\": %s", sink->path,
                   errno == ESTALE ? "its directory is another one now"
                                   : strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}


/* asks the process for the name: 0, or -1 with errno */
static int
dm_sink_ask(const dm_sink_t *sink)
{
    int  rc;

    rc = 0;

    if (send(sink->keeper, &rc, sizeof(rc), MSG_NOSIGNAL) == -1
        || recv(sink->keeper, &rc, sizeof(rc), 0) != (ssize_t) sizeof(rc))
    {
        errno = EPIPE;
        return -1;
    }

    errno = rc;

    return rc == 0 ? 0 : -1;
}


/* from memory to stdout: 0, or -1 with errno */
static int
dm_sink_copy(FILE *from)
{
    int      fd, rc;
    char     buf[4096];
    off_t    at;
    ssize_t  n;

    fd = fileno(from);
    rc = 0;

    for (at = 0; rc == 0; at += n) {
        n = pread(fd, buf, sizeof(buf), at);

        if (n == 0) {
            rc = fflush(stdout) == 0 ? dm_sink_sync(STDOUT_FILENO) : -1;
            break;
        }

        if (n == -1 || fwrite(buf, 1, (size_t) n, stdout) != (size_t) n) {
            rc = -1;
        }
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


/* of a pipe nothing reaches a disk */
static int
dm_sink_sync(int fd)
{
    if (fsync(fd) == -1 && errno != EINVAL && errno != EROFS) {
        return -1;
    }

    return 0;
}


static int
dm_sink_is_stdout(const dm_sink_t *sink)
{
    return strcmp(sink->path, "-") == 0;
}


void
dm_sink_close(dm_sink_t *sink)
{
    if (sink->out != NULL) {
        (void) fclose(sink->out);
        sink->out = NULL;
    }

    OPENSSL_cleanse(sink->buf, DM_SINK_BUF);

    if (sink->keeper == -1) {
        return;
    }

    (void) close(sink->keeper);
    sink->keeper = -1;

    while (waitpid(sink->pid, NULL, 0) == -1 && errno == EINTR) { /* void */ }
}
