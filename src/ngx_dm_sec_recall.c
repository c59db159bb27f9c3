/* What a connection proved: the account, while the store is unchanged */

#include "ngx_dm_sec_recall.h"
#include "ngx_dm_sec_store.h"


#define NGX_DM_SEC_RECALL_KEY  64       /* octets; a longer one is looked up */


/* with the record, and its secrets, behind it */
typedef struct {
    uint64_t       version;
    ngx_uint_t     index;
    size_t         key_len;
    u_char         key[NGX_DM_SEC_RECALL_KEY];
    size_t         len;
    dm_account_t   account;
    u_char         record[];
} ngx_dm_sec_recalled_t;


/* of a connection, in its pool */
typedef struct {
    ngx_dm_sec_recalled_t  *recalled[NGX_DM_SEC_RECALL_KINDS];
    ngx_dm_sec_validity_t   validity;
} ngx_dm_sec_memory_t;


static ngx_dm_sec_memory_t *ngx_dm_sec_memory(ngx_connection_t *c,
    ngx_uint_t create);
static void ngx_dm_sec_forget(void *data);
static void ngx_dm_sec_recalled_free(ngx_dm_sec_recalled_t *recalled);


ngx_int_t
ngx_dm_sec_recall(ngx_http_request_t *r, ngx_dm_sec_recall_e kind,
    ngx_uint_t index, dm_str_t key, dm_account_t **account)
{
    ngx_dm_sec_memory_t    *memory;
    ngx_dm_sec_recalled_t  *recalled;

    memory = ngx_dm_sec_memory(r->connection, 0);

    if (memory == NULL || memory->recalled[kind] == NULL) {
        return NGX_DECLINED;
    }

    recalled = memory->recalled[kind];

    if (recalled->index != index
        || recalled->key_len != key.len
        || ngx_memcmp(recalled->key, key.data, key.len) != 0
        || recalled->version != ngx_dm_sec_store_version())
    {
        return NGX_DECLINED;
    }

    *account = &recalled->account;

    return NGX_OK;
}


void
ngx_dm_sec_remember(ngx_http_request_t *r, ngx_dm_sec_recall_e kind,
    ngx_uint_t index, dm_str_t key, dm_account_t *account, uint64_t version)
{
    dm_str_t                record;
    ngx_dm_sec_memory_t    *memory;
    ngx_dm_sec_recalled_t  *recalled;

    record = ngx_dm_sec_store_record();
    memory = ngx_dm_sec_memory(r->connection, 1);

    if (memory == NULL || version == 0 || key.len > NGX_DM_SEC_RECALL_KEY) {
        return;
    }

    ngx_dm_sec_recalled_free(memory->recalled[kind]);
    memory->recalled[kind] = NULL;

    recalled = ngx_alloc(sizeof(ngx_dm_sec_recalled_t) + record.len,
                         r->connection->log);
    if (recalled == NULL) {
        return;
    }

    recalled->version = version;
    recalled->index = index;
    recalled->key_len = key.len;
    ngx_memcpy(recalled->key, key.data, key.len);

    recalled->len = record.len;
    recalled->account = *account;
    ngx_memcpy(recalled->record, record.data, record.len);
    dm_account_move(&recalled->account, record.data, recalled->record);

    memory->recalled[kind] = recalled;
}


ngx_dm_sec_validity_t *
ngx_dm_sec_recall_validity(ngx_http_request_t *r)
{
    ngx_dm_sec_memory_t  *memory;

    memory = ngx_dm_sec_memory(r->connection, 1);

    return memory ? &memory->validity : NULL;
}


/* NULL: there is none yet, or no memory */
static ngx_dm_sec_memory_t *
ngx_dm_sec_memory(ngx_connection_t *c, ngx_uint_t create)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_dm_sec_forget) {
            return cln->data;
        }
    }

    if (!create) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_dm_sec_memory_t));
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(ngx_dm_sec_memory_t));

    cln->handler = ngx_dm_sec_forget;

    return cln->data;
}


static void
ngx_dm_sec_forget(void *data)
{
    ngx_dm_sec_memory_t *memory = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_DM_SEC_RECALL_KINDS; i++) {
        ngx_dm_sec_recalled_free(memory->recalled[i]);
    }
}


static void
ngx_dm_sec_recalled_free(ngx_dm_sec_recalled_t *recalled)
{
    if (recalled == NULL) {
        return;
    }

    ngx_explicit_memzero(recalled, sizeof(ngx_dm_sec_recalled_t)
                                   + recalled->len);
    ngx_free(recalled);
}
