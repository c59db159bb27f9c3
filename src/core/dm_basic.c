/* Basic credentials of an Authorization header, RFC 7617 */

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "dm_basic.h"
#include "dm_scheme.h"


static int dm_basic_read(dm_basic_t *basic, dm_str_t value, dm_err_t *err);
static int dm_basic_token(dm_str_t value, dm_str_t *token, dm_err_t *err);
static int dm_basic_canonical(dm_str_t token, size_t pad, dm_err_t *err);
static int dm_basic_split(dm_basic_t *basic, size_t len, dm_err_t *err);
static int dm_basic_is_base64(unsigned char c);


int
dm_basic_parse(dm_basic_t *basic, dm_str_t value, dm_err_t *err)
{
    int  rc;

    rc = dm_basic_read(basic, value, err);

    if (rc != DM_OK) {
        OPENSSL_cleanse(basic, sizeof(dm_basic_t));
    }

    return rc;
}


static int
dm_basic_read(dm_basic_t *basic, dm_str_t value, dm_err_t *err)
{
    int       n, rc;
    size_t    pad;
    dm_str_t  token;

    rc = dm_scheme_match(value, dm_str("Basic"), err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_basic_token(value, &token, err);
    if (rc != DM_OK) {
        return rc;
    }

    for (pad = 0; token.data[token.len - 1 - pad] == '='; pad++) {
        /* void */
    }

    rc = dm_basic_canonical(token, pad, err);
    if (rc != DM_OK) {
        return rc;
    }

    /* the result counts an octet for each '=' */

    n = EVP_DecodeBlock(basic->buf, token.data, (int) token.len);
    if (n < 0) {
        dm_err_set(err, "OpenSSL cannot decode Base64 that is valid");
        return DM_ERROR;
    }

    return dm_basic_split(basic, (size_t) n - pad, err);
}


/* the token68 that follows the scheme: Base64, then at most two '=' */

static int
dm_basic_token(dm_str_t value, dm_str_t *token, dm_err_t *err)
{
    const unsigned char  *p, *last;
    enum {
        sw_spaces = 0,
        sw_token,
        sw_pad,
        sw_end
    } state;

    state = sw_spaces;
    last = value.data + value.len;

    for (p = value.data + sizeof("Basic") - 1; p < last; p++) {

        switch (state) {

        case sw_spaces:
            if (*p == ' ') {
                break;
            }

            if (!dm_basic_is_base64(*p)) {
                goto invalid;
            }

            token->data = p;
            state = sw_token;
            break;

        case sw_token:
            if (*p == '=') {
                state = sw_pad;
                break;
            }

            if (!dm_basic_is_base64(*p)) {
                goto invalid;
            }

            break;

        case sw_pad:
            if (*p != '=') {
                goto invalid;
            }

            state = sw_end;
            break;

        case sw_end:
            goto invalid;
        }
    }

    if (state == sw_spaces) {
        dm_err_set(err, "no credentials follow \"Basic\"");
        return DM_INVALID;
    }

    token->len = (size_t) (last - token->data);

    return DM_OK;

invalid:

    dm_err_set(err, "the Basic credentials are not Base64 at octet %zu of the "
               "header", (size_t) (p - value.data) + 1);
    return DM_INVALID;
}


/*
 * A value has one spelling, RFC 4648, section 3.5: the bits that its last
 * character has to spare are zero.  DM_OK or DM_INVALID.
 */

static int
dm_basic_canonical(dm_str_t token, size_t pad, dm_err_t *err)
{
    unsigned char      c;
    static const char  four[] = "AQgw";
    static const char  two[] = "AEIMQUYcgkosw048";

    if (token.len > DM_BASIC_MAX) {
        dm_err_set(err, "Basic credentials of %zu octets are longer than %d",
                   token.len, DM_BASIC_MAX);
        return DM_INVALID;
    }

    if (token.len % 4 != 0) {
        dm_err_set(err, "the Base64 of the Basic credentials is not padded "
                   "to a multiple of 4 octets");
        return DM_INVALID;
    }

    c = token.data[token.len - 1 - pad];

    if ((pad == 1 && memchr(two, c, sizeof(two) - 1) == NULL)
        || (pad == 2 && memchr(four, c, sizeof(four) - 1) == NULL))
    {
        dm_err_set(err, "the Base64 of the Basic credentials is not "
                   "canonical: bits under the padding are set");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_basic_split(dm_basic_t *basic, size_t len, dm_err_t *err)
{
    const unsigned char  *p, *last, *colon;

    last = basic->buf + len;

    for (p = basic->buf; p < last; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            dm_err_set(err, "the Basic credentials hold a control character");
            return DM_INVALID;
        }
    }

    /* the password may hold more colons, the name none */

    colon = memchr(basic->buf, ':', len);

    if (colon == NULL) {
        dm_err_set(err, "the Basic credentials have no colon between name "
                   "and password");
        return DM_INVALID;
    }

    if (colon == basic->buf) {
        dm_err_set(err, "the Basic credentials have an empty name");
        return DM_INVALID;
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
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '+' || c == '/';
}
