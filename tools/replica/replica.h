/* A daemon that follows: what it knows, and its parts */

#ifndef DM_REPLICA_REPLICA_H
#define DM_REPLICA_REPLICA_H


#include <time.h>

#include "fleet/bootstrap.h"
#include "fleet/follow.h"
#include "replica/options.h"


typedef struct {
    const dm_replica_options_t  *options;
    dm_keys_t             keys;
    dm_keys_t             authority;        /* public */
    dm_fleet_signer_t    *beats;            /* NULL: it writes none */

    dm_store_t           *store;            /* NULL: it is not open */
    dm_engine_t          *engine;           /* NULL, too */
    dm_follow_t          *follow;           /* of store */

    dm_fleet_state_t      state;
    int64_t               since;            /* it is so */
    dm_err_t              why;              /* "" where all is well */
    dm_fleet_state_t      said_state;       /* in the log, last */
    dm_err_t              said_why;
    unsigned              said;             /* something was */

    dm_fleet_place_t      place;            /* of the store, and so on */
    uint64_t              accounts;
    unsigned char         digest[DM_FLEET_HASH];
    int64_t               beat;             /* 0: there was none */

    unsigned              anew;             /* a bootstrap was asked for */
    unsigned              proven;           /* what --expect says was */
    unsigned              started;          /* systemd knows */
    uint64_t              entries;          /* applied by a follow before */
    uint64_t              changes;
    int64_t               near;             /* when it was at the head last,
                                               on the clock of this machine's
                                               uptime; 0: never */
    int64_t               looked;           /* on that clock, in ms */
    int64_t               told_at;          /* the same */
    uint64_t              told_number;
    int64_t               told_beat;
    dm_fleet_state_t      told_state;
    unsigned              told;
    unsigned              slow;             /* the next try is not at once */
    unsigned              fails;            /* in a row */
} dm_replica_t;


/*
 * Makes an empty store for this machine where none is at the path, of the id
 * and the realm that the engine's head names.  DM_OK, DM_DECLINED: there is
 * one; or DM_ERROR with err.
 */
int dm_replica_make(dm_replica_t *replica, dm_err_t *err);

/* becomes the store's user, where root runs this.  DM_OK or DM_ERROR */
int dm_replica_drop(const dm_replica_t *replica, dm_err_t *err);

/*
 * Follows, until a signal ends the process, or with --once until the store is
 * at the head: a status of options.h, told.
 */
int dm_replica_run(dm_replica_t *replica);

/* closes all of it */
void dm_replica_close(dm_replica_t *replica);


/* milliseconds of the machine's uptime */
int64_t dm_replica_clock(void);

/* sets the state, and why it is so, or NULL; told in the log, and to systemd */
void dm_replica_state(dm_replica_t *replica, dm_fleet_state_t state,
    const char *why);

/*
 * Writes state and beat into the position, where they are others than there,
 * and reads it.  DM_OK or DM_ERROR with err.
 */
int dm_replica_note(dm_replica_t *replica, dm_err_t *err);

/* writes this node's line, if it is time.  DM_OK or DM_ERROR with err */
int dm_replica_tell(dm_replica_t *replica, dm_err_t *err);

/* how long until it is, in ms; -1: there is nothing to tell */
int dm_replica_tell_in(const dm_replica_t *replica);

/* prints the result of --once.  DM_OK or DM_ERROR */
int dm_replica_print(const dm_replica_t *replica);


#endif /* DM_REPLICA_REPLICA_H */
