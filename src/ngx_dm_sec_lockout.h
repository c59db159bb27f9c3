/* Lockout: wrong credentials, counted per account and client address */

#ifndef NGX_DM_SEC_LOCKOUT_H
#define NGX_DM_SEC_LOCKOUT_H


#include "ngx_dm_sec.h"


typedef struct ngx_dm_sec_lockout_keys_s  ngx_dm_sec_lockout_keys_t;

/*
 * The one that tries a secret.  Failures are counted by what was claimed, a
 * name or a userhash: that two of them are one account's must not show.
 */
typedef struct {
    ngx_str_t    claimed;
    ngx_str_t    name;              /* of the account, if it is known */
    ngx_uint_t   known;
    uint32_t     unlocks;           /* of the account: "dm-account unlock" */
    ngx_uint_t   detail;            /* of the lock, if he is locked */

    /* of all that is above but the detail, made once, when it is needed */
    ngx_dm_sec_lockout_keys_t  *keys;
} ngx_dm_sec_claimant_t;


/* setter of dm_sec_lockout */
char *ngx_dm_sec_lockout_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* gives their defaults to the fields that are not set */
void ngx_dm_sec_lockout_init(ngx_dm_sec_lockout_t *lockout);

/*
 * Asks whether a claimant may try.  NGX_OK; NGX_DECLINED: the claim is locked,
 * *retry has the seconds that are left, and who->detail by which lock;
 * NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_lockout_may(ngx_http_request_t *r,
    ngx_dm_sec_claimant_t *who, ngx_uint_t *retry);

/*
 * Counts wrong credentials.  NGX_OK: they count, and the client may learn that
 * they are wrong; NGX_DECLINED: a lock came while they were looked at, as
 * above; NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_lockout_fail(ngx_http_request_t *r,
    ngx_dm_sec_claimant_t *who, ngx_uint_t *retry);


/* a claimant that failed, as a cell keeps it for the status page */
typedef struct {
    u_char       known;
    u_char       family;            /* 4, 6; 0: no address */
    u_char       address[8];        /* IPv4, or the /64 of IPv6 */
    u_char       name[19];          /* its beginning; none: of an address */
} ngx_dm_sec_failure_t;


#endif /* NGX_DM_SEC_LOCKOUT_H */
