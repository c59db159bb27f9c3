/* The methods of authentication: this part alone knows all, a row each */

#ifndef NGX_DM_SEC_METHOD_H
#define NGX_DM_SEC_METHOD_H


#include "ngx_dm_sec.h"


/* by what an account is proven */
typedef enum {
    NGX_DM_SEC_BY_CONNECTION = 0,   /* its handshake */
    NGX_DM_SEC_BY_REQUEST           /* its "Authorization" */
} ngx_dm_sec_proven_by_e;


/* a function that a method has no use for is NULL */
typedef struct ngx_dm_sec_method_s {
    ngx_str_t                  name;        /* in "dm_sec_auth" and in logs */
    ngx_uint_t                 bit;         /* < 1 << NGX_DM_SEC_METHODS */
    ngx_dm_sec_proven_by_e     by;

    /*
     * Settles the configuration of a level, which is a server where clcf is
     * NULL.  It is called for each level of a server where the module is on,
     * also for one that does not accept the method.  NGX_ERROR is logged.
     */
    ngx_int_t                (*settle)(ngx_conf_t *cf,
                                       ngx_dm_sec_main_conf_t *dmcf,
                                       ngx_dm_sec_srv_conf_t *dscf,
                                       ngx_http_core_loc_conf_t *clcf,
                                       ngx_dm_sec_loc_conf_t *dlcf);

    /* names a directive of this level that only the method needs, or NULL */
    char                    *(*directive)(ngx_dm_sec_loc_conf_t *dlcf);

    /*
     * Fills the credential: what this location is to make of the request or
     * its connection.  It is called again by each other location, after what
     * was pending, and when the store has changed.  Of a method that the
     * connection proves the credential is empty each time.
     */
    void                     (*verify)(ngx_http_request_t *r,
                                       ngx_dm_sec_loc_conf_t *dlcf,
                                       ngx_dm_sec_ctx_t *ctx,
                                       ngx_dm_sec_credential_t *cred);

    /*
     * Names what was claimed in a location, be it true or not, as the log has
     * it, in buf[max], NGX_DM_SEC_LOG_ESCAPED at least; nothing: "-".
     */
    ngx_str_t                (*claim)(ngx_http_request_t *r,
                                      ngx_dm_sec_loc_conf_t *dlcf,
                                      u_char *buf, size_t max);

    /* adds the challenges of ctx->denied_by; meta is of the store of now */
    ngx_int_t                (*challenge)(ngx_http_request_t *r,
                                          ngx_dm_sec_ctx_t *ctx,
                                          const dm_store_meta_t *meta);

    /* adds to the answer to a request that is not refused */
    ngx_int_t                (*inform)(ngx_http_request_t *r,
                                       ngx_dm_sec_credential_t *cred);

    /* is called in the log phase */
    void                     (*log)(ngx_http_request_t *r,
                                    ngx_dm_sec_credential_t *cred);
} ngx_dm_sec_method_t;


/* the strongest is the first; the row behind the last has no name */
extern const ngx_dm_sec_method_t  ngx_dm_sec_methods[];


/* setter of dm_sec_auth */
char *ngx_dm_sec_method_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* finds the row of a bit; NULL: no method has it */
const ngx_dm_sec_method_t *ngx_dm_sec_method_find(ngx_uint_t bit);

/* finds the credential of the method that has the bit */
ngx_dm_sec_credential_t *ngx_dm_sec_method_credential(ngx_dm_sec_ctx_t *ctx,
    ngx_uint_t bit);

/* lets each method log what it has to, when a request has ended */
void ngx_dm_sec_method_log(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx);

/* returns those of the bits whose methods are proven by that */
ngx_uint_t ngx_dm_sec_method_bits(ngx_uint_t auth, ngx_dm_sec_proven_by_e by);

/*
 * Writes the names of the bits, "basic, digest and psk", as far as they go
 * before last, and returns where they end.
 */
u_char *ngx_dm_sec_method_list(u_char *p, u_char *last, ngx_uint_t auth);

#define ngx_dm_sec_method_row(method)  ((method) - ngx_dm_sec_methods)

/* sets name to "x509", or to "-" for NULL */
void ngx_dm_sec_method_name(const ngx_dm_sec_method_t *method,
    ngx_str_t *name);


#endif /* NGX_DM_SEC_METHOD_H */
