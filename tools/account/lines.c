/* A file read line by line, in bounded memory */

#define _GNU_SOURCE     /* memfd_create() */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/lines.h"


static int dm_lines_size(dm_lines_t *lines, dm_err_t *err);
static int dm_lines_spool(dm_lines_t *lines, dm_err_t *err);
static int dm_lines_copy(dm_lines_t *lines, int to);
static int dm_lines_fill(dm_lines_t *lines, dm_err_t *err);
static ssize_t dm_lines_read(int fd, unsigned char *buf, size_t size);
static void dm_lines_take(dm_lines_t *lines, size_t len, dm_str_t *line);


int
dm_lines_open(dm_lines_t *lines, const char *path, dm_err_t *err)
{
    lines->path = path;
    lines->fd = STDIN_FILENO;
    lines->offset = 0;
    lines->number = 0;
    lines->eof = 0;
    lines->pos = 0;
    lines->last = 0;

    if (strcmp(path, "-") != 0) {
        lines->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }

    if (lines->fd == -1) {
        dm_err_set(err, "cannot open \"%s\": %s", path, strerror(errno));
        return DM_INVALID;
    }

    return dm_lines_size(lines, err);
}


static int
dm_lines_size(dm_lines_t *lines, dm_err_t *err)
{
    off_t        at;
    struct stat  sb;

    if (fstat(lines->fd, &sb) == -1) {
        dm_err_set(err, "cannot examine \"%s\": %s", lines->path,
                   strerror(errno));
        return DM_ERROR;
    }

    if (!S_ISREG(sb.st_mode)) {
        return dm_lines_spool(lines, err);
    }

    /* stdin need not stand at the start of its file */
    at = lseek(lines->fd, 0, SEEK_CUR);

    lines->size = (at >= 0 && at < sb.st_size) ? (uint64_t) (sb.st_size - at)
                                               : 0;

    return DM_OK;
}


/* memory, and no temporary file: there are secrets in it */
static int
dm_lines_spool(dm_lines_t *lines, dm_err_t *err)
{
    int  fd;

    fd = memfd_create("dm-account", MFD_CLOEXEC);

    if (fd == -1 || dm_lines_copy(lines, fd) != DM_OK
        || lseek(fd, 0, SEEK_SET) == -1)
    {
        dm_err_set(err, "cannot read \"%s\": %s", lines->path,
                   strerror(errno));

        if (fd != -1) {
            (void) close(fd);
        }

        return DM_INVALID;
    }

    if (lines->fd != STDIN_FILENO) {
        (void) close(lines->fd);
    }

    lines->fd = fd;

    return DM_OK;
}


static int
dm_lines_copy(dm_lines_t *lines, int to)
{
    ssize_t  n, done;

    lines->size = 0;

    for ( ;; ) {
        n = dm_lines_read(lines->fd, lines->buf, DM_LINES_BUF);

        if (n <= 0) {
            return n == 0 ? DM_OK : DM_ERROR;
        }

        done = write(to, lines->buf, (size_t) n);

        if (done != n) {
            return DM_ERROR;
        }

        lines->size += (uint64_t) n;
    }
}


int
dm_lines_next(dm_lines_t *lines, dm_str_t *line, dm_err_t *err)
{
    int             skip;
    size_t          len;
    unsigned char  *start, *end;

    skip = 0;

    for ( ;; ) {
        start = lines->buf + lines->pos;
        len = lines->last - lines->pos;
        end = memchr(start, '\n', len);

        /*
         * The longest line there is, with a CR, may want no more than its LF.
         */

        if (end == NULL && !lines->eof && len <= DM_LINE_MAX + 1) {

            if (dm_lines_fill(lines, err) != DM_OK) {
                return DM_ERROR;
            }

            continue;
        }

        if (end == NULL && lines->eof && len == 0 && !skip) {
            return DM_DECLINED;
        }

        /* the rest of a line too long is gone by, piece by piece */

        if (end == NULL && !lines->eof) {
            lines->offset += len;
            lines->pos = lines->last;
            skip = 1;
            continue;
        }

        lines->number++;
        dm_lines_take(lines, end == NULL ? len : (size_t) (end - start), line);

        if (skip || line->len > DM_LINE_MAX) {
            dm_err_set(err, "the line is longer than %d octets", DM_LINE_MAX);
            return DM_INVALID;
        }

        return DM_OK;
    }
}


static int
dm_lines_fill(dm_lines_t *lines, dm_err_t *err)
{
    ssize_t  n;

    lines->last -= lines->pos;
    memmove(lines->buf, lines->buf + lines->pos, lines->last);
    lines->pos = 0;

    n = dm_lines_read(lines->fd, lines->buf + lines->last,
                      DM_LINES_BUF - lines->last);

    if (n == -1) {
        dm_err_set(err, "cannot read \"%s\": %s", lines->path,
                   strerror(errno));
        return DM_ERROR;
    }

    lines->last += (size_t) n;
    lines->eof = (n == 0);

    return DM_OK;
}


static ssize_t
dm_lines_read(int fd, unsigned char *buf, size_t size)
{
    ssize_t  n;

    do {
        n = read(fd, buf, size);
    } while (n == -1 && errno == EINTR);

    return n;
}


/* len octets and, but at the end of the file, a LF behind them */
static void
dm_lines_take(dm_lines_t *lines, size_t len, dm_str_t *line)
{
    size_t  taken;

    line->data = lines->buf + lines->pos;
    line->len = len;

    taken = (lines->pos + len < lines->last) ? len + 1 : len;

    lines->pos += taken;
    lines->offset += taken;

    if (len > 0 && line->data[len - 1] == '\r') {
        line->len--;
    }
}


void
dm_lines_close(dm_lines_t *lines)
{
    if (lines->fd > STDIN_FILENO) {
        (void) close(lines->fd);
    }

    OPENSSL_cleanse(lines->buf, DM_LINES_BUF);
}
