/* Digest arithmetic of RFC 7616 and RFC 2617 */

#include <string.h>

#include <openssl/crypto.h>

#include "dm_digest.h"
#include "dm_hex.h"


#define DM_DIGEST_PIECE  256    /* octets, which most of what is hashed fits */


/*
 * Fetched by dm_digest_init() and kept until the process ends.  A context that
 * nothing was hashed with is copied for less than another is begun for.
 */
static struct {
    const char  *name;              /* RFC 7616 */
    const char  *fetch;             /* OpenSSL */
    size_t       size;
    EVP_MD      *md;
    EVP_MD_CTX  *fresh;
} dm_digest[DM_NALGORITHMS] = {
    [DM_MD5] = { "MD5", "MD5", 16, NULL, NULL },
    [DM_SHA512_256] = { "SHA-512-256", "SHA512-256", 32, NULL, NULL },
    [DM_SHA256] = { "SHA-256", "SHA256", 32, NULL, NULL }
};

/* empty between two uses */
static EVP_MD_CTX  *dm_digest_work;


static int dm_digest_fetch(dm_algorithm_t alg);
static int dm_digest_update(EVP_MD_CTX *ctx, const dm_str_t *part, size_t n);


int
dm_digest_init(dm_err_t *err)
{
    unsigned  alg;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {

        if (dm_digest_fetch((dm_algorithm_t) alg) != DM_OK) {
            dm_err_set(err, "OpenSSL refuses %s, which Digest needs: "
                       "load its default provider", dm_digest[alg].name);
            return DM_ERROR;
        }
    }

    return DM_OK;
}


static int
dm_digest_fetch(dm_algorithm_t alg)
{
    EVP_MD_CTX  *fresh;

    if (dm_digest_work == NULL) {
        dm_digest_work = EVP_MD_CTX_new();
    }

    if (dm_digest[alg].md == NULL) {
        dm_digest[alg].md = EVP_MD_fetch(NULL, dm_digest[alg].fetch, NULL);
    }

    if (dm_digest_work == NULL || dm_digest[alg].md == NULL) {
        return DM_ERROR;
    }

    if (dm_digest[alg].fresh != NULL) {
        return DM_OK;
    }

    fresh = EVP_MD_CTX_new();

    if (fresh == NULL
        || EVP_DigestInit_ex2(fresh, dm_digest[alg].md, NULL) != 1)
    {
        EVP_MD_CTX_free(fresh);
        return DM_ERROR;
    }

    dm_digest[alg].fresh = fresh;

    return DM_OK;
}


const char *
dm_digest_name(dm_algorithm_t alg)
{
    return dm_digest[alg].name;
}


int
dm_digest_by_name(dm_str_t name, dm_algorithm_t *alg)
{
    unsigned  i;
    dm_str_t  known;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        known.data = (const unsigned char *) dm_digest[i].name;
        known.len = strlen(dm_digest[i].name);

        if (dm_str_ieq(name, known)) {
            *alg = (dm_algorithm_t) i;
            return DM_OK;
        }
    }

    return DM_DECLINED;
}


int
dm_digest_by_sess_name(dm_str_t name, dm_algorithm_t *alg, unsigned *sess)
{
    dm_str_t  end, suffix;

    suffix = dm_str("-sess");
    *sess = 0;

    if (name.len > suffix.len) {
        end.data = name.data + name.len - suffix.len;
        end.len = suffix.len;

        *sess = (unsigned) dm_str_ieq(end, suffix);
        name.len -= *sess ? suffix.len : 0;
    }

    return dm_digest_by_name(name, alg);
}


size_t
dm_digest_size(dm_algorithm_t alg)
{
    return dm_digest[alg].size;
}


int
dm_digest_join(dm_algorithm_t alg, const dm_str_t *part, size_t n,
    unsigned char *out)
{
    int  ok;

    ok = EVP_MD_CTX_copy_ex(dm_digest_work, dm_digest[alg].fresh) == 1
         && dm_digest_update(dm_digest_work, part, n) == DM_OK
         && EVP_DigestFinal_ex(dm_digest_work, out, NULL) == 1;

    (void) EVP_MD_CTX_reset(dm_digest_work);

    return ok ? DM_OK : DM_ERROR;
}


/* a call of OpenSSL's costs more than to copy a short part */
static int
dm_digest_update(EVP_MD_CTX *ctx, const dm_str_t *part, size_t n)
{
    int             ok;
    size_t          i, len, most;
    unsigned char   piece[DM_DIGEST_PIECE];

    ok = 1;
    len = 0;
    most = 0;

    /* gcc 14 does not know that of no octets none is read */

    piece[0] = '\0';

    for (i = 0; ok && i < n; i++) {

        if (part[i].len >= sizeof(piece) - len) {
            ok = EVP_DigestUpdate(ctx, piece, len);
            len = 0;
        }

        if (i > 0) {
            piece[len++] = ':';
        }

        if (part[i].len > sizeof(piece) - len) {
            ok = ok && EVP_DigestUpdate(ctx, piece, len)
                 && EVP_DigestUpdate(ctx, part[i].data, part[i].len);
            len = 0;

        } else if (part[i].len > 0) {
            memcpy(piece + len, part[i].data, part[i].len);
            len += part[i].len;
        }

        most = len > most ? len : most;
    }

    ok = ok && EVP_DigestUpdate(ctx, piece, len);

    OPENSSL_cleanse(piece, most);

    return ok ? DM_OK : DM_ERROR;
}


int
dm_digest_ha1(dm_algorithm_t alg, dm_str_t name, dm_str_t realm,
    dm_str_t password, unsigned char *out)
{
    dm_str_t  part[3];

    part[0] = name;
    part[1] = realm;
    part[2] = password;

    return dm_digest_join(alg, part, 3, out);
}


int
dm_digest_userhash(dm_algorithm_t alg, dm_str_t name, dm_str_t realm,
    unsigned char *out)
{
    dm_str_t  part[2];

    part[0] = name;
    part[1] = realm;

    return dm_digest_join(alg, part, 2, out);
}


int
dm_digest_ha2(const dm_digest_request_t *request, unsigned char *digits)
{
    dm_str_t       part[3];
    unsigned char  hex[2 * DM_HASH_MAX], hash[DM_HASH_MAX];

    part[0] = request->method;
    part[1] = request->uri;

    if (request->body) {
        part[2].data = hex;
        part[2].len = dm_digest_hex(request->alg, request->body, hex);
    }

    if (dm_digest_join(request->alg, part, request->body ? 3 : 2, hash)
        != DM_OK)
    {
        return DM_ERROR;
    }

    (void) dm_digest_hex(request->alg, hash, digits);

    return DM_OK;
}


int
dm_digest_response(const dm_digest_request_t *request,
    const unsigned char *ha1, unsigned char *out)
{
    int          rc;
    EVP_MD_CTX  *begun;

    begun = EVP_MD_CTX_new();
    if (begun == NULL) {
        return DM_ERROR;
    }

    rc = dm_digest_begin(request, ha1, begun);

    if (rc == DM_OK) {
        rc = dm_digest_finish(request, begun, out);
    }

    EVP_MD_CTX_free(begun);

    return rc;
}


int
dm_digest_begin(const dm_digest_request_t *request, const unsigned char *ha1,
    EVP_MD_CTX *begun)
{
    int             rc;
    dm_str_t        part[3];
    unsigned char   h1[2 * DM_HASH_MAX], hash[DM_HASH_MAX];
    dm_algorithm_t  alg;

    rc = DM_OK;
    alg = request->alg;

    part[0] = (dm_str_t) { h1, dm_digest_hex(alg, ha1, h1) };
    part[1] = request->nonce;

    if (request->sess) {
        part[2] = request->cnonce;
        rc = dm_digest_join(alg, part, 3, hash);

        (void) dm_digest_hex(alg, hash, h1);
        OPENSSL_cleanse(hash, sizeof(hash));
    }

    /* it ends with a colon */

    part[2] = dm_str("");

    if (rc == DM_OK
        && EVP_MD_CTX_copy_ex(begun, dm_digest[alg].fresh) != 1)
    {
        rc = DM_ERROR;
    }

    if (rc == DM_OK) {
        rc = dm_digest_update(begun, part, 3);
    }

    OPENSSL_cleanse(h1, sizeof(h1));

    return rc;
}


int
dm_digest_finish(const dm_digest_request_t *request, const EVP_MD_CTX *begun,
    unsigned char *out)
{
    int             ok;
    dm_str_t        part[4];
    unsigned char   ha2[2 * DM_HASH_MAX];

    part[0] = request->nc;
    part[1] = request->cnonce;
    part[2] = request->qop;
    part[3].data = request->ha2;
    part[3].len = 2 * dm_digest[request->alg].size;

    if (request->ha2 == NULL) {
        part[3].data = ha2;

        if (dm_digest_ha2(request, ha2) != DM_OK) {
            return DM_ERROR;
        }
    }

    ok = EVP_MD_CTX_copy_ex(dm_digest_work, begun) == 1
         && dm_digest_update(dm_digest_work, part, 4) == DM_OK
         && EVP_DigestFinal_ex(dm_digest_work, out, NULL) == 1;

    (void) EVP_MD_CTX_reset(dm_digest_work);

    return ok ? DM_OK : DM_ERROR;
}


size_t
dm_digest_hex(dm_algorithm_t alg, const unsigned char *hash,
    unsigned char *out)
{
    return dm_hex_write((dm_str_t) { hash, dm_digest_size(alg) }, out);
}


const EVP_MD *
dm_digest_md(dm_algorithm_t alg)
{
    return dm_digest[alg].md;
}
