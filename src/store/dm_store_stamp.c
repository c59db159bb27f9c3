/* The identity of the store that stands at a path */

#define _GNU_SOURCE     /* statx() */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_store_internal.h"
#include "dm_store_stamp.h"


static int dm_store_stamp_stat(const char *path, const char *file,
    struct stat *sb);
static uint64_t dm_store_stamp_born(const char *path);


int
dm_store_stamp(const char *path, dm_store_stamp_t *stamp)
{
    struct stat  sb;

    memset(stamp, 0, sizeof(dm_store_stamp_t));

    if (dm_store_stamp_stat(path, DM_STORE_DATA, &sb) != DM_OK) {
        return DM_ERROR;
    }

    stamp->dev = sb.st_dev;
    stamp->ino = sb.st_ino;
    stamp->born = dm_store_stamp_born(path);

    if (dm_store_stamp_stat(path, DM_STORE_CHECKED, &sb) == DM_OK) {
        stamp->checked = (uint64_t) sb.st_mtim.tv_sec * 1000000000
                         + (uint64_t) sb.st_mtim.tv_nsec;
    }

    return DM_OK;
}


static int
dm_store_stamp_stat(const char *path, const char *file, struct stat *sb)
{
    int    rc;
    char  *name;

    name = dm_store_join(path, file);

    rc = (name == NULL || stat(name, sb) == -1) ? DM_ERROR : DM_OK;

    free(name);

    return rc;
}


/* the time when the data file was made, ns; 0 if the file system has none */
static uint64_t
dm_store_stamp_born(const char *path)
{
    int            rc;
    char          *name;
    struct statx   sx;

    name = dm_store_join(path, DM_STORE_DATA);
    if (name == NULL) {
        return 0;
    }

    rc = statx(AT_FDCWD, name, 0, STATX_BTIME, &sx);

    free(name);

    if (rc == -1 || !(sx.stx_mask & STATX_BTIME)) {
        return 0;
    }

    return (uint64_t) sx.stx_btime.tv_sec * 1000000000
           + sx.stx_btime.tv_nsec;
}


/* always a new file: who owns the directory may have put a link there */
int
dm_store_stamp_checked(const char *path, dm_err_t *err)
{
    int    fd;
    char  *name;

    name = dm_store_join(path, DM_STORE_CHECKED);
    if (name == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    (void) unlink(name);

    fd = open(name, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {
        dm_err_set(err, "\"%s\" cannot be made: %s", name, strerror(errno));
        free(name);
        return DM_ERROR;
    }

    close(fd);
    free(name);

    return DM_OK;
}
