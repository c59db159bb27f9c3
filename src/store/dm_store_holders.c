/* Processes that have a store open, and those that would lose it */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dm_store_access.h"
#include "dm_store_holders.h"


/* the arguments of dm_store_losers() */
typedef struct {
    const dm_store_owner_t  *owner;
    dm_store_become_t        become;
    dm_store_losers_t       *losers;
} dm_holders_t;


static int dm_holders_collect(const dm_slot_seen_t *seen, void *data);
static pid_t dm_holders_pid(const dm_slot_seen_t *seen);
static void dm_holders_ids(dm_ids_t *ids, const dm_slot_seen_t *seen);
static int dm_holders_keep(const dm_holders_t *holders, const dm_ids_t *ids);


int
dm_store_losers(const char *path, const dm_store_owner_t *owner,
    dm_store_become_t become, dm_store_losers_t *losers, dm_err_t *err)
{
    dm_holders_t  holders;

    memset(losers, 0, sizeof(dm_store_losers_t));

    if (access(path, F_OK) == -1 && errno == ENOENT) {
        return DM_OK;
    }

    holders = (dm_holders_t) { owner, become, losers };

    return dm_slots_walk(path, dm_holders_collect, &holders, err);
}


static int
dm_holders_collect(const dm_slot_seen_t *seen, void *data)
{
    dm_ids_t       ids;
    dm_holders_t  *holders;

    holders = data;

    if (!seen->alive) {
        return DM_OK;
    }

    dm_holders_ids(&ids, seen);

    if (dm_holders_keep(holders, &ids)) {
        return DM_OK;
    }

    if (holders->losers->pids.n == 0) {
        holders->losers->ids = ids;
    }

    dm_store_add_slot(&holders->losers->pids, seen);

    return DM_OK;
}


/* its process, 0: of another container */
static pid_t
dm_holders_pid(const dm_slot_seen_t *seen)
{
    pid_t  pid;

    pid = seen->content.space == dm_slot_space()
          ? (pid_t) seen->content.pid : 0;

    return pid > 0 ? pid : 0;
}


/* of a process that cannot be asked it is what is known of its user */
static void
dm_holders_ids(dm_ids_t *ids, const dm_slot_seen_t *seen)
{
    pid_t           pid;
    struct passwd  *pw;

    pid = dm_holders_pid(seen);

    if (pid != 0 && dm_ids_of_process(ids, pid) == DM_OK) {
        return;
    }

    pw = getpwuid(seen->uid);

    dm_ids_of_user(ids, seen->uid, pw == NULL ? (gid_t) -1 : pw->pw_gid);
}


/* 1 if they can open the store when it is the owner's, else 0 */
static int
dm_holders_keep(const dm_holders_t *holders, const dm_ids_t *ids)
{
    const dm_store_owner_t  *owner;

    owner = holders->owner;

    if (ids->uid == 0) {
        return 1;
    }

    /* a new store has a place for the slots of one user */

    if (holders->become == DM_STORE_REPLACED && ids->uid != owner->reader) {
        return 0;
    }

    return ids->uid == owner->uid || dm_ids_has(ids, owner->readers);
}


void
dm_store_add_slot(dm_store_pids_t *pids, const dm_slot_seen_t *seen)
{
    dm_store_add_pid(pids, dm_holders_pid(seen));
}


void
dm_store_add_pid(dm_store_pids_t *pids, pid_t pid)
{
    unsigned  i;

    for (i = 0; i < pids->n && i < DM_STORE_PIDS; i++) {
        if (pids->pid[i] == pid) {
            return;
        }
    }

    if (pids->n < DM_STORE_PIDS) {
        pids->pid[pids->n] = pid;
    }

    pids->n++;
}


void
dm_store_write_pids(char buf[DM_STORE_PIDS_LEN], const dm_store_pids_t *pids)
{
    int       n;
    size_t    len, size;
    unsigned  i;

    size = DM_STORE_PIDS_LEN;
    n = snprintf(buf, size, "process%s", pids->n == 1 ? "" : "es");

    for (i = 0; i < pids->n && i < DM_STORE_PIDS; i++) {
        len = n < 0 ? size : (size_t) n;

        if (len >= size) {
            return;
        }

        if (pids->pid[i] == 0) {
            n += snprintf(buf + len, size - len, "%s of another container",
                          i == 0 ? "" : ",");

        } else {
            n += snprintf(buf + len, size - len, "%s %d", i == 0 ? "" : ",",
                          (int) pids->pid[i]);
        }
    }

    if (pids->n > DM_STORE_PIDS && n > 0 && (size_t) n < size) {
        (void) snprintf(buf + n, size - (size_t) n, " and %u more",
                        pids->n - DM_STORE_PIDS);
    }
}


void
dm_store_write_slot(char buf[DM_STORE_LOSERS_LEN], const dm_slot_seen_t *seen)
{
    char             pids[DM_STORE_PIDS_LEN];
    dm_ids_t         ids;
    dm_store_pids_t  one;

    memset(&one, 0, sizeof(dm_store_pids_t));
    dm_store_add_slot(&one, seen);
    dm_store_write_pids(pids, &one);
    dm_holders_ids(&ids, seen);

    (void) snprintf(buf, DM_STORE_LOSERS_LEN, "%s of %s", pids,
                    dm_access_who(ids.uid, ids.group[0]));
}


void
dm_store_write_losers(char buf[DM_STORE_LOSERS_LEN],
    const dm_store_losers_t *losers)
{
    char  pids[DM_STORE_PIDS_LEN];

    dm_store_write_pids(pids, &losers->pids);

    (void) snprintf(buf, DM_STORE_LOSERS_LEN, "%s of %s, %s", pids,
                    dm_access_who(losers->ids.uid, losers->ids.group[0]),
                    losers->pids.n == 1 ? "has" : "have");
}
