/* A store that follows a log: how old it is, and whether that is too old */

#ifndef NGX_DM_SEC_REPLICA_H
#define NGX_DM_SEC_REPLICA_H


#include "ngx_dm_sec_zone.h"


/* setter of dm_sec_replica_stale */
char *ngx_dm_sec_replica_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * Reads where the store stands, which is open, and says in the log when it
 * begins and ends to be older than dm_sec_replica_stale allows.
 */
void ngx_dm_sec_replica_look(ngx_dm_sec_main_conf_t *dmcf, dm_store_t *store,
    ngx_log_t *log);

/* 1 if by what was read last it is too old, or not known to be young enough */
ngx_uint_t ngx_dm_sec_replica_is_stale(ngx_dm_sec_main_conf_t *dmcf);

/*
 * So many seconds ago the store had all that there was, for all that is known;
 * NGX_ERROR: it never had.
 */
time_t ngx_dm_sec_replica_age(const dm_store_replica_t *replica);


#endif /* NGX_DM_SEC_REPLICA_H */
