/* Rows: the present accounts, as the engine has them */

#ifndef DM_FLEET_ROW_H
#define DM_FLEET_ROW_H


#include "dm_fleet.h"


#define DM_FLEET_ROW_MAX  (1 + 8 + DM_RECORD_MAX + DM_SEAL_OVERHEAD)


typedef struct {
    uint64_t  number;               /* of the entry that wrote it */
    dm_str_t  octets;               /* as dm_account_pack() has them */
} dm_fleet_row_t;


/*
 * Writes the row of the account with that id, which is octets, as of entry
 * number, into out[DM_FLEET_ROW_MAX], and its key into key[DM_FLEET_KEY].
 * The root must be known.  DM_OK or DM_ERROR with err.
 */
int dm_fleet_row_write(dm_fleet_t *fleet, dm_str_t id, dm_str_t octets,
    uint64_t number, unsigned char *key, unsigned char *out, size_t *outlen,
    dm_err_t *err);

/*
 * Reads the row that stands under key, and opens it in place: row and account
 * point into data, which the caller wipes.  DM_OK; DM_INVALID or DM_ERROR, and
 * data is wiped.  That a row is the newest one only the sum of all tells.
 */
int dm_fleet_row_read(dm_fleet_t *fleet, dm_str_t key, unsigned char *data,
    size_t len, dm_fleet_row_t *row, dm_account_t *account, dm_err_t *err);


#endif /* DM_FLEET_ROW_H */
