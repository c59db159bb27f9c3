/*
 * The account store, for its own parts: locks, databases, transactions.
 *
 * Locks.  LMDB keeps the tools' readers from writers and writers from each
 * other, but with MDB_WRITEMAP it also cuts or extends the data file to what
 * it takes for the map size whenever it maps it, under no lock at all: a
 * writer that maps while another grows would cut off what that one has
 * committed.  So a writer holds an flock() on the file "write.lock" while it
 * opens the environment, and from before it looks at the size until its
 * transaction ends.  DM_STORE_BATCH goes without MDB_WRITEMAP beside writers
 * that have it: a system of one page cache, and commits that sync all of the
 * file before the number, make no difference of the two.
 *
 * A tool holds a fcntl() read lock on an octet of that file, by whose place a
 * rekey sees which keys the process has.  Another octet is locked while a tool
 * opens or closes the environment: LMDB, from 0.9.30 on, destroys its mutexes
 * when the last process closes it, and who opens it at that moment waits only
 * to use what is destroyed (EINVAL).
 *
 * Who only disables accounts does not wait for a writer: see
 * dm_store_disabled_file.h.
 *
 * Both lock files are the store's user's alone.  Workers use neither: see
 * dm_store_slot.h.
 */

#ifndef DM_STORE_INTERNAL_H
#define DM_STORE_INTERNAL_H


#include <lmdb.h>
#include <sys/types.h>

#include "dm_fleet_position.h"
#include "dm_store.h"
#include "dm_store_disabled_file.h"
#include "dm_store_slot.h"


#define DM_STORE_DATA     "data.mdb"
#define DM_STORE_LOCK     "lock.mdb"
#define DM_STORE_WRITERS  "write.lock"
#define DM_STORE_READERS  1024

/* tries to read a snapshot that ends meanwhile, before that is an error */
#define DM_STORE_TRIES    16

/* ms that a writer waits for readers, and once that is used up */
#define DM_STORE_PATIENCE  1000
#define DM_STORE_HASTE     10

/* the octets that are locked to change the file "disabled", by a tool that
   opens or closes the environment, and by an import */
#define DM_STORE_ASIDE     ((off_t) 0)
#define DM_STORE_GATE      ((off_t) 1)
#define DM_STORE_IMPORTS   ((off_t) 2)

/* the octets that are locked for keys */
#define DM_STORE_BADGES    ((off_t) 1 << 62)
#define DM_STORE_BADGES_N  ((off_t) 1 << 61)


typedef enum {
    DM_DB_ACCOUNT = 0,      /* id -> record */
    DM_DB_NAME,             /* name -> id */
    DM_DB_USERHASH,         /* algorithm (1), hash -> id */
    DM_DB_PSK,              /* identity -> id */
    DM_DB_CERT,             /* SHA-256 of the certificate key -> id */
    DM_DB_META,             /* DM_STORE_META_KEY -> the meta record */
    DM_DB_N
} dm_store_db_t;


/*
 * The meta record: format (16) | store id (16 octets) | realm str8
 * accounts (64) | lacks_sha256 (32) | lacks_md5 (31) | counted (1)
 * | the newest version that has written, sealed, bound to all of it.  Where an
 * older one wrote last, its own stands behind that and a blank, cut where there
 * is no more room: what it changed is not counted for the newest one.
 * The format comes first in every format there will be.  The map size is in
 * LMDB's own meta page.
 *
 * Versions before DM_VERSION_SIGNS seal nothing, and look at nothing.  0.1.0
 * has lacks_sha256 (64) in the place of the three: it leaves the bit as it is
 * and counts no more than that.  So what it wrote is not counted, whatever the
 * bit.
 */
#define DM_STORE_META_KEY  "meta"
#define DM_STORE_COUNTED   ((uint64_t) 1 << 31)
#define DM_STORE_META_MAX                                                     \
    (2 + DM_STORE_ID_SIZE + 1 + DM_REALM_MAX + 8 + 8 + DM_VERSION_MAX          \
     + DM_SEAL_OVERHEAD)
#define DM_STORE_META_BOUND  2

/* beside it, where the format says so: see dm_fleet_position.h */
#define DM_STORE_POSITION_KEY  "position"


/*
 * The database of counters, which a store of an older version has not: a kind
 * and a value -> so many accounts (64).  Groups come last.  An entry of the
 * kind DM_COUNT_ENDING without a value says that those were counted, too.
 */
#define DM_STORE_COUNT     "count"

#define DM_COUNT_STATE     'A'      /* the state */
#define DM_COUNT_HASHES    'B'      /* active: the set of hashes, (8) */
#define DM_COUNT_LAST_DAY  'C'      /* active: not_after in days, big-endian */
#define DM_COUNT_ENDING    'D'      /* the set of hashes, then that day */
#define DM_COUNT_GROUP     'G'      /* the group */

#define DM_COUNT_DAY_LEN   7        /* octets */


/* made when needed: the id of whom imports are to leave disabled -> the number
   of the transaction that marked him, (64) in this machine's order */
#define DM_STORE_MARKS     "kept"


struct dm_store_s {
    char             *path;
    char             *data;                 /* the path of its data file */
    dm_sealer_t      *sealer;
    MDB_env          *env;
    MDB_dbi           dbi[DM_DB_N];
    dev_t             dev;                  /* of the data file */
    ino_t             ino;

    MDB_txn          *read;                 /* NULL: the map was lost */
    unsigned          reading;              /* calls in it: walk, lookup */

    dm_disabled_t     disabled;
    unsigned char    *aside;                /* entries for it */
    size_t            aside_len;
    size_t            aside_size;
    char              aside_key[DM_KEY_ID_MAX]; /* that sealed the first */
    size_t            aside_key_len;
    int               aside_lifts;          /* 1: one takes another one back */

    dm_store_slot_t  *slot;                 /* of a worker, or NULL */
    uint64_t          looked;               /* its last look-up's snapshot */
    size_t            found_len;            /* the record that it found */
    uint64_t          newest;               /* the newest that was ever seen */
    int               stale;                /* another file in its place */
    int               elsewhere;            /* the writers' is another file */

    MDB_txn          *write;                /* NULL: none is open */
    dm_store_mode_t   mode;                 /* DM_STORE_BATCH is .._WRITE */
    int               batch;
    MDB_dbi           count;                /* in the write transaction */
    MDB_dbi           marks;                /* the same, where marked or made */
    unsigned          importing;            /* 1: this one imports */
    uint64_t          since;                /* the transaction before that */
    unsigned          beside_import;        /* 1: another imports */
    unsigned          marked;               /* 1: somebody is marked */
    uint64_t          kept;                 /* accounts that stayed disabled */
    int               lock;                 /* of a tool's lock file, or -1 */
    unsigned          patience;             /* ms, for readers */
    uint64_t          reserve;              /* octets, dm_store_reserve() */
    unsigned          begun;                /* 1: it has read meta */
    unsigned          changed;              /* 1: and changed something */

    struct dm_store_position_s  *position;  /* of the write transaction, or
                                               NULL: see dm_fleet_position.h */

    const struct dm_store_log_s  *log;      /* see dm_store_follow.h, or NULL */
    void             *log_data;
    unsigned          held;                 /* 1: in its begin */
    unsigned          logged;               /* 1: and it has begun */
    unsigned          head;                 /* 1: as long as the lock is had,
                                               the store is at its head */
    unsigned          told;                 /* 1: of a change */
    unsigned          applying;             /* 1: changes come from the log */
    unsigned          failed;               /* 1: this cannot be committed */

    off_t             badge;                /* of the keys it was opened with */

    dm_store_meta_t   meta;
    dm_store_meta_t   before;               /* the write transaction */
    unsigned char     realm[DM_REALM_MAX];  /* meta.realm points into it */

    unsigned char     known[DM_STORE_META_MAX]; /* meta, as it was last */
    size_t            known_len;
    uint64_t          known_txn;

    unsigned char     decoy[DM_RECORD_MAX];
    size_t            decoy_len;
    unsigned char     found[DM_RECORD_MAX]; /* sealed */
};


/* a key as it stands in a database */
typedef struct {
    dm_store_db_t     db;
    size_t            len;
    unsigned char     data[DM_ID_MAX];
} dm_store_key_t;


/* a key of a counter */
typedef struct {
    size_t            len;
    unsigned char     data[1 + DM_GROUP_MAX];
} dm_store_count_key_t;

/* those that count an account */
typedef struct {
    unsigned              n;
    dm_store_count_key_t  key[4 + DM_GROUPS];
} dm_store_count_keys_t;


/*
 * A store that is not yet opened, with its sealer and a configured env.
 * NULL with err; dm_store_close() frees it.
 */
dm_store_t *dm_store_new(const char *path, const dm_keys_t *keys,
    dm_err_t *err);

/*
 * Finds the octet that a process locks which has the store open with these
 * keys, its badge; DM_OK or DM_ERROR.
 */
int dm_store_badge(const dm_keys_t *keys, off_t *badge);

/* path "/" file, to be freed; NULL */
char *dm_store_join(const char *path, const char *file);

/* flags are 0 or MDB_CREATE.  DM_OK; DM_INVALID: one is not there; DM_ERROR */
int dm_store_databases(dm_store_t *store, MDB_txn *txn, unsigned flags,
    dm_err_t *err);

/*
 * Reads meta as txn sees it; that of the write transaction is store->meta, and
 * its record is written at its end.  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_store_read_meta(dm_store_t *store, MDB_txn *txn, dm_err_t *err);

/*
 * Reads the position as txn sees it, where meta was read.  DM_OK: the caller
 * wipes it; DM_DECLINED: the store has none; DM_INVALID: it was taken away, or
 * changed; DM_ERROR.
 */
int dm_store_fetch_position(dm_store_t *store, MDB_txn *txn,
    dm_fleet_position_t *position, dm_err_t *err);

/* the parts of the meta record's associated data */
void dm_store_bind_meta(dm_str_t *ad, const unsigned char *record,
    size_t len);

/*
 * The transaction to read in: the write transaction, or else the renewed
 * reading one, which dm_store_release() resets.  DM_OK or DM_ERROR.
 */
int dm_store_acquire(dm_store_t *store, MDB_txn **txn, dm_err_t *err);
void dm_store_release(dm_store_t *store);

/*
 * mdb_env_open() with these flags, of a file and of nothing else: for whatever
 * stands in its place it does not wait.  LMDB's result.
 */
int dm_store_open_env(const dm_store_t *store, MDB_env *env, unsigned flags);

/* the number of the last transaction, as LMDB has it, or 0 */
uint64_t dm_store_last(const dm_store_t *store);

/* begins a reading transaction, or renews *txn.  DM_OK or DM_ERROR */
int dm_store_start(dm_store_t *store, MDB_txn **txn, dm_err_t *err);

/*
 * To be called before and after each.  dm_store_acquire() and
 * dm_store_release() do it themselves.
 */
void dm_store_enter(dm_store_t *store);
void dm_store_leave(dm_store_t *store);

/*
 * 1 if what was read in the transaction that dm_store_acquire() gave was there
 * all the time; 0: it is to be read again, or the store to be opened again.
 */
int dm_store_settled(dm_store_t *store, MDB_txn *txn);

/* DM_ERROR, and err says why it did not settle */
int dm_store_moved(dm_store_t *store, dm_err_t *err);

/* DM_OK; DM_DECLINED: no account can have such a key; DM_ERROR */
int dm_store_key(dm_store_key_t *out, dm_store_index_t index, dm_str_t key);

/*
 * Copies the account's record into record[DM_RECORD_MAX].  DM_OK, DM_DECLINED
 * or DM_ERROR.
 */
int dm_store_fetch(dm_store_t *store, MDB_txn *txn, dm_str_t id,
    unsigned char *record, size_t *len, dm_err_t *err);

/* dm_account_decode(), and the record must be that account's */
int dm_store_decode(dm_store_t *store, dm_str_t id, unsigned char *record,
    size_t len, dm_account_t *account, dm_err_t *err);

/*
 * Brings the map to the size of the data file, which a writer that holds the
 * lock doubles where it is 90 % full, or would be with what is reserved.  No
 * transaction may be open.  DM_OK or DM_ERROR.
 */
int dm_store_fit(dm_store_t *store, dm_err_t *err);

/*
 * Waits for the other writer.  DM_OK; DM_DECLINED: longer than this process
 * will, see dm_store_on_wait(); DM_ERROR.
 */
int dm_store_lock(dm_store_t *store, dm_err_t *err);
void dm_store_unlock(dm_store_t *store);

/*
 * Shows other writers that an import is about to begin, before it waits for
 * them: see dm_store_write_marks.c.  DM_OK or DM_ERROR.
 */
int dm_store_show_import(dm_store_t *store, dm_err_t *err);

/* dm_store_last() of the file that is at the path now, or 0 */
uint64_t dm_store_number(const dm_store_t *store);

/* the same, of the file open at fd, which the writers of that store lock */
int dm_store_wait_lock(const char *path, int fd, dm_err_t *err);

/*
 * Gets a lock of that type on an octet of the file, or frees it; command is
 * F_SETLKW or F_OFD_SETLKW.  DM_OK or DM_ERROR, with errno.
 */
int dm_store_lock_octet(const char *path, int fd, int command, short type,
    off_t octet);

void dm_store_count_keys(const dm_account_t *account,
    dm_store_count_keys_t *keys);

/*
 * DM_OK: this version wrote the counters of dbi; DM_DECLINED: an older one,
 * which did not count all; DM_ERROR.
 */
int dm_store_count_is_whole(dm_store_t *store, MDB_txn *txn, MDB_dbi dbi,
    dm_err_t *err);
uint64_t dm_store_count_value(const MDB_val *value);

/*
 * Opens the file of those that are disabled beside the records, if the store
 * has one: see dm_store_disabled_file.h.  DM_OK; DM_INVALID: it cannot be used,
 * and err says what to do; DM_ERROR.
 */
int dm_disabled_open(dm_store_t *store, dm_err_t *err);
void dm_disabled_close(dm_store_t *store);

/* looks for a file that was made since, or is another one now */
void dm_disabled_tend(dm_store_t *store);

/* reads what is new in it, before a snapshot is chosen.  DM_OK or DM_ERROR */
int dm_disabled_read(dm_store_t *store, dm_err_t *err);

/* 1 if nothing has changed in it since, else 0 */
int dm_disabled_same(const dm_store_t *store);

/* the number of its last change; 0: there is no file */
uint64_t dm_disabled_changes(const dm_store_t *store);

/* the ids of those that were read: 1 if it has that one, else 0 */
int dm_disabled_has(const dm_disabled_t *disabled, dm_str_t id);

/*
 * Makes a disabled one of an account that stands in what was read; not within
 * a write transaction, which began by taking all over.
 */
void dm_disabled_apply(const dm_store_t *store, dm_account_t *account);

/* calls fn for each id; it returns DM_OK to go on, and else ends the walk */
int dm_disabled_walk(const dm_store_t *store,
    int (*fn)(dm_str_t id, void *data), void *data);

/* the associated data of an entry */
void dm_disabled_bind(const dm_store_t *store, dm_str_t id, dm_str_t *ad);

/* DM_ERROR, and err says that what failed for LMDB's reason rc */
int dm_store_fail(dm_store_t *store, int rc, const char *what, dm_err_t *err);


#endif /* DM_STORE_INTERNAL_H */
