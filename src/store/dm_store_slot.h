/*
 * The slots by which workers show writers of the store that they read it.
 *
 * Workers do not use LMDB's lock file: a process that can write it can crash
 * all that have it open, and the workers' group is not to be trusted so far.
 * Each worker has a file of its own instead, a slot, in the store's directory
 * "readers.UID".  That belongs to the workers' user, whose id the name says,
 * and the store's group; others of the workers' group cannot enter it.  A slot
 * is locked (OFD) as long as its process lives.
 *
 * LMDB's writer of transaction T takes pages again that transactions up to
 * T - 2 have freed: they are in no snapshot after T - 3.  A worker makes its
 * counter odd before it chooses a snapshot, and even when it has done with
 * that; a writer, before it begins, waits until each counter that is odd has
 * changed.  So a worker that reads meanwhile has chosen T - 1 or T.
 */

#ifndef DM_STORE_SLOT_H
#define DM_STORE_SLOT_H


#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "dm.h"


#define DM_SLOTS_PREFIX  "readers."
#define DM_SLOTS_MODE    02750
#define DM_SLOTS_MAX     1024           /* to a directory */
#define DM_SLOTS_LOOK    4096           /* with those of dead processes */
#define DM_SLOTS_NAME    32             /* octets of its name, with the NUL */


typedef struct dm_store_slot_s  dm_store_slot_t;


/* the content of a slot's file */
typedef struct {
    uint64_t           counter;         /* odd: in a look-up */
    uint64_t           badge;           /* shows which keys it has */
    uint64_t           pid;
    uint64_t           space;           /* the pid's: a container's inode */
    uint64_t           follows;         /* the inode of the file of those that
                                           are disabled; 0: of none, as one of
                                           an older version, which has no such
                                           field */
} dm_slot_content_t;


/* a slot that dm_slots_walk() has found */
typedef struct {
    int                dir;             /* the directory it is in */
    const char        *name;
    int                fd;              /* to read it */
    int                alive;
    int                ours;            /* and with a slot's name; else 0 */
    uid_t              uid;             /* whose it is */
    dm_slot_content_t  content;
} dm_slot_seen_t;


/*
 * Takes a slot in the store at path, and removes those of processes that are
 * gone.  DM_OK; DM_INVALID: the store is not for this user's processes, and
 * err says what to do; DM_ERROR.
 */
int dm_slot_open(dm_store_slot_t **slot, const char *path, uint64_t badge,
    dm_err_t *err);

/* 1 if its file is no longer in the store at path, so that no writer sees it */
int dm_slot_lost(const dm_store_slot_t *slot, const char *path);

/*
 * Looks whether processes of that user could take one, as far as names tell;
 * the results are those of dm_slot_open().
 */
int dm_slots_check(const char *path, uid_t uid, dm_err_t *err);

/* NULL is accepted */
void dm_slot_close(dm_store_slot_t *slot);

/* a worker calls these before and after all that it reads of the store */
void dm_slot_enter(dm_store_slot_t *slot);
void dm_slot_leave(dm_store_slot_t *slot);

/* shows which file of those that are disabled it reads, by its inode */
void dm_slot_follow(dm_store_slot_t *slot, uint64_t ino);

/* reads the content of the slot that is open at fd.  DM_OK or DM_ERROR */
int dm_slot_read(int fd, dm_slot_content_t *content);

/*
 * Calls fn for each slot of the store at path that belongs to the user of its
 * directory, to the store's or to root.  One that is alive is complete.  fn
 * returns DM_OK to go on; anything else ends the walk and is its result.
 * DM_OK, or DM_ERROR: a directory or a slot cannot be read.
 */
int dm_slots_walk(const char *path,
    int (*fn)(const dm_slot_seen_t *seen, void *data), void *data,
    dm_err_t *err);

/* 1 if the process of the slot open at fd still lives, else 0 */
int dm_slot_alive(int fd);

/* counts the processes that have a slot now; DM_OK or DM_ERROR */
int dm_slots_count(const char *path, unsigned *n, dm_err_t *err);

/* the pid namespace of this process, in which its pids mean something */
uint64_t dm_slot_space(void);

/*
 * Reads on to the next directory of slots in that of the store: its name, and
 * the id in it.  DM_OK; DM_DECLINED: there are no more.
 */
int dm_slots_next(DIR *store, const char **name, uid_t *uid);

/*
 * 1 if it is a directory of user uid or of the store's owner, else 0: another
 * one is there by its name alone, which the store's owner can give it, and
 * nothing in it is for us to remove.
 */
int dm_slots_is_ours(const struct stat *dir, uid_t uid, uid_t owner);

/* 1 if a slot has such a name, else 0 */
int dm_slot_is_name(const char *name);


#endif /* DM_STORE_SLOT_H */
