/* The memory that all workers share: secret, tables, counters */

#ifndef NGX_DM_SEC_ZONE_H
#define NGX_DM_SEC_ZONE_H


#include "ngx_dm_sec.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_recent.h"

#include "dm_failures.h"
#include "dm_mac.h"
#include "dm_nonce.h"
#include "dm_store_count.h"
#include "dm_store_stamp.h"
#include "dm_table.h"


#define NGX_DM_SEC_SUITES  256      /* that are counted */

/* a processor may fetch two lines of its cache together */
#define NGX_DM_SEC_ZONE_ALIGN  128


/* why a handshake failed */
typedef enum {
    NGX_DM_SEC_HS_PSK_UNKNOWN = 0,
    NGX_DM_SEC_HS_PSK_WRONG,
    NGX_DM_SEC_HS_PSK_STORE,
    NGX_DM_SEC_HS_TLS_PROTOCOL,
    NGX_DM_SEC_HS_TLS_CIPHER,
    NGX_DM_SEC_HS_TLS_SIGNATURE,
    NGX_DM_SEC_HS_TLS_OTHER,
    NGX_DM_SEC_HS_MAX
} ngx_dm_sec_handshake_e;


/* the kinds of which the last minutes are counted, by reason */
#define NGX_DM_SEC_RECENT_DENIED    0
#define NGX_DM_SEC_RECENT_FAILED    NGX_DM_SEC_R_MAX    /* handshakes */
#define NGX_DM_SEC_RECENT_END       (NGX_DM_SEC_R_MAX + NGX_DM_SEC_HS_MAX)


/* how an attempt can end that is counted by version, or not at all */
typedef enum {
    NGX_DM_SEC_DONE = 0,
    NGX_DM_SEC_NOT_DONE,
    NGX_DM_SEC_RESULTS
} ngx_dm_sec_result_e;


/*
 * The counters of one worker.  Others count in other lines of the processor's
 * cache; those that share a place, as a worker and the one that it replaces,
 * lose nothing.  It consists of ngx_atomic_t alone, and before recent of those
 * that are added up.
 */
typedef struct {
    ngx_atomic_t    verified[NGX_DM_SEC_METHODS];
    ngx_atomic_t    denied[NGX_DM_SEC_R_MAX];
    ngx_atomic_t    details[NGX_DM_SEC_D_MAX];
    ngx_atomic_t    versions[DM_VERSIONS];
    ngx_atomic_t    suites[NGX_DM_SEC_SUITES];

    ngx_atomic_t    handshakes_failed[NGX_DM_SEC_HS_MAX];

    /* by result; the last version is the one that is not known */
    ngx_atomic_t    handshakes[DM_VERSIONS + 1][NGX_DM_SEC_RESULTS];
    ngx_atomic_t    upgrades[NGX_DM_SEC_RESULTS];

    ngx_atomic_t    lockout_overflow;
    ngx_atomic_t    hash_refused;
    ngx_atomic_t    password_hits;
    ngx_atomic_t    password_misses;

    ngx_dm_sec_recent_count_t  recent;          /* verified */
} ngx_dm_sec_counts_t;


/* the state of a process, which nobody else writes */
typedef struct {
    ngx_atomic_t    pid;                /* 0: nobody's */
    ngx_atomic_t    store;              /* 1: it has it open */
    ngx_atomic_t    hash_running;
    ngx_atomic_t    hash_waiting;
} ngx_dm_sec_process_t;


/* the places of both: each has cache lines of its own */
#define NGX_DM_SEC_COUNTS_SIZE                                                \
    ngx_align(sizeof(ngx_dm_sec_counts_t), NGX_DM_SEC_ZONE_ALIGN)

#define NGX_DM_SEC_PROCESS_SIZE   64


/* the store's, as the process saw it that looked last */
typedef struct {
    dm_store_stat_t    stat;
    dm_store_counts_t  counts;
    ngx_uint_t         counted;         /* 0: it has no counters yet */
    dm_challenge_t     challenge;       /* what suits them */
    char               writer[DM_VERSION_MAX + 1];   /* the meta record's */
    ngx_uint_t         follows;         /* a log; else replica has nothing */
    dm_store_replica_t replica;
} ngx_dm_sec_store_state_t;


/* the store that a process died in; the dying process writes it, unlocked */
typedef struct {
    ngx_atomic_t      blamed;           /* and the stamp is whole */
    ngx_atomic_t      said;
    dm_store_stamp_t  stamp;
} ngx_dm_sec_damage_t;


/*
 * The memory that all workers share.  It survives a reload, unless the zone's
 * size changes.  The tables and the store's state are touched under the lock
 * only; counters are atomic.
 */
typedef struct {
    u_char          secret[DM_MAC_SIZE];
    u_char          node[DM_NONCE_NODE];    /* whose nonces these are */

    dm_table_t     *nonces;
    dm_failures_t  *failures;
    dm_table_t     *passwords;

    ngx_dm_sec_recent_t  *recent;

    ngx_atomic_t    clock;              /* ms: see ngx_dm_sec_zone_clock() */
    ngx_atomic_t    failures_until;     /* ms: no counter lives longer */

    u_char         *counts;             /* places: ngx_dm_sec_counts.h */
    ngx_uint_t      ncounts;
    u_char         *processes;
    ngx_uint_t      nprocesses;

    ngx_dm_sec_store_state_t  state;          /* of the store */

    ngx_dm_sec_damage_t  damage;
} ngx_dm_sec_shared_t;


/* setter of dm_sec_zone */
char *ngx_dm_sec_zone_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* adds the zone, of the default size where none was named */
ngx_int_t ngx_dm_sec_zone_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf);

/* returns it; NULL in a configuration that is only tested */
ngx_dm_sec_shared_t *ngx_dm_sec_zone_shared(ngx_dm_sec_main_conf_t *dmcf);

/* its pool, which has the one lock that the master frees */
ngx_slab_pool_t *ngx_dm_sec_zone_pool(ngx_dm_sec_main_conf_t *dmcf);

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
