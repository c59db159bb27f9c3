/* Nonces of Digest: made without remembering them, known again by their MAC */

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "dm_nonce.h"
#include "dm_wire.h"


#define DM_NONCE_ANY      1                     /* versions */
#define DM_NONCE_BOUND    2

#define DM_NONCE_SIZE     48
#define DM_NONCE_CLEAR    24                    /* before the MAC */
#define DM_NONCE_MAC      24                    /* octets that are sent */


static int dm_nonce_draw(dm_nonce_random_t *random, unsigned char *out);
static int dm_nonce_mac(dm_mac_t *mac, const unsigned char *nonce,
    unsigned char *out);
static int dm_nonce_is_used(const dm_nonce_counts_t *counts, uint32_t nc);
static void dm_nonce_set(dm_nonce_counts_t *counts, uint32_t nc,
    unsigned used);


_Static_assert(DM_NONCE_SIZE / 3 * 4 == DM_NONCE_LEN, "Base64, no padding");
_Static_assert(DM_NONCE_RANDOM == 4 + DM_NONCE_ACCOUNT,
               "random octets stand for an account, too");


int
dm_nonce_make(dm_mac_t *mac, dm_nonce_random_t *random,
    const unsigned char *node, uint64_t now, const unsigned char *account,
    unsigned char *text)
{
    dm_wire_t      w;
    unsigned char  hash[DM_MAC_SIZE];
    unsigned char  drawn[DM_NONCE_RANDOM];
    unsigned char  encoded[DM_NONCE_LEN + 1];
    unsigned char  nonce[DM_NONCE_SIZE];

    if (dm_nonce_draw(random, drawn) != DM_OK) {
        return DM_ERROR;
    }

    dm_wire_init(&w, nonce, sizeof(nonce));
    dm_wire_put(&w, 1, account ? DM_NONCE_BOUND : DM_NONCE_ANY);
    dm_wire_put(&w, 7, now);
    dm_wire_put_octets(&w, node, DM_NONCE_NODE);
    dm_wire_put_octets(&w, drawn, DM_NONCE_RANDOM - DM_NONCE_ACCOUNT);
    dm_wire_put_octets(&w, account ? account
                                   : drawn + DM_NONCE_RANDOM - DM_NONCE_ACCOUNT,
                       DM_NONCE_ACCOUNT);

    if (dm_nonce_mac(mac, nonce, hash) != DM_OK) {
        return DM_ERROR;
    }

    dm_wire_put_octets(&w, hash, DM_NONCE_MAC);

    /* EVP_EncodeBlock() writes a NUL behind it */

    if (EVP_EncodeBlock(encoded, nonce, sizeof(nonce)) != DM_NONCE_LEN) {
        return DM_ERROR;
    }

    memcpy(text, encoded, DM_NONCE_LEN);

    return DM_OK;
}


/* one call of OpenSSL's for a few octets costs as much as for many */
static int
dm_nonce_draw(dm_nonce_random_t *random, unsigned char *out)
{
    if (random->left < DM_NONCE_RANDOM) {
        random->left = 0;

        if (RAND_bytes(random->octets, sizeof(random->octets)) != 1) {
            return DM_ERROR;
        }

        random->left = sizeof(random->octets);
    }

    random->left -= DM_NONCE_RANDOM;

    memcpy(out, random->octets + random->left, DM_NONCE_RANDOM);
    OPENSSL_cleanse(random->octets + random->left, DM_NONCE_RANDOM);

    return DM_OK;
}


int
dm_nonce_open(dm_mac_t *mac, dm_str_t text, dm_nonce_t *nonce)
{
    int            n;
    dm_wire_t      w;
    unsigned       version;
    unsigned char  slot[DM_SLOT_HASH];
    unsigned char  hash[DM_MAC_SIZE], octets[DM_NONCE_SIZE];

    _Static_assert(DM_SLOT_HASH - 16 == DM_MAC_SIZE - DM_NONCE_MAC,
                   "what is not sent is where the set comes from");

    if (text.len != DM_NONCE_LEN) {
        return DM_DECLINED;
    }

    n = EVP_DecodeBlock(octets, text.data, DM_NONCE_LEN);

    /* "=" is no padding here, and would be read as zero bits */

    if (n != DM_NONCE_SIZE || memchr(text.data, '=', text.len) != NULL) {
        return DM_DECLINED;
    }

    if (dm_nonce_mac(mac, octets, hash) != DM_OK) {
        return DM_ERROR;
    }

    if (CRYPTO_memcmp(hash, octets + DM_NONCE_CLEAR, DM_NONCE_MAC) != 0) {
        return DM_DECLINED;
    }

    dm_wire_init(&w, octets, sizeof(octets));
    version = (unsigned) dm_wire_get(&w, 1);
    nonce->issued = dm_wire_get(&w, 7);

    if (version != DM_NONCE_ANY && version != DM_NONCE_BOUND) {
        return DM_DECLINED;
    }

    nonce->bound = (version == DM_NONCE_BOUND);
    memcpy(nonce->account, octets + DM_NONCE_CLEAR - DM_NONCE_ACCOUNT,
           DM_NONCE_ACCOUNT);

    memcpy(slot, hash, 16);
    memcpy(slot + 16, hash + DM_NONCE_MAC, DM_MAC_SIZE - DM_NONCE_MAC);
    dm_table_slot(slot, &nonce->slot);

    return DM_OK;
}


static int
dm_nonce_mac(dm_mac_t *mac, const unsigned char *nonce, unsigned char *out)
{
    dm_str_t  part[2];

    part[0] = dm_str("nonce");
    part[1] = (dm_str_t) { nonce, DM_NONCE_CLEAR };

    return dm_mac_parts(mac, part, 2, out);
}


void
dm_nonce_first(dm_nonce_counts_t *counts, uint32_t nc)
{
    memset(counts, 0, sizeof(dm_nonce_counts_t));

    counts->highest = nc;
    dm_nonce_set(counts, nc, 1);
}


/*
 * A count has its place by itself, not by its distance from the highest, so
 * that nothing is shifted.  The highest is raised first: what lies between is
 * from then on used until it is said otherwise.
 */
int
dm_nonce_use(dm_nonce_counts_t *counts, uint32_t nc)
{
    uint32_t  i, highest;

    highest = counts->highest;

    if (nc <= highest) {

        if (highest - nc >= DM_NONCE_WINDOW || dm_nonce_is_used(counts, nc)) {
            return DM_DECLINED;
        }

        dm_nonce_set(counts, nc, 1);

        return DM_OK;
    }

    counts->highest = nc;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    for (i = 1; i < DM_NONCE_WINDOW && nc - i > highest; i++) {
        dm_nonce_set(counts, nc - i, 0);
    }

    dm_nonce_set(counts, nc, 1);

    return DM_OK;
}


static int
dm_nonce_is_used(const dm_nonce_counts_t *counts, uint32_t nc)
{
    nc %= DM_NONCE_WINDOW;

    return counts->used[nc / 8] >> (nc % 8) & 1;
}


static void
dm_nonce_set(dm_nonce_counts_t *counts, uint32_t nc, unsigned used)
{
    unsigned        bit;
    unsigned char  *p;

    nc %= DM_NONCE_WINDOW;

    p = &counts->used[nc / 8];
    bit = 1u << (nc % 8);

    *p = (unsigned char) (used ? *p | bit : *p & ~bit);
}
