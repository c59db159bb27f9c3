/* Octets as hexadecimal digits, and back */

#include "dm_hex.h"


#define DM_HEX_EACH  0x0101010101010101ULL  /* 1 in each octet */


static uint64_t dm_hex_digits(uint64_t octets);
static inline int dm_hex_pair(const unsigned char *digits);


/* of each digit 0x10 and its value; 0: it is none */
static const unsigned char  dm_hex_values[256] = {
    ['0'] = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19,
    ['A'] = 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
    ['a'] = 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f
};


unsigned char
dm_hex_digit(unsigned value)
{
    static const char  digits[] = "0123456789abcdef";

    return (unsigned char) digits[value & 0xf];
}


/*
 * Four octets at a time.  They may be secret: neither a branch nor an address
 * depends on them.
 */
size_t
dm_hex_write(dm_str_t octets, unsigned char *out)
{
    size_t                i;
    uint64_t              digits;
    const unsigned char  *p;

    p = octets.data;

    for (i = 0; octets.len - i >= 4; i += 4, p += 4) {
        digits = dm_hex_digits((uint64_t) p[0] | (uint64_t) p[1] << 16
                               | (uint64_t) p[2] << 32
                               | (uint64_t) p[3] << 48);

        *out++ = (unsigned char) digits;
        *out++ = (unsigned char) (digits >> 8);
        *out++ = (unsigned char) (digits >> 16);
        *out++ = (unsigned char) (digits >> 24);
        *out++ = (unsigned char) (digits >> 32);
        *out++ = (unsigned char) (digits >> 40);
        *out++ = (unsigned char) (digits >> 48);
        *out++ = (unsigned char) (digits >> 56);
    }

    for (/* void */ ; i < octets.len; i++) {
        digits = dm_hex_digits(*p++);

        *out++ = (unsigned char) digits;
        *out++ = (unsigned char) (digits >> 8);
    }

    return 2 * octets.len;
}


void
dm_hex_text(dm_str_t octets, char *text)
{
    text[dm_hex_write(octets, (unsigned char *) text)] = '\0';
}


/* the digits of an octet in each 16 bits, the lowest first */
static uint64_t
dm_hex_digits(uint64_t octets)
{
    uint64_t  values, letters;

    values = (octets >> 4 & 0x000f000f000f000fULL)
             | (octets & 0x000f000f000f000fULL) << 8;
    letters = (values + 6 * DM_HEX_EACH) >> 4 & DM_HEX_EACH;

    return values + '0' * DM_HEX_EACH + letters * ('a' - '0' - 10);
}


int
dm_hex_octet(const unsigned char *digits)
{
    return dm_hex_pair(digits);
}


static inline int
dm_hex_pair(const unsigned char *digits)
{
    int  high, low;

    high = dm_hex_values[digits[0]];
    low = dm_hex_values[digits[1]];

    return high & low & 0x10 ? (high << 4 | (low & 0xf)) & 0xff : -1;
}


int
dm_hex_read(dm_str_t digits, unsigned char *out, size_t max, size_t *len)
{
    int     octet;
    size_t  i;

    if (digits.len % 2 != 0 || digits.len / 2 > max) {
        return DM_INVALID;
    }

    for (i = 0; i < digits.len; i += 2) {
        octet = dm_hex_pair(digits.data + i);

        if (octet < 0) {
            return DM_INVALID;
        }

        out[i / 2] = (unsigned char) octet;
    }

    *len = digits.len / 2;

    return DM_OK;
}
