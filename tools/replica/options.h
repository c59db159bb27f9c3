/* The command line of dm-replica */

#ifndef DM_REPLICA_OPTIONS_H
#define DM_REPLICA_OPTIONS_H


#include "dm_fleet.h"


/* exit statuses */
#define DM_REPLICA_DONE       0
#define DM_REPLICA_REFUSED    1
#define DM_REPLICA_USAGE      2
#define DM_REPLICA_SHOWN      3     /* none: help or version were, and DONE */


typedef struct {
    const char        *store;
    const char        *key;
    const char        *authority;
    const char        *engine;
    const char        *beat;        /* NULL: none are written */
    const char        *ready;       /* NULL: no file */
    const char        *owner;       /* of a store that is made: the workers */
    const char        *user;        /* and whose it is; NULL: by default */
    unsigned           poll;        /* s */
    unsigned           once;
    unsigned           json;
    unsigned           syslog;
    unsigned           anew;        /* bootstraps, whatever is here */
    unsigned           expects;
    dm_fleet_place_t   expect;
} dm_replica_options_t;


/* DM_REPLICA_DONE, or what main() is to return, told */
int dm_replica_options(dm_replica_options_t *options, int argc, char **argv);


#endif /* DM_REPLICA_OPTIONS_H */
