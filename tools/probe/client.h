/* One request on a connection of its own: package 1 of a DM session */

#ifndef DM_PROBE_CLIENT_H
#define DM_PROBE_CLIENT_H

#include "probe/tls.h"


#define DM_REPLY_BODY_MAX    16384      /* octets; more is not looked at */
#define DM_REPLY_CHALLENGES  8
#define DM_REPLY_VALUE_MAX   1536       /* octets of one, with the NUL */
#define DM_REPLY_WHY_MAX     256


/* the body of package 1: the account's MO is there */
#define DM_MESSAGE_TYPE  "application/vnd.oma.dm.initiation+json"
#define DM_MESSAGE                                                            \
    "{\"MOS\":[{\"MOID\":\"urn:oma:mo:oma-dm-dmacc:1.2\"}]}"


typedef enum {
    DM_REPLY_ANSWERED = 0,
    DM_REPLY_HANDSHAKE,         /* the handshake failed */
    DM_REPLY_UNTRUSTED,         /* the certificate is not trusted */
    DM_REPLY_CLOSED,            /* nobody listens there */
    DM_REPLY_UNREACHABLE,       /* no connection for another reason */
    DM_REPLY_TIMEOUT,
    DM_REPLY_BROKEN,            /* no answer after the handshake */
    DM_REPLY_OURS               /* the probe's library cannot do it */
} dm_outcome_t;


typedef struct {
    dm_outcome_t   outcome;
    dm_seen_t      seen;
    long           status;                  /* of HTTP; 0: no answer */
    char           why[DM_REPLY_WHY_MAX];   /* a sentence for people */

    unsigned       nchallenges;             /* WWW-Authenticate */
    char           challenge[DM_REPLY_CHALLENGES][DM_REPLY_VALUE_MAX];

    size_t         len;
    char           body[DM_REPLY_BODY_MAX + 1];
} dm_reply_t;


/* once, before anything else here.  DM_OK or DM_ERROR */
int dm_client_init(dm_err_t *err);
void dm_client_done(void);

/* takes a URL apart, whose scheme must be the one named; DM_OK, DM_INVALID */
int dm_client_address(dm_address_t *address, const char *url,
    const char *scheme, dm_err_t *err);

/*
 * Sends package 1 with these credentials to the server, and reads the answer.
 * authorization is the value of that header, or NULL; offer NULL: in clear,
 * to the plain address.  The server's certificate is verified, unless a
 * pre-shared key is offered, which vouches for both sides; in TLS 1.3 a
 * certificate means that the key was not taken, and nothing is sent.
 */
void dm_client_send(const dm_probe_t *probe, const dm_offer_t *offer,
    const char *authorization, dm_reply_t *reply);

/*
 * The value of a header of the request that reached the server, where the
 * answer's body repeats the request's head.  1 if it is there, else 0, also
 * where there are two values.
 */
int dm_client_echo(const dm_reply_t *reply, const char *name, char *out,
    size_t size);


#endif /* DM_PROBE_CLIENT_H */
