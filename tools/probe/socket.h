/* A ClientHello as octets over a connection, and the server's answer */

#ifndef DM_PROBE_SOCKET_H
#define DM_PROBE_SOCKET_H

#include "probe/probe.h"
#include "probe/raw.h"


typedef enum {
    DM_SOCKET_ANSWERED = 0,     /* answer says what came */
    DM_SOCKET_CLOSED,           /* nothing, or a part, then it was closed */
    DM_SOCKET_SILENT,           /* no answer in time */
    DM_SOCKET_UNREACHABLE
} dm_socket_outcome_t;


/* sends the octets to the server, with no TLS, and reads what comes back */
dm_socket_outcome_t dm_socket_hello(const dm_probe_t *probe,
    const unsigned char *hello, size_t len, dm_raw_answer_t *answer);


#endif /* DM_PROBE_SOCKET_H */
