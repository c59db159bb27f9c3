/* The parameters of Digest credentials, RFC 7616, section 3.4, told apart */

#ifndef DM_DIGEST_PARAMS_H
#define DM_DIGEST_PARAMS_H


#include "dm.h"


/* those with the shortest names first, by which they are found */
typedef enum {
    DM_P_NC = 0,
    DM_P_URI,
    DM_P_QOP,
    DM_P_REALM,
    DM_P_NONCE,
    DM_P_CNONCE,
    DM_P_OPAQUE,
    DM_P_USERNAME,
    DM_P_RESPONSE,
    DM_P_USERHASH,
    DM_P_ALGORITHM,
    DM_P_USERNAME_STAR,
    DM_P_MAX
} dm_digest_param_e;


/* the parameters as they were found, and the one that is being read */
typedef struct {
    dm_str_t        value[DM_P_MAX];
    unsigned char   seen[DM_P_MAX];
    unsigned        twice;              /* 1: a parameter is */
    size_t          useless;            /* octet of the header; 0: none */

    unsigned        usual;              /* 1: by the short cut, too */
    dm_str_t        name;
    unsigned char  *text;               /* its value, up to out */
    unsigned char  *out;                /* where the next octet goes */
    enum {
        sw_start = 0,
        sw_name,
        sw_before_equals,
        sw_before_value,
        sw_token,
        sw_quoted,
        sw_escaped,
        sw_after_value
    } state;
} dm_digest_params_t;


/* as they are in RFC 7616; indexed by dm_digest_param_e */
extern const dm_str_t  dm_digest_params[DM_P_MAX];


/*
 * Tells the parameters behind the scheme "Digest" apart.  Their values go into
 * buf, which has room for value.len octets.  What is useless in one does not
 * hide what is wrong behind it.  DM_OK, or DM_INVALID.
 */
int dm_digest_params_read(dm_digest_params_t *params, dm_str_t value,
    unsigned char *buf, dm_err_t *err);

/* the same, without the short cut for the usual form: tests compare them */
int dm_digest_params_steps(dm_digest_params_t *params, dm_str_t value,
    unsigned char *buf, dm_err_t *err);


#endif /* DM_DIGEST_PARAMS_H */
