/* The account store in nginx: the master's check, each worker's environment */

#ifndef NGX_DM_SEC_STORE_H
#define NGX_DM_SEC_STORE_H


#include "ngx_dm_sec_zone.h"


/*
 * Reads the key and the store's meta data when the configuration is loaded.
 * NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_store_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);

/* a worker's start and end; a store that cannot be opened is tried again */
ngx_int_t ngx_dm_sec_store_init_process(ngx_cycle_t *cycle);
void ngx_dm_sec_store_exit_process(ngx_cycle_t *cycle);

/*
 * The store's number now, which is another one after each change, and where
 * the store was opened anew; 0: it cannot be told.  What was looked up is true
 * as long as this is the number that came with it, as search->version.
 */
uint64_t ngx_dm_sec_store_version(void);

/* the realm that the HA1s of the open store hold */
dm_str_t ngx_dm_sec_store_realm(void);

/*
 * Returns what the store says of itself now, for a challenge; NULL: none is
 * open, or it cannot be read.
 */
const dm_store_meta_t *ngx_dm_sec_store_meta(ngx_http_request_t *r);

/*
 * Returns what to challenge Digest with by default: what suits the accounts
 * now, or, if the store cannot be read, those that it had.  A change is logged.
 */
dm_challenge_t ngx_dm_sec_store_challenge(ngx_dm_sec_main_conf_t *dmcf,
    ngx_http_request_t *r);

/* the open store's id[DM_STORE_ID_SIZE] */
const u_char *ngx_dm_sec_store_id(void);

/* the state of the open store; NGX_OK, NGX_DECLINED: none is open */
ngx_int_t ngx_dm_sec_store_stat(dm_store_stat_t *stat);

/*
 * 1 if the store is older than "dm_sec_replica_stale" allows; else 0, also
 * where none is open.
 */
ngx_uint_t ngx_dm_sec_store_is_stale(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);

/*
 * The store's state for whoever watches it, the same in each worker: one that
 * has it not open tells what another saw.  All is 0 unless known, that is if
 * some process has it open.
 */
void ngx_dm_sec_store_state(ngx_dm_sec_main_conf_t *dmcf, ngx_uint_t known,
    ngx_dm_sec_store_state_t *state);


#endif /* NGX_DM_SEC_STORE_H */
