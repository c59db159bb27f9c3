/* Absolute URIs of http and https, RFC 7230, section 2.7 */

#ifndef DM_URI_H
#define DM_URI_H


#include "dm.h"


/* the parts of a URI; they point into it */
typedef struct {
    unsigned  port;         /* that its scheme has by default */
    dm_str_t  authority;
    dm_str_t  path;         /* and query, from their "/" or "?" on, or empty */
} dm_uri_t;


/* DM_OK; DM_DECLINED: it is no absolute URI of http or https */
int dm_uri_split(dm_str_t text, dm_uri_t *uri);

/*
 * 1 if the URI names the target of a request: host, as it stands in the Host
 * header, and path, with the query; else 0.  A host is the same in either case
 * and with its scheme's port or none; a path that is empty is "/"; all else is
 * compared by octets.  A URI with userinfo names nothing.
 */
int dm_uri_names(const dm_uri_t *uri, dm_str_t host, dm_str_t path);


#endif /* DM_URI_H */
