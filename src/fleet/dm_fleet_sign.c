/* Ed25519 (RFC 8032), of a hash: OpenSSL signs only what is in one piece */

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "dm_fleet_derive.h"
#include "dm_fleet_sign.h"


struct dm_fleet_signer_s {
    EVP_PKEY  *pkey;
    char       id[DM_KEY_ID_MAX + 1];
};

struct dm_fleet_verifier_s {
    unsigned   n;
    EVP_PKEY  *pkey[DM_KEYS];
    char       id[DM_KEYS][DM_KEY_ID_MAX + 1];
};


static int dm_fleet_signed(dm_str_t label, dm_str_t octets,
    unsigned char *hash);


dm_fleet_signer_t *
dm_fleet_signer_new(const dm_key_t *seed)
{
    dm_fleet_signer_t  *signer;

    signer = calloc(1, sizeof(dm_fleet_signer_t));
    if (signer == NULL) {
        return NULL;
    }

    memcpy(signer->id, seed->id, sizeof(signer->id));
    signer->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                seed->key, DM_KEY_SIZE);

    if (signer->pkey == NULL) {
        dm_fleet_signer_free(signer);
        return NULL;
    }

    return signer;
}


void
dm_fleet_signer_free(dm_fleet_signer_t *signer)
{
    if (signer == NULL) {
        return;
    }

    EVP_PKEY_free(signer->pkey);
    free(signer);
}


int
dm_fleet_signer_public(const dm_fleet_signer_t *signer, dm_key_t *key)
{
    size_t  len;

    memcpy(key->id, signer->id, sizeof(key->id));
    len = DM_FLEET_PUBLIC;

    return EVP_PKEY_get_raw_public_key(signer->pkey, key->key, &len) == 1
           && len == DM_FLEET_PUBLIC ? DM_OK : DM_ERROR;
}


dm_fleet_verifier_t *
dm_fleet_verifier_new(const dm_keys_t *keys)
{
    unsigned              i;
    dm_fleet_verifier_t  *verifier;

    if (keys->n == 0 || keys->n > DM_KEYS) {
        return NULL;
    }

    verifier = calloc(1, sizeof(dm_fleet_verifier_t));
    if (verifier == NULL) {
        return NULL;
    }

    for (i = 0; i < keys->n; i++) {
        memcpy(verifier->id[i], keys->key[i].id, sizeof(verifier->id[i]));
        verifier->pkey[i] = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519,
                                                        NULL,
                                                        keys->key[i].key,
                                                        DM_FLEET_PUBLIC);

        if (verifier->pkey[i] == NULL) {
            dm_fleet_verifier_free(verifier);
            return NULL;
        }
    }

    verifier->n = keys->n;

    return verifier;
}


void
dm_fleet_verifier_free(dm_fleet_verifier_t *verifier)
{
    unsigned  i;

    if (verifier == NULL) {
        return;
    }

    for (i = 0; i < DM_KEYS; i++) {
        EVP_PKEY_free(verifier->pkey[i]);
    }

    free(verifier);
}


int
dm_fleet_sign(dm_fleet_signer_t *signer, dm_str_t label, dm_str_t octets,
    unsigned char *out, size_t *outlen)
{
    int            ok;
    size_t         id, len;
    EVP_MD_CTX    *ctx;
    unsigned char  hash[DM_FLEET_HASH];

    if (dm_fleet_signed(label, octets, hash) != DM_OK) {
        return DM_ERROR;
    }

    id = strlen(signer->id);
    out[0] = (unsigned char) id;
    memcpy(out + 1, signer->id, id);

    len = DM_FLEET_SIGNATURE;
    ctx = EVP_MD_CTX_new();

    ok = ctx != NULL
         && EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer->pkey) == 1
         && EVP_DigestSign(ctx, out + 1 + id, &len, hash, sizeof(hash)) == 1
         && len == DM_FLEET_SIGNATURE;

    EVP_MD_CTX_free(ctx);

    *outlen = 1 + id + len;

    return ok ? DM_OK : DM_ERROR;
}


/* OpenSSL does not tell a signature that is wrong from a failure of its own */
int
dm_fleet_verify(dm_fleet_verifier_t *verifier, dm_str_t label,
    dm_str_t octets, dm_str_t sign)
{
    int            rc;
    unsigned       i;
    dm_str_t       id;
    EVP_MD_CTX    *ctx;
    unsigned char  hash[DM_FLEET_HASH];

    if (dm_sealed_key(sign, &id) != DM_OK
        || sign.len != 1 + id.len + DM_FLEET_SIGNATURE)
    {
        return DM_DECLINED;
    }

    for (i = 0; i < verifier->n; i++) {
        if (id.len == strlen(verifier->id[i])
            && memcmp(id.data, verifier->id[i], id.len) == 0)
        {
            break;
        }
    }

    if (i == verifier->n) {
        return DM_DECLINED;
    }

    if (dm_fleet_signed(label, octets, hash) != DM_OK) {
        return DM_ERROR;
    }

    rc = DM_ERROR;
    ctx = EVP_MD_CTX_new();

    if (ctx != NULL
        && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, verifier->pkey[i]) == 1)
    {
        rc = EVP_DigestVerify(ctx, sign.data + 1 + id.len, DM_FLEET_SIGNATURE,
                              hash, sizeof(hash))
             == 1 ? DM_OK : DM_DECLINED;
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


static int
dm_fleet_signed(dm_str_t label, dm_str_t octets, unsigned char *hash)
{
    dm_str_t  part[3];

    part[0] = dm_str("dm-sec fleet signed");
    part[1] = label;
    part[2] = octets;

    return dm_fleet_hash(part, 3, hash);
}
