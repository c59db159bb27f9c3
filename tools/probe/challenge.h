/* Challenges of a WWW-Authenticate header, RFC 7235 and RFC 7616 */

#ifndef DM_PROBE_CHALLENGE_H
#define DM_PROBE_CHALLENGE_H

#include "dm.h"


#define DM_CHALLENGE_MAX  513       /* octets of a value, with the NUL */


/* a value that is longer, or absent, is empty */
typedef struct {
    char  scheme[16];               /* "Basic", "Digest" */
    char  realm[DM_CHALLENGE_MAX];
    char  nonce[DM_CHALLENGE_MAX];
    char  opaque[DM_CHALLENGE_MAX];
    char  algorithm[32];
    char  qop[64];                  /* as it came: "auth,auth-int" */
} dm_challenge_t;


/*
 * Reads the next challenge of a header's value and moves *value behind it.
 * DM_OK; DM_DECLINED: there is no other; DM_INVALID: this is no challenge, and
 * what follows cannot be read.
 */
int dm_challenge_next(const char **value, dm_challenge_t *challenge);

/* 1 if a comma-separated list ("auth,auth-int") holds the word, else 0 */
int dm_challenge_lists(const char *list, const char *word);

/*
 * The qop to answer with: "auth" where it is offered, else "auth-int", or NULL
 * where the challenge names none.  DM_OK; DM_DECLINED: only unknown ones.
 */
int dm_challenge_qop(const dm_challenge_t *challenge, const char **qop);


#endif /* DM_PROBE_CHALLENGE_H */
