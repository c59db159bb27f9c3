/* Basic credentials of an Authorization header, RFC 7617 */

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "dm_basic.h"
#include "dm_scheme.h"


static int dm_basic_read(dm_basic_t *basic, dm_str_t value, dm_err_t *err);
static int dm_basic_token(dm_basic_t *basic, dm_str_t value, dm_str_t *token,
    dm_err_t *err);
static int dm_basic_may_follow(const unsigned char *token,
    const unsigned char *p, const unsigned char *last);
static int dm_basic_is_padding(const unsigned char *p,
    const unsigned char *last);
static int dm_basic_canonical(dm_str_t token, size_t pad, dm_err_t *err);
static int dm_basic_decode(dm_str_t token, unsigned char *buf, size_t *len);
static int dm_basic_split(dm_basic_t *basic, size_t len, dm_err_t *err);
static int dm_basic_is_base64(unsigned char c);


/* "+", "/", digits and letters, a bit each, as those of dm_scheme.h */
static const uint32_t  dm_basic_base64[8] = {
    0x00000000, 0x03ff8800, 0x07fffffe, 0x07fffffe, 0, 0, 0, 0
};


int
dm_basic_parse(dm_basic_t *basic, dm_str_t value, dm_err_t *err)
{
    int             rc;
    dm_malformed_t  malformed;

    rc = dm_basic_read(basic, value, err);

    if (rc != DM_OK) {
        malformed = basic->malformed;
        OPENSSL_cleanse(basic, sizeof(dm_basic_t));
        basic->malformed = malformed;
    }

    return rc;
}


static int
dm_basic_read(dm_basic_t *basic, dm_str_t value, dm_err_t *err)
{
    int       rc;
    size_t    pad, len;
    dm_str_t  token;

    basic->malformed = DM_MALFORMED_SCHEME;

    rc = dm_scheme_match(value, dm_str("Basic"), err);
    if (rc != DM_OK) {
        return rc;
    }

    basic->malformed = DM_MALFORMED_BASE64;

    rc = dm_basic_token(basic, value, &token, err);
    if (rc != DM_OK) {
        return rc;
    }

    for (pad = 0; token.data[token.len - 1 - pad] == '='; pad++) {
        /* void */
    }

    token.len -= pad;

    rc = dm_basic_canonical(token, pad, err);
    if (rc != DM_OK) {
        return rc;
    }

    if (dm_basic_decode(token, basic->buf, &len) != DM_OK) {
        dm_err_set(err, "OpenSSL cannot decode Base64 that is valid");
        return DM_ERROR;
    }

    return dm_basic_split(basic, len, err);
}


/*
 * Finds the token68 that follows the scheme: Base64, then at most two '='.
 * What could be more than one token goes before what is none.
 */
static int
dm_basic_token(dm_basic_t *basic, dm_str_t value, dm_str_t *token,
    dm_err_t *err)
{
    int                   rc;
    const unsigned char  *p, *last;

    last = value.data + value.len;

    p = value.data + sizeof("Basic") - 1;

    while (p < last && *p == ' ') {
        p++;
    }

    token->data = p;
    token->len = (size_t) (last - p);

    if (p == last) {
        basic->malformed = DM_MALFORMED_NO_VALUE;
        dm_err_set(err, "no credentials follow \"Basic\"");
        return DM_USELESS;
    }

    if (token->len > DM_BASIC_MAX) {
        basic->malformed = DM_MALFORMED_TOO_LONG;
        dm_err_set(err, "Basic credentials of %zu octets are longer than %d",
                   token->len, DM_BASIC_MAX);
        return DM_INVALID;
    }

    for (p = token->data; p < last && dm_basic_is_base64(*p); p++) {
        /* void */
    }

    /* the usual case; else the first octet that is wrong is looked for */

    if (p > token->data && dm_basic_is_padding(p, last)) {
        return DM_OK;
    }

    rc = DM_INVALID;

    for (p = token->data; p < last; p++) {
        if (*p <= ' ' || *p == ',' || *p == 0x7f) {
            goto wrong;
        }
    }

    rc = DM_USELESS;

    for (p = token->data; p < last; p++) {
        if (!dm_basic_may_follow(token->data, p, last)) {
            goto wrong;
        }
    }

    return DM_OK;

wrong:

    dm_err_set(err, "the Basic credentials are not Base64 at octet %zu of the "
               "header", (size_t) (p - value.data) + 1);
    return rc;
}


/* 1 if the octet at p is Base64, or padding at the end of some */
static int
dm_basic_may_follow(const unsigned char *token, const unsigned char *p,
    const unsigned char *last)
{
    if (dm_basic_is_base64(*p)) {
        return p == token || p[-1] != '=';
    }

    return p > token && dm_basic_is_padding(p, last);
}


/* 1 if the rest, from p on, is nothing or one or two '=' */
static int
dm_basic_is_padding(const unsigned char *p, const unsigned char *last)
{
    return p == last
           || (*p == '=' && last - p <= 2 && last[-1] == '=');
}


/*
 * A value has one spelling, RFC 4648, section 3.5, but that its padding may be
 * left out: the bits that its last character has to spare are zero.  The token
 * is without its padding, which has pad octets.  DM_OK or DM_USELESS.
 */
static int
dm_basic_canonical(dm_str_t token, size_t pad, dm_err_t *err)
{
    size_t             left;
    unsigned char      c;
    static const char  four[] = "AQgw";
    static const char  two[] = "AEIMQUYcgkosw048";

    left = token.len % 4;

    if (left == 1 || (pad && left + pad != 4)) {
        dm_err_set(err, "the Base64 of the Basic credentials is cut, or is "
                   "not padded to a multiple of 4 octets");
        return DM_USELESS;
    }

    c = token.data[token.len - 1];

    if ((left == 3 && memchr(two, c, sizeof(two) - 1) == NULL)
        || (left == 2 && memchr(four, c, sizeof(four) - 1) == NULL))
    {
        dm_err_set(err, "the Base64 of the Basic credentials is not "
                   "canonical: bits behind its last octet are set");
        return DM_USELESS;
    }

    return DM_OK;
}


/* decodes what is canonical, without its padding; DM_OK or DM_ERROR */
static int
dm_basic_decode(dm_str_t token, unsigned char *buf, size_t *len)
{
    int            n;
    size_t         left;
    unsigned char  last[4], octets[3];

    left = token.len % 4;

    n = EVP_DecodeBlock(buf, token.data, (int) (token.len - left));

    if (n < 0 || left == 0) {
        *len = (size_t) n;
        return n < 0 ? DM_ERROR : DM_OK;
    }

    *len = (size_t) n + left - 1;

    memset(last, '=', sizeof(last));
    memcpy(last, token.data + token.len - left, left);

    n = EVP_DecodeBlock(octets, last, sizeof(last));

    if (n > 0) {
        memcpy(buf + *len - (left - 1), octets, left - 1);
    }

    OPENSSL_cleanse(last, sizeof(last));
    OPENSSL_cleanse(octets, sizeof(octets));

    return n > 0 ? DM_OK : DM_ERROR;
}


static int
dm_basic_split(dm_basic_t *basic, size_t len, dm_err_t *err)
{
    const unsigned char  *p, *last, *colon;

    last = basic->buf + len;

    for (p = basic->buf; p < last; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            basic->malformed = DM_MALFORMED_SYNTAX;
            dm_err_set(err, "the Basic credentials hold a control character");
            return DM_INVALID;
        }
    }

    /* the password may hold more colons, the name none */

    colon = memchr(basic->buf, ':', len);

    if (colon == NULL) {
        basic->malformed = DM_MALFORMED_NO_COLON;
        dm_err_set(err, "the Basic credentials have no colon between name "
                   "and password");
        return DM_USELESS;
    }

    if (colon == basic->buf) {
        basic->malformed = DM_MALFORMED_EMPTY_NAME;
        dm_err_set(err, "the Basic credentials have an empty name");
        return DM_USELESS;
    }

    basic->name.data = basic->buf;
    basic->name.len = (size_t) (colon - basic->buf);
    basic->password.data = colon + 1;
    basic->password.len = (size_t) (last - basic->password.data);

    return DM_OK;
}


static int
dm_basic_is_base64(unsigned char c)
{
    return dm_basic_base64[c / 32] >> c % 32 & 1;
}
