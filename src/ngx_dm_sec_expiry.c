/* Findings of "nginx -t": certificates and CRLs that are not in force */

#include "ngx_dm_sec_expiry.h"
#include "ngx_dm_sec_finding.h"


static ngx_int_t ngx_dm_sec_expiry_say(ngx_conf_t *cf,
    const ngx_dm_sec_dated_t *dated, ngx_dm_sec_date_state_e state);


/* indexed by ngx_dm_sec_date_e */
static const char  *ngx_dm_sec_expiry_texts[NGX_DM_SEC_DATE_KINDS] = {

    "a certificate of the server %s: devices that verify it go away; put a "
    "new one in the place of \"ssl_certificate\"",

    "a CA behind the server's certificate in \"ssl_certificate\" %s: devices "
    "that verify it go away; put the new chain of its CA there",

    "a CA of devices %s: nginx refuses their certificates; put a new one "
    "there, in \"ssl_client_certificate\" or \"ssl_trusted_certificate\", or "
    "take it out",

    "a CRL in \"ssl_crl\" %s: nginx refuses every certificate of its CA; put "
    "a new one there, and reload",

    "a CA of devices %s in \"ssl_crl\": nginx refuses every certificate of "
    "it; put its CRL into that file too"
};


/* indexed by ngx_dm_sec_date_state_e */
static const char  *ngx_dm_sec_expiry_states[] = {
    "is in force", "has expired", "is not in force yet", "has no CRL"
};


ngx_int_t
ngx_dm_sec_expiry_check(ngx_conf_t *cf, const ngx_array_t *found)
{
    ngx_uint_t                i;
    ngx_dm_sec_dated_t       *dated;
    ngx_dm_sec_date_state_e   state;

    dated = found->elts;

    for (i = 0; i < found->nelts; i++) {
        state = ngx_dm_sec_dates_state(&dated[i].span);

        if (state != NGX_DM_SEC_DATE_IN_FORCE
            && ngx_dm_sec_expiry_say(cf, &dated[i], state) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_expiry_say(ngx_conf_t *cf, const ngx_dm_sec_dated_t *dated,
    ngx_dm_sec_date_state_e state)
{
    u_char                    buf[NGX_MAX_CONF_ERRSTR / 2];
    ngx_str_t                 name, what;
    ngx_http_ssl_srv_conf_t  *sscf;

    if (ngx_dm_sec_dates_name(cf->temp_pool, dated, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    sscf = dated->dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    what.data = buf;
    what.len = (dated->crl
                ? ngx_snprintf(buf, sizeof(buf), "\"%V\" of \"ssl_crl %V\"",
                               &name, &sscf->crl)
                : ngx_snprintf(buf, sizeof(buf), "\"%V\"", &name))
               - buf;

    ngx_dm_sec_finding_of(NGX_LOG_WARN, cf, dated->dscf, &what,
                          ngx_dm_sec_expiry_texts[dated->span.kind],
                          ngx_dm_sec_expiry_states[state]);

    return NGX_OK;
}
