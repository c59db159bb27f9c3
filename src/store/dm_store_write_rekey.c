/* The change from one store key to the next: its records and its processes */

#define _GNU_SOURCE     /* getline() */

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_write_internal.h"


/* words of a line of /proc/locks; the octets of it that are read at once */
#define DM_UNAWARE_WORDS   7
#define DM_UNAWARE_BUFFER  65536


/* the badges of processes that know the new key */
typedef struct {
    off_t             both;
    off_t             alone;
    dm_store_pids_t  *pids;
} dm_unaware_t;


static int dm_reseal_records(dm_store_t *store, MDB_cursor *cursor,
    dm_reseal_t *at, void (*bad)(const dm_err_t *why, void *data), void *data,
    dm_err_t *err);
static int dm_reseal_record(dm_store_t *store, dm_str_t id,
    unsigned char *record, size_t len, size_t *octets, dm_err_t *why,
    dm_err_t *err);
static int dm_reseal_is_ours(dm_store_t *store, unsigned char *record,
    size_t len);

static int dm_unaware_in(dm_store_t *store, off_t from, off_t to,
    dm_store_pids_t *pids, dm_err_t *err);
static void dm_unaware_name(dm_store_t *store, off_t from, off_t to,
    dm_store_pids_t *pids);
static pid_t dm_unaware_parse(char *line, ino_t ino, off_t *start);
static int dm_unaware_slot(const dm_slot_seen_t *seen, void *data);


int
dm_store_use_key(dm_store_t *store, const char *id, dm_err_t *err)
{
    dm_str_t  key;

    key = (dm_str_t) { (const unsigned char *) id, strlen(id) };

    if (dm_sealer_use(store->sealer, key) != DM_OK) {
        dm_err_set(err, "key \"%s\" is not in the key file", id);
        return DM_ERROR;
    }

    memcpy(store->meta.key_id, key.data, key.len);
    store->meta.key_id[key.len] = '\0';
    store->changed = 1;

    return DM_OK;
}


int
dm_store_reseal(dm_store_t *store, dm_reseal_t *at,
    void (*bad)(const dm_err_t *why, void *data), void *data, dm_err_t *err)
{
    int          rc;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(store->write, store->dbi[DM_DB_ACCOUNT], &cursor);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    rc = dm_reseal_records(store, cursor, at, bad, data, err);

    mdb_cursor_close(cursor);

    return rc;
}


static int
dm_reseal_records(dm_store_t *store, MDB_cursor *cursor, dm_reseal_t *at,
    void (*bad)(const dm_err_t *why, void *data), void *data, dm_err_t *err)
{
    int            rc;
    size_t         len, octets;
    dm_err_t       why;
    unsigned       n;
    unsigned char  record[DM_RECORD_MAX];

    octets = 0;

    for (n = 0; n < DM_RESEAL_RECORDS && octets < DM_RESEAL_OCTETS; n++) {

        rc = dm_store_step(store, cursor, at->name, &at->len, record, &len,
                           err);
        if (rc != DM_OK) {
            return rc;
        }

        at->seen++;

        if (dm_reseal_is_ours(store, record, len)) {
            continue;
        }

        rc = dm_reseal_record(store, (dm_str_t) { at->name, at->len }, record,
                              len, &octets, &why, err);

        if (rc == DM_ERROR) {
            return DM_ERROR;
        }

        if (rc == DM_DECLINED) {
            at->closed++;
            bad(&why, data);
            continue;
        }

        at->resealed++;
    }

    return DM_OK;
}


/* DM_OK; DM_DECLINED: it does not open, and why says so; DM_ERROR */
static int
dm_reseal_record(dm_store_t *store, dm_str_t id, unsigned char *record,
    size_t len, size_t *octets, dm_err_t *why, dm_err_t *err)
{
    int            rc;
    size_t         outlen;
    dm_account_t   account;
    unsigned char  out[DM_RECORD_MAX];

    if (dm_store_decode(store, id, record, len, &account, why) != DM_OK) {
        return DM_DECLINED;
    }

    rc = dm_account_encode(&account, store->sealer, store->meta.id, out,
                           &outlen, err);

    dm_account_wipe(&account);
    OPENSSL_cleanse(record, len);

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    *octets += outlen;

    return dm_store_set(store, DM_DB_ACCOUNT, id,
                        (dm_str_t) { out, outlen }, err);
}


/* 1 if the key that seals has sealed it, as it says; else 0 */
static int
dm_reseal_is_ours(dm_store_t *store, unsigned char *record, size_t len)
{
    dm_str_t  id;

    return dm_account_sealed_key(record, len, &id) == DM_OK
           && dm_str_eq(id, dm_sealer_key(store->sealer));
}


int
dm_store_count_others(dm_store_t *store, uint64_t *n, dm_err_t *err)
{
    int             rc;
    size_t          len, name_len;
    MDB_txn        *txn;
    MDB_cursor     *cursor;
    unsigned char   name[DM_STORE_NAME_MAX], record[DM_RECORD_MAX];

    *n = 0;
    name_len = 0;

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = mdb_cursor_open(txn, store->dbi[DM_DB_ACCOUNT], &cursor);

    if (rc != 0) {
        dm_store_release(store);
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    for ( ;; ) {
        rc = dm_store_step(store, cursor, name, &name_len, record, &len, err);

        if (rc != DM_OK) {
            break;
        }

        *n += (uint64_t) !dm_reseal_is_ours(store, record, len);
    }

    mdb_cursor_close(cursor);
    dm_store_release(store);

    return rc == DM_DECLINED ? DM_OK : rc;
}


/*
 * All badges but two are of other keys, so these look at the octets before,
 * between and behind the two.
 */
int
dm_store_unaware(dm_store_t *store, const dm_keys_t *keys,
    dm_store_pids_t *pids, dm_err_t *err)
{
    off_t              low, high;
    dm_keys_t          first;
    dm_unaware_t       unaware;

    memset(pids, 0, sizeof(dm_store_pids_t));

    first = *keys;
    first.n = 1;

    unaware.pids = pids;

    if (dm_store_badge(keys, &unaware.both) != DM_OK
        || dm_store_badge(&first, &unaware.alone) != DM_OK)
    {
        dm_keys_wipe(&first);
        dm_err_set(err, "OpenSSL makes no HMAC");
        return DM_ERROR;
    }

    dm_keys_wipe(&first);

    low = unaware.both;
    high = unaware.alone;

    if (low > high) {
        low = unaware.alone;
        high = unaware.both;
    }

    if (dm_unaware_in(store, DM_STORE_BADGES, low, pids, err) != DM_OK
        || dm_unaware_in(store, low + 1, high, pids, err) != DM_OK
        || dm_unaware_in(store, high + 1, DM_STORE_BADGES + DM_STORE_BADGES_N,
                         pids, err)
           != DM_OK)
    {
        return DM_ERROR;
    }

    return dm_slots_walk(store->path, dm_unaware_slot, &unaware, err);
}


static int
dm_unaware_slot(const dm_slot_seen_t *seen, void *data)
{
    dm_unaware_t  *unaware;

    unaware = data;

    if (seen->alive && seen->content.badge != (uint64_t) unaware->both
        && seen->content.badge != (uint64_t) unaware->alone)
    {
        dm_store_add_slot(unaware->pids, seen);
    }

    return DM_OK;
}


/* adds those who hold a lock on one of the octets up to the one at to */
static int
dm_unaware_in(dm_store_t *store, off_t from, off_t to, dm_store_pids_t *pids,
    dm_err_t *err)
{
    unsigned      n;
    struct flock  lock;

    if (from >= to) {
        return DM_OK;
    }

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = from;
    lock.l_len = to - from;

    if (fcntl(store->lock, F_GETLK, &lock) == -1) {
        return dm_store_fail(store, errno, "cannot be asked who reads it",
                             err);
    }

    if (lock.l_type == F_UNLCK) {
        return DM_OK;
    }

    /*
     * lock names one process; the kernel's list has all that are seen from
     * here.
     */

    n = pids->n;
    dm_unaware_name(store, from, to, pids);

    if (pids->n == n) {
        dm_store_add_pid(pids, lock.l_pid > 0 ? lock.l_pid : 0);
    }

    return DM_OK;
}


static void
dm_unaware_name(dm_store_t *store, off_t from, off_t to,
    dm_store_pids_t *pids)
{
    FILE         *locks;
    char         *line;
    off_t         start;
    pid_t         pid;
    size_t        size;
    struct stat   sb;

    if (fstat(store->lock, &sb) == -1) {
        return;
    }

    locks = fopen("/proc/locks", "re");
    if (locks == NULL) {
        return;
    }

    /* a page at once: between two reads the kernel's list may change */

    (void) setvbuf(locks, NULL, _IOFBF, DM_UNAWARE_BUFFER);

    line = NULL;
    size = 0;

    while (getline(&line, &size, locks) != -1) {
        pid = dm_unaware_parse(line, sb.st_ino, &start);

        if (pid > 0 && pid != getpid() && start >= from && start < to) {
            dm_store_add_pid(pids, pid);
        }
    }

    free(line);
    (void) fclose(locks);
}


/*
 * "1: POSIX  ADVISORY  READ 1234 fe:00:5678 START END": the pid and where the
 * lock starts, 0 if it is another kind of lock or on another file.
 */
static pid_t
dm_unaware_parse(char *line, ino_t ino, off_t *start)
{
    char      *word[DM_UNAWARE_WORDS], *number, *rest;
    unsigned   i;

    rest = line;

    for (i = 0; i < DM_UNAWARE_WORDS; i++) {
        word[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);

        if (word[i] == NULL) {
            return 0;
        }
    }

    number = strrchr(word[5], ':');

    if (strcmp(word[1], "POSIX") != 0 || strcmp(word[3], "READ") != 0
        || number == NULL || strtoull(number + 1, NULL, 10) != ino)
    {
        return 0;
    }

    *start = strtoll(word[6], NULL, 10);

    return (pid_t) strtol(word[4], NULL, 10);
}
