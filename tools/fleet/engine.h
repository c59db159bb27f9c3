/*
 * The engine of a fleet: PostgreSQL, by libpq.  It has the log, the present
 * rows, the head and the beat, and is not trusted with any of them: what it
 * hands out is octets of a length that is judged here, and the caller verifies
 * them.  schema.sql is its other half; docs/fleet.md tells how both are set up.
 *
 * Results, each with err where it is not DM_OK:
 *
 *   DM_OK
 *   DM_EXISTS    somebody was faster, or the engine has ended the transaction:
 *                nothing was changed, and the transaction is over
 *   DM_INVALID   the engine refuses, or hands out what nobody could have
 *                written: role, schema, version, length; to try again is of no
 *                use until somebody has mended that
 *   DM_DECLINED  the answer was lost: whether it was done is not known.  Only
 *                dm_engine_commit() and dm_engine_beat() say so; elsewhere it
 *                has the meaning that is told there
 *   DM_ERROR     no connection, or the time is over; nothing was changed
 *
 * After DM_ERROR or DM_DECLINED the connection may be gone: each further
 * function fails with DM_ERROR, until the engine is closed and opened again.
 * No function waits longer than dm_engine_patience() for one answer.
 *
 * A callback returns DM_OK, or what ends the function, which then returns that;
 * it must not call the engine.
 */

#ifndef DM_FLEET_ENGINE_H
#define DM_FLEET_ENGINE_H


#include "dm.h"
#include "dm_fleet_entry.h"
#include "dm_fleet_head.h"
#include "dm_fleet_row.h"


/* libpq's services, for the programs; which of them writers and nodes are */
#define DM_ENGINE_SERVICES  "/etc/dm-sec/pg_service.conf"
#define DM_ENGINE_WRITER    "service=dm-sec-writer"
#define DM_ENGINE_NODE      "service=dm-sec-node"

#define DM_ENGINE_SAID_MAX  4096        /* octets that a node says of itself */
#define DM_ENGINE_NAME_MAX  63          /* octets of a role of PostgreSQL */


typedef struct dm_engine_s  dm_engine_t;

/* all of one moment */
typedef struct {
    uint64_t       number;              /* of the last entry, unverified */
    uint64_t       oldest;              /* of the entries there; 0: none are */
    size_t         head_len;            /* 0: nothing was published yet */
    size_t         beat_len;            /* 0: there was no beat yet */
    unsigned char  head[DM_FLEET_HEAD_MAX];
    unsigned char  beat[DM_FLEET_BEAT_MAX];
} dm_engine_head_t;

typedef struct {
    dm_str_t  key;                      /* DM_FLEET_KEY octets */
    dm_str_t  body;                     /* data NULL: the row is deleted */
} dm_engine_row_t;

/* for a person; valid until the engine is closed */
typedef struct {
    int          version;               /* of the server: 150018 is 15.18 */
    const char  *host;                  /* or the directory of its socket */
    const char  *port;
    const char  *user;                  /* the role */
    const char  *database;
    const char  *tls;                   /* "TLSv1.3"; NULL: a unix socket */
    unsigned     standby;               /* 1: it waits for a standby when it
                                           commits; 0: a failover may lose what
                                           was told as done */
} dm_engine_about_t;


/*
 * Connects as conninfo says, which is libpq's, and sets bounds for all that
 * the session does; name is its application_name.  DM_OK; DM_INVALID: conninfo
 * is wrong, or would go over a network without sslmode=verify-full (nothing is
 * sent then), or the server is none that is known; DM_ERROR.
 */
int dm_engine_open(dm_engine_t **engine, const char *conninfo,
    const char *name, dm_err_t *err);

/* ends a transaction that was not committed; NULL is accepted */
void dm_engine_close(dm_engine_t *engine);

/* how long one answer may take, 30,000 ms unless it is set */
void dm_engine_patience(dm_engine_t *engine, int ms);

void dm_engine_about(dm_engine_t *engine, dm_engine_about_t *about);

/* the head and the beat */
int dm_engine_head(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err);


/*
 * Begins a transaction and locks the head: other writers wait, for 10 s at
 * most, and are told who has it.  Where the owner of the lock is silent for
 * 10 s the engine ends that transaction.
 */
int dm_engine_lock(dm_engine_t *engine, dm_engine_head_t *out, dm_err_t *err);

/*
 * Appends an entry behind the one that is called before, n rows and the head of
 * all that, in the transaction.  DM_EXISTS: the last one is not before.  One
 * entry has at most DM_FLEET_CHANGES rows.
 */
int dm_engine_append(dm_engine_t *engine, uint64_t before, dm_str_t head,
    dm_str_t entry, const dm_engine_row_t *row, size_t n, dm_err_t *err);

/*
 * Commits, and reads the head back as others see it, which the caller verifies
 * before it tells anybody that it is done.  DM_OK: it is in force, also at the
 * standby where the engine waits for one; DM_EXISTS; DM_DECLINED: see
 * dm_engine_resolve(); DM_ERROR.
 */
int dm_engine_commit(dm_engine_t *engine, dm_engine_head_t *out,
    dm_err_t *err);

/* ends the transaction, if there is one; never waits long, cannot fail */
void dm_engine_abort(dm_engine_t *engine);

/*
 * After DM_DECLINED of dm_engine_commit(): connects anew, locks the head, which
 * waits until the lost transaction is over one way or the other, compares the
 * entry of that number, and commits that, by which the standby has it, too.
 * Tries for some 60 s.  DM_OK: it is in force, out is the head; DM_EXISTS: it
 * is not; DM_ERROR or DM_INVALID: still not known.
 */
int dm_engine_resolve(dm_engine_t *engine, uint64_t number, dm_str_t entry,
    dm_engine_head_t *out, dm_err_t *err);


/*
 * Hands out the entries from that number on in their order, at most max, one at
 * a time; fn may change the octets.  DM_OK, also if there is none yet;
 * DM_DECLINED: the log has later ones, or its head is further, but the next one
 * is not there: it was pruned.
 */
int dm_engine_entries(dm_engine_t *engine, uint64_t from, unsigned max,
    int (*fn)(uint64_t number, unsigned char *octets, size_t len, void *data),
    void *data, dm_err_t *err);

/*
 * Hands out the head and then all rows of that moment, in no order; row may
 * change the octets of its body.
 */
int dm_engine_rows(dm_engine_t *engine,
    int (*head)(const dm_engine_head_t *head, void *data),
    int (*row)(dm_str_t key, unsigned char *body, size_t len, void *data),
    void *data, dm_err_t *err);

/*
 * Waits for anything that was told by append or beat, for fd being readable
 * (-1: none), or for ms.  DM_OK: look; DM_DECLINED: the time is over, and err
 * is not set; DM_ERROR.  The first call begins to listen and is DM_OK at once.
 */
int dm_engine_wait(dm_engine_t *engine, int fd, int ms, dm_err_t *err);

/*
 * Puts a beat in the place of the one that is called before, which is empty
 * where there was none.  DM_EXISTS: another one is there now.
 */
int dm_engine_beat(dm_engine_t *engine, dm_str_t before, dm_str_t beat,
    dm_err_t *err);

/* writes the line of this session's role, at most DM_ENGINE_SAID_MAX octets */
int dm_engine_tell(dm_engine_t *engine, dm_str_t said, dm_err_t *err);

/*
 * The lines of all roles where this one is a writer, else its own; said is what
 * somebody said, and at the engine's time then, in seconds since 1970.
 */
int dm_engine_nodes(dm_engine_t *engine,
    int (*fn)(const char *name, dm_str_t said, int64_t at, void *data),
    void *data, dm_err_t *err);

/* deletes the line of a role.  DM_DECLINED: it has none */
int dm_engine_forget(dm_engine_t *engine, const char *name, dm_err_t *err);

/*
 * Deletes the entries before that number, of which *n were there.  The last one
 * stays.
 */
int dm_engine_prune(dm_engine_t *engine, uint64_t before, uint64_t *n,
    dm_err_t *err);


/*
 * Makes schema and roles in the database, in one transaction; DM_OK too where
 * they are there.  The role must be able to make them: a superuser, or
 * CREATEROLE with CREATE on the database.
 */
int dm_engine_install(dm_engine_t *engine, dm_err_t *err);

/* the SQL of that, for those who would rather have it done by psql */
extern const char  dm_engine_schema[];

/*
 * Publishes a state, which ends with that number: all rows, by COPY, and the
 * head.  next sets a row: DM_OK, or DM_DECLINED where there are no more; its
 * octets may go with the next call.  It needs the role that installed, and a
 * head that is not there yet: else DM_EXISTS, unless replace is 1, which also
 * takes the entries and the beat away.
 */
int dm_engine_publish(dm_engine_t *engine, uint64_t number, dm_str_t head,
    int (*next)(dm_engine_row_t *row, void *data), void *data,
    unsigned replace, dm_err_t *err);


#endif /* DM_FLEET_ENGINE_H */
