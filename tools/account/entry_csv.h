/* The columns of a CSV file, which its header line names */

#ifndef DM_ACCOUNT_ENTRY_CSV_H
#define DM_ACCOUNT_ENTRY_CSV_H

#include "account/csv.h"
#include "account/entry.h"


typedef struct dm_columns_s {
    dm_csv_t  *csv;
    unsigned   n;                           /* 0: they are not known yet */
    unsigned   column[DM_CSV_CELLS];        /* of each cell, in the table */
} dm_columns_t;


/* NULL: out of memory; dm_columns_free() wipes what was read */
dm_columns_t *dm_columns_make(void);
void dm_columns_free(dm_columns_t *columns);

/* the line where the last record begins */
uint64_t dm_columns_line(const dm_columns_t *columns);

/*
 * Says that there are no more lines.  DM_OK; DM_INVALID with err: the last
 * record is not whole; DM_ERROR: there is no header line.
 */
int dm_columns_end(dm_columns_t *columns, dm_err_t *err);


#endif /* DM_ACCOUNT_ENTRY_CSV_H */
