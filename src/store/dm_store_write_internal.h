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


typedef struct dm_store_position_s {
    dm_fleet_position_t   is;
    dm_fleet_adder_t     *adder;
} dm_store_position_t;

/* a sum over accounts, as it is made from the beginning */
typedef struct {
    uint64_t         accounts;
    dm_fleet_sum_t   sum;
} dm_store_sum_t;


/*
 * Reads the position as txn sees it, to be freed.  DM_OK; DM_DECLINED: the
 * store has none; DM_INVALID: it was taken away, or changed; DM_ERROR.
 */
int dm_store_position_load(dm_store_t *store, MDB_txn *txn,
    dm_store_position_t **position, dm_err_t *err);
void dm_store_position_free(dm_store_position_t *position);

/*
 * Those of the write transaction, which do nothing where store has no position:
 * count n accounts like that, 1 or -1; count from the beginning; write it;
 * forget it.  DM_OK or DM_ERROR.
 */
int dm_store_position_count(dm_store_t *store, const dm_account_t *account,
    int n, dm_err_t *err);
void dm_store_position_none(dm_store_t *store);
int dm_store_position_save(dm_store_t *store, dm_err_t *err);
void dm_store_position_forget(dm_store_t *store);

/* adds n accounts like that, 1 or -1, to sum.  DM_OK or DM_ERROR */
int dm_store_sum_account(const dm_store_position_t *position,
    dm_store_sum_t *sum, const dm_account_t *account, int n, dm_err_t *err);

/* DM_OK: sum is the position's; DM_DECLINED, and what tells how it differs */
int dm_store_position_prove(const dm_store_position_t *position,
    const dm_store_sum_t *sum, dm_err_t *what);

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

/* counts all accounts anew, in the write transaction.  DM_OK or DM_ERROR */
int dm_store_recount(dm_store_t *store, dm_err_t *err);

/*
 * Opens the database of counters in the write transaction; flags are 0 or
 * MDB_CREATE.  DM_OK; DM_DECLINED: it is not there; DM_ERROR.
 */
int dm_store_count_open(dm_store_t *store, unsigned flags, dm_err_t *err);

/* sets all counters to 0, in the write transaction.  DM_OK or DM_ERROR */
int dm_store_count_none(dm_store_t *store, dm_err_t *err);

/* counts n accounts like that, 1 or -1, in all counters.  DM_OK or DM_ERROR */
int dm_store_count_account(dm_store_t *store, const dm_account_t *account,
    int n, dm_err_t *err);

/*
 * Counts an account in *found, which is NULL at first, and which
 * dm_store_count_forget() frees.  DM_OK or DM_ERROR.
 */
int dm_store_count_find(void **found, const dm_account_t *account,
    dm_err_t *err);
void dm_store_count_forget(void *found);

/* tells of each counter that is not as it was found.  DM_OK or DM_ERROR */
int dm_store_count_prove(dm_store_t *store, MDB_txn *txn, void **found,
    void (*tell)(const char *which, uint64_t counted, uint64_t n, void *data),
    void *data, dm_err_t *err);

/*
 * 1 if the meta record counts the account among those without alg, MD5 or
 * SHA-256: it is active, and has the other one; else 0.
 */
int dm_store_counts_lacking(const dm_account_t *account, dm_algorithm_t alg);

/*
 * dm_store_walk() of the accounts as their records have them: what is disabled
 * beside them is not.
 */
int dm_store_walk_records(dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data),
    int (*bad)(dm_str_t id, const dm_err_t *err, void *data),
    void *data, dm_err_t *err);

/*
 * For the start of each write transaction: looks who else imports, and drops
 * the marks of those that have ended.  DM_OK or DM_ERROR.
 */
int dm_marks_begin(dm_store_t *store, dm_err_t *err);

/* marks an account or an id for imports to leave out.  DM_OK or DM_ERROR */
int dm_marks_add(dm_store_t *store, const dm_account_t *account,
    dm_err_t *err);
int dm_marks_add_id(dm_store_t *store, dm_str_t id, dm_err_t *err);

/*
 * Makes a disabled account of one that this import is to leave disabled, before
 * it is put.  DM_OK or DM_ERROR.
 */
int dm_marks_hold(dm_store_t *store, dm_account_t *account, dm_err_t *err);

/*
 * Where another imports: marks an account that was put disabled, in the place
 * of old or NULL, or takes the marks of one that was not away.  DM_OK or
 * DM_ERROR.
 */
int dm_marks_tell(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_err_t *err);

/*
 * Takes over what is disabled beside the records, and empties the file; to be
 * called with the lock and without a transaction.  DM_OK or DM_ERROR.
 */
int dm_disabled_settle(dm_store_t *store, dm_err_t *err);

/*
 * The same of a store that follows, where nothing is taken over but what the
 * log says, too, is taken out.  DM_OK; DM_DECLINED: it does not follow; or
 * DM_ERROR.
 */
int dm_here_confirm(dm_store_t *store, dm_err_t *err);

/* empties the file, where it is as it was read.  DM_OK or DM_ERROR */
int dm_disabled_clear(dm_store_t *store, dm_err_t *err);

/*
 * dm_store_disable(); or, where lift is DM_DISABLED_LIFT and not "", what takes
 * it back.
 */
int dm_disabled_note(dm_store_t *store, dm_str_t id, const char *lift,
    dm_err_t *err);

/* makes its file in the store at path where it is not.  DM_OK or DM_ERROR */
int dm_disabled_make(const char *path, dm_err_t *err);

/* 1 if the store of the write transaction follows, else 0 */
int dm_store_is_following(const dm_store_t *store);

/*
 * The log of dm_store_follow().  dm_log_begin() is called in a transaction of a
 * store that follows, and leaves an open one where it returns DM_OK; the others
 * do nothing where that was not called.  DM_OK or what the log returned, or
 * DM_ERROR.
 */
int dm_log_begin(dm_store_t *store, dm_err_t *err);
int dm_log_put(dm_store_t *store, const dm_account_t *account, dm_err_t *err);
int dm_log_del(dm_store_t *store, dm_str_t id, dm_err_t *err);
int dm_log_commit(dm_store_t *store, dm_err_t *err);
void dm_log_end(dm_store_t *store, int done);

/*
 * Gets the lock, and takes over what is disabled beside the records.  As
 * dm_store_begin().
 */
int dm_store_take(dm_store_t *store, dm_err_t *err);

/*
 * The account as it is before a change, in record[DM_RECORD_MAX]; the caller
 * wipes both.  DM_OK, DM_DECLINED or DM_ERROR.
 */
int dm_store_load_old(dm_store_t *store, dm_str_t id, unsigned char *record,
    size_t *len, dm_account_t *account, dm_err_t *err);

/*
 * Puts the account as it is in the place of old, or NULL: none is there; or
 * takes it out: records, indexes and counters.  DM_OK, DM_INVALID, DM_EXISTS or
 * DM_ERROR, as dm_store_put().
 */
int dm_store_replace(dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account, dm_err_t *err);
int dm_store_remove_account(dm_store_t *store, const dm_account_t *old,
    dm_err_t *err);

/* the transaction of dm_store_begin() and dm_store_commit(), with the lock */
int dm_store_begin_locked(dm_store_t *store, dm_err_t *err);
int dm_store_commit_locked(dm_store_t *store, dm_err_t *err);
void dm_store_abort_locked(dm_store_t *store);

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

/*
 * Calls build for a new directory beside path, closed to all others, and puts
 * it in its place when it is complete and on the disk: it is renamed to path,
 * which must not exist, where put is NULL.  Nothing is left behind where it
 * fails.  DM_OK, DM_INVALID, DM_EXISTS or DM_ERROR.
 */
int dm_store_make(const char *path,
    int (*build)(const char *temp, void *data, dm_err_t *err), void *data,
    const dm_store_put_t *put, dm_err_t *err);

/* opens the directory at path, which is no link.  DM_OK or DM_ERROR */
int dm_store_open_dir(dm_store_dir_t *dir, const char *path, dm_err_t *err);

/*
 * Gives what is there by that name and type to part's user and group, with its
 * mode, and syncs it; refuses what dm_store_is_foreign() is or has other names.
 * DM_OK or DM_ERROR.
 */
int dm_store_give(const dm_store_dir_t *dir, const dm_store_part_t *part,
    dm_err_t *err);

/* makes that, an empty file or a directory, where nothing is.  As above */
int dm_store_add(const dm_store_dir_t *dir, const dm_store_part_t *part,
    dm_err_t *err);

/*
 * Gives all of the store to owner, and makes what is not there but for what a
 * writer makes; all at path, of a new one.  DM_OK or DM_ERROR.
 */
int dm_store_give_parts(const dm_store_dir_t *dir,
    const dm_store_owner_t *owner, dm_err_t *err);
int dm_store_give_all(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err);

/* makes new ones of those that are foreign, or refuses.  DM_OK or DM_ERROR */
int dm_store_renew_foreign(const dm_store_dir_t *dir,
    const dm_store_owner_t *owner, dm_err_t *err);

/* makes an empty file below path.  DM_OK or DM_ERROR */
int dm_store_touch(const char *path, const char *file, dm_err_t *err);

/* syncs the directory that path stands in.  DM_OK or DM_ERROR */
int dm_store_sync_parent(const char *path, dm_err_t *err);


#endif /* DM_STORE_WRITE_INTERNAL_H */
