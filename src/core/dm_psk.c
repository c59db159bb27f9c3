/* Pre-shared keys of TLS, RFC 4279 and RFC 8446 */

#include <string.h>

#include <openssl/crypto.h>

#include "dm_psk.h"


#define DM_PSK_FORMAT  1
#define DM_PSK_LABEL   "ngx_dm_sec psk"


static int dm_psk_tag(dm_str_t key, const unsigned char *store_id,
    unsigned char *tag);


const dm_psk_t *
dm_psk_find(const dm_account_t *account, dm_str_t identity)
{
    unsigned  i;

    for (i = 0; i < account->npsks; i++) {
        if (dm_str_eq(account->psk[i].identity, identity)) {
            return &account->psk[i];
        }
    }

    return NULL;
}


int
dm_psk_mark(const dm_psk_t *psk, const unsigned char *store_id,
    unsigned char *out, size_t *outlen)
{
    unsigned char  *p;

    p = out;
    *p++ = DM_PSK_FORMAT;

    if (dm_psk_tag(psk->key, store_id, p) != DM_OK) {
        return DM_ERROR;
    }

    p += DM_PSK_TAG_SIZE;
    memcpy(p, psk->identity.data, psk->identity.len);
    p += psk->identity.len;

    *outlen = (size_t) (p - out);

    return DM_OK;
}


int
dm_psk_read_mark(dm_psk_mark_t *mark, const unsigned char *data, size_t len)
{
    if (len < 1 + DM_PSK_TAG_SIZE || data[0] != DM_PSK_FORMAT) {
        return DM_INVALID;
    }

    mark->tag = data + 1;
    mark->identity.data = data + 1 + DM_PSK_TAG_SIZE;
    mark->identity.len = len - 1 - DM_PSK_TAG_SIZE;

    return dm_account_check_psk_identity(mark->identity, NULL);
}


int
dm_psk_match(const dm_psk_mark_t *mark, const dm_account_t *account,
    const unsigned char *store_id)
{
    const dm_psk_t  *psk;
    unsigned char    tag[DM_PSK_TAG_SIZE];

    psk = dm_psk_find(account, mark->identity);
    if (psk == NULL) {
        return DM_DECLINED;
    }

    if (dm_psk_tag(psk->key, store_id, tag) != DM_OK) {
        return DM_ERROR;
    }

    return CRYPTO_memcmp(tag, mark->tag, DM_PSK_TAG_SIZE) == 0 ? DM_OK
                                                               : DM_DECLINED;
}


/*
 * Makes the tag of a key.  Only the last part, the key itself, has a length
 * that varies, so that no other parts can give the same octets.
 */
static int
dm_psk_tag(dm_str_t key, const unsigned char *store_id, unsigned char *tag)
{
    dm_str_t       part[3];
    unsigned char  hash[DM_HASH_MAX];

    part[0] = dm_str(DM_PSK_LABEL);
    part[1] = (dm_str_t) { store_id, DM_STORE_ID_SIZE };
    part[2] = key;

    if (dm_digest_join(DM_SHA256, part, 3, hash) != DM_OK) {
        return DM_ERROR;
    }

    memcpy(tag, hash, DM_PSK_TAG_SIZE);
    OPENSSL_cleanse(hash, sizeof(hash));

    return DM_OK;
}


/*
 * Length (2) of the identities, then each: length (2), octets, age (4); what
 * proves them follows and is not looked at.
 */
int
dm_psk_offered(const unsigned char *data, size_t len)
{
    size_t                n;
    const unsigned char  *p, *last;

    if (len < 2) {
        return 0;
    }

    p = data + 2;
    n = (size_t) data[0] << 8 | data[1];

    if (n > len - 2) {
        return 0;
    }

    last = p + n;

    while (last - p >= 2) {
        n = (size_t) p[0] << 8 | p[1];
        p += 2;

        if ((size_t) (last - p) < n + 4) {
            return 0;
        }

        if (dm_account_check_psk_identity((dm_str_t) { p, n }, NULL)
            == DM_OK)
        {
            return 1;
        }

        p += n + 4;
    }

    return 0;
}
