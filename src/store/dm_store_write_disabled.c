/* Accounts that are disabled beside the store's writer, and taken over */

#define _GNU_SOURCE     /* F_OFD_SETLKW */

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dm_store_holders.h"
#include "dm_store_write_internal.h"
#include "dm_wire.h"


#define DM_DISABLED_NAP       20000000      /* ns */

/* naps for workers that do not yet read the file: they look once a second */
#define DM_DISABLED_NAPS      75

/* octets of the map that the taking over of an account may need */
#define DM_DISABLED_RESERVE   (16 * 4096)


/* the file, open to be changed, with its lock */
typedef struct {
    int                  lock;
    int                  opened;            /* of this, or of the store: 0 */
    int                  fd;
    ino_t                ino;
    dm_disabled_head_t  *head;
} dm_disabled_edit_t;

/* a walk through the ids */
typedef struct {
    dm_store_t          *store;
    dm_err_t            *err;
} dm_disabled_call_t;


static int dm_disabled_ensure(dm_store_t *store, dm_err_t *err);
static int dm_disabled_open_edit(const char *path, int lock,
    dm_disabled_edit_t *edit, dm_err_t *err);
static void dm_disabled_close_edit(dm_disabled_edit_t *edit);
static int dm_disabled_open_file(const char *path, const char *file,
    int flags, dm_err_t *err);
static int dm_disabled_lock(const char *path, int fd, short type,
    dm_err_t *err);
static int dm_disabled_fill(int fd, off_t size, dm_err_t *err);
static void dm_disabled_head(unsigned char *page, uint64_t len);
static int dm_disabled_edit(dm_store_t *store, dm_disabled_edit_t *edit,
    dm_err_t *err);
static void dm_disabled_publish(dm_disabled_edit_t *edit, uint64_t len,
    int lifts);
static int dm_disabled_edited(dm_disabled_edit_t *edit);
static int dm_disabled_waits(const dm_store_t *store);
static int dm_disabled_take_over(dm_store_t *store, dm_err_t *err);
static int dm_disabled_take(dm_str_t id, void *data);
static int dm_disabled_follows(const dm_slot_seen_t *seen, void *data);
static int dm_disabled_aged(dm_store_t *store, dm_err_t *err);
static int dm_disabled_append(dm_store_t *store, dm_disabled_edit_t *edit,
    dm_err_t *err);
static int dm_disabled_send(dm_store_t *store, int disabled, dm_err_t *err);
static int dm_disabled_all(dm_store_t *store, dm_err_t *err);
static int dm_disabled_again(dm_str_t id, void *data);
static int dm_disabled_write(int fd, const unsigned char *data, size_t len,
    off_t at);
static int dm_disabled_failed(const dm_store_t *store, dm_err_t *err);


int
dm_disabled_make(const char *path, dm_err_t *err)
{
    dm_disabled_edit_t  edit;

    if (dm_disabled_open_edit(path, -1, &edit, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_disabled_close_edit(&edit);

    return DM_OK;
}


/*
 * Opens the file and gets the lock for it; makes it where it is not.  A process
 * that has the store's lock file open must not open it once more: with that
 * closed, its fcntl() locks on the file would be gone.
 */
static int
dm_disabled_open_edit(const char *path, int lock, dm_disabled_edit_t *edit,
    dm_err_t *err)
{
    int          rc;
    struct stat  sb;

    edit->opened = (lock == -1);
    edit->lock = edit->opened
                 ? dm_disabled_open_file(path, DM_STORE_WRITERS, 0, err)
                 : lock;

    if (edit->lock == -1) {
        return DM_ERROR;
    }

    edit->fd = -1;
    rc = dm_disabled_lock(path, edit->lock, F_WRLCK, err);

    if (rc == DM_OK) {
        edit->fd = dm_disabled_open_file(path, DM_STORE_DISABLED, O_CREAT,
                                         err);
        rc = edit->fd == -1 ? DM_ERROR : DM_OK;
    }

    if (rc == DM_OK && fstat(edit->fd, &sb) == -1) {
        dm_err_set(err, "\"%s/" DM_STORE_DISABLED "\" cannot be examined: %s",
                   path, strerror(errno));
        rc = DM_ERROR;
    }

    if (rc == DM_OK) {
        rc = sb.st_size < DM_DISABLED_SIZE
             ? dm_disabled_fill(edit->fd, sb.st_size, err) : DM_OK;
        edit->ino = sb.st_ino;
    }

    if (rc != DM_OK) {
        dm_disabled_close_edit(edit);
    }

    return rc;
}


static void
dm_disabled_close_edit(dm_disabled_edit_t *edit)
{
    if (edit->fd != -1) {
        close(edit->fd);
    }

    if (edit->opened) {
        close(edit->lock);

    } else {
        (void) dm_disabled_lock(NULL, edit->lock, F_UNLCK, NULL);
    }
}


/* a file of the store, and nothing that somebody put in its place; or -1 */
static int
dm_disabled_open_file(const char *path, const char *file, int flags,
    dm_err_t *err)
{
    int          fd;
    char        *name;
    struct stat  sb;

    name = dm_store_join(path, file);
    if (name == NULL) {
        dm_err_set(err, "out of memory");
        return -1;
    }

    fd = open(name, O_RDWR|O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC|flags,
              0644);

    if (fd == -1) {
        dm_err_set(err, "\"%s\" cannot be opened: %s", name, strerror(errno));

    } else if (fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode)
               || sb.st_nlink != 1)
    {
        dm_err_set(err, "\"%s\" is not what a store has there: no file, or one "
                   "with several names; \"dm-account check --permissions\" "
                   "says what to do", name);
        close(fd);
        fd = -1;
    }

    free(name);

    return fd;
}


/* an octet of write.lock: who can only read the other file could lock that */
static int
dm_disabled_lock(const char *path, int fd, short type, dm_err_t *err)
{
    if (dm_store_lock_octet(path, fd, F_OFD_SETLKW, type, DM_STORE_ASIDE)
        != DM_OK)
    {
        dm_err_set(err, "\"" DM_STORE_WRITERS "\" of the store cannot be "
                   "locked: %s", strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}


/* the directory keeps others out, whatever the workers' group is */
static int
dm_disabled_fill(int fd, off_t size, dm_err_t *err)
{
    unsigned char  page[DM_DISABLED_SIZE];

    /* a text that somebody has put there is not for us to overwrite */

    if (size != 0
        && (pread(fd, page, sizeof(DM_DISABLED_MAGIC) - 1, 0)
            != (ssize_t) sizeof(DM_DISABLED_MAGIC) - 1
            || memcmp(page, DM_DISABLED_MAGIC, sizeof(DM_DISABLED_MAGIC) - 1)
               != 0))
    {
        dm_err_set(err, "\"" DM_STORE_DISABLED "\" of the store is not what a "
                   "store has there, by what is in it: look what it is, and "
                   "remove it");
        return DM_ERROR;
    }

    dm_disabled_head(page, 0);

    if (fchmod(fd, 0644) == -1
        || dm_disabled_write(fd, page, sizeof(page), 0) != DM_OK
        || fsync(fd) == -1)
    {
        dm_err_set(err, "\"" DM_STORE_DISABLED "\" of the store cannot be "
                   "written: %s", strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}


/* the number of a file that is made again has not been there before */
static void
dm_disabled_head(unsigned char *page, uint64_t len)
{
    struct timespec      ts;
    dm_disabled_head_t   head;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    memcpy(head.magic, DM_DISABLED_MAGIC, sizeof(head.magic));
    head.changes = ((uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec)
                   & ~(uint64_t) 1;
    head.cleared = 0;
    head.len = len;

    memset(page, 0, DM_DISABLED_SIZE);
    memcpy(page, &head, sizeof(dm_disabled_head_t));
}


/* opens the file that is at the path now, made if it must be */
static int
dm_disabled_ensure(dm_store_t *store, dm_err_t *err)
{
    dm_disabled_edit_t  edit;

    dm_disabled_tend(store);

    if (store->disabled.head != NULL) {
        return DM_OK;
    }

    if (dm_disabled_open_edit(store->path, store->lock, &edit, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_disabled_close_edit(&edit);
    dm_disabled_close(store);

    if (dm_disabled_open(store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (store->disabled.head == NULL) {
        dm_err_set(err, "\"%s/" DM_STORE_DISABLED "\" was removed at this "
                   "moment", store->path);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_disabled_edit(dm_store_t *store, dm_disabled_edit_t *edit, dm_err_t *err)
{
    void  *head;

    if (dm_disabled_open_edit(store->path, store->lock, edit, err) != DM_OK) {
        return DM_ERROR;
    }

    head = mmap(NULL, sizeof(dm_disabled_head_t), PROT_READ|PROT_WRITE,
                MAP_SHARED, edit->fd, 0);

    if (head == MAP_FAILED) {
        (void) dm_disabled_failed(store, err);
        dm_disabled_close_edit(edit);
        return DM_ERROR;
    }

    edit->head = head;

    return DM_OK;
}


/* shows readers as much of the file; see dm_store_disabled_file.h */
static void
dm_disabled_publish(dm_disabled_edit_t *edit, uint64_t len, int lifts)
{
    dm_disabled_head_t  *head;

    head = edit->head;

    /* it is odd already where somebody was killed */

    (void) __atomic_add_fetch(&head->changes, 1 + head->changes % 2,
                              __ATOMIC_SEQ_CST);

    if (head->len == 0 || len == 0 || lifts) {
        (void) __atomic_add_fetch(&head->cleared, 1, __ATOMIC_SEQ_CST);
    }

    __atomic_store_n(&head->len, len, __ATOMIC_SEQ_CST);

    (void) __atomic_add_fetch(&head->changes, 1, __ATOMIC_SEQ_CST);
}


/* all of it is on the disk */
static int
dm_disabled_edited(dm_disabled_edit_t *edit)
{
    int  rc;

    rc = msync(edit->head, sizeof(dm_disabled_head_t), MS_SYNC) == 0
         && fsync(edit->fd) == 0 ? DM_OK : DM_ERROR;

    (void) munmap(edit->head, sizeof(dm_disabled_head_t));
    dm_disabled_close_edit(edit);

    return rc;
}


int
dm_disabled_settle(dm_store_t *store, dm_err_t *err)
{
    int       rc;
    uint64_t  reserve;

    (void) dm_disabled_ensure(store, NULL);

    if (!dm_disabled_waits(store)) {
        return DM_OK;
    }

    rc = dm_here_confirm(store, err);

    if (rc != DM_DECLINED) {
        return rc;
    }

    reserve = store->reserve;
    rc = DM_OK;

    while (rc == DM_OK && dm_disabled_waits(store)) {
        rc = dm_disabled_take_over(store, err);
    }

    store->reserve = reserve;

    return rc;
}


/* 1 if something stands in the file, else 0 */
static int
dm_disabled_waits(const dm_store_t *store)
{
    return store->disabled.head != NULL
           && __atomic_load_n(&store->disabled.head->len, __ATOMIC_SEQ_CST)
              != 0;
}


static int
dm_disabled_take_over(dm_store_t *store, dm_err_t *err)
{
    dm_disabled_call_t  call;

    if (dm_disabled_read(store, err) != DM_OK) {
        return DM_ERROR;
    }

    store->reserve = (uint64_t) store->disabled.n * DM_DISABLED_RESERVE;

    if (dm_store_begin_locked(store, err) != DM_OK) {
        return DM_ERROR;
    }

    call = (dm_disabled_call_t) { store, err };

    if (dm_disabled_walk(store, dm_disabled_take, &call) != DM_OK) {
        dm_store_abort_locked(store);
        return DM_ERROR;
    }

    if (dm_store_commit_locked(store, err) != DM_OK) {
        return DM_ERROR;
    }

    return dm_disabled_clear(store, err);
}


/*
 * An account that is gone lets nobody in, nor does one that does not open with
 * the key that it names.  One whose key is not here may open for others, to
 * whom the entry must not be lost.
 */
static int
dm_disabled_take(dm_str_t id, void *data)
{
    int                  rc;
    size_t               len;
    dm_str_t             key;
    dm_account_t         account;
    unsigned char        record[DM_RECORD_MAX];
    dm_disabled_call_t  *call;

    call = data;

    rc = dm_store_fetch(call->store, call->store->write, id, record, &len,
                        call->err);
    if (rc != DM_OK) {
        return rc == DM_DECLINED ? DM_OK : DM_ERROR;
    }

    if (dm_account_sealed_key(record, len, &key) == DM_OK
        && !dm_sealer_has(call->store->sealer, key))
    {
        dm_err_set(call->err, "account \"%.*s\" was disabled while another "
                   "process wrote to store \"%s\", and its record is sealed "
                   "with key \"%.*s\", which the key file does not have: use "
                   "the key file that has both keys, for nothing can be "
                   "written with this one", (int) id.len,
                   (const char *) id.data, call->store->path, (int) key.len,
                   (const char *) key.data);
        return DM_ERROR;
    }

    if (dm_store_decode(call->store, id, record, len, &account, NULL)
        != DM_OK)
    {
        return DM_OK;
    }

    rc = DM_OK;

    if (account.state != DM_DISABLED) {
        account.state = DM_DISABLED;
        rc = dm_store_put(call->store, &account, call->err);
    }

    if (rc == DM_OK && (call->store->importing || call->store->beside_import)) {
        rc = dm_marks_add(call->store, &account, call->err);
    }

    dm_account_wipe(&account);
    OPENSSL_cleanse(record, len);

    return rc;
}


/* where more came meanwhile all stays: it is taken over again, for no harm */
int
dm_disabled_clear(dm_store_t *store, dm_err_t *err)
{
    dm_disabled_edit_t  edit;

    if (dm_disabled_edit(store, &edit, err) != DM_OK) {
        return DM_ERROR;
    }

    if (edit.ino == store->disabled.ino
        && edit.head->len == store->disabled.len)
    {
        dm_disabled_publish(&edit, 0, 0);
    }

    return dm_disabled_edited(&edit) == DM_OK ? DM_OK
                                         : dm_disabled_failed(store, err);
}


int
dm_store_beside(dm_store_t *store, dm_err_t *err)
{
    int                  rc;
    unsigned             naps;
    struct timespec      ts;
    dm_disabled_call_t   call;

    if (dm_disabled_ensure(store, err) != DM_OK) {
        return DM_ERROR;
    }

    call = (dm_disabled_call_t) { store, NULL };

    for (naps = 0; /* void */ ; naps++) {

        /* the last one tells which it is */

        if (naps == DM_DISABLED_NAPS) {
            call.err = err;
        }

        rc = dm_slots_walk(store->path, dm_disabled_follows, &call, err);

        if (rc != DM_DECLINED || naps == DM_DISABLED_NAPS) {
            return rc;
        }

        ts.tv_sec = 0;
        ts.tv_nsec = DM_DISABLED_NAP;
        (void) nanosleep(&ts, NULL);
    }
}


static int
dm_disabled_follows(const dm_slot_seen_t *seen, void *data)
{
    char                 who[DM_STORE_LOSERS_LEN];
    dm_disabled_call_t  *call;

    call = data;

    if (!seen->alive
        || seen->content.follows == (uint64_t) call->store->disabled.ino)
    {
        return DM_OK;
    }

    if (call->err != NULL) {
        dm_store_write_slot(who, seen);
        dm_err_set(call->err, "%s, does not read its file "
                   "\"" DM_STORE_DISABLED "\", as nginx of an older version "
                   "does not: restart that nginx", who);
    }

    return DM_DECLINED;
}


int
dm_store_disable(dm_store_t *store, dm_str_t id, dm_err_t *err)
{
    return dm_disabled_note(store, id, "", err);
}


int
dm_disabled_note(dm_store_t *store, dm_str_t id, const char *lift,
    dm_err_t *err)
{
    size_t          len;
    dm_str_t        key, ad[DM_DISABLED_BOUND];
    dm_wire_t       w;
    unsigned char  *p;

    if (store->aside_len + DM_DISABLED_ENTRY > DM_DISABLED_LEN_MAX) {
        dm_err_set(err, "so many accounts are disabled only when no other "
                   "process writes to store \"%s\"", store->path);
        return DM_ERROR;
    }

    if (store->aside_size - store->aside_len < DM_DISABLED_ENTRY) {
        p = realloc(store->aside, 2 * store->aside_size + DM_DISABLED_ENTRY);
        if (p == NULL) {
            dm_err_set(err, "out of memory");
            return DM_ERROR;
        }

        store->aside = p;
        store->aside_size = 2 * store->aside_size + DM_DISABLED_ENTRY;
    }

    if (store->aside_len == 0) {
        key = dm_sealer_key(store->sealer);
        memcpy(store->aside_key, key.data, key.len);
        store->aside_key_len = key.len;
        store->aside_lifts = 0;
    }

    p = store->aside + store->aside_len;

    dm_wire_init(&w, p + 2, DM_DISABLED_ENTRY - 2);
    dm_wire_put_str(&w, 1, id);

    dm_disabled_bind(store, id, ad);

    if (w.bad
        || dm_sealer_seal(store->sealer, ad, DM_DISABLED_BOUND,
                          (dm_str_t) { (const unsigned char *) lift,
                                       strlen(lift) }, w.pos, &len)
           != DM_OK)
    {
        dm_err_set(err, "OpenSSL failed");
        return DM_ERROR;
    }

    len += 1 + id.len;

    dm_wire_init(&w, p, 2);
    dm_wire_put(&w, 2, len);

    store->aside_len += 2 + len;
    store->aside_lifts |= (lift[0] != '\0');

    return DM_OK;
}


int
dm_store_disable_commit(dm_store_t *store, dm_err_t *err)
{
    int                  rc;
    dm_disabled_edit_t   edit;

    if (store->aside_len == 0) {
        return DM_OK;
    }

    if (dm_disabled_aged(store, err) != DM_OK
        || dm_disabled_edit(store, &edit, err) != DM_OK)
    {
        store->aside_len = 0;
        return DM_ERROR;
    }

    rc = dm_disabled_append(store, &edit, err);

    if (dm_disabled_edited(&edit) != DM_OK && rc == DM_OK) {
        rc = dm_disabled_failed(store, err);
    }

    store->aside_len = 0;

    /* in a directory that was renamed away it would be lost */

    if (rc == DM_OK && dm_store_replaced(store)) {
        dm_err_set(err, "store \"%s\" was replaced at this moment: try again",
                   store->path);
        rc = DM_ERROR;
    }

    return rc;
}


/*
 * Looks whether the entries are still sealed with the key that seals: after a
 * rekey nobody could read them.  This comes before the lock of the file, for
 * which the store's writer must not have to wait.
 */
static int
dm_disabled_aged(dm_store_t *store, dm_err_t *err)
{
    dm_str_t  key;

    if (dm_store_refresh(store, err) != DM_OK) {
        return DM_ERROR;
    }

    key = dm_sealer_key(store->sealer);

    if (!dm_str_eq(key, (dm_str_t) { (unsigned char *) store->aside_key,
                                     store->aside_key_len }))
    {
        dm_err_set(err, "store \"%s\" got another key at this moment: try "
                   "again", store->path);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_disabled_append(dm_store_t *store, dm_disabled_edit_t *edit, dm_err_t *err)
{
    if (edit->ino != store->disabled.ino) {
        dm_err_set(err, "\"" DM_STORE_DISABLED "\" of store \"%s\" was "
                   "replaced at this moment: try again", store->path);
        return DM_ERROR;
    }

    if (edit->head->len > DM_DISABLED_LEN_MAX - store->aside_len) {
        dm_err_set(err, "too many accounts were disabled while another "
                   "process writes to store \"%s\": wait until it has ended",
                   store->path);
        return DM_ERROR;
    }

    /* the disk must not have a length that reaches over these octets */

    if (edit->head->len == 0
        && msync(edit->head, sizeof(dm_disabled_head_t), MS_SYNC) == -1)
    {
        return dm_disabled_failed(store, err);
    }

    if (dm_disabled_write(edit->fd, store->aside, store->aside_len,
                          (off_t) (DM_DISABLED_START + edit->head->len))
        != DM_OK
        || fsync(edit->fd) == -1)
    {
        return dm_disabled_failed(store, err);
    }

    dm_disabled_publish(edit, edit->head->len + store->aside_len,
                        store->aside_lifts);

    return DM_OK;
}


int
dm_store_send(dm_store_t *store, int fd, int disabled, dm_err_t *err)
{
    int       rc;
    size_t    before;
    uint64_t  cleared;

    /*
     * Those that are disabled beside the records go with them.  If they are
     * taken over meanwhile, the copy may have the records before that.
     */

    if (dm_disabled_all(store, err) != DM_OK) {
        return DM_ERROR;
    }

    cleared = store->disabled.cleared;

    rc = mdb_env_copyfd2(store->env, fd, MDB_CP_COMPACT);
    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be copied", err);
    }

    /* then it has those of both times: one too many is the safe side */

    before = store->aside_len;

    if (dm_disabled_all(store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (store->disabled.cleared == cleared && before != 0) {
        memmove(store->aside, store->aside + before,
                store->aside_len - before);
        store->aside_len -= before;
    }

    return dm_disabled_send(store, disabled, err);
}


int
dm_store_send_disabled(dm_store_t *store, int disabled, dm_err_t *err)
{
    return dm_disabled_all(store, err) == DM_OK
           ? dm_disabled_send(store, disabled, err) : DM_ERROR;
}


/* writes the entries to the file of a copy */
static int
dm_disabled_send(dm_store_t *store, int disabled, dm_err_t *err)
{
    unsigned char  page[DM_DISABLED_SIZE];

    dm_disabled_head(page, store->aside_len);

    if (dm_disabled_write(disabled, page, sizeof(page), 0) != DM_OK
        || dm_disabled_write(disabled, store->aside, store->aside_len,
                             DM_DISABLED_START)
           != DM_OK
        || fsync(disabled) == -1)
    {
        return dm_disabled_failed(store, err);
    }

    store->aside_len = 0;

    return DM_OK;
}


/* adds all that are disabled now to the entries, once more or not */
static int
dm_disabled_all(dm_store_t *store, dm_err_t *err)
{
    MDB_txn             *txn;
    dm_disabled_call_t   call;

    if (dm_store_acquire(store, &txn, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_store_release(store);

    call = (dm_disabled_call_t) { store, err };

    return dm_disabled_walk(store, dm_disabled_again, &call);
}


static int
dm_disabled_again(dm_str_t id, void *data)
{
    dm_disabled_call_t  *call;

    call = data;

    return dm_store_disable(call->store, id, call->err);
}


static int
dm_disabled_write(int fd, const unsigned char *data, size_t len, off_t at)
{
    ssize_t  n;

    while (len > 0) {
        n = pwrite(fd, data, len, at);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return DM_ERROR;
        }

        data += n;
        at += n;
        len -= (size_t) n;
    }

    return DM_OK;
}


static int
dm_disabled_failed(const dm_store_t *store, dm_err_t *err)
{
    dm_err_set(err, "\"%s/" DM_STORE_DISABLED "\" cannot be written: %s",
               store->path, strerror(errno));

    return DM_ERROR;
}
