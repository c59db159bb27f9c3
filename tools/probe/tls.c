/* A handshake with one version, some suites and some credentials */

#include <stdio.h>

#include <openssl/err.h>

#include "probe/tls.h"


#define DM_TLS_CIPHERS_MAX  2048

/* everything but what has no certificate to be verified */
#define DM_TLS_ALL  "ALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"


/* the data of a context's callbacks */
typedef struct {
    const dm_offer_t  *offer;
    dm_seen_t         *seen;
} dm_tls_state_t;


static int dm_tls_versions(SSL_CTX *ctx, const dm_offer_t *offer);
static int dm_tls_ciphers(SSL_CTX *ctx, const dm_offer_t *offer);
static int dm_tls_certificate(SSL_CTX *ctx, const dm_offer_t *offer);
static unsigned dm_tls_psk(SSL *ssl, const char *hint, char *identity,
    unsigned max_identity, unsigned char *key, unsigned max_key);
static int dm_tls_no_certificate(int ok, X509_STORE_CTX *store);
static void dm_tls_info(const SSL *ssl, int where, int value);


/* there is one context at a time */
static dm_tls_state_t  dm_tls_state;


int
dm_tls_offer(SSL_CTX *ctx, const dm_offer_t *offer, dm_seen_t *seen)
{
    memset(seen, 0, sizeof(dm_seen_t));
    seen->suite = "-";
    seen->alert = -1;

    dm_tls_state.offer = offer;
    dm_tls_state.seen = seen;

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_info_callback(ctx, dm_tls_info);

    /* a server may be older than RFC 5746 */
    SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);

    if (dm_tls_versions(ctx, offer) != DM_OK
        || dm_tls_ciphers(ctx, offer) != DM_OK
        || dm_tls_certificate(ctx, offer) != DM_OK)
    {
        ERR_clear_error();
        return DM_ERROR;
    }

    if (offer->psk != NULL) {
        SSL_CTX_set_psk_client_callback(ctx, dm_tls_psk);
    }

    /* TLS 1.3 has no suites for a key: a server may go on without it */

    if (offer->psk != NULL && offer->version == DM_TLSV1_3) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, dm_tls_no_certificate);
    }

    return DM_OK;
}


/* a DM client does not know TLS 1.3, unless it is asked for */
static int
dm_tls_versions(SSL_CTX *ctx, const dm_offer_t *offer)
{
    int  min, max;

    SSL_CTX_clear_options(ctx, SSL_OP_NO_SSL_MASK);

    min = TLS1_VERSION;
    max = TLS1_2_VERSION;

    if (offer->version != 0) {
        min = dm_version_number(offer->version);
        max = min;
    }

    if (SSL_CTX_set_min_proto_version(ctx, min) != 1
        || SSL_CTX_set_max_proto_version(ctx, max) != 1)
    {
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_tls_ciphers(SSL_CTX *ctx, const dm_offer_t *offer)
{
    char                list[DM_TLS_CIPHERS_MAX];
    size_t              i, len;
    dm_str_t            name;
    const dm_suite_t   *suite;

    if (offer->suites == NULL) {
        return SSL_CTX_set_cipher_list(ctx, DM_TLS_ALL) == 1 ? DM_OK
                                                             : DM_ERROR;
    }

    len = 0;

    for (i = 0; offer->suites[i] != NULL; i++) {
        name.data = (const unsigned char *) offer->suites[i];
        name.len = strlen(offer->suites[i]);

        suite = dm_suite_by_name(name);

        if (suite == NULL
            || len + strlen(suite->openssl) + sizeof(":@SECLEVEL=0")
               >= sizeof(list))
        {
            return DM_ERROR;
        }

        len += (size_t) sprintf(list + len, "%s:", suite->openssl);
    }

    (void) snprintf(list + len, sizeof(list) - len, "@SECLEVEL=0");

    return SSL_CTX_set_cipher_list(ctx, list) == 1 ? DM_OK : DM_ERROR;
}


static int
dm_tls_certificate(SSL_CTX *ctx, const dm_offer_t *offer)
{
    if (offer->cert == NULL) {
        return DM_OK;
    }

    /* the file may have one certificate only, or be DER */
    if (offer->chain == NULL
        || SSL_CTX_use_certificate_chain_file(ctx, offer->chain) != 1)
    {
        ERR_clear_error();

        if (SSL_CTX_use_certificate(ctx, offer->cert) != 1) {
            return DM_ERROR;
        }
    }

    return SSL_CTX_use_PrivateKey(ctx, offer->key) == 1 ? DM_OK : DM_ERROR;
}


static unsigned
dm_tls_psk(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *key, unsigned max_key)
{
    size_t                 len;
    const dm_probe_psk_t  *psk;

    (void) ssl;
    (void) hint;

    psk = dm_tls_state.offer->psk;
    len = strlen(psk->identity);

    if (len >= max_identity || psk->key.len > max_key) {
        return 0;
    }

    memcpy(identity, psk->identity, len + 1);
    memcpy(key, psk->key.data, psk->key.len);

    return (unsigned) psk->key.len;
}


static int
dm_tls_no_certificate(int ok, X509_STORE_CTX *store)
{
    (void) ok;

    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);

    return 0;
}


static void
dm_tls_info(const SSL *ssl, int where, int value)
{
    dm_seen_t  *seen;

    seen = dm_tls_state.seen;

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT
        && (value & 0xff) != SSL_AD_CLOSE_NOTIFY)
    {
        seen->alert = value & 0xff;
    }

    if (!(where & SSL_CB_HANDSHAKE_DONE) || seen->done) {
        return;
    }

    seen->done = 1;
    seen->version = dm_version_by_number(SSL_version(ssl));
    seen->suite = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));

    if (seen->suite == NULL) {
        seen->suite = SSL_get_cipher_name(ssl);
    }

    (void) snprintf(seen->protocol, sizeof(seen->protocol), "%s",
                    SSL_get_version(ssl));
}


size_t
dm_tls_suites(const char *const *list, unsigned version, const char **suites,
    size_t n)
{
    size_t             i, found;
    dm_str_t           name;
    const dm_suite_t  *suite;

    found = 0;

    for (i = 0; list[i] != NULL && found + 1 < n; i++) {
        name.data = (const unsigned char *) list[i];
        name.len = strlen(list[i]);

        suite = dm_suite_by_name(name);

        if (suite != NULL && (suite->versions & version)) {
            suites[found++] = list[i];
        }
    }

    suites[found] = NULL;

    return found;
}
