/* Accounts that are disabled beside the store's writer, as they are read */

#define _GNU_SOURCE     /* twalk_r(), tdestroy() */

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_access.h"
#include "dm_store_internal.h"
#include "dm_wire.h"


/* an id in the tree */
typedef struct {
    size_t         len;
    unsigned char  data[DM_ID_MAX];
} dm_disabled_id_t;


typedef struct {
    int   (*fn)(dm_str_t id, void *data);
    void   *data;
    int     rc;
} dm_disabled_walk_t;


static int dm_disabled_map(dm_store_t *store, dm_err_t *err);
static int dm_disabled_wrong(dm_store_t *store, dm_err_t *err);
static void dm_disabled_now(const dm_store_t *store, dm_disabled_head_t *now);
static int dm_disabled_known(const dm_store_t *store,
    const dm_disabled_head_t *now);
static int dm_disabled_read_once(dm_store_t *store,
    const dm_disabled_head_t *now, dm_err_t *err);
static int dm_disabled_parse(dm_store_t *store, unsigned char *data,
    size_t len, dm_err_t *err);
static void dm_disabled_forget(dm_disabled_t *disabled);
static int dm_disabled_add(dm_disabled_t *disabled, dm_str_t id);
static void dm_disabled_drop(dm_disabled_t *disabled, dm_str_t id);
static int dm_disabled_prove(dm_store_t *store, dm_str_t id, dm_str_t sealed,
    int *lift);
static void dm_disabled_visit(const void *node, VISIT visit, void *data);
static int dm_disabled_compare(const void *a, const void *b);


int
dm_disabled_open(dm_store_t *store, dm_err_t *err)
{
    int    rc;
    char  *name;

    name = dm_store_join(store->path, DM_STORE_DISABLED);

    if (name == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    store->disabled.fd = open(name, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY
                                    |O_CLOEXEC);
    rc = DM_OK;

    if (store->disabled.fd != -1) {
        rc = dm_disabled_map(store, err);

    } else if (errno != ENOENT
               && dm_access_check(store->path, DM_STORE_DISABLED, R_OK,
                                  store->mode == DM_STORE_SERVE
                                  ? DM_ACCESS_WORKER : DM_ACCESS_TOOL, err)
                  == DM_OK)
    {
        rc = dm_disabled_wrong(store, err);

    } else if (errno != ENOENT) {
        rc = DM_INVALID;
    }

    free(name);

    return rc;
}


/* an empty file is one that is just being made */
static int
dm_disabled_map(dm_store_t *store, dm_err_t *err)
{
    void           *head;
    struct stat     sb;
    dm_disabled_t  *disabled;

    disabled = &store->disabled;

    if (fstat(disabled->fd, &sb) == -1 || !S_ISREG(sb.st_mode)) {
        return dm_disabled_wrong(store, err);
    }

    if (sb.st_size < DM_DISABLED_SIZE) {
        dm_disabled_close(store);
        return DM_OK;
    }

    head = mmap(NULL, sizeof(dm_disabled_head_t), PROT_READ, MAP_SHARED,
                disabled->fd, 0);

    if (head == MAP_FAILED) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    disabled->head = head;
    disabled->ino = sb.st_ino;

    if (memcmp(disabled->head->magic, DM_DISABLED_MAGIC,
               sizeof(disabled->head->magic))
        != 0)
    {
        dm_disabled_close(store);
        return dm_disabled_wrong(store, err);
    }

    if (store->slot != NULL) {
        dm_slot_follow(store->slot, (uint64_t) disabled->ino);
    }

    return DM_OK;
}


static int
dm_disabled_wrong(dm_store_t *store, dm_err_t *err)
{
    dm_err_set(err, "\"%s/" DM_STORE_DISABLED "\" is damaged, which says what "
               "accounts were disabled beside an import: remove it, and "
               "disable again what was disabled during the last one",
               store->path);

    return DM_INVALID;
}


void
dm_disabled_close(dm_store_t *store)
{
    dm_disabled_t  *disabled;

    disabled = &store->disabled;

    dm_disabled_forget(disabled);

    if (disabled->head != NULL) {
        (void) munmap(disabled->head, sizeof(dm_disabled_head_t));
    }

    if (disabled->fd != -1) {
        close(disabled->fd);
    }

    memset(disabled, 0, sizeof(dm_disabled_t));
    disabled->fd = -1;

    if (store->slot != NULL) {
        dm_slot_follow(store->slot, 0);
    }
}


static void
dm_disabled_forget(dm_disabled_t *disabled)
{
    tdestroy(disabled->ids, free);

    disabled->ids = NULL;
    disabled->n = 0;
    disabled->len = 0;
}


void
dm_disabled_tend(dm_store_t *store)
{
    int           there;
    char         *name;
    struct stat   sb;

    name = dm_store_join(store->path, DM_STORE_DISABLED);
    if (name == NULL) {
        return;
    }

    there = (stat(name, &sb) == 0);

    free(name);

    if (there ? store->disabled.ino == sb.st_ino
              : store->disabled.head == NULL)
    {
        return;
    }

    dm_disabled_close(store);

    /* a store that is opened again says what is wrong with it */

    if (dm_disabled_open(store, NULL) != DM_OK) {
        store->elsewhere = 1;
    }
}


uint64_t
dm_disabled_changes(const dm_store_t *store)
{
    return store->disabled.head == NULL ? 0
           : __atomic_load_n(&store->disabled.head->changes, __ATOMIC_SEQ_CST);
}


int
dm_disabled_same(const dm_store_t *store)
{
    dm_disabled_head_t  now;

    dm_disabled_now(store, &now);

    return dm_disabled_known(store, &now);
}


/* a process that changes the file can be killed between two of them */
static void
dm_disabled_now(const dm_store_t *store, dm_disabled_head_t *now)
{
    dm_disabled_head_t  *head;

    head = store->disabled.head;

    memset(now, 0, sizeof(dm_disabled_head_t));

    if (head != NULL) {
        now->changes = __atomic_load_n(&head->changes, __ATOMIC_SEQ_CST);
        now->cleared = __atomic_load_n(&head->cleared, __ATOMIC_SEQ_CST);
        now->len = __atomic_load_n(&head->len, __ATOMIC_SEQ_CST);
    }
}


static int
dm_disabled_known(const dm_store_t *store, const dm_disabled_head_t *now)
{
    return now->changes == store->disabled.changes
           && now->cleared == store->disabled.cleared
           && now->len == store->disabled.len;
}


int
dm_disabled_read(dm_store_t *store, dm_err_t *err)
{
    int                  rc;
    unsigned             tries;
    dm_disabled_head_t   now, after;

    for (tries = 0; tries < DM_STORE_TRIES; tries++) {
        dm_disabled_now(store, &now);

        if (dm_disabled_known(store, &now)) {
            return DM_OK;
        }

        rc = dm_disabled_read_once(store, &now, err);

        __atomic_thread_fence(__ATOMIC_SEQ_CST);

        dm_disabled_now(store, &after);

        if (memcmp(&now, &after, sizeof(dm_disabled_head_t)) != 0) {
            continue;
        }

        if (rc != DM_OK) {
            dm_disabled_forget(&store->disabled);
            return DM_ERROR;
        }

        store->disabled.changes = now.changes;
    }

    return dm_store_moved(store, err);
}


/* the entries behind those that are known; all where it was emptied */
static int
dm_disabled_read_once(dm_store_t *store, const dm_disabled_head_t *now,
    dm_err_t *err)
{
    int             rc;
    size_t          n;
    ssize_t         got;
    dm_disabled_t  *disabled;
    unsigned char  *data;

    disabled = &store->disabled;

    if (now->cleared != disabled->cleared || now->len < disabled->len) {
        dm_disabled_forget(disabled);
        disabled->cleared = now->cleared;
    }

    if (now->len > DM_DISABLED_LEN_MAX) {
        return dm_disabled_wrong(store, err);
    }

    n = (size_t) (now->len - disabled->len);

    if (n == 0) {
        return DM_OK;
    }

    data = malloc(n);
    if (data == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    got = pread(disabled->fd, data, n,
                (off_t) (DM_DISABLED_START + disabled->len));

    rc = got == (ssize_t) n ? dm_disabled_parse(store, data, n, err)
                            : dm_disabled_wrong(store, err);

    free(data);

    if (rc == DM_OK) {
        disabled->len = now->len;
    }

    return rc;
}


static int
dm_disabled_parse(dm_store_t *store, unsigned char *data, size_t len,
    dm_err_t *err)
{
    int             lift;
    size_t          n;
    dm_str_t        id, sealed;
    dm_wire_t       w, entry;
    unsigned char  *start;

    dm_wire_init(&w, data, len);

    while (w.pos < w.last) {
        n = (size_t) dm_wire_get(&w, 2);
        start = dm_wire_take(&w, n);

        if (start == NULL) {
            return dm_disabled_wrong(store, err);
        }

        dm_wire_init(&entry, start, n);
        id = dm_wire_get_str(&entry, 1);
        sealed.data = entry.pos;
        sealed.len = (size_t) (entry.last - entry.pos);

        if (entry.bad
            || dm_disabled_prove(store, id, sealed, &lift) != DM_OK)
        {
            return dm_disabled_wrong(store, err);
        }

        if (lift) {
            dm_disabled_drop(&store->disabled, id);

        } else if (dm_disabled_add(&store->disabled, id) != DM_OK) {
            dm_err_set(err, "out of memory");
            return DM_ERROR;
        }
    }

    return DM_OK;
}


static int
dm_disabled_prove(dm_store_t *store, dm_str_t id, dm_str_t sealed, int *lift)
{
    int            rc;
    size_t         len;
    dm_str_t       ad[DM_DISABLED_BOUND];
    unsigned char  plain[DM_DISABLED_ENTRY];

    if (id.len == 0 || id.len > DM_ID_MAX || sealed.len > sizeof(plain)) {
        return DM_INVALID;
    }

    dm_disabled_bind(store, id, ad);

    rc = dm_sealer_open(store->sealer, ad, DM_DISABLED_BOUND, sealed, plain,
                        &len);

    if (rc != DM_OK) {
        return rc;
    }

    *lift = dm_str_eq((dm_str_t) { plain, len }, dm_str(DM_DISABLED_LIFT));

    return len == 0 || *lift ? DM_OK : DM_INVALID;
}


void
dm_disabled_bind(const dm_store_t *store, dm_str_t id, dm_str_t *ad)
{
    ad[0] = dm_str("dm-sec disabled");
    ad[1] = (dm_str_t) { store->meta.id, DM_STORE_ID_SIZE };
    ad[2] = id;
}


/* DM_OK, also if it has that one, or DM_ERROR: out of memory */
static int
dm_disabled_add(dm_disabled_t *disabled, dm_str_t id)
{
    dm_disabled_id_t  *new, **at;

    new = malloc(sizeof(dm_disabled_id_t));
    if (new == NULL) {
        return DM_ERROR;
    }

    new->len = id.len;
    memcpy(new->data, id.data, id.len);

    at = tsearch(new, &disabled->ids, dm_disabled_compare);

    if (at == NULL || *at != new) {
        free(new);

    } else {
        disabled->n++;
    }

    return at == NULL ? DM_ERROR : DM_OK;
}


static void
dm_disabled_drop(dm_disabled_t *disabled, dm_str_t id)
{
    dm_disabled_id_t  wanted, **at, *found;

    wanted.len = id.len;
    memcpy(wanted.data, id.data, id.len);

    at = tfind(&wanted, &disabled->ids, dm_disabled_compare);

    if (at == NULL) {
        return;
    }

    found = *at;
    (void) tdelete(&wanted, &disabled->ids, dm_disabled_compare);
    free(found);
    disabled->n--;
}


int
dm_disabled_has(const dm_disabled_t *disabled, dm_str_t id)
{
    dm_disabled_id_t  wanted;

    if (disabled->n == 0) {
        return 0;
    }

    wanted.len = id.len;
    memcpy(wanted.data, id.data, id.len);

    return tfind(&wanted, &disabled->ids, dm_disabled_compare) != NULL;
}


void
dm_disabled_apply(const dm_store_t *store, dm_account_t *account)
{
    if (store->write == NULL
        && dm_disabled_has(&store->disabled, account->id))
    {
        account->state = DM_DISABLED;
    }
}


int
dm_disabled_walk(const dm_store_t *store,
    int (*fn)(dm_str_t id, void *data), void *data)
{
    dm_disabled_walk_t  walk;

    walk = (dm_disabled_walk_t) { fn, data, DM_OK };

    twalk_r(store->disabled.ids, dm_disabled_visit, &walk);

    return walk.rc;
}


static void
dm_disabled_visit(const void *node, VISIT visit, void *data)
{
    dm_disabled_walk_t             *walk;
    const dm_disabled_id_t *const  *at;

    at = node;
    walk = data;

    if ((visit == postorder || visit == leaf) && walk->rc == DM_OK) {
        walk->rc = walk->fn((dm_str_t) { (*at)->data, (*at)->len },
                            walk->data);
    }
}


static int
dm_disabled_compare(const void *a, const void *b)
{
    const dm_disabled_id_t  *one, *other;

    one = a;
    other = b;

    if (one->len != other->len) {
        return one->len < other->len ? -1 : 1;
    }

    return memcmp(one->data, other->data, one->len);
}
