/* Text of others, made harmless where it leaves the program */

#define _GNU_SOURCE     /* vasprintf() */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dm_hex.h"
#include "common/output.h"


#define DM_OUT_ESCAPED  (sizeof("\\xHH") - 1)


static void dm_out_args(FILE *out, const char *fmt, va_list args,
    const char *end);
static size_t dm_out_next(const unsigned char *p, const unsigned char *last,
    const char *also, char *text);


void
dm_out(FILE *out, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    dm_out_args(out, fmt, args, "");
    va_end(args);
}


void
dm_out_line(FILE *out, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    dm_out_args(out, fmt, args, "\n");
    va_end(args);
}


/* stderr, which has no buffer, gets it in one piece */
static void
dm_out_args(FILE *out, const char *fmt, va_list args, const char *end)
{
    int      len;
    char    *text, *piece;
    size_t   size;

    piece = NULL;
    len = vasprintf(&text, fmt, args);

    if (len != -1) {
        size = (size_t) len * DM_OUT_ESCAPED + 1;
        piece = malloc(size + 1);
    }

    if (piece != NULL) {
        dm_out_escape(piece, size, (dm_str_t) { (unsigned char *) text,
                                                (size_t) len }, "");
        memcpy(piece + strlen(piece), end, strlen(end) + 1);
    }

    (void) fputs(piece != NULL ? piece : "out of memory\n", out);

    free(piece);

    if (len != -1) {
        free(text);
    }
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
dm_out_unescape(dm_str_t text, unsigned char *out)
{
    int                   octet;
    size_t                n;
    const unsigned char  *p, *last;

    n = 0;
    p = text.data;
    last = p + text.len;

    while (p < last) {
        octet = -1;

        if (last - p >= (ptrdiff_t) DM_OUT_ESCAPED && p[0] == '\\'
            && p[1] == 'x')
        {
            octet = dm_hex_octet(p + 2);
        }

        out[n++] = (octet == -1) ? *p : (unsigned char) octet;
        p += (octet == -1) ? 1 : DM_OUT_ESCAPED;
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
