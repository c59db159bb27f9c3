/* The last minutes: how much of what, and the last that were refused */

#ifndef NGX_DM_SEC_RECENT_H
#define NGX_DM_SEC_RECENT_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_RECENT_KINDS    72   /* that can be counted */
#define NGX_DM_SEC_RECENT_MINUTES  16   /* this one, and those before */
#define NGX_DM_SEC_RECENT_LAST     32   /* that are remembered */
#define NGX_DM_SEC_RECENT_NAME     128  /* octets of a name that are kept */


/* one who was refused; zeroed it is nobody */
typedef struct {
    time_t        time;
    uint32_t      count;        /* times; 0: nobody */
    uint16_t      kind;
    u_char        cut;          /* there is more of the name */
    u_char        address_len;
    u_char        name_len;
    u_char        address[NGX_INET6_ADDRSTRLEN];
    u_char        name[NGX_DM_SEC_RECENT_NAME];
    u_char        whole[20];    /* of a name that is cut: SHA-1 of all of it */
} ngx_dm_sec_recent_one_t;


/* a cell has a minute, and in its lower half how many that brought */
typedef struct {
    ngx_atomic_t  minute[NGX_DM_SEC_RECENT_MINUTES];
} ngx_dm_sec_recent_count_t;


typedef struct {
    ngx_dm_sec_recent_count_t  count[NGX_DM_SEC_RECENT_KINDS];

    /* the second, and in the lower half how many it has brought */
    ngx_atomic_t  brought;

    /* under the lock */
    ngx_dm_sec_recent_one_t  last[NGX_DM_SEC_RECENT_LAST];
} ngx_dm_sec_recent_t;


/* counts one in this minute; takes no lock */
void ngx_dm_sec_recent_count(ngx_dm_sec_recent_count_t *count);

/* how many there were in this minute and so many before it */
uint64_t ngx_dm_sec_recent_sum(ngx_dm_sec_recent_count_t *count,
    ngx_uint_t minutes);

/*
 * Remembers one who was refused, beginnings of the address and of the name,
 * which may be NULL.  The same again is counted; names that begin alike are not
 * the same.  All workers together do it some times a second, and no more, with
 * the pool's lock: in a flood the others are passed over.
 * A kind that many are of pushes out its own.
 */
void ngx_dm_sec_recent_remember(ngx_dm_sec_recent_t *recent,
    ngx_slab_pool_t *shpool, ngx_uint_t kind, ngx_str_t *address,
    ngx_str_t *name);

/* copies those that are remembered; returns how many, the latest first */
ngx_uint_t ngx_dm_sec_recent_last(ngx_dm_sec_recent_t *recent,
    ngx_slab_pool_t *shpool,
    ngx_dm_sec_recent_one_t last[NGX_DM_SEC_RECENT_LAST]);


#endif /* NGX_DM_SEC_RECENT_H */
