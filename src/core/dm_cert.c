/* The keys under which a certificate finds its account */

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "dm_cert.h"
#include "dm_cert_logged.h"
#include "dm_hex.h"


typedef struct {
    unsigned char  *data;
    size_t          len;
    size_t          max;
    unsigned        full;       /* 1: something did not fit and is missing */
} dm_cert_out_t;


typedef struct {
    const char  *prefix;
    int        (*write)(dm_cert_out_t *out, dm_str_t value, dm_err_t *err);
} dm_cert_form_t;


static int dm_cert_fingerprint(X509 *cert, dm_cert_out_t *out);
static int dm_cert_issuer_serial(X509 *cert, dm_cert_out_t *out);
static int dm_cert_san(X509 *cert, unsigned n, dm_cert_out_t *out);
static int dm_cert_names_read(dm_cert_names_t *names, int *tag,
    dm_str_t *text);
static int dm_cert_element(dm_str_t *text, const unsigned char *last,
    int *tag, int *class);
static int dm_cert_san_put(int tag, dm_str_t text, dm_cert_out_t *out);
static int dm_cert_dn(const X509_NAME *name, dm_cert_out_t *out);
static int dm_cert_dn_print(const X509_NAME *name, BIO *bio,
    dm_cert_out_t *out);
static int dm_cert_dn_check(const X509_NAME *name);
static int dm_cert_value_check(const ASN1_STRING *value);
static int dm_cert_blame(int rc);

static int dm_cert_write_fingerprint(dm_cert_out_t *out, dm_str_t value,
    dm_err_t *err);
static int dm_cert_write_issuer_serial(dm_cert_out_t *out, dm_str_t value,
    dm_err_t *err);
static int dm_cert_write_uri(dm_cert_out_t *out, dm_str_t value,
    dm_err_t *err);
static int dm_cert_write_dns(dm_cert_out_t *out, dm_str_t value,
    dm_err_t *err);
static int dm_cert_write_dn(dm_cert_out_t *out, dm_str_t value, dm_err_t *err);
static int dm_cert_write_hex(dm_cert_out_t *out, dm_str_t value);

static void dm_cert_out_init(dm_cert_out_t *out, unsigned char *data,
    size_t max);
static int dm_cert_out_done(const dm_cert_out_t *out, int rc, size_t *len);
static void dm_cert_put(dm_cert_out_t *out, const void *data, size_t len);
static void dm_cert_put_text(dm_cert_out_t *out, const char *text);
static void dm_cert_put_lower(dm_cert_out_t *out, dm_str_t text);
static void dm_cert_put_nibbles(dm_cert_out_t *out, const unsigned char *data,
    size_t first, size_t last);
static unsigned dm_cert_nibble(const unsigned char *data, size_t i);


static const dm_cert_form_t  dm_cert_forms[] = {
    { "sha256:",        dm_cert_write_fingerprint },
    { "issuer-serial:", dm_cert_write_issuer_serial },
    { "san:URI:",       dm_cert_write_uri },
    { "san:DNS:",       dm_cert_write_dns },
    { "subject:",       dm_cert_write_dn },
    { NULL, NULL }
};


int
dm_cert_key(X509 *cert, dm_cert_kind_t kind, unsigned n, unsigned char *out,
    size_t *len)
{
    int            rc;
    dm_cert_out_t  key;

    if (n > 0 && kind != DM_CERT_SAN) {
        return DM_DECLINED;
    }

    dm_cert_out_init(&key, out, DM_CERT_KEY_MAX);

    ERR_clear_error();

    switch (kind) {

    case DM_CERT_FINGERPRINT:
        rc = dm_cert_fingerprint(cert, &key);
        break;

    case DM_CERT_ISSUER_SERIAL:
        rc = dm_cert_issuer_serial(cert, &key);
        break;

    case DM_CERT_SAN:
        rc = dm_cert_san(cert, n, &key);
        break;

    default: /* DM_CERT_SUBJECT */
        dm_cert_put_text(&key, "subject:");
        rc = dm_cert_dn(X509_get_subject_name(cert), &key);
        break;
    }

    /* nginx would report what is left in the queue as an alert */

    ERR_clear_error();

    return dm_cert_out_done(&key, rc, len);
}


int
dm_cert_subject(X509 *cert, unsigned char *out, size_t max, size_t *len)
{
    int            rc;
    dm_cert_out_t  dn;

    dm_cert_out_init(&dn, out, max);

    ERR_clear_error();

    rc = dm_cert_dn(X509_get_subject_name(cert), &dn);

    ERR_clear_error();

    return dm_cert_out_done(&dn, rc, len);
}


static int
dm_cert_fingerprint(X509 *cert, dm_cert_out_t *out)
{
    unsigned        n;
    unsigned char   hash[EVP_MAX_MD_SIZE];
    static EVP_MD  *sha256;

    /* fetched once: that costs more than the hash itself */

    if (sha256 == NULL) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (sha256 == NULL) {
            return DM_ERROR;
        }
    }

    if (X509_digest(cert, sha256, hash, &n) != 1) {
        return DM_ERROR;
    }

    dm_cert_put_text(out, "sha256:");
    dm_cert_put_nibbles(out, hash, 0, 2 * (size_t) n);

    return DM_OK;
}


static int
dm_cert_issuer_serial(X509 *cert, dm_cert_out_t *out)
{
    int                   rc;
    size_t                i, n;
    const ASN1_INTEGER   *serial;
    const unsigned char  *data;

    dm_cert_put_text(out, "issuer-serial:");

    rc = dm_cert_dn(X509_get_issuer_name(cert), out);
    if (rc != DM_OK) {
        return rc;
    }

    dm_cert_put_text(out, "#");

    serial = X509_get0_serialNumber(cert);

    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER) {
        return DM_INVALID;      /* negative */
    }

    data = ASN1_STRING_get0_data(serial);
    n = 2 * (size_t) ASN1_STRING_length(serial);

    for (i = 0; i < n && dm_cert_nibble(data, i) == 0; i++) {
        /* void */
    }

    if (i == n) {
        dm_cert_put_text(out, "0");
    }

    dm_cert_put_nibbles(out, data, i, n);

    return DM_OK;
}


/* the n-th of the names */
static int
dm_cert_san(X509 *cert, unsigned n, dm_cert_out_t *out)
{
    int              tag;
    dm_str_t         text;
    dm_cert_names_t  names;

    dm_cert_names(cert, &names);

    while (dm_cert_names_read(&names, &tag, &text)) {

        if (names.n > DM_CERT_NAMES_MAX) {
            break;
        }

        if (names.n > n) {
            return dm_cert_san_put(tag, text, out);
        }
    }

    return DM_DECLINED;
}


void
dm_cert_names(X509 *cert, dm_cert_names_t *names)
{
    int                       i, tag, class;
    dm_str_t                  text;
    const unsigned char      *p, *last;
    const ASN1_OCTET_STRING  *value;

    names->p = NULL;
    names->last = NULL;
    names->n = 0;

    i = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);

    if (i < 0 || X509_get_ext_by_NID(cert, NID_subject_alt_name, i) >= 0) {
        return;
    }

    value = X509_EXTENSION_get_data(X509_get_ext(cert, i));
    text.data = ASN1_STRING_get0_data(value);
    last = text.data + ASN1_STRING_length(value);

    if (dm_cert_element(&text, last, &tag, &class) != V_ASN1_CONSTRUCTED
        || tag != V_ASN1_SEQUENCE
        || class != V_ASN1_UNIVERSAL
        || text.data + text.len != last)
    {
        return;
    }

    names->p = text.data;
    names->last = last;

    /* if one is torn, those in front of it are worth nothing either */

    for (p = names->p; p < names->last; p = text.data + text.len) {
        text.data = p;

        if (dm_cert_element(&text, names->last, &tag, &class) == -1
            || class != V_ASN1_CONTEXT_SPECIFIC)
        {
            names->last = names->p;
            return;
        }
    }
}


int
dm_cert_names_next(dm_cert_names_t *names, unsigned char *out, size_t *len)
{
    int            rc, tag;
    dm_str_t       text;
    dm_cert_out_t  key;

    dm_cert_out_init(&key, out, DM_CERT_KEY_MAX);

    rc = DM_DECLINED;

    if (names->n < DM_CERT_NAMES_MAX
        && dm_cert_names_read(names, &tag, &text))
    {
        rc = dm_cert_san_put(tag, text, &key);
    }

    return dm_cert_out_done(&key, rc, len);
}


unsigned
dm_cert_names_count(X509 *cert)
{
    int              tag;
    dm_str_t         text;
    dm_cert_names_t  names;

    dm_cert_names(cert, &names);

    while (dm_cert_names_read(&names, &tag, &text)) {
        /* void */
    }

    return names.n;
}


/* the next URI or DNS name: 1, or 0 at the end; names were found sound */
static int
dm_cert_names_read(dm_cert_names_t *names, int *tag, dm_str_t *text)
{
    int  class, form;

    while (names->p < names->last) {
        text->data = names->p;
        form = dm_cert_element(text, names->last, tag, &class);
        names->p = text->data + text->len;

        if (form == 0 && (*tag == GEN_URI || *tag == GEN_DNS)) {
            names->n++;
            return 1;
        }
    }

    return 0;
}


/*
 * Reads the head of an element of DER at text->data, and leaves what it holds
 * in text.  Returns 0, or V_ASN1_CONSTRUCTED, or -1: it is none, or goes
 * beyond last.
 */
static int
dm_cert_element(dm_str_t *text, const unsigned char *last, int *tag,
    int *class)
{
    int   rc;
    long  len;

    rc = ASN1_get_object(&text->data, &len, tag, class,
                         (long) (last - text->data));

    /* 0x80: an error, 1: of a length that is not said, which is no DER */

    if (rc & 0x81) {
        ERR_clear_error();
        return -1;
    }

    text->len = (size_t) len;

    return rc & V_ASN1_CONSTRUCTED;
}


static int
dm_cert_san_put(int tag, dm_str_t text, dm_cert_out_t *out)
{
    size_t  i;

    if (text.len == 0) {
        return DM_INVALID;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return DM_INVALID;
        }
    }

    if (tag == GEN_DNS) {
        dm_cert_put_text(out, "san:DNS:");
        dm_cert_put_lower(out, text);

    } else {
        dm_cert_put_text(out, "san:URI:");
        dm_cert_put(out, text.data, text.len);
    }

    /* DM_DECLINED would hide the names that follow */

    return out->full ? DM_INVALID : DM_OK;
}


static int
dm_cert_dn(const X509_NAME *name, dm_cert_out_t *out)
{
    int   rc;
    BIO  *bio;

    if (X509_NAME_entry_count(name) == 0) {
        return DM_DECLINED;
    }

    rc = dm_cert_dn_check(name);
    if (rc != DM_OK) {
        return rc;
    }

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return DM_ERROR;
    }

    rc = dm_cert_dn_print(name, bio, out);

    BIO_free(bio);

    return rc;
}


static int
dm_cert_dn_print(const X509_NAME *name, BIO *bio, dm_cert_out_t *out)
{
    long   len;
    char  *data;

    if (X509_NAME_print_ex(bio, name, 0,
                           XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB)
        < 0)
    {
        return DM_ERROR;
    }

    len = BIO_get_mem_data(bio, &data);

    dm_cert_put(out, data, (size_t) len);

    return DM_OK;
}


static int
dm_cert_dn_check(const X509_NAME *name)
{
    int                     i, rc;
    const X509_NAME_ENTRY  *entry;

    for (i = 0; i < X509_NAME_entry_count(name); i++) {
        entry = X509_NAME_get_entry(name, i);

        rc = dm_cert_value_check(X509_NAME_ENTRY_get_data(entry));
        if (rc != DM_OK) {
            return rc;
        }
    }

    return DM_OK;
}


/*
 * Printing would escape a control character ("\00"), which is unambiguous,
 * but others see the name cut off there: it must not match anything.
 */

static int
dm_cert_value_check(const ASN1_STRING *value)
{
    int             n, rc;
    dm_str_t        text;
    unsigned char  *utf8;

    switch (ASN1_STRING_type(value)) {

    case V_ASN1_BIT_STRING:
    case V_ASN1_SEQUENCE:
        return DM_OK;       /* no text: printed as "#" and its DER in hex */

    default:
        break;
    }

    n = ASN1_STRING_to_UTF8(&utf8, value);
    if (n < 0) {
        return dm_cert_blame(DM_INVALID);
    }

    text.data = utf8;
    text.len = (size_t) n;

    rc = (n > 0) ? dm_text_check(text, text.len, "", NULL) : DM_OK;

    OPENSSL_free(utf8);

    return rc;
}


/*
 * rc where the certificate is at fault.  OpenSSL wraps errors, the first one
 * is the cause; without memory there may be none at all.
 */

static int
dm_cert_blame(int rc)
{
    int  reason;

    reason = ERR_GET_REASON(ERR_peek_error());

    return (reason == 0 || reason == ERR_R_MALLOC_FAILURE) ? DM_ERROR : rc;
}


int
dm_cert_key_canonical(dm_str_t in, unsigned char *out, size_t *len,
    dm_err_t *err)
{
    int                    rc;
    dm_str_t               head, prefix;
    dm_cert_out_t          key;
    const dm_cert_form_t  *form;

    rc = dm_text_check(in, in.len, "a certificate key", err);
    if (rc != DM_OK) {
        return rc;
    }

    if (dm_cert_logged_escape(in)) {
        dm_err_set(err, "\"\\xHH\" is how a log writes an octet, and stands in "
                   "no certificate key: write the octet itself, or bind the "
                   "certificate by its file or its fingerprint");
        return DM_INVALID;
    }

    dm_cert_out_init(&key, out, in.len);

    for (form = dm_cert_forms; form->prefix != NULL; form++) {
        prefix.data = (const unsigned char *) form->prefix;
        prefix.len = strlen(form->prefix);

        head.data = in.data;
        head.len = prefix.len;

        if (in.len < head.len || !dm_str_ieq(head, prefix)) {
            continue;
        }

        in.data += head.len;
        in.len -= head.len;

        dm_cert_put_text(&key, form->prefix);

        rc = form->write(&key, in, err);

        /* the octets that were written as \XX must be text, too */

        if (rc == DM_OK) {
            rc = dm_text_check((dm_str_t) { out, key.len }, key.len,
                               "a certificate key", err);
        }

        return dm_cert_out_done(&key, rc, len);
    }

    dm_err_set(err, "unknown kind of certificate key: write sha256:HEX, "
               "issuer-serial:DN#HEX, san:URI:..., san:DNS:... or subject:DN");

    return DM_INVALID;
}


static int
dm_cert_write_fingerprint(dm_cert_out_t *out, dm_str_t value, dm_err_t *err)
{
    int     rc;
    size_t  before;

    before = out->len;

    rc = dm_cert_write_hex(out, value);

    if (rc != DM_OK || out->len - before != 64) {
        dm_err_set(err, "a sha256 certificate key has 64 hex digits, with or "
                   "without colons between them");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_cert_write_issuer_serial(dm_cert_out_t *out, dm_str_t value, dm_err_t *err)
{
    int                   rc;
    size_t                before;
    dm_str_t              issuer, serial;
    const unsigned char  *last;

    last = value.data + value.len;

    /* a DN may hold a '#', a serial cannot: the last one parts them */

    for (serial.data = last; serial.data > value.data; serial.data--) {
        if (serial.data[-1] == '#') {
            break;
        }
    }

    if (serial.data == value.data) {
        dm_err_set(err, "an issuer-serial certificate key is DN#HEX, the '#' "
                   "is missing");
        return DM_INVALID;
    }

    issuer.data = value.data;
    issuer.len = (size_t) (serial.data - value.data) - 1;

    rc = dm_cert_write_dn(out, issuer, err);
    if (rc != DM_OK) {
        return rc;
    }

    dm_cert_put_text(out, "#");

    while (last - serial.data > 1
           && (*serial.data == '0' || *serial.data == ':'))
    {
        serial.data++;
    }

    serial.len = (size_t) (last - serial.data);
    before = out->len;

    rc = dm_cert_write_hex(out, serial);

    if (rc != DM_OK || out->len == before) {
        dm_err_set(err, "the serial number of an issuer-serial certificate "
                   "key is not hex: write it as \"openssl x509 -serial\" "
                   "prints it");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_cert_write_uri(dm_cert_out_t *out, dm_str_t value, dm_err_t *err)
{
    if (value.len == 0) {
        dm_err_set(err, "no URI follows \"san:URI:\"");
        return DM_INVALID;
    }

    dm_cert_put(out, value.data, value.len);

    return DM_OK;
}


static int
dm_cert_write_dns(dm_cert_out_t *out, dm_str_t value, dm_err_t *err)
{
    if (value.len == 0) {
        dm_err_set(err, "no name follows \"san:DNS:\"");
        return DM_INVALID;
    }

    dm_cert_put_lower(out, value);

    return DM_OK;
}


/*
 * RFC 2253, and nothing that RFC 2253 allows but OpenSSL never prints: keys
 * are compared octet by octet.  UTF-8 may be escaped, as nginx logs it.
 */

static int
dm_cert_write_dn(dm_cert_out_t *out, dm_str_t value, dm_err_t *err)
{
    int                   octet;
    unsigned char         c;
    const unsigned char  *p, *last;
    enum {
        sw_type = 0,
        sw_value,
        sw_escape
    } state;

    state = sw_type;
    last = value.data + value.len;

    for (p = value.data; p < last; p++) {
        c = *p;

        switch (state) {

        case sw_type:
            if (c == '=') {
                state = sw_value;
                break;
            }

            if (c == ' ' || c == '/' || c == ',') {
                goto invalid;
            }

            break;

        case sw_value:
            if (c == '\\') {
                state = sw_escape;
                break;
            }

            if (c == '"' || c == ';' || c == '<' || c == '>') {
                goto invalid;
            }

            if (c == ',' || c == '+') {
                state = sw_type;
            }

            break;

        case sw_escape:
            state = sw_value;

            octet = (last - p > 1) ? dm_hex_octet(p) : -1;

            if (octet >= 0x80) {
                out->len--;
            }

            /* OpenSSL escapes these by a backslash alone */

            if (octet >= 0x80
                || (octet > 0 && strchr("\"+,;<>\\", octet) != NULL))
            {
                c = (unsigned char) octet;
                p++;
            }

            break;
        }

        dm_cert_put(out, &c, 1);
    }

    if (state != sw_value) {
        goto invalid;
    }

    return DM_OK;

invalid:

    dm_err_set(err, "the DN is not as in RFC 2253 at octet %zu: write it as "
               "\"openssl x509 -subject -nameopt RFC2253\" prints it",
               (size_t) (p - value.data) + 1);
    return DM_INVALID;
}


static int
dm_cert_write_hex(dm_cert_out_t *out, dm_str_t value)
{
    int            value_of;
    size_t         i;
    unsigned char  digit;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] == ':') {
            continue;
        }

        value_of = OPENSSL_hexchar2int(value.data[i]);
        if (value_of < 0) {
            return DM_INVALID;
        }

        digit = dm_hex_digit((unsigned) value_of);
        dm_cert_put(out, &digit, 1);
    }

    return DM_OK;
}


static void
dm_cert_out_init(dm_cert_out_t *out, unsigned char *data, size_t max)
{
    out->data = data;
    out->len = 0;
    out->max = max;
    out->full = 0;
}


static int
dm_cert_out_done(const dm_cert_out_t *out, int rc, size_t *len)
{
    if (rc == DM_OK && out->full) {
        rc = DM_DECLINED;
    }

    *len = (rc == DM_OK) ? out->len : 0;

    return rc;
}


static void
dm_cert_put(dm_cert_out_t *out, const void *data, size_t len)
{
    if (len > out->max - out->len) {
        out->full = 1;
        return;
    }

    memcpy(out->data + out->len, data, len);
    out->len += len;
}


static void
dm_cert_put_text(dm_cert_out_t *out, const char *text)
{
    dm_cert_put(out, text, strlen(text));
}


/* ASCII only, whatever the locale is */

static void
dm_cert_put_lower(dm_cert_out_t *out, dm_str_t text)
{
    size_t         i;
    unsigned char  c;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        dm_cert_put(out, &c, 1);
    }
}


/* hex digits first to last - 1, counted from the most significant */

static void
dm_cert_put_nibbles(dm_cert_out_t *out, const unsigned char *data,
    size_t first, size_t last)
{
    size_t         i;
    unsigned char  digit;

    for (i = first; i < last; i++) {
        digit = dm_hex_digit(dm_cert_nibble(data, i));
        dm_cert_put(out, &digit, 1);
    }
}


static unsigned
dm_cert_nibble(const unsigned char *data, size_t i)
{
    return (i % 2 == 0) ? data[i / 2] >> 4 : data[i / 2] & 0xf;
}
