/* Nonces of Digest: issued without a trace, remembered once they were used */

#include "ngx_dm_sec_nonce.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_zone.h"


#define NGX_DM_SEC_EVICTED_PERIOD  60000        /* ms between warnings */

/* a cell has the account of its nonce and, from this offset, the counts */
#define NGX_DM_SEC_COUNTS          (DM_CELL_DATA - sizeof(dm_nonce_counts_t))

#define ngx_dm_sec_nonce_counts(cell)                                         \
    ((dm_nonce_counts_t *) (void *) ((cell)->data + NGX_DM_SEC_COUNTS))


static ngx_uint_t ngx_dm_sec_nonce_same(const u_char *a, const u_char *b);
static ngx_int_t ngx_dm_sec_nonce_account(ngx_dm_sec_shared_t *sh,
    dm_str_t id, u_char *account);
static ngx_uint_t ngx_dm_sec_nonce_alive(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce, uint64_t now);
static ngx_dm_sec_reason_e ngx_dm_sec_nonce_count(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce, uint32_t nc, uint64_t now,
    ngx_uint_t *detail);
static void ngx_dm_sec_nonce_warn(ngx_http_request_t *r,
    ngx_dm_sec_main_conf_t *dmcf, uint64_t evicted);


_Static_assert(NGX_DM_SEC_COUNTS >= DM_NONCE_ACCOUNT
               && (offsetof(dm_cell_t, data) + NGX_DM_SEC_COUNTS)
                  % _Alignof(dm_nonce_counts_t) == 0,
               "a nonce's counts are aligned at the end of a cell");


ngx_int_t
ngx_dm_sec_nonce_make(ngx_dm_sec_main_conf_t *dmcf, ngx_str_t *id,
    u_char *text)
{
    u_char                account[DM_NONCE_ACCOUNT];
    dm_mac_t             *mac;
    ngx_dm_sec_shared_t  *sh;

    static ngx_pid_t          pid;
    static dm_nonce_random_t  random;

    sh = ngx_dm_sec_zone_shared(dmcf);
    mac = ngx_dm_sec_zone_mac(sh);

    if (mac == NULL) {
        return NGX_ERROR;
    }

    /* octets that were fetched before a fork are the other process's */

    if (pid != ngx_pid) {
        pid = ngx_pid;
        ngx_explicit_memzero(&random, sizeof(dm_nonce_random_t));
    }

    if (id
        && ngx_dm_sec_nonce_account(sh, ngx_dm_sec_set_dm_str(*id), account)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return dm_nonce_make(mac, &random, sh->node, ngx_dm_sec_zone_clock(sh),
                         id ? account : NULL, text)
           == DM_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_dm_sec_nonce_open(ngx_dm_sec_main_conf_t *dmcf, dm_str_t text,
    dm_str_t id, ngx_dm_sec_derived_t *derived, ngx_dm_sec_nonce_t *nonce)
{
    int                   rc;
    dm_mac_t             *mac;
    ngx_dm_sec_shared_t  *sh;

    sh = ngx_dm_sec_zone_shared(dmcf);
    mac = ngx_dm_sec_zone_mac(sh);

    if (mac == NULL
        || (!derived->has_account
            && ngx_dm_sec_nonce_account(sh, id, derived->account) != NGX_OK))
    {
        return NGX_ERROR;
    }

    derived->has_account = 1;
    ngx_memcpy(nonce->account, derived->account, DM_NONCE_ACCOUNT);

    if (derived->has_nonce
        && text.len == DM_NONCE_LEN
        && ngx_dm_sec_nonce_same(derived->text, text.data))
    {
        nonce->nonce = derived->nonce;
        nonce->ours = 1;
        return NGX_OK;
    }

    rc = dm_nonce_open(mac, text, &nonce->nonce);

    nonce->ours = (rc == DM_OK);

    if (nonce->ours) {
        derived->has_nonce = 1;
        ngx_memcpy(derived->text, text.data, DM_NONCE_LEN);
        derived->nonce = nonce->nonce;

        EVP_MD_CTX_free(derived->begun);
        derived->begun = NULL;
    }

    return rc == DM_ERROR ? NGX_ERROR : NGX_OK;
}


/* as CRYPTO_memcmp(), in constant time, but eight octets at a time */
static ngx_uint_t
ngx_dm_sec_nonce_same(const u_char *a, const u_char *b)
{
    uint64_t    x, y, differ;
    ngx_uint_t  i;

    differ = 0;

    for (i = 0; i < DM_NONCE_LEN; i += sizeof(uint64_t)) {
        ngx_memcpy(&x, a + i, sizeof(uint64_t));
        ngx_memcpy(&y, b + i, sizeof(uint64_t));

        differ |= x ^ y;
    }

    return differ == 0;
}


/* makes the octets that stand for an account in a nonce and in a cell */
static ngx_int_t
ngx_dm_sec_nonce_account(ngx_dm_sec_shared_t *sh, dm_str_t id,
    u_char *account)
{
    u_char     hash[DM_MAC_SIZE];
    dm_str_t   part[2];
    dm_mac_t  *mac;

    part[0] = dm_str("nonce account");
    part[1] = id;

    mac = ngx_dm_sec_zone_mac(sh);

    if (mac == NULL || dm_mac_parts(mac, part, 2, hash) != DM_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(account, hash, DM_NONCE_ACCOUNT);

    return NGX_OK;
}


/* 1 if it has not expired, and was made for nobody else */
static ngx_uint_t
ngx_dm_sec_nonce_alive(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce, uint64_t now)
{
    if (!nonce->ours || now >= nonce->nonce.issued + dmcf->nonce_lifetime) {
        return 0;
    }

    return !nonce->nonce.bound
           || ngx_memcmp(nonce->nonce.account, nonce->account,
                         DM_NONCE_ACCOUNT)
              == 0;
}


ngx_uint_t
ngx_dm_sec_nonce_bound(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce)
{
    uint64_t              now;
    dm_cell_t            *cell;
    ngx_uint_t            bound;
    ngx_dm_sec_shared_t  *sh;

    sh = ngx_dm_sec_zone_shared(dmcf);
    now = ngx_dm_sec_zone_clock(sh);

    if (!ngx_dm_sec_nonce_alive(dmcf, nonce, now)) {
        return 0;
    }

    if (nonce->nonce.bound) {
        return 1;
    }

    ngx_dm_sec_zone_lock(dmcf);

    cell = dm_table_find(sh->nonces, &nonce->nonce.slot, now);

    bound = cell && ngx_memcmp(cell->data, nonce->account, DM_NONCE_ACCOUNT)
                    == 0;

    ngx_dm_sec_zone_unlock(dmcf);

    return bound;
}


ngx_dm_sec_reason_e
ngx_dm_sec_nonce_use(ngx_http_request_t *r, ngx_dm_sec_nonce_t *nonce,
    uint32_t nc, ngx_uint_t *detail)
{
    uint64_t                 now, evicted;
    ngx_dm_sec_reason_e      reason;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);
    now = ngx_dm_sec_zone_clock(sh);

    *detail = NGX_DM_SEC_D_NONE;

    if (!ngx_dm_sec_nonce_alive(dmcf, nonce, now)) {
        *detail = !nonce->ours ? NGX_DM_SEC_D_NONCE_OTHER_NODE
                  : now >= nonce->nonce.issued + dmcf->nonce_lifetime
                  ? NGX_DM_SEC_D_NONCE_EXPIRED
                  : NGX_DM_SEC_D_NONCE_OTHER_ACCOUNT;
        return NGX_DM_SEC_R_STALE_NONCE;
    }

    ngx_dm_sec_zone_lock(dmcf);

    evicted = dm_table_evicted(sh->nonces);
    reason = ngx_dm_sec_nonce_count(dmcf, nonce, nc, now, detail);
    evicted = dm_table_evicted(sh->nonces) - evicted;

    ngx_dm_sec_zone_unlock(dmcf);

    if (evicted) {
        ngx_dm_sec_nonce_warn(r, dmcf, dm_table_evicted(sh->nonces));
    }

    return reason;
}


/*
 * Under the lock.  A nonce without a cell that is not newer than all that were
 * ever removed from its set may have been one of them.
 */
static ngx_dm_sec_reason_e
ngx_dm_sec_nonce_count(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_nonce_t *nonce, uint32_t nc, uint64_t now, ngx_uint_t *detail)
{
    dm_cell_t            *cell;
    dm_slot_t            *slot;
    ngx_dm_sec_shared_t  *sh;

    sh = ngx_dm_sec_zone_shared(dmcf);
    slot = &nonce->nonce.slot;

    cell = dm_table_find(sh->nonces, slot, now);

    if (cell) {

        if (ngx_memcmp(cell->data, nonce->account, DM_NONCE_ACCOUNT) != 0) {
            *detail = NGX_DM_SEC_D_NONCE_OTHER_ACCOUNT;
            return NGX_DM_SEC_R_STALE_NONCE;
        }

        return dm_nonce_use(ngx_dm_sec_nonce_counts(cell), nc) == DM_OK
               ? NGX_DM_SEC_R_NONE : NGX_DM_SEC_R_REPLAY;
    }

    if (nonce->nonce.issued <= dm_table_horizon(sh->nonces, slot)) {
        *detail = NGX_DM_SEC_D_NONCE_EVICTED;
        return NGX_DM_SEC_R_STALE_NONCE;
    }

    cell = dm_table_take(sh->nonces, slot, now, NULL, NULL);

    /* a nonce that is issued from here on is newer than what was removed */

    (void) ngx_dm_sec_zone_reach(sh, dm_table_horizon(sh->nonces, slot) + 1);

    cell->stamp = nonce->nonce.issued;
    cell->expires = nonce->nonce.issued + dmcf->nonce_lifetime;
    ngx_memcpy(cell->data, nonce->account, DM_NONCE_ACCOUNT);
    dm_nonce_first(ngx_dm_sec_nonce_counts(cell), nc);

    dm_table_put(cell, slot);

    return NGX_DM_SEC_R_NONE;
}


ngx_uint_t
ngx_dm_sec_nonce_ages(ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_nonce_t *nonce)
{
    uint64_t  now;

    now = ngx_dm_sec_zone_clock(ngx_dm_sec_zone_shared(dmcf));

    return now - nonce->nonce.issued > dmcf->nonce_lifetime / 4 * 3;
}


/* a device whose nonce is gone logs in anew, and nothing else is lost */
static void
ngx_dm_sec_nonce_warn(ngx_http_request_t *r, ngx_dm_sec_main_conf_t *dmcf,
    uint64_t evicted)
{
    static ngx_msec_t  said;

    if (said && ngx_current_msec - said < NGX_DM_SEC_EVICTED_PERIOD) {
        return;
    }

    said = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "dm_sec: no room for all nonces in use, %uL were dropped so "
                  "far, and their devices had to log in anew: write "
                  "\"dm_sec_zone %V:%uzk\"", evicted, &dmcf->zone_name,
                  (size_t) dmcf->zone_size / 1024 * 2);
}
