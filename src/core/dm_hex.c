/* Octets as hexadecimal digits, and back */

#include <openssl/crypto.h>

#include "dm_hex.h"


unsigned char
dm_hex_digit(unsigned value)
{
    static const char  digits[] = "0123456789abcdef";

    return (unsigned char) digits[value & 0xf];
}


size_t
dm_hex_write(dm_str_t octets, unsigned char *out)
{
    size_t  i;

    for (i = 0; i < octets.len; i++) {
        *out++ = dm_hex_digit(octets.data[i] >> 4);
        *out++ = dm_hex_digit(octets.data[i]);
    }

    return 2 * octets.len;
}


int
dm_hex_octet(const unsigned char *digits)
{
    int  high, low;

    high = OPENSSL_hexchar2int(digits[0]);
    low = OPENSSL_hexchar2int(digits[1]);

    return high < 0 || low < 0 ? -1 : high << 4 | low;
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
        octet = dm_hex_octet(digits.data + i);

        if (octet < 0) {
            return DM_INVALID;
        }

        out[i / 2] = (unsigned char) octet;
    }

    *len = digits.len / 2;

    return DM_OK;
}
