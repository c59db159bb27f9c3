/*
 * The account store: one LMDB environment, a directory.  Named databases:
 * account (id -> record), name, userhash, psk, cert (key -> id), meta, count.
 */

#ifndef DM_STORE_H
#define DM_STORE_H


#include <sys/stat.h>

#include "dm.h"
#include "dm_account.h"
#include "dm_version.h"


#define DM_STORE_FORMAT    1

/* the same, with a position: see dm_store_keep_position() */
#define DM_STORE_FORMAT_POSITION  2

#define DM_REALM_MAX       255


typedef struct dm_store_s  dm_store_t;


typedef struct {
    unsigned       format;
    unsigned char  id[DM_STORE_ID_SIZE];
    dm_str_t       realm;           /* lives as long as the store is open */
    uint64_t       accounts;
    unsigned       counted;         /* 0: an older version wrote last */
    uint64_t       lacks_md5;       /* active, have SHA-256 alone of both */
    uint64_t       lacks_sha256;    /* the same, MD5 */
    uint64_t       map_size;        /* octets */
    char           key_id[DM_KEY_ID_MAX + 1];   /* names the key that seals */
    char           writer[DM_VERSION_MAX + 1];   /* the newest version that has
                                                   written; "": before that */
} dm_store_meta_t;


/* the state of a store, as dm_store_stat() reads it */
typedef struct {
    uint64_t       accounts;
    uint64_t       map_used;        /* octets, free pages in it included */
    uint64_t       map_size;        /* octets */
    unsigned       readers;         /* workers that have it open */
    unsigned       readers_max;
    int64_t        changed;         /* seconds since 1970 */
} dm_store_stat_t;


/* where a store stands that follows a log: see docs/fleet.md */
typedef struct {
    uint64_t       number;          /* of the last entry that is in it */
    int64_t        beaten;          /* seconds since 1970: the log's end was
                                       known then; 0: it never was */
    unsigned       state;           /* a dm_fleet_state_t */
} dm_store_replica_t;


/* the ways to open a store */
typedef enum {
    DM_STORE_PEEK,      /* read, without the lock file: a backup, which
                           nobody writes */
    DM_STORE_SERVE,     /* read, with a slot that writers see: workers */
    DM_STORE_READ,      /* read, in LMDB's own table of readers: tools */
    DM_STORE_WRITE,     /* tools, and transactions of any size */
    DM_STORE_BATCH,     /* the same, for thousands of changes at most in each:
                           faster, and the changed pages are in memory */
    DM_STORE_IMPORT     /* as DM_STORE_WRITE, for what was asked for before
                           others change the store: an account that somebody
                           disables or deletes from now on, and does not make
                           active again, is a disabled one for dm_store_put(),
                           whatever that is told */
} dm_store_mode_t;


/* the keys that an account can be looked up by */
typedef enum {
    DM_BY_ID,
    DM_BY_NAME,
    DM_BY_USERHASH_MD5,         /* the raw hash */
    DM_BY_USERHASH_SHA512_256,
    DM_BY_USERHASH_SHA256,
    DM_BY_PSK,                  /* the identity */
    DM_BY_CERT                  /* a certificate key */
} dm_store_index_t;


/*
 * Opens the store and proves that keys are its keys.  One environment per
 * process and path at a time (LMDB), never carried across a fork.
 * DM_OK; DM_INVALID: absent, another format, a wrong key, not readable, and
 * err says which and what to do; DM_ERROR.
 */
int dm_store_open(dm_store_t **store, const char *path, dm_store_mode_t mode,
    const dm_keys_t *keys, dm_err_t *err);

/* NULL is accepted */
void dm_store_close(dm_store_t *store);

/*
 * The meta record as of the last dm_store_open() or dm_store_refresh(), or of
 * the open write transaction.
 */
const dm_store_meta_t *dm_store_meta(const dm_store_t *store);

/*
 * Reads dm_store_meta() anew, for a long reader.  DM_OK, or DM_ERROR and it is
 * what it was.
 */
int dm_store_refresh(dm_store_t *store, dm_err_t *err);

/*
 * 1 if what stands at the path is no longer the environment that is open
 * (replaced by rename, gone, or another file, as dm_store_tend() has seen), or
 * if that could not be mapped anew when it grew: then it must be opened again;
 * else 0.  Costs one stat().
 */
int dm_store_replaced(const dm_store_t *store);

/* 1 if it was replaced, and that by a copy over the file that is open */
int dm_store_stale(const dm_store_t *store);

/*
 * Housekeeping of a long reader, once a second: looks whether another file was
 * copied over the one that is open, or whether writers have another one, which
 * stat() does not tell on an overlay; and frees the slots of dead tools.
 */
void dm_store_tend(dm_store_t *store);

/*
 * Shows a worker to the store's writers anew, if what showed it was removed.
 * It must not be in a look-up.  DM_OK; DM_INVALID or DM_ERROR: no writer sees
 * it, and err says why.
 */
int dm_store_show(dm_store_t *store, dm_err_t *err);

/*
 * Looks an account up.  The record is copied into record[DM_RECORD_MAX] and
 * decoded there, no transaction stays open.  The sealed part's tag is proven,
 * and the account itself must hold the key that it was found by.  key must not
 * point into record.  The caller wipes both record (*len octets) and account.
 *
 * DM_OK; DM_DECLINED: there is none, and then record and account hold a decoy
 * that took the same time to open, has an HA1 for each algorithm and a PSK,
 * and matches nothing, so that the caller can go on as if it had been found;
 * DM_ERROR: the store failed, or was replaced meanwhile, err says how, and
 * nothing is known of the key.
 */
int dm_store_lookup(dm_store_t *store, dm_store_index_t index, dm_str_t key,
    unsigned char *record, size_t *len, dm_account_t *account, dm_err_t *err);

/*
 * The record of the account that the last dm_store_lookup() found, as it stands
 * in the store, sealed: until the next one.
 */
dm_str_t dm_store_record(const dm_store_t *store);

/*
 * Looks whether an account that was looked up is still true, which costs a
 * tenth of a look-up: record is dm_store_record() as it was then, of this very
 * opening of the store, and account what was decoded.  Each change of an
 * account gives it another record, and a key that it holds is no other's.
 *
 * DM_OK: whatever key of it was looked up, that would find the same now, and
 * dm_store_looked() is the number that this is true of; DM_DECLINED: look it up
 * again, because it is another one, or disabled, or the store failed.
 */
int dm_store_same(dm_store_t *store, dm_str_t record,
    const dm_account_t *account);

/*
 * A number that grows with each change that is committed, by whatever process.
 * What was looked up is still true while dm_store_version() is the same as
 * dm_store_looked() was then, and not as it was itself: the one is the store's
 * number now, which may have come after what was read, the other that of the
 * snapshot which the last dm_store_lookup() or dm_store_same() read.  Neither
 * costs a transaction.  0: it cannot be told, as of a store that must be opened
 * again.
 */
uint64_t dm_store_version(const dm_store_t *store);
uint64_t dm_store_looked(const dm_store_t *store);

/* stats the data file of the store at path, open or not; DM_OK or DM_ERROR */
int dm_store_stat_data(const char *path, struct stat *sb);

/* reads the store's state now; DM_OK or DM_ERROR */
int dm_store_stat(dm_store_t *store, dm_store_stat_t *out, dm_err_t *err);

/*
 * Reads where the store stands.  DM_OK; DM_DECLINED: it follows no log;
 * DM_INVALID: its position was taken away or changed, and err says so;
 * DM_ERROR.
 */
int dm_store_replica(dm_store_t *store, dm_store_replica_t *replica,
    dm_err_t *err);

/* for dm_store_on_wait(): the lock of the store's writer, on no octet */
#define DM_STORE_WRITER  ((off_t) -1)

/*
 * fn, or NULL, is called where a signal comes while this process, a tool, waits
 * for a lock that another one has on the file of fd, of the store at path:
 * DM_STORE_WRITER, or a lock of fcntl() on that octet, which tools have for a
 * moment each.  Where it returns DM_DECLINED for the writer's the wait ends,
 * and with it dm_store_open() or dm_store_begin(), which return that; DM_OK is
 * to wait on.
 */
void dm_store_on_wait(int (*fn)(const char *path, int fd, off_t octet));


#endif /* DM_STORE_H */
