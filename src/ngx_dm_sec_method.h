/* The methods of authentication, a row each */

#ifndef NGX_DM_SEC_METHOD_H
#define NGX_DM_SEC_METHOD_H


#include "ngx_dm_sec.h"


/* what it is that proves an account */
typedef enum {
    NGX_DM_SEC_BY_CONNECTION = 0,   /* its handshake */
    NGX_DM_SEC_BY_REQUEST           /* its "Authorization" */
} ngx_dm_sec_proven_by_e;


/* a function that a method has no use for is NULL */
typedef struct ngx_dm_sec_method_s {
    ngx_str_t                  name;        /* in "dm_sec_auth" and in logs */
    ngx_uint_t                 bit;         /* of dlcf->auth */
    ngx_dm_sec_proven_by_e     by;

    /* is called while the configuration is read, by each "dm_sec_auth" */
    ngx_int_t                (*named)(ngx_conf_t *cf);
} ngx_dm_sec_method_t;


/* the strongest is the first; the row behind the last has no name */
extern const ngx_dm_sec_method_t  ngx_dm_sec_methods[];


/* setter of dm_sec_auth */
char *ngx_dm_sec_method_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* the row of a bit; NULL: no method has it */
const ngx_dm_sec_method_t *ngx_dm_sec_method_find(ngx_uint_t bit);

/* those of the bits whose methods are proven by that */
ngx_uint_t ngx_dm_sec_method_bits(ngx_uint_t auth, ngx_dm_sec_proven_by_e by);

/*
 * Writes the names of the bits, "basic, digest and psk", and returns where
 * they end.  NGX_DM_SEC_METHOD_LIST octets are enough.
 */
u_char *ngx_dm_sec_method_list(u_char *p, ngx_uint_t auth);

#define NGX_DM_SEC_METHOD_NAME  16      /* octets that no name exceeds */
#define NGX_DM_SEC_METHOD_LIST                                                \
    (NGX_DM_SEC_METHODS * (NGX_DM_SEC_METHOD_NAME + sizeof(" and ") - 1))

/* "x509", or "-" for NULL */
void ngx_dm_sec_method_name(const ngx_dm_sec_method_t *method,
    ngx_str_t *name);


#endif /* NGX_DM_SEC_METHOD_H */
