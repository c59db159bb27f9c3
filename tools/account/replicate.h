/* dm-account replicate: a store, its log, and the nodes that follow it */

#ifndef DM_ACCOUNT_REPLICATE_H
#define DM_ACCOUNT_REPLICATE_H

#include "dm_fleet_entry.h"
#include "dm_fleet_head.h"
#include "dm_store_follow.h"
#include "account/authority.h"


/* "number:" and a chain in hex */
#define DM_PLACE_TEXT  (20 + 1 + 2 * DM_FLEET_HASH + 1)

#define DM_HASH_TEXT   (2 * DM_FLEET_HASH + 1)


typedef struct {
    dm_cli_t             *cli;
    const char           *conninfo;
    int                   replace;
    uint64_t              from;             /* 0: from the oldest one */
    uint64_t              keep;
    const char           *forget;           /* a node, or NULL */

    dm_keys_t             keys;             /* the store's */
    dm_keys_t             public;           /* the authority's public ones */
    dm_keys_t             seeds;            /* and its own: n 0, or read */

    dm_fleet_t           *fleet;
    dm_fleet_signer_t    *signer;
    dm_engine_t          *engine;
    dm_fleet_position_t   position;         /* the store's */
    dm_engine_head_t      octets;
    dm_fleet_head_t       head;             /* verified */
} dm_replicate_t;


/* each is DM_CLI_DONE, or what was told */
int dm_replicate_init(dm_replicate_t *rep);
int dm_replicate_status(dm_replicate_t *rep);
int dm_replicate_log(dm_replicate_t *rep);
int dm_replicate_repair(dm_replicate_t *rep);
int dm_replicate_prune(dm_replicate_t *rep);

/* Steps that they have in common, each as those. */

/* reads the store's key and the authority's public ones, and its own if sign */
int dm_replicate_keys(dm_replicate_t *rep, int sign);

/* makes signer and fleet of the store that is open */
int dm_replicate_signer(dm_replicate_t *rep);
int dm_replicate_fleet(dm_replicate_t *rep);

/* opens the store, which follows, and reads its position */
int dm_replicate_open(dm_replicate_t *rep, dm_store_mode_t mode);

int dm_replicate_connect(dm_replicate_t *rep);

/* reads octets from the engine, and verifies them into head */
int dm_replicate_look(dm_replicate_t *rep);

/* verifies octets into head */
int dm_replicate_prove(dm_replicate_t *rep);

/* tells what the engine said, by its result */
int dm_replicate_refuse(const dm_replicate_t *rep, int rc);

/* a place, or a hash, as text of DM_PLACE_TEXT or DM_HASH_TEXT octets */
void dm_replicate_place(const dm_fleet_place_t *place, char *text);
void dm_replicate_hash(const unsigned char *hash, char *text);


#endif /* DM_ACCOUNT_REPLICATE_H */
