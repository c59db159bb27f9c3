/* The upgrade to TLS within HTTP, RFC 2817: what a client asks for */

#ifndef DM_UPGRADE_H
#define DM_UPGRADE_H


#include "dm.h"
#include "dm_suite.h"


/*
 * The protocol that a request's Upgrade headers name; zeroed before the first.
 */
typedef struct {
    dm_str_t  token;            /* "TLS/1.2", as the client wrote it */
    unsigned  version;          /* its bit, DM_TLSV1 | ...; 0: none named */
} dm_upgrade_t;


/*
 * Reads the value of one Upgrade header (RFC 9110, section 7.8).  Of all the
 * TLS protocols in them, the first whose version is among versions is kept,
 * or the first of all where there is no such: which version is negotiated the
 * handshake decides.  The token lies in value.
 */
void dm_upgrade_read(dm_upgrade_t *upgrade, dm_str_t value,
    unsigned versions);

/* 1 if a Connection header (RFC 9110, section 7.6.1) says "Upgrade", else 0 */
int dm_upgrade_connection(dm_str_t value);


#define DM_UPGRADE_STAR      8      /* the place of '*' in that line */
#define DM_UPGRADE_STAR_LEN  19     /* octets that are enough to tell */

/*
 * Looks whether the first octets of a connection are the line "OPTIONS *
 * HTTP/1.1" (RFC 9110, section 9.3.7): 1 or 0; -1: they could become it.
 */
int dm_upgrade_star(const unsigned char *p, size_t len);


#endif /* DM_UPGRADE_H */
