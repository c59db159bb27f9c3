/* The server name and the versions of a ClientHello, RFC 6066 and RFC 8446 */

#include "dm_hello.h"


#define DM_HELLO_HOST_NAME  0


/*
 * ServerNameList: length (2), then one entry: type (1), length (2), name.
 * Of several entries none but the first could be a host_name: the types must
 * differ, and no other has been defined.  What nginx reads in a way of its own,
 * as brackets, ports and two dots, is no name here: nginx's own reading has
 * the last word, and where the two differ the client is refused.
 */
int
dm_hello_servername(const unsigned char *data, size_t len, unsigned char *out,
    size_t *outlen)
{
    size_t         i, n;
    unsigned char  ch;

    if (len < 5 || len - 2 != ((size_t) data[0] << 8 | data[1])) {
        return DM_INVALID;
    }

    n = (size_t) data[3] << 8 | data[4];

    if (n > len - 5) {
        return DM_INVALID;
    }

    if (data[2] != DM_HELLO_HOST_NAME || n == 0 || n > DM_SERVERNAME_MAX) {
        return DM_DECLINED;
    }

    for (i = 0; i < n; i++) {
        ch = data[5 + i];

        if (ch <= 0x20
            || ch == 0x7f
            || ch == '/'
            || ch == ':'
            || ch == '['
            || ch == ']'
            || (ch == '.' && i && out[i - 1] == '.'))
        {
            return DM_DECLINED;
        }

        out[i] = (unsigned char) (ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch);
    }

    if (out[n - 1] == '.') {
        n--;
    }

    *outlen = n;

    return n ? DM_OK : DM_DECLINED;
}


/* length (1), then versions (2) */
unsigned
dm_hello_highest_version(const unsigned char *data, size_t len)
{
    size_t    i;
    unsigned  version, highest;

    if (len < 3 || data[0] != len - 1 || (len & 1) == 0) {
        return 0;
    }

    highest = 0;

    for (i = 1; i < len; i += 2) {
        version = (unsigned) data[i] << 8 | data[i + 1];

        if (version > highest && !dm_hello_grease(version)) {
            highest = version;
        }
    }

    return highest;
}


int
dm_hello_grease(unsigned value)
{
    return (value & 0x0f0f) == 0x0a0a && (value >> 8) == (value & 0xff);
}
