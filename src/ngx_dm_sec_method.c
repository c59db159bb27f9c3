/* The methods of authentication: this part alone knows all, a row each */

#include "ngx_dm_sec_method.h"
#include "ngx_dm_sec_attempt.h"
#include "ngx_dm_sec_basic.h"
#include "ngx_dm_sec_challenge.h"
#include "ngx_dm_sec_digest.h"
#include "ngx_dm_sec_psk.h"
#include "ngx_dm_sec_x509.h"


const ngx_dm_sec_method_t  ngx_dm_sec_methods[] = {

    { ngx_string("x509"),
      NGX_DM_SEC_X509,
      NGX_DM_SEC_BY_CONNECTION,
      ngx_dm_sec_x509_settle,              /* settle */
      ngx_dm_sec_x509_directive,           /* directive */
      ngx_dm_sec_x509_verify,              /* verify */
      ngx_dm_sec_x509_claim,               /* claim */
      NULL,                                /* challenge */
      NULL,                                /* inform */
      NULL },                              /* log */

    { ngx_string("psk"),
      NGX_DM_SEC_PSK,
      NGX_DM_SEC_BY_CONNECTION,
      ngx_dm_sec_psk_settle,               /* settle */
      NULL,                                /* directive */
      ngx_dm_sec_psk_verify,               /* verify */
      ngx_dm_sec_psk_claim,                /* claim */
      NULL,                                /* challenge */
      NULL,                                /* inform */
      NULL },                              /* log */

    { ngx_string("digest"),
      NGX_DM_SEC_DIGEST,
      NGX_DM_SEC_BY_REQUEST,
      ngx_dm_sec_digest_settle,            /* settle */
      ngx_dm_sec_challenge_directive,      /* directive */
      ngx_dm_sec_digest_verify,            /* verify */
      ngx_dm_sec_attempt_claim,            /* claim */
      ngx_dm_sec_challenge_add,            /* challenge */
      ngx_dm_sec_digest_inform,            /* inform */
      ngx_dm_sec_digest_log },             /* log */

    { ngx_string("basic"),
      NGX_DM_SEC_BASIC,
      NGX_DM_SEC_BY_REQUEST,
      NULL,                                /* settle */
      NULL,                                /* directive */
      ngx_dm_sec_basic_verify,             /* verify */
      ngx_dm_sec_attempt_claim,            /* claim */
      ngx_dm_sec_basic_challenge,          /* challenge */
      NULL,                                /* inform */
      NULL },                              /* log */

    { ngx_null_string, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};


/* the bits of all rows, added up or together */
#define NGX_DM_SEC_METHOD_BITS(op)                                            \
    (NGX_DM_SEC_X509 op NGX_DM_SEC_PSK op NGX_DM_SEC_DIGEST op NGX_DM_SEC_BASIC)

_Static_assert(NGX_DM_SEC_METHOD_BITS(+) == NGX_DM_SEC_METHOD_BITS(|)
               && NGX_DM_SEC_METHOD_BITS(|) < 1 << NGX_DM_SEC_METHODS,
               "each method has a bit of its own, which there is room for");

_Static_assert(sizeof(ngx_dm_sec_methods) / sizeof(ngx_dm_sec_methods[0]) - 1
               <= NGX_DM_SEC_METHODS, "a request has room for all methods");


char *
ngx_dm_sec_method_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_dm_sec_loc_conf_t  *dlcf = conf;

    u_char                      *last;
    u_char                       buf[NGX_MAX_CONF_ERRSTR];
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    const ngx_dm_sec_method_t   *method;

    if (dlcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    dlcf->auth = 0;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        for (method = ngx_dm_sec_methods; method->name.len; method++) {
            if (ngx_strcmp(value[i].data, method->name.data) == 0) {
                break;
            }
        }

        if (method->name.len == 0) {
            last = ngx_dm_sec_method_list(buf, buf + sizeof(buf),
                                          ~(ngx_uint_t) 0);

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": the methods are "
                               "%*s, or \"off\" alone", &value[i],
                               (size_t) (last - buf), buf);
            return NGX_CONF_ERROR;
        }

        if (dlcf->auth & method->bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        dlcf->auth |= method->bit;
    }

    return NGX_CONF_OK;
}


const ngx_dm_sec_method_t *
ngx_dm_sec_method_find(ngx_uint_t bit)
{
    const ngx_dm_sec_method_t  *method;

    for (method = ngx_dm_sec_methods; method->name.len; method++) {
        if (method->bit == bit) {
            return method;
        }
    }

    return NULL;
}


ngx_dm_sec_credential_t *
ngx_dm_sec_method_credential(ngx_dm_sec_ctx_t *ctx, ngx_uint_t bit)
{
    const ngx_dm_sec_method_t  *method;

    method = ngx_dm_sec_method_find(bit);

    return &ctx->credentials[ngx_dm_sec_method_row(method)];
}


void
ngx_dm_sec_method_log(ngx_http_request_t *r, ngx_dm_sec_ctx_t *ctx)
{
    const ngx_dm_sec_method_t  *method;

    for (method = ngx_dm_sec_methods; method->name.len; method++) {
        if (method->log) {
            method->log(r, &ctx->credentials[ngx_dm_sec_method_row(method)]);
        }
    }
}


ngx_uint_t
ngx_dm_sec_method_bits(ngx_uint_t auth, ngx_dm_sec_proven_by_e by)
{
    ngx_uint_t                  bits;
    const ngx_dm_sec_method_t  *method;

    bits = 0;

    for (method = ngx_dm_sec_methods; method->name.len; method++) {
        if (method->by == by) {
            bits |= method->bit;
        }
    }

    return auth & bits;
}


u_char *
ngx_dm_sec_method_list(u_char *p, u_char *last, ngx_uint_t auth)
{
    u_char                      *start;
    ngx_uint_t                   i, left;
    const ngx_dm_sec_method_t   *method;

    start = p;
    left = 0;

    for (method = ngx_dm_sec_methods; method->name.len; method++) {
        left += (auth & method->bit) != 0;
    }

    for (i = 0; left; i++) {
        method = ngx_dm_sec_method_find(auth & ((ngx_uint_t) 1 << i));

        if (method == NULL) {
            continue;
        }

        left--;

        p = ngx_slprintf(p, last, "%s%V",
                         p == start ? "" : left ? ", " : " and ",
                         &method->name);
    }

    return p;
}


void
ngx_dm_sec_method_name(const ngx_dm_sec_method_t *method, ngx_str_t *name)
{
    if (method) {
        *name = method->name;
        return;
    }

    ngx_str_set(name, "-");
}
