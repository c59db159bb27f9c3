/* A store that is put in the place of another one, or made what it lacks */

#define _GNU_SOURCE     /* renameat2() */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_write_internal.h"


#define DM_STORE_LOCK_FLAGS  (O_RDWR|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK)


static int dm_store_exchange(const char *fresh, const char *path,
    const char *aside, dm_err_t *err);
static int dm_store_renew_locks(const char *path, dm_err_t *err);
static int dm_store_lock_file(const char *path, int *fd, dm_err_t *err);
static int dm_store_open_lock(const char *path, char **name);


int
dm_store_install(const char *fresh, const char *path,
    void (*name)(const char *path, char *aside, size_t size), char *aside,
    size_t size, dm_err_t *err)
{
    int          fd, rc;
    struct stat  sb;

    aside[0] = '\0';

    if (lstat(path, &sb) == -1) {

        if (rename(fresh, path) == 0) {
            return DM_OK;
        }

        dm_err_set(err, "\"%s\" cannot be put in its place: %s%s", path,
                   strerror(errno), errno == EEXIST || errno == ENOTEMPTY
                   ? "; another process has made it meanwhile, as a restore "
                     "does: look at that one first" : "");
        return DM_ERROR;
    }

    fd = -1;
    rc = dm_store_lock_file(path, &fd, err);

    if (rc == DM_OK) {
        /* others that replace it have the lock, too: none finds the name */
        name(path, aside, size);
        rc = dm_store_exchange(fresh, path, aside, err);
    }

    if (fd != -1) {
        close(fd);
    }

    return rc;
}


/*
 * A process that is killed between the two leaves the copy under the name of a
 * store that was replaced; in the other order it would leave that store under
 * the name of a copy, which is swept.
 */
static int
dm_store_exchange(const char *fresh, const char *path, const char *aside,
    dm_err_t *err)
{
    int  error;

    if (rename(fresh, aside) == -1) {
        dm_err_set(err, "\"%s\" cannot be renamed to \"%s\": %s", fresh, aside,
                   strerror(errno));
        return DM_ERROR;
    }

    if (renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        return DM_OK;
    }

    error = errno;
    (void) rename(aside, fresh);

    dm_err_set(err, "\"%s\" cannot be exchanged with a copy of the backup: %s",
               path, strerror(error));

    return DM_ERROR;
}


int
dm_store_upgrade(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err)
{
    int             fd, rc;
    dm_store_dir_t  dir;

    fd = -1;

    if (dm_store_open_dir(&dir, path, err) != DM_OK) {
        return DM_INVALID;
    }

    rc = dm_store_renew_foreign(&dir, owner, err);

    if (rc == DM_OK && dm_store_lock_file(path, &fd, err) != DM_OK) {
        rc = DM_INVALID;
    }

    if (rc == DM_OK) {
        rc = dm_store_renew_locks(path, err);
    }

    if (rc == DM_OK) {
        rc = dm_store_give_parts(&dir, owner, err);
    }

    if (fd != -1) {
        close(fd);
    }

    close(dir.fd);

    return rc;
}


/*
 * Makes new lock files for a store of an older version: others of the group
 * could open its old one, and may have it open still.
 */
static int
dm_store_renew_locks(const char *path, dm_err_t *err)
{
    int    rc;
    char  *lock, *writers;

    lock = dm_store_join(path, DM_STORE_LOCK);
    writers = dm_store_join(path, DM_STORE_WRITERS);

    if (lock == NULL || writers == NULL) {
        dm_err_set(err, "out of memory");
        rc = DM_ERROR;

    } else if (access(writers, F_OK) == 0) {
        rc = DM_OK;

    } else {
        (void) unlink(lock);
        rc = dm_store_touch(path, DM_STORE_LOCK, err);

        if (rc == DM_OK) {
            rc = dm_store_touch(path, DM_STORE_WRITERS, err);
        }
    }

    free(lock);
    free(writers);

    return rc;
}


/*
 * Takes the lock of the store's writers, see dm_store_internal.h.  *fd stays -1
 * where nothing is there that they could lock, and no data to be written.
 */
static int
dm_store_lock_file(const char *path, int *fd, dm_err_t *err)
{
    int           rc;
    char         *name;
    struct stat   sb, locked;

    /* try again as long as somebody else exchanges the file meanwhile */

    do {
        if (*fd != -1) {
            close(*fd);
        }

        *fd = dm_store_open_lock(path, &name);

        if (name == NULL) {
            dm_err_set(err, "out of memory");
            return DM_ERROR;
        }

        if (*fd == -1 && errno == ENOENT) {
            free(name);
            return DM_OK;
        }

        /* the store's user may have put something else there */

        if (*fd == -1 || fstat(*fd, &locked) == -1
            || !S_ISREG(locked.st_mode))
        {
            dm_err_set(err, "\"%s\" is no file that could be locked, as a "
                       "store has there%s%s: look what it is, remove it, and "
                       "try again", name, *fd == -1 ? ": " : "",
                       *fd == -1 ? strerror(errno) : "");
            free(name);
            return DM_ERROR;
        }

        rc = dm_store_wait_lock(path, *fd, err);

        if (rc == DM_OK && lstat(name, &sb) == -1) {
            memset(&sb, 0, sizeof(struct stat));
        }

        free(name);

    } while (rc == DM_OK
             && (sb.st_dev != locked.st_dev || sb.st_ino != locked.st_ino));

    return rc == DM_OK ? DM_OK : DM_ERROR;
}


/*
 * Opens what the writers lock, and gives its name, to be freed: those of an
 * older version, which made a store without a lock file, lock the data.
 */
static int
dm_store_open_lock(const char *path, char **name)
{
    int  fd;

    *name = dm_store_join(path, DM_STORE_WRITERS);
    fd = *name == NULL ? -1 : open(*name, DM_STORE_LOCK_FLAGS);

    if (*name == NULL || fd != -1 || errno != ENOENT) {
        return fd;
    }

    free(*name);
    *name = dm_store_join(path, DM_STORE_DATA);

    return *name == NULL ? -1 : open(*name, DM_STORE_LOCK_FLAGS);
}
