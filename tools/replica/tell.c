/* The state of a replica: in its position, in the log, to the engine */

#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dm_hex.h"
#include "dm_version.h"
#include "common/json.h"
#include "common/output.h"
#include "replica/replica.h"
#include "replica/say.h"


/* ms after which another number or beat is told; and all, whatever it is */
#define DM_TELL_SOON   5000
#define DM_TELL_OFTEN  30000
#define DM_TELL_NEAR   60000            /* ms; that long it is still ready */


static int dm_tell_write(dm_replica_t *replica, const dm_fleet_beat_t *beat,
    dm_err_t *err);
static int dm_tell_read(dm_replica_t *replica, dm_fleet_position_t *position,
    dm_err_t *err);
static void dm_tell_log(dm_replica_t *replica);
static int dm_tell_is_ready(const dm_replica_t *replica);
static json_t *dm_tell_json(const dm_replica_t *replica);
static int dm_tell_print(const dm_replica_t *replica, uint64_t entries,
    uint64_t changes);


int64_t
dm_replica_clock(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_BOOTTIME, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


void
dm_replica_state(dm_replica_t *replica, dm_fleet_state_t state,
    const char *why)
{
    if (state != replica->said_state || !replica->said) {
        replica->since = (int64_t) time(NULL);
    }

    replica->state = state;
    replica->why.text[0] = '\0';

    if (why != NULL) {
        dm_err_set(&replica->why, "%s", why);
    }

    dm_tell_log(replica);
    dm_say_ready(dm_tell_is_ready(replica));

    if (!replica->started && state != DM_FLEET_STARTING
        && state != DM_FLEET_BOOTSTRAPPING)
    {
        replica->started = 1;
        dm_say_notify("READY=1");
    }
}


/* each state once, and why it is so where that is another reason */
static void
dm_tell_log(dm_replica_t *replica)
{
    char            line[sizeof(dm_err_t) + 128];
    const char     *name;
    dm_say_level_t  level;

    if (replica->said && replica->state == replica->said_state
        && strcmp(replica->why.text, replica->said_why.text) == 0)
    {
        return;
    }

    replica->said = 1;
    replica->said_state = replica->state;
    replica->said_why = replica->why;

    name = dm_fleet_state_name(replica->state);

    switch (replica->state) {

    case DM_FLEET_ROLLED_BACK:
    case DM_FLEET_FORKED:
    case DM_FLEET_BAD_ENTRY:
        level = DM_SAY_ERROR;
        break;

    case DM_FLEET_DISCONNECTED:
        level = DM_SAY_WARN;
        break;

    default:
        level = replica->why.text[0] == '\0' ? DM_SAY_NOTICE : DM_SAY_ERROR;
    }

    if (replica->why.text[0] == '\0') {
        (void) snprintf(line, sizeof(line), "%s", name);

    } else {
        (void) snprintf(line, sizeof(line), "%s: %s", name, replica->why.text);
    }

    dm_say(level, "%s", line);
    dm_say_status(line);
}


static int
dm_tell_is_ready(const dm_replica_t *replica)
{
    switch (replica->state) {

    case DM_FLEET_FOLLOWING:
        return 1;

    case DM_FLEET_ROLLED_BACK:
    case DM_FLEET_FORKED:
    case DM_FLEET_BAD_ENTRY:
        return 0;

    default:
        return replica->near != 0
               && dm_replica_clock() - replica->near < DM_TELL_NEAR;
    }
}


int
dm_replica_note(dm_replica_t *replica, dm_err_t *err)
{
    int                     rc;
    dm_fleet_position_t     position;
    const dm_fleet_beat_t  *beat;

    rc = dm_tell_read(replica, &position, err);

    if (rc != DM_OK) {
        return rc == DM_DECLINED ? DM_OK : rc;
    }

    beat = replica->follow == NULL
           ? NULL : dm_follow_beat_new(replica->follow, &position);

    if (beat != NULL || position.state != (unsigned) replica->state) {
        rc = dm_tell_write(replica, beat, err);
    }

    OPENSSL_cleanse(&position, sizeof(position));

    return rc;
}


/* DM_DECLINED: the store follows nothing yet */
static int
dm_tell_read(dm_replica_t *replica, dm_fleet_position_t *position,
    dm_err_t *err)
{
    int  rc;

    rc = dm_store_position(replica->store, position, err);

    if (rc == DM_OK && !position->follows) {
        OPENSSL_cleanse(position, sizeof(dm_fleet_position_t));
        rc = DM_DECLINED;
    }

    if (rc != DM_OK) {
        return rc;
    }

    replica->place = position->place;
    replica->accounts = position->accounts;
    replica->beat = position->beaten;

    if (dm_fleet_sum_digest(&position->sum, replica->digest) != DM_OK) {
        OPENSSL_cleanse(position, sizeof(dm_fleet_position_t));
        dm_err_set(err, "the accounts cannot be summed: OpenSSL failed");
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_tell_write(dm_replica_t *replica, const dm_fleet_beat_t *beat,
    dm_err_t *err)
{
    dm_store_t  *store;

    store = replica->store;

    if (dm_store_begin_apply(store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (dm_store_set_state(store, (unsigned) replica->state, err) != DM_OK
        || (beat != NULL
            && dm_store_set_beat(store, beat->place.number, beat->time, err)
               != DM_OK))
    {
        dm_store_abort(store);
        return DM_ERROR;
    }

    if (dm_store_commit(store, err) != DM_OK) {
        return DM_ERROR;
    }

    if (beat != NULL) {
        replica->beat = beat->time;
    }

    return DM_OK;
}


int
dm_replica_tell_in(const dm_replica_t *replica)
{
    int64_t  in;

    if (!replica->told || replica->told_state != replica->state) {
        return 0;
    }

    in = replica->told_at - dm_replica_clock();
    in += replica->told_number == replica->place.number
          && replica->told_beat == replica->beat ? DM_TELL_OFTEN
                                                 : DM_TELL_SOON;

    return in < 0 ? 0 : (int) in;
}


int
dm_replica_tell(dm_replica_t *replica, dm_err_t *err)
{
    int      rc;
    char    *said;
    json_t  *json;

    if (dm_replica_tell_in(replica) > 0) {
        return DM_OK;
    }

    json = dm_tell_json(replica);
    said = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);

    if (said == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    rc = dm_engine_tell(replica->engine,
                        (dm_str_t) { (const unsigned char *) said,
                                     strlen(said) },
                        err);

    free(said);

    /* an engine that takes no line is not worse for it */

    if (rc == DM_INVALID) {
        dm_say(DM_SAY_WARN, "this node is not shown: %s", err->text);
    }

    replica->told = 1;
    replica->told_at = dm_replica_clock();
    replica->told_number = replica->place.number;
    replica->told_beat = replica->beat;
    replica->told_state = replica->state;

    return rc == DM_OK || rc == DM_INVALID ? DM_OK : DM_ERROR;
}


static json_t *
dm_tell_json(const dm_replica_t *replica)
{
    char  chain[2 * DM_FLEET_HASH + 1], sum[2 * DM_FLEET_HASH + 1];

    dm_hex_text((dm_str_t) { replica->place.chain, DM_FLEET_HASH }, chain);
    dm_hex_text((dm_str_t) { replica->digest, DM_FLEET_HASH }, sum);

    return json_pack("{s:s, s:I, s:s, s:I, s:s, s:I, s:I, s:s}",
                     "state", dm_fleet_state_name(replica->state),
                     "number", (json_int_t) replica->place.number,
                     "chain", chain,
                     "accounts", (json_int_t) replica->accounts,
                     "sum", sum,
                     "beat", (json_int_t) replica->beat,
                     "since", (json_int_t) replica->since,
                     "version", DM_VERSION);
}


int
dm_replica_print(const dm_replica_t *replica)
{
    char      chain[2 * DM_FLEET_HASH + 1];
    uint64_t  entries, changes;

    entries = replica->entries;
    changes = replica->changes;

    if (replica->follow != NULL) {
        entries += dm_follow_entries(replica->follow);
        changes += dm_follow_changes(replica->follow);
    }

    if (replica->options->json) {
        return dm_tell_print(replica, entries, changes);
    }

    /* of a failure the log has told */

    if (replica->state != DM_FLEET_FOLLOWING) {
        return DM_OK;
    }

    dm_hex_text((dm_str_t) { replica->place.chain, DM_FLEET_HASH }, chain);

    dm_out_line(stdout, "at entry %llu, chain %s: %llu accounts; applied %llu "
                "changes of %llu entries",
                (unsigned long long) replica->place.number, chain,
                (unsigned long long) replica->accounts,
                (unsigned long long) changes, (unsigned long long) entries);

    return fflush(stdout) == 0 ? DM_OK : DM_ERROR;
}


static int
dm_tell_print(const dm_replica_t *replica, uint64_t entries,
    uint64_t changes)
{
    json_t  *json, *more;

    json = dm_tell_json(replica);
    more = json_pack("{s:I, s:I, s:o}",
                     "entries", (json_int_t) entries,
                     "changes", (json_int_t) changes,
                     "error", replica->why.text[0] == '\0'
                              ? json_null()
                              : dm_json_text(replica->why.text));

    if (json_object_update(json, more) == -1) {
        json_decref(json);
        json = NULL;
    }

    json_decref(more);

    return dm_json_print(json) == DM_OK && fflush(stdout) == 0 ? DM_OK
                                                               : DM_ERROR;
}
