/* The details of reasons: what a log and a counter tell, and no client */

#ifndef NGX_DM_SEC_DETAIL_H
#define NGX_DM_SEC_DETAIL_H


#include "ngx_dm_sec.h"

#include "dm_malformed.h"


/* each belongs to one reason; 0 is none */
typedef enum {
    NGX_DM_SEC_D_NONE = 0,

    NGX_DM_SEC_D_HTTPS_PORT,

    NGX_DM_SEC_D_NOT_YET_VALID,
    NGX_DM_SEC_D_CRL_NOT_YET_VALID,
    NGX_DM_SEC_D_CRL_MISSING,
    NGX_DM_SEC_D_SIGNATURE,
    NGX_DM_SEC_D_CHAIN_TOO_LONG,
    NGX_DM_SEC_D_OCSP,

    NGX_DM_SEC_D_LOCKED_NAME,       /* a later one of these holds more */
    NGX_DM_SEC_D_LOCKED_ADDRESS,
    NGX_DM_SEC_D_LOCKED_NETWORK,

    NGX_DM_SEC_D_CERT_UNBOUND,

    NGX_DM_SEC_D_ACCOUNT_NOT_YET_VALID,

    NGX_DM_SEC_D_UNKNOWN_NAME,
    NGX_DM_SEC_D_WRONG_PASSWORD,
    NGX_DM_SEC_D_WRONG_REALM,
    NGX_DM_SEC_D_LACKS_ALGORITHM,
    NGX_DM_SEC_D_NO_PASSWORD,
    NGX_DM_SEC_D_BODY_CHANGED,
    NGX_DM_SEC_D_BODY_OR_PASSWORD,
    NGX_DM_SEC_D_CHANGED_MEANWHILE,

    NGX_DM_SEC_D_NONCE_EXPIRED,
    NGX_DM_SEC_D_NONCE_EVICTED,
    NGX_DM_SEC_D_NONCE_OTHER_ACCOUNT,
    NGX_DM_SEC_D_NONCE_OTHER_NODE,
    NGX_DM_SEC_D_NONCE_OTHER_REALM,

    NGX_DM_SEC_D_MALFORMED,         /* and dm_malformed_t */
    NGX_DM_SEC_D_NOT_ACCEPTED = NGX_DM_SEC_D_MALFORMED + DM_MALFORMED_MAX,

    NGX_DM_SEC_D_TWO_AUTHORIZATIONS,
    NGX_DM_SEC_D_HEADERS_TOO_LARGE,
    NGX_DM_SEC_D_URI_TOO_LARGE,
    NGX_DM_SEC_D_METHOD,
    NGX_DM_SEC_D_VERSION,
    NGX_DM_SEC_D_TRANSFER_ENCODING,
    NGX_DM_SEC_D_SYNTAX_OF_REQUEST,
    NGX_DM_SEC_D_TIMEOUT,

    NGX_DM_SEC_D_MAX
} ngx_dm_sec_detail_e;


/* the detail as it stands in logs: "not_yet_valid" */
ngx_str_t *ngx_dm_sec_detail_name(ngx_uint_t detail);

/* the level of a line with it, where a line of its reason has this one */
ngx_uint_t ngx_dm_sec_detail_level(ngx_uint_t detail, ngx_uint_t level);

/* returns the detail where it belongs to the reason, else that of none */
ngx_uint_t ngx_dm_sec_detail_of(ngx_dm_sec_reason_e reason,
    ngx_uint_t detail);


#endif /* NGX_DM_SEC_DETAIL_H */
