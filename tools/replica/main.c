/*
 * dm-replica: keeps the account store of a machine the same as those of its
 * fleet.  It follows the log (loop.c), tells of it (tell.c, say.c), and makes
 * the store of a new machine (make.c).
 */

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/process.h"
#include "replica/end.h"
#include "replica/replica.h"
#include "replica/say.h"


static int dm_main_keys(dm_replica_t *replica);
static int dm_main_run(dm_replica_t *replica);


int
main(int argc, char **argv)
{
    int                   rc;
    dm_replica_t          replica;
    dm_replica_options_t  options;

    if (dm_process_prepare("dm-replica") != DM_OK) {
        return DM_REPLICA_REFUSED;
    }

    dm_json_init();

    rc = dm_replica_options(&options, argc, argv);

    if (rc == DM_REPLICA_SHOWN) {
        return fflush(stdout) == 0 ? DM_REPLICA_DONE : DM_REPLICA_REFUSED;
    }

    if (rc != DM_REPLICA_DONE) {
        return rc;
    }

    memset(&replica, 0, sizeof(replica));
    replica.options = &options;
    replica.anew = options.anew;

    dm_say_init(&options);
    dm_end_catch();
    dm_end_guard();
    dm_say_unready();

    rc = dm_main_run(&replica);

    dm_replica_close(&replica);

    dm_fleet_signer_free(replica.beats);
    dm_keys_wipe(&replica.keys);
    OPENSSL_cleanse(&replica, sizeof(replica));

    return rc;
}


static int
dm_main_run(dm_replica_t *replica)
{
    int       rc;
    dm_err_t  err;

    /* libpq's own default is a file of the user whom this will be */

    (void) setenv("PGSERVICEFILE", DM_ENGINE_SERVICES, 0);

    if (dm_main_keys(replica) != DM_OK) {
        return DM_REPLICA_REFUSED;
    }

    rc = dm_replica_make(replica, &err);

    if (rc == DM_ERROR || dm_replica_drop(replica, &err) != DM_OK) {
        dm_say(DM_SAY_ERROR, "%s", err.text);
        return DM_REPLICA_REFUSED;
    }

    return dm_replica_run(replica);
}


/* reads all keys, as long as root can */
static int
dm_main_keys(dm_replica_t *replica)
{
    dm_err_t                     err;
    dm_keys_t                    beats;
    const dm_replica_options_t  *options;

    options = replica->options;

    if (dm_keys_read(options->key, &replica->keys, &err) != DM_OK
        || dm_keys_read_public(options->authority, &replica->authority, &err)
           != DM_OK)
    {
        dm_say(DM_SAY_ERROR, "%s", err.text);
        return DM_ERROR;
    }

    if (options->beat == NULL) {
        return DM_OK;
    }

    if (dm_keys_read(options->beat, &beats, &err) != DM_OK) {
        dm_say(DM_SAY_ERROR, "%s", err.text);
        return DM_ERROR;
    }

    replica->beats = dm_fleet_signer_new(&beats.key[0]);
    dm_keys_wipe(&beats);

    if (replica->beats == NULL) {
        dm_say(DM_SAY_ERROR, "the key of beats cannot be used: OpenSSL failed");
        return DM_ERROR;
    }

    return DM_OK;
}
