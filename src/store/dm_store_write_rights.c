/* The owners and modes of the parts of a store */

#define _GNU_SOURCE     /* S_IFMT */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm_store_write_internal.h"


#define DM_STORE_PARTS  6


/* as dm_store_create() makes them, in the order in which they are given */
typedef struct {
    char             slots[DM_SLOTS_NAME];
    dm_store_part_t  part[DM_STORE_PARTS];
} dm_store_parts_t;


static void dm_store_parts(dm_store_parts_t *parts,
    const dm_store_owner_t *owner);
static int dm_store_is_right(const dm_store_part_t *part);
static int dm_store_examine(int dir, dm_store_part_t *part, const char *path,
    dm_err_t *err);


/* the directory, through which others get to the rest, is the last */
static void
dm_store_parts(dm_store_parts_t *parts, const dm_store_owner_t *owner)
{
    unsigned  i;
    uid_t     uid;
    gid_t     gid;

    uid = owner->uid;
    gid = owner->gid;

    memset(parts, 0, sizeof(dm_store_parts_t));

    (void) snprintf(parts->slots, sizeof(parts->slots), DM_SLOTS_PREFIX "%u",
                    (unsigned) owner->reader);

    parts->part[0] = (dm_store_part_t) { parts->slots, S_IFDIR, owner->reader,
                                         gid, DM_SLOTS_MODE, 0, { 0 } };
    parts->part[1] = (dm_store_part_t) { DM_STORE_DATA, S_IFREG, uid,
                                         owner->readers, 0640, 0, { 0 } };
    parts->part[2] = (dm_store_part_t) { DM_STORE_LOCK, S_IFREG, uid, gid,
                                         0600, 0, { 0 } };
    parts->part[3] = (dm_store_part_t) { DM_STORE_WRITERS, S_IFREG, uid, gid,
                                         0600, 0, { 0 } };
    parts->part[4] = (dm_store_part_t) { DM_STORE_DISABLED, S_IFREG, uid, gid,
                                         0644, 0, { 0 } };
    parts->part[5] = (dm_store_part_t) { ".", S_IFDIR, uid, owner->readers,
                                         0750, 0, { 0 } };

    for (i = 0; i < DM_STORE_PARTS; i++) {
        parts->part[i].absent = 1;
    }
}


int
dm_store_give_all(const char *path, const dm_store_owner_t *owner,
    dm_err_t *err)
{
    unsigned          i;
    dm_store_parts_t  parts;

    dm_store_parts(&parts, owner);

    if (dm_store_make_slots(path, owner->reader, parts.part[0].uid,
                            parts.part[0].gid, err)
        != DM_OK)
    {
        return DM_ERROR;
    }

    for (i = 1; i < DM_STORE_PARTS; i++) {

        if (dm_store_give(path, parts.part[i].name, parts.part[i].uid,
                          parts.part[i].gid, parts.part[i].mode, err)
            != DM_OK)
        {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


int
dm_store_rights(const char *path, const dm_store_owner_t *owner,
    int (*wrong)(const dm_store_part_t *part, void *data), void *data,
    dm_err_t *err)
{
    int               fd, rc;
    unsigned          i;
    dm_store_parts_t  parts;

    fd = open(path, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (fd == -1) {
        dm_err_set(err, "\"%s\" cannot be opened: %s", path, strerror(errno));
        return DM_ERROR;
    }

    dm_store_parts(&parts, owner);

    rc = DM_OK;

    for (i = 0; i < DM_STORE_PARTS && rc == DM_OK; i++) {
        rc = dm_store_examine(fd, &parts.part[i], path, err);

        if (rc == DM_OK && !dm_store_is_right(&parts.part[i])) {
            rc = wrong(&parts.part[i], data);
        }
    }

    close(fd);

    return rc;
}


static int
dm_store_examine(int dir, dm_store_part_t *part, const char *path,
    dm_err_t *err)
{
    part->absent = (fstatat(dir, part->name, &part->is, AT_SYMLINK_NOFOLLOW)
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
dm_store_right(const char *path, const dm_store_part_t *part, uid_t reader,
    dm_err_t *err)
{
    if (part->type == S_IFDIR && part->absent) {
        return dm_store_make_slots(path, reader, part->uid, part->gid, err);
    }

    if (part->absent && dm_store_touch(path, part->name, err) != DM_OK) {
        return DM_ERROR;
    }

    return dm_store_give(path, part->name, part->uid, part->gid, part->mode,
                         err);
}
