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
#include "common/input.h"


#define DM_LINES_START  4       /* octets that show what UTF-16 is */


static int dm_lines_size(dm_lines_t *lines, dm_err_t *err);
static int dm_lines_spool(dm_lines_t *lines, dm_err_t *err);
static int dm_lines_copy(dm_lines_t *lines, int to);
static int dm_lines_check(const dm_lines_t *lines, dm_str_t line,
    dm_err_t *err);
static int dm_lines_start(dm_lines_t *lines, dm_err_t *err);
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
    lines->mark = 0;
    lines->cr = 0;
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

    if (lines->number == 0 && dm_lines_start(lines, err) != DM_OK) {
        return DM_ERROR;
    }

    for ( ;; ) {
        start = lines->buf + lines->pos;
        len = lines->last - lines->pos;
        end = memchr(start, '\n', len);

        /*
         * The longest line there is, with a mark and a CR, may want its LF.
         */

        if (end == NULL && !lines->eof && len <= DM_LINE_MAX + 4) {

            if (dm_lines_fill(lines, err) != DM_OK) {
                return DM_ERROR;
            }

            continue;
        }

        if (end == NULL && lines->eof && !skip) {
            len = dm_text_end(start, len);

            if (len == 0) {
                return DM_DECLINED;
            }
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

        return dm_lines_check(lines, *line, err);
    }
}


/* of a file of CR alone all would be one line, and a comment if it begins so */
static int
dm_lines_check(const dm_lines_t *lines, dm_str_t line, dm_err_t *err)
{
    if (!lines->cr && memchr(line.data, '\r', line.len) != NULL) {
        dm_err_set(err, "it has a CR within: if the lines end with CR alone, "
                   "they must end with LF or with CR LF");
        return DM_INVALID;
    }

    return DM_OK;
}


/* looks how the file begins, of which a pipe may give one octet at a time */
static int
dm_lines_start(dm_lines_t *lines, dm_err_t *err)
{
    while (lines->last < DM_LINES_START && !lines->eof) {
        if (dm_lines_fill(lines, err) != DM_OK) {
            return DM_ERROR;
        }
    }

    if (dm_input_not_utf16(lines->path, lines->buf, lines->last, err)
        != DM_OK)
    {
        lines->number = 1;
        return DM_ERROR;
    }

    return DM_OK;
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


/*
 * Takes len octets and, but at the end of the file, a LF behind them.  Where
 * files were joined, a line within may begin with the mark of its file.
 */
static void
dm_lines_take(dm_lines_t *lines, size_t len, dm_str_t *line)
{
    size_t  taken, mark;

    line->data = lines->buf + lines->pos;
    line->len = len;

    taken = (lines->pos + len < lines->last) ? len + 1 : len;

    lines->pos += taken;
    lines->offset += taken;

    if (len > 0 && line->data[len - 1] == '\r') {
        line->len--;
    }

    mark = dm_text_mark(line->data, line->len);
    lines->mark = (mark > 0);
    line->data += mark;
    line->len -= mark;
}


int
dm_lines_is_blank(dm_str_t line)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t') {
            return 0;
        }
    }

    return 1;
}


int
dm_lines_is_comment(dm_str_t line)
{
    return dm_lines_is_blank(line) || line.data[0] == '#';
}


void
dm_lines_close(dm_lines_t *lines)
{
    if (lines->fd > STDIN_FILENO) {
        (void) close(lines->fd);
    }

    OPENSSL_cleanse(lines->buf, DM_LINES_BUF);
}
