/* Files and values that a person hands to dm-account or to dm-probe */

#define _GNU_SOURCE     /* strptime() */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "dm_cert.h"
#include "common/input.h"
#include "common/json.h"


#define DM_INPUT_CERT_MAX  65536    /* a leaf with its chain */
#define DM_INPUT_LONG      6        /* digits, of more than a version */


static int dm_input_read_fd(int fd, unsigned char *buf, size_t size,
    size_t *len);
static X509 *dm_input_parse_cert(const unsigned char *buf, size_t len);
static EVP_PKEY *dm_input_parse_key(const unsigned char *buf, size_t len);
static int dm_input_is_shortened(dm_str_t text);
static int dm_input_is_decimal(dm_str_t text);
static size_t dm_input_span(dm_str_t text, size_t i);
static const char *dm_input_digits(const char *p, uint64_t max, uint64_t *n);


int
dm_input_read(const char *path, unsigned char *buf, size_t size, size_t *len,
    dm_err_t *err)
{
    int  fd, rc;

    fd = STDIN_FILENO;

    if (strcmp(path, "-") != 0) {
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    }

    if (fd == -1) {
        dm_err_set(err, "cannot open \"%s\": %s", path, strerror(errno));
        return DM_INVALID;
    }

    rc = dm_input_read_fd(fd, buf, size, len);

    if (rc == DM_ERROR) {
        dm_err_set(err, "cannot read \"%s\": %s", path, strerror(errno));
    }

    if (rc == DM_INVALID) {
        dm_err_set(err, "\"%s\" is too long: %zu octets or more", path, size);
    }

    if (fd != STDIN_FILENO) {
        (void) close(fd);
    }

    return rc == DM_OK ? DM_OK : DM_INVALID;
}


static int
dm_input_read_fd(int fd, unsigned char *buf, size_t size, size_t *len)
{
    ssize_t  n;

    *len = 0;

    while (*len < size) {
        n = read(fd, buf + *len, size - *len);

        if (n == 0) {
            return DM_OK;
        }

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            return DM_ERROR;
        }

        *len += (size_t) n;
    }

    return DM_INVALID;
}


int
dm_input_not_utf16(const char *path, const unsigned char *text, size_t len,
    dm_err_t *err)
{
    /* without its mark each of its letters has a NUL */

    if ((len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0
                      || memcmp(text, "\xfe\xff", 2) == 0))
        || (len >= 4 && (memcmp(text, "\0\0\xfe\xff", 4) == 0
                         || (text[0] == '\0' && text[2] == '\0')
                         || (text[1] == '\0' && text[3] == '\0'))))
    {
        dm_err_set(err, "UTF-16 is not read: save \"%s\" as UTF-8", path);
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_input_blank_ends(dm_str_t text)
{
    size_t                n;
    const unsigned char  *p, *last;

    if (text.len == 0) {
        return 0;
    }

    last = text.data + text.len;

    /* to where the last character begins */

    for (p = last - 1; p > text.data && (*p & 0xc0) == 0x80; p--) {
        /* void */
    }

    return *text.data == ' ' || *text.data == '\t'
           || last[-1] == ' ' || last[-1] == '\t'
           || dm_text_next(text.data, last, &n) == DM_TEXT_MISLEADING
           || dm_text_next(p, last, &n) == DM_TEXT_MISLEADING;
}


const char *
dm_input_unseen(dm_str_t text, dm_err_t *hint)
{
    if (dm_text_check_shown(text, "; what is asked for", hint) == DM_OK) {
        hint->text[0] = '\0';
    }

    return hint->text;
}


int
dm_input_not_mangled(dm_str_t text, const char *what, dm_err_t *err)
{
    size_t       i;
    const char  *how;

    how = NULL;

    if (text.len > 2 && text.data[0] == '=' && text.data[1] == '"') {
        how = "is a formula of a spreadsheet, =\"...\": write the text in it "
              "alone";
    }

    /* the number may be behind a scheme */

    for (i = text.len; i > 0 && text.data[i - 1] != ':'; i--) {
        /* void */
    }

    text.data += i;
    text.len -= i;

    if (how == NULL && dm_input_is_shortened(text)) {
        how = "is a number that a spreadsheet has shortened, and its digits "
              "are lost: have the column as text there";
    }

    if (how == NULL && dm_input_is_decimal(text)) {
        how = "is a number that a spreadsheet, or a program that read one, has "
              "given decimals: have the column as text there, or write it "
              "without them";
    }

    if (how == NULL) {
        return DM_OK;
    }

    dm_err_set(err, "%s %s", what, how);

    return DM_INVALID;
}


/*
 * 4.93005E+14, and 4.93005E14; without a point that may be hexadecimal, or a
 * name, so there it needs the sign.
 */
static int
dm_input_is_shortened(dm_str_t text)
{
    int     sure;
    size_t  i, end;

    i = dm_input_span(text, 0);
    sure = 0;

    if (i == 0) {
        return 0;
    }

    if (i < text.len && (text.data[i] == '.' || text.data[i] == ',')) {
        end = dm_input_span(text, i + 1);
        sure = (end > i + 1);
        i = end;
    }

    if (i == text.len || (text.data[i] | 0x20) != 'e') {
        return 0;
    }

    i++;

    if (i < text.len && text.data[i] == '+') {
        sure = 1;
        i++;
    }

    return sure && i < text.len && dm_input_span(text, i) == text.len;
}


/* digits, more than a version number has, a point and zeros */
static int
dm_input_is_decimal(dm_str_t text)
{
    size_t  i;

    i = dm_input_span(text, 0);

    if (i < DM_INPUT_LONG || i + 1 >= text.len
        || (text.data[i] != '.' && text.data[i] != ','))
    {
        return 0;
    }

    for (i++; i < text.len; i++) {
        if (text.data[i] != '0') {
            return 0;
        }
    }

    return 1;
}


/* the end of the digits that begin at i */
static size_t
dm_input_span(dm_str_t text, size_t i)
{
    while (i < text.len && text.data[i] >= '0' && text.data[i] <= '9') {
        i++;
    }

    return i;
}


int
dm_input_cert(const char *path, unsigned char *out, size_t *len,
    unsigned *names, dm_err_t *err)
{
    int    rc;
    X509  *cert;

    cert = dm_input_x509(path, err);

    if (cert == NULL) {
        return DM_INVALID;
    }

    rc = dm_cert_key(cert, DM_CERT_FINGERPRINT, 0, out, len);
    *names = dm_cert_names_count(cert);
    X509_free(cert);

    if (rc != DM_OK) {
        dm_err_set(err, "cannot make the fingerprint of \"%s\": "
                   "the library failed", path);
        return DM_ERROR;
    }

    return DM_OK;
}


int
dm_input_cert_key(const char *value, unsigned char *out, size_t *len,
    dm_err_t *err)
{
    dm_str_t  in;

    in.data = (const unsigned char *) value;
    in.len = strlen(value);

    if (in.len > DM_CERT_KEY_MAX) {
        dm_err_set(err, "a certificate key is longer than %d octets: bind "
                   "the certificate by its fingerprint", DM_CERT_KEY_MAX);
        return DM_INVALID;
    }

    return dm_cert_key_canonical(in, out, len, err);
}


X509 *
dm_input_x509(const char *path, dm_err_t *err)
{
    X509           *cert;
    size_t          n, skip;
    unsigned char   buf[DM_INPUT_CERT_MAX];

    if (dm_input_read(path, buf, sizeof(buf), &n, err) != DM_OK
        || dm_input_not_utf16(path, buf, n, err) != DM_OK)
    {
        OPENSSL_cleanse(buf, sizeof(buf));
        return NULL;
    }

    skip = dm_text_mark(buf, n);
    cert = dm_input_parse_cert(buf + skip, n - skip);

    /* the file may hold the private key too */
    OPENSSL_cleanse(buf, n);

    if (cert == NULL) {
        dm_err_set(err, "\"%s\" holds no certificate in PEM or DER form",
                   path);
    }

    return cert;
}


EVP_PKEY *
dm_input_private_key(const char *path, dm_err_t *err)
{
    size_t          n, skip;
    EVP_PKEY       *key;
    unsigned char   buf[DM_INPUT_CERT_MAX];

    if (dm_input_read(path, buf, sizeof(buf), &n, err) != DM_OK
        || dm_input_not_utf16(path, buf, n, err) != DM_OK)
    {
        OPENSSL_cleanse(buf, sizeof(buf));
        return NULL;
    }

    skip = dm_text_mark(buf, n);
    key = dm_input_parse_key(buf + skip, n - skip);

    OPENSSL_cleanse(buf, n);

    if (key == NULL) {
        dm_err_set(err, "\"%s\" holds no private key in PEM or DER form, or "
                   "one that is encrypted", path);
    }

    return key;
}


static X509 *
dm_input_parse_cert(const unsigned char *buf, size_t len)
{
    BIO                  *bio;
    X509                 *cert;
    const unsigned char  *p;

    bio = BIO_new_mem_buf(buf, (int) len);

    if (bio == NULL) {
        return NULL;
    }

    /* "" is a pass phrase, without which OpenSSL could ask for one */
    cert = PEM_read_bio_X509(bio, NULL, NULL, (void *) "");
    BIO_free(bio);

    if (cert != NULL) {
        return cert;
    }

    p = buf;
    cert = d2i_X509(NULL, &p, (long) len);

    ERR_clear_error();

    return cert;
}


static EVP_PKEY *
dm_input_parse_key(const unsigned char *buf, size_t len)
{
    BIO                  *bio;
    EVP_PKEY             *key;
    const unsigned char  *p;

    bio = BIO_new_mem_buf(buf, (int) len);

    if (bio == NULL) {
        return NULL;
    }

    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");
    BIO_free(bio);

    if (key == NULL) {
        p = buf;
        key = d2i_AutoPrivateKey(NULL, &p, (long) len);
    }

    ERR_clear_error();

    return key;
}


int
dm_input_time(const char *text, int64_t *t, dm_err_t *err)
{
    char         again[DM_TIME_MAX];
    struct tm    tm;
    const char  *p;

    *t = 0;

    if (*text == '\0') {
        return DM_OK;
    }

    memset(&tm, 0, sizeof(struct tm));

    p = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    if (p != NULL && *p == '\0') {
        *t = (int64_t) timegm(&tm);
        dm_json_time(*t, again);

        /* strptime() also takes February 30 and missing zeros */
        if (*t > 0 && strcmp(text, again) == 0) {
            return DM_OK;
        }
    }

    dm_err_set(err, "\"%s\" is not a time after 1970 in UTC: write it as "
               "2027-01-31T00:00:00Z", text);

    return DM_INVALID;
}


int
dm_input_size(const char *text, uint64_t *size, dm_err_t *err)
{
    char         unit;
    unsigned     shift;
    const char  *p, *u;

    static const char  units[] = "kmgt";

    p = dm_input_digits(text, UINT64_MAX, size);

    if (p == NULL) {
        goto invalid;
    }

    if (*p == '\0') {
        return DM_OK;
    }

    unit = (char) (*p | 0x20);
    u = strchr(units, unit);

    if (u == NULL || p[1] != '\0') {
        goto invalid;
    }

    shift = 10 * (unsigned) (u - units + 1);

    if (*size > UINT64_MAX >> shift) {
        goto invalid;
    }

    *size <<= shift;

    return DM_OK;

invalid:

    dm_err_set(err, "\"%s\" is not a size: write octets, or 512m, 16g", text);

    return DM_INVALID;
}


int
dm_input_number(const char *text, uint64_t max, uint64_t *n, dm_err_t *err)
{
    const char  *p;

    p = dm_input_digits(text, max, n);

    if (p == NULL || *p != '\0') {
        dm_err_set(err, "\"%s\" is not a number from 0 to %llu", text,
                   (unsigned long long) max);
        return DM_INVALID;
    }

    return DM_OK;
}


/*
 * Reads digits; the place behind them, or NULL: there are none, or more than
 * max.
 */
static const char *
dm_input_digits(const char *p, uint64_t max, uint64_t *n)
{
    uint64_t     digit;
    const char  *start;

    *n = 0;

    for (start = p; *p >= '0' && *p <= '9'; p++) {
        digit = (uint64_t) (*p - '0');

        if (digit > max || *n > (max - digit) / 10) {
            return NULL;
        }

        *n = *n * 10 + digit;
    }

    return p == start ? NULL : p;
}
