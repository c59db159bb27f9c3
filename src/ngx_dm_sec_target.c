/* The target of a request, as it was sent: RFC 7230, section 5.3 */

#include "ngx_dm_sec_target.h"

#include "dm_uri.h"


static dm_str_t ngx_dm_sec_target_sent(ngx_http_request_t *r);
static dm_str_t ngx_dm_sec_target_host(ngx_http_request_t *r, dm_str_t sent);


dm_str_t
ngx_dm_sec_target_method(ngx_http_request_t *r)
{
    u_char  *p, *last;

    p = r->request_line.data;
    last = ngx_strlchr(p, p + r->request_line.len, ' ');

    return last ? (dm_str_t) { p, last - p }
                : ngx_dm_sec_set_dm_str(r->method_name);
}


ngx_uint_t
ngx_dm_sec_target_is(ngx_http_request_t *r, dm_str_t uri)
{
    dm_str_t  sent;
    dm_uri_t  absolute;

    if (dm_str_eq(uri, ngx_dm_sec_set_dm_str(r->unparsed_uri))) {
        return 1;
    }

    sent = ngx_dm_sec_target_sent(r);

    if (sent.len == 0) {
        return 0;
    }

    return dm_str_eq(uri, sent)
           || (dm_uri_split(uri, &absolute) == DM_OK
               && dm_uri_names(&absolute, ngx_dm_sec_target_host(r, sent),
                               ngx_dm_sec_set_dm_str(r->unparsed_uri)));
}


/* the target of the request line; of length 0: there is none */
static dm_str_t
ngx_dm_sec_target_sent(ngx_http_request_t *r)
{
    u_char    *p, *last;
    dm_str_t   sent;

    sent.data = NULL;
    sent.len = 0;

    p = r->request_line.data;
    last = p + r->request_line.len;

    p = ngx_strlchr(p, last, ' ');

    if (p == NULL) {
        return sent;
    }

    sent.data = ++p;

    p = ngx_strlchr(p, last, ' ');

    if (p) {
        sent.len = p - sent.data;
    }

    return sent;
}


/*
 * The host that was asked, with its port: an absolute target's, which goes
 * before the header (RFC 7230, section 5.4), or the header's, or what HTTP/3
 * has in its place.  Of length 0: there is none.
 */
static dm_str_t
ngx_dm_sec_target_host(ngx_http_request_t *r, dm_str_t sent)
{
    dm_str_t  host;
    dm_uri_t  absolute;

    host.data = NULL;
    host.len = 0;

    if (sent.data[0] != '/') {
        return dm_uri_split(sent, &absolute) == DM_OK ? absolute.authority
                                                      : host;
    }

    if (r->headers_in.host) {
        return ngx_dm_sec_set_dm_str(r->headers_in.host->value);
    }

    if (r->host_end) {
        host.data = r->host_start;
        host.len = r->host_end - r->host_start;
    }

    return host;
}
