/* The TLS policy of a level of the configuration: which versions and suites */

#ifndef NGX_DM_SEC_POLICY_H
#define NGX_DM_SEC_POLICY_H


#include "ngx_dm_sec.h"


/* setters of dm_sec_profile, dm_sec_protocols, dm_sec_ciphers */
char *ngx_dm_sec_policy_profile(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_dm_sec_policy_protocols(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_dm_sec_policy_ciphers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

void ngx_dm_sec_policy_create(ngx_dm_sec_policy_t *policy);

/*
 * Decides what is in force at a level: what it says itself, an explicit list
 * before its profile, else what is in force above; prev is NULL for http{}.
 */
void ngx_dm_sec_policy_merge(ngx_dm_sec_policy_t *policy,
    ngx_dm_sec_policy_t *prev);

/*
 * Makes what is in force at the server and in its locations what the server
 * can do: suites with a pre-shared key that came with a list go where no
 * authentication there takes one, and go first in a profile where one does.
 * NGX_OK or NGX_ERROR, logged.
 */
ngx_int_t ngx_dm_sec_policy_settle(ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf);

/* 1 if the suite is in suites, else 0 */
ngx_uint_t ngx_dm_sec_policy_has(ngx_array_t *suites, ngx_uint_t id);


#endif /* NGX_DM_SEC_POLICY_H */
