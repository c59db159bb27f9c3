/* Processes that have a store open, and those that would lose it */

#ifndef DM_STORE_HOLDERS_H
#define DM_STORE_HOLDERS_H


#include <sys/types.h>

#include "dm.h"
#include "dm_store_ids.h"
#include "dm_store_slot.h"


/* no more are named */
#define DM_STORE_PIDS      16

/* octets of them as text */
#define DM_STORE_PIDS_LEN  (DM_STORE_PIDS * 12 + 64)
#define DM_STORE_LOSERS_LEN  (DM_STORE_PIDS_LEN + 256)


/* processes that have a store open */
typedef struct {
    unsigned       n;
    pid_t          pid[DM_STORE_PIDS];      /* 0: of another container */
} dm_store_pids_t;


/* the owners of a store; all may be the same */
typedef struct {
    uid_t          uid;                     /* writes it */
    gid_t          gid;                     /* may see who reads it */
    uid_t          reader;                  /* the workers' user */
    gid_t          readers;                 /* and their group */
} dm_store_owner_t;


typedef enum {
    DM_STORE_CHANGED,           /* the store itself is given to its owner */
    DM_STORE_REPLACED           /* another one stands in its place */
} dm_store_become_t;


/* workers who would lose a store; ids are those of the first */
typedef struct {
    dm_ids_t         ids;
    dm_store_pids_t  pids;                  /* n is 0: nobody would */
} dm_store_losers_t;


/* adds a process that is not yet there; pid 0: of another container */
void dm_store_add_pid(dm_store_pids_t *pids, pid_t pid);
void dm_store_add_slot(dm_store_pids_t *pids, const dm_slot_seen_t *seen);

/* writes "process 1 of user NAME, group NAME", of a slot */
void dm_store_write_slot(char buf[DM_STORE_LOSERS_LEN],
    const dm_slot_seen_t *seen);

/* writes "process 1" or "processes 1, 2 and 3 more" */
void dm_store_write_pids(char buf[DM_STORE_PIDS_LEN],
    const dm_store_pids_t *pids);

/*
 * Finds the workers that have the store at path open now, and could not open
 * it as owner's, if it became that so.  A store that is not there has none.
 * DM_OK or DM_ERROR.
 */
int dm_store_losers(const char *path, const dm_store_owner_t *owner,
    dm_store_become_t become, dm_store_losers_t *losers, dm_err_t *err);

/* writes of some that there are "process 1 of user NAME (ID), ..., has" */
void dm_store_write_losers(char buf[DM_STORE_LOSERS_LEN],
    const dm_store_losers_t *losers);


#endif /* DM_STORE_HOLDERS_H */
