/*
 * Accounts that are disabled beside the store's writer.
 *
 * An import is one transaction of LMDB's, which keeps all of it or nothing, and
 * holds the lock of the writers until it ends.  A device that was stolen cannot
 * wait for that.  So dm-account disable, where another writer has the store for
 * more than a moment, adds the account's id to the file "disabled" in the
 * store's directory, and whoever reads the store holds an account that stands
 * there for disabled, whatever its record says.  The writer takes what stands
 * there over into the records, before its transaction and after it, and empties
 * the file: so disable wins over whatever that transaction made of the account.
 * Of a writer that was killed nothing is left but the file, which is in force
 * as it is until the next writer takes it over.
 *
 *     magic (8) | changes (8) | cleared (8) | len (8) | 0 ...
 *     at 64, len octets of entries: length (2) | id str8 | nothing, or in one
 *     that takes an earlier one of that id back DM_DISABLED_LIFT, sealed, bound
 *     to the store and the id
 *
 * Readers have the first page mapped and look at its numbers, so that an empty
 * file costs them nothing.  "changes" is odd while the two others are changed,
 * and grows: as long as it is the same, and even, so are they.  Whoever makes a
 * change can be killed in it; then changes stays odd, nothing is remembered of
 * any account, and whatever the numbers are is read as it is, until the next
 * change ends with an even number.  "cleared" grows when len becomes 0, and
 * once more before entries begin anew, so that two files that begin in
 * different ways have different numbers, whatever was between them, and a
 * reader that knows one reads the other from its start.
 *
 * Readers read the file first and choose their snapshot then: what was taken
 * out of the file meanwhile is in that snapshot's records.  An entry is taken
 * out when its record says the same, or can be opened by nobody; a writer that
 * lacks the key of a record changes nothing.  Whoever changes the file holds a
 * lock on the first octet of "write.lock", never for longer than that takes.
 *
 * In a store that follows a log (dm_store_follow.h) the writer takes nothing
 * over: what stands here was disabled on this machine alone, while it could not
 * reach the log, and stays until the log says the same, or until somebody who
 * is here takes it back.  Entries that are not in force any more are followed
 * by one that says so; the file is emptied when none is left.  "cleared" grows
 * with these, too: who copies the store then takes those of both times.
 *
 * A worker shows in its slot which such file it reads.  Where one does not, as
 * one of an older version, disable waits for the writer.
 */

#ifndef DM_STORE_DISABLED_FILE_H
#define DM_STORE_DISABLED_FILE_H


#include <sys/types.h>

#include "dm_account.h"


#define DM_STORE_DISABLED     "disabled"

#define DM_DISABLED_MAGIC     "dm-dis 1"
#define DM_DISABLED_START     64
#define DM_DISABLED_SIZE      4096          /* of an empty file */
#define DM_DISABLED_LEN_MAX   ((uint64_t) 8 << 20)

/* an entry: its length, the id, whether it is taken back, and what seals it */
#define DM_DISABLED_ENTRY     (2 + 1 + DM_ID_MAX + 1 + DM_SEAL_OVERHEAD)
#define DM_DISABLED_LIFT      "-"
#define DM_DISABLED_BOUND     3


/* the start of the file, mapped */
typedef struct {
    char              magic[8];
    uint64_t          changes;              /* odd: in the middle of one */
    uint64_t          cleared;
    uint64_t          len;
} dm_disabled_head_t;


/* the file, and what was read of it */
typedef struct {
    int                  fd;                /* -1: there is none */
    ino_t                ino;
    dm_disabled_head_t  *head;              /* NULL */
    uint64_t             changes;
    uint64_t             cleared;
    uint64_t             len;
    unsigned             n;
    void                *ids;               /* tsearch() */
} dm_disabled_t;


#endif /* DM_STORE_DISABLED_FILE_H */
