/* The accounts that lines of one file have made or changed so far */

#define _GNU_SOURCE     /* tdestroy() */

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "account/cli_store.h"
#include "account/seen.h"


#define DM_SEEN_KEY  (DM_ID_MAX + 1 + DM_PSK_IDENTITY_MAX)


typedef struct {
    dm_str_t  key;                          /* an id, a NUL and a part */
    uint64_t  line;
} dm_seen_item_t;


static int dm_seen_key(dm_str_t id, dm_str_t part, unsigned char *out,
    dm_str_t *key);
static dm_seen_item_t *dm_seen_make(dm_str_t key, uint64_t line);
static int dm_seen_order(const void *a, const void *b);
static uint64_t dm_seen_owner(const dm_seen_t *seen, dm_store_t *store,
    dm_store_index_t by, dm_str_t key, dm_str_t id);


uint64_t
dm_seen_line(const dm_seen_t *seen, dm_str_t id, dm_str_t part)
{
    unsigned char           key[DM_SEEN_KEY];
    dm_seen_item_t          item;
    dm_seen_item_t *const  *found;

    if (dm_seen_key(id, part, key, &item.key) != DM_OK) {
        return 0;
    }

    found = tfind(&item, &seen->root, dm_seen_order);

    return found == NULL ? 0 : (*found)->line;
}


int
dm_seen_add(dm_seen_t *seen, dm_str_t id, dm_str_t part, uint64_t line,
    dm_err_t *err)
{
    dm_str_t          key;
    unsigned char     out[DM_SEEN_KEY];
    dm_seen_item_t   *item, **found;

    if (dm_seen_key(id, part, out, &key) != DM_OK) {
        return DM_OK;
    }

    found = NULL;
    item = dm_seen_make(key, line);

    if (item != NULL) {
        found = tsearch(item, &seen->root, dm_seen_order);
    }

    if (found == NULL) {
        free(item);
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    if (*found != item) {
        free(item);
    }

    return DM_OK;
}


/* DM_OK; DM_INVALID: either is longer than any that a store takes */
static int
dm_seen_key(dm_str_t id, dm_str_t part, unsigned char *out, dm_str_t *key)
{
    if (id.len > DM_ID_MAX || part.len > DM_PSK_IDENTITY_MAX) {
        return DM_INVALID;
    }

    memcpy(out, id.data, id.len);
    out[id.len] = '\0';
    memcpy(out + id.len + 1, part.data, part.len);

    *key = (dm_str_t) { out, id.len + 1 + part.len };

    return DM_OK;
}


/* an item with a copy of its key; NULL: no memory */
static dm_seen_item_t *
dm_seen_make(dm_str_t key, uint64_t line)
{
    unsigned char   *copy;
    dm_seen_item_t  *item;

    item = malloc(sizeof(dm_seen_item_t) + key.len);

    if (item == NULL) {
        return NULL;
    }

    copy = (unsigned char *) (item + 1);
    memcpy(copy, key.data, key.len);

    item->key = (dm_str_t) { copy, key.len };
    item->line = line;

    return item;
}


static int
dm_seen_order(const void *a, const void *b)
{
    const dm_seen_item_t  *one, *two;

    one = a;
    two = b;

    if (one->key.len != two->key.len) {
        return one->key.len < two->key.len ? -1 : 1;
    }

    return memcmp(one->key.data, two->key.data, one->key.len);
}


void
dm_seen_tell(const dm_seen_t *seen, dm_store_t *store,
    const dm_account_t *account, dm_err_t *err)
{
    uint64_t  line;
    unsigned  i;
    dm_err_t  said;

    line = dm_seen_owner(seen, store, DM_BY_NAME, account->name, account->id);

    for (i = 0; line == 0 && i < account->npsks; i++) {
        line = dm_seen_owner(seen, store, DM_BY_PSK, account->psk[i].identity,
                             account->id);
    }

    for (i = 0; line == 0 && i < account->ncert_keys; i++) {
        line = dm_seen_owner(seen, store, DM_BY_CERT, account->cert_key[i],
                             account->id);
    }

    if (line != 0) {
        said = *err;
        dm_err_set(err, "%s, from line %llu", said.text,
                   (unsigned long long) line);
    }
}


/* the line of another account than id that is found by key, or 0 */
static uint64_t
dm_seen_owner(const dm_seen_t *seen, dm_store_t *store, dm_store_index_t by,
    dm_str_t key, dm_str_t id)
{
    uint64_t    line;
    dm_found_t  other;

    line = 0;

    if (dm_store_lookup(store, by, key, other.record, &other.len,
                        &other.account, NULL)
           == DM_OK
        && !dm_str_eq(other.account.id, id))
    {
        line = dm_seen_line(seen, other.account.id, dm_str(""));
    }

    dm_cli_wipe(&other);

    return line;
}


void
dm_seen_free(dm_seen_t *seen)
{
    tdestroy(seen->root, free);
    seen->root = NULL;
}
