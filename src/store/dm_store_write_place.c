/* Directories of stores: made complete or not at all, copied, removed */

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_stamp.h"
#include "dm_store_write_internal.h"


/* the arguments of dm_store_receive() */
typedef struct {
    const char  *like;                      /* NULL: it has owner */
    const dm_store_owner_t  *owner;
    int        (*fill)(int fd, int disabled, void *data, dm_err_t *err);
    void        *data;
} dm_store_copy_t;


/* all files of a store, beside the directories of slots */
static const char *const  dm_store_files[] = {
    DM_STORE_DATA, DM_STORE_LOCK, DM_STORE_WRITERS, DM_STORE_DISABLED,
    DM_STORE_CHECKED
};

#define DM_STORE_FILES  (sizeof(dm_store_files) / sizeof(dm_store_files[0]))


static char *dm_store_trim(const char *path, dm_err_t *err);
static int dm_store_make_at(const char *path,
    int (*build)(const char *temp, void *data, dm_err_t *err), void *data,
    const dm_store_put_t *put, dm_err_t *err);
static int dm_store_make_temp(const char *path, char **temp, int *fd,
    dm_err_t *err);
static int dm_store_put_new(const char *temp, const char *path,
    dm_err_t *err);
static int dm_store_is_name(const char *name);
static void dm_store_discard(const char *path);
static void dm_store_discard_slots(int store, const char *name, uid_t uid,
    uid_t owner);
static int dm_store_is_slot(int dir, const char *name, uid_t uid,
    uid_t owner);
static int dm_store_are_slots(const char *path, DIR *dir, const char *what,
    dm_err_t *err);
static int dm_store_fill_copy(int fd, int disabled, void *data,
    dm_err_t *err);
static int dm_store_build_copy(const char *path, void *data, dm_err_t *err);
static int dm_store_fill_files(const char *path, const dm_store_copy_t *copy,
    dm_err_t *err);
static int dm_store_new_file(const char *path, const char *file,
    dm_err_t *err);
static int dm_store_give_like(const char *path, const char *like,
    dm_err_t *err);
static gid_t dm_store_locks_group(const char *like);
static int dm_store_give_like_files(const dm_store_dir_t *made,
    const struct stat *dir, const struct stat *file, gid_t locks,
    dm_err_t *err);
static int dm_store_make_slots_like(const dm_store_dir_t *made,
    const char *like, dm_err_t *err);


int
dm_store_make(const char *path,
    int (*build)(const char *temp, void *data, dm_err_t *err), void *data,
    const dm_store_put_t *put, dm_err_t *err)
{
    int    rc;
    char  *copy;

    copy = dm_store_trim(path, err);
    if (copy == NULL) {
        return DM_ERROR;
    }

    rc = dm_store_make_at(copy, build, data, put, err);

    free(copy);

    return rc;
}


/* a final slash would put what is built beside it inside it */
static char *
dm_store_trim(const char *path, dm_err_t *err)
{
    char    *copy;
    size_t   len;

    len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }

    copy = strndup(path, len);

    if (copy == NULL) {
        dm_err_set(err, "out of memory");
    }

    return copy;
}


static int
dm_store_make_at(const char *path,
    int (*build)(const char *temp, void *data, dm_err_t *err), void *data,
    const dm_store_put_t *put, dm_err_t *err)
{
    int          fd, rc;
    char        *temp;
    struct stat  sb;

    if (put == NULL && lstat(path, &sb) == 0) {
        dm_err_set(err, "\"%s\" exists: a store is made only where nothing "
                   "is", path);
        return DM_EXISTS;
    }

    rc = dm_store_make_temp(path, &temp, &fd, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = build(temp, data, err);

    if (rc == DM_OK) {
        rc = put == NULL ? dm_store_put_new(temp, path, err)
                         : put->put(temp, put->data, err);
    }

    if (rc == DM_OK) {
        rc = dm_store_sync_parent(path, err);

    } else {
        dm_store_discard(temp);
    }

    close(fd);
    free(temp);

    return rc;
}


/*
 * A directory beside the path.  As long as it is locked somebody is at work on
 * it: another process may take it for what is left of one that was killed, and
 * sweep it, before that.
 */
static int
dm_store_make_temp(const char *path, char **temp, int *fd, dm_err_t *err)
{
    size_t       size;
    struct stat  made, there;

    size = strlen(path) + sizeof(".XXXXXX");

    *temp = malloc(size);
    if (*temp == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    for ( ;; ) {
        (void) snprintf(*temp, size, "%s.XXXXXX", path);

        if (mkdtemp(*temp) == NULL) {
            dm_err_set_made(err, "store", path);
            free(*temp);
            return DM_INVALID;
        }

        *fd = open(*temp, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

        if (*fd == -1 && errno != ENOENT) {
            dm_err_set(err, "\"%s\" cannot be opened: %s", *temp,
                       strerror(errno));
            (void) rmdir(*temp);
            free(*temp);
            return DM_ERROR;
        }

        if (*fd == -1) {
            continue;
        }

        while (flock(*fd, LOCK_EX) == -1 && errno == EINTR) { /* void */ }

        if (fstat(*fd, &made) == 0 && lstat(*temp, &there) == 0
            && made.st_dev == there.st_dev && made.st_ino == there.st_ino)
        {
            return DM_OK;
        }

        close(*fd);
    }
}


static int
dm_store_put_new(const char *temp, const char *path, dm_err_t *err)
{
    int  rc;

    if (rename(temp, path) == 0) {
        return DM_OK;
    }

    rc = (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR)
         ? DM_EXISTS : DM_ERROR;

    dm_err_set(err, "store \"%s\" cannot be put in its place: %s", path,
               strerror(errno));

    return rc;
}


void
dm_store_sweep(const char *temp)
{
    int  fd;

    fd = open(temp, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        return;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == 0) {
        dm_store_discard(temp);
    }

    close(fd);
}


static void
dm_store_discard(const char *path)
{
    int          fd;
    DIR         *dir;
    uid_t        uid;
    unsigned     i;
    const char  *name;
    struct stat  sb;

    fd = open(path, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
    dir = fd == -1 ? NULL : fdopendir(fd);

    if (dir == NULL && fd != -1) {
        close(fd);
    }

    if (dir != NULL && fstat(dirfd(dir), &sb) == 0) {
        for (i = 0; i < DM_STORE_FILES; i++) {
            (void) unlinkat(dirfd(dir), dm_store_files[i], 0);
        }

        while (dm_slots_next(dir, &name, &uid) == DM_OK) {
            dm_store_discard_slots(dirfd(dir), name, uid, sb.st_uid);
        }
    }

    if (dir != NULL) {
        (void) closedir(dir);
    }

    (void) rmdir(path);
}


/*
 * Processes that were killed leave their slots.  The store's user may give the
 * directory's name to one that root has, and what is in that stays.
 */
static void
dm_store_discard_slots(int store, const char *name, uid_t uid, uid_t owner)
{
    int             fd;
    DIR            *dir;
    struct stat     sb;
    struct dirent  *entry;

    fd = openat(store, name, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
    dir = fd == -1 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        if (fd != -1) {
            close(fd);
        }

        return;
    }

    if (fstat(fd, &sb) == 0 && dm_slots_is_ours(&sb, uid, owner)) {

        while ((entry = readdir(dir)) != NULL) {
            if (dm_store_is_slot(fd, entry->d_name, uid, owner)) {
                (void) unlinkat(fd, entry->d_name, 0);
            }
        }

        (void) unlinkat(store, name, AT_REMOVEDIR);
    }

    (void) closedir(dir);
}


/* root's processes have theirs in any of the directories */
static int
dm_store_is_slot(int dir, const char *name, uid_t uid, uid_t owner)
{
    struct stat  sb;

    return dm_slot_is_name(name)
           && fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISREG(sb.st_mode)
           && (sb.st_uid == uid || sb.st_uid == owner || sb.st_uid == 0);
}


int
dm_store_remove(const char *path, dm_err_t *err)
{
    struct stat  sb;

    if (dm_store_is_whole(path, "removed", err) != DM_OK) {
        return DM_ERROR;
    }

    dm_store_discard(path);

    if (lstat(path, &sb) == -1 && errno == ENOENT) {
        return DM_OK;
    }

    dm_err_set(err, "\"%s\" cannot be removed as a whole: look what is in it",
               path);

    return DM_ERROR;
}


int
dm_store_is_whole(const char *path, const char *what, dm_err_t *err)
{
    int             fd, rc;
    DIR            *dir;
    struct dirent  *entry;

    fd = open(path, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
    dir = fd == -1 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        dm_err_set(err, "\"%s\" cannot be opened: %s", path, strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return DM_ERROR;
    }

    rc = DM_OK;

    while (rc == DM_OK && (entry = readdir(dir)) != NULL) {

        if (!dm_store_is_name(entry->d_name)) {
            dm_err_set(err, "\"%s\" is not %s: \"%s\" in it is none of a "
                       "store's files; look what it is, and remove it",
                       path, what, entry->d_name);
            rc = DM_ERROR;
        }
    }

    if (rc == DM_OK) {
        rc = dm_store_are_slots(path, dir, what, err);
    }

    (void) closedir(dir);

    return rc;
}


/* looks whether the directories that are called so are those of slots */
static int
dm_store_are_slots(const char *path, DIR *dir, const char *what, dm_err_t *err)
{
    uid_t        uid;
    const char  *name;
    struct stat  sb, slots;

    rewinddir(dir);

    if (fstat(dirfd(dir), &sb) == -1) {
        dm_err_set(err, "\"%s\" cannot be examined: %s", path,
                   strerror(errno));
        return DM_ERROR;
    }

    while (dm_slots_next(dir, &name, &uid) == DM_OK) {

        if (fstatat(dirfd(dir), name, &slots, AT_SYMLINK_NOFOLLOW) == -1
            || !dm_slots_is_ours(&slots, uid, sb.st_uid))
        {
            dm_err_set(err, "\"%s\" is not %s: \"%s\" in it is no directory of "
                       "user id %u or of the store's user; look what it is, "
                       "and take it away", path, what, name, (unsigned) uid);
            return DM_ERROR;
        }
    }

    return DM_OK;
}


/* 1 if a store has such a name in its directory, else 0 */
static int
dm_store_is_name(const char *name)
{
    size_t    len;
    unsigned  i;

    len = sizeof(DM_SLOTS_PREFIX) - 1;

    if (strncmp(name, DM_SLOTS_PREFIX, len) == 0) {
        return name[len] != '\0'
               && name[len + strspn(name + len, "0123456789")] == '\0';
    }

    for (i = 0; i < DM_STORE_FILES; i++) {
        if (strcmp(name, dm_store_files[i]) == 0) {
            return 1;
        }
    }

    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}


int
dm_store_sync_parent(const char *path, dm_err_t *err)
{
    int     fd, rc;
    char   *parent, *slash;

    parent = strdup(path);
    if (parent == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    slash = strrchr(parent, '/');

    if (slash != NULL) {
        slash[slash == parent ? 1 : 0] = '\0';
    }

    fd = open(slash == NULL ? "." : parent, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    rc = (fd == -1 || fsync(fd) == -1) ? DM_ERROR : DM_OK;

    if (rc != DM_OK) {
        dm_err_set(err, "the directory of \"%s\" cannot be synced: %s", path,
                   strerror(errno));
    }

    if (fd != -1) {
        close(fd);
    }

    free(parent);

    return rc;
}


int
dm_store_copy(dm_store_t *store, const char *path, const char *like,
    const dm_store_owner_t *owner, const dm_store_put_t *put, dm_err_t *err)
{
    return dm_store_receive(path, like, owner, dm_store_fill_copy, store, put,
                            err);
}


static int
dm_store_fill_copy(int fd, int disabled, void *data, dm_err_t *err)
{
    return dm_store_send(data, fd, disabled, err);
}


int
dm_store_receive(const char *path, const char *like,
    const dm_store_owner_t *owner,
    int (*fill)(int fd, int disabled, void *data, dm_err_t *err), void *data,
    const dm_store_put_t *put, dm_err_t *err)
{
    dm_store_copy_t  copy;

    copy = (dm_store_copy_t) { like, owner, fill, data };

    return dm_store_make(path, dm_store_build_copy, &copy, put, err);
}


static int
dm_store_build_copy(const char *path, void *data, dm_err_t *err)
{
    dm_store_copy_t  *copy;

    copy = data;

    if (dm_store_fill_files(path, copy, err) != DM_OK
        || dm_store_touch(path, DM_STORE_LOCK, err) != DM_OK
        || dm_store_touch(path, DM_STORE_WRITERS, err) != DM_OK)
    {
        return DM_ERROR;
    }

    return copy->like == NULL ? dm_store_give_all(path, copy->owner, err)
                              : dm_store_give_like(path, copy->like, err);
}


static int
dm_store_fill_files(const char *path, const dm_store_copy_t *copy,
    dm_err_t *err)
{
    int  fd, disabled, rc;

    fd = dm_store_new_file(path, DM_STORE_DATA, err);
    if (fd == -1) {
        return DM_ERROR;
    }

    disabled = dm_store_new_file(path, DM_STORE_DISABLED, err);

    rc = disabled == -1 ? DM_ERROR
                        : copy->fill(fd, disabled, copy->data, err);

    if (disabled != -1) {
        close(disabled);
    }

    close(fd);

    return rc;
}


int
dm_store_touch(const char *path, const char *file, dm_err_t *err)
{
    int  fd;

    fd = dm_store_new_file(path, file, err);
    if (fd == -1) {
        return DM_ERROR;
    }

    close(fd);

    return DM_OK;
}


/* open for writing, or -1 */
static int
dm_store_new_file(const char *path, const char *file, dm_err_t *err)
{
    int    fd;
    char  *name;

    name = dm_store_join(path, file);
    if (name == NULL) {
        dm_err_set(err, "out of memory");
        return -1;
    }

    fd = open(name, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {
        dm_err_set(err, "\"%s\" cannot be made: %s", name, strerror(errno));
    }

    free(name);

    return fd;
}


static int
dm_store_give_like(const char *path, const char *like, dm_err_t *err)
{
    int             rc, has;
    char           *data;
    struct stat     dir, file;
    dm_store_dir_t  made;

    data = dm_store_join(like, DM_STORE_DATA);
    if (data == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    rc = DM_OK;
    has = (lstat(data, &file) == 0);

    if (stat(like, &dir) == -1 || (!has && errno != ENOENT)) {
        dm_err_set(err, "\"%s\" cannot be examined: %s", data,
                   strerror(errno));
        rc = DM_ERROR;

    } else if (has && !S_ISREG(file.st_mode)) {
        dm_err_set(err, "\"%s\" is not what a store has there: it is no file; "
                   "look what it is, and remove it", data);
        rc = DM_ERROR;
    }

    free(data);

    if (rc != DM_OK || dm_store_open_dir(&made, path, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_make_slots_like(&made, like, err);

    if (rc == DM_OK) {
        rc = dm_store_give_like_files(&made, &dir, has ? &file : NULL,
                                      dm_store_locks_group(like), err);
    }

    close(made.fd);

    return rc;
}


/* -1: it has none, as a backup of an older version, and then it is as made */
static gid_t
dm_store_locks_group(const char *like)
{
    int           rc;
    char         *name;
    struct stat   sb;

    name = dm_store_join(like, DM_STORE_WRITERS);

    rc = (name == NULL || lstat(name, &sb) == -1) ? DM_ERROR : DM_OK;

    free(name);

    return rc == DM_OK ? sb.st_gid : (gid_t) -1;
}


/* the directory is opened to others last; file is NULL where there is none */
static int
dm_store_give_like_files(const dm_store_dir_t *made, const struct stat *dir,
    const struct stat *file, gid_t locks, dm_err_t *err)
{
    int       own;
    uid_t     uid;
    unsigned  i;

    /* a file of another's may lie there under its name */

    own = file != NULL
          && (dir->st_uid == 0
              || (file->st_uid == dir->st_uid && file->st_nlink == 1));
    uid = own ? file->st_uid : dir->st_uid;

    const dm_store_part_t  part[] = {
        { .name = DM_STORE_DATA, .type = S_IFREG, .uid = uid,
          .gid = own ? file->st_gid : dir->st_gid,
          .mode = own ? file->st_mode & 0644 : 0640 },
        { .name = DM_STORE_LOCK, .type = S_IFREG, .uid = uid, .gid = locks,
          .mode = 0600 },
        { .name = DM_STORE_WRITERS, .type = S_IFREG, .uid = uid,
          .gid = locks, .mode = 0600 },
        { .name = DM_STORE_DISABLED, .type = S_IFREG, .uid = uid,
          .gid = locks, .mode = 0644 },
        { .name = ".", .type = S_IFDIR, .uid = dir->st_uid,
          .gid = dir->st_gid, .mode = dir->st_mode & 07777 }
    };

    for (i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
        if (dm_store_give(made, &part[i], err) != DM_OK) {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


/*
 * Makes directories for the slots of the same workers as in the store at like;
 * a backup that an older version made has none.
 */
static int
dm_store_make_slots_like(const dm_store_dir_t *made, const char *like,
    dm_err_t *err)
{
    int               rc;
    DIR              *dir;
    uid_t             reader;
    struct stat       sb, store;
    const char       *name;
    dm_store_part_t   part;

    dir = opendir(like);
    if (dir == NULL || fstat(dirfd(dir), &store) == -1) {
        dm_err_set(err, "\"%s\" cannot be read: %s", like, strerror(errno));

        if (dir != NULL) {
            (void) closedir(dir);
        }

        return DM_ERROR;
    }

    rc = DM_OK;

    while (rc == DM_OK && dm_slots_next(dir, &name, &reader) == DM_OK) {

        if (fstatat(dirfd(dir), name, &sb, AT_SYMLINK_NOFOLLOW) == 0
            && S_ISDIR(sb.st_mode))
        {
            memset(&part, 0, sizeof(dm_store_part_t));
            part.name = name;
            part.type = S_IFDIR;
            part.uid = dm_slots_is_ours(&sb, reader, store.st_uid)
                       ? sb.st_uid : reader;
            part.gid = sb.st_gid;
            part.mode = DM_SLOTS_MODE;

            rc = dm_store_add(made, &part, err);
        }
    }

    (void) closedir(dir);

    return rc;
}
