/* The findings of "nginx -t": what is said of the configuration, and where */

#ifndef NGX_DM_SEC_FINDING_H
#define NGX_DM_SEC_FINDING_H


#include "ngx_dm_sec.h"


/*
 * Says a finding about a server, or about one of its locations where clcf is
 * not NULL; without a server it is about http{}.
 *
 * An error is logged at once, behind what was found before it.  Warnings and
 * notices are kept until ngx_dm_sec_finding_end(): one that is found in more
 * than three places is one line with their number and the first three.
 */
void ngx_dm_sec_finding(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    const char *fmt, ...);

/*
 * The same of one of several things of a server, such as a certificate: those
 * of which the same is said are counted together, and the text names none.
 */
void ngx_dm_sec_finding_of(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_str_t *what, const char *fmt, ...);

/* logs what is kept */
void ngx_dm_sec_finding_end(ngx_conf_t *cf);


#endif /* NGX_DM_SEC_FINDING_H */
