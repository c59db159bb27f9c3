/*
 * Nonces of Digest: made without remembering them, known again by their MAC.
 * 48 octets, in Base64:
 *
 *     version (8) | issued, ms (56) | node (64) | random (64) | MAC (192)
 *
 * The MAC is the beginning of HMAC-SHA256 under the zone's secret; what is
 * left of it is not sent, and says where the nonce lies in a table: nobody
 * outside can tell which nonces share a set.
 */

#ifndef DM_NONCE_H
#define DM_NONCE_H


#include "dm.h"
#include "dm_mac.h"
#include "dm_table.h"


#define DM_NONCE_LEN     64     /* characters */
#define DM_NONCE_NODE     8     /* octets that name who issues */
#define DM_NONCE_WINDOW 128     /* nonce counts that are remembered */


typedef struct {
    uint64_t       issued;      /* ms */
    dm_slot_t      slot;
} dm_nonce_t;


/* of one nonce: which counts were used, the highest and those below it */
typedef struct {
    uint32_t       highest;
    unsigned char  used[DM_NONCE_WINDOW / 8];
} dm_nonce_counts_t;


/*
 * A new nonce into text[DM_NONCE_LEN], issued at now (ms, 56 bits) by
 * node[DM_NONCE_NODE].  DM_OK or DM_ERROR.
 */
int dm_nonce_make(dm_mac_t *mac, const unsigned char *node, uint64_t now,
    unsigned char *text);

/*
 * Reads a nonce as it came back.  DM_OK; DM_DECLINED: it was not made with
 * this secret, which says nothing of who made it; DM_ERROR.
 */
int dm_nonce_open(dm_mac_t *mac, dm_str_t text, dm_nonce_t *nonce);

/* of a nonce that was first answered with this count, from 1 on */
void dm_nonce_first(dm_nonce_counts_t *counts, uint32_t nc);

/*
 * Uses a count up: DM_OK, once for each; DM_DECLINED: it was used before, or
 * is too far below the highest to tell.  A process that dies in the middle may
 * leave counts that look used, none that could be used twice.
 */
int dm_nonce_use(dm_nonce_counts_t *counts, uint32_t nc);


#endif /* DM_NONCE_H */
