/* Digest credentials of an Authorization header, RFC 7616, section 3.4 */

#include <string.h>

#include <openssl/crypto.h>

#include "dm_digest_params.h"
#include "dm_digest_parse.h"
#include "dm_hex.h"
#include "dm_scheme.h"


static int dm_digest_ambiguous(dm_digest_answer_t *answer,
    dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_required(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_read(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_read_protection(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_read_nc(dm_digest_answer_t *answer, dm_str_t value,
    dm_err_t *err);
static int dm_digest_read_name(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_read_ext(dm_str_t value, dm_str_t *name, dm_err_t *err);
static int dm_digest_limit(dm_str_t value, size_t max, const char *what,
    dm_err_t *err);
static int dm_digest_read_hash(dm_str_t value, dm_algorithm_t alg,
    const char *what, unsigned char *out, dm_err_t *err);


int
dm_digest_parse(dm_digest_answer_t *answer, dm_str_t value,
    unsigned char *buf, dm_err_t *err)
{
    int                 rc;
    dm_digest_params_t  params;

    memset(answer, 0, sizeof(dm_digest_answer_t));

    answer->malformed = DM_MALFORMED_SCHEME;

    rc = dm_scheme_match(value, dm_str("Digest"), err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_params_read(&params, value, buf, err);

    answer->malformed = params.twice ? DM_MALFORMED_TWICE
                                     : DM_MALFORMED_SYNTAX;
    answer->name = params.value[DM_P_USERNAME];

    if (rc != DM_OK) {
        return rc;
    }

    answer->realm = params.value[DM_P_REALM];
    answer->nonce = params.value[DM_P_NONCE];
    answer->uri = params.value[DM_P_URI];
    answer->cnonce = params.value[DM_P_CNONCE];

    rc = dm_digest_ambiguous(answer, &params, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_required(answer, &params, err);
    if (rc != DM_OK) {
        return rc;
    }

    return dm_digest_read(answer, &params, err);
}


/*
 * Refuses what another reader could take for something else, before anything
 * that is only of no use: DM_OK, DM_INVALID, or DM_USELESS.
 */
static int
dm_digest_ambiguous(dm_digest_answer_t *answer, dm_digest_params_t *params,
    dm_err_t *err)
{
    int       rc;
    unsigned  star;

    star = params->seen[DM_P_USERNAME_STAR];
    answer->malformed = DM_MALFORMED_TWO_NAMES;

    if (star && params->seen[DM_P_USERNAME]) {
        dm_err_set(err, "the Digest credentials have both \"username\" and "
                   "\"username*\"");
        return DM_INVALID;
    }

    /* RFC 7616, section 3.4.4: username* never holds a userhash */

    if (star
        && dm_str_ieq(params->value[DM_P_USERHASH], dm_str("true")))
    {
        dm_err_set(err, "the Digest credentials have userhash=true beside "
                   "\"username*\"");
        return DM_INVALID;
    }

    rc = star ? dm_digest_read_ext(params->value[DM_P_USERNAME_STAR],
                                   &answer->name, err)
              : DM_OK;

    answer->malformed = (rc == DM_OK) ? DM_MALFORMED_TOO_LONG
                                      : DM_MALFORMED_USERNAME;

    if (rc == DM_INVALID
        || dm_digest_limit(answer->name, DM_DIGEST_NAME_MAX, "user name", err)
           != DM_OK
        || dm_digest_limit(answer->nonce, DM_DIGEST_NONCE_MAX, "nonce", err)
           != DM_OK
        || dm_digest_limit(answer->cnonce, DM_DIGEST_NONCE_MAX, "cnonce", err)
           != DM_OK)
    {
        return DM_INVALID;
    }

    if (params->useless) {
        answer->malformed = DM_MALFORMED_NO_VALUE;
        dm_err_set(err, "the Digest credentials cannot be used at octet %zu "
                   "of the header: a parameter has no value",
                   params->useless);
        return DM_USELESS;
    }

    return rc;
}


static int
dm_digest_required(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err)
{
    unsigned  i;

    static const dm_digest_param_e  required[] = {
        DM_P_REALM, DM_P_NONCE, DM_P_URI, DM_P_RESPONSE, DM_P_QOP, DM_P_NC,
        DM_P_CNONCE
    };

    /* 3GPP TS 24.109: a client that has no challenge says who it is */

    if (params->seen[DM_P_NONCE] && params->value[DM_P_NONCE].len == 0
        && params->seen[DM_P_RESPONSE]
        && params->value[DM_P_RESPONSE].len == 0)
    {
        answer->malformed = DM_MALFORMED_FIRST_REQUEST;
        dm_err_set(err, "the nonce of the Digest credentials is empty, and so "
                   "is the response: this is a first request");
        return DM_USELESS;
    }

    answer->malformed = DM_MALFORMED_MISSING;

    for (i = 0; i < sizeof(required) / sizeof(required[0]); i++) {

        if (!params->seen[required[i]]) {

            if (required[i] == DM_P_QOP) {
                answer->malformed = DM_MALFORMED_NO_QOP;
            }

            dm_err_set(err, "the Digest credentials have no \"%s\"%s",
                       (const char *) dm_digest_params[required[i]].data,
                       required[i] == DM_P_QOP ? ": a client that is older "
                       "than RFC 2617 cannot be protected from replay" : "");
            return DM_USELESS;
        }
    }

    if (!params->seen[DM_P_USERNAME] && !params->seen[DM_P_USERNAME_STAR]) {
        dm_err_set(err, "the Digest credentials need either \"username\" or "
                   "\"username*\"");
        return DM_USELESS;
    }

    return DM_OK;
}


/* reads what is there once: DM_OK or DM_USELESS */
static int
dm_digest_read(dm_digest_answer_t *answer, const dm_digest_params_t *params,
    dm_err_t *err)
{
    int  rc;

    if (answer->nonce.len == 0 || answer->name.len == 0) {
        answer->malformed = answer->nonce.len ? DM_MALFORMED_EMPTY_NAME
                                              : DM_MALFORMED_EMPTY_NONCE;
        dm_err_set(err, "the %s of the Digest credentials is empty",
                   answer->nonce.len ? "user name" : "nonce");
        return DM_USELESS;
    }

    rc = dm_digest_read_protection(answer, params, err);
    if (rc != DM_OK) {
        return rc;
    }

    answer->malformed = DM_MALFORMED_NC;

    rc = dm_digest_read_nc(answer, params->value[DM_P_NC], err);
    if (rc != DM_OK) {
        return rc;
    }

    answer->malformed = DM_MALFORMED_RESPONSE;

    rc = dm_digest_read_hash(params->value[DM_P_RESPONSE], answer->alg,
                             "response", answer->response, err);
    if (rc != DM_OK) {
        return rc;
    }

    answer->malformed = DM_MALFORMED_USERHASH;

    return dm_digest_read_name(answer, params, err);
}


/* algorithm, MD5 where there is none (RFC 7616, section 3.4), and qop */
static int
dm_digest_read_protection(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err)
{
    dm_str_t  value;

    value = params->value[DM_P_ALGORITHM];
    answer->malformed = DM_MALFORMED_ALGORITHM;

    if (!params->seen[DM_P_ALGORITHM]) {
        answer->alg = DM_MD5;

    } else if (dm_digest_by_sess_name(value, &answer->alg, &answer->sess)
               != DM_OK)
    {
        dm_err_set(err, "the Digest credentials have an algorithm that is "
                   "not known");
        return DM_USELESS;
    }

    answer->malformed = DM_MALFORMED_QOP;
    answer->qop = params->value[DM_P_QOP];
    answer->auth_int = (unsigned) dm_str_ieq(answer->qop, dm_str("auth-int"));

    if (!answer->auth_int && !dm_str_ieq(answer->qop, dm_str("auth"))) {
        dm_err_set(err, "the Digest credentials have a qop that is neither "
                   "auth nor auth-int");
        return DM_USELESS;
    }

    return DM_OK;
}


/* a count is a number: how many zeros lead it does not matter */
static int
dm_digest_read_nc(dm_digest_answer_t *answer, dm_str_t value, dm_err_t *err)
{
    int     digit;
    size_t  i;

    answer->nc_text = value;
    answer->nc = 0;

    digit = -1;

    for (i = 0; i < value.len && i < 2 * sizeof(answer->nc); i++) {
        digit = OPENSSL_hexchar2int(value.data[i]);

        if (digit < 0) {
            break;
        }

        answer->nc = answer->nc << 4 | (uint32_t) digit;
    }

    if (digit < 0 || i < value.len) {
        dm_err_set(err, "the nc of the Digest credentials is not 1 to 8 "
                   "hexadecimal digits");
        return DM_USELESS;
    }

    return DM_OK;
}


/* makes the octets of a name that is a hash */
static int
dm_digest_read_name(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err)
{
    int       rc;
    dm_str_t  value;

    if (!params->seen[DM_P_USERHASH]) {
        return DM_OK;
    }

    value = params->value[DM_P_USERHASH];
    answer->userhash = (unsigned) dm_str_ieq(value, dm_str("true"));

    if (!answer->userhash) {

        if (dm_str_ieq(value, dm_str("false"))) {
            return DM_OK;
        }

        dm_err_set(err, "the Digest credentials have a userhash that is "
                   "neither true nor false");
        return DM_USELESS;
    }

    rc = dm_digest_read_hash(answer->name, answer->alg, "user name",
                             answer->hash, err);
    if (rc != DM_OK) {
        return rc;
    }

    /*
     * Give the hash its one form, or failures would be counted for each form
     * apart.
     */

    (void) dm_digest_hex(answer->alg, answer->hash,
                         (unsigned char *) answer->name.data);

    return DM_OK;
}


/*
 * ext-value of RFC 5987, section 3.2: UTF-8'language'octets, with %XX.  It is
 * decoded where it stands, in the caller's buffer.  DM_OK; DM_USELESS: it is
 * none; DM_INVALID: it has a control character.
 */
static int
dm_digest_read_ext(dm_str_t value, dm_str_t *name, dm_err_t *err)
{
    int                   octet, rc;
    unsigned char        *out;
    dm_str_t              charset;
    const unsigned char  *p, *last, *language;

    rc = DM_OK;
    last = value.data + value.len;

    p = memchr(value.data, '\'', value.len);
    language = p ? memchr(p + 1, '\'', (size_t) (last - p - 1)) : NULL;

    charset.data = value.data;
    charset.len = p ? (size_t) (p - value.data) : 0;

    if (language == NULL || !dm_str_ieq(charset, dm_str("UTF-8"))) {
        rc = DM_USELESS;
    }

    p = language ? language + 1 : value.data;

    name->data = p;
    out = (unsigned char *) p;

    for ( /* void */ ; p < last; p++) {

        octet = *p;

        if (octet == '%') {
            octet = (last - p > 2) ? dm_hex_octet(p + 1) : -1;
        }

        if (octet < 0) {
            rc = DM_USELESS;
            continue;
        }

        if (octet < 0x20 || octet == 0x7f) {
            dm_err_set(err, "the \"username*\" of the Digest credentials has "
                       "a control character");
            return DM_INVALID;
        }

        p += (*p == '%') ? 2 : 0;
        *out++ = (unsigned char) octet;
    }

    name->len = (size_t) (out - name->data);

    if (rc != DM_OK) {
        dm_err_set(err, "the \"username*\" of the Digest credentials is not "
                   "UTF-8''NAME with its octets as %%XX");
    }

    return rc;
}


static int
dm_digest_limit(dm_str_t value, size_t max, const char *what, dm_err_t *err)
{
    if (value.len > max) {
        dm_err_set(err, "the %s of the Digest credentials has %zu octets: it "
                   "must have no more than %zu", what, value.len, max);
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_digest_read_hash(dm_str_t value, dm_algorithm_t alg, const char *what,
    unsigned char *out, dm_err_t *err)
{
    size_t  n, len;

    n = dm_digest_size(alg);

    if (dm_hex_read(value, out, n, &len) != DM_OK || len != n) {
        dm_err_set(err, "the %s of the Digest credentials is not %zu "
                   "hexadecimal digits, as %s makes them", what, 2 * n,
                   dm_digest_name(alg));
        return DM_USELESS;
    }

    return DM_OK;
}
