/* The accounts that lines of one file have made or changed so far */

#ifndef DM_ACCOUNT_SEEN_H
#define DM_ACCOUNT_SEEN_H

#include "dm_store.h"


typedef struct {
    void  *root;                            /* of tsearch(3) */
} dm_seen_t;


/*
 * The number of the line that set a part of the account id, which is "" for
 * the account as such; 0: no line did.
 */
uint64_t dm_seen_line(const dm_seen_t *seen, dm_str_t id, dm_str_t part);

/* remembers that line, if no other has set that part.  DM_OK or DM_ERROR */
int dm_seen_add(dm_seen_t *seen, dm_str_t id, dm_str_t part, uint64_t line,
    dm_err_t *err);

/*
 * Adds to err, which says that a name, a PSK identity or a certificate key of
 * account is another's, the line that made or changed that one, if one did.
 */
void dm_seen_tell(const dm_seen_t *seen, dm_store_t *store,
    const dm_account_t *account, dm_err_t *err);

void dm_seen_free(dm_seen_t *seen);


#endif /* DM_ACCOUNT_SEEN_H */
