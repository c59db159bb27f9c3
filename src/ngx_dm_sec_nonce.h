/* Nonces of Digest: issued without a trace, remembered once they were used */

#ifndef NGX_DM_SEC_NONCE_H
#define NGX_DM_SEC_NONCE_H


#include "ngx_dm_sec.h"
#include "ngx_dm_sec_account.h"

#include "dm_nonce.h"


/* a nonce that came back, and the account that is to use it */
typedef struct {
    dm_nonce_t    nonce;
    ngx_uint_t    ours;             /* made under this zone's secret */
    u_char        account[DM_NONCE_ACCOUNT];
} ngx_dm_sec_nonce_t;


/*
 * Writes a new nonce to text[DM_NONCE_LEN].  It is for the account with this
 * id; where id is NULL, for the one that answers it first.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_nonce_make(ngx_dm_sec_main_conf_t *dmcf, ngx_str_t *id,
    u_char *text);

/*
 * Reads one for the account with this id, which derived is of; NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_nonce_open(ngx_dm_sec_main_conf_t *dmcf, dm_str_t text,
    dm_str_t id, ngx_dm_sec_derived_t *derived, ngx_dm_sec_nonce_t *nonce);

/* 1 if the nonce is alive and nobody but the account can use it, else 0 */
ngx_uint_t ngx_dm_sec_nonce_bound(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce);

/*
 * Uses a count of the nonce up, after the answer was found right.  Returns
 * NGX_DM_SEC_R_NONE once; NGX_DM_SEC_R_STALE_NONCE: it has expired, is
 * forgotten, is another account's or another node's; NGX_DM_SEC_R_REPLAY: the
 * count was used before, or is too old to tell.  *detail says which.
 */
ngx_dm_sec_reason_e ngx_dm_sec_nonce_use(ngx_http_request_t *r,
    ngx_dm_sec_nonce_t *nonce, uint32_t nc, ngx_uint_t *detail);

/* 1 if a nonce that was used just now should be followed by another */
ngx_uint_t ngx_dm_sec_nonce_ages(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce);


#endif /* NGX_DM_SEC_NONCE_H */
