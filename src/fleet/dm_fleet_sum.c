/* A sum over all accounts, whatever their order */

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "dm_fleet_sum.h"
#include "dm_mac.h"


struct dm_fleet_adder_s {
    dm_mac_t        *mac;
    EVP_CIPHER      *cipher;
    EVP_CIPHER_CTX  *ctx;
};


static int dm_fleet_adder_init(dm_fleet_adder_t *adder,
    const unsigned char *root, const unsigned char *store_id);
static int dm_fleet_share(dm_fleet_adder_t *adder, dm_str_t account,
    dm_fleet_sum_t *share);


dm_fleet_adder_t *
dm_fleet_adder_new(const unsigned char *root, const unsigned char *store_id)
{
    dm_fleet_adder_t  *adder;

    adder = calloc(1, sizeof(dm_fleet_adder_t));
    if (adder == NULL) {
        return NULL;
    }

    if (dm_fleet_adder_init(adder, root, store_id) != DM_OK) {
        dm_fleet_adder_free(adder);
        return NULL;
    }

    return adder;
}


static int
dm_fleet_adder_init(dm_fleet_adder_t *adder, const unsigned char *root,
    const unsigned char *store_id)
{
    unsigned char  key[DM_MAC_SIZE];

    if (dm_fleet_derive(root, store_id, dm_str("dm-sec fleet sum"), key)
        != DM_OK)
    {
        return DM_ERROR;
    }

    adder->mac = dm_mac_new(key);
    OPENSSL_cleanse(key, sizeof(key));

    adder->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
    adder->ctx = EVP_CIPHER_CTX_new();

    if (adder->mac == NULL || adder->cipher == NULL || adder->ctx == NULL) {
        return DM_ERROR;
    }

    return DM_OK;
}


void
dm_fleet_adder_free(dm_fleet_adder_t *adder)
{
    if (adder == NULL) {
        return;
    }

    EVP_CIPHER_CTX_free(adder->ctx);
    EVP_CIPHER_free(adder->cipher);
    dm_mac_free(adder->mac);
    free(adder);
}


int
dm_fleet_add(dm_fleet_adder_t *adder, dm_fleet_sum_t *sum, dm_str_t account)
{
    unsigned        i;
    dm_fleet_sum_t  share;

    if (dm_fleet_share(adder, account, &share) != DM_OK) {
        return DM_ERROR;
    }

    for (i = 0; i < DM_FLEET_LANES; i++) {
        sum->lane[i] = (uint16_t) (sum->lane[i] + share.lane[i]);
    }

    return DM_OK;
}


int
dm_fleet_remove(dm_fleet_adder_t *adder, dm_fleet_sum_t *sum,
    dm_str_t account)
{
    unsigned        i;
    dm_fleet_sum_t  share;

    if (dm_fleet_share(adder, account, &share) != DM_OK) {
        return DM_ERROR;
    }

    for (i = 0; i < DM_FLEET_LANES; i++) {
        sum->lane[i] = (uint16_t) (sum->lane[i] - share.lane[i]);
    }

    return DM_OK;
}


/* each account has a key of its own, so the counter begins with 0 in each */
static int
dm_fleet_share(dm_fleet_adder_t *adder, dm_str_t account,
    dm_fleet_sum_t *share)
{
    int            ok, len;
    dm_str_t       part[2];
    unsigned char  key[DM_MAC_SIZE], octets[DM_FLEET_SUM_SIZE];

    static const unsigned char  zero[DM_FLEET_SUM_SIZE];

    part[0] = dm_str("dm-sec fleet share");
    part[1] = account;

    ok = dm_mac_parts(adder->mac, part, 2, key) == DM_OK
         && EVP_EncryptInit_ex2(adder->ctx, adder->cipher, key, zero, NULL)
         && EVP_CipherUpdate(adder->ctx, octets, &len, zero, sizeof(zero))
         && len == sizeof(octets);

    OPENSSL_cleanse(key, sizeof(key));

    if (!ok) {
        return DM_ERROR;
    }

    dm_fleet_sum_read(share, octets);

    return DM_OK;
}


void
dm_fleet_sum_write(const dm_fleet_sum_t *sum, unsigned char *out)
{
    unsigned  i;
    uint16_t  lane;

    for (i = 0; i < DM_FLEET_LANES; i++) {
        lane = htole16(sum->lane[i]);
        memcpy(out + 2 * i, &lane, sizeof(lane));
    }
}


void
dm_fleet_sum_read(dm_fleet_sum_t *sum, const unsigned char *octets)
{
    unsigned  i;
    uint16_t  lane;

    for (i = 0; i < DM_FLEET_LANES; i++) {
        memcpy(&lane, octets + 2 * i, sizeof(lane));
        sum->lane[i] = le16toh(lane);
    }
}


int
dm_fleet_sum_digest(const dm_fleet_sum_t *sum, unsigned char *out)
{
    dm_str_t       part[2];
    unsigned char  octets[DM_FLEET_SUM_SIZE];

    dm_fleet_sum_write(sum, octets);

    part[0] = dm_str("dm-sec fleet digest");
    part[1] = (dm_str_t) { octets, sizeof(octets) };

    return dm_fleet_hash(part, 2, out);
}
