/* The chains of filters: those of the configuration in force, and no others */

#ifndef NGX_DM_SEC_CHAIN_H
#define NGX_DM_SEC_CHAIN_H


#include "ngx_dm_sec.h"


/* puts the module's filters in front, once a configuration is accepted */
void ngx_dm_sec_chain_init_module(ngx_cycle_t *cycle);

/* a worker's start: the chains are again what they were then */
void ngx_dm_sec_chain_init_process(ngx_cycle_t *cycle);

/* does the same before a request in a process that has no master */
void ngx_dm_sec_chain_restore(ngx_http_request_t *r);


#endif /* NGX_DM_SEC_CHAIN_H */
