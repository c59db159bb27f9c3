/* The status page for people, in HTML */

#include "ngx_dm_sec_html.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_detail.h"
#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_health.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_usage.h"

#include "dm_advice.h"


#define NGX_DM_SEC_HTML_CHUNK  96       /* octets that are escaped at once */
#define NGX_DM_SEC_HTML_LOCKS  20       /* that are listed */

#define NGX_DM_SEC_HTML_POLICY                                                \
    "default-src 'none'; base-uri 'none'; form-action 'none'; "               \
    "frame-ancestors 'none'; style-src 'sha256-"


static void ngx_dm_sec_html_head(ngx_dm_sec_page_t *page,
    ngx_array_t *health);
static void ngx_dm_sec_html_summary(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_html_todo(ngx_dm_sec_page_t *page,
    ngx_array_t *health);
static void ngx_dm_sec_html_health(ngx_dm_sec_page_t *page,
    ngx_array_t *health);
static void ngx_dm_sec_html_refused(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static ngx_str_t *ngx_dm_sec_html_name(ngx_uint_t kind);
static uint64_t ngx_dm_sec_html_all(ngx_dm_sec_shared_t *sh, ngx_uint_t kind);
static void ngx_dm_sec_html_reason(ngx_dm_sec_page_t *page, ngx_uint_t kind,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_html_details(ngx_dm_sec_page_t *page,
    ngx_dm_sec_reason_e reason, ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_html_detail(ngx_dm_sec_page_t *page, ngx_str_t *reason,
    ngx_str_t *detail, uint64_t count);
static void ngx_dm_sec_html_last(ngx_dm_sec_page_t *page,
    ngx_dm_sec_main_conf_t *dmcf);
static void ngx_dm_sec_html_locks(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_html_used(ngx_dm_sec_page_t *page,
    ngx_dm_sec_shared_t *sh);
static void ngx_dm_sec_html_foot(ngx_dm_sec_page_t *page);
static void ngx_dm_sec_html_row(ngx_dm_sec_page_t *page, const char *name,
    uint64_t count);
static void ngx_dm_sec_html_table(ngx_dm_sec_page_t *page, const char *id,
    const char *title, const char *columns);
static void ngx_dm_sec_html_end(ngx_dm_sec_page_t *page);
static void ngx_dm_sec_html_raw(ngx_dm_sec_page_t *page, const char *text);
static void ngx_dm_sec_html_words(ngx_dm_sec_page_t *page, const char *text);
static void ngx_dm_sec_html_option(ngx_dm_sec_page_t *page,
    const char *option, ngx_str_t *value, const char *usual);
static void ngx_dm_sec_html_text(ngx_dm_sec_page_t *page, u_char *data,
    size_t len);
static ngx_int_t ngx_dm_sec_html_policy(ngx_http_request_t *r);


/* text on its background has a contrast of 4.5 at least, in either scheme */
static const char  ngx_dm_sec_html_style[] =
    ":root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#57606a;"
    "--line:#d0d7de;--box:#f6f8fa;--well:#116329;--attention:#7d4e00;"
    "--trouble:#a40e26}"
    "@media(prefers-color-scheme:dark){:root{--back:#0d1117;--text:#e6edf3;"
    "--soft:#9aa4af;--line:#30363d;--box:#161b22;--well:#56d364;"
    "--attention:#e3b341;--trouble:#ff8d85}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:1rem;max-width:80rem;background:var(--back);"
    "color:var(--text);font:1rem/1.4 system-ui,sans-serif;"
    "overflow-wrap:break-word}"
    "h1{margin:0;font-size:1.6rem}"
    "h2{margin:0 0 .5rem;font-size:1.1rem}"
    "header,section{border:1px solid var(--line);border-radius:.5rem;"
    "background:var(--box);padding:.8rem 1rem}"
    "header{border-left:.6rem solid var(--well)}"
    "header.attention{border-left-color:var(--attention)}"
    "header.trouble{border-left-color:var(--trouble)}"
    "header p,section p,ol{margin:.2rem 0}"
    "main{display:grid;gap:1rem;margin-top:1rem;align-items:start;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr))}"
    ".wide{grid-column:1/-1}"
    "table{width:100%;border-collapse:collapse;font-size:.95rem}"
    "th,td{padding:.3rem .5rem .3rem 0;text-align:left;vertical-align:top;"
    "border-top:1px solid var(--line);font-weight:normal}"
    "thead th{border:0;color:var(--soft)}"
    "tbody th{font-weight:600;overflow-wrap:anywhere}"
    "#health+table tbody th{overflow-wrap:normal}"
    "#health+table td+td{overflow-wrap:anywhere}"
    ".n{text-align:right;white-space:nowrap;overflow-wrap:normal;"
    "font-variant-numeric:tabular-nums}"
    "small,.soft,footer{color:var(--soft)}"
    "small{display:block;font-size:.85rem;font-weight:normal}"
    "code{font:.9em ui-monospace,monospace}"
    "b.well{color:var(--well)}"
    "b.attention{color:var(--attention)}"
    "b.trouble{color:var(--trouble)}"
    "li{margin:.4rem 0}"
    "footer{margin-top:1rem;font-size:.85rem}";


/* indexed by ngx_dm_sec_state_e: a class of the style, and a word to read */
static struct {
    char  *class;
    char  *word;
} ngx_dm_sec_html_states[] = {
    { "well", "Well" },
    { "attention", "Attention" },
    { "trouble", "Trouble" }
};


void
ngx_dm_sec_html(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_array_t           health;
    ngx_dm_sec_shared_t  *sh;

    if (ngx_array_init(&health, page->r->pool, 8, sizeof(ngx_dm_sec_health_t))
        != NGX_OK
        || ngx_dm_sec_health(dmcf, &health) != NGX_OK)
    {
        page->failed = 1;
        return;
    }

    sh = ngx_dm_sec_zone_shared(dmcf);

    ngx_dm_sec_html_head(page, &health);
    ngx_dm_sec_html_summary(page, sh);
    ngx_dm_sec_html_todo(page, &health);
    ngx_dm_sec_html_health(page, &health);
    ngx_dm_sec_html_refused(page, sh);
    ngx_dm_sec_html_last(page, dmcf);
    ngx_dm_sec_html_locks(page, sh);
    ngx_dm_sec_html_used(page, sh);
    ngx_dm_sec_html_foot(page);
}


/* the verdict, which the title has too: it is read in a tab */
static void
ngx_dm_sec_html_head(ngx_dm_sec_page_t *page, ngx_array_t *health)
{
    u_char                verdict[64];
    u_char               *p;
    ngx_tm_t              tm;
    ngx_uint_t            i, count[NGX_DM_SEC_TROUBLE + 1];
    ngx_dm_sec_state_e    state;
    ngx_dm_sec_health_t  *part;

    ngx_memzero(count, sizeof(count));

    part = health->elts;

    for (i = 0; i < health->nelts; i++) {
        count[part[i].state]++;
    }

    state = count[NGX_DM_SEC_TROUBLE] ? NGX_DM_SEC_TROUBLE
            : count[NGX_DM_SEC_ATTENTION] ? NGX_DM_SEC_ATTENTION
            : NGX_DM_SEC_WELL;

    p = (state == NGX_DM_SEC_WELL)
        ? ngx_sprintf(verdict, "All is well")
        : ngx_sprintf(verdict, "%s: %ui of %ui parts",
                      ngx_dm_sec_html_states[state].word, count[state],
                      health->nelts);

    ngx_gmtime(ngx_time(), &tm);

    ngx_dm_sec_page_write(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                          "<meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" "
                          "content=\"width=device-width, initial-scale=1\">\n"
                          "<title>%*s - dm_sec</title>\n<style>",
                          (size_t) (p - verdict), verdict);
    ngx_dm_sec_html_raw(page, ngx_dm_sec_html_style);
    ngx_dm_sec_page_write(page, "</style>\n</head>\n<body>\n"
                          "<header class=\"%s\">\n<h1>%*s</h1>\n<p>",
                          ngx_dm_sec_html_states[state].class,
                          (size_t) (p - verdict), verdict);
    ngx_dm_sec_html_text(page, ngx_cycle->hostname.data,
                         ngx_cycle->hostname.len);
    ngx_dm_sec_page_write(page, ", %04d-%02d-%02d %02d:%02d:%02d UTC</p>\n",
                          tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                          tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
}


/* ends the head */
static void
ngx_dm_sec_html_summary(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    uint64_t                    denied, failed;
    ngx_uint_t                  i;
    ngx_dm_sec_recent_count_t  *count;

    count = sh->recent->count;
    denied = 0;
    failed = 0;

    for (i = NGX_DM_SEC_R_NONE + 1; i < NGX_DM_SEC_RECENT_FAILED; i++) {
        denied += ngx_dm_sec_recent_sum(&count[i], 15);
    }

    for ( /* void */ ; i < NGX_DM_SEC_RECENT_END; i++) {
        failed += ngx_dm_sec_recent_sum(&count[i], 15);
    }

    ngx_dm_sec_page_write(page, "<p>In the last 15 minutes: %uL requests "
                          "verified, %uL refused, %uL handshakes failed</p>\n"
                          "</header>\n<main>\n",
                          ngx_dm_sec_counts_recent(sh, 15), denied, failed);
}


/* the troubles first */
static void
ngx_dm_sec_html_todo(ngx_dm_sec_page_t *page, ngx_array_t *health)
{
    ngx_uint_t            i, told;
    ngx_dm_sec_state_e    state;
    ngx_dm_sec_health_t  *part;

    told = 0;
    part = health->elts;

    for (state = NGX_DM_SEC_TROUBLE; state > NGX_DM_SEC_WELL; state--) {

        for (i = 0; i < health->nelts; i++) {

            if (part[i].state != state) {
                continue;
            }

            ngx_dm_sec_page_write(page, "%s<li><b class=\"%s\">%s, %s</b>: ",
                                  told++ ? "" : "<section class=\"wide\">\n"
                                                "<h2>What to do</h2>\n<ol>\n",
                                  ngx_dm_sec_html_states[state].class,
                                  ngx_dm_sec_html_states[state].word,
                                  part[i].part);
            ngx_dm_sec_html_text(page, part[i].text, part[i].len);
            ngx_dm_sec_page_write(page, ".  %s <code>", part[i].todo);
            ngx_dm_sec_html_words(page, part[i].command);
            ngx_dm_sec_page_write(page, "</code></li>\n");
        }
    }

    if (told) {
        ngx_dm_sec_page_write(page, "</ol>\n</section>\n");
    }
}


static void
ngx_dm_sec_html_health(ngx_dm_sec_page_t *page, ngx_array_t *health)
{
    ngx_uint_t            i;
    ngx_dm_sec_health_t  *part;

    ngx_dm_sec_html_table(page, "health", "Is it well?",
                          "<th scope=\"col\">Part</th>"
                          "<th scope=\"col\">State</th>"
                          "<th scope=\"col\">In words</th>");

    part = health->elts;

    for (i = 0; i < health->nelts; i++) {
        ngx_dm_sec_page_write(page, "<tr><th scope=\"row\">%s</th>"
                              "<td><b class=\"%s\">%s</b></td><td>",
                              part[i].part,
                              ngx_dm_sec_html_states[part[i].state].class,
                              ngx_dm_sec_html_states[part[i].state].word);
        ngx_dm_sec_html_text(page, part[i].text, part[i].len);
        ngx_dm_sec_page_write(page, "</td></tr>\n");
    }

    ngx_dm_sec_html_end(page);
}


/* those of the last minutes first */
static void
ngx_dm_sec_html_refused(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    uint64_t    minutes, recent, all;
    ngx_uint_t  i, past, rows;

    rows = 0;

    ngx_dm_sec_html_table(page, "refused", "Who is refused, and why",
                          "<th scope=\"col\">Why</th>"
                          "<th scope=\"col\" class=\"n\">5 min</th>"
                          "<th scope=\"col\" class=\"n\">15 min</th>"
                          "<th scope=\"col\" class=\"n\">All</th>");

    for (past = 0; past < 2; past++) {

        for (i = NGX_DM_SEC_R_NONE + 1; i < NGX_DM_SEC_RECENT_END; i++) {
            all = ngx_dm_sec_html_all(sh, i);
            recent = ngx_dm_sec_recent_sum(&sh->recent->count[i], 15);

            if (all == 0 || past != (recent == 0)) {
                continue;
            }

            minutes = ngx_dm_sec_recent_sum(&sh->recent->count[i], 5);

            ngx_dm_sec_html_reason(page, i, sh);
            ngx_dm_sec_page_write(page, "<td class=\"n\">%uL</td>"
                                  "<td class=\"n\">%uL</td>"
                                  "<td class=\"n\">%uL</td></tr>\n",
                                  minutes, recent, all);
            rows++;
        }
    }

    if (rows == 0) {
        ngx_dm_sec_page_write(page, "<tr><td colspan=\"4\">Nobody was "
                              "refused.</td></tr>\n");
    }

    ngx_dm_sec_html_end(page);
}


/* of the kinds that the last minutes are counted by, all but the verified */
static ngx_str_t *
ngx_dm_sec_html_name(ngx_uint_t kind)
{
    return kind < NGX_DM_SEC_RECENT_FAILED
           ? ngx_dm_sec_reason_name(kind - NGX_DM_SEC_RECENT_DENIED)
           : ngx_dm_sec_handshake_name(kind - NGX_DM_SEC_RECENT_FAILED);
}


static uint64_t
ngx_dm_sec_html_all(ngx_dm_sec_shared_t *sh, ngx_uint_t kind)
{
    ngx_dm_sec_counts_t  sum;

    ngx_dm_sec_counts_sum(sh, &sum);

    return kind < NGX_DM_SEC_RECENT_FAILED
           ? sum.denied[kind - NGX_DM_SEC_RECENT_DENIED]
           : sum.handshakes_failed[kind - NGX_DM_SEC_RECENT_FAILED];
}


/* begins a row */
static void
ngx_dm_sec_html_reason(ngx_dm_sec_page_t *page, ngx_uint_t kind,
    ngx_dm_sec_shared_t *sh)
{
    dm_str_t            reason, none;
    ngx_str_t          *name;
    const dm_advice_t  *advice;

    name = ngx_dm_sec_html_name(kind);
    reason = ngx_dm_sec_set_dm_str(*name);
    none = (dm_str_t) { NULL, 0 };

    ngx_dm_sec_page_write(page, "<tr><th scope=\"row\"><code>%V</code>", name);

    advice = dm_advice_reason(reason);

    if (advice) {
        ngx_dm_sec_page_write(page, "<small>");
        ngx_dm_sec_html_words(page, advice->happened);
        ngx_dm_sec_page_write(page, "</small>");
    }

    ngx_dm_sec_page_write(page, "<small>");
    ngx_dm_sec_html_words(page, dm_advice_todo(reason, none));
    ngx_dm_sec_page_write(page, "</small>");

    if (kind < NGX_DM_SEC_RECENT_FAILED) {
        ngx_dm_sec_html_details(page, kind - NGX_DM_SEC_RECENT_DENIED, sh);
    }

    ngx_dm_sec_page_write(page, "</th>");
}


/* those of a reason that there were */
static void
ngx_dm_sec_html_details(ngx_dm_sec_page_t *page, ngx_dm_sec_reason_e reason,
    ngx_dm_sec_shared_t *sh)
{
    ngx_uint_t           i;
    ngx_dm_sec_counts_t  sum;

    ngx_dm_sec_counts_sum(sh, &sum);

    for (i = NGX_DM_SEC_D_NONE + 1; i < NGX_DM_SEC_D_MAX; i++) {

        if (sum.details[i] && ngx_dm_sec_detail_of(reason, i) == i) {
            ngx_dm_sec_html_detail(page, ngx_dm_sec_reason_name(reason),
                                   ngx_dm_sec_detail_name(i), sum.details[i]);
        }
    }
}


static void
ngx_dm_sec_html_detail(ngx_dm_sec_page_t *page, ngx_str_t *reason,
    ngx_str_t *detail, uint64_t count)
{
    const dm_advice_t  *advice;

    ngx_dm_sec_page_write(page, "<small><code>%V</code> %uL", detail, count);

    advice = dm_advice_detail(ngx_dm_sec_set_dm_str(*reason),
                              ngx_dm_sec_set_dm_str(*detail));

    if (advice) {
        ngx_dm_sec_page_write(page, ": ");
        ngx_dm_sec_html_words(page, advice->happened);
    }

    if (advice && advice->todo) {
        ngx_dm_sec_page_write(page, "; ");
        ngx_dm_sec_html_words(page, advice->todo);
    }

    ngx_dm_sec_page_write(page, "</small>");
}


static void
ngx_dm_sec_html_last(ngx_dm_sec_page_t *page, ngx_dm_sec_main_conf_t *dmcf)
{
    u_char                    span[32];
    u_char                   *p;
    ngx_uint_t                i, n;
    ngx_dm_sec_recent_one_t   last[NGX_DM_SEC_RECENT_LAST];

    n = ngx_dm_sec_recent_last(ngx_dm_sec_zone_shared(dmcf)->recent,
                               ngx_dm_sec_zone_pool(dmcf), last);

    ngx_dm_sec_html_table(page, "last", "The last that were refused",
                          "<th scope=\"col\">Who, as claimed</th>"
                          "<th scope=\"col\">Why</th>"
                          "<th scope=\"col\" class=\"n\">Ago</th>");

    for (i = 0; i < n; i++) {
        p = ngx_dm_sec_health_span(span, ngx_max(ngx_time() - last[i].time, 0));

        ngx_dm_sec_page_write(page, "<tr><th scope=\"row\">");
        ngx_dm_sec_html_text(page, last[i].name, last[i].name_len);
        ngx_dm_sec_page_write(page, "%s<small>", last[i].cut ? "&hellip;"
                              : last[i].name_len ? "" : "-");
        ngx_dm_sec_html_text(page, last[i].address, last[i].address_len);
        ngx_dm_sec_page_write(page, "</small></th><td><code>%V</code>",
                              ngx_dm_sec_html_name(last[i].kind));

        if (last[i].count > 1) {
            ngx_dm_sec_page_write(page, "<small>%uD times</small>",
                                  last[i].count);
        }

        ngx_dm_sec_page_write(page, "</td><td class=\"n\">%*s</td></tr>\n",
                              (size_t) (p - span), span);
    }

    if (n == 0) {
        ngx_dm_sec_page_write(page, "<tr><td colspan=\"3\">Nobody.</td></tr>"
                              "\n");
    }

    ngx_dm_sec_html_end(page);
}


static void
ngx_dm_sec_html_locks(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    size_t             cell;
    ngx_uint_t         rows, more;
    ngx_dm_sec_lock_t  lock;

    cell = 0;
    more = 0;

    ngx_dm_sec_html_table(page, "locks", "Who is locked out",
                          "<th scope=\"col\">Name, 19 octets of it</th>"
                          "<th scope=\"col\">Address</th>"
                          "<th scope=\"col\" class=\"n\">For</th>");

    for (rows = 0; ngx_dm_sec_usage_lock(sh, &cell, &lock); rows++) {

        if (rows >= NGX_DM_SEC_HTML_LOCKS) {
            more++;
            continue;
        }

        ngx_dm_sec_page_write(page, "<tr><th scope=\"row\">");

        if (lock.name.len) {
            ngx_dm_sec_html_text(page, lock.name.data, lock.name.len);

        } else {
            ngx_dm_sec_page_write(page, "all names");
        }

        ngx_dm_sec_page_write(page, "</th><td>%V</td>"
                              "<td class=\"n\">%uL s</td></tr>\n",
                              &lock.address, lock.seconds);
    }

    if (rows == 0) {
        ngx_dm_sec_page_write(page, "<tr><td colspan=\"3\">Nobody is locked "
                              "out.</td></tr>\n");
    }

    if (more) {
        ngx_dm_sec_page_write(page, "<tr><td colspan=\"3\">%ui more: "
                              "<code>dm_sec_status json</code> has all, with "
                              "<code>?locked</code></td></tr>\n", more);
    }

    ngx_dm_sec_html_end(page);
}


static void
ngx_dm_sec_html_used(ngx_dm_sec_page_t *page, ngx_dm_sec_shared_t *sh)
{
    ngx_str_t                   name;
    ngx_uint_t                  i;
    const dm_suite_t           *suite;
    ngx_dm_sec_counts_t         sum;
    const ngx_dm_sec_method_t  *method;

    ngx_dm_sec_counts_sum(sh, &sum);

    ngx_dm_sec_html_table(page, "used", "Methods, versions and suites in use",
                          "<th scope=\"col\">By what</th>"
                          "<th scope=\"col\" class=\"n\">Requests</th>");

    for (i = 0; i < NGX_DM_SEC_METHODS; i++) {
        method = ngx_dm_sec_method_find((ngx_uint_t) 1 << i);

        if (method) {
            ngx_dm_sec_method_name(method, &name);
            ngx_dm_sec_page_write(page, "<tr><th scope=\"row\">%V</th>"
                                  "<td class=\"n\">%uL</td></tr>\n", &name,
                                  (uint64_t) sum.verified[i]);
        }
    }

    for (i = 0; i < DM_VERSIONS; i++) {
        if (sum.versions[i]) {
            ngx_dm_sec_html_row(page, dm_version_name(1 << i),
                                sum.versions[i]);
        }
    }

    for (i = 0; i < NGX_DM_SEC_SUITES; i++) {
        suite = dm_suite_at(i);

        if (suite && sum.suites[i]) {
            ngx_dm_sec_html_row(page, suite->iana, sum.suites[i]);
        }
    }

    ngx_dm_sec_html_end(page);
}


static void
ngx_dm_sec_html_row(ngx_dm_sec_page_t *page, const char *name, uint64_t count)
{
    ngx_dm_sec_page_write(page, "<tr><th scope=\"row\">%s</th>"
                          "<td class=\"n\">%uL</td></tr>\n", name, count);
}


static void
ngx_dm_sec_html_foot(ngx_dm_sec_page_t *page)
{
    ngx_dm_sec_page_write(page, "</main>\n<footer>Counted since the zone was "
                          "made, of all workers; dates are those of the files "
                          "as nginx has read them. ngx_dm_sec_module %s, nginx "
                          "%s, %s, worker %P.  "
                          "The page does not reload itself.</footer>\n"
                          "</body>\n</html>\n", DM_VERSION, NGINX_VERSION,
                          OpenSSL_version(OPENSSL_VERSION), ngx_pid);
}


static void
ngx_dm_sec_html_table(ngx_dm_sec_page_t *page, const char *id,
    const char *title, const char *columns)
{
    ngx_dm_sec_page_write(page, "<section>\n<h2 id=\"%s\">%s</h2>\n"
                          "<table aria-labelledby=\"%s\">\n<thead><tr>%s"
                          "</tr></thead>\n<tbody>\n", id, title, id, columns);
}


static void
ngx_dm_sec_html_end(ngx_dm_sec_page_t *page)
{
    ngx_dm_sec_page_write(page, "</tbody>\n</table>\n</section>\n");
}


/* text of ours, however long */
static void
ngx_dm_sec_html_raw(ngx_dm_sec_page_t *page, const char *text)
{
    size_t  len, n;

    for (len = ngx_strlen(text); len; len -= n) {
        n = ngx_min(len, NGX_DM_SEC_HTML_CHUNK);
        ngx_dm_sec_page_write(page, "%*s", n, text);
        text += n;
    }
}


/* words of ours, where a grave accent begins and ends what is code */
static void
ngx_dm_sec_html_words(ngx_dm_sec_page_t *page, const char *text)
{
    ngx_uint_t               code;
    const char              *program;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_get_module_main_conf(page->r, ngx_dm_sec_module);

    code = 0;
    program = dm_advice_program(text);

    for ( /* void */ ; *text; text++) {

        if (text == program) {
            ngx_dm_sec_html_option(page, "--store", &dmcf->store,
                                   DM_DEFAULT_STORE);
            ngx_dm_sec_html_option(page, "--key", &dmcf->key_file,
                                   DM_DEFAULT_KEY);
            program = dm_advice_program(text);
        }

        if (*text == '`') {
            ngx_dm_sec_page_write(page, code ? "</code>" : "<code>");
            code = !code;
            continue;
        }

        ngx_dm_sec_page_write(page, *text == '&' ? "&amp;" : "%c", *text);
    }
}


/* writes the option, for a shell, if its value is not the usual one */
static void
ngx_dm_sec_html_option(ngx_dm_sec_page_t *page, const char *option,
    ngx_str_t *value, const char *usual)
{
    u_char      *p;
    ngx_uint_t   quoted;

    if (value->len == 0
        || (value->len == ngx_strlen(usual)
            && ngx_memcmp(value->data, usual, value->len) == 0))
    {
        return;
    }

    quoted = !dm_advice_word(ngx_dm_sec_set_dm_str(*value));

    ngx_dm_sec_page_write(page, quoted ? " %s '" : " %s ", option);

    for (p = value->data; p < value->data + value->len; p++) {

        if (*p == '\'') {
            ngx_dm_sec_page_write(page, "'\\''");
            continue;
        }

        ngx_dm_sec_html_text(page, p, 1);
    }

    if (quoted) {
        ngx_dm_sec_page_write(page, "'");
    }
}


/* text of whoever: an octet becomes four of ASCII, or five of HTML, at most */
static void
ngx_dm_sec_html_text(ngx_dm_sec_page_t *page, u_char *data, size_t len)
{
    size_t     n;
    u_char    *last;
    u_char     escaped[NGX_DM_SEC_LOG_ESCAPED];
    u_char     html[NGX_DM_SEC_HTML_CHUNK * 5];
    ngx_str_t  chunk;

    for ( /* void */ ; len; len -= n) {
        n = ngx_min(len, NGX_DM_SEC_HTML_CHUNK);

        chunk.data = data;
        chunk.len = n;
        chunk = ngx_dm_sec_log_escape(escaped, &chunk);

        last = (u_char *) ngx_escape_html(html, chunk.data, chunk.len);
        ngx_dm_sec_page_write(page, "%*s", (size_t) (last - html), html);

        data += n;
    }
}


ngx_int_t
ngx_dm_sec_html_headers(ngx_http_request_t *r)
{
    ngx_uint_t  i;

    static struct {
        char       *name;
        ngx_str_t   value;
    } headers[] = {
        { "X-Content-Type-Options", ngx_string("nosniff") },
        { "Cache-Control", ngx_string("no-store") },
        { "Referrer-Policy", ngx_string("no-referrer") }
    };

    ngx_str_set(&r->headers_out.content_type, "text/html");
    ngx_str_set(&r->headers_out.charset, "utf-8");

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (ngx_dm_sec_header_answer(r, headers[i].name, &headers[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_dm_sec_html_policy(r);
}


/* nothing is loaded, and no style but this one is applied */
static ngx_int_t
ngx_dm_sec_html_policy(ngx_http_request_t *r)
{
    u_char      hash[EVP_MAX_MD_SIZE];
    unsigned    len;
    ngx_str_t   digest, text, value;

    if (EVP_Digest(ngx_dm_sec_html_style, sizeof(ngx_dm_sec_html_style) - 1,
                   hash, &len, EVP_sha256(), NULL)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_ERR, r->connection->log, 0,
                      "dm_sec: EVP_Digest() failed");
        return NGX_ERROR;
    }

    digest.data = hash;
    digest.len = len;

    value.data = ngx_pnalloc(r->pool, sizeof(NGX_DM_SEC_HTML_POLICY)
                                      + ngx_base64_encoded_length(len));
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    text.data = ngx_cpymem(value.data, NGX_DM_SEC_HTML_POLICY,
                           sizeof(NGX_DM_SEC_HTML_POLICY) - 1);

    ngx_encode_base64(&text, &digest);

    text.data[text.len] = '\'';
    value.len = text.data + text.len + 1 - value.data;

    return ngx_dm_sec_header_answer(r, "Content-Security-Policy", &value);
}
