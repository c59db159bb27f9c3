/* Waits for other processes that use a store */

#define _GNU_SOURCE     /* F_OFD_SETLKW */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "dm_store_internal.h"


static int  (*dm_store_waits)(const char *path, int fd, off_t octet);


void
dm_store_on_wait(int (*fn)(const char *path, int fd, off_t octet))
{
    dm_store_waits = fn;
}


int
dm_store_wait_lock(const char *path, int fd, dm_err_t *err)
{
    while (flock(fd, LOCK_EX) == -1) {

        if (errno != EINTR) {
            dm_err_set(err, "store \"%s\" cannot be locked: %s", path,
                       strerror(errno));
            return DM_ERROR;
        }

        if (dm_store_waits != NULL
            && dm_store_waits(path, fd, DM_STORE_WRITER) != DM_OK)
        {
            dm_err_set(err, "another process writes to store \"%s\"", path);
            return DM_DECLINED;
        }
    }

    return DM_OK;
}


int
dm_store_lock_octet(const char *path, int fd, int command, short type,
    off_t octet)
{
    struct flock  lock;

    memset(&lock, 0, sizeof(struct flock));
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = octet;
    lock.l_len = 1;

    while (fcntl(fd, command, &lock) == -1) {

        if (errno != EINTR) {
            return DM_ERROR;
        }

        /* it is let go at once, or its holder is to be looked for */

        if (dm_store_waits != NULL) {
            (void) dm_store_waits(path, fd, octet);
        }
    }

    return DM_OK;
}


int
dm_store_show_import(dm_store_t *store, dm_err_t *err)
{
    /* first, so that what is marked because of the lock has a greater one */

    store->since = dm_store_number(store);

    if (dm_store_lock_octet(store->path, store->lock, F_OFD_SETLKW, F_RDLCK,
                            DM_STORE_IMPORTS)
        != DM_OK)
    {
        dm_err_set(err, "\"" DM_STORE_WRITERS "\" of store \"%s\" cannot be "
                   "locked: %s", store->path, strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}
