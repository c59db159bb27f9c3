/* The memory that all workers share: secret, tables, counters */

#ifndef NGX_DM_SEC_ZONE_H
#define NGX_DM_SEC_ZONE_H


#include "ngx_dm_sec.h"

#include "dm_failures.h"
#include "dm_mac.h"
#include "dm_nonce.h"
#include "dm_store_stamp.h"
#include "dm_table.h"


#define NGX_DM_SEC_SUITES  256      /* that are counted */


/* why a handshake failed */
typedef enum {
    NGX_DM_SEC_HS_PSK_UNKNOWN = 0,
    NGX_DM_SEC_HS_PSK_WRONG,
    NGX_DM_SEC_HS_PSK_STORE,
    NGX_DM_SEC_HS_TLS_PROTOCOL,
    NGX_DM_SEC_HS_TLS_CIPHER,
    NGX_DM_SEC_HS_TLS_OTHER,
    NGX_DM_SEC_HS_MAX
} ngx_dm_sec_handshake_e;


/* the store that a process died in; the dying process writes it, unlocked */
typedef struct {
    ngx_atomic_t      blamed;           /* and the stamp is whole */
    ngx_atomic_t      said;
    dm_store_stamp_t  stamp;
} ngx_dm_sec_damage_t;


/*
 * The memory that all workers share.  It survives a reload, unless the zone's
 * size changes.  The tables are touched under the lock only; counters are
 * atomic.
 */
typedef struct {
    u_char          secret[DM_MAC_SIZE];
    u_char          node[DM_NONCE_NODE];    /* whose nonces these are */

    dm_table_t     *nonces;
    dm_failures_t  *failures;
    dm_table_t     *passwords;

    ngx_atomic_t    clock;              /* ms: see ngx_dm_sec_zone_clock() */
    ngx_atomic_t    failures_until;     /* ms: no counter lives longer */
    ngx_atomic_t    lockout_overflow;

    ngx_atomic_t    verified[NGX_DM_SEC_METHODS];
    ngx_atomic_t    denied[NGX_DM_SEC_R_MAX];
    ngx_atomic_t    versions[DM_VERSIONS];
    ngx_atomic_t    suites[NGX_DM_SEC_SUITES];
    ngx_atomic_t    handshakes[NGX_DM_SEC_HS_MAX];

    ngx_dm_sec_damage_t  damage;
} ngx_dm_sec_shared_t;


/* setter of dm_sec_zone */
char *ngx_dm_sec_zone_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* adds the zone, of the default size where none was named */
ngx_int_t ngx_dm_sec_zone_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);

/* returns it; NULL in a configuration that is only tested */
ngx_dm_sec_shared_t *ngx_dm_sec_zone_shared(ngx_dm_sec_main_conf_t *dmcf);

void ngx_dm_sec_zone_lock(ngx_dm_sec_main_conf_t *dmcf);
void ngx_dm_sec_zone_unlock(ngx_dm_sec_main_conf_t *dmcf);

/*
 * The time that nonces are issued and expire by, ms: the latest that any
 * worker ever read from the monotonic clock.  It never goes back, also where
 * that clock does, or where one worker is a little behind another.
 */
uint64_t ngx_dm_sec_zone_clock(ngx_dm_sec_shared_t *sh);

/* moves that clock on to time (ms), unless it is there; returns the clock */
uint64_t ngx_dm_sec_zone_reach(ngx_dm_sec_shared_t *sh, uint64_t time);

/* HMAC under the zone's secret; NULL: no memory */
dm_mac_t *ngx_dm_sec_zone_mac(ngx_dm_sec_shared_t *sh);

/* the place of a key in a table; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_zone_slot(ngx_dm_sec_main_conf_t *dmcf,
    const dm_str_t *part, size_t n, dm_slot_t *slot);


#endif /* NGX_DM_SEC_ZONE_H */
