/* Entries of the log, and the changes in them */

#ifndef DM_FLEET_ENTRY_H
#define DM_FLEET_ENTRY_H


#include "dm_fleet.h"


#define DM_FLEET_CHANGES   1000             /* in one entry, at most */
#define DM_FLEET_TEXT_MAX  255              /* octets of user, host and verb */

/* the octets of all changes in an entry, and those of an entry */
#define DM_FLEET_CHANGES_MAX  (1024 * 1024)
#define DM_FLEET_ENTRY_MAX                                                    \
    (DM_FLEET_CHANGES_MAX + DM_SEAL_OVERHEAD + DM_FLEET_SIGNED                \
     + 1 + DM_FLEET_ID + 8 + 2 * DM_FLEET_HASH + 4)


typedef enum {
    DM_FLEET_PUT = 1,               /* an account as it is from then on */
    DM_FLEET_DEL                    /* the id of one that is gone */
} dm_fleet_kind_t;

typedef struct {
    dm_fleet_kind_t  kind;
    unsigned char   *data;          /* as dm_account_pack() has it, or the id */
    size_t           len;
} dm_fleet_change_t;

/* the changes of an entry, while they are written or read */
typedef struct {
    int64_t    time;                /* seconds since 1970 */
    dm_str_t   user;
    dm_str_t   host;
    dm_str_t   verb;
    unsigned   n;                   /* changes */

    unsigned   done;                /* so many of them were read */
    dm_wire_t  w;
    unsigned char  *start;
    unsigned char  *count;
} dm_fleet_changes_t;

typedef struct {
    dm_fleet_place_t    before;
    dm_fleet_place_t    place;                  /* of this entry */
    unsigned char       digest[DM_FLEET_HASH];  /* of the sum behind it */
    dm_fleet_changes_t  changes;
} dm_fleet_entry_t;


/*
 * Begins changes in out[size], where time, user, host and verb are set.  Then
 * dm_fleet_change() adds one: DM_OK; DM_DECLINED: there is no room for it, and
 * the changes are as they were; DM_INVALID.  dm_fleet_changed() is what they
 * are so far.  The caller wipes out.
 */
int dm_fleet_changes(dm_fleet_changes_t *changes, unsigned char *out,
    size_t size, dm_err_t *err);
int dm_fleet_change(dm_fleet_changes_t *changes, dm_fleet_kind_t kind,
    dm_str_t what, dm_err_t *err);
dm_str_t dm_fleet_changed(const dm_fleet_changes_t *changes);

/*
 * The next change of those that were read, in the place where they were.
 * DM_OK; DM_DECLINED: that were all, and they were whole; DM_INVALID.
 */
int dm_fleet_next(dm_fleet_changes_t *changes, dm_fleet_change_t *change,
    dm_err_t *err);

/*
 * Writes the entry behind before, of changes, of which the sum behind it has
 * that digest, into out[DM_FLEET_ENTRY_MAX], and its place.  DM_OK or DM_ERROR
 * with err.
 */
int dm_fleet_entry_write(dm_fleet_t *fleet, dm_fleet_signer_t *signer,
    const dm_fleet_place_t *before, const unsigned char *digest,
    dm_str_t changes, unsigned char *out, size_t *outlen,
    dm_fleet_place_t *place, dm_err_t *err);

/*
 * The place before an entry, as its octets name it: for who has no other place
 * to begin at, and believes it when the entry is read with it.  DM_OK or
 * DM_INVALID.
 */
int dm_fleet_entry_before(dm_str_t octets, dm_fleet_place_t *before,
    dm_err_t *err);

/*
 * Reads the entry that is to follow before, and opens its changes in place.
 * DM_OK: entry points into data, which the caller wipes; DM_DECLINED: it is the
 * authority's and has the number, but follows another chain: the log was
 * forked; DM_INVALID; DM_ERROR.  In all but the first, data is wiped.
 */
int dm_fleet_entry_read(dm_fleet_t *fleet, const dm_fleet_place_t *before,
    unsigned char *data, size_t len, dm_fleet_entry_t *entry, dm_err_t *err);

/*
 * The place of the entry of these octets, which is to follow before.  A
 * signature of that place, or of one that follows it, is one of the octets.
 * DM_OK; DM_DECLINED: they say themselves that they follow another place, or
 * are no entry; DM_ERROR.
 */
int dm_fleet_entry_place(const dm_fleet_place_t *before, dm_str_t octets,
    dm_fleet_place_t *place);

/*
 * Reads an entry as dm_fleet_entry_read() does, but its own signature is not
 * looked at: place, which has been proven by a later one, is to be its place.
 */
int dm_fleet_entry_read_at(dm_fleet_t *fleet, const dm_fleet_place_t *before,
    const dm_fleet_place_t *place, unsigned char *data, size_t len,
    dm_fleet_entry_t *entry, dm_err_t *err);


#endif /* DM_FLEET_ENTRY_H */
