/* Keys that are derived from others, and hashes; each has a label */

#include <endian.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "dm_fleet_derive.h"


int
dm_fleet_derive(const unsigned char *key, const unsigned char *store_id,
    dm_str_t label, unsigned char *out)
{
    int           ok;
    EVP_KDF      *kdf;
    OSSL_PARAM    params[5];
    EVP_KDF_CTX  *ctx;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                  (void *) key, DM_KEY_SIZE);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                  (void *) store_id,
                                                  DM_FLEET_ID);
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                  (void *) label.data,
                                                  label.len);
    params[4] = OSSL_PARAM_construct_end();

    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);

    ok = ctx != NULL && EVP_KDF_derive(ctx, out, DM_KEY_SIZE, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);

    return ok ? DM_OK : DM_ERROR;
}


int
dm_fleet_derive_keys(const dm_keys_t *keys, const unsigned char *store_id,
    dm_str_t label, dm_keys_t *out)
{
    unsigned  i;

    memset(out, 0, sizeof(dm_keys_t));

    for (i = 0; i < keys->n; i++) {
        memcpy(out->key[i].id, keys->key[i].id, sizeof(out->key[i].id));

        if (dm_fleet_derive(keys->key[i].key, store_id, label,
                            out->key[i].key)
            != DM_OK)
        {
            dm_keys_wipe(out);
            return DM_ERROR;
        }
    }

    out->n = keys->n;

    return DM_OK;
}


int
dm_fleet_hash(const dm_str_t *part, size_t n, unsigned char *out)
{
    int          ok;
    size_t       i;
    uint64_t     len;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL);

    for (i = 0; ok && i < n; i++) {
        len = htole64(part[i].len);

        ok = EVP_DigestUpdate(ctx, &len, sizeof(len))
             && EVP_DigestUpdate(ctx, part[i].data, part[i].len);
    }

    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);

    EVP_MD_CTX_free(ctx);

    return ok ? DM_OK : DM_ERROR;
}
