/* The identity headers: what a client forged, and what is true */

#include "ngx_dm_sec_identity.h"
#include "ngx_dm_sec_header.h"
#include "ngx_dm_sec_method.h"
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
    ngx_uint_t   hash;          /* from the first use on */
} ngx_dm_sec_header_t;


static ngx_uint_t ngx_dm_sec_is_identity(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_dm_sec_is_replaced(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_dm_sec_is_authorization(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_dm_sec_keeps_authorization(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_restore_authorization(ngx_http_request_t *r);
static ngx_int_t ngx_dm_sec_restore(ngx_http_request_t *r,
    ngx_array_t *scrubbed);
static ngx_int_t ngx_dm_sec_add_identity(ngx_http_request_t *r,
    ngx_dm_sec_ctx_t *ctx, ngx_dm_sec_loc_conf_t *dlcf);
static ngx_int_t ngx_dm_sec_add_header(ngx_http_request_t *r,
    ngx_uint_t header, ngx_str_t *value);


static ngx_dm_sec_header_t  ngx_dm_sec_headers[] = {
    { ngx_string("DM-Client-ID"), ngx_string("dm-client-id"), 0 },
    { ngx_string("DM-Account-Name"), ngx_string("dm-account-name"), 0 },
    { ngx_string("DM-Auth-Method"), ngx_string("dm-auth-method"), 0 },
    { ngx_string("DM-Groups"), ngx_string("dm-groups"), 0 },
    { ngx_string("DM-TLS-Protocol"), ngx_string("dm-tls-protocol"), 0 },
    { ngx_string("DM-TLS-Cipher"), ngx_string("dm-tls-cipher"), 0 },
    { ngx_string("Client-Cert"), ngx_string("client-cert"), 0 },
    { ngx_string("Client-Cert-Chain"), ngx_string("client-cert-chain"), 0 }
};


ngx_uint_t
ngx_dm_sec_identity_is_other(ngx_str_t *name, ngx_str_t *value)
{
    ngx_uint_t  i;

    if (value->len == 0
        || (value->len > 8 && ngx_strncmp(value->data, "$dm_sec_", 8) == 0)
        || (value->len > 9 && ngx_strncmp(value->data, "${dm_sec_", 9) == 0))
    {
        return 0;
    }

    /* nginx's own variables have certificates, too */

    for (i = 0; i < NGX_DM_SEC_H_CLIENT_CERT; i++) {
        if (ngx_dm_sec_header_folds_to(name, &ngx_dm_sec_headers[i].lowcase)) {
            return 1;
        }
    }

    return 0;
}


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

    forged = ngx_dm_sec_header_count(r, ngx_dm_sec_is_identity);

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

    return ngx_dm_sec_header_take_out(r, ngx_dm_sec_is_identity, scrubbed, 0);
}


static ngx_uint_t
ngx_dm_sec_is_identity(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_uint_t  i;

    /* most headers have another first letter */

    if (h->key.len == 0
        || (ngx_tolower(h->key.data[0]) != 'd'
            && ngx_tolower(h->key.data[0]) != 'c'))
    {
        return 0;
    }

    for (i = 0; i < NGX_DM_SEC_H_MAX; i++) {
        if (h->key.len == ngx_dm_sec_headers[i].lowcase.len
            && ngx_dm_sec_header_folds_to(&h->key,
                                          &ngx_dm_sec_headers[i].lowcase))
        {
            return 1;
        }
    }

    return 0;
}


/* ours from before an internal redirect, and the Authorization sent to us */
static ngx_uint_t
ngx_dm_sec_is_replaced(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    return ngx_dm_sec_is_identity(r, h) || ngx_dm_sec_is_authorization(r, h);
}


static ngx_uint_t
ngx_dm_sec_is_authorization(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    static ngx_str_t  name = ngx_string("authorization");

    return ngx_dm_sec_header_is(h, &name);
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
           && (dlcf->http_auth
               || main->http_auth
               || (ctx && ctx->http_auth));
}


ngx_int_t
ngx_dm_sec_identity_set(ngx_http_request_t *r)
{
    ngx_uint_t              keeps;
    ngx_dm_sec_ctx_t       *ctx;
    ngx_dm_sec_header_pt    meant;
    ngx_dm_sec_loc_conf_t  *dlcf;

    dlcf = ngx_http_get_module_loc_conf(r, ngx_dm_sec_module);

    keeps = ngx_dm_sec_keeps_authorization(r);
    ctx = ngx_dm_sec_get_ctx(r, keeps);

    if (ctx == NULL) {
        return keeps ? NGX_ERROR : NGX_OK;
    }

    /* a request denied here that has come so far was let in by "satisfy any" */

    if (ctx->denied && ctx->denied_by == dlcf) {
        ctx->let_in = 1;
    }

    /* from here on these headers are ours */
    ctx->scrub_done = 1;

    meant = keeps ? ngx_dm_sec_is_replaced : ngx_dm_sec_is_identity;

    /* the list of a subrequest is its own only when it was rebuilt */

    if ((r != r->main
         || (keeps && r->headers_in.authorization)
         || ngx_dm_sec_header_count(r, meant))
        && ngx_dm_sec_header_take_out(r, meant, NULL, NGX_DM_SEC_H_MAX + 1)
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
    ngx_table_elt_t  *h;

    if (scrubbed == NULL) {
        return NGX_OK;
    }

    h = scrubbed->elts;

    for (i = 0; i < scrubbed->nelts; i++) {
        if (ngx_dm_sec_header_put(r, &h[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a location before an internal redirect may have taken it out */
static ngx_int_t
ngx_dm_sec_restore_authorization(ngx_http_request_t *r)
{
    if (ngx_dm_sec_header_count(r, ngx_dm_sec_is_authorization)) {
        return NGX_OK;
    }

    return ngx_dm_sec_header_put(r, r->headers_in.authorization);
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
        && ctx->method->bit == NGX_DM_SEC_X509
        && ngx_dm_sec_x509_client_cert(r, &value[NGX_DM_SEC_H_CLIENT_CERT],
                                  &value[NGX_DM_SEC_H_CLIENT_CERT_CHAIN])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_DM_SEC_H_MAX; i++) {
        if (value[i].len
            && ngx_dm_sec_add_header(r, i, &value[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_add_header(ngx_http_request_t *r, ngx_uint_t header,
    ngx_str_t *value)
{
    ngx_table_elt_t      *h;
    ngx_dm_sec_header_t  *named;

    named = &ngx_dm_sec_headers[header];

    if (named->hash == 0) {
        named->hash = ngx_hash_key(named->lowcase.data, named->lowcase.len);
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = named->key;
    h->lowcase_key = named->lowcase.data;
    h->hash = named->hash;
    h->value = *value;

    return NGX_OK;
}
