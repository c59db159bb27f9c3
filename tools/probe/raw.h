/*
 * Handshakes that no library offers any more: a ClientHello as octets, and
 * what a server says to it.
 */

#ifndef DM_PROBE_RAW_H
#define DM_PROBE_RAW_H

#include "dm.h"


#define DM_RAW_HELLO_MAX   1024     /* octets */
#define DM_RAW_ANSWER_MAX  1024     /* of an answer, no more is looked at */

#define DM_RAW_SSL2  0x0002         /* the version, as on the wire */


/* suites that no server may negotiate, two octets each; 0 ends a list */
extern const uint16_t  dm_raw_null[];
extern const uint16_t  dm_raw_export[];
extern const uint16_t  dm_raw_anonymous[];


/*
 * A ClientHello of that version, 0x0300 to 0x0304, with these suites and no
 * others, into out[DM_RAW_HELLO_MAX]; host NULL or an address: without
 * server_name.  TLS 1.3 has no key share, so that its answer is a
 * HelloRetryRequest, which is a ServerHello too.  The octets' number, or 0.
 */
size_t dm_raw_hello(unsigned version, const uint16_t *suites,
    const char *host, unsigned char *out);

/* makes a ClientHello of SSL 2.0, with all of its suites */
size_t dm_raw_hello_ssl2(unsigned char *out);


typedef enum {
    DM_RAW_MORE = 0,            /* it is not all there */
    DM_RAW_HELLO,               /* a ServerHello: the server goes on */
    DM_RAW_ALERT,
    DM_RAW_OTHER                /* neither */
} dm_raw_kind_t;


typedef struct {
    dm_raw_kind_t  kind;
    unsigned       version;         /* of a ServerHello */
    unsigned       suite;           /* 0 in SSL 2.0 */
    unsigned       alert;
} dm_raw_answer_t;


/* reads the octets that a server has sent so far */
void dm_raw_read(dm_raw_answer_t *answer, const unsigned char *data,
    size_t len);


#endif /* DM_PROBE_RAW_H */
