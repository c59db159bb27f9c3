/* The dates by which certificates and CRLs have to be replaced */

#include "ngx_dm_sec_dates.h"


#define NGX_DM_SEC_DATES_NAME  128      /* octets of a DN that are kept */


static ngx_int_t ngx_dm_sec_dates_server(ngx_array_t *found,
    ngx_dm_sec_srv_conf_t *dscf);
static ngx_int_t ngx_dm_sec_dates_own(ngx_array_t *found,
    ngx_dm_sec_srv_conf_t *dscf, SSL_CTX *ctx);
static ngx_int_t ngx_dm_sec_dates_chain(ngx_array_t *found,
    ngx_dm_sec_srv_conf_t *dscf, STACK_OF(X509) *chain);
static ngx_int_t ngx_dm_sec_dates_store(ngx_array_t *found,
    ngx_dm_sec_srv_conf_t *dscf, X509_STORE *store);
static ngx_uint_t ngx_dm_sec_dates_covered(STACK_OF(X509_OBJECT) *objects,
    int i);
static ngx_uint_t ngx_dm_sec_dates_covers(X509_OBJECT *one,
    X509_OBJECT *other, ngx_uint_t before, ngx_uint_t *same);
static X509_NAME *ngx_dm_sec_dates_dn(X509_OBJECT *object);
static ngx_uint_t ngx_dm_sec_dates_same_key(X509_OBJECT *one,
    X509_OBJECT *other);
static ngx_int_t ngx_dm_sec_dates_span(X509 *cert, X509_CRL *crl,
    ngx_dm_sec_span_t *span);
static ngx_uint_t ngx_dm_sec_dates_lacks(ngx_dm_sec_srv_conf_t *dscf,
    STACK_OF(X509_OBJECT) *objects, X509 *cert);
static ngx_int_t ngx_dm_sec_dates_add(ngx_array_t *found,
    ngx_dm_sec_srv_conf_t *dscf, ngx_dm_sec_date_e kind, X509 *cert,
    X509_CRL *crl);
static ngx_int_t ngx_dm_sec_dates_time(const ASN1_TIME *asn1, time_t *time);
static ngx_int_t ngx_dm_sec_dates_ends(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *found);
static void ngx_dm_sec_dates_merge(ngx_array_t *ends);
static int ngx_libc_cdecl ngx_dm_sec_dates_ends_cmp(const void *one,
    const void *two);
static ngx_int_t ngx_dm_sec_dates_once(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_array_t *found);
static int ngx_libc_cdecl ngx_dm_sec_dates_cmp(const void *one,
    const void *two);
static int ngx_dm_sec_dates_same(const ngx_dm_sec_dated_t *a,
    const ngx_dm_sec_dated_t *b);
static void ngx_dm_sec_dates_server_name(ngx_dm_sec_srv_conf_t *dscf,
    ngx_str_t *name);


ngx_int_t
ngx_dm_sec_dates_find(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *found)
{
    ngx_uint_t               i;
    ngx_dm_sec_dated_t      *dated;
    ngx_dm_sec_srv_conf_t  **dscfp;

    if (ngx_array_init(found, cf->temp_pool, 16, sizeof(ngx_dm_sec_dated_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    dscfp = dmcf->servers.elts;

    for (i = 0; i < dmcf->servers.nelts; i++) {
        if (ngx_dm_sec_dates_server(found, dscfp[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    dated = found->elts;

    for (i = 0; i < found->nelts; i++) {
        dated[i].n = i;
    }

    return NGX_OK;
}


ngx_int_t
ngx_dm_sec_dates_settle(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *found)
{
    ngx_int_t  rc;

    rc = ngx_dm_sec_dates_ends(cf, dmcf, found);

    if (rc == NGX_OK) {
        rc = ngx_dm_sec_dates_once(cf, dmcf, found);
    }

    /* to compare certificates may leave one */

    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_dm_sec_dates_server(ngx_array_t *found, ngx_dm_sec_srv_conf_t *dscf)
{
    SSL_CTX                  *ctx;
    X509_STORE               *store;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    ctx = sscf->ssl.ctx;

    if (!dscf->listens || ctx == NULL) {
        return NGX_OK;
    }

    if (ngx_dm_sec_dates_own(found, dscf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    /* without verification the CAs that nginx knows serve for OCSP alone */

    if (sscf->verify == 0) {
        return NGX_OK;
    }

    store = NULL;

    if (ngx_dm_sec_dates_store(found, dscf, SSL_CTX_get_cert_store(ctx))
        != NGX_OK
        || SSL_CTX_get0_verify_cert_store(ctx, &store) != 1)
    {
        return NGX_ERROR;
    }

    return store ? ngx_dm_sec_dates_store(found, dscf, store) : NGX_OK;
}


/* each certificate of the server's, and what is sent behind it */
static ngx_int_t
ngx_dm_sec_dates_own(ngx_array_t *found, ngx_dm_sec_srv_conf_t *dscf,
    SSL_CTX *ctx)
{
    long             rc;
    X509            *cert;
    STACK_OF(X509)  *chain;

    for (rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
         rc;
         rc = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
    {
        cert = SSL_CTX_get0_certificate(ctx);
        chain = NULL;

        if (cert == NULL) {
            continue;
        }

        if (SSL_CTX_get0_chain_certs(ctx, &chain) != 1
            || ngx_dm_sec_dates_add(found, dscf, NGX_DM_SEC_DATE_CERT, cert,
                                    NULL)
               != NGX_OK
            || ngx_dm_sec_dates_chain(found, dscf, chain) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* the loop ends in an error by design */
    ERR_clear_error();

    chain = NULL;

    if (SSL_CTX_get_extra_chain_certs_only(ctx, &chain) != 1) {
        return NGX_ERROR;
    }

    return ngx_dm_sec_dates_chain(found, dscf, chain);
}


/* chain may be NULL */
static ngx_int_t
ngx_dm_sec_dates_chain(ngx_array_t *found, ngx_dm_sec_srv_conf_t *dscf,
    STACK_OF(X509) *chain)
{
    int  i;

    for (i = 0; i < sk_X509_num(chain); i++) {
        if (ngx_dm_sec_dates_add(found, dscf, NGX_DM_SEC_DATE_CHAIN,
                                 sk_X509_value(chain, i), NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_dm_sec_dates_store(ngx_array_t *found, ngx_dm_sec_srv_conf_t *dscf,
    X509_STORE *store)
{
    int                     i;
    X509                   *cert;
    X509_CRL               *crl;
    X509_OBJECT            *object;
    STACK_OF(X509_OBJECT)  *objects;

    objects = X509_STORE_get0_objects(store);

    /* a search would do it, and move them while they are looked at */
    sk_X509_OBJECT_sort(objects);

    for (i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        object = sk_X509_OBJECT_value(objects, i);

        cert = X509_OBJECT_get0_X509(object);
        crl = X509_OBJECT_get0_X509_CRL(object);

        if (ngx_dm_sec_dates_covered(objects, i)) {
            continue;
        }

        if (ngx_dm_sec_dates_add(found, dscf,
                                 cert ? NGX_DM_SEC_DATE_CA
                                      : NGX_DM_SEC_DATE_CRL,
                                 cert, crl)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (cert && ngx_dm_sec_dates_lacks(dscf, objects, cert)
            && ngx_dm_sec_dates_add(found, dscf, NGX_DM_SEC_DATE_NO_CRL, cert,
                                    NULL)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * 1 if another of the same name and key takes its place: OpenSSL takes what is
 * in force, so that a CRL or a CA's certificate that was left beside a newer
 * one does no harm
 */
static ngx_uint_t
ngx_dm_sec_dates_covered(STACK_OF(X509_OBJECT) *objects, int i)
{
    int           j;
    ngx_uint_t    same;
    X509_OBJECT  *one;

    one = sk_X509_OBJECT_value(objects, i);

    /* they are sorted by kind and name */

    for (j = i - 1, same = 1; same && j >= 0; j--) {
        if (ngx_dm_sec_dates_covers(sk_X509_OBJECT_value(objects, j), one, 1,
                                    &same))
        {
            return 1;
        }
    }

    for (j = i + 1, same = 1; same && j < sk_X509_OBJECT_num(objects); j++) {
        if (ngx_dm_sec_dates_covers(sk_X509_OBJECT_value(objects, j), one, 0,
                                    &same))
        {
            return 1;
        }
    }

    return 0;
}


/* of two that are equal the one before counts; *same: the name is */
static ngx_uint_t
ngx_dm_sec_dates_covers(X509_OBJECT *one, X509_OBJECT *other,
    ngx_uint_t before, ngx_uint_t *same)
{
    time_t              now;
    ngx_uint_t          begun, other_begun;
    ngx_dm_sec_span_t   a, b;

    *same = X509_OBJECT_get_type(one) == X509_OBJECT_get_type(other)
            && X509_NAME_cmp(ngx_dm_sec_dates_dn(one),
                             ngx_dm_sec_dates_dn(other))
               == 0;

    if (!*same || !ngx_dm_sec_dates_same_key(one, other)
        || ngx_dm_sec_dates_span(X509_OBJECT_get0_X509(one),
                                 X509_OBJECT_get0_X509_CRL(one), &a)
           != NGX_OK
        || ngx_dm_sec_dates_span(X509_OBJECT_get0_X509(other),
                                 X509_OBJECT_get0_X509_CRL(other), &b)
           != NGX_OK)
    {
        return 0;
    }

    now = ngx_time();
    begun = a.begin <= now;
    other_begun = b.begin <= now;

    if (begun != other_begun) {
        return begun;
    }

    if (begun && a.end != b.end) {
        return a.end > b.end;
    }

    return !begun && a.begin != b.begin ? a.begin < b.begin : before;
}


static X509_NAME *
ngx_dm_sec_dates_dn(X509_OBJECT *object)
{
    X509  *cert;

    cert = X509_OBJECT_get0_X509(object);

    return cert ? X509_get_subject_name(cert)
                : X509_CRL_get_issuer(X509_OBJECT_get0_X509_CRL(object));
}


/* a CRL that does not say by which key it was signed is of each */
static ngx_uint_t
ngx_dm_sec_dates_same_key(X509_OBJECT *one, X509_OBJECT *other)
{
    X509             *cert;
    ngx_uint_t        same;
    AUTHORITY_KEYID  *a, *b;

    cert = X509_OBJECT_get0_X509(one);

    if (cert) {
        return X509_PUBKEY_eq(X509_get_X509_PUBKEY(cert),
                              X509_get_X509_PUBKEY(
                                  X509_OBJECT_get0_X509(other)))
               == 1;
    }

    a = X509_CRL_get_ext_d2i(X509_OBJECT_get0_X509_CRL(one),
                             NID_authority_key_identifier, NULL, NULL);
    b = X509_CRL_get_ext_d2i(X509_OBJECT_get0_X509_CRL(other),
                             NID_authority_key_identifier, NULL, NULL);

    same = !a || !b || !a->keyid || !b->keyid
           || ASN1_OCTET_STRING_cmp(a->keyid, b->keyid) == 0;

    AUTHORITY_KEYID_free(a);
    AUTHORITY_KEYID_free(b);

    return same;
}


/*
 * 1: with "ssl_crl" OpenSSL asks for the CRL of each CA that a client's
 * certificate leads to, a root's own too, and this one has none
 */
static ngx_uint_t
ngx_dm_sec_dates_lacks(ngx_dm_sec_srv_conf_t *dscf,
    STACK_OF(X509_OBJECT) *objects, X509 *cert)
{
    int                       i;
    X509_NAME                *name;
    STACK_OF(X509_NAME)      *names;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = dscf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    name = X509_get_subject_name(cert);

    if (sscf->crl.len == 0
        || X509_OBJECT_idx_by_subject(objects, X509_LU_CRL, name) >= 0)
    {
        return 0;
    }

    if (sscf->stapling != 1) {
        return 1;
    }

    /* it may be of "ssl_trusted_certificate", for the server's own OCSP */

    names = SSL_CTX_get_client_CA_list(sscf->ssl.ctx);

    for (i = 0; i < sk_X509_NAME_num(names); i++) {
        if (X509_NAME_cmp(sk_X509_NAME_value(names, i), name) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_dm_sec_dates_add(ngx_array_t *found, ngx_dm_sec_srv_conf_t *dscf,
    ngx_dm_sec_date_e kind, X509 *cert, X509_CRL *crl)
{
    ngx_dm_sec_span_t    span;
    ngx_dm_sec_dated_t  *dated;

    if (kind == NGX_DM_SEC_DATE_NO_CRL) {
        span.begin = 0;
        span.end = NGX_DM_SEC_DATE_NEVER;

    } else if (ngx_dm_sec_dates_span(cert, crl, &span) != NGX_OK) {
        return NGX_OK;
    }

    span.kind = kind;

    dated = ngx_array_push(found);
    if (dated == NULL) {
        return NGX_ERROR;
    }

    dated->span = span;
    dated->cert = cert;
    dated->crl = crl;
    dated->dscf = dscf;

    return NGX_OK;
}


/* but for the kind; NGX_ERROR: a time that OpenSSL cannot verify by either */
static ngx_int_t
ngx_dm_sec_dates_span(X509 *cert, X509_CRL *crl, ngx_dm_sec_span_t *span)
{
    const ASN1_TIME  *begin, *end;

    begin = cert ? X509_get0_notBefore(cert) : X509_CRL_get0_lastUpdate(crl);
    end = cert ? X509_get0_notAfter(cert) : X509_CRL_get0_nextUpdate(crl);

    span->begin = 0;
    span->end = NGX_DM_SEC_DATE_NEVER;

    if (ngx_dm_sec_dates_time(begin, &span->begin) != NGX_OK) {
        return NGX_ERROR;
    }

    return end ? ngx_dm_sec_dates_time(end, &span->end) : NGX_OK;
}


static ngx_int_t
ngx_dm_sec_dates_time(const ASN1_TIME *asn1, time_t *time)
{
    struct tm  tm;

    if (ASN1_TIME_to_tm(asn1, &tm) != 1) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    *time = timegm(&tm);

    return NGX_OK;
}


/* fills dmcf->ends; those of one server follow each other */
static ngx_int_t
ngx_dm_sec_dates_ends(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *found)
{
    ngx_uint_t           i, kind;
    ngx_dm_sec_ends_t   *ends;
    ngx_dm_sec_dated_t  *dated;

    if (ngx_array_init(&dmcf->ends, cf->pool, 4, sizeof(ngx_dm_sec_ends_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ends = NULL;
    dated = found->elts;

    for (i = 0; i < found->nelts; i++) {

        if (i == 0 || dated[i].dscf != dated[i - 1].dscf) {
            ends = ngx_array_push(&dmcf->ends);
            if (ends == NULL) {
                return NGX_ERROR;
            }

            ngx_dm_sec_dates_server_name(dated[i].dscf, &ends->server);

            for (kind = 0; kind < NGX_DM_SEC_DATE_KINDS; kind++) {
                ends->end[kind] = NGX_DM_SEC_DATE_NEVER;
            }
        }

        kind = dated[i].span.kind;
        ends->end[kind] = ngx_min(ends->end[kind], dated[i].span.end);
    }

    ngx_dm_sec_dates_merge(&dmcf->ends);

    return NGX_OK;
}


/* leaves one of each name */
static void
ngx_dm_sec_dates_merge(ngx_array_t *array)
{
    ngx_uint_t          i, n, kind;
    ngx_dm_sec_ends_t  *ends;

    n = 0;
    ends = array->elts;

    ngx_qsort(ends, array->nelts, sizeof(ngx_dm_sec_ends_t),
              ngx_dm_sec_dates_ends_cmp);

    for (i = 0; i < array->nelts; i++) {

        if (n == 0 || ngx_dm_sec_dates_ends_cmp(&ends[n - 1], &ends[i]) != 0) {
            ends[n++] = ends[i];
            continue;
        }

        for (kind = 0; kind < NGX_DM_SEC_DATE_KINDS; kind++) {
            ends[n - 1].end[kind] = ngx_min(ends[n - 1].end[kind],
                                            ends[i].end[kind]);
        }
    }

    array->nelts = n;
}


static int ngx_libc_cdecl
ngx_dm_sec_dates_ends_cmp(const void *one, const void *two)
{
    const ngx_dm_sec_ends_t  *a = one;
    const ngx_dm_sec_ends_t  *b = two;

    return (int) ngx_memn2cmp(a->server.data, b->server.data, a->server.len,
                              b->server.len);
}


/* fills dmcf->dates */
static ngx_int_t
ngx_dm_sec_dates_once(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_array_t *found)
{
    ngx_uint_t           i;
    ngx_dm_sec_date_t   *date;
    ngx_dm_sec_dated_t  *dated;

    if (ngx_array_init(&dmcf->dates, cf->pool, 4, sizeof(ngx_dm_sec_date_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    date = NULL;
    dated = found->elts;

    ngx_qsort(dated, found->nelts, sizeof(ngx_dm_sec_dated_t),
              ngx_dm_sec_dates_cmp);

    for (i = 0; i < found->nelts; i++) {

        if (i == 0 || ngx_dm_sec_dates_same(&dated[i - 1], &dated[i]) != 0) {
            date = ngx_array_push(&dmcf->dates);
            if (date == NULL) {
                return NGX_ERROR;
            }

            date->span = dated[i].span;
            date->nservers = 0;

            if (ngx_dm_sec_dates_name(cf->pool, &dated[i], &date->name)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (dated[i].dscf == dated[i - 1].dscf) {
            continue;
        }

        if (date->nservers < NGX_DM_SEC_DATE_SERVERS) {
            ngx_dm_sec_dates_server_name(dated[i].dscf,
                                         &date->servers[date->nservers]);
        }

        date->nservers++;
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_dm_sec_dates_cmp(const void *one, const void *two)
{
    int                        rc;
    const ngx_dm_sec_dated_t  *a = one;
    const ngx_dm_sec_dated_t  *b = two;

    rc = ngx_dm_sec_dates_same(a, b);

    return rc ? rc : a->n < b->n ? -1 : a->n > b->n;
}


/* 0: the same one, of whatever servers; else which of them goes first */
static int
ngx_dm_sec_dates_same(const ngx_dm_sec_dated_t *a, const ngx_dm_sec_dated_t *b)
{
    if (a->span.end != b->span.end) {
        return a->span.end < b->span.end ? -1 : 1;
    }

    if (a->span.kind != b->span.kind) {
        return a->span.kind < b->span.kind ? -1 : 1;
    }

    if (a->cert == b->cert && a->crl == b->crl) {
        return 0;
    }

    return a->cert ? X509_cmp(a->cert, b->cert)
                   : X509_CRL_match(a->crl, b->crl);
}


static void
ngx_dm_sec_dates_server_name(ngx_dm_sec_srv_conf_t *dscf, ngx_str_t *name)
{
    *name = dscf->cscf->server_name;

    if (name->len == 0) {
        ngx_str_set(name, "_");

    } else if (name->len > NGX_DM_SEC_DATE_SERVER) {
        name->len = NGX_DM_SEC_DATE_SERVER;
    }
}


ngx_dm_sec_date_state_e
ngx_dm_sec_dates_state(const ngx_dm_sec_span_t *span)
{
    if (span->kind == NGX_DM_SEC_DATE_NO_CRL) {
        return NGX_DM_SEC_DATE_MISSING;
    }

    if (span->end <= ngx_time()) {
        return NGX_DM_SEC_DATE_OVER;
    }

    return span->begin > ngx_time() ? NGX_DM_SEC_DATE_EARLY
                                    : NGX_DM_SEC_DATE_IN_FORCE;
}


ngx_int_t
ngx_dm_sec_dates_name(ngx_pool_t *pool, const ngx_dm_sec_dated_t *dated,
    ngx_str_t *name)
{
    BIO        *bio;
    char       *data;
    ngx_int_t   rc;
    ngx_str_t   text;
    X509_NAME  *dn;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    dn = dated->cert ? X509_get_subject_name(dated->cert)
                     : X509_CRL_get_issuer(dated->crl);

    if (X509_NAME_print_ex(bio, dn, 0, XN_FLAG_RFC2253) >= 0) {
        text.len = BIO_get_mem_data(bio, &data);
        text.data = (u_char *) data;

        name->len = ngx_min(text.len, NGX_DM_SEC_DATES_NAME);
        name->data = ngx_pnalloc(pool, name->len + 1);

        if (name->data && name->len) {
            ngx_memcpy(name->data, text.data, name->len);
        }

        rc = name->data ? NGX_OK : NGX_ERROR;
    }

    BIO_free(bio);

    return rc;
}
