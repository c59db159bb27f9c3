/* dm-account upgrade: what its parts know of the store */

#ifndef DM_ACCOUNT_UPGRADE_H
#define DM_ACCOUNT_UPGRADE_H

#include <limits.h>
#include <sys/types.h>

#include <jansson.h>

#include "account/cli_store.h"
#include "account/old.h"


/* the things that an older version may not have made */
typedef enum {
    DM_UPGRADE_FILES = 0,
    DM_UPGRADE_COUNTERS,
    DM_UPGRADE_DISABLED,
    DM_UPGRADE_VERSION,
    DM_UPGRADE_STEPS
} dm_upgrade_step_e;


/* shared memory, in which the process that opened the store tells of it */
typedef struct {
    unsigned char        writer[DM_VERSION_MAX];
    int                  counted;
    int                  idle;              /* nothing was to be done */
    char                 said[DM_CLI_MESSAGE_MAX];
} dm_upgrade_seen_t;


typedef struct {
    dm_cli_t            *cli;
    const char          *owner;                 /* NULL: as it is */
    const char          *user;
    unsigned             keep;
    char                 path[PATH_MAX];        /* without links */
    char                 copies[PATH_MAX];      /* names of copies begin so */
    char                 aside[PATH_MAX + DM_OLD_SUFFIX];   /* "": none */
    pid_t                pid;                   /* it writes; 0: none does */
    int                  talk[2];               /* this process's, and its */
    dm_store_owner_t     whose;
    int                  step[DM_UPGRADE_STEPS];    /* 1: to be done */
    dm_upgrade_seen_t   *seen;
    char                 writer[DM_VERSION_MAX + 1];
    json_t              *removed;
} dm_upgrade_t;


/* looks at the store that is open; these four return what a verb does */
int dm_upgrade_see(dm_upgrade_t *up);

/* finds out what is to be done, by what was seen */
int dm_upgrade_judge(dm_upgrade_t *up);

/* DM_CLI_DONE where it ended well; what a process refused it has told itself */
int dm_upgrade_failed(dm_upgrade_t *up, int status);

/* keeps a copy of the store, and makes the change, which is one transaction */
int dm_upgrade_change(dm_upgrade_t *up);

/* 1 if the transaction is needed, files aside; else 0 */
int dm_upgrade_changes(const dm_upgrade_t *up);

/* 1 if the store has that file, else 0 */
int dm_upgrade_has(const dm_upgrade_t *up, const char *file);


#endif /* DM_ACCOUNT_UPGRADE_H */
