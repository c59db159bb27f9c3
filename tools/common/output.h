/* The one way by which text of others reaches a terminal or a log */

#ifndef DM_COMMON_OUTPUT_H
#define DM_COMMON_OUTPUT_H


#include <stdio.h>

#include "dm.h"


/*
 * Writes to out what fmt makes, so that a terminal shows it and obeys nothing:
 * each octet of a character that is not DM_TEXT_PLAIN is \xHH.  So is that of
 * a newline, and dm_out_line() ends the line with one of its own.
 */
void dm_out(FILE *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void dm_out_line(FILE *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Escapes in as dm_out() does into text[size], size being 1 at least, and the
 * characters of also, which are ASCII, as \xHH too.  The text ends with NUL,
 * before a character that has no room.
 */
void dm_out_escape(char *text, size_t size, dm_str_t in, const char *also);

/*
 * Reads what was escaped so, or as nginx's error log has it: \xHH is an octet.
 * out has room for text.len; how many octets it has now.
 */
size_t dm_out_unescape(dm_str_t text, unsigned char *out);

/* counts the characters of a text that is printed in columns */
size_t dm_out_width(const char *text);


#endif /* DM_COMMON_OUTPUT_H */
