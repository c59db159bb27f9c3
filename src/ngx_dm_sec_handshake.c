/* Failed handshakes: what stock nginx does not log at level error */

#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_counts.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_security.h"

#include "dm_hello.h"
#include "dm_psk.h"


#define NGX_DM_SEC_OFFERED      4       /* suites that are logged */
#define NGX_DM_SEC_SUITE_NAME   64

#define NGX_DM_SEC_SCSV         0x00ff  /* renegotiation, RFC 5746 */
#define NGX_DM_SEC_FALLBACK     0x5600  /* RFC 7507 */


/* the offer of a client, in the connection's pool */
typedef struct {
    uint16_t    version;                /* the highest; 0: not known */
    uint16_t    suite[NGX_DM_SEC_OFFERED];
    ngx_uint_t  nsuites;

    ngx_uint_t  key;                    /* TLS 1.3: such an identity */
    ngx_uint_t  key_suite;              /* less: a suite with a key */

    ngx_uint_t  named;                  /* a PSK identity: the last one */
    ngx_int_t   found;                  /* what its look-up said */
    ngx_str_t   identity;
} ngx_dm_sec_offer_t;


static ngx_dm_sec_offer_t *ngx_dm_sec_handshake_offer(SSL *ssl);
static ngx_uint_t ngx_dm_sec_handshake_version(SSL *ssl);
static void ngx_dm_sec_handshake_note_key(SSL *ssl,
    ngx_dm_sec_offer_t *offer);
static ngx_dm_sec_handshake_e ngx_dm_sec_handshake_reason(SSL *ssl,
    int alert, ngx_dm_sec_offer_t *offer);
static ngx_uint_t ngx_dm_sec_handshake_needs_signature(SSL *ssl);
static ngx_uint_t ngx_dm_sec_handshake_wrong_key(int alert);
static void ngx_dm_sec_handshake_log(ngx_connection_t *c,
    ngx_dm_sec_handshake_e reason, int alert, ngx_dm_sec_offer_t *offer);
static u_char *ngx_dm_sec_handshake_suites(u_char *p, u_char *last,
    ngx_dm_sec_offer_t *offer);


static int  ngx_dm_sec_handshake_index = -1;


/* indexed by ngx_dm_sec_handshake_e */
static ngx_str_t  ngx_dm_sec_handshake_names[] = {
    ngx_string("psk_unknown_identity"),
    ngx_string("psk_wrong_key"),
    ngx_string("psk_store"),
    ngx_string("tls_protocol"),
    ngx_string("tls_cipher"),
    ngx_string("tls_signature"),
    ngx_string("tls_other")
};


ngx_int_t
ngx_dm_sec_handshake_init(ngx_conf_t *cf)
{
    if (ngx_dm_sec_handshake_index != -1) {
        return NGX_OK;
    }

    ngx_dm_sec_handshake_index = SSL_get_ex_new_index(0, NULL, NULL, NULL,
                                                      NULL);
    if (ngx_dm_sec_handshake_index == -1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: SSL_get_ex_new_index() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_dm_sec_handshake_note(SSL *ssl)
{
    size_t               len;
    ngx_uint_t           suite;
    const u_char        *p, *last;
    ngx_dm_sec_offer_t  *offer;

    offer = ngx_dm_sec_handshake_offer(ssl);
    if (offer == NULL) {
        return;
    }

    offer->version = (uint16_t) ngx_dm_sec_handshake_version(ssl);

    ngx_dm_sec_handshake_note_key(ssl, offer);

    len = SSL_client_hello_get0_ciphers(ssl, &p);
    last = p + (len & ~(size_t) 1);

    for (offer->nsuites = 0; p < last; p += 2) {
        suite = p[0] << 8 | p[1];

        if (suite == NGX_DM_SEC_SCSV
            || suite == NGX_DM_SEC_FALLBACK
            || dm_hello_grease((unsigned) suite))
        {
            continue;
        }

        offer->suite[offer->nsuites++] = (uint16_t) suite;

        if (offer->nsuites == NGX_DM_SEC_OFFERED) {
            break;
        }
    }
}


/* when sessions are judged the extension cannot be read any more */
static void
ngx_dm_sec_handshake_note_key(SSL *ssl, ngx_dm_sec_offer_t *offer)
{
    size_t             len;
    const u_char      *p, *last;
    const dm_suite_t  *suite;

    offer->key = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &p, &len) == 1
                 && dm_psk_offered(p, len);

    offer->key_suite = 0;

    len = SSL_client_hello_get0_ciphers(ssl, &p);
    last = p + (len & ~(size_t) 1);

    for ( /* void */ ; p < last; p += 2) {
        suite = dm_suite_by_id((uint16_t) (p[0] << 8 | p[1]));

        if (suite && (suite->auth & DM_AUTH_PSK)) {
            offer->key_suite = 1;
            return;
        }
    }
}


ngx_uint_t
ngx_dm_sec_handshake_key(SSL *ssl)
{
    ngx_dm_sec_offer_t  *offer;

    offer = ngx_dm_sec_handshake_offer(ssl);

    if (offer == NULL || offer->version == 0) {
        return 1;
    }

    return SSL_version(ssl) >= TLS1_3_VERSION ? offer->key : offer->key_suite;
}


void
ngx_dm_sec_handshake_psk(SSL *ssl, ngx_str_t *identity, ngx_int_t found)
{
    ngx_str_t            name;
    ngx_connection_t    *c;
    ngx_dm_sec_offer_t  *offer;

    offer = ngx_dm_sec_handshake_offer(ssl);
    if (offer == NULL) {
        return;
    }

    c = ngx_ssl_get_connection(ssl);

    name.data = identity->data;
    name.len = ngx_min(identity->len, NGX_DM_SEC_LOG_VALUE);

    offer->named = 1;
    offer->found = found;
    offer->identity.data = ngx_pstrdup(c->pool, &name);
    offer->identity.len = offer->identity.data ? name.len : 0;
}


/* finds or makes that of this connection; NULL: no memory, or not wanted */
static ngx_dm_sec_offer_t *
ngx_dm_sec_handshake_offer(SSL *ssl)
{
    ngx_connection_t    *c;
    ngx_dm_sec_offer_t  *offer;

    if (ngx_dm_sec_handshake_index == -1) {
        return NULL;
    }

    offer = SSL_get_ex_data(ssl, ngx_dm_sec_handshake_index);
    if (offer) {
        return offer;
    }

    c = ngx_ssl_get_connection(ssl);

    offer = ngx_pcalloc(c->pool, sizeof(ngx_dm_sec_offer_t));

    if (offer == NULL
        || SSL_set_ex_data(ssl, ngx_dm_sec_handshake_index, offer) != 1)
    {
        return NULL;
    }

    return offer;
}


static ngx_uint_t
ngx_dm_sec_handshake_version(SSL *ssl)
{
    size_t         len;
    unsigned       version;
    const u_char  *ext;

    version = 0;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &ext,
                                  &len)
        == 1)
    {
        version = dm_hello_highest_version(ext, len);
    }

    return version ? version : SSL_client_hello_get0_legacy_version(ssl);
}


void
ngx_dm_sec_handshake_failed(SSL *ssl, int alert)
{
    ngx_uint_t               i;
    ngx_connection_t        *c;
    ngx_dm_sec_offer_t      *offer;
    ngx_dm_sec_counts_t     *counts;
    ngx_dm_sec_shared_t     *sh;
    ngx_dm_sec_handshake_e   reason;
    ngx_dm_sec_main_conf_t  *dmcf;

    c = ngx_ssl_get_connection(ssl);

    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    /* a single process may have been reloaded without the module */

    if (dmcf == NULL || dmcf->zone == NULL) {
        return;
    }

    offer = SSL_get_ex_data(ssl, ngx_dm_sec_handshake_index);
    reason = ngx_dm_sec_handshake_reason(ssl, alert, offer);

    sh = ngx_dm_sec_zone_shared(dmcf);
    counts = ngx_dm_sec_counts(sh);

    ngx_dm_sec_count(counts->handshakes_failed[reason]);

    i = ngx_dm_sec_counts_version(offer ? offer->version : 0);
    ngx_dm_sec_count(counts->handshakes[i][NGX_DM_SEC_NOT_DONE]);

    ngx_dm_sec_recent_count(&sh->recent->count[NGX_DM_SEC_RECENT_FAILED
                                               + reason]);
    ngx_dm_sec_recent_remember(sh->recent, ngx_dm_sec_zone_pool(dmcf),
                               NGX_DM_SEC_RECENT_FAILED + reason,
                               &c->addr_text, offer ? &offer->identity : NULL);

    if (ngx_dm_sec_log_may(dmcf->log_limit, NGX_LOG_ERR,
                           &ngx_dm_sec_handshake_names[reason]))
    {
        ngx_dm_sec_handshake_log(c, reason, alert, offer);
    }
}


void
ngx_dm_sec_handshake_done(SSL *ssl)
{
    ngx_uint_t               i;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    if (dmcf == NULL || dmcf->zone == NULL) {
        return;
    }

    i = ngx_dm_sec_counts_version(SSL_version(ssl));

    ngx_dm_sec_count(ngx_dm_sec_counts(ngx_dm_sec_zone_shared(dmcf))
                     ->handshakes[i][NGX_DM_SEC_DONE]);
}


/* tells the log more than the client may learn */
static ngx_dm_sec_handshake_e
ngx_dm_sec_handshake_reason(SSL *ssl, int alert, ngx_dm_sec_offer_t *offer)
{
    if (offer && offer->named && offer->found == NGX_ERROR) {
        return NGX_DM_SEC_HS_PSK_STORE;
    }

    if (offer && offer->named && ngx_dm_sec_handshake_wrong_key(alert)) {
        return offer->found == NGX_OK ? NGX_DM_SEC_HS_PSK_WRONG
                                      : NGX_DM_SEC_HS_PSK_UNKNOWN;
    }

    if (alert == SSL_AD_PROTOCOL_VERSION) {
        return NGX_DM_SEC_HS_TLS_PROTOCOL;
    }

    switch (ERR_GET_REASON(ERR_peek_last_error())) {

    /* SSL 3.0 has no alert for it */
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
        return NGX_DM_SEC_HS_TLS_PROTOCOL;

    case SSL_R_NO_SHARED_CIPHER:
        return ngx_dm_sec_handshake_needs_signature(ssl)
               ? NGX_DM_SEC_HS_TLS_SIGNATURE : NGX_DM_SEC_HS_TLS_CIPHER;

    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        return NGX_DM_SEC_HS_TLS_SIGNATURE;

    default:
        return NGX_DM_SEC_HS_TLS_OTHER;
    }
}


/*
 * 1 if there is a common suite, which needs a signature, and of that the
 * client has said nothing; else 0.
 */
static ngx_uint_t
ngx_dm_sec_handshake_needs_signature(SSL *ssl)
{
    int                    i;
    const SSL_CIPHER      *cipher;
    STACK_OF(SSL_CIPHER)  *ours, *theirs;

    if (!ngx_dm_sec_security_sha1(ssl)) {
        return 0;
    }

    ours = SSL_get_ciphers(ssl);
    theirs = SSL_get_client_ciphers(ssl);

    for (i = 0; i < sk_SSL_CIPHER_num(theirs); i++) {
        cipher = sk_SSL_CIPHER_value(theirs, i);

        if (ngx_dm_sec_security_signs(cipher)
            && sk_SSL_CIPHER_find(ours, (SSL_CIPHER *) cipher) >= 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * TLS 1.2 cannot decrypt what the client sent last; in TLS 1.3 the client's
 * proof of the key, the binder, is not the server's.
 */
static ngx_uint_t
ngx_dm_sec_handshake_wrong_key(int alert)
{
    return alert == SSL_AD_BAD_RECORD_MAC
           || alert == SSL_AD_DECRYPT_ERROR
           || ERR_GET_REASON(ERR_peek_last_error())
              == SSL_R_BINDER_DOES_NOT_VERIFY;
}


static void
ngx_dm_sec_handshake_log(ngx_connection_t *c, ngx_dm_sec_handshake_e reason,
    int alert, ngx_dm_sec_offer_t *offer)
{
    u_char       escaped[NGX_DM_SEC_LOG_ESCAPED];
    u_char       suites[NGX_DM_SEC_OFFERED * NGX_DM_SEC_SUITE_NAME];
    u_char       version[sizeof("TLSv1.x")];
    u_char      *p, *v;
    ngx_str_t    identity, address;
    const char  *name;

    p = suites;
    v = version;

    ngx_str_null(&identity);

    if (offer) {
        identity = offer->identity;
    }

    if (offer && offer->version) {
        p = ngx_dm_sec_handshake_suites(p, suites + sizeof(suites), offer);

        name = dm_version_name(dm_version_by_number(offer->version));
        v = name ? ngx_slprintf(v, v + sizeof(version), "%s", name)
                 : ngx_slprintf(v, v + sizeof(version), "0x%04xd",
                                (int) offer->version);
    }

    identity = ngx_dm_sec_log_escape(escaped, &identity);

    /* nginx writes addr_text behind the line: a device's, not a balancer's */

    address = c->addr_text;

    if (c->proxy_protocol && c->proxy_protocol->src_addr.len) {
        c->addr_text = c->proxy_protocol->src_addr;
    }

    if (v == version) {
        *v++ = '-';
        *p++ = '-';
    }

    ngx_log_error(NGX_LOG_ERR, c->log, 0,
                  "dm_sec: handshake failed reason=%V detail=- "
                  "identity=\"%V\" alert=\"%s\" version=%*s suites=\"%*s\"",
                  &ngx_dm_sec_handshake_names[reason], &identity,
                  SSL_alert_desc_string_long(alert),
                  (size_t) (v - version), version,
                  (size_t) (p - suites), suites);

    c->addr_text = address;
}


static u_char *
ngx_dm_sec_handshake_suites(u_char *p, u_char *last,
    ngx_dm_sec_offer_t *offer)
{
    ngx_uint_t         i;
    const dm_suite_t  *suite;

    for (i = 0; i < offer->nsuites; i++) {
        suite = dm_suite_by_id(offer->suite[i]);

        p = suite ? ngx_slprintf(p, last, "%s%s", i ? " " : "", suite->iana)
                  : ngx_slprintf(p, last, "%s0x%04xd", i ? " " : "",
                                 (int) offer->suite[i]);
    }

    return p;
}


ngx_str_t *
ngx_dm_sec_handshake_name(ngx_dm_sec_handshake_e reason)
{
    return &ngx_dm_sec_handshake_names[reason];
}
