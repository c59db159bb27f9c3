/* The account store in nginx: the master's check, each worker's environment */

#ifndef NGX_DM_SEC_STORE_H
#define NGX_DM_SEC_STORE_H


#include "ngx_dm_sec.h"


/*
 * Reads the key and the store's meta data when the configuration is loaded.
 * NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_store_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);

/* a worker's start and end; a store that cannot be opened is tried again */
ngx_int_t ngx_dm_sec_store_init_process(ngx_cycle_t *cycle);
void ngx_dm_sec_store_exit_process(ngx_cycle_t *cycle);

/*
 * Looks an account up.  NGX_OK; NGX_DECLINED: unknown, and *account is a
 * decoy that matches nothing, to go on with as if it were known; NGX_ERROR:
 * the store failed, logged.  *account, with its secrets, is the worker's one
 * buffer: copy what is to stay, then call ngx_dm_sec_store_release(), after
 * NGX_OK and NGX_DECLINED alike, before the next look-up.
 */
ngx_int_t ngx_dm_sec_store_lookup(ngx_http_request_t *r,
    dm_store_index_t index, ngx_str_t *key, dm_account_t **account);
void ngx_dm_sec_store_release(void);

/* the same before there is a request */
ngx_int_t ngx_dm_sec_store_find(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log,
    dm_store_index_t index, ngx_str_t *key, dm_account_t **account);

/*
 * Numbers that are others after each change of the store, and where it was
 * opened anew; 0: it cannot be told.  The one is the store's now, the other
 * that of what the last look-up has read: what is remembered is remembered
 * under ngx_dm_sec_store_looked(), and is true as long as
 * ngx_dm_sec_store_version() is the same.
 */
uint64_t ngx_dm_sec_store_version(void);
uint64_t ngx_dm_sec_store_looked(void);

/* the record that *account of the last look-up points into */
dm_str_t ngx_dm_sec_store_record(void);

/* the realm that the HA1s of the open store hold */
dm_str_t ngx_dm_sec_store_realm(void);

/*
 * What the store says of itself now, for a challenge; NULL: none is open, or
 * it cannot be read.
 */
const dm_store_meta_t *ngx_dm_sec_store_meta(ngx_http_request_t *r);

/* the open store's id[DM_STORE_ID_SIZE] */
const u_char *ngx_dm_sec_store_id(void);

/* the state of the open store; NGX_OK, NGX_DECLINED: none is open */
ngx_int_t ngx_dm_sec_store_stat(dm_store_stat_t *stat);

/* the parts without secrets, in the pool; NULL: no memory */
ngx_dm_sec_account_t *ngx_dm_sec_store_copy(ngx_pool_t *pool,
    dm_account_t *account);

/* copies src into the pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_store_dup(ngx_pool_t *pool, dm_str_t src,
    ngx_str_t *dst);


#endif /* NGX_DM_SEC_STORE_H */
