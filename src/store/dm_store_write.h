/* The account store, changed: only tools link this */

#ifndef DM_STORE_WRITE_H
#define DM_STORE_WRITE_H


#include <sys/types.h>

#include "dm_store.h"
#include "dm_store_holders.h"


#define DM_STORE_MAP_SIZE  ((uint64_t) 16 << 30)

/* octets of a key in LMDB, whoever wrote it */
#define DM_STORE_NAME_MAX  511

/*
 * dm_store_reseal() seals so many octets anew, and looks at so many records,
 * in one call
 */
#define DM_RESEAL_OCTETS   (256 * 1024)
#define DM_RESEAL_RECORDS  1000


/* the place to which dm_store_reseal() has come; all 0 at the start */
typedef struct {
    size_t         len;
    unsigned char  name[DM_STORE_NAME_MAX]; /* of the last record */
    uint64_t       seen;
    uint64_t       resealed;
    uint64_t       closed;                  /* do not open, and stay so */
} dm_reseal_t;


/* the place to which dm_store_next() has come; all 0 at the start */
typedef struct {
    size_t         name_len;
    size_t         len;
    unsigned char  name[DM_STORE_NAME_MAX];
    unsigned char  record[DM_RECORD_MAX];   /* secret */
} dm_store_next_t;


/* a store's directory, opened once: what is below it is reached by fd alone */
typedef struct {
    int            fd;
    const char    *path;                    /* for messages */
    struct stat    is;
} dm_store_dir_t;

/* a part of a store: as dm_store_create() makes it, and as it is */
typedef struct {
    const char            *name;            /* in the store; "." is itself */
    mode_t                 type;            /* S_IFDIR or S_IFREG */
    uid_t                  uid;
    gid_t                  gid;
    mode_t                 mode;
    const dm_store_dir_t  *dir;
    int                    absent;          /* 1: is has nothing */
    struct stat            is;
} dm_store_part_t;


/*
 * Makes a new environment at path, which must not exist (its parent must).
 *
 *     .              uid      readers  0750
 *     data.mdb       uid      readers  0640
 *     lock.mdb       uid      gid      0600
 *     write.lock     uid      gid      0600
 *     disabled       uid      gid      0644   see dm_store_disabled_file.h
 *     readers.UID    reader   gid      2750   UID is reader's
 *
 * So workers read data.mdb, and have a file each in readers.UID; others of
 * their group can do no more than read data.mdb.  realm has 1 to DM_REALM_MAX
 * octets of UTF-8 without control characters, quotes and backslashes; map_size
 * is at least 1 MiB.  Nothing is left behind where it fails.  DM_OK,
 * DM_INVALID, DM_EXISTS or DM_ERROR.
 */
int dm_store_create(const char *path, dm_str_t realm, uint64_t map_size,
    const dm_store_owner_t *owner, const dm_keys_t *keys, dm_err_t *err);

/* judges these two as that does, and makes nothing: DM_OK or DM_INVALID */
int dm_store_check_new(dm_str_t realm, uint64_t map_size, dm_err_t *err);

/*
 * Gives a store that an older version made what it lacks of that.  No nginx
 * of the older version may have it open.  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_store_upgrade(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err);

/*
 * Calls wrong for each part of the store at path, which is no link, that is not
 * there or not as dm_store_create() makes it; that returns DM_OK to go on.
 * DM_OK; DM_ERROR, or what wrong returned.
 */
int dm_store_rights(const char *path, const dm_store_owner_t *owner,
    int (*wrong)(const dm_store_part_t *part, void *data), void *data,
    dm_err_t *err);

/* 1 if the file has other names, hard links, which dm_store_right() refuses */
int dm_store_has_names(const dm_store_part_t *part);

/*
 * 1 if it is neither the store's user's nor his who shall have it, and another
 * than root may have put it there: whoever can change names in a directory can
 * bring files there that he cannot read.  It is never given away.
 */
int dm_store_is_foreign(const dm_store_part_t *part);

/* 1 if dm_store_right() refuses it as that, else it makes a new one; 0 */
int dm_store_is_kept(const dm_store_part_t *part);

/*
 * Makes one of these what it should be, within wrong.  No link is followed in
 * the store; that nobody exchanges the directories above is the caller's to
 * know.  This process must not have the store open.  DM_OK or DM_ERROR.
 */
int dm_store_right(const dm_store_part_t *part, dm_err_t *err);

/*
 * These begin and end a write transaction of a store opened with
 * DM_STORE_WRITE; writers wait for each other.  All further calls below, and
 * dm_store_lookup(), see what it has changed so far.  The map is doubled first
 * where it is 90 % full.  DM_OK or DM_ERROR; dm_store_begin() has DM_DECLINED
 * where dm_store_on_wait() says so.
 */
int dm_store_begin(dm_store_t *store, dm_err_t *err);
int dm_store_commit(dm_store_t *store, dm_err_t *err);
void dm_store_abort(dm_store_t *store);

/*
 * Takes the lock of the writers and looks at the store as it is then, before
 * anything is changed, even by dm_store_begin() itself, which follows, or
 * dm_store_close().  DM_OK, DM_DECLINED as there, or DM_ERROR.
 */
int dm_store_hold(dm_store_t *store, dm_err_t *err);

/*
 * In the write transaction, gives the store a position (docs/fleet.md), which
 * each commit from then on writes anew, and by which dm_store_check() finds
 * records that were deleted or put back, and not by these programs.  It then is
 * of DM_STORE_FORMAT_POSITION, which older versions refuse.  DM_OK; DM_EXISTS:
 * it has one; DM_INVALID: an account does not open; DM_ERROR.
 */
int dm_store_keep_position(dm_store_t *store, dm_err_t *err);

/* has the commit write which version wrote, even where nothing else changes */
void dm_store_sign(dm_store_t *store);

/* how many accounts DM_STORE_IMPORT has put as disabled ones for that */
uint64_t dm_store_kept_disabled(const dm_store_t *store);

/*
 * 1 if others may be about to make active what is disabled now: the store's
 * writer, where this store is none, or an import; else 0.  Then who
 * disables an account must write it, also where it is disabled already.
 */
int dm_store_is_contested(const dm_store_t *store);

/*
 * Disable accounts at once, beside another writer: dm_store_disabled_file.h.
 * The store is open in any mode but DM_STORE_PEEK, and no write transaction of
 * it is.
 *
 * dm_store_beside() looks whether all workers would see it, for those that have
 * just begun it waits.  DM_OK; DM_DECLINED: one does not, and err says which;
 * DM_ERROR.
 *
 * dm_store_disable() takes an id down, and dm_store_disable_commit() has all of
 * them, or none, in force and on the disk.  DM_OK or DM_ERROR; the latter also
 * where they are too many.
 */
int dm_store_beside(dm_store_t *store, dm_err_t *err);
int dm_store_disable(dm_store_t *store, dm_str_t id, dm_err_t *err);
int dm_store_disable_commit(dm_store_t *store, dm_err_t *err);

/*
 * From now on each transaction begins with room for that many octets of new
 * records and entries in the map, and to change whatever is there: a map that
 * gets full within a transaction ends it.
 */
void dm_store_reserve(dm_store_t *store, uint64_t octets);

/*
 * Looks in the write transaction for an account with that id: DM_OK,
 * DM_DECLINED or DM_ERROR.
 */
int dm_store_has(dm_store_t *store, dm_str_t id, dm_err_t *err);

/*
 * Adds the account, or replaces the one with its id; revision and time of
 * change are set here.  Record, indexes and counters change together.
 * account may point into what dm_store_lookup() returned.  DM_OK; DM_INVALID;
 * DM_EXISTS: its name, a PSK identity or a certificate key is another
 * account's, and err names both; DM_ERROR.  After DM_OK or DM_EXISTS the
 * transaction can go on; nothing of a refused account is in it.
 */
int dm_store_put(dm_store_t *store, const dm_account_t *account,
    dm_err_t *err);

/*
 * Deletes an account, also one whose record does not open.  DM_OK,
 * DM_DECLINED: no such account, DM_ERROR.
 */
int dm_store_del(dm_store_t *store, dm_str_t id, dm_err_t *err);

/*
 * Calls fn for each account in the order of ids, secrets opened; the account
 * is wiped after the call.  fn returns DM_OK to go on, anything else ends the
 * walk and is its result.  A record that cannot be opened ends it with
 * DM_ERROR, unless bad is not NULL: then bad(id, err, data) is called for it.
 * Reads in one snapshot, or in the open write transaction.  fn may look
 * accounts up, and in a write transaction put and delete them, also the one
 * that it is called for; it must not begin or end a transaction.
 */
int dm_store_walk(dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data),
    int (*bad)(dm_str_t id, const dm_err_t *err, void *data),
    void *data, dm_err_t *err);

/*
 * In the write transaction, the next account as its record has it, in the order
 * of ids; it points into at, which the caller wipes.  DM_OK; DM_DECLINED: that
 * were all; DM_ERROR.
 */
int dm_store_next(dm_store_t *store, dm_store_next_t *at,
    dm_account_t *account, dm_err_t *err);

/*
 * Reads all of the store in one snapshot, and calls damage for each record
 * that cannot be opened, entry that an account lacks or does not hold, and
 * counter that is wrong; fn, which may be NULL, as dm_store_walk() does for
 * each account that can be opened.  What there is of damage is in *damages.
 * DM_OK: it was all read; DM_ERROR, or what fn returned.
 */
int dm_store_check(dm_store_t *store,
    int (*fn)(const dm_account_t *account, void *data),
    void (*damage)(const dm_err_t *what, void *data), void *data,
    uint64_t *damages, dm_err_t *err);

/*
 * The key that seals.  It is that of the meta record, whatever the order of
 * the key file: all writers see it change at one moment, and none can bring
 * the old one back, for each reads meta when its transaction begins.
 *
 * From this write transaction on it is the key of that id, which must be in
 * the key file.  Records that are there keep the one that sealed them.  DM_OK
 * or DM_ERROR.
 */
int dm_store_use_key(dm_store_t *store, const char *id, dm_err_t *err);

/*
 * In the write transaction, seals the next records with the key that seals;
 * nothing else of them changes.  bad is called for each that does not open.
 * DM_OK: there are more; DM_DECLINED: that were all; DM_ERROR.
 */
int dm_store_reseal(dm_store_t *store, dm_reseal_t *at,
    void (*bad)(const dm_err_t *why, void *data), void *data, dm_err_t *err);

/*
 * Counts the records that another key sealed, or that do not say which one
 * did.  DM_OK or DM_ERROR.
 */
int dm_store_count_others(dm_store_t *store, uint64_t *n, dm_err_t *err);

/*
 * Finds the other processes that have the store open with neither both keys
 * nor keys->key[0] alone.  pids->n is 0 if there are none, else how many there
 * are at least.  DM_OK or DM_ERROR.
 */
int dm_store_unaware(dm_store_t *store, const dm_keys_t *keys,
    dm_store_pids_t *pids, dm_err_t *err);

/*
 * Puts a copy that is whole from where it was made, beside path, in its place.
 * DM_OK, or anything else where it is still there, and is removed.
 */
typedef struct {
    int  (*put)(const char *fresh, void *data, dm_err_t *err);
    void  *data;
} dm_store_put_t;


/*
 * Makes a new store at path, which must not exist (its parent must), or where
 * put, which may be NULL, puts it: a copy of the store as it is now, without
 * the room that is free in it.  Owners and modes are those of the store at
 * like or, where that is NULL, as a new one has them that is owner's.  The
 * store can be open in any mode.  Where like has no data these are as its
 * directory is.  DM_OK, DM_INVALID, DM_EXISTS or DM_ERROR.
 */
int dm_store_copy(dm_store_t *store, const char *path, const char *like,
    const dm_store_owner_t *owner, const dm_store_put_t *put, dm_err_t *err);

/*
 * The halves of that, for two processes: one writes the data to fd, a file
 * open for writing, and what is disabled beside it to the other one; the other
 * process makes the store and calls fill for the two.
 * Nobody but this process can open what is there until it has its owners.
 */
int dm_store_send(dm_store_t *store, int fd, int disabled, dm_err_t *err);
int dm_store_receive(const char *path, const char *like,
    const dm_store_owner_t *owner,
    int (*fill)(int fd, int disabled, void *data, dm_err_t *err), void *data,
    const dm_store_put_t *put, dm_err_t *err);

/*
 * Writes the latter anew, with those that were disabled since, by who has sent
 * the data and still has the lock of the writers.  DM_OK or DM_ERROR.
 */
int dm_store_send_disabled(dm_store_t *store, int disabled, dm_err_t *err);

/*
 * Puts the store at fresh in the place of what is at path, in the same file
 * system, at once and when no writer is in that; it then has the name that name
 * gives.  aside[size] is that, or "" where nothing was at path.  To be called
 * by a put of the above, between waits that are told.  DM_OK or DM_ERROR.
 */
int dm_store_install(const char *fresh, const char *path,
    void (*name)(const char *path, char *aside, size_t size), char *aside,
    size_t size, dm_err_t *err);

/*
 * Looks whether all that is in the directory at path is a store's, by its
 * name.  DM_OK; DM_ERROR, and err says that it is not what it was to be.
 */
int dm_store_is_whole(const char *path, const char *what, dm_err_t *err);

/*
 * Removes the store at path, which is no link: its own files, and then the
 * directory.  DM_OK; DM_ERROR: other things are in it, or it is not ours.
 */
int dm_store_remove(const char *path, dm_err_t *err);

/*
 * Removes what a process has left at temp that was killed while it made a store
 * there, under the name of the store with six characters more.
 */
void dm_store_sweep(const char *temp);

/*
 * Waits until no worker has the store at path open, ms milliseconds at most,
 * and says who still has.  Those that see their store replaced open the new
 * one within a second.  DM_OK or DM_ERROR.
 */
int dm_store_left(const char *path, unsigned ms, dm_store_pids_t *pids,
    dm_err_t *err);


#endif /* DM_STORE_WRITE_H */
