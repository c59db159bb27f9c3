/* Text of others, made harmless where it leaves the program */

#define _GNU_SOURCE     /* vasprintf() */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/output.h"


#define DM_OUT_ESCAPED  (sizeof("\\xHH") - 1)


static void dm_out_args(FILE *out, const char *fmt, va_list args);
static size_t dm_out_next(const unsigned char *p, const unsigned char *last,
    const char *also, char *text);


void
dm_out(FILE *out, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    dm_out_args(out, fmt, args);
    va_end(args);
}


void
dm_out_line(FILE *out, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    dm_out_args(out, fmt, args);
    va_end(args);

    (void) fputc('\n', out);
}


static void
dm_out_args(FILE *out, const char *fmt, va_list args)
{
    int                   len;
    char                 *text, piece[4 * DM_OUT_ESCAPED + 1];
    const unsigned char  *p, *last;

    len = vasprintf(&text, fmt, args);

    if (len == -1) {
        (void) fputs("out of memory", out);
        return;
    }

    p = (const unsigned char *) text;
    last = p + len;

    while (p < last) {
        p += dm_out_next(p, last, "", piece);
        (void) fputs(piece, out);
    }

    free(text);
}


void
dm_out_escape(char *text, size_t size, dm_str_t in, const char *also)
{
    char                  piece[4 * DM_OUT_ESCAPED + 1];
    size_t                len;
    const unsigned char  *p, *last;

    p = in.data;
    last = p + in.len;

    while (p < last) {
        p += dm_out_next(p, last, also, piece);
        len = strlen(piece);

        if (len >= size) {
            break;
        }

        memcpy(text, piece, len);
        text += len;
        size -= len;
    }

    *text = '\0';
}


/* the character at p as text; how many octets it has */
static size_t
dm_out_next(const unsigned char *p, const unsigned char *last,
    const char *also, char *text)
{
    size_t  i, n;

    if (dm_text_next(p, last, &n) == DM_TEXT_PLAIN
        && strchr(also, *p) == NULL)
    {
        memcpy(text, p, n);
        text[n] = '\0';
        return n;
    }

    for (i = 0; i < n; i++) {
        (void) snprintf(text + i * DM_OUT_ESCAPED, DM_OUT_ESCAPED + 1,
                        "\\x%02X", p[i]);
    }

    return n;
}


size_t
dm_out_width(const char *text)
{
    size_t  n;

    for (n = 0; *text != '\0'; text++) {
        n += ((*text & 0xc0) != 0x80);
    }

    return n;
}
