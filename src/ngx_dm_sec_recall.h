/* What a connection proved: the account, while the store is unchanged */

#ifndef NGX_DM_SEC_RECALL_H
#define NGX_DM_SEC_RECALL_H


#include "ngx_dm_sec.h"


/* for each kind of credential the last one */
typedef enum {
    NGX_DM_SEC_RECALL_HTTP = 0,     /* a name or a userhash */
    NGX_DM_SEC_RECALL_CERT,
    NGX_DM_SEC_RECALL_PSK,
    NGX_DM_SEC_RECALL_KINDS
} ngx_dm_sec_recall_e;


/* when a certificate is valid, seconds since 1970 */
typedef struct {
    X509         *cert;             /* whose times these are; NULL: of none */
    time_t        not_before;
    time_t        not_after;
} ngx_dm_sec_validity_t;


/*
 * What a look-up by this key would give now: NGX_OK, and *account as from
 * ngx_dm_sec_store_lookup(); NGX_DECLINED: look it up.
 */
ngx_int_t ngx_dm_sec_recall(ngx_http_request_t *r, ngx_dm_sec_recall_e kind,
    ngx_uint_t index, dm_str_t key, dm_account_t **account);

/*
 * Remembers the account of the last look-up for its connection, as it was in
 * that version of the store, from ngx_dm_sec_store_looked(): if other look-ups
 * led to it, they read the same one.  0: it is not remembered.  Only after its
 * credential was verified: who knows no secret must not learn, from the time
 * that it takes, which accounts there are.
 */
void ngx_dm_sec_remember(ngx_http_request_t *r, ngx_dm_sec_recall_e kind,
    ngx_uint_t index, dm_str_t key, dm_account_t *account, uint64_t version);

/*
 * Where a connection keeps when its certificate is valid, zeroed before its
 * first use; NULL: no memory.
 */
ngx_dm_sec_validity_t *ngx_dm_sec_recall_validity(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_RECALL_H */
