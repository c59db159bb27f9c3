/* A page while it is written: its text, and the metrics of either format */

#ifndef NGX_DM_SEC_PAGE_H
#define NGX_DM_SEC_PAGE_H


#include "ngx_dm_sec_metric.h"


#define NGX_DM_SEC_PAGE_ITEM  512       /* octets that fit one write */


/* zeroed, with r and with last at first, it is an empty page */
typedef struct {
    ngx_http_request_t   *r;
    ngx_uint_t            prometheus;
    ngx_chain_t          *first;
    ngx_chain_t         **last;
    ngx_buf_t            *buf;
    off_t                 len;
    ngx_uint_t            failed;   /* no memory: what was written is not all */
    ngx_uint_t            comma;    /* JSON: not the first of an object */
    char                 *name;     /* Prometheus: of the metric, and of */
    char                 *label;    /* what tells its items apart */
} ngx_dm_sec_page_t;


/* a metric of several items, which a label tells apart, and its end */
void ngx_dm_sec_page_open(ngx_dm_sec_page_t *page, ngx_dm_sec_metric_e metric,
    char *label);
void ngx_dm_sec_page_item(ngx_dm_sec_page_t *page, ngx_str_t *name,
    uint64_t value);
/* two of one name, by the result, which a second label tells apart */
void ngx_dm_sec_page_pair(ngx_dm_sec_page_t *page, const char *name,
    const char *label, char *result[2], const uint64_t value[2]);
void ngx_dm_sec_page_close(ngx_dm_sec_page_t *page);

/* a metric that is always 1, of n labels that say something */
void ngx_dm_sec_page_info(ngx_dm_sec_page_t *page, ngx_dm_sec_metric_e metric,
    size_t n, const char *const *label, const char *const *value);

/* a metric that is one number */
void ngx_dm_sec_page_value(ngx_dm_sec_page_t *page,
    ngx_dm_sec_metric_e metric, uint64_t value);

/* writes text of NGX_DM_SEC_PAGE_ITEM octets at most, as ngx_sprintf() */
void ngx_dm_sec_page_write(ngx_dm_sec_page_t *page, const char *fmt, ...);


#endif /* NGX_DM_SEC_PAGE_H */
