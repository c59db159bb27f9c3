/* The details of reasons: what a log and a counter tell, and no client */

#include "ngx_dm_sec_detail.h"


typedef struct {
    ngx_str_t            name;
    ngx_dm_sec_reason_e  reason;
} ngx_dm_sec_detail_t;


#define ngx_dm_sec_malformed(how, name)                                       \
    [NGX_DM_SEC_D_MALFORMED + (how)] = { ngx_string(name),                    \
                                         NGX_DM_SEC_R_MALFORMED }


static ngx_dm_sec_detail_t  ngx_dm_sec_details[] = {

    [NGX_DM_SEC_D_NONE] = { ngx_string("-"), NGX_DM_SEC_R_NONE },

    [NGX_DM_SEC_D_HTTPS_PORT] = { ngx_string("https_port"),
                                  NGX_DM_SEC_R_PLAINTEXT },

    [NGX_DM_SEC_D_NOT_YET_VALID] = { ngx_string("not_yet_valid"),
                                     NGX_DM_SEC_R_CERT_EXPIRED },
    [NGX_DM_SEC_D_CRL_NOT_YET_VALID] = { ngx_string("crl_not_yet_valid"),
                                         NGX_DM_SEC_R_CRL_EXPIRED },
    [NGX_DM_SEC_D_CRL_MISSING] = { ngx_string("crl_missing"),
                                   NGX_DM_SEC_R_CERT_INVALID },
    [NGX_DM_SEC_D_SIGNATURE] = { ngx_string("signature"),
                                 NGX_DM_SEC_R_CERT_INVALID },
    [NGX_DM_SEC_D_CHAIN_TOO_LONG] = { ngx_string("chain_too_long"),
                                      NGX_DM_SEC_R_CERT_INVALID },
    [NGX_DM_SEC_D_OCSP] = { ngx_string("ocsp"), NGX_DM_SEC_R_CERT_INVALID },

    [NGX_DM_SEC_D_LOCKED_NAME] = { ngx_string("name"), NGX_DM_SEC_R_LOCKED },
    [NGX_DM_SEC_D_LOCKED_ADDRESS] = { ngx_string("address"),
                                      NGX_DM_SEC_R_LOCKED },
    [NGX_DM_SEC_D_LOCKED_NETWORK] = { ngx_string("network"),
                                      NGX_DM_SEC_R_LOCKED },

    [NGX_DM_SEC_D_CERT_UNBOUND] = { ngx_string("unbound_certificate"),
                                    NGX_DM_SEC_R_NO_CREDENTIALS },

    [NGX_DM_SEC_D_ACCOUNT_NOT_YET_VALID] = {
        ngx_string("account_not_yet_valid"), NGX_DM_SEC_R_EXPIRED },

    [NGX_DM_SEC_D_UNKNOWN_NAME] = { ngx_string("unknown_name"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_WRONG_PASSWORD] = { ngx_string("wrong_password"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_WRONG_REALM] = { ngx_string("wrong_realm"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_LACKS_ALGORITHM] = { ngx_string("lacks_algorithm"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_NO_PASSWORD] = { ngx_string("no_password"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_BODY_CHANGED] = { ngx_string("body_changed"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_BODY_OR_PASSWORD] = { ngx_string("body_or_password"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },
    [NGX_DM_SEC_D_CHANGED_MEANWHILE] = { ngx_string("changed_meanwhile"),
        NGX_DM_SEC_R_BAD_CREDENTIALS },

    [NGX_DM_SEC_D_NONCE_EXPIRED] = { ngx_string("expired"),
        NGX_DM_SEC_R_STALE_NONCE },
    [NGX_DM_SEC_D_NONCE_EVICTED] = { ngx_string("evicted"),
        NGX_DM_SEC_R_STALE_NONCE },
    [NGX_DM_SEC_D_NONCE_OTHER_ACCOUNT] = { ngx_string("other_account"),
        NGX_DM_SEC_R_STALE_NONCE },
    [NGX_DM_SEC_D_NONCE_OTHER_NODE] = { ngx_string("other_node"),
        NGX_DM_SEC_R_STALE_NONCE },
    [NGX_DM_SEC_D_NONCE_OTHER_REALM] = { ngx_string("other_realm"),
        NGX_DM_SEC_R_STALE_NONCE },

    ngx_dm_sec_malformed(DM_MALFORMED_SCHEME, "scheme"),
    ngx_dm_sec_malformed(DM_MALFORMED_SYNTAX, "syntax"),
    ngx_dm_sec_malformed(DM_MALFORMED_TWICE, "twice"),
    ngx_dm_sec_malformed(DM_MALFORMED_TWO_NAMES, "two_names"),
    ngx_dm_sec_malformed(DM_MALFORMED_TOO_LONG, "too_long"),
    ngx_dm_sec_malformed(DM_MALFORMED_NO_VALUE, "no_value"),
    ngx_dm_sec_malformed(DM_MALFORMED_MISSING, "missing"),
    ngx_dm_sec_malformed(DM_MALFORMED_NO_QOP, "no_qop"),
    ngx_dm_sec_malformed(DM_MALFORMED_EMPTY_NAME, "empty_name"),
    ngx_dm_sec_malformed(DM_MALFORMED_EMPTY_NONCE, "empty_nonce"),
    ngx_dm_sec_malformed(DM_MALFORMED_FIRST_REQUEST, "first_request"),
    ngx_dm_sec_malformed(DM_MALFORMED_ALGORITHM, "unknown_algorithm"),
    ngx_dm_sec_malformed(DM_MALFORMED_QOP, "unknown_qop"),
    ngx_dm_sec_malformed(DM_MALFORMED_NC, "nc"),
    ngx_dm_sec_malformed(DM_MALFORMED_RESPONSE, "response"),
    ngx_dm_sec_malformed(DM_MALFORMED_USERHASH, "userhash"),
    ngx_dm_sec_malformed(DM_MALFORMED_USERNAME, "username"),
    ngx_dm_sec_malformed(DM_MALFORMED_URI, "uri"),
    ngx_dm_sec_malformed(DM_MALFORMED_BASE64, "base64"),
    ngx_dm_sec_malformed(DM_MALFORMED_NO_COLON, "no_colon"),
    [NGX_DM_SEC_D_NOT_ACCEPTED] = { ngx_string("not_accepted"),
        NGX_DM_SEC_R_MALFORMED },

    [NGX_DM_SEC_D_TWO_AUTHORIZATIONS] = { ngx_string("two_authorizations"),
                                          NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_HEADERS_TOO_LARGE] = { ngx_string("headers_too_large"),
                                         NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_URI_TOO_LARGE] = { ngx_string("uri_too_large"),
                                     NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_METHOD] = { ngx_string("method"),
                              NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_VERSION] = { ngx_string("version"),
                               NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_TRANSFER_ENCODING] = { ngx_string("transfer_encoding"),
                                         NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_SYNTAX_OF_REQUEST] = { ngx_string("syntax_of_request"),
                                         NGX_DM_SEC_R_BAD_REQUEST },
    [NGX_DM_SEC_D_TIMEOUT] = { ngx_string("timeout"),
                               NGX_DM_SEC_R_BAD_REQUEST }
};


ngx_str_t *
ngx_dm_sec_detail_name(ngx_uint_t detail)
{
    return &ngx_dm_sec_details[detail].name;
}


/*
 * A first request without a challenge is as legal as one without credentials,
 * and a device whose line is lost has done nothing wrong.
 */
ngx_uint_t
ngx_dm_sec_detail_level(ngx_uint_t detail, ngx_uint_t level)
{
    return detail == NGX_DM_SEC_D_MALFORMED + DM_MALFORMED_FIRST_REQUEST
           || detail == NGX_DM_SEC_D_TIMEOUT
           ? NGX_LOG_INFO : level;
}


ngx_uint_t
ngx_dm_sec_detail_of(ngx_dm_sec_reason_e reason, ngx_uint_t detail)
{
    return ngx_dm_sec_details[detail].reason == reason ? detail
                                                       : NGX_DM_SEC_D_NONE;
}
