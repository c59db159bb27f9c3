/* The values of Authorization headers: Basic and Digest */

#ifndef DM_PROBE_AUTH_H
#define DM_PROBE_AUTH_H

#include "common/secret.h"
#include "probe/challenge.h"


#define DM_AUTH_VALUE_MAX  6144     /* octets, with the NUL */


typedef struct {
    const char         *user;
    const dm_secret_t  *password;
    const char         *method;             /* "POST" */
    const char         *target;             /* "/dmclient/dm20" */
    dm_str_t            body;
} dm_login_t;


/*
 * Basic, RFC 7617, into out[DM_AUTH_VALUE_MAX], which the caller wipes.
 * DM_OK, or DM_INVALID: it is too long.
 */
int dm_auth_basic(const dm_login_t *login, char *out);

/*
 * The first answer to a Digest challenge, RFC 7616 and RFC 2617, with qop
 * "auth", "auth-int" or NULL for a challenge that has none.  DM_OK;
 * DM_DECLINED: an algorithm that is not known; DM_INVALID: something is
 * missing or too long; DM_ERROR.
 */
int dm_auth_digest(const dm_login_t *login, const dm_challenge_t *challenge,
    const char *qop, char *out);

/* a password that is right nowhere.  DM_OK or DM_ERROR */
int dm_auth_wrong(dm_secret_t *password);


#endif /* DM_PROBE_AUTH_H */
