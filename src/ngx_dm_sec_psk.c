/* TLS-PSK, RFC 4279 and RFC 8446: the account that a key belongs to */

#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_finding.h"
#include "ngx_dm_sec_handshake.h"
#include "ngx_dm_sec_log.h"
#include "ngx_dm_sec_store.h"
#include "ngx_dm_sec_tls.h"

#include "dm_psk.h"


/* OpenSSL takes this for a failure of ours: the alert internal_error */
#define NGX_DM_SEC_PSK_FAILED  (PSK_MAX_PSK_LEN + 1)


/* a key that a handshake asks for, and the server's answer with it */
typedef struct {
    SSL            *ssl;
    dm_str_t        identity;
    ngx_int_t       found;      /* NGX_OK; NGX_DECLINED: it is a random one */

    u_char         *key;        /* TLS 1.2 and less: [max] */
    unsigned        max;
    unsigned        len;

    SSL_SESSION    *session;    /* TLS 1.3 */
} ngx_dm_sec_psk_answer_t;


/* an account is to have the key that a session's mark names */
typedef struct {
    dm_psk_mark_t            *mark;
    ngx_pool_t               *pool;     /* to verify */
    ngx_dm_sec_credential_t  *cred;
} ngx_dm_sec_psk_holder_t;


static unsigned ngx_dm_sec_psk_server(SSL *ssl, const char *identity,
    u_char *key, unsigned max);
static ngx_int_t ngx_dm_sec_psk_give_key(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static int ngx_dm_sec_psk_find_session(SSL *ssl, const u_char *identity,
    size_t len, SSL_SESSION **session);
static ngx_int_t ngx_dm_sec_psk_give_session(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static ngx_int_t ngx_dm_sec_psk_answer(ngx_dm_sec_psk_answer_t *answer,
    ngx_dm_sec_account_judge_pt give);
static const dm_psk_t *ngx_dm_sec_psk_choose(ngx_dm_sec_psk_answer_t *answer,
    dm_account_t *account, ngx_uint_t known);
static SSL_SESSION *ngx_dm_sec_psk_session(SSL *ssl, const dm_psk_t *psk);
static ngx_int_t ngx_dm_sec_psk_mark(SSL_SESSION *session,
    const dm_psk_t *psk);
static void ngx_dm_sec_psk_restore_tickets(SSL *ssl);
static ngx_uint_t ngx_dm_sec_psk_stale(SSL *ssl, dm_psk_mark_t *mark);
static ngx_int_t ngx_dm_sec_psk_read_mark(SSL_SESSION *session,
    dm_psk_mark_t *mark);
static ngx_int_t ngx_dm_sec_psk_find(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred, dm_psk_mark_t *mark);
static ngx_int_t ngx_dm_sec_psk_accept(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static ngx_int_t ngx_dm_sec_psk_match(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known);
static ngx_int_t ngx_dm_sec_psk_request_mark(ngx_http_request_t *r,
    dm_psk_mark_t *mark);


/* RFC 4279, section 5.2: UTF-8, and so long as an identity at most */
char *
ngx_dm_sec_psk_set_hint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_srv_conf_t  *dscf = conf;

    dm_err_t    err;
    dm_str_t    hint;
    ngx_str_t  *value;

    if (dscf->psk_hint.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&dscf->psk_hint, "");
        return NGX_CONF_OK;
    }

    hint.data = value[1].data;
    hint.len = value[1].len;

    if (dm_text_check(hint, DM_PSK_IDENTITY_MAX, "the hint", &err) != DM_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": %s", &value[1],
                           err.text);
        return NGX_CONF_ERROR;
    }

    dscf->psk_hint = value[1];

    return NGX_CONF_OK;
}


ngx_int_t
ngx_dm_sec_psk_settle_hint(ngx_conf_t *cf, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (dscf->own_psk_hint && !(dscf->auth & NGX_DM_SEC_PSK)) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"dm_sec_psk_identity_hint\" has no effect: no "
                           "\"dm_sec_auth\" here accepts psk");
        return NGX_ERROR;
    }

    if (dscf->own_psk_hint
        && !(ngx_dm_sec_tls_server_versions(dscf) & ~DM_TLSV1_3))
    {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, NULL,
                           "\"dm_sec_psk_identity_hint\" has no effect: only "
                           "TLSv1.2 and less have a hint, and none of them "
                           "is offered");
        return NGX_ERROR;
    }

    if (dscf->psk_hint.len == 0
        || sscf->ssl.ctx == NULL
        || !(dscf->auth & NGX_DM_SEC_PSK))
    {
        return NGX_OK;
    }

    if (SSL_CTX_use_psk_identity_hint(sscf->ssl.ctx,
                                      (char *) dscf->psk_hint.data)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: SSL_CTX_use_psk_identity_hint() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_psk_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_srv_conf_t *dscf, ngx_http_core_loc_conf_t *clcf,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_uint_t                ways;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (!(dlcf->auth & NGX_DM_SEC_PSK)
        || !dscf->listens
        || sscf->reject_handshake)
    {
        return NGX_OK;
    }

    if (sscf->verify == 1) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"ssl_verify_client on\" refuses every client "
                           "that \"dm_sec_auth psk\" is for: write "
                           "\"ssl_verify_client optional\"");
        return NGX_ERROR;
    }

    ways = ngx_dm_sec_tls_psk(dscf, dlcf);

    if (ways == 0) {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth psk\" can never be satisfied: no "
                           "suite here takes a pre-shared key; write "
                           "\"dm_sec_profile\" or add \"DM-PSK\" to "
                           "\"dm_sec_ciphers\"");
        return NGX_ERROR;
    }

    if (dlcf->auth_all
        && (dlcf->auth & NGX_DM_SEC_X509)
        && !(ways & NGX_DM_SEC_TLS_RSA_PSK))
    {
        ngx_dm_sec_finding(NGX_LOG_EMERG, cf, dscf, clcf,
                           "\"dm_sec_auth_all on\" with psk and x509 can "
                           "never be satisfied: only RSA_PSK suites have "
                           "both; add \"DM-PSK\" to \"dm_sec_ciphers\" and an "
                           "RSA certificate to the server");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_dm_sec_psk_init_server(ngx_dm_sec_srv_conf_t *dscf)
{
    SSL_CTX                  *ctx;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (!(dscf->auth & NGX_DM_SEC_PSK)) {
        return;
    }

    SSL_CTX_set_psk_server_callback(ctx, ngx_dm_sec_psk_server);
    SSL_CTX_set_psk_find_session_callback(ctx, ngx_dm_sec_psk_find_session);

    /* without a cache these tickets could never be resumed */

    if ((SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET)
        && SSL_CTX_sess_get_get_cb(ctx) == NULL)
    {
        SSL_CTX_set_num_tickets(ctx, 0);
    }
}


void
ngx_dm_sec_psk_apply(SSL *ssl, ngx_dm_sec_srv_conf_t *dscf)
{
    ngx_uint_t  on;

    on = dscf->auth & NGX_DM_SEC_PSK;

    SSL_set_psk_server_callback(ssl, on ? ngx_dm_sec_psk_server : NULL);
    SSL_set_psk_find_session_callback(ssl, on ? ngx_dm_sec_psk_find_session
                                              : NULL);

    ngx_dm_sec_psk_restore_tickets(ssl);
}


/*
 * TLS 1.2 and less.  The identity is what stood before a NUL, if there was
 * one.  In TLS 1.3 it may be a ticket, and a key for that, be it a random one,
 * would end the resumption of every session.
 */
static unsigned
ngx_dm_sec_psk_server(SSL *ssl, const char *identity, u_char *key,
    unsigned max)
{
    ngx_dm_sec_psk_answer_t  answer;

    if (SSL_version(ssl) >= TLS1_3_VERSION) {
        return 0;
    }

    ngx_memzero(&answer, sizeof(ngx_dm_sec_psk_answer_t));

    answer.ssl = ssl;
    answer.identity.data = (u_char *) identity;
    answer.identity.len = ngx_strlen(identity);
    answer.key = key;
    answer.max = max;

    if (ngx_dm_sec_psk_answer(&answer, ngx_dm_sec_psk_give_key) != NGX_OK) {
        return NGX_DM_SEC_PSK_FAILED;
    }

    return answer.len;
}


static ngx_int_t
ngx_dm_sec_psk_give_key(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    const dm_psk_t           *psk;
    ngx_dm_sec_psk_answer_t  *answer;

    answer = search->data;
    psk = ngx_dm_sec_psk_choose(answer, account, known);

    if (psk->key.len > answer->max
        || ngx_dm_sec_psk_mark(SSL_get_session(answer->ssl), psk) != NGX_OK)
    {
        return NGX_ERROR;
    }

    answer->len = (unsigned) psk->key.len;
    ngx_memcpy(answer->key, psk->key.data, psk->key.len);

    return NGX_OK;
}


/*
 * TLS 1.3: 1, and the session is NULL where the octets are no identity but,
 * say, a ticket, or where OpenSSL could not use a key; 0: a failure of ours.
 * It is asked for one identity after the other until there is a session, so
 * what was looked up in vain would be so hundreds of times in one handshake.
 */
static int
ngx_dm_sec_psk_find_session(SSL *ssl, const u_char *identity, size_t len,
    SSL_SESSION **session)
{
    ngx_dm_sec_psk_answer_t  answer;

    *session = NULL;

    if (!ngx_dm_sec_tls_sha256(SSL_get_pending_cipher(ssl))) {
        return 1;
    }

    ngx_memzero(&answer, sizeof(ngx_dm_sec_psk_answer_t));

    answer.ssl = ssl;
    answer.identity.data = identity;
    answer.identity.len = len;

    if (dm_account_check_psk_identity(answer.identity, NULL) != DM_OK) {
        return 1;
    }

    if (ngx_dm_sec_psk_answer(&answer, ngx_dm_sec_psk_give_session)
        != NGX_OK)
    {
        return 0;
    }

    *session = answer.session;

    ngx_dm_sec_psk_restore_tickets(ssl);

    return 1;
}


static ngx_int_t
ngx_dm_sec_psk_give_session(ngx_dm_sec_search_t *search,
    dm_account_t *account, ngx_uint_t known)
{
    ngx_dm_sec_psk_answer_t  *answer;

    answer = search->data;
    answer->session = ngx_dm_sec_psk_session(answer->ssl,
                                             ngx_dm_sec_psk_choose(answer,
                                                                   account,
                                                                   known));

    return answer->session ? NGX_OK : NGX_ERROR;
}


/* NGX_OK, or NGX_ERROR: the store failed, or what gives the key did */
static ngx_int_t
ngx_dm_sec_psk_answer(ngx_dm_sec_psk_answer_t *answer,
    ngx_dm_sec_account_judge_pt give)
{
    ngx_int_t                rc;
    ngx_str_t                identity;
    ngx_dm_sec_search_t      search;
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    /* a single process may have been reloaded without the module */

    if (dmcf == NULL || dmcf->keys == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&search, sizeof(ngx_dm_sec_search_t));

    search.index = DM_BY_PSK;
    search.key = answer->identity;
    search.judge = give;
    search.data = answer;

    answer->found = NGX_ERROR;

    rc = ngx_dm_sec_account_find(dmcf, ngx_ssl_get_connection(answer->ssl),
                                 &search);

    identity.data = (u_char *) answer->identity.data;
    identity.len = answer->identity.len;

    ngx_dm_sec_handshake_psk(answer->ssl, &identity, answer->found);

    return rc;
}


/*
 * The account's key of that identity.  A decoy has a random one, with which
 * the handshake fails as it does with a wrong key.
 */
static const dm_psk_t *
ngx_dm_sec_psk_choose(ngx_dm_sec_psk_answer_t *answer, dm_account_t *account,
    ngx_uint_t known)
{
    answer->found = known ? NGX_OK : NGX_DECLINED;

    return known ? dm_psk_find(account, answer->identity) : &account->psk[0];
}


/* makes a session of the key, with its mark; NULL: we failed */
static SSL_SESSION *
ngx_dm_sec_psk_session(SSL *ssl, const dm_psk_t *psk)
{
    SSL_SESSION  *session;

    session = ngx_dm_sec_psk_new_session(ssl, psk->key);

    if (session && ngx_dm_sec_psk_mark(session, psk) != NGX_OK) {
        SSL_SESSION_free(session);
        return NULL;
    }

    return session;
}


/*
 * RFC 8446, 4.2.11: a key without a hash of its own goes with SHA-256.  Its
 * tickets live as long as those of other sessions; it is looked at itself
 * too, and must not be over at once.
 */
SSL_SESSION *
ngx_dm_sec_psk_new_session(SSL *ssl, dm_str_t key)
{
    long               timeout;
    SSL_SESSION       *session;
    const SSL_CIPHER  *cipher;

    static const u_char  aes_128_gcm_sha256[] = { 0x13, 0x01 };

    cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
    if (cipher == NULL) {
        return NULL;
    }

    session = SSL_SESSION_new();
    if (session == NULL) {
        return NULL;
    }

    timeout = SSL_CTX_get_timeout(SSL_get_SSL_CTX(ssl));
    (void) SSL_SESSION_set_timeout(session, ngx_max(timeout, 1));

    if (SSL_SESSION_set1_master_key(session, key.data, key.len) == 1
        && SSL_SESSION_set_cipher(session, cipher) == 1
        && SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
    {
        return session;
    }

    SSL_SESSION_free(session);

    return NULL;
}


/* ex_data would not survive tickets and caches; OpenSSL copies the mark */
static ngx_int_t
ngx_dm_sec_psk_mark(SSL_SESSION *session, const dm_psk_t *psk)
{
    size_t  len;
    u_char  mark[DM_PSK_MARK_MAX];

    if (session == NULL
        || dm_psk_mark(psk, ngx_dm_sec_store_id(), mark, &len) != DM_OK
        || SSL_SESSION_set1_ticket_appdata(session, mark, len) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_dm_sec_psk_resumes(SSL *ssl, SSL_SESSION *session,
    ngx_dm_sec_srv_conf_t *dscf)
{
    dm_psk_mark_t  mark;

    if (ngx_dm_sec_psk_read_mark(session, &mark) != NGX_OK) {
        return !(dscf->auth & NGX_DM_SEC_PSK) || !ngx_dm_sec_handshake_key(ssl);
    }

    return !ngx_dm_sec_psk_stale(ssl, &mark);
}


ngx_uint_t
ngx_dm_sec_psk_marked(SSL_SESSION *session)
{
    dm_psk_mark_t  mark;

    return ngx_dm_sec_psk_read_mark(session, &mark) == NGX_OK;
}


/*
 * A device whose key was replaced may still have a session of the old one:
 * resumed, it would be refused at each request, while a full handshake shows
 * which key it has now.  Where the store fails the request will say so.
 */
static ngx_uint_t
ngx_dm_sec_psk_stale(SSL *ssl, dm_psk_mark_t *mark)
{
    ngx_dm_sec_search_t       search;
    ngx_dm_sec_main_conf_t   *dmcf;
    ngx_dm_sec_psk_holder_t   holder;

    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    if (dmcf == NULL || dmcf->keys == NULL) {
        return 0;
    }

    holder.mark = mark;

    ngx_memzero(&search, sizeof(ngx_dm_sec_search_t));

    search.index = DM_BY_PSK;
    search.key = mark->identity;
    search.judge = ngx_dm_sec_psk_match;
    search.data = &holder;

    return ngx_dm_sec_account_find(dmcf, ngx_ssl_get_connection(ssl), &search)
           == NGX_DECLINED;
}


/*
 * TLS 1.3: a client may keep its key to itself while it has a session.  When
 * that is refused, the handshake is one without a key, and a session of it
 * would be refused each request for as long as it is resumed.  So there is
 * none, and the client shows its key the next time.
 */
void
ngx_dm_sec_psk_tickets(SSL *ssl, ngx_dm_sec_srv_conf_t *dscf, ngx_uint_t on)
{
    if (on) {
        ngx_dm_sec_psk_restore_tickets(ssl);

    } else if (dscf && (dscf->auth & NGX_DM_SEC_PSK)) {
        SSL_set_num_tickets(ssl, 0);
    }
}


static void
ngx_dm_sec_psk_restore_tickets(SSL *ssl)
{
    SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(SSL_get_SSL_CTX(ssl)));
}


/*
 * A session that was made by SSL_SESSION_new() says that its certificate is
 * bad, and there is no function to make it say otherwise; nginx would answer
 * 400 under "ssl_verify_client optional".  Without a certificate the result
 * is X509_V_OK, as SSL_get_verify_result(3) has it.
 */
void
ngx_dm_sec_psk_handshaked(SSL *ssl)
{
    dm_psk_mark_t  mark;

    if (SSL_get0_peer_certificate(ssl) == NULL
        && ngx_dm_sec_psk_read_mark(SSL_get0_session(ssl), &mark) == NGX_OK)
    {
        SSL_set_verify_result(ssl, X509_V_OK);
    }
}


/*
 * The handshake succeeded, so the client had the key then; but the session may
 * be older than the last change of the account.
 */
void
ngx_dm_sec_psk_verify(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_credential_t *cred)
{
    dm_psk_mark_t  mark;

    if (ngx_dm_sec_psk_request_mark(r, &mark) != NGX_OK) {
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_ABSENT,
                                   NGX_DM_SEC_R_PSK_REQUIRED);
        return;
    }

    switch (ngx_dm_sec_psk_find(r, ctx, cred, &mark)) {

    case NGX_OK:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_VERIFIED,
                                   NGX_DM_SEC_R_NONE);
        return;

    case NGX_DECLINED:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_WRONG,
                                   NGX_DM_SEC_R_PSK_REQUIRED);
        return;

    default:
        (void) ngx_dm_sec_conclude(cred, NGX_DM_SEC_FAILED,
                                   NGX_DM_SEC_R_STORE);
    }
}


/*
 * NGX_OK; NGX_DECLINED: dropped or replaced; NGX_ERROR.  The mark of a
 * connection never changes, so that the tag alone says what is remembered.
 */
static ngx_int_t
ngx_dm_sec_psk_find(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_credential_t *cred, dm_psk_mark_t *mark)
{
    ngx_dm_sec_search_t      search;
    ngx_dm_sec_psk_holder_t  holder;

    holder.mark = mark;
    holder.pool = r->pool;
    holder.cred = cred;

    ngx_memzero(&search, sizeof(ngx_dm_sec_search_t));

    search.index = DM_BY_PSK;
    search.key = mark->identity;
    search.judge = ngx_dm_sec_psk_accept;
    search.data = &holder;
    search.kind = NGX_DM_SEC_ACCOUNT_PSK;
    search.recall.data = mark->tag;
    search.recall.len = DM_PSK_TAG_SIZE;
    search.now = ctx->version;

    return ngx_dm_sec_account_find(ngx_http_get_module_main_conf(r,
                                                          ngx_dm_sec_module),
                                   r->connection, &search);
}


static ngx_int_t
ngx_dm_sec_psk_accept(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    ngx_int_t                 rc;
    ngx_pool_t               *pool;
    ngx_dm_sec_credential_t  *cred;
    ngx_dm_sec_psk_holder_t  *holder;

    /* an account that is recalled was compared with this very tag before */

    if (!search->recalled) {
        rc = ngx_dm_sec_psk_match(search, account, known);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    holder = search->data;
    pool = holder->pool;
    cred = holder->cred;

    cred->state = ngx_palloc(pool, sizeof(ngx_str_t));
    if (cred->state == NULL) {
        return NGX_ERROR;
    }

    cred->account = ngx_dm_sec_account_copy(pool, account);
    if (cred->account == NULL) {
        return NGX_ERROR;
    }

    return ngx_dm_sec_account_dup(pool, holder->mark->identity, cred->state);
}


void
ngx_dm_sec_psk_identity(ngx_dm_sec_credential_t *cred, ngx_str_t *identity)
{
    if (cred->outcome == NGX_DM_SEC_VERIFIED) {
        *identity = *(ngx_str_t *) cred->state;
    }
}


/* NGX_OK: the account has the key of the mark now; NGX_DECLINED; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_psk_match(ngx_dm_sec_search_t *search, dm_account_t *account,
    ngx_uint_t known)
{
    ngx_dm_sec_psk_holder_t  *holder;

    if (!known) {
        return NGX_DECLINED;
    }

    holder = search->data;

    switch (dm_psk_match(holder->mark, account, ngx_dm_sec_store_id())) {

    case DM_OK:
        return NGX_OK;

    case DM_DECLINED:
        return NGX_DECLINED;

    default:
        return NGX_ERROR;
    }
}


/* reads the mark, which points into the session; NGX_DECLINED: none */
static ngx_int_t
ngx_dm_sec_psk_request_mark(ngx_http_request_t *r, dm_psk_mark_t *mark)
{
    SSL  *ssl;

    if (r->connection->ssl == NULL) {
        return NGX_DECLINED;
    }

    ssl = r->connection->ssl->connection;

    return ngx_dm_sec_psk_read_mark(SSL_get0_session(ssl), mark);
}


static ngx_int_t
ngx_dm_sec_psk_read_mark(SSL_SESSION *session, dm_psk_mark_t *mark)
{
    void    *data;
    size_t   len;

    if (session == NULL
        || SSL_SESSION_get0_ticket_appdata(session, &data, &len) != 1
        || data == NULL
        || dm_psk_read_mark(mark, data, len) != DM_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_str_t
ngx_dm_sec_psk_claim(ngx_http_request_t *r, ngx_dm_sec_loc_conf_t *dlcf,
    u_char *buf, size_t max)
{
    ngx_str_t      claim;
    dm_psk_mark_t  mark;

    ngx_str_null(&claim);

    if (ngx_dm_sec_psk_request_mark(r, &mark) == NGX_OK) {
        claim.data = (u_char *) mark.identity.data;
        claim.len = mark.identity.len;
    }

    return ngx_dm_sec_log_whole(buf, max, &claim);
}
