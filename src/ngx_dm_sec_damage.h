/* The store that is to blame for a death */

#ifndef NGX_DM_SEC_DAMAGE_H
#define NGX_DM_SEC_DAMAGE_H


#include "ngx_dm_sec.h"


/*
 * A worker's start: where it dies while it reads the store, that is blamed for
 * it in the zone.
 */
void ngx_dm_sec_damage_init_process(ngx_cycle_t *cycle);

/*
 * Looks which store is there, before it is opened.  NGX_OK; NGX_DECLINED: a
 * process died in it, and it was neither replaced nor found whole since, which
 * is said once for all workers.
 */
ngx_int_t ngx_dm_sec_damage_look(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log);

/* 1 if a process has died in the store that was looked at last */
ngx_uint_t ngx_dm_sec_damage_here(void);

/* the same of the store that is in its place now, whatever is open here */
ngx_uint_t ngx_dm_sec_damage_there(ngx_dm_sec_main_conf_t *dmcf);

/* around all that reads the store's file */
void ngx_dm_sec_damage_enter(void);
void ngx_dm_sec_damage_leave(void);


#endif /* NGX_DM_SEC_DAMAGE_H */
