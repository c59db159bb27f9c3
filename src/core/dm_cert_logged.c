/* The key of a certificate in a line of a log */

#include <string.h>

#include "dm_cert_logged.h"
#include "dm_hex.h"


static int dm_cert_logged_is_dn(dm_str_t key);
static size_t dm_cert_logged_next(const unsigned char *p,
    const unsigned char *last, int dn, unsigned char *out, size_t *len);


int
dm_cert_logged(dm_str_t key, unsigned char *out, size_t max, size_t *len)
{
    int                   dn;
    size_t                n, read;
    unsigned char         next[3];
    const unsigned char  *p, *last;

    *len = 0;
    dn = dm_cert_logged_is_dn(key);
    last = key.data + key.len;

    for (p = key.data; p < last; p += read) {
        read = dm_cert_logged_next(p, last, dn, next, &n);

        if (read == 0 || n > max - *len) {
            *len = 0;
            return DM_DECLINED;
        }

        memcpy(out + *len, next, n);
        *len += n;
    }

    return DM_OK;
}


/* other keys have no escapes of their own */
static int
dm_cert_logged_is_dn(dm_str_t key)
{
    size_t  i, n;

    static const char  *dns[] = { "issuer-serial:", "subject:" };

    for (i = 0; i < sizeof(dns) / sizeof(dns[0]); i++) {
        n = strlen(dns[i]);

        if (key.len > n && memcmp(key.data, dns[i], n) == 0) {
            return 1;
        }
    }

    return 0;
}


/*
 * Writes what is at p into out[3], of *len octets; how many it was, or 0 where
 * it cannot be written.
 */
static size_t
dm_cert_logged_next(const unsigned char *p, const unsigned char *last, int dn,
    unsigned char *out, size_t *len)
{
    size_t  read;

    read = 1;
    *len = 1;

    if (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') {
        out[0] = *p;
        return read;
    }

    if (!dn || *p < 0x20 || *p == 0x7f) {
        return 0;
    }

    if (*p == '\\' && last - p > 1) {
        p++;
        read = 2;

        if (*p >= 0x20 && *p < 0x7f && *p != '"') {
            out[0] = '\\';
            out[1] = *p;
            *len = 2;
            return read;
        }
    }

    out[0] = '\\';
    *len = 1 + dm_hex_write((dm_str_t) { p, 1 }, out + 1);

    return read;
}


int
dm_cert_logged_escape(dm_str_t key)
{
    const unsigned char  *p, *last;

    last = key.data + key.len;

    /* a backslash in a DN is one of a pair */

    for (p = key.data; last - p > 3; p++) {

        if (*p != '\\') {
            continue;
        }

        p++;

        if (*p == 'x' && dm_hex_octet(p + 1) != -1) {
            return 1;
        }
    }

    return 0;
}
