/* The server name and the versions of a ClientHello, RFC 6066 and RFC 8446 */

#ifndef DM_HELLO_H
#define DM_HELLO_H


#include "dm.h"


#define DM_SERVERNAME_MAX  255      /* octets, RFC 1035, section 2.3.4 */


/*
 * The host_name of a server_name extension's data (RFC 6066, section 3), in
 * lower case, without a trailing dot, into out[DM_SERVERNAME_MAX].
 * DM_OK; DM_DECLINED: none, or no plain host name; DM_INVALID: malformed.
 */
int dm_hello_servername(const unsigned char *data, size_t len,
    unsigned char *out, size_t *outlen);

/*
 * The highest version that a supported_versions extension's data (RFC 8446,
 * section 4.2.1) offers, as on the wire; 0 if it offers none.  Values that
 * only probe for intolerance (RFC 8701) are passed over.
 */
unsigned dm_hello_highest_version(const unsigned char *data, size_t len);

/* 1 if a version or a suite is one of RFC 8701, that means nothing; else 0 */
int dm_hello_grease(unsigned value);


#endif /* DM_HELLO_H */
