/* The configurations of other modules: how they answer, and whom they let in */

#ifndef NGX_DM_SEC_FOREIGN_H
#define NGX_DM_SEC_FOREIGN_H


#include "ngx_dm_sec.h"


/*
 * Their configurations are private.  What is known of one is read by what
 * nginx makes public: where a directive's field is stands in its row of the
 * table of commands, the codes of rewrite and the configuration of an upstream
 * are types of nginx's headers, and arrays tell the size of an element.  What
 * does not look as expected, or whose module is not there, is taken for not
 * configured.
 *
 * loc_conf is that of a server or a location, when all is merged.
 */

/* the ways to answer within the phase rewrite, so before access */
typedef enum {
    NGX_DM_SEC_FOREIGN_REDIRECTS = 0x01,    /* 3xx */
    NGX_DM_SEC_FOREIGN_ANSWERS = 0x02,      /* below 300, with content */
    NGX_DM_SEC_FOREIGN_IF = 0x04            /* there is an "if" */
} ngx_dm_sec_foreign_rewrite_e;

/* the bits of what "return" and "rewrite" do here */
ngx_uint_t ngx_dm_sec_foreign_rewrite(ngx_conf_t *cf, void **loc_conf);

/*
 * 1 if "allow" and "deny", auth_request or auth_basic restrict access here, so
 * that not most of the addresses of IPv4 or IPv6 may pass.
 */
ngx_uint_t ngx_dm_sec_foreign_guards(ngx_conf_t *cf, void **loc_conf);

/* 1 if "allow" names most of the addresses of IPv4 or IPv6 first */
ngx_uint_t ngx_dm_sec_foreign_allows_all(ngx_conf_t *cf, void **loc_conf);

/* 1 if auth_basic is on here */
ngx_uint_t ngx_dm_sec_foreign_auth_basic(ngx_conf_t *cf, void **loc_conf);

/*
 * The name of the directive by which no header of the request goes to the
 * server behind, where that is known by its name and not by variables; NULL.
 */
ngx_str_t *ngx_dm_sec_foreign_keeps_headers(ngx_conf_t *cf, void **loc_conf);

/*
 * Finds a header that proxy_set_header, fastcgi_param or their like set here,
 * of those that meant() says, which gets the name as a header's.  Returns the
 * name of the directive, with the header's as it is written there and its
 * value; NULL.
 */
typedef ngx_uint_t (*ngx_dm_sec_foreign_meant_pt)(ngx_str_t *name,
    ngx_str_t *value);

ngx_str_t *ngx_dm_sec_foreign_sets_header(ngx_conf_t *cf, void **loc_conf,
    ngx_dm_sec_foreign_meant_pt meant, ngx_str_t *key, ngx_str_t *value);


#endif /* NGX_DM_SEC_FOREIGN_H */
