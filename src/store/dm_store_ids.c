/* A user and his groups, as the kernel asks for them */

#define _GNU_SOURCE     /* getgrouplist() */

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm_store_ids.h"


/* octets of a line of /proc/PID/status that is read: 256 groups fit */
#define DM_IDS_LINE  4096


static int dm_ids_line(const char *line, const char *name, unsigned at,
    unsigned *id);


void
dm_ids_of_user(dm_ids_t *ids, uid_t uid, gid_t gid)
{
    struct passwd  *pw;

    ids->uid = uid;
    ids->n = DM_IDS_GROUPS;

    pw = getpwuid(uid);

    if (pw == NULL || getgrouplist(pw->pw_name, gid, ids->group, &ids->n) == -1)
    {
        ids->group[0] = gid;
        ids->n = 1;
    }
}


int
dm_ids_of_process(dm_ids_t *ids, pid_t pid)
{
    int       uids, gids;
    char      path[64], line[DM_IDS_LINE];
    FILE     *status;
    unsigned  id;

    uids = 0;
    gids = 0;
    ids->n = 1;

    (void) snprintf(path, sizeof(path), "/proc/%d/status", (int) pid);

    status = fopen(path, "re");

    if (status == NULL) {
        return DM_ERROR;
    }

    while (fgets(line, sizeof(line), status) != NULL) {

        /* the real, the effective, the saved and that of the file system */

        if (dm_ids_line(line, "Uid:", 1, &id) == DM_OK) {
            ids->uid = id;
            uids = 1;
        }

        if (dm_ids_line(line, "Gid:", 1, &id) == DM_OK) {
            ids->group[0] = id;
            gids = 1;
        }

        while (ids->n < DM_IDS_GROUPS
               && dm_ids_line(line, "Groups:", (unsigned) ids->n - 1, &id)
                  == DM_OK)
        {
            ids->group[ids->n++] = id;
        }
    }

    (void) fclose(status);

    return uids && gids ? DM_OK : DM_ERROR;
}


/* the number at that place in the line of that name.  DM_OK, DM_DECLINED */
static int
dm_ids_line(const char *line, const char *name, unsigned at, unsigned *id)
{
    char    *end;
    size_t   len;

    len = strlen(name);

    if (strncmp(line, name, len) != 0) {
        return DM_DECLINED;
    }

    for (line += len; ; line = end) {
        *id = (unsigned) strtoul(line, &end, 10);

        if (end == line) {
            return DM_DECLINED;
        }

        if (at-- == 0) {
            return DM_OK;
        }
    }
}


int
dm_ids_has(const dm_ids_t *ids, gid_t gid)
{
    int  i;

    for (i = 0; i < ids->n; i++) {
        if (ids->group[i] == gid) {
            return 1;
        }
    }

    return 0;
}


int
dm_ids_may(const dm_ids_t *ids, const struct stat *sb, unsigned need)
{
    if (ids->uid == 0) {
        return 1;
    }

    if (sb->st_uid == ids->uid) {
        return (sb->st_mode >> 6 & need) == need;
    }

    if (dm_ids_has(ids, sb->st_gid)) {
        return (sb->st_mode >> 3 & need) == need;
    }

    return (sb->st_mode & need) == need;
}
