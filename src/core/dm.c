/* Octet strings, results and messages */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dm.h"


static unsigned dm_lower(unsigned c);
static size_t dm_utf8_octets(const unsigned char *p, const unsigned char *last);
static int dm_is_control(const unsigned char *p);
static int dm_is_direction(const unsigned char *p, size_t n);


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
        if (dm_lower(a.data[i]) != dm_lower(b.data[i])) {
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
        if (dm_text_next(p, last, &n) == DM_TEXT_DIRECTION) {
            dm_err_set(err, "%s has a character at octet %zu that makes "
                       "others look like something else", what,
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

    return dm_is_direction(p, *n) ? DM_TEXT_DIRECTION : DM_TEXT_PLAIN;
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

    c = *p & (0x7fu >> n);

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3fu);
    }

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


static int
dm_is_direction(const unsigned char *p, size_t n)
{
    if (n == 2) {
        return p[0] == 0xd8 && p[1] == 0x9c;    /* U+061C */
    }

    if (n != 3 || p[0] != 0xe2) {
        return 0;
    }

    /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */

    if (p[1] == 0x80) {
        return p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae);
    }

    return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}
