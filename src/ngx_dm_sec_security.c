/* OpenSSL's security level, and what old versions need of it */

#include "ngx_dm_sec_security.h"

#include "dm_suite.h"


#define NGX_DM_SEC_LEVEL  2


typedef int (*ngx_dm_sec_security_pt)(const SSL *ssl, const SSL_CTX *ctx,
    int op, int bits, int nid, void *other, void *ex);


static int ngx_dm_sec_security_callback(const SSL *ssl, const SSL_CTX *ctx,
    int op, int bits, int nid, void *other, void *ex);
static int ngx_dm_sec_security_version(const SSL *ssl, const SSL_CTX *ctx,
    int version);
static int ngx_dm_sec_security_ssl3(const SSL *ssl, const SSL_CIPHER *cipher);
static int ngx_dm_sec_security_unsigned(const SSL *ssl, const u_char *sigalg);


/* OpenSSL's own, which decides everything that ours does not open */
static ngx_dm_sec_security_pt  ngx_dm_sec_security_default;


void
ngx_dm_sec_security_level(SSL_CTX *ctx)
{
    SSL_CTX_set_security_level(ctx, NGX_DM_SEC_LEVEL);
}


void
ngx_dm_sec_security_open(SSL_CTX *ctx)
{
    ngx_dm_sec_security_default = SSL_CTX_get_security_callback(ctx);

    SSL_CTX_set_security_callback(ctx, ngx_dm_sec_security_callback);
}


/*
 * Level 2 refuses SSL 3.0, since OpenSSL 3.1 TLS 1.0 and 1.1 as well, and the
 * only signatures that versions before 1.2 have: MD5 with SHA-1 for RSA, SHA-1
 * for ECDSA.  The versions are opened that the policy offers, the signatures
 * while such a version is negotiated, and nothing else is: TLS 1.2 does not
 * get SHA-1 back, nor do short keys pass anywhere.
 */
static int
ngx_dm_sec_security_callback(const SSL *ssl, const SSL_CTX *ctx, int op,
    int bits, int nid, void *other, void *ex)
{
    switch (op) {

    case SSL_SECOP_VERSION:

        if (nid < TLS1_2_VERSION) {
            return ngx_dm_sec_security_version(ssl, ctx, nid);
        }

        break;

    case SSL_SECOP_CIPHER_SUPPORTED:
    case SSL_SECOP_CIPHER_SHARED:
    case SSL_SECOP_CIPHER_CHECK:

        if (dm_suite_weak_cipher(other)) {
            return ngx_dm_sec_security_ssl3(ssl, other);
        }

        if (op == SSL_SECOP_CIPHER_SHARED
            && ngx_dm_sec_security_sha1(ssl)
            && ngx_dm_sec_security_signs(other))
        {
            return 0;
        }

        break;

    case SSL_SECOP_SIGALG_SUPPORTED:
    case SSL_SECOP_SIGALG_SHARED:
    case SSL_SECOP_SIGALG_CHECK:

        if (ssl
            && SSL_version(ssl) < TLS1_2_VERSION
            && (nid == NID_md5_sha1 || nid == NID_sha1))
        {
            return 1;
        }

        if (op == SSL_SECOP_SIGALG_SUPPORTED
            && ngx_dm_sec_security_unsigned(ssl, other))
        {
            return 1;
        }
    }

    return ngx_dm_sec_security_default(ssl, ctx, op, bits, nid, other, ex);
}


/* ngx_dm_sec_tls_set_versions() has said in the options what is not offered */
static int
ngx_dm_sec_security_version(const SSL *ssl, const SSL_CTX *ctx, int version)
{
    uint64_t  options;

    options = ssl ? SSL_get_options(ssl) : SSL_CTX_get_options(ctx);

    switch (version) {

    case SSL3_VERSION:
        return !(options & SSL_OP_NO_SSLv3);

    case TLS1_VERSION:
        return !(options & SSL_OP_NO_TLSv1);

    case TLS1_1_VERSION:
        return !(options & SSL_OP_NO_TLSv1_1);

    default:
        return 0;
    }
}


/* RC4 and 3DES: on SSL 3.0 only, and not the anonymous ones, nor with MD5 */
static int
ngx_dm_sec_security_ssl3(const SSL *ssl, const SSL_CIPHER *cipher)
{
    return ssl && SSL_version(ssl) == SSL3_VERSION
           && dm_suite_by_id(SSL_CIPHER_get_protocol_id(cipher));
}


ngx_uint_t
ngx_dm_sec_security_sha1(const SSL *ssl)
{
    return ssl
           && SSL_version(ssl) == TLS1_2_VERSION
           && SSL_get_sigalgs((SSL *) ssl, -1, NULL, NULL, NULL, NULL, NULL)
              == 0;
}


ngx_uint_t
ngx_dm_sec_security_signs(const SSL_CIPHER *cipher)
{
    int  kx;

    kx = SSL_CIPHER_get_kx_nid(cipher);

    return kx == NID_kx_ecdhe || kx == NID_kx_dhe;
}


/*
 * OpenSSL chooses a signature also for a suite of RSA or RSA_PSK, which has
 * none, and of such a client there is but SHA-1 to choose.  That is let pass
 * where it is chosen, and in no message, nor for a suite that signs.
 */
static int
ngx_dm_sec_security_unsigned(const SSL *ssl, const u_char *sigalg)
{
    int                kx;
    const SSL_CIPHER  *cipher;

    /* the numbers of states are others in each version of the library */

    if (!ngx_dm_sec_security_sha1(ssl)
        || ngx_strcmp(SSL_state_string(ssl), "TRCH") != 0
        || sigalg[0] != TLSEXT_hash_sha1
        || sigalg[1] != TLSEXT_signature_rsa)
    {
        return 0;
    }

    cipher = SSL_get_pending_cipher(ssl);
    kx = cipher ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;

    return kx == NID_kx_rsa || kx == NID_kx_rsa_psk;
}
