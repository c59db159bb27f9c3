/* The counters of all workers, and what each process says of itself */

#ifndef NGX_DM_SEC_COUNTS_H
#define NGX_DM_SEC_COUNTS_H


#include "ngx_dm_sec_zone.h"


/* the sums over the processes that live */
typedef struct {
    ngx_uint_t      processes;
    ngx_uint_t      stores;
    ngx_uint_t      hash_running;
    ngx_uint_t      hash_waiting;
} ngx_dm_sec_processes_t;


#define ngx_dm_sec_count(counter)                                             \
    (void) ngx_atomic_fetch_add(&(counter), 1)


/* the index of a version, given by its number; DM_VERSIONS: not known */
ngx_uint_t ngx_dm_sec_counts_version(int number);

/* where this process counts */
ngx_dm_sec_counts_t *ngx_dm_sec_counts(ngx_dm_sec_shared_t *sh);

void ngx_dm_sec_counts_sum(ngx_dm_sec_shared_t *sh, ngx_dm_sec_counts_t *sum);

/* how many were verified in this minute and so many before it, by all */
uint64_t ngx_dm_sec_counts_recent(ngx_dm_sec_shared_t *sh, ngx_uint_t minutes);

/* this process, and the state that it has from now on, in the zone in force */
void ngx_dm_sec_process_enter(void);
void ngx_dm_sec_process_store(ngx_uint_t open);
void ngx_dm_sec_process_hash(ngx_uint_t running, ngx_uint_t waiting);
void ngx_dm_sec_process_leave(void);

void ngx_dm_sec_processes(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_processes_t *sum);


#endif /* NGX_DM_SEC_COUNTS_H */
