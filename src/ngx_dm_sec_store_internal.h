/* The look-up in the store, which ngx_dm_sec_account_find() alone makes */

#ifndef NGX_DM_SEC_STORE_INTERNAL_H
#define NGX_DM_SEC_STORE_INTERNAL_H


#include "ngx_dm_sec_store.h"


/* a look-up fills this */
typedef struct {
    uint64_t       version;         /* the store's number that it has read */
    uint64_t       opened;          /* the opening of the store */
    dm_account_t   account;         /* points into the record */
    size_t         len;
    u_char         record[DM_RECORD_MAX];       /* with secrets */
    size_t         sealed_len;
    u_char         sealed[DM_RECORD_MAX];       /* as the store has it */
} ngx_dm_sec_found_t;


/*
 * Looks an account up.  NGX_OK; NGX_DECLINED: unknown, and found has a decoy
 * that matches nothing, to go on with as if it were known; NGX_ERROR: the
 * store failed, logged.  After each of them found is to be wiped, before
 * anything else is looked up into it.
 */
ngx_int_t ngx_dm_sec_store_lookup(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log, dm_store_index_t index, dm_str_t key,
    ngx_dm_sec_found_t *found);
void ngx_dm_sec_store_wipe(ngx_dm_sec_found_t *found);

/*
 * Looks whether that account, of which found had opened and sealed, is still
 * true, for less than a look-up: NGX_OK, and *version is the number that it is
 * true of; NGX_DECLINED: look it up.
 */
ngx_int_t ngx_dm_sec_store_same(uint64_t opened, dm_str_t sealed,
    const dm_account_t *account, uint64_t *version);


#endif /* NGX_DM_SEC_STORE_INTERNAL_H */
