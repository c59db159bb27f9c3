#include <openssl/evp.h>
#include <string.h>

#include "dm_digest.h"


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


size_t
dm_digest_size(dm_algorithm_t alg)
{
    return dm_digest[alg].size;
}


int
dm_digest_join(dm_algorithm_t alg, const dm_str_t *part, size_t n,
    unsigned char *out)
{
    int          ok;
    size_t       i;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return DM_ERROR;
    }

    ok = EVP_DigestInit_ex2(ctx, dm_digest[alg].md, NULL);

    for (i = 0; ok && i < n; i++) {
        ok = (i == 0 || EVP_DigestUpdate(ctx, ":", 1))
             && EVP_DigestUpdate(ctx, part[i].data, part[i].len);
    }

    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);

    EVP_MD_CTX_free(ctx);

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
