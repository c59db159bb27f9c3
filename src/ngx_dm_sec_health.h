/* The health of this nginx, as its operator asks for it: is all well? */

#ifndef NGX_DM_SEC_HEALTH_H
#define NGX_DM_SEC_HEALTH_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_HEALTH_TEXT  512


typedef enum {
    NGX_DM_SEC_WELL = 0,
    NGX_DM_SEC_ATTENTION,           /* it will be a trouble */
    NGX_DM_SEC_TROUBLE              /* devices feel it */
} ngx_dm_sec_state_e;


/* one part of nginx, and how it is; text may hold what others wrote */
typedef struct {
    char                *part;
    ngx_dm_sec_state_e   state;
    char                *todo;      /* NULL where it is well */
    char                *command;   /* that does it; or NULL */
    size_t               len;
    u_char               text[NGX_DM_SEC_HEALTH_TEXT];
} ngx_dm_sec_health_t;


/*
 * Looks at each part, of whichever worker: pushes ngx_dm_sec_health_t, of which
 * each part has one at least.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_health(ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *health);

/* writes "12 min", into 32 octets; returns where it ends */
u_char *ngx_dm_sec_health_span(u_char *p, uint64_t seconds);


#endif /* NGX_DM_SEC_HEALTH_H */
