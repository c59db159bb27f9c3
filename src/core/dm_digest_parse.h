/* Digest credentials of an Authorization header, RFC 7616, section 3.4 */

#ifndef DM_DIGEST_PARSE_H
#define DM_DIGEST_PARSE_H


#include "dm.h"
#include "dm_digest.h"
#include "dm_malformed.h"


#define DM_DIGEST_NAME_MAX   1024       /* octets */
#define DM_DIGEST_NONCE_MAX  512        /* octets of either of them */


/* a client's answer to a challenge; strings are without quotes and escapes */
typedef struct {
    dm_str_t        name;               /* a userhash is in lower case */
    dm_str_t        realm;
    dm_str_t        nonce;
    dm_str_t        uri;
    dm_str_t        cnonce;
    dm_str_t        nc_text;            /* as it was sent, for the hashes */
    dm_str_t        qop;

    dm_algorithm_t  alg;
    unsigned        sess;               /* 1: -sess */
    unsigned        auth_int;           /* 1: qop is auth-int */
    unsigned        userhash;           /* 1: name is in hash */
    uint32_t        nc;
    dm_malformed_t  malformed;          /* where it is not DM_OK: how */
    unsigned char   hash[DM_HASH_MAX];      /* of the name */
    unsigned char   response[DM_HASH_MAX];
} dm_digest_answer_t;


/*
 * Parses the value of an Authorization header; buf has room for value.len
 * octets, and the strings of answer point into it.  A parameter that is not
 * known is skipped; a uri may stand without quotes; a cnonce may be empty, and
 * nc has 1 to 8 digits.  DM_OK; DM_DECLINED: another scheme; else err says what
 * is wrong with which parameter, or at which octet of the header, and
 * answer->malformed how; answer->name is the name then, as far as one was read.
 *
 * DM_INVALID: another reader could read it in another way, or it can only be
 * an attack: a parameter twice, two names, a list whose parts cannot be told
 * apart (RFC 7235, section 2.1), a control character, too many octets.  It
 * goes before DM_USELESS, wherever it stands.
 *
 * DM_USELESS: nothing here could verify it: a parameter is missing, empty or
 * not what it must be, or the algorithm or the qop is none that is known.
 * Without qop, as in RFC 2069, no nonce count protects: it is missing.
 */
int dm_digest_parse(dm_digest_answer_t *answer, dm_str_t value,
    unsigned char *buf, dm_err_t *err);


#endif /* DM_DIGEST_PARSE_H */
