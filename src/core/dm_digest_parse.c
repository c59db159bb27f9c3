/* Digest credentials of an Authorization header, RFC 7616, section 3.4 */

#include <string.h>

#include <openssl/crypto.h>

#include "dm_digest_parse.h"
#include "dm_hex.h"
#include "dm_scheme.h"


typedef enum {
    DM_P_USERNAME = 0,
    DM_P_USERNAME_STAR,
    DM_P_REALM,
    DM_P_NONCE,
    DM_P_URI,
    DM_P_RESPONSE,
    DM_P_QOP,
    DM_P_NC,
    DM_P_CNONCE,
    DM_P_ALGORITHM,
    DM_P_USERHASH,
    DM_P_OPAQUE,
    DM_P_MAX
} dm_digest_param_e;


/* the parameters as they were found, and the one that is being read */
typedef struct {
    dm_str_t        value[DM_P_MAX];
    unsigned        seen[DM_P_MAX];

    dm_str_t        name;
    unsigned char  *text;               /* its value, up to out */
    unsigned char  *out;                /* where the next octet goes */
    enum {
        sw_start = 0,
        sw_name,
        sw_before_equals,
        sw_before_value,
        sw_token,
        sw_quoted,
        sw_escaped,
        sw_after_value
    } state;
} dm_digest_params_t;


#define dm_digest_param(name)                                                 \
    { (const unsigned char *) (name), sizeof(name) - 1 }

static const dm_str_t  dm_digest_params[DM_P_MAX] = {
    dm_digest_param("username"),
    dm_digest_param("username*"),
    dm_digest_param("realm"),
    dm_digest_param("nonce"),
    dm_digest_param("uri"),
    dm_digest_param("response"),
    dm_digest_param("qop"),
    dm_digest_param("nc"),
    dm_digest_param("cnonce"),
    dm_digest_param("algorithm"),
    dm_digest_param("userhash"),
    dm_digest_param("opaque")
};


static int dm_digest_split(dm_digest_params_t *params, dm_str_t value,
    dm_err_t *err);
static const unsigned char *dm_digest_quoted(dm_digest_params_t *params,
    const unsigned char *p, const unsigned char *last);
static int dm_digest_step(dm_digest_params_t *params, const unsigned char *p,
    unsigned char c, dm_err_t *err);
static int dm_digest_step_value(dm_digest_params_t *params, unsigned char c,
    dm_err_t *err);
static int dm_digest_store(dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_required(const dm_digest_params_t *params,
    dm_err_t *err);
static int dm_digest_read_protection(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_read_nc(dm_digest_answer_t *answer, dm_str_t value,
    dm_err_t *err);
static int dm_digest_read_name(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err);
static int dm_digest_read_userhash(dm_digest_answer_t *answer, dm_str_t value,
    dm_err_t *err);
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

    rc = dm_scheme_match(value, dm_str("Digest"), err);
    if (rc != DM_OK) {
        return rc;
    }

    memset(answer, 0, sizeof(dm_digest_answer_t));
    memset(&params, 0, sizeof(dm_digest_params_t));

    params.out = buf;

    rc = dm_digest_split(&params, value, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_required(&params, err);
    if (rc != DM_OK) {
        return rc;
    }

    answer->realm = params.value[DM_P_REALM];
    answer->nonce = params.value[DM_P_NONCE];
    answer->uri = params.value[DM_P_URI];
    answer->cnonce = params.value[DM_P_CNONCE];

    rc = dm_digest_limit(answer->nonce, DM_DIGEST_NONCE_MAX, "nonce", err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_limit(answer->cnonce, DM_DIGEST_NONCE_MAX, "cnonce", err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_read_protection(answer, &params, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_read_nc(answer, params.value[DM_P_NC], err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_digest_read_hash(params.value[DM_P_RESPONSE], answer->alg,
                             "response", answer->response, err);
    if (rc != DM_OK) {
        return rc;
    }

    return dm_digest_read_name(answer, &params, err);
}


/* #auth-param: empty elements are allowed, RFC 7230, section 7 */
static int
dm_digest_split(dm_digest_params_t *params, dm_str_t value, dm_err_t *err)
{
    int                   rc;
    const unsigned char  *p, *last;

    rc = DM_OK;
    last = value.data + value.len;

    for (p = value.data + sizeof("Digest") - 1; p < last; p++) {

        if (params->state == sw_quoted) {
            p = dm_digest_quoted(params, p, last);

            if (p == last) {
                break;
            }
        }

        rc = dm_digest_step(params, p, *p, err);
        if (rc != DM_OK) {
            break;
        }
    }

    /* the end of the header ends a parameter as a comma does */

    if (rc == DM_OK) {
        rc = (params->state == sw_quoted || params->state == sw_escaped)
             ? DM_DECLINED : dm_digest_step(params, p, ',', err);
    }

    if (rc == DM_DECLINED) {
        dm_err_set(err, "the Digest credentials are malformed at octet %zu of "
                   "the header", (size_t) (p - value.data) + 1);
        return DM_INVALID;
    }

    return rc;
}


/* most of a header is this; where it ends is a step again */
static const unsigned char *
dm_digest_quoted(dm_digest_params_t *params, const unsigned char *p,
    const unsigned char *last)
{
    unsigned char  *out;

    out = params->out;

    while (p < last && *p >= 0x20 && *p != '"' && *p != '\\' && *p != 0x7f) {
        *out++ = *p++;
    }

    params->out = out;

    return p;
}


/* DM_OK, DM_DECLINED c cannot stand at p, DM_INVALID the parameter is wrong */
static int
dm_digest_step(dm_digest_params_t *params, const unsigned char *p,
    unsigned char c, dm_err_t *err)
{
    switch (params->state) {

    case sw_start:
        if (c == ' ' || c == '\t' || c == ',') {
            return DM_OK;
        }

        params->name.data = p;
        params->state = sw_name;

        /* fall through */

    case sw_name:
        if (dm_is_token(c)) {
            return DM_OK;
        }

        params->name.len = (size_t) (p - params->name.data);
        params->state = sw_before_equals;

        if (params->name.len == 0) {
            return DM_DECLINED;
        }

        /* fall through */

    case sw_before_equals:
        if (c == '=') {
            params->state = sw_before_value;
            return DM_OK;
        }

        return c == ' ' || c == '\t' ? DM_OK : DM_DECLINED;

    default:
        return dm_digest_step_value(params, c, err);
    }
}


/* takes a character of a parameter behind its "=" */
static int
dm_digest_step_value(dm_digest_params_t *params, unsigned char c,
    dm_err_t *err)
{
    switch (params->state) {

    case sw_before_value:
        if (c == ' ' || c == '\t') {
            return DM_OK;
        }

        params->text = params->out;

        if (c == '"') {
            params->state = sw_quoted;
            return DM_OK;
        }

        params->state = sw_token;

        /* fall through */

    case sw_token:
        if (dm_is_token(c)) {
            *params->out++ = c;
            return DM_OK;
        }

        if (params->out == params->text) {
            return DM_DECLINED;
        }

        params->state = sw_after_value;

        if (dm_digest_store(params, err) != DM_OK) {
            return DM_INVALID;
        }

        break;

    case sw_quoted:
        if (c == '"') {
            params->state = sw_after_value;
            return dm_digest_store(params, err);
        }

        if (c == '\\') {
            params->state = sw_escaped;
            return DM_OK;
        }

        /* fall through */

    case sw_escaped:
        params->state = sw_quoted;
        *params->out++ = c;

        return c < 0x20 || c == 0x7f ? DM_DECLINED : DM_OK;

    default:
        break;
    }

    if (c == ',') {
        params->state = sw_start;
        return DM_OK;
    }

    return c == ' ' || c == '\t' ? DM_OK : DM_DECLINED;
}


static int
dm_digest_store(dm_digest_params_t *params, dm_err_t *err)
{
    unsigned  i;

    for (i = 0; i < DM_P_MAX; i++) {

        /* most are told apart by their length, without a call */

        if (params->name.len != dm_digest_params[i].len
            || !dm_str_ieq(params->name, dm_digest_params[i]))
        {
            continue;
        }

        if (params->seen[i]) {
            dm_err_set(err, "the Digest credentials have \"%s\" twice",
                       (const char *) dm_digest_params[i].data);
            return DM_INVALID;
        }

        params->seen[i] = 1;
        params->value[i].data = params->text;
        params->value[i].len = (size_t) (params->out - params->text);
        break;
    }

    return DM_OK;
}


static int
dm_digest_required(const dm_digest_params_t *params, dm_err_t *err)
{
    unsigned  i;

    static const dm_digest_param_e  required[] = {
        DM_P_REALM, DM_P_NONCE, DM_P_URI, DM_P_RESPONSE, DM_P_QOP, DM_P_NC,
        DM_P_CNONCE
    };

    for (i = 0; i < sizeof(required) / sizeof(required[0]); i++) {

        if (!params->seen[required[i]]) {
            dm_err_set(err, "the Digest credentials have no \"%s\"%s",
                       (const char *) dm_digest_params[required[i]].data,
                       required[i] == DM_P_QOP ? ": a client that is older "
                       "than RFC 2617 cannot be protected from replay" : "");
            return DM_INVALID;
        }
    }

    if (params->seen[DM_P_USERNAME] + params->seen[DM_P_USERNAME_STAR] != 1) {
        dm_err_set(err, "the Digest credentials need either \"username\" or "
                   "\"username*\"");
        return DM_INVALID;
    }

    return DM_OK;
}


/* algorithm, MD5 where there is none (RFC 7616, section 3.4), and qop */
static int
dm_digest_read_protection(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err)
{
    dm_str_t  value;

    value = params->value[DM_P_ALGORITHM];

    if (!params->seen[DM_P_ALGORITHM]) {
        answer->alg = DM_MD5;

    } else if (dm_digest_by_sess_name(value, &answer->alg, &answer->sess)
               != DM_OK)
    {
        dm_err_set(err, "the Digest credentials have an algorithm that is "
                   "not known");
        return DM_INVALID;
    }

    answer->qop = params->value[DM_P_QOP];
    answer->auth_int = (unsigned) dm_str_ieq(answer->qop, dm_str("auth-int"));

    if (!answer->auth_int && !dm_str_ieq(answer->qop, dm_str("auth"))) {
        dm_err_set(err, "the Digest credentials have a qop that is neither "
                   "auth nor auth-int");
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_digest_read_nc(dm_digest_answer_t *answer, dm_str_t value, dm_err_t *err)
{
    size_t         i, len;
    unsigned char  nc[4];

    answer->nc_text = value;
    answer->nc = 0;

    if (dm_hex_read(value, nc, sizeof(nc), &len) == DM_OK
        && len == sizeof(nc))
    {
        for (i = 0; i < sizeof(nc); i++) {
            answer->nc = answer->nc << 8 | nc[i];
        }
    }

    if (answer->nc == 0) {
        dm_err_set(err, "the nc of the Digest credentials is not 8 "
                   "hexadecimal digits from 00000001 on");
        return DM_INVALID;
    }

    return DM_OK;
}


/* RFC 7616, section 3.4.4: username* never holds a userhash */
static int
dm_digest_read_name(dm_digest_answer_t *answer,
    const dm_digest_params_t *params, dm_err_t *err)
{
    int  rc;

    if (params->seen[DM_P_USERHASH]) {
        rc = dm_digest_read_userhash(answer, params->value[DM_P_USERHASH],
                                     err);
        if (rc != DM_OK) {
            return rc;
        }
    }

    if (params->seen[DM_P_USERNAME_STAR]) {

        if (answer->userhash) {
            dm_err_set(err, "the Digest credentials have userhash=true beside "
                       "\"username*\"");
            return DM_INVALID;
        }

        rc = dm_digest_read_ext(params->value[DM_P_USERNAME_STAR],
                                &answer->name, err);
        if (rc != DM_OK) {
            return rc;
        }

    } else {
        answer->name = params->value[DM_P_USERNAME];
    }

    rc = dm_digest_limit(answer->name, DM_DIGEST_NAME_MAX, "user name", err);

    if (rc != DM_OK || !answer->userhash) {
        return rc;
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


static int
dm_digest_read_userhash(dm_digest_answer_t *answer, dm_str_t value,
    dm_err_t *err)
{
    answer->userhash = (unsigned) dm_str_ieq(value, dm_str("true"));

    if (!answer->userhash && !dm_str_ieq(value, dm_str("false"))) {
        dm_err_set(err, "the Digest credentials have a userhash that is "
                   "neither true nor false");
        return DM_INVALID;
    }

    return DM_OK;
}


/*
 * ext-value of RFC 5987, section 3.2: UTF-8'language'octets, with %XX.  It is
 * decoded where it stands, in the caller's buffer.
 */
static int
dm_digest_read_ext(dm_str_t value, dm_str_t *name, dm_err_t *err)
{
    int                   octet;
    unsigned char        *out;
    dm_str_t              charset;
    const unsigned char  *p, *last;

    last = value.data + value.len;

    p = memchr(value.data, '\'', value.len);

    if (p == NULL) {
        goto invalid;
    }

    charset.data = value.data;
    charset.len = (size_t) (p - value.data);

    p = memchr(p + 1, '\'', (size_t) (last - p - 1));

    if (p == NULL || !dm_str_ieq(charset, dm_str("UTF-8"))) {
        goto invalid;
    }

    name->data = ++p;
    out = (unsigned char *) p;

    for ( /* void */ ; p < last; p++) {

        if (*p != '%') {
            *out++ = *p;
            continue;
        }

        octet = (last - p > 2) ? dm_hex_octet(p + 1) : -1;

        if (octet < 0x20 || octet == 0x7f) {
            goto invalid;
        }

        *out++ = (unsigned char) octet;
        p += 2;
    }

    name->len = (size_t) (out - name->data);

    return DM_OK;

invalid:

    dm_err_set(err, "the \"username*\" of the Digest credentials is not "
               "UTF-8''NAME with its octets as %%XX");

    return DM_INVALID;
}


static int
dm_digest_limit(dm_str_t value, size_t max, const char *what, dm_err_t *err)
{
    if (value.len == 0 || value.len > max) {
        dm_err_set(err, "the %s of the Digest credentials has %zu octets: it "
                   "must have 1 to %zu", what, value.len, max);
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
        return DM_INVALID;
    }

    return DM_OK;
}
