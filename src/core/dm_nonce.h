/*
 * Nonces of Digest: made without remembering them, known again by their MAC.
 * 48 octets, in Base64:
 *
 *     version (8) | issued, ms (56) | node (32) | random (32)
 *     | account (64) | MAC (192)
 *
 * One that was made for an account says so in version and account; in another
 * one these are random too.
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
#define DM_NONCE_NODE     4     /* octets that name who issues */
#define DM_NONCE_ACCOUNT  8     /* octets of a keyed hash of an account's id */
#define DM_NONCE_RANDOM  12     /* octets that are fetched for each */
#define DM_NONCE_WINDOW 128     /* nonce counts that are remembered */


typedef struct {
    uint64_t       issued;      /* ms */
    unsigned       bound;       /* 1: it was made for this account */
    unsigned char  account[DM_NONCE_ACCOUNT];
    dm_slot_t      slot;
} dm_nonce_t;


/*
 * The counts of a nonce that were used: the highest, and a bit for each below.
 */
typedef struct {
    uint32_t       highest;
    unsigned char  used[DM_NONCE_WINDOW / 8];
} dm_nonce_counts_t;


/*
 * Random octets of the nonces to come, which are fetched together; zeroed at
 * first.  They are of one process: after a fork each begins with its own.
 */
typedef struct {
    size_t         left;
    unsigned char  octets[40 * DM_NONCE_RANDOM];
} dm_nonce_random_t;


/*
 * Writes a new nonce into text[DM_NONCE_LEN], issued at now (ms, 56 bits) by
 * node[DM_NONCE_NODE], for account[DM_NONCE_ACCOUNT], or for any if that is
 * NULL.  DM_OK or DM_ERROR.
 */
int dm_nonce_make(dm_mac_t *mac, dm_nonce_random_t *random,
    const unsigned char *node, uint64_t now, const unsigned char *account,
    unsigned char *text);

/*
 * Reads a nonce as it came back.  DM_OK; DM_DECLINED: it was not made with
 * this secret, which says nothing of who made it; DM_ERROR.
 */
int dm_nonce_open(dm_mac_t *mac, dm_str_t text, dm_nonce_t *nonce);

/* begins the counts of a nonce with nc, which is used then */
void dm_nonce_first(dm_nonce_counts_t *counts, uint32_t nc);

/*
 * Uses a count up: DM_OK, once for each; DM_DECLINED: it was used before, or
 * is too far below the highest to tell.  A process that dies in the middle may
 * leave counts that look used, none that could be used twice.
 */
int dm_nonce_use(dm_nonce_counts_t *counts, uint32_t nc);


#endif /* DM_NONCE_H */
