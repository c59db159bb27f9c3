/* Lines in the error log: escaped values, and not more than a disk bears */

#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_zone.h"


/* reasons of refusals, of handshakes, and of some of our own failures */
#define NGX_DM_SEC_LOG_REASONS  (NGX_DM_SEC_R_MAX + NGX_DM_SEC_HS_MAX + 8)


#define ngx_dm_sec_log_is_plain(c)                                            \
    ((c) >= 0x20 && (c) < 0x7f && (c) != '"' && (c) != '\\')


/* the lines of one reason: those of this worker in this second */
typedef struct {
    ngx_str_t   *reason;
    ngx_uint_t   level;
    ngx_uint_t   written;
    ngx_uint_t   left_out;
} ngx_dm_sec_log_count_t;


static ngx_str_t ngx_dm_sec_log_octets(u_char *dst, ngx_str_t *src,
    size_t max);
static ngx_dm_sec_log_count_t *ngx_dm_sec_log_find(ngx_str_t *reason);
static void ngx_dm_sec_log_second(ngx_event_t *ev);


static ngx_dm_sec_log_count_t  ngx_dm_sec_log_counts[NGX_DM_SEC_LOG_REASONS];
static ngx_event_t             ngx_dm_sec_log_event;

/* nginx's debug log takes an event's data for a connection */
static ngx_connection_t        ngx_dm_sec_log_dumb;


char *
ngx_dm_sec_log_set_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_main_conf_t  *dmcf = conf;

    ngx_int_t   rate;
    ngx_str_t  *value;

    if (dmcf->log_limit != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        dmcf->log_limit = 0;
        return NGX_CONF_OK;
    }

    rate = NGX_ERROR;

    if (value[1].len > 2
        && ngx_strcmp(value[1].data + value[1].len - 2, "/s") == 0)
    {
        rate = ngx_atoi(value[1].data, value[1].len - 2);
    }

    if (rate < 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid rate \"%V\": write lines in a second, as "
                           "in \"100/s\", or \"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    dmcf->log_limit = rate;

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_dm_sec_log_may(ngx_uint_t rate, ngx_uint_t level, ngx_str_t *reason)
{
    ngx_dm_sec_log_count_t  *count;

    if (rate == 0) {
        return 1;
    }

    count = ngx_dm_sec_log_find(reason);
    count->level = level;

    if (!ngx_dm_sec_log_event.timer_set) {
        ngx_dm_sec_log_event.handler = ngx_dm_sec_log_second;
        ngx_dm_sec_log_event.data = &ngx_dm_sec_log_dumb;
        ngx_dm_sec_log_event.log = ngx_cycle->log;
        ngx_dm_sec_log_event.cancelable = 1;
        ngx_dm_sec_log_dumb.fd = (ngx_socket_t) -1;
        ngx_add_timer(&ngx_dm_sec_log_event, 1000);
    }

    if (count->written < rate) {
        count->written++;
        return 1;
    }

    count->left_out++;

    return 0;
}


ngx_uint_t
ngx_dm_sec_log_may_name(ngx_uint_t rate, ngx_uint_t level, ngx_str_t *reason,
    dm_str_t id, u_char *buf, ngx_str_t *shown)
{
    if (!ngx_dm_sec_log_may(rate, level, reason)) {
        return 0;
    }

    shown->data = (u_char *) id.data;
    shown->len = id.len;

    *shown = ngx_dm_sec_log_escape(buf, shown);

    return 1;
}


/* a reason is known by where its name is */
static ngx_dm_sec_log_count_t *
ngx_dm_sec_log_find(ngx_str_t *reason)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_DM_SEC_LOG_REASONS - 1; i++) {

        if (ngx_dm_sec_log_counts[i].reason == reason) {
            break;
        }

        if (ngx_dm_sec_log_counts[i].reason == NULL) {
            ngx_dm_sec_log_counts[i].reason = reason;
            break;
        }
    }

    return &ngx_dm_sec_log_counts[i];
}


static void
ngx_dm_sec_log_second(ngx_event_t *ev)
{
    ngx_uint_t               i;
    ngx_dm_sec_log_count_t  *count;

    for (i = 0; i < NGX_DM_SEC_LOG_REASONS; i++) {
        count = &ngx_dm_sec_log_counts[i];

        if (count->left_out) {
            ngx_log_error(count->level, ngx_cycle->log, 0,
                          "dm_sec: %ui more lines with reason=%V were left "
                          "out in the last second", count->left_out,
                          count->reason);
        }

        count->written = 0;
        count->left_out = 0;
    }
}


ngx_str_t
ngx_dm_sec_log_escape(u_char *dst, ngx_str_t *src)
{
    return ngx_dm_sec_log_octets(dst, src, NGX_DM_SEC_LOG_VALUE);
}


ngx_str_t
ngx_dm_sec_log_whole(u_char *dst, size_t max, ngx_str_t *src)
{
    size_t  i, len;

    len = 0;

    for (i = 0; i < src->len; i++) {
        len += ngx_dm_sec_log_is_plain(src->data[i]) ? 1 : 4;
    }

    return ngx_dm_sec_log_octets(dst, src, len <= max && src->len <= DM_NAME_MAX
                                           ? src->len : NGX_DM_SEC_LOG_VALUE);
}


static ngx_str_t
ngx_dm_sec_log_octets(u_char *dst, ngx_str_t *src, size_t max)
{
    u_char     *p, *last;
    ngx_str_t   value;

    value.data = dst;

    if (src->len == 0) {
        ngx_str_set(&value, "-");
        return value;
    }

    p = src->data;
    last = p + ngx_min(src->len, max);

    for ( /* void */ ; p < last; p++) {

        if (!ngx_dm_sec_log_is_plain(*p)) {
            dst = ngx_sprintf(dst, "\\x%02Xd", (ngx_uint_t) *p);
            continue;
        }

        *dst++ = *p;
    }

    value.len = dst - value.data;

    return value;
}


void
ngx_dm_sec_log_request_id(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_dm_sec_main_conf_t     *dmcf;
    ngx_http_variable_value_t  *v;

    dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

    v = ngx_http_get_indexed_variable(r, dmcf->request_id);

    if (v == NULL || v->not_found) {
        ngx_str_set(id, "-");
        return;
    }

    id->data = v->data;
    id->len = v->len;
}
