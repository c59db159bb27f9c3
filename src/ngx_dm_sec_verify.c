/* The verification of a client's certificate, as a reason */

#include "ngx_dm_sec_verify.h"
#include "ngx_dm_sec_detail.h"


typedef struct {
    int                  error;         /* X509_V_ERR_... */
    ngx_dm_sec_reason_e  reason;
    ngx_uint_t           detail;
} ngx_dm_sec_verify_t;


/* those that are missing are NGX_DM_SEC_R_CERT_INVALID */
static const ngx_dm_sec_verify_t  ngx_dm_sec_verify_errors[] = {

    { X509_V_OK, NGX_DM_SEC_R_NONE, 0 },

    { X509_V_ERR_CERT_HAS_EXPIRED, NGX_DM_SEC_R_CERT_EXPIRED, 0 },
    { X509_V_ERR_CERT_NOT_YET_VALID, NGX_DM_SEC_R_CERT_EXPIRED,
      NGX_DM_SEC_D_NOT_YET_VALID },

    { X509_V_ERR_CERT_REVOKED, NGX_DM_SEC_R_CERT_REVOKED, 0 },

    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, NGX_DM_SEC_R_CERT_UNKNOWN_CA, 0 },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
      NGX_DM_SEC_R_CERT_UNKNOWN_CA, 0 },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
      NGX_DM_SEC_R_CERT_UNKNOWN_CA, 0 },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, NGX_DM_SEC_R_CERT_UNKNOWN_CA,
      0 },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, NGX_DM_SEC_R_CERT_UNKNOWN_CA, 0 },
    { X509_V_ERR_CERT_UNTRUSTED, NGX_DM_SEC_R_CERT_UNKNOWN_CA, 0 },

    { X509_V_ERR_EE_KEY_TOO_SMALL, NGX_DM_SEC_R_CERT_WEAK, 0 },
    { X509_V_ERR_CA_KEY_TOO_SMALL, NGX_DM_SEC_R_CERT_WEAK, 0 },
    { X509_V_ERR_CA_MD_TOO_WEAK, NGX_DM_SEC_R_CERT_WEAK, 0 },

    { X509_V_ERR_INVALID_PURPOSE, NGX_DM_SEC_R_CERT_PURPOSE, 0 },

    { X509_V_ERR_CRL_HAS_EXPIRED, NGX_DM_SEC_R_CRL_EXPIRED, 0 },
    { X509_V_ERR_CRL_NOT_YET_VALID, NGX_DM_SEC_R_CRL_EXPIRED,
      NGX_DM_SEC_D_CRL_NOT_YET_VALID },

    { X509_V_ERR_UNABLE_TO_GET_CRL, NGX_DM_SEC_R_CERT_INVALID,
      NGX_DM_SEC_D_CRL_MISSING },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, NGX_DM_SEC_R_CERT_INVALID,
      NGX_DM_SEC_D_SIGNATURE }
};


static ngx_uint_t ngx_dm_sec_verify_too_long(SSL *ssl, long rc);
static ngx_uint_t ngx_dm_sec_verify_is_foreign(SSL *ssl);
static ngx_uint_t ngx_dm_sec_verify_trusts(SSL *ssl, X509 *cert);


ngx_dm_sec_reason_e
ngx_dm_sec_verify_reason(ngx_connection_t *c, ngx_uint_t *detail)
{
    long                        rc;
    ngx_uint_t                  i, n;
    const char                 *status;
    const ngx_dm_sec_verify_t  *verify;

    *detail = NGX_DM_SEC_D_NONE;

    rc = SSL_get_verify_result(c->ssl->connection);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "dm_sec x509: OpenSSL says %l, \"%s\"", rc,
                   X509_verify_cert_error_string(rc));

    if (rc == X509_V_OK && ngx_ssl_ocsp_get_status(c, &status) != NGX_OK) {

        if (ngx_strcmp(status, "certificate revoked") == 0) {
            return NGX_DM_SEC_R_CERT_REVOKED;
        }

        *detail = NGX_DM_SEC_D_OCSP;
        return NGX_DM_SEC_R_CERT_INVALID;
    }

    if (ngx_dm_sec_verify_too_long(c->ssl->connection, rc)) {
        *detail = NGX_DM_SEC_D_CHAIN_TOO_LONG;
        return NGX_DM_SEC_R_CERT_INVALID;
    }

    if (rc == X509_V_ERR_UNABLE_TO_GET_CRL
        && ngx_dm_sec_verify_is_foreign(c->ssl->connection))
    {
        return NGX_DM_SEC_R_CERT_UNKNOWN_CA;
    }

    n = sizeof(ngx_dm_sec_verify_errors) / sizeof(ngx_dm_sec_verify_t);

    for (i = 0; i < n; i++) {
        verify = &ngx_dm_sec_verify_errors[i];

        if (verify->error == rc) {
            *detail = verify->detail;
            return verify->reason;
        }
    }

    return NGX_DM_SEC_R_CERT_INVALID;
}


/*
 * 1 if the chain ends where ssl_verify_depth has it end.  nginx lets OpenSSL go
 * on behind each error, so that the last is told: that the next CA is missing.
 */
static ngx_uint_t
ngx_dm_sec_verify_too_long(SSL *ssl, long rc)
{
    STACK_OF(X509)  *chain;

    if (rc == X509_V_ERR_CERT_CHAIN_TOO_LONG) {
        return 1;
    }

    if (rc != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        && rc != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
    {
        return 0;
    }

    /* a session that was resumed has none */
    chain = SSL_get0_verified_chain(ssl);

    return chain && sk_X509_num(chain) > SSL_get_verify_depth(ssl) + 1;
}


/*
 * 1 if the chain does not end in a CA of the server's: with "ssl_crl" the last
 * error is that it has no CRL of that one, which it could not have
 */
static ngx_uint_t
ngx_dm_sec_verify_is_foreign(SSL *ssl)
{
    int              n;
    STACK_OF(X509)  *chain;

    /* a session that was resumed has none */
    chain = SSL_get0_verified_chain(ssl);
    n = sk_X509_num(chain);

    return n > 0 && !ngx_dm_sec_verify_trusts(ssl, sk_X509_value(chain, n - 1));
}


static ngx_uint_t
ngx_dm_sec_verify_trusts(SSL *ssl, X509 *cert)
{
    int              i;
    ngx_uint_t       found;
    X509_STORE_CTX  *ctx;
    STACK_OF(X509)  *certs;

    found = 0;
    certs = NULL;

    ctx = X509_STORE_CTX_new();

    if (ctx
        && X509_STORE_CTX_init(ctx,
                               SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
                               NULL, NULL)
           == 1)
    {
        certs = X509_STORE_CTX_get1_certs(ctx, X509_get_subject_name(cert));
    }

    for (i = 0; !found && i < sk_X509_num(certs); i++) {
        found = X509_cmp(sk_X509_value(certs, i), cert) == 0;
    }

    sk_X509_pop_free(certs, X509_free);
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();

    return found;
}
