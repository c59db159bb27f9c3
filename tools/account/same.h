/* The question whether a change changes anything */

#ifndef DM_ACCOUNT_SAME_H
#define DM_ACCOUNT_SAME_H

#include "dm_store_write.h"


/*
 * 1 if both are the same but for revision and time of change, else 0.  A hash
 * of crypt() of the same password is another one each time.
 */
int dm_same_account(const dm_account_t *a, const dm_account_t *b);

/*
 * 1 if account need not be put where old is, as it changes nothing: not for
 * others either, which dm_store_is_contested() is about; else 0.
 */
int dm_same_change(const dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account);

/* 1 if these are the same strings, in whatever order, else 0 */
int dm_same_strings(const dm_str_t *a, unsigned na, const dm_str_t *b,
    unsigned nb);


#endif /* DM_ACCOUNT_SAME_H */
