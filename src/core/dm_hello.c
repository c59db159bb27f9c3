/* What a ClientHello says, RFC 6066 */

#include "dm_hello.h"


#define DM_HELLO_HOST_NAME  0


/*
 * ServerNameList: length (2), then one entry: type (1), length (2), name.
 * Of several entries none but the first could be a host_name: the types must
 * differ, and no other has been defined.
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

        if (ch <= 0x20 || ch >= 0x7f || ch == '/' || ch == ':') {
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
