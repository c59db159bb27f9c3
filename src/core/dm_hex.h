/* Octets as hexadecimal digits, and back */

#ifndef DM_HEX_H
#define DM_HEX_H


#include "dm.h"


/* the lower-case digit of 0 to 15 */
unsigned char dm_hex_digit(unsigned value);

/* writes two lower-case digits an octet into out, no end; their number */
size_t dm_hex_write(dm_str_t octets, unsigned char *out);

/* the same with a NUL behind them */
void dm_hex_text(dm_str_t octets, char *text);

/* the value of two digits of any case; -1: they are none */
int dm_hex_octet(const unsigned char *digits);

/*
 * Reads pairs of digits of any case into out[max] and says in *len how many
 * octets they are.  DM_OK, or DM_INVALID: something else, or too many; what
 * out then holds is of no use.
 */
int dm_hex_read(dm_str_t digits, unsigned char *out, size_t max, size_t *len);


#endif /* DM_HEX_H */
