/* Digest challenges: what a location asks for, and takes for an answer */

#ifndef NGX_DM_SEC_CHALLENGE_H
#define NGX_DM_SEC_CHALLENGE_H


#include "ngx_dm_sec.h"

#include "dm_digest_parse.h"


/* setter of dm_sec_digest_algorithms */
char *ngx_dm_sec_challenge_set_algorithms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* setter of dm_sec_challenge_parameters */
char *ngx_dm_sec_challenge_set_parameters(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Settles what a level that accepts digest challenges with, and what it takes
 * for an answer; it logs what shuts out clients.
 */
void ngx_dm_sec_challenge_settle(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf, ngx_dm_sec_loc_conf_t *dlcf);

/* a directive of this level that is for digest alone, or NULL */
char *ngx_dm_sec_challenge_directive(ngx_dm_sec_loc_conf_t *dlcf);

/* 1 if the answer's algorithm and qop are some that the location takes */
ngx_uint_t ngx_dm_sec_challenge_accepts(ngx_dm_sec_loc_conf_t *dlcf,
    dm_digest_answer_t *answer);

/* "MD5-sess"; it lives as long as the process */
ngx_str_t *ngx_dm_sec_challenge_name(dm_algorithm_t alg, unsigned sess);

/*
 * Adds a challenge for each algorithm that the location names, or else for
 * those by which the accounts of the store can log in, as it counts them.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_challenge_add(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, const dm_store_meta_t *meta);


#endif /* NGX_DM_SEC_CHALLENGE_H */
