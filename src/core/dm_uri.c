/* Absolute URIs of http and https, RFC 7230, section 2.7 */

#include <string.h>

#include "dm_uri.h"


#define DM_URI_PORT_MAX  65535


static int dm_uri_authority(dm_str_t authority, unsigned port, dm_str_t *name,
    unsigned *number);
static int dm_uri_path(dm_str_t *path);


static const struct {
    dm_str_t  name;
    unsigned  port;
} dm_uri_schemes[] = {
    { { (const unsigned char *) "http://", sizeof("http://") - 1 }, 80 },
    { { (const unsigned char *) "https://", sizeof("https://") - 1 }, 443 }
};


int
dm_uri_split(dm_str_t text, dm_uri_t *uri)
{
    size_t                i;
    dm_str_t              scheme;
    const unsigned char  *p, *last;

    scheme.data = text.data;
    last = text.data + text.len;

    for (i = 0; i < sizeof(dm_uri_schemes) / sizeof(dm_uri_schemes[0]); i++) {

        scheme.len = dm_uri_schemes[i].name.len;

        if (text.len < scheme.len
            || !dm_str_ieq(scheme, dm_uri_schemes[i].name))
        {
            continue;
        }

        uri->port = dm_uri_schemes[i].port;
        uri->authority.data = text.data + scheme.len;

        for (p = uri->authority.data; p < last; p++) {
            if (*p == '/' || *p == '?' || *p == '#') {
                break;
            }
        }

        uri->authority.len = (size_t) (p - uri->authority.data);
        uri->path.data = p;
        uri->path.len = (size_t) (last - p);

        return DM_OK;
    }

    return DM_DECLINED;
}


int
dm_uri_names(const dm_uri_t *uri, dm_str_t host, dm_str_t path)
{
    dm_str_t  wanted, name, path_wanted;
    unsigned  port_wanted, port;

    path_wanted = uri->path;

    return dm_uri_authority(uri->authority, uri->port, &wanted, &port_wanted)
           && dm_uri_authority(host, uri->port, &name, &port)
           && port == port_wanted
           && dm_str_ieq(name, wanted)
           && dm_uri_path(&path_wanted)
           && dm_uri_path(&path)
           && dm_str_eq(path, path_wanted);
}


/*
 * Reads "NAME", "NAME:" or "NAME:PORT"; a name may be an IPv6 address in
 * brackets.  1, and number is port where there is none; 0: it is something
 * else.
 */
static int
dm_uri_authority(dm_str_t authority, unsigned port, dm_str_t *name,
    unsigned *number)
{
    const unsigned char  *p, *last;

    if (authority.len == 0) {
        return 0;
    }

    last = authority.data + authority.len;

    p = authority.data[0] == '[' ? memchr(authority.data, ']', authority.len)
                                 : authority.data;

    if (p == NULL
        || memchr(authority.data, '@', authority.len) != NULL)
    {
        return 0;
    }

    p = memchr(p, ':', (size_t) (last - p));
    p = p ? p : last;

    name->data = authority.data;
    name->len = (size_t) (p - authority.data);
    *number = port;

    if (last - p > 1) {
        *number = 0;

        for (p++; p < last && *number <= DM_URI_PORT_MAX; p++) {

            if (*p < '0' || *p > '9') {
                return 0;
            }

            *number = *number * 10 + (unsigned) (*p - '0');
        }
    }

    return name->len != 0 && *number != 0 && *number <= DM_URI_PORT_MAX;
}


/* leaves a path's first "/" out, which may be missing; 0: it is no path */
static int
dm_uri_path(dm_str_t *path)
{
    if (path->len == 0 || path->data[0] == '?') {
        return 1;
    }

    if (path->data[0] != '/') {
        return 0;
    }

    path->data++;
    path->len--;

    return 1;
}
