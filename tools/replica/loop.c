/* Follows the log, and bootstraps; connects again where that was lost */

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "replica/replica.h"
#include "replica/say.h"


#define DM_LOOP_BEAT      5             /* s; a beat is older: it is written */
#define DM_LOOP_BACK      250           /* ms until the next try, at first */
#define DM_LOOP_DOUBLED   4             /* so often: 4 s */
#define DM_LOOP_GAP       10            /* ms between two looks, at least */
#define DM_LOOP_RESERVE   (4 * DM_FOLLOW_OCTETS)


static int dm_loop_round(dm_replica_t *replica, dm_err_t *err);
static int dm_loop_store(dm_replica_t *replica, dm_err_t *err);
static void dm_loop_shut(dm_replica_t *replica);
static int dm_loop_connect(dm_replica_t *replica, dm_err_t *err);
static void dm_loop_hang_up(dm_replica_t *replica);
static int dm_loop_expect(dm_replica_t *replica, dm_err_t *err);
static int dm_loop_follow(dm_replica_t *replica, dm_err_t *err);
static int dm_loop_steps(dm_replica_t *replica, dm_err_t *err);
static int dm_loop_bootstrap(dm_replica_t *replica, dm_err_t *err);
static void dm_loop_refuse(dm_replica_t *replica, dm_fleet_state_t state);
static int dm_loop_progress(uint64_t rows, uint64_t all, void *data);
static void dm_loop_judge(dm_replica_t *replica, int rc, const dm_err_t *err);
static void dm_loop_after(dm_replica_t *replica, int rc);
static void dm_loop_beat(dm_replica_t *replica);
static int dm_loop_beat_in(const dm_replica_t *replica);
static void dm_loop_wait(dm_replica_t *replica, int rc);
static void dm_loop_back_off(dm_replica_t *replica);
static void dm_loop_sleep(unsigned ms);
static unsigned dm_loop_random(unsigned below);


int
dm_replica_run(dm_replica_t *replica)
{
    int       rc;
    dm_err_t  err;

    dm_replica_state(replica, DM_FLEET_STARTING, NULL);

    for ( ;; ) {
        replica->looked = dm_replica_clock();
        rc = dm_loop_round(replica, &err);

        dm_loop_judge(replica, rc, &err);
        dm_loop_after(replica, rc);

        if (replica->options->once) {
            return dm_replica_print(replica) == DM_OK && rc == DM_OK
                   && replica->state == DM_FLEET_FOLLOWING
                   ? DM_REPLICA_DONE : DM_REPLICA_REFUSED;
        }

        dm_loop_wait(replica, rc);
    }
}


/*
 * DM_OK: the store is at the head; DM_INVALID: the engine is not to be
 * believed, and replica->state says how; DM_ERROR.
 */
static int
dm_loop_round(dm_replica_t *replica, dm_err_t *err)
{
    int  rc, follows;

    if (dm_loop_store(replica, err) != DM_OK
        || dm_loop_connect(replica, err) != DM_OK)
    {
        return DM_ERROR;
    }

    rc = dm_loop_expect(replica, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_store_follows(replica->store, &follows, err);

    if (rc == DM_OK && (replica->anew || !follows)) {
        rc = dm_loop_bootstrap(replica, err);
    }

    if (rc == DM_OK) {
        rc = dm_loop_follow(replica, err);
    }

    /* the log begins later than this store ends */

    if (rc == DM_INVALID && replica->state == DM_FLEET_BOOTSTRAPPING) {
        rc = dm_loop_bootstrap(replica, err);

        if (rc == DM_OK) {
            rc = dm_loop_follow(replica, err);
        }
    }

    return rc;
}


/* opens it, and again where another was put in its place */
static int
dm_loop_store(dm_replica_t *replica, dm_err_t *err)
{
    int  rc;

    if (replica->store != NULL && dm_store_replaced(replica->store)) {
        dm_loop_shut(replica);
    }

    if (replica->store != NULL) {
        return DM_OK;
    }

    rc = dm_store_open(&replica->store, replica->options->store,
                       DM_STORE_BATCH, &replica->keys, err);

    if (rc != DM_OK) {
        replica->store = NULL;
        return DM_ERROR;
    }

    dm_store_reserve(replica->store, DM_LOOP_RESERVE);

    return DM_OK;
}


static void
dm_loop_shut(dm_replica_t *replica)
{
    if (replica->follow != NULL) {
        replica->entries += dm_follow_entries(replica->follow);
        replica->changes += dm_follow_changes(replica->follow);
    }

    dm_follow_free(replica->follow);
    replica->follow = NULL;

    dm_store_close(replica->store);
    replica->store = NULL;
}


static int
dm_loop_connect(dm_replica_t *replica, dm_err_t *err)
{
    if (replica->engine != NULL) {
        return DM_OK;
    }

    if (dm_engine_open(&replica->engine, replica->options->engine,
                       "dm-replica", err)
        == DM_OK)
    {
        return DM_OK;
    }

    dm_loop_hang_up(replica);

    return DM_ERROR;
}


static void
dm_loop_hang_up(dm_replica_t *replica)
{
    dm_engine_close(replica->engine);
    replica->engine = NULL;

    replica->state = DM_FLEET_DISCONNECTED;
}


/* once: the log has the place that another node was at */
static int
dm_loop_expect(dm_replica_t *replica, dm_err_t *err)
{
    int               rc;
    dm_fleet_state_t  state;

    if (!replica->options->expects || replica->proven) {
        return DM_OK;
    }

    rc = dm_bootstrap_expect(replica->engine, &replica->keys,
                             &replica->authority, &replica->options->expect,
                             &state, err);

    if (rc == DM_OK) {
        replica->proven = 1;

    } else if (rc == DM_INVALID) {
        replica->state = state;

    } else {
        dm_loop_hang_up(replica);
    }

    return rc;
}


static int
dm_loop_follow(dm_replica_t *replica, dm_err_t *err)
{
    int  rc;

    if (replica->follow == NULL) {

        if (dm_follow_new(&replica->follow, replica->store, &replica->keys,
                          &replica->authority, err)
            != DM_OK)
        {
            return DM_ERROR;
        }

        dm_follow_tells(replica->follow);
    }

    /* mostly an entry is what there is to see */

    rc = replica->state == DM_FLEET_FOLLOWING
         ? dm_follow_ahead(replica->follow, replica->engine, err) : DM_DECLINED;

    if (rc == DM_OK || rc == DM_DECLINED) {
        rc = dm_follow_look(replica->follow, replica->engine, err);
    }

    if (rc == DM_OK) {
        rc = dm_loop_steps(replica, err);
    }

    if (rc == DM_INVALID) {
        replica->state = dm_follow_state(replica->follow);
    }

    if (rc == DM_ERROR
        && dm_follow_state(replica->follow) == DM_FLEET_DISCONNECTED)
    {
        dm_loop_hang_up(replica);
    }

    return rc;
}


static int
dm_loop_steps(dm_replica_t *replica, dm_err_t *err)
{
    int       rc;
    unsigned  n;

    n = 0;

    for ( ;; ) {
        rc = dm_follow_step(replica->follow, replica->engine, err);

        if (rc != DM_OK) {
            return rc == DM_DECLINED ? DM_OK : rc;
        }

        /* one batch is how it follows */

        if (++n == 2) {
            dm_replica_state(replica, DM_FLEET_CATCHING_UP, NULL);
        }
    }
}


/* closes the store: it is opened in another way for that */
static int
dm_loop_bootstrap(dm_replica_t *replica, dm_err_t *err)
{
    int             rc;
    dm_err_t        why;
    dm_bootstrap_t  bootstrap;

    dm_replica_state(replica, DM_FLEET_BOOTSTRAPPING, NULL);
    (void) dm_replica_note(replica, &why);

    dm_loop_shut(replica);

    memset(&bootstrap, 0, sizeof(bootstrap));
    bootstrap.path = replica->options->store;
    bootstrap.keys = &replica->keys;
    bootstrap.authority = &replica->authority;
    bootstrap.anew = replica->anew;
    bootstrap.step = dm_loop_progress;
    bootstrap.data = replica;

    if (replica->options->expects) {
        bootstrap.least = replica->options->expect;
    }

    rc = dm_bootstrap(&bootstrap, replica->engine, err);

    if (rc == DM_OK) {
        dm_say(DM_SAY_NOTICE, "bootstrapped: %llu accounts, at entry %llu",
               (unsigned long long) bootstrap.head.accounts,
               (unsigned long long) bootstrap.head.place.number);
        replica->anew = 0;

    } else if (rc == DM_INVALID) {
        dm_loop_refuse(replica, bootstrap.state);

    } else if (bootstrap.state == DM_FLEET_DISCONNECTED) {
        dm_loop_hang_up(replica);
    }

    OPENSSL_cleanse(&bootstrap, sizeof(bootstrap));

    return rc == DM_OK ? dm_loop_store(replica, err) : rc;
}


/*
 * The rows were not read to their end, and with them ends the connection: a new
 * one tells of it.  All of them are not read again at once.
 */
static void
dm_loop_refuse(dm_replica_t *replica, dm_fleet_state_t state)
{
    dm_err_t  err;

    dm_engine_close(replica->engine);
    replica->engine = NULL;

    (void) dm_loop_connect(replica, &err);

    replica->state = state;
    replica->slow = 1;
}


static int
dm_loop_progress(uint64_t rows, uint64_t all, void *data)
{
    char  text[128];

    (void) data;

    (void) snprintf(text, sizeof(text), "bootstrapping: %llu of %llu accounts",
                    (unsigned long long) rows, (unsigned long long) all);
    dm_say_status(text);

    return DM_OK;
}


/* tells how the round has ended */
static void
dm_loop_judge(dm_replica_t *replica, int rc, const dm_err_t *err)
{
    const char        *wrong;
    dm_fleet_state_t   state;

    if (rc != DM_OK) {
        dm_replica_state(replica, replica->state, err->text);
        return;
    }

    replica->fails = 0;
    replica->near = dm_replica_clock();

    wrong = dm_follow_beat_wrong(replica->follow, &state);

    dm_replica_state(replica, wrong == NULL ? DM_FLEET_FOLLOWING : state,
                     wrong);
}


/* the position, the beat and this node's line, each where it is due */
static void
dm_loop_after(dm_replica_t *replica, int rc)
{
    dm_err_t  err;

    if (replica->store != NULL && dm_replica_note(replica, &err) != DM_OK) {
        dm_say(DM_SAY_ERROR, "%s", err.text);
    }

    if (rc == DM_OK && replica->beats != NULL) {
        dm_loop_beat(replica);
    }

    if (replica->engine == NULL || dm_replica_tell(replica, &err) == DM_OK) {
        return;
    }

    /* worse than that is an engine that is not to be believed */

    dm_engine_close(replica->engine);
    replica->engine = NULL;

    if (rc != DM_INVALID) {
        dm_replica_state(replica, DM_FLEET_DISCONNECTED, err.text);
    }
}


static void
dm_loop_beat(dm_replica_t *replica)
{
    int       rc;
    dm_err_t  err;

    if (dm_loop_beat_in(replica) > 0) {
        return;
    }

    rc = dm_follow_sign_beat(replica->follow, replica->engine, replica->beats,
                             (int64_t) time(NULL), &err);

    if (rc == DM_INVALID) {
        dm_say(DM_SAY_ERROR, "no beats are written: %s", err.text);
        dm_fleet_signer_free(replica->beats);
        replica->beats = NULL;
    }

    if (rc == DM_ERROR
        && dm_follow_state(replica->follow) == DM_FLEET_DISCONNECTED)
    {
        dm_loop_hang_up(replica);
        dm_replica_state(replica, DM_FLEET_DISCONNECTED, err.text);
    }
}


/* in so many ms a beat is to be written; INT_MAX where none ever is */
static int
dm_loop_beat_in(const dm_replica_t *replica)
{
    int64_t                 age;
    const dm_fleet_beat_t  *beat;

    if (replica->beats == NULL || replica->follow == NULL) {
        return INT_MAX;
    }

    beat = dm_follow_beat(replica->follow);
    age = beat == NULL ? DM_LOOP_BEAT : (int64_t) time(NULL) - beat->time;

    return age >= DM_LOOP_BEAT || age < 0 ? 0
           : (int) (DM_LOOP_BEAT - age) * 1000;
}


static void
dm_loop_wait(dm_replica_t *replica, int rc)
{
    int       ms, in;
    dm_err_t  err;

    if (rc == DM_ERROR || replica->engine == NULL || replica->slow) {
        replica->slow = 0;
        dm_loop_back_off(replica);
        return;
    }

    ms = (int) replica->options->poll * 1000;
    in = dm_loop_beat_in(replica);

    /* of several who beat, one is to be the first */

    if (in < ms) {
        ms = in + (int) dm_loop_random(1000);
    }

    in = dm_replica_tell_in(replica);

    if (in != -1 && in < ms) {
        ms = in;
    }

    if (dm_engine_wait(replica->engine, -1, ms, &err) == DM_ERROR) {
        dm_loop_hang_up(replica);
        dm_replica_state(replica, DM_FLEET_DISCONNECTED, err.text);
        return;
    }

    /* each role of the engine can notify, as often as it likes */

    in = (int) (dm_replica_clock() - replica->looked);

    if (in < DM_LOOP_GAP) {
        dm_loop_sleep((unsigned) (DM_LOOP_GAP - in));
    }
}


/* half to one and a half of a time that is doubled each time */
static void
dm_loop_back_off(dm_replica_t *replica)
{
    unsigned  ms;

    ms = (unsigned) DM_LOOP_BACK << replica->fails;
    ms = ms / 2 + dm_loop_random(ms);

    if (replica->fails < DM_LOOP_DOUBLED) {
        replica->fails++;
    }

    dm_loop_sleep(ms);
}


static void
dm_loop_sleep(unsigned ms)
{
    struct timespec  time;

    time.tv_sec = ms / 1000;
    time.tv_nsec = (long) (ms % 1000) * 1000000;

    (void) nanosleep(&time, NULL);
}


static unsigned
dm_loop_random(unsigned below)
{
    unsigned  n;

    if (RAND_bytes((unsigned char *) &n, sizeof(n)) != 1) {
        n = (unsigned) getpid();
    }

    return n % below;
}


void
dm_replica_close(dm_replica_t *replica)
{
    dm_loop_shut(replica);

    dm_engine_close(replica->engine);
    replica->engine = NULL;

    dm_say_notify("STOPPING=1");
    dm_say_unready();
}
