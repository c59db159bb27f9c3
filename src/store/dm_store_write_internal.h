/* The parts that change a store, for each other */

#ifndef DM_STORE_WRITE_INTERNAL_H
#define DM_STORE_WRITE_INTERNAL_H


#include "dm_store_internal.h"
#include "dm_store_write.h"


/* name, userhashes, PSK identities, certificate keys */
#define DM_STORE_KEYS  (1 + DM_NALGORITHMS + DM_PSKS + DM_CERT_KEYS)

/* the entries by which an account is found, beside its id */
typedef struct {
    unsigned         n;
    dm_store_key_t   key[DM_STORE_KEYS];
    const char      *what[DM_STORE_KEYS];
    dm_str_t         text[DM_STORE_KEYS];
} dm_store_keys_t;


/* lists what the account is found by; keys point into it.  DM_OK or DM_ERROR */
int dm_store_list_keys(dm_store_t *store, const dm_account_t *account,
    dm_store_keys_t *keys, dm_err_t *err);

/*
 * Makes the entries of keys for the account of that id.  DM_OK; DM_EXISTS: err
 * says which is another account's, and the entries are as before; DM_ERROR.
 */
int dm_store_claim_keys(dm_store_t *store, const dm_store_keys_t *keys,
    dm_str_t id, dm_err_t *err);

/*
 * Removes the account's entries but those in keep, which may be NULL.  DM_OK
 * or DM_ERROR.
 */
int dm_store_drop_keys(dm_store_t *store, const dm_account_t *account,
    const dm_store_keys_t *keep, dm_err_t *err);

/* 1 if the entry is of one of keys, else 0 */
int dm_store_has_key(const dm_store_keys_t *keys, dm_store_db_t db,
    dm_str_t name);

/*
 * value is LMDB's own until the next write or the end of txn.  DM_OK,
 * DM_DECLINED or DM_ERROR.
 */
int dm_store_get(dm_store_t *store, MDB_txn *txn, const dm_store_key_t *key,
    dm_str_t *value, dm_err_t *err);

/* writes an entry, or replaces it.  DM_OK or DM_ERROR */
int dm_store_set(dm_store_t *store, dm_store_db_t db, dm_str_t name,
    dm_str_t value, dm_err_t *err);

/* removes an entry that is there.  DM_OK or DM_ERROR */
int dm_store_unset(dm_store_t *store, dm_store_db_t db, dm_str_t name,
    dm_err_t *err);

/*
 * Removes an account that is there and cannot be opened, and all entries that
 * lead to it; counts anew.  DM_OK or DM_ERROR.
 */
int dm_store_purge(dm_store_t *store, dm_str_t id, dm_err_t *err);

/*
 * Steps to the record behind the one of that name[DM_STORE_NAME_MAX]; an empty
 * name is before the first.  It is searched anew each time, so that the caller
 * may change or delete what is there.  A record longer than DM_RECORD_MAX has
 * *len 0.  DM_OK; DM_DECLINED: that was the last one; DM_ERROR.
 */
int dm_store_step(dm_store_t *store, MDB_cursor *cursor, unsigned char *name,
    size_t *name_len, unsigned char *record, size_t *len, dm_err_t *err);

/*
 * Waits until no worker reads a snapshot that it chose before, for at most
 * store->patience ms, which become less.  To be called before each write
 * transaction.
 */
void dm_store_wait_readers(dm_store_t *store);

/* adds a process that is not yet there; pid 0: of another container */
void dm_store_add_pid(dm_store_pids_t *pids, pid_t pid);
void dm_store_add_slot(dm_store_pids_t *pids, const dm_slot_seen_t *seen);

/*
 * Calls build for a new directory beside path, closed to all others, and
 * renames it to path, which must not exist, when it is complete and on the
 * disk.  Nothing is left behind where it fails.  DM_OK, DM_INVALID, DM_EXISTS
 * or DM_ERROR.
 */
int dm_store_make(const char *path,
    int (*build)(const char *temp, void *data, dm_err_t *err), void *data,
    dm_err_t *err);

/* gives what is below path to them and syncs it.  DM_OK or DM_ERROR */
int dm_store_give(const char *path, const char *file, uid_t uid, gid_t gid,
    mode_t mode, dm_err_t *err);

/* gives all below path to owner, and makes a directory for slots. As above */
int dm_store_give_all(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err);

/* makes an empty file below path.  DM_OK or DM_ERROR */
int dm_store_touch(const char *path, const char *file, dm_err_t *err);

/*
 * Makes the directory for the slots of that reader below path, and gives it to
 * uid and gid.  DM_OK or DM_ERROR.
 */
int dm_store_make_slots(const char *path, uid_t reader, uid_t uid, gid_t gid,
    dm_err_t *err);

/* syncs the directory that path stands in.  DM_OK or DM_ERROR */
int dm_store_sync_parent(const char *path, dm_err_t *err);


#endif /* DM_STORE_WRITE_INTERNAL_H */
