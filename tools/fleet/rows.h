/*
 * The rows that an entry leaves behind, one for each of its changes: of several
 * for one account the engine takes the last.
 */

#ifndef DM_FLEET_ROWS_H
#define DM_FLEET_ROWS_H


#include "dm_fleet_entry.h"
#include "dm_fleet_row.h"
#include "fleet/engine.h"


/* octets of all bodies */
#define DM_ROWS_OCTETS                                                        \
    (DM_FLEET_CHANGES_MAX + DM_FLEET_ROW_MAX                                  \
     + DM_FLEET_CHANGES * (DM_FLEET_ROW_MAX - DM_RECORD_MAX))


typedef struct {
    unsigned         n;
    dm_engine_row_t  row[DM_FLEET_CHANGES];

    size_t           len;
    unsigned char    key[DM_FLEET_CHANGES][DM_FLEET_KEY];
    unsigned char    octets[DM_ROWS_OCTETS];
} dm_rows_t;


/* begins those of the next entry */
void dm_rows_start(dm_rows_t *rows);

/*
 * Adds the row that the account of that id has after a change of the entry of
 * that number; what is as in the entry, which has no more than
 * DM_FLEET_CHANGES.  DM_OK or DM_ERROR.
 */
int dm_rows_add(dm_rows_t *rows, dm_fleet_t *fleet, dm_fleet_kind_t kind,
    dm_str_t id, dm_str_t what, uint64_t number, dm_err_t *err);


#endif /* DM_FLEET_ROWS_H */
