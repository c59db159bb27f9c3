/* The metrics of the status page: their names, which others rely on */

#ifndef NGX_DM_SEC_METRIC_H
#define NGX_DM_SEC_METRIC_H


#include "ngx_dm_sec.h"


typedef enum {
    NGX_DM_SEC_M_BUILD = 0,
    NGX_DM_SEC_M_MODULE_REPLACED,
    NGX_DM_SEC_M_WORKERS,

    NGX_DM_SEC_M_VERIFIED,
    NGX_DM_SEC_M_DENIED,
    NGX_DM_SEC_M_DENIED_DETAILS,

    NGX_DM_SEC_M_VERSIONS,
    NGX_DM_SEC_M_SUITES,
    NGX_DM_SEC_M_HANDSHAKES,
    NGX_DM_SEC_M_HANDSHAKES_FAILED,
    NGX_DM_SEC_M_UPGRADES,
    NGX_DM_SEC_M_CERTIFICATES,
    NGX_DM_SEC_M_CLIENT_CAS,
    NGX_DM_SEC_M_CRLS,
    NGX_DM_SEC_M_NOT_IN_FORCE,

    NGX_DM_SEC_M_HASH_RUNNING,
    NGX_DM_SEC_M_HASH_WAITING,
    NGX_DM_SEC_M_HASH_REFUSED,
    NGX_DM_SEC_M_PASSWORD_HITS,
    NGX_DM_SEC_M_PASSWORD_MISSES,

    NGX_DM_SEC_M_CELLS,             /* these four in this order */
    NGX_DM_SEC_M_CELLS_USED,
    NGX_DM_SEC_M_CELLS_LOCKED,
    NGX_DM_SEC_M_CELLS_EVICTED,
    NGX_DM_SEC_M_LOCKOUT_OVERFLOW,

    NGX_DM_SEC_M_STORE,
    NGX_DM_SEC_M_STORE_KEYS,
    NGX_DM_SEC_M_STORE_UP,
    NGX_DM_SEC_M_STORE_WORKERS,
    NGX_DM_SEC_M_STORE_DAMAGED,
    NGX_DM_SEC_M_STORE_ACCOUNTS,
    NGX_DM_SEC_M_STORE_STATES,
    NGX_DM_SEC_M_STORE_LACKING,
    NGX_DM_SEC_M_STORE_MAP_USED,
    NGX_DM_SEC_M_STORE_MAP_SIZE,
    NGX_DM_SEC_M_STORE_READERS,
    NGX_DM_SEC_M_STORE_READERS_MAX,
    NGX_DM_SEC_M_STORE_CHANGED,

    NGX_DM_SEC_M_REPLICA_POSITION,      /* of a store that follows a log */
    NGX_DM_SEC_M_REPLICA_AGE,
    NGX_DM_SEC_M_REPLICA_STATE,
    NGX_DM_SEC_M_MAX
} ngx_dm_sec_metric_e;


/* docs/metrics.md has a row of each */
typedef struct {
    char  *key;     /* in JSON */
    char  *name;    /* to Prometheus, behind "dmsec_" */
    char  *type;    /* "counter" or "gauge" */
    char  *help;
} ngx_dm_sec_metric_t;


const ngx_dm_sec_metric_t *ngx_dm_sec_metric(ngx_dm_sec_metric_e metric);


#endif /* NGX_DM_SEC_METRIC_H */
