/* The findings of "nginx -t": what is said of the configuration, and where */

#include "ngx_dm_sec_finding.h"


#define NGX_DM_SEC_FINDING_PLACES  3    /* that are named */


/* a finding that is not an error, and where it was made */
typedef struct {
    ngx_uint_t   level;
    ngx_str_t    text;
    ngx_uint_t   of;            /* places begin with what it is said of */
    ngx_uint_t   count;
    ngx_str_t    places[NGX_DM_SEC_FINDING_PLACES];
} ngx_dm_sec_finding_t;


static void ngx_dm_sec_finding_say(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_str_t *what, const char *fmt, va_list args);
static u_char *ngx_dm_sec_finding_place(u_char *p, u_char *last,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_dm_sec_finding_keep(ngx_conf_t *cf, ngx_uint_t level,
    ngx_uint_t of, ngx_str_t *text, ngx_str_t *place);
static ngx_dm_sec_finding_t *ngx_dm_sec_finding_find(ngx_conf_t *cf,
    ngx_uint_t level, ngx_str_t *text);
static void ngx_dm_sec_finding_log(ngx_conf_t *cf,
    ngx_dm_sec_finding_t *finding);


void
ngx_dm_sec_finding(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_dm_sec_finding_say(level, cf, dscf, clcf, NULL, fmt, args);
    va_end(args);
}


void
ngx_dm_sec_finding_of(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_str_t *what, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    ngx_dm_sec_finding_say(level, cf, dscf, NULL, what, fmt, args);
    va_end(args);
}


static void
ngx_dm_sec_finding_say(ngx_uint_t level, ngx_conf_t *cf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_str_t *what, const char *fmt, va_list args)
{
    u_char     *p, *last;
    u_char      buf[NGX_MAX_CONF_ERRSTR];
    ngx_str_t   text, place;

    last = buf + NGX_MAX_CONF_ERRSTR;

    text.data = buf;
    text.len = ngx_vslprintf(buf, last, fmt, args) - buf;

    place.data = buf + text.len;
    p = what ? ngx_slprintf(place.data, last, "%V in ", what) : place.data;
    place.len = ngx_dm_sec_finding_place(p, last, dscf, clcf) - place.data;

    if (level > NGX_LOG_ERR
        && ngx_dm_sec_finding_keep(cf, level, what != NULL, &text, &place)
           == NGX_OK)
    {
        return;
    }

    ngx_dm_sec_finding_end(cf);

    ngx_log_error(level, cf->log, 0, "dm_sec: %V%s%V", &text,
                  what ? ": " : " in ", &place);
}


/* writes what follows "in"; returns its end */
static u_char *
ngx_dm_sec_finding_place(u_char *p, u_char *last, ngx_dm_sec_srv_conf_t *dscf,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_str_t  location;

    if (dscf == NULL) {
        return ngx_slprintf(p, last, "http");
    }

    if (clcf) {
        location = clcf->name;

        if (clcf->noname) {
            ngx_str_set(&location, "if or limit_except");
        }

        p = ngx_slprintf(p, last, "location \"%V\" in ", &location);
    }

    return ngx_slprintf(p, last, "server \"%V\" in %s:%ui",
                        &dscf->cscf->server_name, dscf->cscf->file_name,
                        dscf->cscf->line);
}


/* NGX_ERROR: there is no memory for it */
static ngx_int_t
ngx_dm_sec_finding_keep(ngx_conf_t *cf, ngx_uint_t level, ngx_uint_t of,
    ngx_str_t *text, ngx_str_t *place)
{
    ngx_str_t             *copy;
    ngx_dm_sec_finding_t  *finding;

    finding = ngx_dm_sec_finding_find(cf, level, text);
    if (finding == NULL) {
        return NGX_ERROR;
    }

    if (finding->count < NGX_DM_SEC_FINDING_PLACES) {
        copy = &finding->places[finding->count];

        copy->len = place->len;
        copy->data = ngx_pstrdup(cf->temp_pool, place);
        if (copy->data == NULL) {
            return NGX_ERROR;
        }
    }

    finding->of = of;
    finding->count++;

    return NGX_OK;
}


/* finds what says the same, or makes it; NULL: no memory */
static ngx_dm_sec_finding_t *
ngx_dm_sec_finding_find(ngx_conf_t *cf, ngx_uint_t level, ngx_str_t *text)
{
    ngx_uint_t               i;
    ngx_dm_sec_finding_t    *finding;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_conf_get_module_main_conf(cf, ngx_dm_sec_module);

    if (dmcf->findings == NULL) {
        dmcf->findings = ngx_array_create(cf->temp_pool, 4,
                                          sizeof(ngx_dm_sec_finding_t));
        if (dmcf->findings == NULL) {
            return NULL;
        }
    }

    finding = dmcf->findings->elts;

    for (i = 0; i < dmcf->findings->nelts; i++) {
        if (finding[i].level == level
            && finding[i].text.len == text->len
            && ngx_memcmp(finding[i].text.data, text->data, text->len) == 0)
        {
            return &finding[i];
        }
    }

    finding = ngx_array_push(dmcf->findings);
    if (finding == NULL) {
        return NULL;
    }

    ngx_memzero(finding, sizeof(ngx_dm_sec_finding_t));

    finding->level = level;
    finding->text.len = text->len;
    finding->text.data = ngx_pstrdup(cf->temp_pool, text);

    if (finding->text.data == NULL) {
        dmcf->findings->nelts--;
        return NULL;
    }

    return finding;
}


void
ngx_dm_sec_finding_end(ngx_conf_t *cf)
{
    ngx_uint_t               i;
    ngx_dm_sec_finding_t    *finding;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_conf_get_module_main_conf(cf, ngx_dm_sec_module);

    if (dmcf->findings == NULL) {
        return;
    }

    finding = dmcf->findings->elts;

    for (i = 0; i < dmcf->findings->nelts; i++) {
        ngx_dm_sec_finding_log(cf, &finding[i]);
    }

    dmcf->findings = NULL;
}


static void
ngx_dm_sec_finding_log(ngx_conf_t *cf, ngx_dm_sec_finding_t *finding)
{
    ngx_uint_t  i;

    if (finding->count > NGX_DM_SEC_FINDING_PLACES) {
        ngx_log_error(finding->level, cf->log, 0,
                      "dm_sec: %V%s in %ui places: %V; %V; %V; and %ui more",
                      &finding->text, finding->of ? "," : "", finding->count,
                      &finding->places[0], &finding->places[1],
                      &finding->places[2],
                      finding->count - NGX_DM_SEC_FINDING_PLACES);
        return;
    }

    for (i = 0; i < finding->count; i++) {
        ngx_log_error(finding->level, cf->log, 0, "dm_sec: %V%s%V",
                      &finding->text, finding->of ? ": " : " in ",
                      &finding->places[i]);
    }
}
