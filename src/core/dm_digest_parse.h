/* Digest credentials of an Authorization header, RFC 7616, section 3.4 */

#ifndef DM_DIGEST_PARSE_H
#define DM_DIGEST_PARSE_H


#include "dm.h"
#include "dm_digest.h"


#define DM_DIGEST_NAME_MAX   1024       /* octets */
#define DM_DIGEST_NONCE_MAX  512        /* octets of either of them */


/* a client's answer to a challenge; strings are without quotes and escapes */
typedef struct {
    dm_str_t        name;               /* a userhash is in lower case */
    dm_str_t        realm;
    dm_str_t        nonce;
    dm_str_t        uri;
    dm_str_t        cnonce;
    dm_str_t        nc_text;
    dm_str_t        qop;

    dm_algorithm_t  alg;
    unsigned        sess;               /* 1: -sess */
    unsigned        auth_int;           /* 1: qop is auth-int */
    unsigned        userhash;           /* 1: name is in hash */
    uint32_t        nc;                 /* not 0 */
    unsigned char   hash[DM_HASH_MAX];      /* of the name */
    unsigned char   response[DM_HASH_MAX];
} dm_digest_answer_t;


/*
 * Parses the value of an Authorization header; buf has room for value.len
 * octets, and the strings of answer point into it.  DM_OK; DM_DECLINED:
 * another scheme; DM_INVALID: err says which parameter is wrong or missing, or
 * at which octet the header is none (RFC 7235, section 2.1).  A parameter must
 * not come twice; one that is not known is skipped.  Without qop, as in
 * RFC 2069, there is nothing that a nonce count could protect: it is missing.
 */
int dm_digest_parse(dm_digest_answer_t *answer, dm_str_t value,
    unsigned char *buf, dm_err_t *err);


#endif /* DM_DIGEST_PARSE_H */
