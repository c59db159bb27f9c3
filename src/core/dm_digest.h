/* Digest arithmetic of RFC 7616 and RFC 2617 */

#ifndef DM_DIGEST_H
#define DM_DIGEST_H


#include <openssl/evp.h>

#include "dm.h"


/* the algorithms, the weakest first */
typedef enum {
    DM_MD5 = 0,
    DM_SHA512_256,              /* FIPS 180-4, not a truncated SHA-512 */
    DM_SHA256,
    DM_NALGORITHMS
} dm_algorithm_t;

#define DM_HASH_MAX  32         /* octets of the longest hash */


/*
 * Fetches the hashes from OpenSSL, once per process; further calls are free.
 * DM_ERROR if the library refuses one of them (a FIPS provider without MD5).
 * All that hashes by them is for one thread.
 */
int dm_digest_init(dm_err_t *err);

/* "MD5", "SHA-256", "SHA-512-256" as in RFC 7616, section 6.1 */
const char *dm_digest_name(dm_algorithm_t alg);

/* the algorithm of that name, case-insensitively; DM_DECLINED if none */
int dm_digest_by_name(dm_str_t name, dm_algorithm_t *alg);

/* as dm_digest_by_name(); *sess is 1 where "-sess" follows the name, else 0 */
int dm_digest_by_sess_name(dm_str_t name, dm_algorithm_t *alg,
    unsigned *sess);

/* octets of its hash: 16 or 32 */
size_t dm_digest_size(dm_algorithm_t alg);

/*
 * H(part[0] ":" part[1] ":" ... part[n-1]) into out[dm_digest_size(alg)].
 * DM_OK or DM_ERROR.
 */
int dm_digest_join(dm_algorithm_t alg, const dm_str_t *part, size_t n,
    unsigned char *out);

/* HA1 = H(name ":" realm ":" password), RFC 7616, section 3.4.2 */
int dm_digest_ha1(dm_algorithm_t alg, dm_str_t name, dm_str_t realm,
    dm_str_t password, unsigned char *out);

/* userhash = H(name ":" realm), RFC 7616, section 3.4.4 */
int dm_digest_userhash(dm_algorithm_t alg, dm_str_t name, dm_str_t realm,
    unsigned char *out);

/* the values that a response is hashed from, RFC 7616, 3.4.1 to 3.4.3 */
typedef struct {
    dm_algorithm_t        alg;
    unsigned              sess;     /* 1: -sess, with this cnonce */
    dm_str_t              nonce;
    dm_str_t              nc;
    dm_str_t              cnonce;
    dm_str_t              qop;
    dm_str_t              method;   /* empty for rspauth, section 3.5 */
    dm_str_t              uri;
    const unsigned char  *body;     /* its hash, for auth-int; else NULL */
    const unsigned char  *ha2;      /* dm_digest_ha2() of this; NULL: unknown */
} dm_digest_request_t;

/*
 * HA2 of a request, RFC 7616, section 3.4.3, in hex into
 * digits[2 * dm_digest_size(alg)].  DM_OK or DM_ERROR.
 */
int dm_digest_ha2(const dm_digest_request_t *request, unsigned char *digits);

/* the response under ha1, into out[dm_digest_size(alg)]; DM_OK or DM_ERROR */
int dm_digest_response(const dm_digest_request_t *request,
    const unsigned char *ha1, unsigned char *out);

/*
 * The same in two steps.  HA1 ":" nonce ":" is hashed into begun, which all
 * requests with that nonce can be finished from, and their rspauth; or, with
 * sess, those with that cnonce.  It is as secret as HA1, and EVP_MD_CTX_free()
 * wipes it, as it does where DM_ERROR left it.
 */
int dm_digest_begin(const dm_digest_request_t *request,
    const unsigned char *ha1, EVP_MD_CTX *begun);
int dm_digest_finish(const dm_digest_request_t *request,
    const EVP_MD_CTX *begun, unsigned char *out);

/* hash[dm_digest_size(alg)] as lower-case hex, into out; the digits' number */
size_t dm_digest_hex(dm_algorithm_t alg, const unsigned char *hash,
    unsigned char *out);

/* its EVP_MD, to hash what comes in parts; as long as the process lives */
const EVP_MD *dm_digest_md(dm_algorithm_t alg);


#endif /* DM_DIGEST_H */
