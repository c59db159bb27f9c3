/* Octet strings, results and messages */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dm.h"


#define DM_TEXT_MARK    "\xef\xbb\xbf"   /* of UTF-8 */
#define DM_TEXT_CTRL_Z  0x1a


static unsigned dm_lower(unsigned c);
static size_t dm_utf8_octets(const unsigned char *p, const unsigned char *last);
static int dm_is_control(const unsigned char *p);
static int dm_is_misleading(uint32_t c);


int
dm_str_eq(dm_str_t a, dm_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


int
dm_str_ieq(dm_str_t a, dm_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        if (a.data[i] != b.data[i]
            && dm_lower(a.data[i]) != dm_lower(b.data[i]))
        {
            return 0;
        }
    }

    return 1;
}


static unsigned
dm_lower(unsigned c)
{
    return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}


/*
 * Values from outside stand in these sentences: a control character in one
 * must not start a new line of a log nor drive a terminal, and a character
 * that the end cuts in two would make the whole sentence useless as JSON.
 */
void
dm_err_set(dm_err_t *err, const char *fmt, ...)
{
    int             n;
    size_t          len, i, octets;
    va_list         args;
    unsigned char  *text;

    if (err == NULL) {
        return;
    }

    va_start(args, fmt);
    n = vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);

    if (n < 0) {
        err->text[0] = '\0';
        return;
    }

    len = (size_t) n;

    if (len >= sizeof(err->text)) {
        len = sizeof(err->text) - 1;

        while (len > 0 && (err->text[len - 1] & 0xc0) == 0x80) {
            len--;
        }

        if (len > 0 && (err->text[len - 1] & 0x80)) {
            len--;
        }

        err->text[len] = '\0';
    }

    text = (unsigned char *) err->text;

    for (i = 0; i < len; i += octets) {
        if (dm_text_next(text + i, text + len, &octets) != DM_TEXT_PLAIN) {
            memset(text + i, '?', octets);
        }
    }
}


void
dm_err_set_made(dm_err_t *err, const char *what, const char *path)
{
    char   dir[1024];
    int    error;
    char  *name;

    error = errno;

    (void) snprintf(dir, sizeof(dir), "%s", path);
    name = strrchr(dir, '/');

    if (error != ENOENT || name == NULL || name == dir) {
        dm_err_set(err, "%s \"%s\" cannot be made: %s", what, path,
                   strerror(error));
        return;
    }

    *name = '\0';

    dm_err_set(err, "%s \"%s\" cannot be made: there is no directory \"%s\"; "
               "make that, or name another place", what, path, dir);
}


size_t
dm_text_mark(const unsigned char *text, size_t len)
{
    size_t  n, skip;

    n = sizeof(DM_TEXT_MARK) - 1;

    /* some programs write it before the one that is there */

    for (skip = 0; len - skip >= n; skip += n) {
        if (memcmp(text + skip, DM_TEXT_MARK, n) != 0) {
            break;
        }
    }

    return skip;
}


size_t
dm_text_end(const unsigned char *text, size_t len)
{
    while (len > 0 && text[len - 1] == DM_TEXT_CTRL_Z) {
        len--;
    }

    return len;
}


int
dm_text_check(dm_str_t text, size_t max, const char *what, dm_err_t *err)
{
    size_t                n;
    const unsigned char  *p, *last;

    if (text.len == 0) {
        dm_err_set(err, "%s is empty", what);
        return DM_INVALID;
    }

    if (text.len > max) {
        dm_err_set(err, "%s has %zu octets, at most %zu are allowed", what,
                   text.len, max);
        return DM_INVALID;
    }

    last = text.data + text.len;

    for (p = text.data; p < last; p += n) {

        /* most texts are ASCII, and each account that is read has some */

        if (*p >= 0x20 && *p < 0x7f) {
            n = 1;
            continue;
        }

        switch (dm_text_next(p, last, &n)) {

        case DM_TEXT_BROKEN:
            dm_err_set(err, "%s is not UTF-8 at octet %zu", what,
                       (size_t) (p - text.data) + 1);
            return DM_INVALID;

        case DM_TEXT_CONTROL:
            dm_err_set(err, "%s has a control character at octet %zu", what,
                       (size_t) (p - text.data) + 1);
            return DM_INVALID;

        default:
            break;
        }
    }

    return DM_OK;
}


int
dm_text_check_shown(dm_str_t text, const char *what, dm_err_t *err)
{
    size_t                n;
    const unsigned char  *p, *last;

    last = text.data + text.len;

    for (p = text.data; p < last; p += n) {
        if (dm_text_next(p, last, &n) == DM_TEXT_MISLEADING) {
            dm_err_set(err, "%s has the character U+%04X at octet %zu, which "
                       "nobody sees, or which makes others look like "
                       "something else: write it without", what,
                       (unsigned) dm_text_code(p, n),
                       (size_t) (p - text.data) + 1);
            return DM_INVALID;
        }
    }

    return DM_OK;
}


dm_text_e
dm_text_next(const unsigned char *p, const unsigned char *last, size_t *n)
{
    *n = dm_utf8_octets(p, last);

    if (*n == 0) {
        *n = 1;
        return DM_TEXT_BROKEN;
    }

    if (dm_is_control(p)) {
        return DM_TEXT_CONTROL;
    }

    if (*n == 1) {
        return DM_TEXT_PLAIN;
    }

    return dm_is_misleading(dm_text_code(p, *n)) ? DM_TEXT_MISLEADING
                                                 : DM_TEXT_PLAIN;
}


uint32_t
dm_text_code(const unsigned char *p, size_t n)
{
    size_t    i;
    uint32_t  c;

    c = (n == 1) ? *p : *p & (0x7fu >> n);

    for (i = 1; i < n; i++) {
        c = c << 6 | (p[i] & 0x3fu);
    }

    return c;
}


/* octets of the character at p; 0 if there is none of RFC 3629's */
static size_t
dm_utf8_octets(const unsigned char *p, const unsigned char *last)
{
    size_t    n, i;
    uint32_t  c;

    if (*p < 0x80) {
        return 1;
    }

    if (*p < 0xc2 || *p > 0xf4) {
        return 0;
    }

    n = (*p < 0xe0) ? 2 : (*p < 0xf0) ? 3 : 4;

    if ((size_t) (last - p) < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    c = dm_text_code(p, n);

    /* overlong forms, surrogates, beyond Unicode */

    if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
        || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
    {
        return 0;
    }

    return n;
}


static int
dm_is_control(const unsigned char *p)
{
    /* U+0080 to U+009F: to a terminal they are ESC sequences */

    if (*p == 0xc2) {
        return p[1] < 0xa0;
    }

    return *p < 0x20 || *p == 0x7f;
}


/*
 * Blanks but U+0020, what has no width (the byte order mark too), what turns
 * or breaks the line, fillers, tags, and what chooses among forms of a
 * character.
 */
static int
dm_is_misleading(uint32_t c)
{
    size_t  i;

    static const struct {
        uint32_t  first;
        uint32_t  last;
    } ranges[] = {
        { 0x00a0, 0x00a0 }, { 0x00ad, 0x00ad }, { 0x034f, 0x034f },
        { 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x1680, 0x1680 },
        { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x2000, 0x200f },
        { 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 },
        { 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },
        { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
        { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }
    };

    for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (c <= ranges[i].last) {
            return c >= ranges[i].first;
        }
    }

    return 0;
}
