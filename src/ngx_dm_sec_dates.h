/* The dates by which certificates and CRLs have to be replaced */

#ifndef NGX_DM_SEC_DATES_H
#define NGX_DM_SEC_DATES_H


#include "ngx_dm_sec.h"


#define NGX_DM_SEC_DATE_NEVER    NGX_MAX_TIME_T_VALUE
#define NGX_DM_SEC_DATE_SERVERS  3      /* that are named of each */
#define NGX_DM_SEC_DATE_SERVER   64     /* octets of such a name */


typedef enum {
    NGX_DM_SEC_DATE_CERT = 0,       /* a server's own */
    NGX_DM_SEC_DATE_CHAIN,          /* a CA that is sent behind it */
    NGX_DM_SEC_DATE_CA,             /* that clients' are verified by */
    NGX_DM_SEC_DATE_CRL,
    NGX_DM_SEC_DATE_NO_CRL,         /* which such a CA lacks */
    NGX_DM_SEC_DATE_KINDS
} ngx_dm_sec_date_e;


typedef enum {
    NGX_DM_SEC_DATE_IN_FORCE = 0,
    NGX_DM_SEC_DATE_OVER,
    NGX_DM_SEC_DATE_EARLY,          /* not in force yet */
    NGX_DM_SEC_DATE_MISSING
} ngx_dm_sec_date_state_e;


typedef struct {
    ngx_dm_sec_date_e       kind;
    time_t                  begin;      /* notBefore, thisUpdate */
    time_t                  end;        /* notAfter, nextUpdate; or never */
} ngx_dm_sec_span_t;


/* one as a server has it: cert or crl is NULL */
typedef struct {
    ngx_dm_sec_span_t       span;
    X509                   *cert;       /* or the CA that lacks a CRL */
    X509_CRL               *crl;
    ngx_dm_sec_srv_conf_t  *dscf;
    ngx_uint_t              n;          /* in the order of the servers */
} ngx_dm_sec_dated_t;


/* one of as many servers as have it, and the first of those */
typedef struct {
    ngx_dm_sec_span_t       span;
    ngx_str_t               name;       /* the subject; of a CRL the issuer */
    ngx_str_t               servers[NGX_DM_SEC_DATE_SERVERS];
    ngx_uint_t              nservers;
} ngx_dm_sec_date_t;


/* a server, or those of one first name, and the first to end of each kind */
typedef struct {
    ngx_str_t               server;     /* "_": it has none */
    time_t                  end[NGX_DM_SEC_DATE_KINDS];
} ngx_dm_sec_ends_t;


/*
 * Finds those of all servers that listen with TLS, as nginx has read them:
 * ngx_dm_sec_dated_t, server by server.  All that tells of dates, now or later,
 * does so by these, so that it is the same.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_dates_find(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *found);

/*
 * Keeps what was found, which it sorts: in dmcf->dates each once, the first to
 * end first, and in dmcf->ends by server.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_dm_sec_dates_settle(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *found);

/* as it is now */
ngx_dm_sec_date_state_e ngx_dm_sec_dates_state(const ngx_dm_sec_span_t *span);

/* the name in RFC 2253 form, escaped and cut; NGX_OK or NGX_ERROR */
ngx_int_t ngx_dm_sec_dates_name(ngx_pool_t *pool,
    const ngx_dm_sec_dated_t *dated, ngx_str_t *name);


#endif /* NGX_DM_SEC_DATES_H */
