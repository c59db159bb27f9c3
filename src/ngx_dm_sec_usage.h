/* How full the tables of the zone are, and the locks in them */

#ifndef NGX_DM_SEC_USAGE_H
#define NGX_DM_SEC_USAGE_H


#include "ngx_dm_sec_lockout.h"
#include "ngx_dm_sec_zone.h"


typedef enum {
    NGX_DM_SEC_NONCES = 0,
    NGX_DM_SEC_FAILURES,
    NGX_DM_SEC_PASSWORDS,
    NGX_DM_SEC_TABLES
} ngx_dm_sec_table_e;


/* the numbers of a table, in the order in which the page shows them */
typedef enum {
    NGX_DM_SEC_CELLS = 0,
    NGX_DM_SEC_CELLS_USED,
    NGX_DM_SEC_CELLS_LOCKED,
    NGX_DM_SEC_CELLS_EVICTED,
    NGX_DM_SEC_CELLS_MAX
} ngx_dm_sec_cells_e;

typedef struct {
    uint64_t    value[NGX_DM_SEC_CELLS_MAX];
} ngx_dm_sec_usage_t;


/* a lock in force; its name is cut in its cell, maybe within a character */
typedef struct {
    ngx_str_t   name;               /* none: of an address */
    ngx_str_t   address;
    ngx_uint_t  known;              /* the name is an account's */
    uint64_t    seconds;            /* that are left */

    u_char      name_data[sizeof(((ngx_dm_sec_failure_t *) 0)->name)];
    u_char      address_data[NGX_INET6_ADDRSTRLEN];
} ngx_dm_sec_lock_t;


/*
 * Both look without the zone's lock, which nobody may hold for so long: what
 * they tell is a good guess.
 */
void ngx_dm_sec_usage(ngx_dm_sec_shared_t *sh,
    ngx_dm_sec_usage_t usage[NGX_DM_SEC_TABLES]);

/*
 * Finds the next lock from *cell on, which is 0 at first, and moves that on.
 * 1; 0: there is none any more.
 */
ngx_uint_t ngx_dm_sec_usage_lock(ngx_dm_sec_shared_t *sh, size_t *cell,
    ngx_dm_sec_lock_t *lock);


#endif /* NGX_DM_SEC_USAGE_H */
