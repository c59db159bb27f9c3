/* Keyed hashes: HMAC-SHA256 over parts, each with its length before it */

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "dm_mac.h"


#define DM_MAC_PIECE  256       /* octets, which most of what is hashed fits */


/* the key is scheduled once, and each use starts from there */
struct dm_mac_s {
    EVP_MAC      *mac;
    EVP_MAC_CTX  *ctx;
};


static int dm_mac_init(dm_mac_t *mac, const unsigned char *key);


dm_mac_t *
dm_mac_new(const unsigned char *key)
{
    dm_mac_t  *mac;

    mac = calloc(1, sizeof(dm_mac_t));
    if (mac == NULL) {
        return NULL;
    }

    if (dm_mac_init(mac, key) != DM_OK) {
        dm_mac_free(mac);
        return NULL;
    }

    return mac;
}


static int
dm_mac_init(dm_mac_t *mac, const unsigned char *key)
{
    OSSL_PARAM  params[2];

    mac->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (mac->mac == NULL) {
        return DM_ERROR;
    }

    mac->ctx = EVP_MAC_CTX_new(mac->mac);
    if (mac->ctx == NULL) {
        return DM_ERROR;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) "SHA256", 0);
    params[1] = OSSL_PARAM_construct_end();

    return EVP_MAC_init(mac->ctx, key, DM_MAC_SIZE, params) == 1 ? DM_OK
                                                                 : DM_ERROR;
}


void
dm_mac_free(dm_mac_t *mac)
{
    if (mac == NULL) {
        return;
    }

    EVP_MAC_CTX_free(mac->ctx);
    EVP_MAC_free(mac->mac);
    free(mac);
}


/* a call of OpenSSL's costs more than to copy a short part */
int
dm_mac_parts(dm_mac_t *mac, const dm_str_t *part, size_t n,
    unsigned char *out)
{
    int            ok;
    size_t         i, len, most, outlen;
    uint64_t       size;
    unsigned char  piece[DM_MAC_PIECE];

    ok = EVP_MAC_init(mac->ctx, NULL, 0, NULL);
    len = 0;
    most = 0;

    for (i = 0; ok && i < n; i++) {
        size = htole64(part[i].len);

        if (sizeof(piece) - len < sizeof(size)) {
            ok = EVP_MAC_update(mac->ctx, piece, len);
            len = 0;
        }

        memcpy(piece + len, &size, sizeof(size));
        len += sizeof(size);

        if (part[i].len > sizeof(piece) - len) {
            ok = ok && EVP_MAC_update(mac->ctx, piece, len)
                 && EVP_MAC_update(mac->ctx, part[i].data, part[i].len);
            len = 0;

        } else if (part[i].len > 0) {
            memcpy(piece + len, part[i].data, part[i].len);
            len += part[i].len;
        }

        most = len > most ? len : most;
    }

    ok = ok && EVP_MAC_update(mac->ctx, piece, len)
         && EVP_MAC_final(mac->ctx, out, &outlen, DM_MAC_SIZE);

    OPENSSL_cleanse(piece, most);

    return ok ? DM_OK : DM_ERROR;
}
