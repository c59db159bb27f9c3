/* Counters, and the page that shows them */

#include "ngx_dm_sec_status.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_damage.h"
#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_lockout.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_zone.h"


#define NGX_DM_SEC_STATUS_BUF   16384
#define NGX_DM_SEC_STATUS_ITEM  512     /* octets: no line is longer */

/* JSON makes six octets of one at most */
#define NGX_DM_SEC_STATUS_NAME                                                \
    (sizeof(((ngx_dm_sec_failure_t *) 0)->name) * 6)


/* the page while it is written */
typedef struct {
    ngx_http_request_t   *r;
    ngx_uint_t            prometheus;
    ngx_chain_t          *first;
    ngx_chain_t         **last;
    ngx_buf_t            *buf;
    off_t                 len;
    ngx_uint_t            failed;
    ngx_uint_t            comma;        /* JSON: not the first of an object */
    char                 *suffix;       /* Prometheus: of a counter's name */
} ngx_dm_sec_page_t;


/* the numbers of a table, in the order in which the page shows them */
typedef enum {
    NGX_DM_SEC_CELLS = 0,
    NGX_DM_SEC_CELLS_USED,
    NGX_DM_SEC_CELLS_LOCKED,
    NGX_DM_SEC_CELLS_EVICTED,
    NGX_DM_SEC_CELLS_MAX
} ngx_dm_sec_cells_e;

typedef struct {
    uint64_t              value[NGX_DM_SEC_CELLS_MAX];
} ngx_dm_sec_usage_t;


static ngx_int_t ngx_dm_sec_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_status_send(ngx_http_request_t *r,
    ngx_dm_sec_page_t *page);
static void ngx_dm_sec_status_all(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_status_requests(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_status_tls(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_status_cells(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_status_usage(const dm_table_t *table, uint64_t now,
    int (*is_lock)(const dm_cell_t *cell), ngx_dm_sec_usage_t *usage);
static void ngx_dm_sec_status_store(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_status_locked(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_status_lock(ngx_dm_sec_page_t *page,
    const dm_cell_t *cell);
static size_t ngx_dm_sec_status_address(ngx_dm_sec_failure_t *failure,
    u_char *text);
static void ngx_dm_sec_page_open(ngx_dm_sec_page_t *page, char *name,
    char *type, char *help);
static void ngx_dm_sec_page_head(ngx_dm_sec_page_t *page, char *name,
    char *type, char *help);
static void ngx_dm_sec_page_close(ngx_dm_sec_page_t *page);
static void ngx_dm_sec_page_item(ngx_dm_sec_page_t *page, char *metric,
    char *label, ngx_str_t *name, uint64_t value);
static void ngx_dm_sec_page_value(ngx_dm_sec_page_t *page, char *name,
    char *type, char *help, uint64_t value);
static void ngx_dm_sec_page_write(ngx_dm_sec_page_t *page, const char *fmt,
    ...);
static ngx_int_t ngx_dm_sec_page_grow(ngx_dm_sec_page_t *page);


char *
ngx_dm_sec_status_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (dlcf->status) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "json") == 0) {
        dlcf->status = NGX_DM_SEC_STATUS_JSON;

    } else if (ngx_strcmp(value[1].data, "prometheus") == 0) {
        dlcf->status = NGX_DM_SEC_STATUS_PROMETHEUS;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": the formats are json "
                           "and prometheus", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_dm_sec_status_handler;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_dm_sec_status_count(ngx_http_request_t *r)
{
    unsigned                 version;
    ngx_uint_t               i;
    const dm_suite_t        *suite;
    const SSL_CIPHER        *cipher;
    ngx_dm_sec_ctx_t        *ctx;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_main_conf_t  *dmcf;

    /* with "log_subrequest on" it is called for each */

    if (r != r->main) {
        return NGX_OK;
    }

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);
    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx && ctx->denied) {
        (void) ngx_atomic_fetch_add(&sh->denied[ctx->reason], 1);

    } else if (ctx && ctx->account) {
        for (i = 0; !(ctx->method->bit >> i & 1); i++) { /* void */ }

        (void) ngx_atomic_fetch_add(&sh->verified[i], 1);
    }

    if (r->connection->ssl == NULL) {
        return NGX_OK;
    }

    version = dm_version_by_number(SSL_version(r->connection->ssl
                                               ->connection));

    for (i = 0; version >> i > 1; i++) { /* void */ }

    if (version) {
        (void) ngx_atomic_fetch_add(&sh->versions[i], 1);
    }

    cipher = SSL_get_current_cipher(r->connection->ssl->connection);
    suite = cipher ? dm_suite_by_id(SSL_CIPHER_get_protocol_id(cipher)) : NULL;

    if (suite && dm_suite_index(suite) < NGX_DM_SEC_SUITES) {
        (void) ngx_atomic_fetch_add(&sh->suites[dm_suite_index(suite)], 1);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                value;
    ngx_dm_sec_page_t        page;
    ngx_dm_sec_loc_conf_t   *dlcf;
    ngx_dm_sec_main_conf_t  *dmcf;

    if (r->method != NGX_HTTP_GET && r->method != NGX_HTTP_HEAD) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);
    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    ngx_memzero(&page, sizeof(ngx_dm_sec_page_t));

    page.r = r;
    page.last = &page.first;
    page.prometheus = (dlcf->status == NGX_DM_SEC_STATUS_PROMETHEUS);

    if (!page.prometheus
        && (ngx_http_arg(r, (u_char *) "locked", 6, &value) == NGX_OK
            || (r->args.len == 6
                && ngx_strncmp(r->args.data, "locked", 6) == 0)))
    {
        ngx_dm_sec_status_locked(&page, ngx_dm_sec_zone_shared(dmcf));

    } else {
        ngx_dm_sec_status_all(&page, dmcf);
    }

    if (page.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_dm_sec_status_send(r, &page);
}


static ngx_int_t
ngx_dm_sec_status_send(ngx_http_request_t *r, ngx_dm_sec_page_t *page)
{
    ngx_int_t  rc;

    if (page->prometheus) {
        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = page->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    page->buf->last_buf = (r == r->main);
    page->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, page->first);
}


static void
ngx_dm_sec_status_all(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_dm_sec_shared_t  *sh;

    sh = ngx_dm_sec_zone_shared(dmcf);

    if (!page->prometheus) {
        ngx_dm_sec_page_write(page, "{");
    }

    ngx_dm_sec_status_requests(page, sh);
    ngx_dm_sec_status_tls(page, sh);
    ngx_dm_sec_status_cells(page, sh);
    ngx_dm_sec_status_store(page, dmcf);

    if (!page->prometheus) {
        ngx_dm_sec_page_write(page, "}\n");
    }
}


static void
ngx_dm_sec_status_requests(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    ngx_str_t                   name;
    ngx_uint_t                  i;
    const ngx_dm_sec_method_t  *method;

    ngx_dm_sec_page_open(page, "verified", "counter",
                         "requests that were verified, by method");

    for (i = 0; i < NGX_DM_SEC_METHODS; i++) {
        method = ngx_dm_sec_method_find((ngx_uint_t) 1 << i);

        if (method) {
            ngx_dm_sec_method_name(method, &name);
            ngx_dm_sec_page_item(page, "verified", "method", &name,
                                 sh->verified[i]);
        }
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, "denied", "counter",
                         "requests that were denied, by reason");

    for (i = NGX_DM_SEC_R_NONE + 1; i < NGX_DM_SEC_R_MAX; i++) {
        ngx_dm_sec_page_item(page, "denied", "reason",
                             ngx_dm_sec_reason_name(i), sh->denied[i]);
    }

    ngx_dm_sec_page_close(page);
}


static void
ngx_dm_sec_status_tls(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    ngx_str_t          name;
    ngx_uint_t         i;
    const dm_suite_t  *suite;

    ngx_dm_sec_page_open(page, "versions", "counter",
                         "requests over TLS, by version");

    for (i = 0; i < DM_VERSIONS; i++) {
        name.data = (u_char *) dm_version_name(1 << i);
        name.len = ngx_strlen(name.data);
        ngx_dm_sec_page_item(page, "versions", "version", &name,
                             sh->versions[i]);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, "suites", "counter",
                         "requests over TLS, by suite");

    for (i = 0; i < NGX_DM_SEC_SUITES; i++) {
        suite = dm_suite_at(i);

        if (suite && sh->suites[i]) {
            name.data = (u_char *) suite->iana;
            name.len = ngx_strlen(name.data);
            ngx_dm_sec_page_item(page, "suites", "suite", &name,
                                 sh->suites[i]);
        }
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, "handshakes_failed", "counter",
                         "handshakes that failed, by reason");

    for (i = 0; i < NGX_DM_SEC_HS_MAX; i++) {
        ngx_dm_sec_page_item(page, "handshakes_failed", "reason",
                             ngx_dm_sec_handshake_name(i), sh->handshakes[i]);
    }

    ngx_dm_sec_page_close(page);
}


static void
ngx_dm_sec_status_cells(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    ngx_uint_t          i, n;
    ngx_dm_sec_usage_t  usage[3];

    static ngx_str_t  kinds[] = {
        ngx_string("nonces"), ngx_string("failures"), ngx_string("passwords")
    };

    static struct {
        char  *name;
        char  *type;
        char  *help;
    } metric[NGX_DM_SEC_CELLS_MAX] = {
        { "cells", "gauge", "cells of the zone, by kind" },
        { "cells_used", "gauge", "cells in use, by kind" },
        { "cells_locked", "gauge", "cells that lock somebody out, by kind" },
        { "cells_evicted", "counter", "cells evicted while in use, by kind" }
    };

    ngx_dm_sec_status_usage(sh->nonces, ngx_dm_sec_zone_clock(sh), NULL,
                            &usage[0]);
    ngx_dm_sec_status_usage(dm_failures_table(sh->failures), ngx_current_msec,
                            dm_failures_is_lock, &usage[1]);
    ngx_dm_sec_status_usage(sh->passwords, ngx_current_msec, NULL, &usage[2]);

    for (n = 0; n < NGX_DM_SEC_CELLS_MAX; n++) {
        ngx_dm_sec_page_open(page, metric[n].name, metric[n].type,
                             metric[n].help);

        for (i = 0; i < 3; i++) {
            ngx_dm_sec_page_item(page, metric[n].name, "kind", &kinds[i],
                                 usage[i].value[n]);
        }

        ngx_dm_sec_page_close(page);
    }

    ngx_dm_sec_page_value(page, "lockout_overflow", "counter",
                          "locks that found no room, and lock a network",
                          sh->lockout_overflow);
}


/* without the lock, which nobody may hold for so long: a good guess */
static void
ngx_dm_sec_status_usage(const dm_table_t *table, uint64_t now,
    int (*is_lock)(const dm_cell_t *cell), ngx_dm_sec_usage_t *usage)
{
    size_t            i, n;
    const dm_cell_t  *cell;

    ngx_memzero(usage, sizeof(ngx_dm_sec_usage_t));

    n = dm_table_cells(table);

    usage->value[NGX_DM_SEC_CELLS] = n;
    usage->value[NGX_DM_SEC_CELLS_EVICTED] = dm_table_evicted(table);

    for (i = 0; i < n; i++) {
        cell = dm_table_cell(table, i);

        if (!dm_cell_alive(cell, now)) {
            continue;
        }

        usage->value[NGX_DM_SEC_CELLS_USED]++;

        if (is_lock && is_lock(cell)) {
            usage->value[NGX_DM_SEC_CELLS_LOCKED]++;
        }
    }
}


static void
ngx_dm_sec_status_store(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_str_t         name;
    ngx_uint_t        i;
    dm_store_stat_t   stat;

    if (dmcf->keys == NULL) {
        return;
    }

    ngx_dm_sec_page_open(page, "store_keys", "gauge",
                         "keys of the store in force, by id; 1 seals");

    for (i = 0; i < dmcf->keys->n; i++) {
        name.data = (u_char *) dmcf->keys->key[i].id;
        name.len = ngx_strlen(name.data);
        ngx_dm_sec_page_item(page, "store_keys", "key", &name, i + 1);
    }

    ngx_dm_sec_page_close(page);

    if (ngx_dm_sec_store_stat(&stat) != NGX_OK) {
        ngx_memzero(&stat, sizeof(dm_store_stat_t));
    }

    ngx_dm_sec_page_value(page, "store_up", "gauge",
                          "1 if this worker has the store open",
                          stat.map_size != 0);
    ngx_dm_sec_page_value(page, "store_damaged", "gauge",
                          "1 if a process died while it read the store",
                          ngx_dm_sec_damage_here());
    ngx_dm_sec_page_value(page, "store_accounts", "gauge",
                          "accounts in the store", stat.accounts);
    ngx_dm_sec_page_value(page, "store_map_used", "gauge",
                          "octets of the map in use", stat.map_used);
    ngx_dm_sec_page_value(page, "store_map_size", "gauge",
                          "octets that the map may have", stat.map_size);
    ngx_dm_sec_page_value(page, "store_readers", "gauge",
                          "processes of nginx that have the store open",
                          stat.readers);
    ngx_dm_sec_page_value(page, "store_readers_max", "gauge",
                          "as many as can have it open", stat.readers_max);
    ngx_dm_sec_page_value(page, "store_changed_seconds", "gauge",
                          "seconds since the store changed",
                          stat.changed ? ngx_max(ngx_time() - stat.changed, 0)
                                       : 0);
}


static void
ngx_dm_sec_status_locked(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    size_t             i, n;
    dm_cell_t          cell;
    const dm_table_t  *table;

    table = dm_failures_table(sh->failures);
    n = dm_table_cells(table);

    ngx_dm_sec_page_write(page, "[");

    for (i = 0; i < n; i++) {
        cell = *dm_table_cell(table, i);

        if (dm_cell_alive(&cell, ngx_current_msec)
            && dm_failures_is_lock(&cell))
        {
            ngx_dm_sec_status_lock(page, &cell);
        }
    }

    ngx_dm_sec_page_write(page, "]\n");
}


/* a name is cut in its cell, maybe within a character: ASCII only */
static void
ngx_dm_sec_status_lock(ngx_dm_sec_page_t *page, const dm_cell_t *cell)
{
    u_char                *p;
    u_char                 name[NGX_DM_SEC_STATUS_NAME];
    u_char                 address[NGX_INET6_ADDRSTRLEN];
    size_t                 len;
    ngx_uint_t             i;
    ngx_dm_sec_failure_t   failure;

    ngx_memcpy(&failure, dm_failures_note(cell),
               sizeof(ngx_dm_sec_failure_t));

    for (i = 0; i < sizeof(failure.name) && failure.name[i]; i++) {
        if (failure.name[i] >= 0x80) {
            failure.name[i] = '?';
        }
    }

    p = (u_char *) ngx_escape_json(name, failure.name, i);
    len = ngx_dm_sec_status_address(&failure, address);

    ngx_dm_sec_page_write(page, "%s{\"name\":\"%*s\",\"known\":%s,"
                          "\"address\":\"%*s\",\"seconds\":%uL}",
                          page->comma ? "," : "", (size_t) (p - name), name,
                          failure.known ? "true" : "false", len, address,
                          (cell->expires - ngx_current_msec + 999) / 1000);
    page->comma = 1;
}


static size_t
ngx_dm_sec_status_address(ngx_dm_sec_failure_t *failure, u_char *text)
{
    u_char  address[16];

    switch (failure->family) {

    case 4:
        return ngx_inet_ntop(AF_INET, failure->address, text,
                             NGX_INET6_ADDRSTRLEN);

#if (NGX_HAVE_INET6)
    case 6:
        ngx_memzero(address, sizeof(address));
        ngx_memcpy(address, failure->address, sizeof(failure->address));
        return ngx_inet_ntop(AF_INET6, address, text, NGX_INET6_ADDRSTRLEN);
#endif
    }

    return ngx_cpymem(text, "unix", 4) - text;
}


/* a metric of several items, with a label each */
static void
ngx_dm_sec_page_open(ngx_dm_sec_page_t *page, char *name, char *type,
    char *help)
{
    if (page->prometheus) {
        ngx_dm_sec_page_head(page, name, type, help);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%s\":{", page->comma ? "," : "", name);
    page->comma = 0;
}


static void
ngx_dm_sec_page_head(ngx_dm_sec_page_t *page, char *name, char *type,
    char *help)
{
    page->suffix = (type[0] == 'c') ? "_total" : "";

    ngx_dm_sec_page_write(page, "# HELP dm_sec_%s%s %s\n"
                          "# TYPE dm_sec_%s%s %s\n",
                          name, page->suffix, help, name, page->suffix, type);
}


static void
ngx_dm_sec_page_close(ngx_dm_sec_page_t *page)
{
    if (!page->prometheus) {
        ngx_dm_sec_page_write(page, "}");
        page->comma = 1;
    }
}


static void
ngx_dm_sec_page_item(ngx_dm_sec_page_t *page, char *metric, char *label,
    ngx_str_t *name, uint64_t value)
{
    if (page->prometheus) {
        ngx_dm_sec_page_write(page, "dm_sec_%s%s{%s=\"%V\"} %uL\n",
                              metric, page->suffix, label, name, value);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%V\":%uL", page->comma ? "," : "", name,
                          value);
    page->comma = 1;
}


/* a metric that is one number */
static void
ngx_dm_sec_page_value(ngx_dm_sec_page_t *page, char *name, char *type,
    char *help, uint64_t value)
{
    if (page->prometheus) {
        ngx_dm_sec_page_head(page, name, type, help);
        ngx_dm_sec_page_write(page, "dm_sec_%s%s %uL\n", name, page->suffix,
                              value);
        return;
    }

    ngx_dm_sec_page_write(page, "%s\"%s\":%uL", page->comma ? "," : "", name,
                          value);
    page->comma = 1;
}


static void
ngx_dm_sec_page_write(ngx_dm_sec_page_t *page, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    if (page->failed
        || ((page->buf == NULL
             || page->buf->end - page->buf->last < NGX_DM_SEC_STATUS_ITEM)
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

    cl->buf = ngx_create_temp_buf(page->r->pool, NGX_DM_SEC_STATUS_BUF);
    if (cl->buf == NULL) {
        return NGX_ERROR;
    }

    cl->next = NULL;

    *page->last = cl;
    page->last = &cl->next;
    page->buf = cl->buf;

    return NGX_OK;
}
