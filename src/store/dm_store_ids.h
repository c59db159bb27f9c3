/* A user and his groups, as the kernel asks for them */

#ifndef DM_STORE_IDS_H
#define DM_STORE_IDS_H


#include <sys/stat.h>
#include <sys/types.h>

#include "dm.h"


#define DM_IDS_GROUPS  256


typedef struct {
    uid_t     uid;
    int       n;
    gid_t     group[DM_IDS_GROUPS];     /* the first is the process's own */
} dm_ids_t;


/* those of a user: gid, and the groups that he is in */
void dm_ids_of_user(dm_ids_t *ids, uid_t uid, gid_t gid);

/* those of a process.  DM_OK, or DM_ERROR: the system does not tell */
int dm_ids_of_process(dm_ids_t *ids, pid_t pid);

/* 1 if it is one of the groups, else 0 */
int dm_ids_has(const dm_ids_t *ids, gid_t gid);

/*
 * 1 if they may do that, made of S_IROTH, S_IWOTH and S_IXOTH, as far as owner,
 * group and mode tell, else 0.
 */
int dm_ids_may(const dm_ids_t *ids, const struct stat *sb, unsigned need);


#endif /* DM_STORE_IDS_H */
