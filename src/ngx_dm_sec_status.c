/* Counters, and the page that shows them */

#include "ngx_dm_sec_status.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_challenge.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_damage.h"
#include "ngx_dm_sec_dates.h"
#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_html.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_page.h"
#include "ngx_dm_sec_release.h"
#include "ngx_dm_sec_replica.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_usage.h"

#include "dm_fleet_state.h"


/* JSON makes six octets of one at most */
#define NGX_DM_SEC_STATUS_NAME                                                \
    (sizeof(((ngx_dm_sec_lock_t *) 0)->name_data) * 6)


static ngx_int_t ngx_dm_sec_status_send(ngx_http_request_t *r,
    ngx_dm_sec_page_t *page);
static void ngx_dm_sec_status_all(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_status_build(ngx_dm_sec_page_t *page);
static void ngx_dm_sec_status_requests(ngx_dm_sec_page_t *page,
    ngx_dm_sec_counts_t *sum);
static void ngx_dm_sec_status_tls(ngx_dm_sec_page_t *page,
    ngx_dm_sec_counts_t *sum);
static void ngx_dm_sec_status_cells(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_status_dates(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_status_ends(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_metric_e metric,
    ngx_dm_sec_date_e one, ngx_dm_sec_date_e two);
static void ngx_dm_sec_status_hash(ngx_dm_sec_page_t *page,
    ngx_dm_sec_counts_t *sum, ngx_dm_sec_processes_t *now);
static void ngx_dm_sec_status_store(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_processes_t *now);
static void ngx_dm_sec_status_accounts(ngx_dm_sec_page_t *page,
    const ngx_dm_sec_store_state_t *state);
static void ngx_dm_sec_status_replica(ngx_dm_sec_page_t *page,
    const dm_store_replica_t *replica);
static void ngx_dm_sec_status_item(ngx_dm_sec_page_t *page, const char *text,
    uint64_t value);
static void ngx_dm_sec_status_locked(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_status_lock(ngx_dm_sec_page_t *page,
    ngx_dm_sec_lock_t *lock);


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

    } else if (ngx_strcmp(value[1].data, "html") == 0) {
        dlcf->status = NGX_DM_SEC_STATUS_HTML;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": the formats are json, "
                           "prometheus and html", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "stands behind a directive that answers too, such as "
               "\"proxy_pass\": leave one of them out";
    }

    clcf->handler = ngx_dm_sec_status_handler;

    return NGX_CONF_OK;
}


void
ngx_dm_sec_status_count(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    SSL                     *ssl;
    ngx_uint_t               i;
    const dm_suite_t        *suite;
    const SSL_CIPHER        *cipher;
    ngx_dm_sec_counts_t     *counts;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);
    sh = ngx_dm_sec_zone_shared(dmcf);
    counts = ngx_dm_sec_counts(sh);

    if (ctx && ctx->denied) {
        ngx_dm_sec_count(counts->denied[ctx->reason]);
        ngx_dm_sec_count(counts->details[ctx->detail]);
        ngx_dm_sec_recent_count(&sh->recent->count[NGX_DM_SEC_RECENT_DENIED
                                                   + ctx->reason]);

    } else if (ctx && ctx->account) {
        for (i = 0; !(ctx->method->bit >> i & 1); i++) { /* void */ }

        ngx_dm_sec_count(counts->verified[i]);
        ngx_dm_sec_recent_count(&counts->recent);
    }

    if (r->connection->ssl == NULL) {
        return;
    }

    ssl = r->connection->ssl->connection;
    i = ngx_dm_sec_counts_version(SSL_version(ssl));

    if (i < DM_VERSIONS) {
        ngx_dm_sec_count(counts->versions[i]);
    }

    cipher = SSL_get_current_cipher(ssl);
    suite = cipher ? dm_suite_by_id(SSL_CIPHER_get_protocol_id(cipher)) : NULL;

    if (suite && dm_suite_index(suite) < NGX_DM_SEC_SUITES) {
        ngx_dm_sec_count(counts->suites[dm_suite_index(suite)]);
    }
}


ngx_int_t
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

    if (dlcf->status == NGX_DM_SEC_STATUS_HTML) {
        ngx_dm_sec_html(&page, dmcf);

    } else if (!page.prometheus
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
    ngx_int_t               rc;
    ngx_dm_sec_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    if (dlcf->status == NGX_DM_SEC_STATUS_HTML) {
        if (ngx_dm_sec_html_headers(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (page->prometheus) {
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
    ngx_dm_sec_counts_t      sum;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_processes_t   now;

    sh = ngx_dm_sec_zone_shared(dmcf);

    ngx_dm_sec_counts_sum(sh, &sum);
    ngx_dm_sec_processes(dmcf, &now);

    if (!page->prometheus) {
        ngx_dm_sec_page_write(page, "{");
    }

    ngx_dm_sec_status_build(page);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_WORKERS, now.processes);
    ngx_dm_sec_status_requests(page, &sum);
    ngx_dm_sec_status_tls(page, &sum);
    ngx_dm_sec_status_dates(page, dmcf);
    ngx_dm_sec_status_hash(page, &sum, &now);
    ngx_dm_sec_status_cells(page, sh);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_LOCKOUT_OVERFLOW,
                          sum.lockout_overflow);
    ngx_dm_sec_status_store(page, dmcf, &now);

    if (!page->prometheus) {
        ngx_dm_sec_page_write(page, "}\n");
    }
}


static void
ngx_dm_sec_status_build(ngx_dm_sec_page_t *page)
{
    static const char  *label[] = { "version", "nginx", "openssl" };

    ngx_dm_sec_page_info(page, NGX_DM_SEC_M_BUILD, 3, label,
                         (const char *[]) { DM_VERSION, NGINX_VERSION,
                             OpenSSL_version(OPENSSL_VERSION_STRING) });

    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_MODULE_REPLACED,
                          ngx_dm_sec_release_file() != NGX_DM_SEC_FILE_SAME);
}


static void
ngx_dm_sec_status_requests(ngx_dm_sec_page_t *page, ngx_dm_sec_counts_t *sum)
{
    ngx_str_t                   name;
    ngx_uint_t                  i;
    const ngx_dm_sec_method_t  *method;

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_VERIFIED, "method");

    for (i = 0; i < NGX_DM_SEC_METHODS; i++) {
        method = ngx_dm_sec_method_find((ngx_uint_t) 1 << i);

        if (method) {
            ngx_dm_sec_method_name(method, &name);
            ngx_dm_sec_page_item(page, &name, sum->verified[i]);
        }
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_DENIED, "reason");

    for (i = NGX_DM_SEC_R_NONE + 1; i < NGX_DM_SEC_R_MAX; i++) {
        ngx_dm_sec_page_item(page, ngx_dm_sec_reason_name(i), sum->denied[i]);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_DENIED_DETAILS, "detail");

    for (i = NGX_DM_SEC_D_NONE + 1; i < NGX_DM_SEC_D_MAX; i++) {
        ngx_dm_sec_page_item(page, ngx_dm_sec_detail_name(i), sum->details[i]);
    }

    ngx_dm_sec_page_close(page);
}


static void
ngx_dm_sec_status_tls(ngx_dm_sec_page_t *page, ngx_dm_sec_counts_t *sum)
{
    ngx_uint_t         i;
    const dm_suite_t  *suite;

    static char  *result[NGX_DM_SEC_RESULTS] = { "done", "failed" };

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_VERSIONS, "version");

    for (i = 0; i < DM_VERSIONS; i++) {
        ngx_dm_sec_status_item(page, dm_version_name(1 << i),
                               sum->versions[i]);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_SUITES, "suite");

    for (i = 0; i < NGX_DM_SEC_SUITES; i++) {
        suite = dm_suite_at(i);

        if (suite && sum->suites[i]) {
            ngx_dm_sec_status_item(page, suite->iana, sum->suites[i]);
        }
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_HANDSHAKES_FAILED, "reason");

    for (i = 0; i < NGX_DM_SEC_HS_MAX; i++) {
        ngx_dm_sec_page_item(page, ngx_dm_sec_handshake_name(i),
                             sum->handshakes_failed[i]);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_HANDSHAKES, "version");

    for (i = 0; i <= DM_VERSIONS; i++) {
        ngx_dm_sec_page_pair(page, i < DM_VERSIONS ? dm_version_name(1 << i)
                                                   : "unknown",
                             "result", result,
                             (uint64_t *) sum->handshakes[i]);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_UPGRADES, "result");

    for (i = 0; i < NGX_DM_SEC_RESULTS; i++) {
        ngx_dm_sec_status_item(page, result[i], sum->upgrades[i]);
    }

    ngx_dm_sec_page_close(page);
}


/* certificates and CRLs, as they were when nginx read them */
static void
ngx_dm_sec_status_dates(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t          i, count[NGX_DM_SEC_DATE_KINDS];
    ngx_dm_sec_date_t  *date;

    static ngx_str_t  kinds[NGX_DM_SEC_DATE_KINDS] = {
        ngx_string("certificate"), ngx_string("intermediate"),
        ngx_string("client_ca"), ngx_string("crl"), ngx_string("crl_missing")
    };

    ngx_dm_sec_status_ends(page, dmcf, NGX_DM_SEC_M_CERTIFICATES,
                           NGX_DM_SEC_DATE_CERT, NGX_DM_SEC_DATE_CHAIN);
    ngx_dm_sec_status_ends(page, dmcf, NGX_DM_SEC_M_CLIENT_CAS,
                           NGX_DM_SEC_DATE_CA, NGX_DM_SEC_DATE_CA);
    ngx_dm_sec_status_ends(page, dmcf, NGX_DM_SEC_M_CRLS,
                           NGX_DM_SEC_DATE_CRL, NGX_DM_SEC_DATE_CRL);

    ngx_memzero(count, sizeof(count));

    date = dmcf->dates.elts;

    for (i = 0; i < dmcf->dates.nelts; i++) {
        count[date[i].span.kind] += ngx_dm_sec_dates_state(&date[i].span)
                                    != NGX_DM_SEC_DATE_IN_FORCE;
    }

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_NOT_IN_FORCE, "kind");

    for (i = 0; i < NGX_DM_SEC_DATE_KINDS; i++) {
        ngx_dm_sec_page_item(page, &kinds[i], count[i]);
    }

    ngx_dm_sec_page_close(page);
}


/* when the first of a server's ends that are of one or the other kind */
static void
ngx_dm_sec_status_ends(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_metric_e metric, ngx_dm_sec_date_e one, ngx_dm_sec_date_e two)
{
    time_t              end;
    u_char              buf[6 * NGX_DM_SEC_DATE_SERVER];
    ngx_str_t           name;
    ngx_uint_t          i;
    ngx_dm_sec_ends_t  *ends;

    ngx_dm_sec_page_open(page, metric, "server");

    ends = dmcf->ends.elts;

    for (i = 0; i < dmcf->ends.nelts; i++) {
        end = ngx_min(ends[i].end[one], ends[i].end[two]);

        if (end == NGX_DM_SEC_DATE_NEVER) {
            continue;
        }

        name.data = buf;
        name.len = (u_char *) ngx_escape_json(buf, ends[i].server.data,
                                              ends[i].server.len)
                   - buf;

        ngx_dm_sec_page_item(page, &name, end);
    }

    ngx_dm_sec_page_close(page);
}


static void
ngx_dm_sec_status_hash(ngx_dm_sec_page_t *page, ngx_dm_sec_counts_t *sum,
    ngx_dm_sec_processes_t *now)
{
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_HASH_RUNNING, now->hash_running);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_HASH_WAITING, now->hash_waiting);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_HASH_REFUSED, sum->hash_refused);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_PASSWORD_HITS,
                          sum->password_hits);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_PASSWORD_MISSES,
                          sum->password_misses);
}


static void
ngx_dm_sec_status_cells(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    ngx_uint_t          i, n;
    ngx_dm_sec_usage_t  usage[NGX_DM_SEC_TABLES];

    static ngx_str_t  kinds[] = {
        ngx_string("nonces"), ngx_string("failures"), ngx_string("passwords")
    };

    ngx_dm_sec_usage(sh, usage);

    for (n = 0; n < NGX_DM_SEC_CELLS_MAX; n++) {
        ngx_dm_sec_page_open(page, NGX_DM_SEC_M_CELLS + n, "kind");

        for (i = 0; i < NGX_DM_SEC_TABLES; i++) {
            ngx_dm_sec_page_item(page, &kinds[i], usage[i].value[n]);
        }

        ngx_dm_sec_page_close(page);
    }
}


/* whichever worker answers, it says the same */
static void
ngx_dm_sec_status_store(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_processes_t *now)
{
    ngx_uint_t           i;
    uint64_t             changed;
    ngx_dm_sec_store_state_t   state;

    if (dmcf->keys == NULL) {
        return;
    }

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_STORE_KEYS, "key");

    for (i = 0; i < dmcf->keys->n; i++) {
        ngx_dm_sec_status_item(page, dmcf->keys->key[i].id, i + 1);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_store_state(dmcf, now->stores, &state);

    changed = state.stat.changed;

    if (!page->prometheus && changed) {
        changed = ngx_max(ngx_time() - state.stat.changed, 0);
    }

    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_UP,
                          now->stores && now->stores == now->processes);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_WORKERS, now->stores);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_DAMAGED,
                          ngx_dm_sec_damage_there(dmcf));

    ngx_dm_sec_page_info(page, NGX_DM_SEC_M_STORE, 1,
                         (const char *[]) { "writer" },
                         (const char *[]) { state.writer });
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_ACCOUNTS,
                          state.stat.accounts);
    ngx_dm_sec_status_accounts(page, &state);

    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_MAP_USED,
                          state.stat.map_used);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_MAP_SIZE,
                          state.stat.map_size);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_READERS,
                          state.stat.readers);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_READERS_MAX,
                          state.stat.readers_max);
    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_STORE_CHANGED, changed);

    if (state.follows) {
        ngx_dm_sec_status_replica(page, &state.replica);
    }
}


/* an older dm-account, which counted nothing, may have written the store */
static void
ngx_dm_sec_status_accounts(ngx_dm_sec_page_t *page,
    const ngx_dm_sec_store_state_t *state)
{
    dm_algorithm_t  alg;

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_STORE_STATES, "state");

    if (state->counted) {
        ngx_dm_sec_status_item(page, "active", state->counts.active);
        ngx_dm_sec_status_item(page, "disabled", state->counts.disabled);
        ngx_dm_sec_status_item(page, "expired", state->counts.expired);
    }

    ngx_dm_sec_page_close(page);

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_STORE_LACKING, "algorithm");

    for (alg = 0; state->counted && alg < DM_NALGORITHMS; alg++) {
        ngx_dm_sec_page_item(page, ngx_dm_sec_challenge_name(alg, 0),
                             dm_store_lacking(&state->counts, alg));
    }

    ngx_dm_sec_page_close(page);
}


/* in JSON the state that there is; to Prometheus each, of which it is one */
static void
ngx_dm_sec_status_replica(ngx_dm_sec_page_t *page,
    const dm_store_replica_t *replica)
{
    time_t      age;
    ngx_uint_t  i;

    age = ngx_dm_sec_replica_age(replica);

    ngx_dm_sec_page_value(page, NGX_DM_SEC_M_REPLICA_POSITION,
                          replica->number);

    if (age != (time_t) NGX_ERROR) {
        ngx_dm_sec_page_value(page, NGX_DM_SEC_M_REPLICA_AGE, age);
    }

    ngx_dm_sec_page_open(page, NGX_DM_SEC_M_REPLICA_STATE, "state");

    for (i = 0; page->prometheus && i < DM_FLEET_STATES; i++) {
        ngx_dm_sec_status_item(page, dm_fleet_state_name(i),
                               replica->state == i);
    }

    if (!page->prometheus) {
        ngx_dm_sec_status_item(page, dm_fleet_state_name(replica->state), 1);
    }

    ngx_dm_sec_page_close(page);
}


static void
ngx_dm_sec_status_item(ngx_dm_sec_page_t *page, const char *text,
    uint64_t value)
{
    ngx_str_t  name;

    name.data = (u_char *) text;
    name.len = ngx_strlen(text);

    ngx_dm_sec_page_item(page, &name, value);
}


static void
ngx_dm_sec_status_locked(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    size_t             cell;
    ngx_dm_sec_lock_t  lock;

    cell = 0;

    ngx_dm_sec_page_write(page, "[");

    while (ngx_dm_sec_usage_lock(sh, &cell, &lock)) {
        ngx_dm_sec_status_lock(page, &lock);
    }

    ngx_dm_sec_page_write(page, "]\n");
}


/* a name is cut, maybe within a character: ASCII only */
static void
ngx_dm_sec_status_lock(ngx_dm_sec_page_t *page, ngx_dm_sec_lock_t *lock)
{
    u_char      *p;
    u_char       name[NGX_DM_SEC_STATUS_NAME];
    ngx_uint_t   i;

    for (i = 0; i < lock->name.len; i++) {
        if (lock->name.data[i] >= 0x80) {
            lock->name.data[i] = '?';
        }
    }

    p = (u_char *) ngx_escape_json(name, lock->name.data, lock->name.len);

    ngx_dm_sec_page_write(page, "%s{\"name\":\"%*s\",\"known\":%s,"
                          "\"address\":\"%V\",\"seconds\":%uL}",
                          page->comma ? "," : "", (size_t) (p - name), name,
                          lock->known ? "true" : "false", &lock->address,
                          lock->seconds);
    page->comma = 1;
}
