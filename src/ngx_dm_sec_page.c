/* A page while it is written: its text, and the metrics of either format */

#include "ngx_dm_sec_page.h"


#define NGX_DM_SEC_PAGE_BUF   16384


static void ngx_dm_sec_page_head(ngx_dm_sec_page_t *page,
    const ngx_dm_sec_metric_t *metric);
static ngx_int_t ngx_dm_sec_page_grow(ngx_dm_sec_page_t *page);


void
ngx_dm_sec_page_open(ngx_dm_sec_page_t *page, ngx_dm_sec_metric_e metric,
    char *label)
{
    const ngx_dm_sec_metric_t  *m;

    m = ngx_dm_sec_metric(metric);

    page->name = m->name;
    page->label = label;

    if (page->prometheus) {
        ngx_dm_sec_page_head(page, m);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%s\":{", page->comma ? "," : "", m->key);
    page->comma = 0;
}


static void
ngx_dm_sec_page_head(ngx_dm_sec_page_t *page,
    const ngx_dm_sec_metric_t *metric)
{
    ngx_dm_sec_page_write(page, "# HELP dmsec_%s %s\n# TYPE dmsec_%s %s\n",
                          metric->name, metric->help,
                          metric->name, metric->type);
}


void
ngx_dm_sec_page_close(ngx_dm_sec_page_t *page)
{
    if (!page->prometheus) {
        ngx_dm_sec_page_write(page, "}");
        page->comma = 1;
    }
}


void
ngx_dm_sec_page_item(ngx_dm_sec_page_t *page, ngx_str_t *name, uint64_t value)
{
    if (page->prometheus) {
        ngx_dm_sec_page_write(page, "dmsec_%s{%s=\"%V\"} %uL\n",
                              page->name, page->label, name, value);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%V\":%uL", page->comma ? "," : "", name,
                          value);
    page->comma = 1;
}


void
ngx_dm_sec_page_pair(ngx_dm_sec_page_t *page, const char *name,
    const char *label, char *result[2], const uint64_t value[2])
{
    if (page->prometheus) {
        ngx_dm_sec_page_write(page,
                              "dmsec_%s{%s=\"%s\",%s=\"%s\"} %uL\n"
                              "dmsec_%s{%s=\"%s\",%s=\"%s\"} %uL\n",
                              page->name, page->label, name, label, result[0],
                              value[0], page->name, page->label, name, label,
                              result[1], value[1]);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%s\":{\"%s\":%uL,\"%s\":%uL}",
                          page->comma ? "," : "", name, result[0], value[0],
                          result[1], value[1]);
    page->comma = 1;
}


void
ngx_dm_sec_page_info(ngx_dm_sec_page_t *page, ngx_dm_sec_metric_e metric,
    size_t n, const char *const *label, const char *const *value)
{
    size_t       i;
    const char  *format;

    ngx_dm_sec_page_open(page, metric, NULL);

    format = page->prometheus ? "%s%s=\"%s\"" : "%s\"%s\":\"%s\"";

    if (page->prometheus) {
        ngx_dm_sec_page_write(page, "dmsec_%s{", page->name);
    }

    for (i = 0; i < n; i++) {
        ngx_dm_sec_page_write(page, format, i ? "," : "", label[i], value[i]);
    }

    if (page->prometheus) {
        ngx_dm_sec_page_write(page, "} 1\n");
    }

    ngx_dm_sec_page_close(page);
}


void
ngx_dm_sec_page_value(ngx_dm_sec_page_t *page, ngx_dm_sec_metric_e metric,
    uint64_t value)
{
    const ngx_dm_sec_metric_t  *m;

    m = ngx_dm_sec_metric(metric);

    if (page->prometheus) {
        ngx_dm_sec_page_head(page, m);
        ngx_dm_sec_page_write(page, "dmsec_%s %uL\n", m->name, value);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%s\":%uL", page->comma ? "," : "",
                          m->key, value);
    page->comma = 1;
}


void
ngx_dm_sec_page_write(ngx_dm_sec_page_t *page, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    if (page->failed
        || ((page->buf == NULL
             || page->buf->end - page->buf->last < NGX_DM_SEC_PAGE_ITEM)
            && ngx_dm_sec_page_grow(page) != NGX_OK))
    {
        page->failed = 1;
        return;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(page->buf->last, page->buf->end, fmt, args);
    va_end(args);

    page->len += p - page->buf->last;
    page->buf->last = p;
}


static ngx_int_t
ngx_dm_sec_page_grow(ngx_dm_sec_page_t *page)
{
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(page->r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = ngx_create_temp_buf(page->r->pool, NGX_DM_SEC_PAGE_BUF);
    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    cl->next = NULL;

    *page->last = cl;
    page->last = &cl->next;
    page->buf = cl->buf;

    return NGX_OK;
}
