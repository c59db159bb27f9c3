/* The slots of workers: see dm_store_slot.h */

#define _GNU_SOURCE     /* F_OFD_SETLK */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_hex.h"
#include "dm_store_access.h"
#include "dm_store_slot.h"


#define DM_SLOT_RANDOM    12
#define DM_SLOT_NAME      (2 * DM_SLOT_RANDOM + 1)
#define DM_SLOT_TRIES     16
#define DM_SLOT_FLAGS     (O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC)


struct dm_store_slot_s {
    int                 dir;
    char                slots[DM_SLOTS_NAME];   /* of the directory */
    int                 fd;
    char                name[DM_SLOT_NAME];
    dm_slot_content_t  *content;        /* mapped */
};


/* the arguments of dm_slots_walk(), and the directory that it is in */
typedef struct {
    int       (*fn)(const dm_slot_seen_t *seen, void *data);
    void       *data;
    int         dir;
    uid_t       uid;                    /* its name has his id */
    uid_t       owner;                  /* the store's */
    int         ours;
    dm_err_t   *err;
} dm_slots_walk_t;


static int dm_slots_dir(const char *path, uid_t uid, char *slots,
    dm_err_t *err);
static void dm_slots_denied(const char *path, uid_t uid, const char *slots,
    int rc, dm_err_t *err);
static int dm_slots_find(DIR *store, uid_t uid, uid_t owner, char *name);
static int dm_slot_make(dm_store_slot_t *slot, const char *path,
    const char *slots, dm_err_t *err);
static int dm_slot_create(dm_store_slot_t *slot);
static int dm_slot_fill(dm_store_slot_t *slot, uint64_t badge);
static int dm_slot_lock(int fd);
static int dm_slots_clean(const dm_slot_seen_t *seen, void *data);
static int dm_slots_add(const dm_slot_seen_t *seen, void *data);
static int dm_slots_walk_dirs(DIR *store, dm_slots_walk_t *walk);
static int dm_slots_walk_dir(int store, const char *name,
    dm_slots_walk_t *walk);
static int dm_slots_visit(const char *name, dm_slots_walk_t *walk);
static int dm_slots_look(dm_slot_seen_t *seen, const dm_slots_walk_t *walk);


int
dm_slot_open(dm_store_slot_t **out, const char *path, uint64_t badge,
    dm_err_t *err)
{
    int               rc;
    unsigned          n;
    dm_store_slot_t  *slot;

    slot = calloc(1, sizeof(dm_store_slot_t));
    if (slot == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    slot->fd = -1;
    slot->content = MAP_FAILED;
    slot->dir = dm_slots_dir(path, geteuid(), slot->slots, err);

    n = 0;
    rc = slot->dir == -1 ? DM_INVALID : DM_OK;

    if (rc == DM_OK) {
        (void) dm_slots_walk(path, dm_slots_clean, NULL, NULL);
        rc = dm_slots_count(path, &n, err);
    }

    if (rc == DM_OK && n >= DM_SLOTS_MAX) {
        dm_err_set(err, "store \"%s\" has %u readers, which is all it can "
                   "have", path, n);
        rc = DM_ERROR;
    }

    if (rc == DM_OK) {
        rc = dm_slot_make(slot, path, slot->slots, err);
    }

    if (rc == DM_OK && dm_slot_fill(slot, badge) != DM_OK) {
        dm_err_set(err, "store \"%s\": a reader cannot say that it is there: "
                   "%s", path, strerror(errno));
        rc = DM_ERROR;
    }

    if (rc != DM_OK) {
        dm_slot_close(slot);
        return rc;
    }

    *out = slot;

    return DM_OK;
}


int
dm_slot_lost(const dm_store_slot_t *slot, const char *path)
{
    char         name[PATH_MAX];
    struct stat  sb, there;

    if (snprintf(name, sizeof(name), "%s/%s/%s", path, slot->slots, slot->name)
        >= (int) sizeof(name)
        || fstat(slot->fd, &sb) == -1)
    {
        return 0;
    }

    if (stat(name, &there) == -1) {
        return errno == ENOENT || errno == ENOTDIR;
    }

    return there.st_dev != sb.st_dev || there.st_ino != sb.st_ino;
}


int
dm_slots_check(const char *path, uid_t uid, dm_err_t *err)
{
    int   fd;
    char  slots[DM_SLOTS_NAME];

    fd = dm_slots_dir(path, uid, slots, err);
    if (fd == -1) {
        return DM_INVALID;
    }

    close(fd);

    return DM_OK;
}


/* the directory of that user's slots, its name in slots, or -1 */
static int
dm_slots_dir(const char *path, uid_t uid, char *slots, dm_err_t *err)
{
    int          fd, rc;
    DIR         *store;
    struct stat  sb;

    fd = -1;
    rc = DM_ERROR;
    slots[0] = '\0';
    store = opendir(path);

    if (store != NULL && fstat(dirfd(store), &sb) == 0) {
        rc = dm_slots_find(store, uid, sb.st_uid, slots);
    }

    if (rc == DM_OK) {
        fd = openat(dirfd(store), slots,
                    O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
    }

    if (fd == -1) {
        dm_slots_denied(path, uid, slots, rc, err);
    }

    if (store != NULL) {
        (void) closedir(store);
    }

    return fd;
}


/* rc is DM_DECLINED where there is no such directory; errno says the rest */
static void
dm_slots_denied(const char *path, uid_t uid, const char *slots, int rc,
    dm_err_t *err)
{
    int   saved;
    char  writers[PATH_MAX];

    saved = errno;

    if (rc == DM_DECLINED) {
        (void) snprintf(writers, sizeof(writers), "%s/write.lock", path);
        dm_access_no_slots(path, slots, uid, access(writers, F_OK) == -1
                           && errno == ENOENT, err);
        return;
    }

    if (dm_access_check(path, ".", R_OK|X_OK, DM_ACCESS_WORKER, err) == DM_OK
        && (rc != DM_OK
            || dm_access_check(path, slots, R_OK|W_OK|X_OK, DM_ACCESS_WORKER,
                               err)
               == DM_OK))
    {
        dm_err_set(err, "\"%s/%s\" cannot be opened by %s: %s", path, slots,
                   dm_access_who(uid, getegid()), strerror(saved));
    }
}


/*
 * Finds the directory for the processes of uid: the one with its name; for
 * root and the store's user any other will do.  DM_OK or DM_DECLINED.
 */
static int
dm_slots_find(DIR *store, uid_t uid, uid_t owner, char *name)
{
    uid_t        any;
    struct stat  sb;
    const char  *other;

    (void) snprintf(name, DM_SLOTS_NAME, DM_SLOTS_PREFIX "%u",
                    (unsigned) uid);

    if (fstatat(dirfd(store), name, &sb, AT_SYMLINK_NOFOLLOW) == 0) {
        return DM_OK;
    }

    if ((uid != 0 && uid != owner)
        || dm_slots_next(store, &other, &any) != DM_OK)
    {
        errno = ENOENT;
        return DM_DECLINED;
    }

    (void) snprintf(name, DM_SLOTS_NAME, "%s", other);

    return DM_OK;
}


int
dm_slots_next(DIR *store, const char **name, uid_t *uid)
{
    char           *end;
    size_t          len;
    unsigned long   n;
    struct dirent  *entry;

    len = sizeof(DM_SLOTS_PREFIX) - 1;

    for ( ;; ) {
        entry = readdir(store);
        if (entry == NULL) {
            return DM_DECLINED;
        }

        if (strncmp(entry->d_name, DM_SLOTS_PREFIX, len) != 0
            || entry->d_name[len] < '0' || entry->d_name[len] > '9'
            || strlen(entry->d_name) >= DM_SLOTS_NAME)
        {
            continue;
        }

        n = strtoul(entry->d_name + len, &end, 10);

        if (*end == '\0' && n < (uid_t) -1) {
            *name = entry->d_name;
            *uid = (uid_t) n;
            return DM_OK;
        }
    }
}


int
dm_slots_is_ours(const struct stat *dir, uid_t uid, uid_t owner)
{
    return S_ISDIR(dir->st_mode)
           && (dir->st_uid == uid || dir->st_uid == owner);
}


int
dm_slot_is_name(const char *name)
{
    return strlen(name) == DM_SLOT_NAME - 1
           && name[strspn(name, "0123456789abcdef")] == '\0';
}


/*
 * Makes a file and locks it.  A process that cleans up locks a file before it
 * removes it, so one that is locked here and is still there stays ours.
 */
static int
dm_slot_make(dm_store_slot_t *slot, const char *path, const char *slots,
    dm_err_t *err)
{
    int          saved;
    unsigned     i;
    struct stat  sb;

    for (i = 0; i < DM_SLOT_TRIES; i++) {

        if (dm_slot_create(slot) != DM_OK) {
            break;
        }

        if (dm_slot_lock(slot->fd) == DM_OK && fstat(slot->fd, &sb) == 0
            && sb.st_nlink == 1)
        {
            return DM_OK;
        }

        close(slot->fd);
        slot->fd = -1;
    }

    saved = errno;

    if (dm_access_check(path, slots, R_OK|W_OK|X_OK, DM_ACCESS_WORKER, err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    dm_err_set(err, "%s, cannot make a file in \"%s/%s\", by which writers "
               "see the store's readers: %s",
               dm_access_who(geteuid(), getegid()), path, slots,
               strerror(saved));

    return DM_ERROR;
}


static int
dm_slot_create(dm_store_slot_t *slot)
{
    unsigned char  random[DM_SLOT_RANDOM];

    if (RAND_bytes(random, sizeof(random)) != 1) {
        errno = EIO;
        return DM_ERROR;
    }

    dm_hex_text((dm_str_t) { random, sizeof(random) }, slot->name);

    slot->fd = openat(slot->dir, slot->name,
                      O_RDWR|O_CREAT|O_EXCL|DM_SLOT_FLAGS, 0600);

    return slot->fd == -1 ? DM_ERROR : DM_OK;
}


/* the group is the store's: see DM_SLOTS_MODE */
static int
dm_slot_fill(dm_store_slot_t *slot, uint64_t badge)
{
    dm_slot_content_t  content;

    memset(&content, 0, sizeof(content));
    content.badge = badge;
    content.pid = (uint64_t) getpid();
    content.space = dm_slot_space();

    if (pwrite(slot->fd, &content, sizeof(content), 0)
        != (ssize_t) sizeof(content)
        || fchmod(slot->fd, 0640) == -1)
    {
        return DM_ERROR;
    }

    slot->content = mmap(NULL, sizeof(content), PROT_READ|PROT_WRITE,
                         MAP_SHARED, slot->fd, 0);

    return slot->content == MAP_FAILED ? DM_ERROR : DM_OK;
}


uint64_t
dm_slot_space(void)
{
    struct stat  sb;

    return stat("/proc/self/ns/pid", &sb) == 0 ? (uint64_t) sb.st_ino : 0;
}


/* DM_OK, DM_DECLINED: somebody has locked it */
static int
dm_slot_lock(int fd)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;

    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? DM_OK : DM_DECLINED;
}


int
dm_slot_alive(int fd)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(lock));
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}


void
dm_slot_close(dm_store_slot_t *slot)
{
    if (slot == NULL) {
        return;
    }

    if (slot->content != MAP_FAILED) {
        (void) munmap(slot->content, sizeof(dm_slot_content_t));
    }

    if (slot->fd != -1) {
        (void) unlinkat(slot->dir, slot->name, 0);
        close(slot->fd);
    }

    if (slot->dir != -1) {
        close(slot->dir);
    }

    free(slot);
}


void
dm_slot_enter(dm_store_slot_t *slot)
{
    /* writers must see the counter before a snapshot is chosen */

    (void) __atomic_add_fetch(&slot->content->counter, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


void
dm_slot_leave(dm_store_slot_t *slot)
{
    (void) __atomic_add_fetch(&slot->content->counter, 1, __ATOMIC_SEQ_CST);
}


void
dm_slot_follow(dm_store_slot_t *slot, uint64_t ino)
{
    __atomic_store_n(&slot->content->follows, ino, __ATOMIC_SEQ_CST);
}


int
dm_slot_read(int fd, dm_slot_content_t *content)
{
    ssize_t  n;

    memset(content, 0, sizeof(dm_slot_content_t));

    n = pread(fd, content, sizeof(dm_slot_content_t), 0);

    return n == (ssize_t) sizeof(dm_slot_content_t)
           || n == (ssize_t) offsetof(dm_slot_content_t, follows)
           ? DM_OK : DM_ERROR;
}


static int
dm_slots_clean(const dm_slot_seen_t *seen, void *data)
{
    int  fd;

    (void) data;

    if (seen->alive || !seen->ours) {
        return DM_OK;
    }

    fd = openat(seen->dir, seen->name, O_RDWR|DM_SLOT_FLAGS);

    if (fd != -1) {
        if (dm_slot_lock(fd) == DM_OK) {
            (void) unlinkat(seen->dir, seen->name, 0);
        }

        close(fd);
    }

    return DM_OK;
}


int
dm_slots_count(const char *path, unsigned *n, dm_err_t *err)
{
    *n = 0;

    return dm_slots_walk(path, dm_slots_add, n, err);
}


static int
dm_slots_add(const dm_slot_seen_t *seen, void *data)
{
    *(unsigned *) data += (unsigned) seen->alive;

    return DM_OK;
}


int
dm_slots_walk(const char *path,
    int (*fn)(const dm_slot_seen_t *seen, void *data), void *data,
    dm_err_t *err)
{
    int               rc;
    DIR              *store;
    struct stat       sb;
    dm_slots_walk_t   walk;

    store = opendir(path);

    if (store == NULL || fstat(dirfd(store), &sb) == -1) {
        dm_err_set(err, "store \"%s\" cannot be searched for readers: %s",
                   path, strerror(errno));
        rc = DM_ERROR;

    } else {
        walk = (dm_slots_walk_t) { fn, data, -1, 0, sb.st_uid, 0, err };
        rc = dm_slots_walk_dirs(store, &walk);
    }

    if (store != NULL) {
        (void) closedir(store);
    }

    return rc;
}


static int
dm_slots_walk_dirs(DIR *store, dm_slots_walk_t *walk)
{
    int          rc;
    const char  *name;

    while (dm_slots_next(store, &name, &walk->uid) == DM_OK) {
        rc = dm_slots_walk_dir(dirfd(store), name, walk);
        if (rc != DM_OK) {
            return rc;
        }
    }

    return DM_OK;
}


static int
dm_slots_walk_dir(int store, const char *name, dm_slots_walk_t *walk)
{
    int             rc;
    DIR            *slots;
    unsigned        n;
    struct stat     sb;
    struct dirent  *entry;

    walk->dir = openat(store, name, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
    slots = walk->dir == -1 ? NULL : fdopendir(walk->dir);

    /*
     * Workers whose store it was have left theirs.  Who writes must see all of
     * them; those who only read have their own.
     */

    if (slots == NULL && errno == EACCES && geteuid() != 0
        && geteuid() != walk->owner)
    {
        return DM_OK;
    }

    if (slots == NULL) {
        dm_err_set(walk->err, "directory \"%s\" of the store cannot be "
                   "searched: %s", name, strerror(errno));

        if (walk->dir != -1) {
            close(walk->dir);
        }

        return DM_ERROR;
    }

    rc = DM_OK;
    n = 0;
    walk->ours = fstat(walk->dir, &sb) == 0
                 && dm_slots_is_ours(&sb, walk->uid, walk->owner);

    while (rc == DM_OK && (entry = readdir(slots)) != NULL) {

        if (entry->d_name[0] == '.') {
            continue;
        }

        /* the workers' user could fill it, to make us look for ever */

        if (n++ == DM_SLOTS_LOOK) {
            dm_err_set(walk->err, "directory \"%s\" of the store has more "
                       "than %d files: remove them", name, DM_SLOTS_LOOK);
            rc = DM_ERROR;
            break;
        }

        rc = dm_slots_visit(entry->d_name, walk);
    }

    (void) closedir(slots);

    return rc;
}


static int
dm_slots_visit(const char *name, dm_slots_walk_t *walk)
{
    int             rc;
    dm_slot_seen_t  seen;

    seen.dir = walk->dir;
    seen.name = name;
    seen.fd = openat(walk->dir, name, O_RDONLY|DM_SLOT_FLAGS);

    if (seen.fd == -1) {

        /*
         * Gone meanwhile, no file, not yet complete, or its owner has a lease
         * on it, which he gets only where no reader has it open.
         */

        if (errno == ENOENT || errno == ELOOP || errno == ENXIO
            || errno == EACCES || errno == EPERM || errno == EWOULDBLOCK)
        {
            return DM_OK;
        }

        dm_err_set(walk->err, "the file \"" DM_SLOTS_PREFIX "%u/%s\" of one "
                   "of the store's readers cannot be opened: %s",
                   (unsigned) walk->uid, name, strerror(errno));
        return DM_ERROR;
    }

    rc = dm_slots_look(&seen, walk) == DM_OK ? walk->fn(&seen, walk->data)
                                             : DM_OK;
    close(seen.fd);

    return rc;
}


/* DM_OK, DM_DECLINED: it is no slot, or not to be trusted */
static int
dm_slots_look(dm_slot_seen_t *seen, const dm_slots_walk_t *walk)
{
    struct stat  sb;

    if (fstat(seen->fd, &sb) == -1 || !S_ISREG(sb.st_mode)
        || (sb.st_uid != walk->uid && sb.st_uid != walk->owner
            && sb.st_uid != 0))
    {
        return DM_DECLINED;
    }

    seen->ours = walk->ours && dm_slot_is_name(seen->name);
    seen->uid = sb.st_uid;
    seen->alive = dm_slot_alive(seen->fd);

    if (dm_slot_read(seen->fd, &seen->content) == DM_OK) {
        return DM_OK;
    }

    /* its process was killed before it was complete, or is just beginning */

    return seen->alive ? DM_DECLINED : DM_OK;
}
