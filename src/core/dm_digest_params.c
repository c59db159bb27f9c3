/* The parameters of Digest credentials, RFC 7616, section 3.4, told apart */

#include <endian.h>
#include <string.h>

#include "dm_digest_params.h"
#include "dm_scheme.h"


#define dm_digest_param(name)                                                 \
    { (const unsigned char *) (name), sizeof(name) - 1 }

/* 1 if c stands for itself between quotes */
#define dm_digest_is_plain(c)                                                 \
    ((c) >= 0x20 && (c) != '"' && (c) != '\\' && (c) != 0x7f)

#define DM_P_NAME_MAX   9       /* octets of the longest name */

#define DM_DIGEST_EACH  0x0101010101010101ULL   /* 1 in each octet */
#define DM_DIGEST_TOP   0x8080808080808080ULL

/* of eight octets the highest bit of the first below n, but for that of others
   above 0x7f and of any behind it; the same for one that is c */
#define dm_digest_below(octets, n)  ((octets) - (n) * DM_DIGEST_EACH)
#define dm_digest_is(octets, c)                                               \
    dm_digest_below((octets) ^ (c) * DM_DIGEST_EACH, 1)

const dm_str_t  dm_digest_params[DM_P_MAX] = {
    dm_digest_param("nc"),
    dm_digest_param("uri"),
    dm_digest_param("qop"),
    dm_digest_param("realm"),
    dm_digest_param("nonce"),
    dm_digest_param("cnonce"),
    dm_digest_param("opaque"),
    dm_digest_param("username"),
    dm_digest_param("response"),
    dm_digest_param("userhash"),
    dm_digest_param("algorithm"),
    dm_digest_param("username*")
};

/* the first parameter with a name of that many octets, or more */
static const unsigned char  dm_digest_first[DM_P_NAME_MAX + 2] = {
    DM_P_NC, DM_P_NC, DM_P_NC, DM_P_URI, DM_P_REALM, DM_P_REALM,
    DM_P_CNONCE, DM_P_USERNAME, DM_P_USERNAME, DM_P_ALGORITHM, DM_P_MAX
};


static int dm_digest_split(dm_digest_params_t *params, dm_str_t value,
    dm_err_t *err);
static const unsigned char *dm_digest_usual(dm_digest_params_t *params,
    const unsigned char *p, const unsigned char *last, int *rc,
    dm_err_t *err);
static const unsigned char *dm_digest_copy(unsigned char **out,
    const unsigned char *p, const unsigned char *last, unsigned token);
static inline uint64_t dm_digest_stops(uint64_t octets, unsigned token);
static int dm_digest_step(dm_digest_params_t *params, const unsigned char *p,
    unsigned char c, dm_err_t *err);
static int dm_digest_step_value(dm_digest_params_t *params, unsigned char c,
    dm_err_t *err);
static int dm_digest_step_token(dm_digest_params_t *params, unsigned char c,
    dm_err_t *err);
static unsigned dm_digest_find(dm_str_t name);
static int dm_digest_store(dm_digest_params_t *params, unsigned i,
    dm_err_t *err);


int
dm_digest_params_read(dm_digest_params_t *params, dm_str_t value,
    unsigned char *buf, dm_err_t *err)
{
    memset(params, 0, sizeof(dm_digest_params_t));

    params->out = buf;
    params->usual = 1;

    return dm_digest_split(params, value, err);
}


int
dm_digest_params_steps(dm_digest_params_t *params, dm_str_t value,
    unsigned char *buf, dm_err_t *err)
{
    memset(params, 0, sizeof(dm_digest_params_t));

    params->out = buf;

    return dm_digest_split(params, value, err);
}


/* #auth-param: empty elements are allowed, RFC 7230, section 7 */
static int
dm_digest_split(dm_digest_params_t *params, dm_str_t value, dm_err_t *err)
{
    int                   rc;
    const unsigned char  *p, *last;

    rc = DM_OK;
    last = value.data + value.len;

    /* the end of the header ends a parameter as a comma does */

    for (p = value.data + sizeof("Digest") - 1; p <= last; p++) {

        if (params->usual && params->state == sw_start) {
            p = dm_digest_usual(params, p, last, &rc, err);

            if (rc != DM_OK) {
                break;
            }
        }

        if (p == last
            && (params->state == sw_quoted || params->state == sw_escaped))
        {
            rc = DM_DECLINED;
            break;
        }

        rc = dm_digest_step(params, p, p < last ? *p : ',', err);

        if (rc == DM_USELESS) {
            params->useless = params->useless ? params->useless
                                              : (size_t) (p - value.data) + 1;
            rc = DM_OK;
        }

        if (rc != DM_OK) {
            break;
        }
    }

    if (rc == DM_DECLINED) {
        dm_err_set(err, "the Digest credentials are malformed at octet %zu of "
                   "the header", (size_t) (p - value.data) + 1);
        return DM_INVALID;
    }

    return rc;
}


/*
 * Takes a parameter that is known and written as nearly all are, NAME="VALUE"
 * or NAME=VALUE, up to its comma or to last, where the steps go on.  Where it
 * is not it takes nothing: the steps know all forms.  *rc is DM_OK, or
 * DM_INVALID: the parameter is wrong.
 */
static const unsigned char *
dm_digest_usual(dm_digest_params_t *params, const unsigned char *p,
    const unsigned char *last, int *rc, dm_err_t *err)
{
    unsigned              i;
    unsigned char        *out;
    const unsigned char  *start;

    start = p;

    while (p < last && (*p == ' ' || *p == ',')) {
        p++;
    }

    params->name.data = p;

    while (p < last && *p != '='
           && p - params->name.data <= DM_P_NAME_MAX)
    {
        p++;
    }

    params->name.len = (size_t) (p - params->name.data);

    if (p == last || *p != '=' || ++p == last) {
        return start;
    }

    i = dm_digest_find(params->name);

    if (i == DM_P_MAX) {
        return start;
    }

    out = params->out;

    if (*p == '"') {
        p = dm_digest_copy(&out, p + 1, last, 0);

        if (p == last || *p++ != '"') {
            return start;
        }

    } else {
        p = dm_digest_copy(&out, p, last, 1);

        if (out == params->out) {
            return start;
        }
    }

    if (p < last && *p != ',') {
        return start;
    }

    params->text = params->out;
    params->out = out;

    *rc = dm_digest_store(params, i, err);

    return p;
}


/*
 * Copies what stands for itself, between quotes or as a token, up to where that
 * ends.  Eight octets are written where it may be less: the header has as many
 * there, and the buffer is as long.
 */
static const unsigned char *
dm_digest_copy(unsigned char **out, const unsigned char *p,
    const unsigned char *last, unsigned token)
{
    uint64_t        octets, stops;
    unsigned char  *q;

    q = *out;
    stops = 0;

    while (last - p >= 8 && stops == 0) {
        memcpy(&octets, p, 8);
        memcpy(q, &octets, 8);

        stops = dm_digest_stops(le64toh(octets), token);

        p += stops ? __builtin_ctzll(stops) / 8 : 8;
        q += stops ? __builtin_ctzll(stops) / 8 : 8;
    }

    while (p < last && stops == 0) {
        stops = dm_digest_stops(*p | 0x4141414141414100ULL, token);

        if (stops == 0) {
            *q++ = *p++;
        }
    }

    *out = q;

    return p;
}


/*
 * The highest bit of the first of eight octets that ends it, or 0.  Behind that
 * one there may be bits of others.
 */
static inline uint64_t
dm_digest_stops(uint64_t octets, unsigned token)
{
    uint64_t  stops;

    stops = dm_digest_below(octets, 0x20) | dm_digest_is(octets, 0x7f)
            | dm_digest_is(octets, '"') | dm_digest_is(octets, '\\');

    if (token) {
        stops |= dm_digest_is(octets, ' ') | dm_digest_is(octets, ',');
    }

    return stops & ~octets & DM_DIGEST_TOP;
}


/*
 * DM_OK; DM_USELESS: a parameter has no value; DM_DECLINED: c cannot stand at
 * p; DM_INVALID: the parameter is wrong.
 */
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

        if (c == ',') {
            params->state = sw_start;
            return DM_USELESS;
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
        return dm_digest_step_token(params, c, err);

    case sw_quoted:
        if (c == '"') {
            params->state = sw_after_value;
            return dm_digest_store(params, dm_digest_find(params->name), err);
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


/* takes a character of a value without quotes, or what ends it */
static int
dm_digest_step_token(dm_digest_params_t *params, unsigned char c,
    dm_err_t *err)
{
    int  empty;

    if (dm_digest_is_plain(c) && c != ' ' && c != ',') {

        /* a uri or Base64 is no token, but has one reading all the same */

        *params->out++ = c;
        return DM_OK;
    }

    if (c != ' ' && c != '\t' && c != ',') {
        return DM_DECLINED;
    }

    empty = (params->out == params->text);
    params->state = (c == ',') ? sw_start : sw_after_value;

    return empty ? DM_USELESS
                 : dm_digest_store(params, dm_digest_find(params->name), err);
}


/* the known parameter of that name; DM_P_MAX: it is none */
static unsigned
dm_digest_find(dm_str_t name)
{
    unsigned  i;

    if (name.len > DM_P_NAME_MAX) {
        return DM_P_MAX;
    }

    for (i = dm_digest_first[name.len]; i < dm_digest_first[name.len + 1]; i++)
    {
        if (memcmp(name.data, dm_digest_params[i].data, name.len) == 0
            || dm_str_ieq(name, dm_digest_params[i]))
        {
            return i;
        }
    }

    return DM_P_MAX;
}


/* i is the one that it is, or DM_P_MAX */
static int
dm_digest_store(dm_digest_params_t *params, unsigned i, dm_err_t *err)
{
    if (i == DM_P_MAX) {
        return DM_OK;
    }

    if (params->seen[i]) {
        params->twice = 1;
        dm_err_set(err, "the Digest credentials have \"%s\" twice",
                   (const char *) dm_digest_params[i].data);
        return DM_INVALID;
    }

    params->seen[i] = 1;
    params->value[i].data = params->text;
    params->value[i].len = (size_t) (params->out - params->text);

    return DM_OK;
}
