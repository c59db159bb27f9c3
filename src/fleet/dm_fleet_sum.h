/*
 * A sum over all accounts, whatever their order: who has the same has the same
 * accounts.  1,024 numbers of 16 bits are added, each by itself, which is
 * LtHash (Bellare and Micciancio 1997; Lewi, Kim, Maykov and Weis 2019).  An
 * account's share is AES-256-CTR under the HMAC of all that it holds.  Nobody
 * can make other accounts of the same sum, also who has the key; the key is
 * there that the sum tells nothing of the accounts.
 */

#ifndef DM_FLEET_SUM_H
#define DM_FLEET_SUM_H


#include "dm.h"
#include "dm_fleet_derive.h"


#define DM_FLEET_LANES     1024
#define DM_FLEET_SUM_SIZE  (2 * DM_FLEET_LANES)     /* octets */
#define DM_FLEET_ROOT      32                       /* octets of the root */


/* all 0: of no accounts */
typedef struct {
    uint16_t  lane[DM_FLEET_LANES];
} dm_fleet_sum_t;

typedef struct dm_fleet_adder_s  dm_fleet_adder_t;


/* for the store with root[DM_FLEET_ROOT] and store_id; NULL if OpenSSL fails */
dm_fleet_adder_t *dm_fleet_adder_new(const unsigned char *root,
    const unsigned char *store_id);

/* wipes; NULL is accepted */
void dm_fleet_adder_free(dm_fleet_adder_t *adder);

/*
 * Adds an account, as dm_account_pack() has it, or takes it out.  Taking out
 * what was added leaves the sum as it was before.  DM_OK, or DM_ERROR and it is
 * as it was.
 */
int dm_fleet_add(dm_fleet_adder_t *adder, dm_fleet_sum_t *sum,
    dm_str_t account);
int dm_fleet_remove(dm_fleet_adder_t *adder, dm_fleet_sum_t *sum,
    dm_str_t account);

/* its octets into out[DM_FLEET_SUM_SIZE], the same on each machine, and back */
void dm_fleet_sum_write(const dm_fleet_sum_t *sum, unsigned char *out);
void dm_fleet_sum_read(dm_fleet_sum_t *sum, const unsigned char *octets);

/* SHA-256 of these, into out[DM_FLEET_HASH].  DM_OK or DM_ERROR */
int dm_fleet_sum_digest(const dm_fleet_sum_t *sum, unsigned char *out);


#endif /* DM_FLEET_SUM_H */
