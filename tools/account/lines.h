/* A file read line by line, in bounded memory */

#ifndef DM_ACCOUNT_LINES_H
#define DM_ACCOUNT_LINES_H

#include "dm.h"


/* the largest account there is fits in, with each character escaped */
#define DM_LINE_MAX   131072
#define DM_LINES_BUF  (2 * DM_LINE_MAX)


typedef struct {
    const char     *path;
    int             fd;
    uint64_t        size;                   /* octets of the whole file */
    uint64_t        offset;                 /* of the end of the last line */
    uint64_t        number;                 /* of the last line, from 1 */

    int             mark;                   /* the last line began with one */
    int             cr;                     /* one may be within a line */
    int             eof;
    size_t          pos;                    /* buf holds pos to last */
    size_t          last;
    unsigned char   buf[DM_LINES_BUF];
} dm_lines_t;


/*
 * Opens a file, "-" being stdin.  What is not a regular file is read whole
 * before, into memory, since nobody should wait for who writes it.  DM_OK or
 * DM_INVALID, DM_ERROR with err; dm_lines_close() in any case.  It clears cr.
 */
int dm_lines_open(dm_lines_t *lines, const char *path, dm_err_t *err);

/*
 * The next line, without its LF or CR LF, without a byte order mark at its
 * start and without the ^Z that DOS may have at the end of a file, valid until
 * the next call.  DM_OK; DM_DECLINED after the last one; DM_INVALID: it is
 * longer than DM_LINE_MAX, or has a CR within where cr is not set, and is gone
 * by; DM_ERROR: it cannot be read, or the file is UTF-16.
 */
int dm_lines_next(dm_lines_t *lines, dm_str_t *line, dm_err_t *err);

/* 1 if there is nothing but blanks and tabs in a line, else 0 */
int dm_lines_is_blank(dm_str_t line);

/* 1 if there is nothing in a line, or a comment: its first octet is "#" */
int dm_lines_is_comment(dm_str_t line);

/* wipes what was read */
void dm_lines_close(dm_lines_t *lines);


#endif /* DM_ACCOUNT_LINES_H */
