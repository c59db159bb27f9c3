/* The ways in which credentials are malformed, for a log */

#ifndef DM_MALFORMED_H
#define DM_MALFORMED_H


typedef enum {
    DM_MALFORMED_SCHEME = 0,
    DM_MALFORMED_SYNTAX,
    DM_MALFORMED_TWICE,             /* a parameter */
    DM_MALFORMED_TWO_NAMES,
    DM_MALFORMED_TOO_LONG,
    DM_MALFORMED_NO_VALUE,          /* of a parameter, or of the scheme */
    DM_MALFORMED_MISSING,           /* a parameter */
    DM_MALFORMED_NO_QOP,            /* RFC 2069 */
    DM_MALFORMED_EMPTY_NAME,
    DM_MALFORMED_EMPTY_NONCE,
    DM_MALFORMED_FIRST_REQUEST,     /* 3GPP TS 24.109: to be asked */
    DM_MALFORMED_ALGORITHM,
    DM_MALFORMED_QOP,
    DM_MALFORMED_NC,
    DM_MALFORMED_RESPONSE,
    DM_MALFORMED_USERHASH,
    DM_MALFORMED_USERNAME,
    DM_MALFORMED_URI,
    DM_MALFORMED_BASE64,
    DM_MALFORMED_NO_COLON,
    DM_MALFORMED_MAX
} dm_malformed_t;


#endif /* DM_MALFORMED_H */
