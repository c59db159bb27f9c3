/*
 * Accounts that are disabled on this machine alone, in a store that follows a
 * log: see dm_store_disabled_file.h
 */

#include <openssl/crypto.h>

#include "dm_store_follow.h"
#include "dm_store_write_internal.h"


/* a walk through those that are disabled here */
typedef struct {
    dm_store_t  *store;
    dm_err_t    *err;
    unsigned     kept;
} dm_here_t;


static int dm_here_settled(const dm_store_t *store);
static int dm_here_look(dm_store_t *store, unsigned *kept, dm_err_t *err);
static int dm_here_one(dm_str_t id, void *data);
static int dm_here_is_confirmed(dm_store_t *store, dm_str_t id);
static int dm_here_follows(dm_store_t *store, int *follows, dm_err_t *err);


int
dm_here_confirm(dm_store_t *store, dm_err_t *err)
{
    int       rc;
    unsigned  kept;

    if (dm_disabled_read(store, err) != DM_OK
        || dm_store_begin_locked(store, err) != DM_OK)
    {
        return DM_ERROR;
    }

    if (!dm_store_is_following(store)) {
        dm_store_abort_locked(store);
        return DM_DECLINED;
    }

    rc = DM_OK;
    kept = 1;
    store->aside_len = 0;

    if (dm_here_settled(store)) {
        rc = dm_here_look(store, &kept, err);
    }

    dm_store_abort_locked(store);

    if (rc == DM_OK && kept == 0) {
        return dm_disabled_clear(store, err);
    }

    /* an entry that cannot be taken out stays, which is the safe side */

    if (rc == DM_OK) {
        (void) dm_store_disable_commit(store, NULL);
    }

    store->aside_len = 0;

    return rc;
}


/*
 * While old entries are applied an account may be disabled in them, and active
 * again later: only the end of the log says that it is disabled there, too.
 */
static int
dm_here_settled(const dm_store_t *store)
{
    return store->head
           || store->position->is.state == DM_FLEET_FOLLOWING;
}


static int
dm_here_look(dm_store_t *store, unsigned *kept, dm_err_t *err)
{
    int        rc;
    dm_here_t  here;

    here = (dm_here_t) { store, err, 0 };

    rc = dm_disabled_walk(store, dm_here_one, &here);

    *kept = here.kept;

    return rc;
}


static int
dm_here_one(dm_str_t id, void *data)
{
    dm_here_t  *here;

    here = data;

    if (!dm_here_is_confirmed(here->store, id)) {
        here->kept++;
        return DM_OK;
    }

    return dm_disabled_note(here->store, id, DM_DISABLED_LIFT, here->err);
}


/* 1 if the record says the same; of one that does not open nobody knows */
static int
dm_here_is_confirmed(dm_store_t *store, dm_str_t id)
{
    int            rc;
    size_t         len;
    dm_account_t   account;
    unsigned char  record[DM_RECORD_MAX];

    rc = dm_store_load_old(store, id, record, &len, &account, NULL);

    if (rc == DM_OK) {
        rc = account.state == DM_DISABLED ? DM_DECLINED : DM_OK;
        dm_account_wipe(&account);
    }

    OPENSSL_cleanse(record, len);

    return rc == DM_DECLINED;
}


int
dm_store_lift(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    int  rc, follows;

    rc = dm_here_follows(store, &follows, err);

    if (rc != DM_OK) {
        return rc;
    }

    if (!follows) {
        dm_err_set(err, "store \"%s\" follows no log: there is nothing that "
                   "is disabled on this machine alone", store->path);
        return DM_INVALID;
    }

    return dm_disabled_has(&store->disabled, id)
           ? dm_disabled_note(store, id, DM_DISABLED_LIFT, err) : DM_DECLINED;
}


/* a look at the position reads the file, too, which may be another one now */
static int
dm_here_follows(dm_store_t *store, int *follows, dm_err_t *err)
{
    dm_disabled_tend(store);

    return dm_store_follows(store, follows, err);
}


int
dm_store_walk_here(dm_store_t *store, int (*fn)(dm_str_t id, void *data),
    void *data, dm_err_t *err)
{
    int  rc, follows;

    rc = dm_here_follows(store, &follows, err);

    return rc == DM_OK && follows ? dm_disabled_walk(store, fn, data) : rc;
}
