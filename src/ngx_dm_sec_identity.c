/* The identity headers: what a client forged, and what is true */

#include "ngx_dm_sec_identity.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_digest.h"
#include "ngx_dm_sec_policy.h"
#include "ngx_dm_sec_tls.h"
#include "ngx_dm_sec_x509.h"


typedef enum {
    NGX_DM_SEC_H_CLIENT_ID = 0,
    NGX_DM_SEC_H_ACCOUNT_NAME,
    NGX_DM_SEC_H_AUTH_METHOD,
    NGX_DM_SEC_H_GROUPS,
    NGX_DM_SEC_H_TLS_PROTOCOL,
    NGX_DM_SEC_H_TLS_CIPHER,
    NGX_DM_SEC_H_CLIENT_CERT,
    NGX_DM_SEC_H_CLIENT_CERT_CHAIN,
    NGX_DM_SEC_H_MAX
} ngx_dm_sec_header_e;


typedef struct {
    ngx_str_t    key;
    ngx_str_t    lowcase;
} ngx_dm_sec_header_t;


/* whether a header of the request is to go */
typedef ngx_uint_t (*ngx_dm_sec_drop_pt)(ngx_http_request_t *r,
    ngx_table_elt_t *h);


static ngx_uint_t ngx_dm_sec_is_identity(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_dm_sec_is_replaced(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_dm_sec_is_authorization(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_dm_sec_keeps_authorization(ngx_http_request_t *r);
static ngx_uint_t ngx_dm_sec_count_headers(ngx_http_request_t *r,
    ngx_dm_sec_drop_pt drop);
static ngx_int_t ngx_dm_sec_filter_headers(ngx_http_request_t *r,
    ngx_dm_sec_drop_pt drop, ngx_array_t *dropped, ngx_uint_t room);
static ngx_int_t ngx_dm_sec_restore_authorization(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_add_identity(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_restore(ngx_http_request_t *r,
    ngx_array_t *scrubbed);
static ngx_int_t ngx_dm_sec_push(ngx_http_request_t *r, ngx_uint_t header,
    ngx_str_t *value);
static ngx_int_t ngx_dm_sec_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_dm_sec_variable_account(ngx_dm_sec_ctx_t *ctx,
    uintptr_t data, ngx_str_t *value);
static void ngx_dm_sec_variable_result(ngx_dm_sec_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_dm_sec_variable_remote_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_dm_sec_header_t  ngx_dm_sec_headers[] = {
    { ngx_string("DM-Client-ID"), ngx_string("dm-client-id") },
    { ngx_string("DM-Account-Name"), ngx_string("dm-account-name") },
    { ngx_string("DM-Auth-Method"), ngx_string("dm-auth-method") },
    { ngx_string("DM-Groups"), ngx_string("dm-groups") },
    { ngx_string("DM-TLS-Protocol"), ngx_string("dm-tls-protocol") },
    { ngx_string("DM-TLS-Cipher"), ngx_string("dm-tls-cipher") },
    { ngx_string("Client-Cert"), ngx_string("client-cert") },
    { ngx_string("Client-Cert-Chain"), ngx_string("client-cert-chain") }
};


typedef enum {
    NGX_DM_SEC_V_CLIENT_ID = 0,
    NGX_DM_SEC_V_ACCOUNT_NAME,
    NGX_DM_SEC_V_AUTH_METHOD,
    NGX_DM_SEC_V_GROUPS,
    NGX_DM_SEC_V_ALGORITHM,
    NGX_DM_SEC_V_PSK_IDENTITY,
    NGX_DM_SEC_V_PROTOCOL,
    NGX_DM_SEC_V_CIPHER,
    NGX_DM_SEC_V_RESULT,
    NGX_DM_SEC_V_REASON
} ngx_dm_sec_variable_e;


static ngx_http_variable_t  ngx_dm_sec_variables[] = {

    { ngx_string("dm_sec_client_id"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_CLIENT_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_account_name"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_ACCOUNT_NAME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_auth_method"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_AUTH_METHOD, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_groups"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_GROUPS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_digest_algorithm"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_ALGORITHM, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_psk_identity"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_PSK_IDENTITY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_protocol"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_PROTOCOL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_cipher"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_CIPHER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_result"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_RESULT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("dm_sec_reason"), NULL, ngx_dm_sec_variable,
      NGX_DM_SEC_V_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_dm_sec_identity_scrub(ngx_http_request_t *r)
{
    ngx_uint_t         forged;
    ngx_array_t       *scrubbed;
    ngx_dm_sec_ctx_t  *ctx;

    ctx = ngx_dm_sec_get_ctx(r, 0);

    if (ctx && ctx->scrub_done) {
        return NGX_OK;
    }

    forged = ngx_dm_sec_count_headers(r, ngx_dm_sec_is_identity);

    if (forged == 0) {
        return NGX_OK;
    }

    ctx = ngx_dm_sec_get_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    /* a location with "pass" gets them back */

    scrubbed = ngx_array_create(r->pool, forged, sizeof(ngx_table_elt_t));
    if (scrubbed == NULL) {
        return NGX_ERROR;
    }

    ctx->scrubbed = scrubbed;
    ctx->scrub_done = 1;

    return ngx_dm_sec_filter_headers(r, ngx_dm_sec_is_identity, scrubbed, 0);
}


static ngx_uint_t
ngx_dm_sec_is_identity(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_DM_SEC_H_MAX; i++) {
        if (ngx_dm_sec_folds_to(&h->key, &ngx_dm_sec_headers[i].lowcase)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_dm_sec_folds_to(ngx_str_t *key, ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    if (key->len != name->len) {
        return 0;
    }

    for (i = 0; i < key->len; i++) {
        ch = ngx_tolower(key->data[i]);

        if (!(ch >= 'a' && ch <= 'z') && !(ch >= '0' && ch <= '9')) {
            ch = '-';
        }

        if (ch != name->data[i]) {
            return 0;
        }
    }

    return 1;
}


/* ours from before an internal redirect, and the Authorization sent to us */
static ngx_uint_t
ngx_dm_sec_is_replaced(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    return ngx_dm_sec_is_identity(r, h)
           || (ngx_dm_sec_is_authorization(r, h)
               && ngx_dm_sec_keeps_authorization(r));
}


static ngx_uint_t
ngx_dm_sec_is_authorization(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    return h->key.len == sizeof("Authorization") - 1
           && ngx_strncasecmp(h->key.data, (u_char *) "Authorization",
                              sizeof("Authorization") - 1)
              == 0;
}


/*
 * 1 if Authorization is not for the server behind, whatever it holds: Basic or
 * Digest is accepted here, or was on the way here, or is where this is a
 * subrequest of.
 */
static ngx_uint_t
ngx_dm_sec_keeps_authorization(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_loc_conf_t  *dlcf, *main;

    ctx = ngx_dm_sec_get_ctx(r, 0);
    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);
    main = ngx_http_get_module_loc_conf(r->main, ngx_dm_sec_module);

    return !dlcf->pass_authorization
           && (((dlcf->auth | main->auth) & NGX_DM_SEC_HTTP_AUTH)
               || (ctx && ctx->http_auth));
}


/* the number of the headers that are to go */
static ngx_uint_t
ngx_dm_sec_count_headers(ngx_http_request_t *r, ngx_dm_sec_drop_pt drop)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        n += drop(r, &h[i]);
    }

    return n;
}


/*
 * Rebuilds the request's list of headers without those that are to go, and
 * with room for some more.  The old elements stay where they are, since
 * r->headers_in points into them; an element is never moved in its part.
 */
static ngx_int_t
ngx_dm_sec_filter_headers(ngx_http_request_t *r, ngx_dm_sec_drop_pt drop,
    ngx_array_t *dropped, ngx_uint_t room)
{
    ngx_uint_t        i, n;
    ngx_list_t        list;
    ngx_list_part_t   part, *next;
    ngx_table_elt_t  *h, *copy;

    part = r->headers_in.headers.part;
    n = part.nelts + room;

    for (next = part.next; next; next = next->next) {
        n += next->nelts;
    }

    if (ngx_list_init(&list, r->pool, n ? n : 1, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    next = &part;
    h = next->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= next->nelts) {
            if (next->next == NULL) {
                break;
            }

            next = next->next;
            h = next->elts;
            i = 0;
        }

        if (!drop(r, &h[i])) {
            copy = ngx_list_push(&list);

        } else if (dropped) {
            copy = ngx_array_push(dropped);

        } else {
            continue;
        }

        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = h[i];
    }

    r->headers_in.headers = list;
    r->headers_in.headers.last = &r->headers_in.headers.part;

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_identity_set(ngx_http_request_t *r)
{
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    ctx = ngx_dm_sec_get_ctx(r, ngx_dm_sec_keeps_authorization(r));

    if (ctx == NULL) {
        return ngx_dm_sec_keeps_authorization(r) ? NGX_ERROR : NGX_OK;
    }

    /* what was denied here and has come so far was let in by another */

    if (ctx->denied && ctx->denied_by == dlcf) {
        ctx->let_in = 1;
    }

    /* from here on these headers are ours */
    ctx->scrub_done = 1;

    /* the list of a subrequest is its own only when it was rebuilt */

    if ((r != r->main
         || ngx_dm_sec_count_headers(r, ngx_dm_sec_is_replaced))
        && ngx_dm_sec_filter_headers(r, ngx_dm_sec_is_replaced, NULL,
                                     NGX_DM_SEC_H_MAX + 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (dlcf->pass_authorization
        && r->headers_in.authorization
        && ngx_dm_sec_restore_authorization(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    switch (dlcf->identity_headers) {

    case NGX_DM_SEC_HEADERS_PASS:
        return ngx_dm_sec_restore(r, ctx->scrubbed);

    case NGX_DM_SEC_HEADERS_ON:
        return ngx_dm_sec_add_identity(r, ctx, dlcf);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_restore(ngx_http_request_t *r, ngx_array_t *scrubbed)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h, *old;

    if (scrubbed == NULL) {
        return NGX_OK;
    }

    old = scrubbed->elts;

    for (i = 0; i < scrubbed->nelts; i++) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = old[i];
    }

    return NGX_OK;
}


/* a location before an internal redirect may have taken it out */
static ngx_int_t
ngx_dm_sec_restore_authorization(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    if (ngx_dm_sec_count_headers(r, ngx_dm_sec_is_authorization)) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = *r->headers_in.authorization;

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_add_identity(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx,
    ngx_dm_sec_loc_conf_t *dlcf)
{
    ngx_uint_t  i;
    ngx_str_t   value[NGX_DM_SEC_H_MAX];

    if (ctx->denied || ctx->account == NULL) {
        return NGX_OK;
    }

    ngx_memzero(value, sizeof(value));

    value[NGX_DM_SEC_H_CLIENT_ID] = ctx->account->id;
    value[NGX_DM_SEC_H_ACCOUNT_NAME] = ctx->account->name;
    value[NGX_DM_SEC_H_GROUPS] = ctx->account->groups;

    ngx_dm_sec_method_name(ctx->method, &value[NGX_DM_SEC_H_AUTH_METHOD]);

    if (r->connection->ssl) {
        ngx_dm_sec_tls_facts(r, &value[NGX_DM_SEC_H_TLS_PROTOCOL],
                             &value[NGX_DM_SEC_H_TLS_CIPHER]);
    }

    /* only with the identity that it proved */

    if (dlcf->client_cert_header
        && ctx->method == NGX_DM_SEC_X509
        && ngx_dm_sec_x509_client_cert(r, &value[NGX_DM_SEC_H_CLIENT_CERT],
                                  &value[NGX_DM_SEC_H_CLIENT_CERT_CHAIN])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_DM_SEC_H_MAX; i++) {
        if (value[i].len && ngx_dm_sec_push(r, i, &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_push(ngx_http_request_t *r, ngx_uint_t header, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = ngx_dm_sec_headers[header].key;
    h->lowcase_key = ngx_dm_sec_headers[header].lowcase.data;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value = *value;

    return NGX_OK;
}


void
ngx_dm_sec_method_name(ngx_uint_t method, ngx_str_t *name)
{
    switch (method) {

    case NGX_DM_SEC_BASIC:
        ngx_str_set(name, "basic");
        break;

    case NGX_DM_SEC_DIGEST:
        ngx_str_set(name, "digest");
        break;

    case NGX_DM_SEC_PSK:
        ngx_str_set(name, "psk");
        break;

    case NGX_DM_SEC_X509:
        ngx_str_set(name, "x509");
        break;

    default:
        ngx_str_set(name, "-");
    }
}


ngx_int_t
ngx_dm_sec_identity_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_dm_sec_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* nginx's own shows whatever name the client sent with Basic */
ngx_int_t
ngx_dm_sec_identity_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {

        if (key[i].key.len == sizeof("remote_user") - 1
            && ngx_strncmp(key[i].key.data, "remote_user",
                           sizeof("remote_user") - 1)
               == 0)
        {
            v = key[i].value;

            dmcf->remote_user = v->get_handler;
            v->get_handler = ngx_dm_sec_variable_remote_user;

            /* one that was read before the access phase knew nothing */
            v->flags |= NGX_HTTP_VAR_NOCACHEABLE;

            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "dm_sec: nginx has no variable $remote_user");

    return NGX_ERROR;
}


static ngx_int_t
ngx_dm_sec_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t          value, other;
    ngx_dm_sec_ctx_t  *ctx;

    ngx_str_null(&value);

    ctx = ngx_dm_sec_get_ctx(r, 0);

    switch (data) {

    case NGX_DM_SEC_V_PROTOCOL:
        if (r->connection->ssl) {
            ngx_dm_sec_tls_facts(r, &value, &other);
        }
        break;

    case NGX_DM_SEC_V_CIPHER:
        if (r->connection->ssl) {
            ngx_dm_sec_tls_facts(r, &other, &value);
        }
        break;

    case NGX_DM_SEC_V_RESULT:
        ngx_dm_sec_variable_result(ctx, &value);
        break;

    case NGX_DM_SEC_V_REASON:
        if (ctx && ctx->denied) {
            value = *ngx_dm_sec_reason_name(ctx->reason);
        }
        break;

    default:
        ngx_dm_sec_variable_account(ctx, data, &value);
    }

    if (value.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static void
ngx_dm_sec_variable_account(ngx_dm_sec_ctx_t *ctx, uintptr_t data,
    ngx_str_t *value)
{
    if (ctx == NULL || ctx->denied || ctx->account == NULL) {
        return;
    }

    switch (data) {

    case NGX_DM_SEC_V_CLIENT_ID:
        *value = ctx->account->id;
        break;

    case NGX_DM_SEC_V_ACCOUNT_NAME:
        *value = ctx->account->name;
        break;

    case NGX_DM_SEC_V_AUTH_METHOD:
        ngx_dm_sec_method_name(ctx->method, value);
        break;

    case NGX_DM_SEC_V_GROUPS:
        *value = ctx->account->groups;
        break;

    case NGX_DM_SEC_V_ALGORITHM:
        ngx_dm_sec_digest_algorithm(ctx, value);
        break;

    case NGX_DM_SEC_V_PSK_IDENTITY:
        *value = ctx->psk_identity;
        break;
    }
}


static void
ngx_dm_sec_variable_result(ngx_dm_sec_ctx_t *ctx, ngx_str_t *value)
{
    if (ctx && ctx->denied) {
        ngx_str_set(value, "denied");

    } else if (ctx && ctx->account) {
        ngx_str_set(value, "verified");

    } else {
        ngx_str_set(value, "off");
    }
}


static ngx_int_t
ngx_dm_sec_variable_remote_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_dm_sec_ctx_t        *ctx;
    ngx_dm_sec_loc_conf_t   *dlcf;
    ngx_dm_sec_main_conf_t  *dmcf;

    ctx = ngx_dm_sec_get_ctx(r, 0);
    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    /* a location without authentication has nginx's own */

    if (dlcf->auth == 0 && (ctx == NULL
                            || (ctx->account == NULL && !ctx->denied)))
    {
        dmcf = ngx_http_get_module_main_conf(r, ngx_dm_sec_module);

        return dmcf->remote_user(r, v, data);
    }

    return ngx_dm_sec_variable(r, v, NGX_DM_SEC_V_ACCOUNT_NAME);
}
