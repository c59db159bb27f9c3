/*
 * Handshakes that no library offers any more: a ClientHello as octets, and
 * what a server says to it.
 */

#include <ctype.h>
#include <string.h>

#include <openssl/rand.h>

#include "probe/raw.h"


/* RFC 5246, section 6.2.1, and RFC 8446, appendix B */
#define DM_RAW_TYPE_ALERT       21
#define DM_RAW_TYPE_HANDSHAKE   22
#define DM_RAW_CLIENT_HELLO     1
#define DM_RAW_SERVER_HELLO     2
#define DM_RAW_WARNING          1
#define DM_RAW_CLOSE_NOTIFY     0

#define DM_RAW_SSL2_SERVER_HELLO  4

#define DM_RAW_EXT_SERVER_NAME  0
#define DM_RAW_EXT_GROUPS       10
#define DM_RAW_EXT_POINTS       11
#define DM_RAW_EXT_SIGALGS      13
#define DM_RAW_EXT_VERSIONS     43
#define DM_RAW_EXT_KEY_SHARE    51

#define DM_RAW_TLS1_2  0x0303
#define DM_RAW_TLS1_3  0x0304


/* octets that are being written, and how long each open block becomes */
typedef struct {
    unsigned char  *out;
    size_t          len;
    int             full;
} dm_raw_t;


static void dm_raw_put(dm_raw_t *raw, unsigned value, unsigned octets);
static void dm_raw_copy(dm_raw_t *raw, const void *data, size_t len);
static void dm_raw_random(dm_raw_t *raw, size_t len);
static size_t dm_raw_open(dm_raw_t *raw, unsigned octets);
static void dm_raw_close(dm_raw_t *raw, size_t start, unsigned octets);
static void dm_raw_extensions(dm_raw_t *raw, unsigned version,
    const char *host);
static void dm_raw_name(dm_raw_t *raw, const char *host);
static void dm_raw_list(dm_raw_t *raw, unsigned type, const uint16_t *values,
    unsigned octets);
static unsigned dm_raw_get(const unsigned char *p, unsigned octets);
static void dm_raw_read_ssl2(dm_raw_answer_t *answer,
    const unsigned char *data, size_t len);
static void dm_raw_read_hello(dm_raw_answer_t *answer,
    const unsigned char *p, size_t len);


/* IANA's registry; the last two are of TLS 1.3, RFC 9150 */
const uint16_t  dm_raw_null[] = {
    0x0001, 0x0002, 0x002c, 0x002d, 0x002e, 0x003b, 0x00b0, 0x00b1, 0x00b4,
    0x00b5, 0x00b8, 0x00b9, 0xc001, 0xc006, 0xc00b, 0xc010, 0xc039, 0xc03a,
    0xc03b, 0xc0b4, 0xc0b5, 0
};

/* with those of 56 bits, which were never registered */
const uint16_t  dm_raw_export[] = {
    0x0003, 0x0006, 0x0008, 0x000b, 0x000e, 0x0011, 0x0014, 0x0026, 0x0027,
    0x0028, 0x0029, 0x002a, 0x002b, 0x0060, 0x0061, 0x0062, 0x0063, 0x0064,
    0x0065, 0
};

const uint16_t  dm_raw_anonymous[] = {
    0x0017, 0x0018, 0x0019, 0x001a, 0x001b, 0x0034, 0x003a, 0x0046, 0x006c,
    0x006d, 0x0089, 0x009b, 0x00a6, 0x00a7, 0x00bf, 0x00c5, 0xc015, 0xc016,
    0xc017, 0xc018, 0xc019, 0
};

static const uint16_t  dm_raw_groups[] = {
    0x001d, 0x0017, 0x0018, 0x0019, 0x0100, 0
};

static const uint16_t  dm_raw_sigalgs[] = {
    0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
    0x0203, 0x0201, 0x0202, 0
};


size_t
dm_raw_hello(unsigned version, const uint16_t *suites, const char *host,
    unsigned char *out)
{
    size_t    record, message, block;
    dm_raw_t  raw;

    memset(&raw, 0, sizeof(dm_raw_t));
    raw.out = out;

    /* TLS 1.3 is named in an extension only */

    dm_raw_put(&raw, DM_RAW_TYPE_HANDSHAKE, 1);
    dm_raw_put(&raw, version == 0x0300 ? 0x0300 : 0x0301, 2);
    record = dm_raw_open(&raw, 2);

    dm_raw_put(&raw, DM_RAW_CLIENT_HELLO, 1);
    message = dm_raw_open(&raw, 3);

    dm_raw_put(&raw, version < DM_RAW_TLS1_2 ? version : DM_RAW_TLS1_2, 2);
    dm_raw_random(&raw, 32);
    dm_raw_put(&raw, 0, 1);

    block = dm_raw_open(&raw, 2);

    for ( /* void */ ; *suites != 0; suites++) {
        dm_raw_put(&raw, *suites, 2);
    }

    dm_raw_close(&raw, block, 2);

    dm_raw_put(&raw, 1, 1);
    dm_raw_put(&raw, 0, 1);

    if (version > 0x0300) {
        dm_raw_extensions(&raw, version, host);
    }

    dm_raw_close(&raw, message, 3);
    dm_raw_close(&raw, record, 2);

    return raw.full ? 0 : raw.len;
}


/* RFC 6101, appendix E, with the version of SSL 2.0 */
size_t
dm_raw_hello_ssl2(unsigned char *out)
{
    size_t    i, record;
    dm_raw_t  raw;

    static const unsigned  kinds[] = {
        0x010080, 0x020080, 0x030080, 0x040080, 0x050080, 0x060040, 0x0700c0
    };

    memset(&raw, 0, sizeof(dm_raw_t));
    raw.out = out;

    record = dm_raw_open(&raw, 2);

    dm_raw_put(&raw, DM_RAW_CLIENT_HELLO, 1);
    dm_raw_put(&raw, DM_RAW_SSL2, 2);
    dm_raw_put(&raw, sizeof(kinds) / sizeof(kinds[0]) * 3, 2);
    dm_raw_put(&raw, 0, 2);
    dm_raw_put(&raw, 16, 2);

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        dm_raw_put(&raw, kinds[i], 3);
    }

    dm_raw_random(&raw, 16);

    dm_raw_close(&raw, record, 2);

    out[0] |= 0x80;

    return raw.len;
}


static void
dm_raw_extensions(dm_raw_t *raw, unsigned version, const char *host)
{
    size_t  all, one;

    all = dm_raw_open(raw, 2);

    dm_raw_name(raw, host);
    dm_raw_list(raw, DM_RAW_EXT_GROUPS, dm_raw_groups, 2);

    dm_raw_put(raw, DM_RAW_EXT_POINTS, 2);
    dm_raw_put(raw, 2, 2);
    dm_raw_put(raw, 0x0100, 2);

    if (version >= DM_RAW_TLS1_2) {
        dm_raw_list(raw, DM_RAW_EXT_SIGALGS, dm_raw_sigalgs, 2);
    }

    if (version == DM_RAW_TLS1_3) {
        dm_raw_list(raw, DM_RAW_EXT_VERSIONS,
                    (const uint16_t[]) { DM_RAW_TLS1_3, 0 }, 1);

        dm_raw_put(raw, DM_RAW_EXT_KEY_SHARE, 2);
        one = dm_raw_open(raw, 2);
        dm_raw_put(raw, 0, 2);
        dm_raw_close(raw, one, 2);
    }

    dm_raw_close(raw, all, 2);
}


/* RFC 6066, section 3: no addresses */
static void
dm_raw_name(dm_raw_t *raw, const char *host)
{
    size_t       all, list, name;
    const char  *p;

    if (host == NULL || strchr(host, ':') != NULL) {
        return;
    }

    for (p = host; *p == '.' || isdigit((unsigned char) *p); p++) {
        /* void */
    }

    if (*p == '\0') {
        return;
    }

    dm_raw_put(raw, DM_RAW_EXT_SERVER_NAME, 2);
    all = dm_raw_open(raw, 2);
    list = dm_raw_open(raw, 2);
    dm_raw_put(raw, 0, 1);
    name = dm_raw_open(raw, 2);
    dm_raw_copy(raw, host, strlen(host));
    dm_raw_close(raw, name, 2);
    dm_raw_close(raw, list, 2);
    dm_raw_close(raw, all, 2);
}


static void
dm_raw_list(dm_raw_t *raw, unsigned type, const uint16_t *values,
    unsigned octets)
{
    size_t  all, list;

    dm_raw_put(raw, type, 2);
    all = dm_raw_open(raw, 2);
    list = dm_raw_open(raw, octets);

    for ( /* void */ ; *values != 0; values++) {
        dm_raw_put(raw, *values, 2);
    }

    dm_raw_close(raw, list, octets);
    dm_raw_close(raw, all, 2);
}


static void
dm_raw_put(dm_raw_t *raw, unsigned value, unsigned octets)
{
    unsigned char  buf[4];
    unsigned       i;

    for (i = octets; i > 0; i--) {
        buf[i - 1] = (unsigned char) (value & 0xff);
        value >>= 8;
    }

    dm_raw_copy(raw, buf, octets);
}


static void
dm_raw_copy(dm_raw_t *raw, const void *data, size_t len)
{
    if (raw->full || len > DM_RAW_HELLO_MAX - raw->len) {
        raw->full = 1;
        return;
    }

    memcpy(raw->out + raw->len, data, len);
    raw->len += len;
}


/*
 * Puts len octets, which need not be secret: nothing is ever sent under them.
 */
static void
dm_raw_random(dm_raw_t *raw, size_t len)
{
    unsigned char  buf[32];

    memset(buf, 0, sizeof(buf));
    (void) RAND_bytes(buf, (int) len);

    dm_raw_copy(raw, buf, len);
}


static size_t
dm_raw_open(dm_raw_t *raw, unsigned octets)
{
    dm_raw_put(raw, 0, octets);

    return raw->len;
}


static void
dm_raw_close(dm_raw_t *raw, size_t start, unsigned octets)
{
    size_t    len;
    unsigned  i;

    if (raw->full) {
        return;
    }

    len = raw->len - start;

    for (i = 1; i <= octets; i++) {
        raw->out[start - i] = (unsigned char) (len & 0xff);
        len >>= 8;
    }
}


void
dm_raw_read(dm_raw_answer_t *answer, const unsigned char *data, size_t len)
{
    size_t                n;
    const unsigned char  *p, *last;

    memset(answer, 0, sizeof(dm_raw_answer_t));

    last = data + len;

    for (p = data; last - p >= 5; p += 5 + n) {

        if (p == data && (p[0] & 0x80)) {
            dm_raw_read_ssl2(answer, data, len);
            return;
        }

        n = dm_raw_get(p + 3, 2);

        if (p[1] != 3
            || (p[0] != DM_RAW_TYPE_ALERT && p[0] != DM_RAW_TYPE_HANDSHAKE))
        {
            answer->kind = DM_RAW_OTHER;
            return;
        }

        if (p[0] == DM_RAW_TYPE_HANDSHAKE) {
            dm_raw_read_hello(answer, p + 5, (size_t) (last - p) - 5);
            return;
        }

        if (last - p < 7) {
            return;
        }

        answer->alert = p[6];

        /* a warning, of a name that is not known, comes before a ServerHello */

        if (n != 2 || p[5] != DM_RAW_WARNING || p[6] == DM_RAW_CLOSE_NOTIFY) {
            answer->kind = (n == 2) ? DM_RAW_ALERT : DM_RAW_OTHER;
            return;
        }
    }
}


/* a record of two octets' header, and in it: kind, hit, type, version */
static void
dm_raw_read_ssl2(dm_raw_answer_t *answer, const unsigned char *data,
    size_t len)
{
    if (len < 7) {
        return;
    }

    if (data[2] != DM_RAW_SSL2_SERVER_HELLO
        || dm_raw_get(data + 5, 2) != DM_RAW_SSL2)
    {
        answer->kind = DM_RAW_OTHER;
        return;
    }

    answer->kind = DM_RAW_HELLO;
    answer->version = DM_RAW_SSL2;
}


/*
 * kind (1) length (3) version (2) random (32) session id (1 and that many)
 * suite (2); TLS 1.3 says TLS 1.2
 */
static void
dm_raw_read_hello(dm_raw_answer_t *answer, const unsigned char *p, size_t len)
{
    size_t  id;

    if (len == 0) {
        return;
    }

    if (p[0] != DM_RAW_SERVER_HELLO) {
        answer->kind = DM_RAW_OTHER;
        return;
    }

    if (len < 39) {
        return;
    }

    id = p[38];

    if (id > 32) {
        answer->kind = DM_RAW_OTHER;
        return;
    }

    if (len < 39 + id + 2) {
        return;
    }

    answer->kind = DM_RAW_HELLO;
    answer->version = dm_raw_get(p + 4, 2);
    answer->suite = dm_raw_get(p + 39 + id, 2);
}


static unsigned
dm_raw_get(const unsigned char *p, unsigned octets)
{
    unsigned  i, value;

    value = 0;

    for (i = 0; i < octets; i++) {
        value = value << 8 | p[i];
    }

    return value;
}
