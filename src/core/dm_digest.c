/* Digest arithmetic of RFC 7616 and RFC 2617 */

#include <string.h>

#include <openssl/crypto.h>

#include "dm_digest.h"
#include "dm_hex.h"


#define DM_DIGEST_PIECE  256    /* octets, which most of what is hashed fits */


/* fetched by dm_digest_init() and kept until the process ends */
static struct {
    const char  *name;              /* RFC 7616 */
    const char  *fetch;             /* OpenSSL */
    size_t       size;
    EVP_MD      *md;
} dm_digest[DM_NALGORITHMS] = {
    [DM_MD5] = { "MD5", "MD5", 16, NULL },
    [DM_SHA512_256] = { "SHA-512-256", "SHA512-256", 32, NULL },
    [DM_SHA256] = { "SHA-256", "SHA256", 32, NULL }
};


int
dm_digest_init(dm_err_t *err)
{
    unsigned  alg;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        if (dm_digest[alg].md != NULL) {
            continue;
        }

        dm_digest[alg].md = EVP_MD_fetch(NULL, dm_digest[alg].fetch, NULL);

        if (dm_digest[alg].md == NULL) {
            dm_err_set(err, "OpenSSL refuses %s, which Digest needs: "
                       "load its default provider", dm_digest[alg].name);
            return DM_ERROR;
        }
    }

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


/* a call of OpenSSL's costs more than to copy a short part */
int
dm_digest_join(dm_algorithm_t alg, const dm_str_t *part, size_t n,
    unsigned char *out)
{
    int             ok;
    size_t          i, len, most;
    EVP_MD_CTX     *ctx;
    unsigned char   piece[DM_DIGEST_PIECE];

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return DM_ERROR;
    }

    ok = EVP_DigestInit_ex2(ctx, dm_digest[alg].md, NULL);
    len = 0;
    most = 0;

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

    ok = ok && EVP_DigestUpdate(ctx, piece, len)
         && EVP_DigestFinal_ex(ctx, out, NULL);

    EVP_MD_CTX_free(ctx);
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
dm_digest_ha2(const dm_digest_request_t *request, unsigned char *out)
{
    dm_str_t       part[3];
    unsigned char  hex[2 * DM_HASH_MAX];

    part[0] = request->method;
    part[1] = request->uri;

    if (request->body) {
        part[2].data = hex;
        part[2].len = dm_digest_hex(request->alg, request->body, hex);
    }

    return dm_digest_join(request->alg, part, request->body ? 3 : 2, out);
}


int
dm_digest_response(const dm_digest_request_t *request,
    const unsigned char *ha1, unsigned char *out)
{
    int             rc;
    dm_str_t        part[6];
    unsigned char   h1[2 * DM_HASH_MAX], h2[2 * DM_HASH_MAX];
    unsigned char   hash[DM_HASH_MAX];
    dm_algorithm_t  alg;

    alg = request->alg;

    part[0] = (dm_str_t) { h1, dm_digest_hex(alg, ha1, h1) };
    part[1] = request->nonce;
    part[2] = request->cnonce;

    if (request->sess) {
        rc = dm_digest_join(alg, part, 3, hash);
        if (rc != DM_OK) {
            goto done;
        }

        (void) dm_digest_hex(alg, hash, h1);
    }

    if (request->ha2 == NULL) {
        rc = dm_digest_ha2(request, hash);
        if (rc != DM_OK) {
            goto done;
        }
    }

    part[2] = request->nc;
    part[3] = request->cnonce;
    part[4] = request->qop;
    part[5] = (dm_str_t) { h2, dm_digest_hex(alg, request->ha2 ? request->ha2
                                                               : hash, h2) };

    rc = dm_digest_join(alg, part, 6, out);

done:

    OPENSSL_cleanse(h1, sizeof(h1));
    OPENSSL_cleanse(hash, sizeof(hash));

    return rc;
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
