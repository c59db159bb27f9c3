/*
 * Counters of accounts, kept with each change.  They are not sealed: whoever
 * can write the file can change them, so they are for people to read, and
 * nothing is let in or refused by them.  They do not make what is challenged
 * with weaker, either: see dm_store_suits().
 */

#ifndef DM_STORE_COUNT_H
#define DM_STORE_COUNT_H


#include "dm_store.h"


#define DM_STORE_HASHES  (1 << DM_NALGORITHMS)


/* how Digest is challenged where the configuration does not say it */
typedef enum {
    DM_CHALLENGE_ANY = 0,           /* MD5 and SHA-256 */
    DM_CHALLENGE_MD5,
    DM_CHALLENGE_SHA256
} dm_challenge_t;


/* accounts of a store; each is active, expired or disabled */
typedef struct {
    uint64_t  active;
    uint64_t  expired;              /* not_after was before this day, UTC */
    uint64_t  disabled;             /* whatever its not_after */

    /*
     * Those for Digest that are active, by the hashes that they have: a set of
     * 1 << dm_algorithm_t.
     */
    uint64_t  hashes[DM_STORE_HASHES];
} dm_store_counts_t;


/*
 * Counts the accounts as they are at now, seconds since 1970: a few look-ups,
 * however many there are.  DM_OK; DM_DECLINED: an older version wrote the
 * store, and the next change counts; DM_ERROR.
 */
int dm_store_count(dm_store_t *store, int64_t now, dm_store_counts_t *counts,
    dm_err_t *err);

/* counts the accounts of a group, as above */
int dm_store_count_group(dm_store_t *store, dm_str_t group, uint64_t *n,
    dm_err_t *err);

/*
 * Returns what suits a store of this meta record and these counters; NULL: an
 * older version wrote it.  MD5 alone, the weakest, needs that the sealed record
 * says so: the counters can only add to it.  SHA-256 alone is for a store in
 * which no active account has MD5.
 */
dm_challenge_t dm_store_suits(const dm_store_meta_t *meta,
    const dm_store_counts_t *counts);

/* the same of an open store, now; DM_OK, or DM_ERROR */
int dm_store_challenge(dm_store_t *store, int64_t now,
    dm_challenge_t *challenge, dm_err_t *err);

/* how many of those can log in by Digest, but not with alg */
uint64_t dm_store_lacking(const dm_store_counts_t *counts,
    dm_algorithm_t alg);


#endif /* DM_STORE_COUNT_H */
