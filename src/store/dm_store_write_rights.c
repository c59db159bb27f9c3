/* The owners and modes of the parts of a store */

#define _GNU_SOURCE     /* S_IFMT, F_OFD_GETLK */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "dm_store_write_internal.h"


#define DM_STORE_PARTS  6

#define DM_STORE_FLAGS  (O_NOFOLLOW|O_NONBLOCK|O_NOCTTY|O_CLOEXEC)

/* LMDB's, and where it has it: behind the header of its first page */
#define DM_STORE_MAGIC     0xBEEFC0DEu
#define DM_STORE_MAGIC_AT  ((off_t) sizeof(size_t) + 8)


/* as dm_store_create() makes them, in the order in which they are given */
typedef struct {
    char             slots[DM_SLOTS_NAME];
    dm_store_part_t  part[DM_STORE_PARTS];
} dm_store_parts_t;


static void dm_store_parts(dm_store_parts_t *parts, const dm_store_dir_t *dir,
    const dm_store_owner_t *owner);
static int dm_store_is_right(const dm_store_part_t *part);
static int dm_store_is_others(const dm_store_dir_t *dir,
    const dm_store_part_t *part, const struct stat *is);
static int dm_store_is_spare(const dm_store_part_t *part);
static int dm_store_examine(dm_store_part_t *part, dm_err_t *err);
static int dm_store_renew(const dm_store_part_t *part, dm_err_t *err);
static int dm_store_unlock_foreign(const dm_store_part_t *part,
    dm_err_t *err);
static int dm_store_is_locked(int fd);
static int dm_store_add_dir(const dm_store_dir_t *dir,
    const dm_store_part_t *part);
static int dm_store_judge(const dm_store_dir_t *dir,
    const dm_store_part_t *part, int fd, dm_err_t *err);
static int dm_store_is_ours(const dm_store_part_t *part, int fd, off_t size);
static int dm_store_give_fd(const dm_store_dir_t *dir,
    const dm_store_part_t *part, int fd, dm_err_t *err);
static int dm_store_not_given(const dm_store_dir_t *dir,
    const dm_store_part_t *part, dm_err_t *err);


int
dm_store_open_dir(dm_store_dir_t *dir, const char *path, dm_err_t *err)
{
    dir->path = path;
    dir->fd = open(path, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (dir->fd == -1) {
        dm_err_set(err, "\"%s\" cannot be opened: %s", path, strerror(errno));
        return DM_ERROR;
    }

    if (fstat(dir->fd, &dir->is) == -1) {
        dm_err_set(err, "\"%s\" cannot be examined: %s", path,
                   strerror(errno));
        close(dir->fd);
        return DM_ERROR;
    }

    return DM_OK;
}


/* the directory, through which others get to the rest, is the last */
static void
dm_store_parts(dm_store_parts_t *parts, const dm_store_dir_t *dir,
    const dm_store_owner_t *owner)
{
    unsigned  i;
    uid_t     uid;
    gid_t     gid;

    uid = owner->uid;
    gid = owner->gid;

    memset(parts, 0, sizeof(dm_store_parts_t));

    (void) snprintf(parts->slots, sizeof(parts->slots), DM_SLOTS_PREFIX "%u",
                    (unsigned) owner->reader);

    parts->part[0] = (dm_store_part_t) {
        .name = parts->slots, .type = S_IFDIR,
        .uid = owner->reader, .gid = gid, .mode = DM_SLOTS_MODE
    };
    parts->part[1] = (dm_store_part_t) {
        .name = DM_STORE_DATA, .type = S_IFREG,
        .uid = uid, .gid = owner->readers, .mode = 0640
    };
    parts->part[2] = (dm_store_part_t) {
        .name = DM_STORE_LOCK, .type = S_IFREG,
        .uid = uid, .gid = gid, .mode = 0600
    };
    parts->part[3] = (dm_store_part_t) {
        .name = DM_STORE_WRITERS, .type = S_IFREG,
        .uid = uid, .gid = gid, .mode = 0600
    };
    parts->part[4] = (dm_store_part_t) {
        .name = DM_STORE_DISABLED, .type = S_IFREG,
        .uid = uid, .gid = gid, .mode = 0644
    };
    parts->part[5] = (dm_store_part_t) {
        .name = ".", .type = S_IFDIR,
        .uid = uid, .gid = owner->readers, .mode = 0750
    };

    for (i = 0; i < DM_STORE_PARTS; i++) {
        parts->part[i].dir = dir;
        parts->part[i].absent = 1;
    }
}


int
dm_store_give_all(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err)
{
    int             rc;
    dm_store_dir_t  dir;

    if (dm_store_open_dir(&dir, path, err) != DM_OK) {
        return DM_ERROR;
    }

    rc = dm_store_give_parts(&dir, owner, err);

    close(dir.fd);

    return rc;
}


int
dm_store_give_parts(const dm_store_dir_t *dir, const dm_store_owner_t *owner,
    dm_err_t *err)
{
    int               rc;
    unsigned          i;
    dm_store_parts_t  parts;

    dm_store_parts(&parts, dir, owner);

    rc = DM_OK;

    for (i = 0; i < DM_STORE_PARTS && rc == DM_OK; i++) {
        rc = dm_store_examine(&parts.part[i], err);

        /* a writer makes it */

        if (rc == DM_OK && (!parts.part[i].absent
                            || strcmp(parts.part[i].name, DM_STORE_DISABLED)
                               != 0))
        {
            rc = dm_store_right(&parts.part[i], err);
        }
    }

    return rc;
}


int
dm_store_renew_foreign(const dm_store_dir_t *dir,
    const dm_store_owner_t *owner, dm_err_t *err)
{
    int               rc;
    unsigned          i;
    dm_store_parts_t  parts;

    dm_store_parts(&parts, dir, owner);

    rc = DM_OK;

    for (i = 0; i < DM_STORE_PARTS && rc == DM_OK; i++) {
        rc = dm_store_examine(&parts.part[i], err);

        if (rc == DM_OK && dm_store_is_foreign(&parts.part[i])) {
            rc = dm_store_right(&parts.part[i], err);
        }
    }

    return rc;
}


int
dm_store_rights(const char *path, const dm_store_owner_t *owner,
    int (*wrong)(const dm_store_part_t *part, void *data), void *data,
    dm_err_t *err)
{
    int               rc;
    unsigned          i;
    dm_store_dir_t    dir;
    dm_store_parts_t  parts;

    if (dm_store_open_dir(&dir, path, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_store_parts(&parts, &dir, owner);

    rc = DM_OK;

    for (i = 0; i < DM_STORE_PARTS && rc == DM_OK; i++) {
        rc = dm_store_examine(&parts.part[i], err);

        if (rc == DM_OK && !dm_store_is_right(&parts.part[i])) {
            rc = wrong(&parts.part[i], data);
        }
    }

    close(dir.fd);

    return rc;
}


static int
dm_store_examine(dm_store_part_t *part, dm_err_t *err)
{
    const char  *path;

    path = part->dir->path;

    part->absent = (fstatat(part->dir->fd, part->name, &part->is,
                            AT_SYMLINK_NOFOLLOW)
                    == -1);

    if (part->absent) {

        if (errno == ENOENT && strcmp(part->name, DM_STORE_DATA) != 0) {
            return DM_OK;
        }

        dm_err_set(err, "\"%s/%s\" cannot be examined: %s", path, part->name,
                   strerror(errno));
        return DM_ERROR;
    }

    /* nothing for us to mend */

    if ((part->is.st_mode & S_IFMT) != part->type) {
        dm_err_set(err, "\"%s/%s\" is not what a store has there: it is %s, "
                   "not a %s; look whose it is, and %s", path, part->name,
                   S_ISLNK(part->is.st_mode) ? "a symbolic link"
                                             : "something else",
                   part->type == S_IFREG ? "file" : "directory",
                   strcmp(part->name, DM_STORE_DATA) == 0
                   ? "put the store's own file there, or restore a backup"
                   : "remove it");
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_store_is_right(const dm_store_part_t *part)
{
    /* a writer makes it */

    if (part->absent && strcmp(part->name, DM_STORE_DISABLED) == 0) {
        return 1;
    }

    return !part->absent && !dm_store_has_names(part)
           && part->is.st_uid == part->uid
           && part->is.st_gid == part->gid
           && (part->is.st_mode & 07777) == part->mode;
}


int
dm_store_has_names(const dm_store_part_t *part)
{
    return !part->absent && part->type == S_IFREG && part->is.st_nlink > 1;
}


int
dm_store_is_foreign(const dm_store_part_t *part)
{
    return !part->absent && dm_store_is_others(part->dir, part, &part->is);
}


/*
 * The owner of the directory can give another's file, which he can rename and
 * cannot read, a name of the store.  Where only root can change names there
 * it is root who has put it there.
 */
static int
dm_store_is_others(const dm_store_dir_t *dir, const dm_store_part_t *part,
    const struct stat *is)
{
    if (strcmp(part->name, ".") == 0
        || (dir->is.st_uid == 0
            && (dir->is.st_mode & (S_IWGRP|S_IWOTH)) == 0))
    {
        return 0;
    }

    return is->st_uid != dir->is.st_uid && is->st_uid != part->uid;
}


/* 1 if it holds nothing that is to be kept, else 0 */
static int
dm_store_is_spare(const dm_store_part_t *part)
{
    return part->type == S_IFDIR || strcmp(part->name, DM_STORE_LOCK) == 0
           || strcmp(part->name, DM_STORE_WRITERS) == 0;
}


int
dm_store_is_kept(const dm_store_part_t *part)
{
    return dm_store_is_foreign(part) && !dm_store_is_spare(part);
}


int
dm_store_right(const dm_store_part_t *part, dm_err_t *err)
{
    if (part->absent) {
        return dm_store_add(part->dir, part, err);
    }

    if (dm_store_is_foreign(part) && dm_store_is_spare(part)
        && !dm_store_has_names(part))
    {
        return dm_store_renew(part, err);
    }

    return dm_store_give(part->dir, part, err);
}


/* another's is never given away, but a new one is made in its place */
static int
dm_store_renew(const dm_store_part_t *part, dm_err_t *err)
{
    const dm_store_dir_t  *dir;

    dir = part->dir;

    if (part->type == S_IFREG && dm_store_unlock_foreign(part, err) != DM_OK) {
        return DM_ERROR;
    }

    if (unlinkat(dir->fd, part->name, part->type == S_IFDIR ? AT_REMOVEDIR : 0)
        == -1)
    {
        dm_err_set(err, "\"%s/%s\" is user id %u's, and cannot be made anew: "
                   "%s; look whose it is, and remove it", dir->path,
                   part->name, (unsigned) part->is.st_uid, strerror(errno));
        return DM_ERROR;
    }

    return dm_store_add(dir, part, err);
}


/*
 * Looks whether a lock file of another's can go.  Its locks of fcntl() would
 * go with the descriptor in a process that has the store open.
 */
static int
dm_store_unlock_foreign(const dm_store_part_t *part, dm_err_t *err)
{
    int  fd, rc;

    fd = openat(part->dir->fd, part->name, O_RDWR|DM_STORE_FLAGS);

    rc = fd == -1 ? dm_store_not_given(part->dir, part, err) : DM_OK;

    if (fd != -1 && dm_store_is_locked(fd)) {
        dm_err_set(err, "\"%s/%s\" is user id %u's, and a process has it "
                   "locked: end that first, then a new one is made in its "
                   "place", part->dir->path, part->name,
                   (unsigned) part->is.st_uid);
        rc = DM_ERROR;
    }

    if (fd != -1) {
        close(fd);
    }

    return rc;
}


static int
dm_store_is_locked(int fd)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;

    return fcntl(fd, F_OFD_GETLK, &lock) == -1 || lock.l_type != F_UNLCK
           || flock(fd, LOCK_EX|LOCK_NB) == -1;
}


int
dm_store_add(const dm_store_dir_t *dir, const dm_store_part_t *part,
    dm_err_t *err)
{
    int  fd, rc;

    fd = part->type == S_IFDIR
         ? dm_store_add_dir(dir, part)
         : openat(dir->fd, part->name,
                  O_WRONLY|O_CREAT|O_EXCL|DM_STORE_FLAGS, 0600);

    if (fd == -1) {
        dm_err_set(err, "\"%s/%s\" cannot be made: %s", dir->path, part->name,
                   strerror(errno));
        return DM_ERROR;
    }

    rc = dm_store_give_fd(dir, part, fd, err);

    close(fd);

    return rc;
}


/* open, or -1: who owns the directory may have put another one there since */
static int
dm_store_add_dir(const dm_store_dir_t *dir, const dm_store_part_t *part)
{
    int          fd;
    struct stat  sb;

    if (mkdirat(dir->fd, part->name, 0700) == -1) {
        return -1;
    }

    fd = openat(dir->fd, part->name, O_RDONLY|O_DIRECTORY|DM_STORE_FLAGS);

    if (fd != -1
        && (fstat(fd, &sb) == -1 || sb.st_uid != geteuid()
            || (sb.st_mode & 0777) != 0700))
    {
        close(fd);
        fd = -1;
        errno = EPERM;
    }

    return fd;
}


int
dm_store_give(const dm_store_dir_t *dir, const dm_store_part_t *part,
    dm_err_t *err)
{
    int  fd, rc;

    fd = openat(dir->fd, part->name, O_RDONLY|DM_STORE_FLAGS);

    if (fd == -1) {
        return dm_store_not_given(dir, part, err);
    }

    rc = dm_store_judge(dir, part, fd, err);

    if (rc == DM_OK) {
        rc = dm_store_give_fd(dir, part, fd, err);
    }

    close(fd);

    return rc;
}


/* judges what is open, and is then given: the name may be another's now */
static int
dm_store_judge(const dm_store_dir_t *dir, const dm_store_part_t *part, int fd,
    dm_err_t *err)
{
    struct stat  sb;

    if (fstat(fd, &sb) == -1) {
        return dm_store_not_given(dir, part, err);
    }

    if ((sb.st_mode & S_IFMT) != part->type
        || (part->type == S_IFREG && sb.st_nlink > 1))
    {
        dm_err_set(err, "\"%s/%s\" is not what a store has there: no file, or "
                   "one with several names; \"dm-account check --permissions\" "
                   "says what to do", dir->path, part->name);
        return DM_ERROR;
    }

    if (dm_store_is_others(dir, part, &sb)) {
        dm_err_set(err, "\"%s/%s\" is user id %u's, and is not given away for "
                   "its name: look whose it is and what is in it; if it is "
                   "the store's own, make it user id %u's (chown), else take "
                   "it away", dir->path, part->name, (unsigned) sb.st_uid,
                   (unsigned) dir->is.st_uid);
        return DM_ERROR;
    }

    if (!dm_store_is_ours(part, fd, sb.st_size)) {
        dm_err_set(err, "\"%s/%s\" is not what a store has there, by what is "
                   "in it: look what it is, and %s", dir->path, part->name,
                   strcmp(part->name, DM_STORE_DATA) == 0
                   ? "put the store's own file there, or restore a backup"
                   : "remove it");
        return DM_ERROR;
    }

    return DM_OK;
}


/* 1 if what others will read begins as what it should be, else 0 */
static int
dm_store_is_ours(const dm_store_part_t *part, int fd, off_t size)
{
    char      magic[sizeof(DM_DISABLED_MAGIC) - 1];
    uint32_t  number;

    if (strcmp(part->name, DM_STORE_DATA) == 0) {
        return pread(fd, &number, sizeof(number), DM_STORE_MAGIC_AT)
               == (ssize_t) sizeof(number)
               && number == DM_STORE_MAGIC;
    }

    if (strcmp(part->name, DM_STORE_DISABLED) == 0 && size != 0) {
        return pread(fd, magic, sizeof(magic), 0) == (ssize_t) sizeof(magic)
               && memcmp(magic, DM_DISABLED_MAGIC, sizeof(magic)) == 0;
    }

    return 1;
}


static int
dm_store_give_fd(const dm_store_dir_t *dir, const dm_store_part_t *part,
    int fd, dm_err_t *err)
{
    if (fchown(fd, part->uid, part->gid) == -1 || fchmod(fd, part->mode) == -1
        || fsync(fd) == -1)
    {
        return dm_store_not_given(dir, part, err);
    }

    return DM_OK;
}


/* errno says why */
static int
dm_store_not_given(const dm_store_dir_t *dir, const dm_store_part_t *part,
    dm_err_t *err)
{
    dm_err_set(err, "\"%s/%s\" cannot be given to user id %u and group id %u: "
               "%s", dir->path, part->name, (unsigned) part->uid,
               (unsigned) part->gid, strerror(errno));

    return DM_ERROR;
}
