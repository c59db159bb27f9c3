/* What a ClientHello says, RFC 6066 */

#ifndef DM_HELLO_H
#define DM_HELLO_H


#include "dm.h"


#define DM_SERVERNAME_MAX  255      /* octets, RFC 1035, section 2.3.4 */


/*
 * The host_name of a server_name extension's data (RFC 6066, section 3), in
 * lower case and without a trailing dot, into out[DM_SERVERNAME_MAX].
 * DM_OK; DM_DECLINED: none, or not a host name; DM_INVALID: malformed.
 */
int dm_hello_servername(const unsigned char *data, size_t len,
    unsigned char *out, size_t *outlen);


#endif /* DM_HELLO_H */
