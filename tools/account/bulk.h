/* One change of each account of a list */

#ifndef DM_ACCOUNT_BULK_H
#define DM_ACCOUNT_BULK_H

#include "account/cli_store.h"


typedef struct {
    const char  *path;                      /* of the list, or NULL */
    int          by_name;                   /* lines are names, not IDs */
    int          keep_going;
} dm_bulk_t;


/*
 * Does change to each account of the list, in one transaction, and prints what
 * came of it.  A bad line is told by its number; then nothing is changed, or
 * with keep_going the others.
 */
int dm_bulk_change(dm_cli_t *cli, const dm_bulk_t *bulk,
    void (*change)(dm_account_t *account), const char *result);


#endif /* DM_ACCOUNT_BULK_H */
