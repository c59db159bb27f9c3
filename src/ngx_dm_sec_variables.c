/* The module's variables, and nginx's $remote_user */

#include "ngx_dm_sec_variables.h"
#include "ngx_dm_sec_answer.h"
#include "ngx_dm_sec_digest.h"
#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_once.h"
#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_tls.h"


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


static ngx_int_t ngx_dm_sec_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_dm_sec_variable_account(ngx_dm_sec_ctx_t *ctx,
    uintptr_t data, ngx_str_t *value);
static void ngx_dm_sec_variable_result(ngx_dm_sec_ctx_t *ctx,
    ngx_str_t *value);
static ngx_int_t ngx_dm_sec_variable_remote_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


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
ngx_dm_sec_variables_add(ngx_conf_t *cf)
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


/* nginx's own $remote_user shows whatever name the client sent with Basic */
ngx_int_t
ngx_dm_sec_variables_init(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    static ngx_str_t  request_id = ngx_string("request_id");

    dmcf->request_id = ngx_http_get_variable_index(cf, &request_id);
    if (dmcf->request_id == NGX_ERROR) {
        return NGX_ERROR;
    }

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
        ngx_dm_sec_once_read(r, ctx);
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
        ngx_dm_sec_digest_algorithm(
                      ngx_dm_sec_method_credential(ctx, NGX_DM_SEC_DIGEST),
                      value);
        break;

    case NGX_DM_SEC_V_PSK_IDENTITY:
        ngx_dm_sec_psk_identity(
                         ngx_dm_sec_method_credential(ctx, NGX_DM_SEC_PSK),
                         value);
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
