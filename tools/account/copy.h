/* A store that is copied, by its user where root runs it */

#ifndef DM_ACCOUNT_COPY_H
#define DM_ACCOUNT_COPY_H

#include "account/cli_store.h"


/* shared memory, in which the process that opened the store tells of it */
typedef struct {
    uint64_t           accounts;
    unsigned char      realm[DM_REALM_MAX];
    char               said[DM_CLI_MESSAGE_MAX];
} dm_copy_seen_t;


typedef struct {
    dm_cli_t          *cli;
    const char        *from;
    int                restore;     /* from is a backup, to be checked */
    dm_store_owner_t   whose;       /* of the copy, if it is like no other */
    dm_copy_seen_t    *seen;        /* NULL: this process has it */
    const dm_store_put_t  *put;     /* NULL: the copy has the name it got */
} dm_copy_t;


/*
 * Opens the store; if root handles another user's, then in a process that has
 * become him, and this one makes the new store where only root can.
 */
int dm_copy_prepare(dm_copy_t *copy);

/* opens it in this process, which becomes its user */
int dm_copy_open(dm_copy_t *copy);

/* dm_store_copy(), or the same by such a process */
int dm_copy_make(dm_copy_t *copy, const char *path, const char *like);


#endif /* DM_ACCOUNT_COPY_H */
