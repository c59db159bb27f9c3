/* Accounts: the one way from a credential to the account that it names */

#include "ngx_dm_sec_account.h"
#include "ngx_dm_sec_store_internal.h"


/*
 * An account that is remembered, or that there is none; its record, with
 * secrets, lies behind it, and behind that what the store has, sealed.
 */
typedef struct {
    uint64_t              version;
    uint64_t              opened;
    dm_str_t              sealed;       /* len 0: of no use */
    ngx_uint_t            known;
    ngx_uint_t            index;
    size_t                key_len;
    u_char                key[NGX_DM_SEC_RECALL_KEY];
    ngx_dm_sec_derived_t  derived;
    size_t                len;
    dm_account_t          account;
    u_char                record[];
} ngx_dm_sec_recalled_t;


/* a connection's memory; it lies in the connection's pool */
typedef struct {
    ngx_dm_sec_recalled_t  *recalled[NGX_DM_SEC_ACCOUNT_KINDS];
} ngx_dm_sec_memory_t;


static ngx_int_t ngx_dm_sec_account_look(ngx_dm_sec_main_conf_t *dmcf,
    ngx_connection_t *c, ngx_dm_sec_search_t *search);
static ngx_int_t ngx_dm_sec_account_look_up(ngx_dm_sec_main_conf_t *dmcf,
    ngx_log_t *log, ngx_dm_sec_search_t *search);
static ngx_dm_sec_recalled_t *ngx_dm_sec_account_recall(ngx_connection_t *c,
    ngx_dm_sec_search_t *search);
static ngx_uint_t ngx_dm_sec_account_is_true(ngx_dm_sec_recalled_t *recalled,
    uint64_t now);
static void ngx_dm_sec_account_remember(ngx_connection_t *c,
    ngx_dm_sec_search_t *search, ngx_dm_sec_found_t *found,
    ngx_uint_t known);
static void ngx_dm_sec_account_forget(void *data);
static void ngx_dm_sec_account_free(ngx_dm_sec_recalled_t *recalled);
static u_char *ngx_dm_sec_account_put(u_char *p, dm_str_t src,
    ngx_str_t *dst);
static void ngx_dm_sec_account_join_groups(u_char *p, dm_account_t *account,
    ngx_str_t *groups);


static const ngx_dm_sec_keep_t  ngx_dm_sec_account_keep = {
    "accounts", sizeof(ngx_dm_sec_memory_t), ngx_dm_sec_account_forget
};


/* a worker makes one search at a time */
static struct {
    ngx_dm_sec_found_t    found;
    ngx_dm_sec_derived_t  derived;
    ngx_uint_t            busy;
} ngx_dm_sec_account_search;


ngx_int_t
ngx_dm_sec_account_find(ngx_dm_sec_main_conf_t *dmcf, ngx_connection_t *c,
    ngx_dm_sec_search_t *search)
{
    ngx_int_t               rc;
    ngx_dm_sec_recalled_t  *recalled;

    if (ngx_dm_sec_account_search.busy) {
        ngx_log_error(NGX_LOG_ALERT, c->log, 0,
                      "dm_sec: an account is looked up within another search");
        return NGX_ERROR;
    }

    ngx_dm_sec_account_search.busy = 1;

    recalled = ngx_dm_sec_account_recall(c, search);

    if (recalled) {
        search->version = recalled->version;
        search->recalled = 1;
        search->derived = &recalled->derived;
        rc = search->judge(search, &recalled->account, recalled->known);

    } else {
        rc = ngx_dm_sec_account_look(dmcf, c, search);
    }

    ngx_dm_sec_account_search.busy = 0;

    return rc;
}


/* looks the account up, has it judged, and wipes it */
static ngx_int_t
ngx_dm_sec_account_look(ngx_dm_sec_main_conf_t *dmcf, ngx_connection_t *c,
    ngx_dm_sec_search_t *search)
{
    ngx_int_t            rc;
    ngx_uint_t           known;
    ngx_dm_sec_found_t  *found;

    found = &ngx_dm_sec_account_search.found;

    rc = ngx_dm_sec_account_look_up(dmcf, c->log, search);

    if (rc == NGX_DONE) {
        return NGX_DECLINED;
    }

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        known = (rc == NGX_OK);
        search->derived = &ngx_dm_sec_account_search.derived;
        rc = search->judge(search, &found->account, known);

        /* a certificate may have many names, none of which anybody has */

        if ((rc == NGX_OK && known)
            || (rc == NGX_DECLINED && !known
                && search->kind == NGX_DM_SEC_ACCOUNT_CERT))
        {
            ngx_dm_sec_account_remember(c, search, found, known);
        }
    }

    ngx_dm_sec_store_wipe(found);
    ngx_explicit_memzero(&ngx_dm_sec_account_search.derived,
                         sizeof(ngx_dm_sec_derived_t));

    return rc;
}


/*
 * NGX_OK: found; NGX_DECLINED: nobody has any of the keys, and a decoy is
 * there; NGX_DONE: there was no key; NGX_ERROR.
 */
static ngx_int_t
ngx_dm_sec_account_look_up(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log,
    ngx_dm_sec_search_t *search)
{
    dm_str_t             key;
    ngx_int_t            rc, more;
    ngx_uint_t           n;
    dm_store_index_t     index;
    ngx_dm_sec_found_t  *found;

    found = &ngx_dm_sec_account_search.found;

    rc = NGX_DONE;
    key = search->key;
    index = search->index;

    for (n = 0; /* void */ ; n++) {

        if (search->next) {
            more = search->next(search, &index, &key);

            if (more != NGX_OK) {
                return more == NGX_DECLINED ? rc : NGX_ERROR;
            }
        }

        ngx_dm_sec_store_wipe(found);

        rc = ngx_dm_sec_store_lookup(dmcf, log, index, key, found);

        /* a change between two look-ups may have moved a key past both */

        search->tried = n;

        if (n == 0) {
            search->version = found->version;

        } else if (search->version != found->version) {
            search->version = 0;
        }

        if (rc != NGX_DECLINED || search->next == NULL) {
            return rc;
        }
    }
}


/* NULL: it is to be looked up */
static ngx_dm_sec_recalled_t *
ngx_dm_sec_account_recall(ngx_connection_t *c, ngx_dm_sec_search_t *search)
{
    ngx_dm_sec_memory_t    *memory;
    ngx_dm_sec_recalled_t  *recalled;

    if (search->kind == NGX_DM_SEC_ACCOUNT_UNKEPT) {
        return NULL;
    }

    memory = ngx_dm_sec_kept(c->pool, &ngx_dm_sec_account_keep, 0);

    if (memory == NULL || memory->recalled[search->kind] == NULL) {
        return NULL;
    }

    recalled = memory->recalled[search->kind];

    if (recalled->index != search->index
        || recalled->key_len != search->recall.len
        || ngx_memcmp(recalled->key, search->recall.data, recalled->key_len)
           != 0
        || !ngx_dm_sec_account_is_true(recalled, search->now))
    {
        return NULL;
    }

    return recalled;
}


ngx_dm_sec_derived_t *
ngx_dm_sec_account_last(ngx_connection_t *c, ngx_dm_sec_account_kind_e kind,
    dm_store_index_t index, u_char key[NGX_DM_SEC_RECALL_KEY], size_t *len)
{
    ngx_dm_sec_memory_t    *memory;
    ngx_dm_sec_recalled_t  *recalled;

    memory = ngx_dm_sec_kept(c->pool, &ngx_dm_sec_account_keep, 0);
    recalled = memory ? memory->recalled[kind] : NULL;

    if (recalled == NULL || !recalled->known || recalled->index != index) {
        return NULL;
    }

    *len = recalled->key_len;
    ngx_memcpy(key, recalled->key, recalled->key_len);

    return &recalled->derived;
}


/* 1 if it is what the store has now; most changes are of other accounts */
static ngx_uint_t
ngx_dm_sec_account_is_true(ngx_dm_sec_recalled_t *recalled, uint64_t now)
{
    return (now && recalled->version == now)
           || (recalled->sealed.len
               && ngx_dm_sec_store_same(recalled->opened, recalled->sealed,
                                        &recalled->account,
                                        &recalled->version)
                  == NGX_OK);
}


/* if memory lacks, the account is looked up again the next time */
static void
ngx_dm_sec_account_remember(ngx_connection_t *c, ngx_dm_sec_search_t *search,
    ngx_dm_sec_found_t *found, ngx_uint_t known)
{
    size_t                  len, sealed;
    ngx_dm_sec_memory_t    *memory;
    ngx_dm_sec_recalled_t  *recalled;

    if (search->kind == NGX_DM_SEC_ACCOUNT_UNKEPT
        || search->version == 0
        || search->recall.len > NGX_DM_SEC_RECALL_KEY)
    {
        return;
    }

    memory = ngx_dm_sec_kept(c->pool, &ngx_dm_sec_account_keep, 1);
    if (memory == NULL) {
        return;
    }

    ngx_dm_sec_account_free(memory->recalled[search->kind]);
    memory->recalled[search->kind] = NULL;

    len = known ? found->len : 0;

    /* keys that nobody had may be somebody's later */

    sealed = (known && !search->tried) ? found->sealed_len : 0;

    recalled = ngx_alloc(sizeof(ngx_dm_sec_recalled_t) + len + sealed, c->log);
    if (recalled == NULL) {
        return;
    }

    recalled->known = known;
    recalled->version = search->version;
    recalled->index = search->index;
    recalled->key_len = search->recall.len;
    ngx_memcpy(recalled->key, search->recall.data, search->recall.len);

    recalled->derived = *search->derived;
    recalled->derived.remembered = 1;
    recalled->len = len + sealed;
    recalled->opened = found->opened;
    recalled->sealed.data = recalled->record + len;
    recalled->sealed.len = sealed;
    ngx_memcpy(recalled->record + len, found->sealed, sealed);

    memory->recalled[search->kind] = recalled;

    if (!known) {
        ngx_memzero(&recalled->account, sizeof(dm_account_t));
        return;
    }

    recalled->account = found->account;
    ngx_memcpy(recalled->record, found->record, len);
    dm_account_move(&recalled->account, found->record, recalled->record);
}


static void
ngx_dm_sec_account_forget(void *data)
{
    ngx_dm_sec_memory_t *memory = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_DM_SEC_ACCOUNT_KINDS; i++) {
        ngx_dm_sec_account_free(memory->recalled[i]);
    }
}


static void
ngx_dm_sec_account_free(ngx_dm_sec_recalled_t *recalled)
{
    if (recalled == NULL) {
        return;
    }

    EVP_MD_CTX_free(recalled->derived.begun);

    ngx_explicit_memzero(recalled, sizeof(ngx_dm_sec_recalled_t)
                                   + recalled->len);
    ngx_free(recalled);
}


ngx_dm_sec_account_t *
ngx_dm_sec_account_copy(ngx_pool_t *pool, dm_account_t *account)
{
    u_char                *p;
    size_t                 len;
    ngx_uint_t             i;
    ngx_dm_sec_account_t  *copy;

    len = account->id.len + account->name.len;

    for (i = 0; i < account->ngroups; i++) {
        len += account->group[i].len + 1;
    }

    copy = ngx_palloc(pool, sizeof(ngx_dm_sec_account_t) + len);
    if (copy == NULL) {
        return NULL;
    }

    copy->state = account->state;
    copy->not_before = account->not_before;
    copy->not_after = account->not_after;

    p = (u_char *) (copy + 1);

    p = ngx_dm_sec_account_put(p, account->id, &copy->id);
    p = ngx_dm_sec_account_put(p, account->name, &copy->name);

    ngx_dm_sec_account_join_groups(p, account, &copy->groups);

    return copy;
}


/* dst becomes a copy at p; returns the end of it */
static u_char *
ngx_dm_sec_account_put(u_char *p, dm_str_t src, ngx_str_t *dst)
{
    dst->len = src.len;
    dst->data = p;

    return ngx_cpymem(p, src.data, src.len);
}


/* p has room for a comma behind each group */
static void
ngx_dm_sec_account_join_groups(u_char *p, dm_account_t *account,
    ngx_str_t *groups)
{
    ngx_uint_t  i;

    ngx_str_null(groups);

    if (account->ngroups == 0) {
        return;
    }

    groups->data = p;

    for (i = 0; i < account->ngroups; i++) {
        p = ngx_cpymem(p, account->group[i].data, account->group[i].len);
        *p++ = ',';
    }

    groups->len = p - 1 - groups->data;
}


ngx_int_t
ngx_dm_sec_account_dup(ngx_pool_t *pool, dm_str_t src, ngx_str_t *dst)
{
    dst->len = src.len;
    dst->data = ngx_pnalloc(pool, src.len);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src.data, src.len);

    return NGX_OK;
}
