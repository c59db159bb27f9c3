/* Changes of a store that follows, brought into the log first */

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dm_store_write_ring.h"
#include "fleet/rows.h"
#include "fleet/writer.h"


/*
 * An entry is cut early where so many ms have passed since the engine heard of
 * us: it ends a transaction in which nothing happens for 10 s.
 */
#define DM_WRITER_SILENT  2000

/* a change has no more octets, with its kind and length */
#define DM_WRITER_CHANGE  (1 + 2 + DM_RECORD_MAX)


struct dm_writer_s {
    dm_writer_conf_t      conf;
    dm_store_t           *store;
    dm_follow_t          *follow;
    dm_engine_t          *engine;           /* NULL: not connected */
    dm_fleet_signer_t    *signer;

    dm_writer_end_t       end;
    unsigned              failed;           /* the log's matter, or not */
    unsigned              open;             /* 1: the engine's transaction is */

    dm_fleet_place_t      place;            /* of the last entry */
    uint64_t              entries;          /* of this transaction */
    int64_t               heard;            /* ms: when the engine was told */
    dm_fleet_changes_t    changes;          /* of the next entry */

    size_t                entry_len;        /* of the last one */
    unsigned char         text[DM_FLEET_CHANGES_MAX];
    unsigned char         entry[DM_FLEET_ENTRY_MAX];
    dm_rows_t             rows;             /* of the next one */
};

/* the entry that the engine has at our number */
typedef struct {
    dm_writer_t  *writer;
    int           same;
} dm_writer_seen_t;


static int dm_writer_is_authority(dm_writer_t *writer, dm_err_t *err);
static int dm_writer_begin(dm_store_t *store, void *data, dm_err_t *err);
static int dm_writer_lock(dm_writer_t *writer, dm_engine_head_t *head,
    dm_err_t *err);
static int dm_writer_connect(dm_writer_t *writer, dm_err_t *err);
static int dm_writer_reach(dm_writer_t *writer, dm_engine_head_t *head,
    dm_err_t *err);
static int dm_writer_start(dm_writer_t *writer, dm_err_t *err);
static int dm_writer_change(dm_store_t *store, dm_fleet_kind_t kind,
    dm_str_t id, dm_str_t what, void *data, dm_err_t *err);
static int dm_writer_is_full(const dm_writer_t *writer);
static int dm_writer_cut(dm_writer_t *writer, dm_err_t *err);
static int dm_writer_head(dm_writer_t *writer, const dm_fleet_place_t *place,
    const unsigned char *digest, unsigned char *out, size_t *len,
    dm_err_t *err);
static int dm_writer_commit(dm_store_t *store, void *data, dm_err_t *err);
static int dm_writer_settle(dm_writer_t *writer, dm_err_t *err);
static int dm_writer_judge(dm_writer_t *writer, dm_engine_head_t *octets,
    dm_err_t *err);
static int dm_writer_is_there(dm_writer_t *writer, dm_err_t *err);
static int dm_writer_see(uint64_t number, unsigned char *octets, size_t len,
    void *data);
static void dm_writer_finish(dm_store_t *store, int done, void *data);
static int dm_writer_fails(dm_writer_t *writer, int rc);
static void dm_writer_say(dm_err_t *err, const char *more);
static int64_t dm_writer_now(void);


static const dm_store_log_t  dm_writer_log = {
    dm_writer_begin,
    dm_writer_change,
    dm_writer_commit,
    dm_writer_finish
};


int
dm_writer_new(dm_writer_t **writer, dm_store_t *store,
    const dm_writer_conf_t *conf, dm_err_t *err)
{
    int           rc;
    dm_writer_t  *new;

    *writer = NULL;

    new = calloc(1, sizeof(dm_writer_t));

    if (new == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    new->conf = *conf;
    new->store = store;
    new->signer = dm_fleet_signer_new(conf->seed);

    if (new->signer == NULL) {
        dm_err_set(err, "the authority's key cannot be used: OpenSSL failed");
        rc = DM_ERROR;

    } else {
        rc = dm_writer_is_authority(new, err);
    }

    if (rc == DM_OK) {
        rc = dm_follow_new(&new->follow, store, conf->keys, conf->authority,
                           err);
    }

    if (rc != DM_OK) {
        dm_writer_free(new);
        return rc;
    }

    dm_store_follow(store, &dm_writer_log, new);
    *writer = new;

    return DM_OK;
}


static int
dm_writer_is_authority(dm_writer_t *writer, dm_err_t *err)
{
    unsigned          i;
    dm_key_t          key;
    const dm_keys_t  *known;

    known = writer->conf.authority;

    if (dm_fleet_signer_public(writer->signer, &key) != DM_OK) {
        dm_err_set(err, "the authority's key cannot be used: OpenSSL failed");
        return DM_ERROR;
    }

    for (i = 0; i < known->n; i++) {

        if (strcmp(known->key[i].id, key.id) == 0
            && memcmp(known->key[i].key, key.key, DM_KEY_SIZE) == 0)
        {
            return DM_OK;
        }
    }

    dm_err_set(err, "the authority's key \"%s\" is not that of this fleet: its "
               "public half is not in the file of public keys, and no node "
               "would believe what it signs", key.id);

    return DM_INVALID;
}


void
dm_writer_free(dm_writer_t *writer)
{
    if (writer == NULL) {
        return;
    }

    dm_engine_close(writer->engine);
    dm_follow_free(writer->follow);
    dm_fleet_signer_free(writer->signer);

    OPENSSL_cleanse(writer, sizeof(dm_writer_t));
    free(writer);
}


dm_writer_end_t
dm_writer_end(const dm_writer_t *writer)
{
    return writer->end;
}


int
dm_writer_failed(const dm_writer_t *writer)
{
    return (int) writer->failed;
}


static int
dm_writer_begin(dm_store_t *store, void *data, dm_err_t *err)
{
    int                rc;
    dm_writer_t       *writer;
    dm_engine_head_t   head;

    (void) store;

    writer = data;
    writer->failed = 0;
    writer->end = DM_WRITER_FAILED;

    rc = dm_writer_lock(writer, &head, err);

    if (rc == DM_OK) {
        writer->open = 1;
        rc = dm_writer_reach(writer, &head, err);
    }

    if (rc == DM_OK) {
        return DM_OK;
    }

    if (writer->open) {
        dm_engine_abort(writer->engine);
        writer->open = 0;
    }

    dm_writer_say(err, "; nothing was changed");

    return dm_writer_fails(writer, rc);
}


/* a connection that was idle may be gone: then there is another one */
static int
dm_writer_lock(dm_writer_t *writer, dm_engine_head_t *head, dm_err_t *err)
{
    int  rc, fresh;

    fresh = (writer->engine == NULL);

    if (fresh) {
        rc = dm_writer_connect(writer, err);

        if (rc != DM_OK) {
            return rc;
        }
    }

    rc = dm_engine_lock(writer->engine, head, err);

    if (rc == DM_OK || fresh || rc == DM_INVALID) {
        return rc;
    }

    rc = dm_writer_connect(writer, err);

    return rc == DM_OK ? dm_engine_lock(writer->engine, head, err) : rc;
}


static int
dm_writer_connect(dm_writer_t *writer, dm_err_t *err)
{
    dm_engine_close(writer->engine);
    writer->engine = NULL;

    return dm_engine_open(&writer->engine, writer->conf.conninfo,
                          "dm-account", err);
}


/* brings the store to the head that was locked */
static int
dm_writer_reach(dm_writer_t *writer, dm_engine_head_t *head, dm_err_t *err)
{
    int  rc;

    if (head->head_len == 0) {
        dm_err_set(err, "the engine has no state of this store: nothing was "
                   "published there, or another database is meant");
        return DM_INVALID;
    }

    rc = dm_follow_prove(writer->follow, head, err);

    if (rc == DM_OK) {
        rc = dm_follow_catch_up(writer->follow, writer->engine, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    writer->place = dm_follow_head(writer->follow)->place;
    writer->entries = 0;
    writer->heard = dm_writer_now();

    return dm_writer_start(writer, err);
}


/* begins the next entry */
static int
dm_writer_start(dm_writer_t *writer, dm_err_t *err)
{
    memset(&writer->changes, 0, sizeof(dm_fleet_changes_t));
    writer->changes.time = (int64_t) time(NULL);
    writer->changes.user = (dm_str_t) {
        (const unsigned char *) writer->conf.user, strlen(writer->conf.user)
    };
    writer->changes.host = (dm_str_t) {
        (const unsigned char *) writer->conf.host, strlen(writer->conf.host)
    };
    writer->changes.verb = (dm_str_t) {
        (const unsigned char *) writer->conf.verb, strlen(writer->conf.verb)
    };

    dm_rows_start(&writer->rows);

    return dm_fleet_changes(&writer->changes, writer->text,
                            sizeof(writer->text), err);
}


static int
dm_writer_change(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t id,
    dm_str_t what, void *data, dm_err_t *err)
{
    int           rc;
    dm_writer_t  *writer;

    (void) store;

    writer = data;

    rc = dm_fleet_change(&writer->changes, kind, what, err);

    if (rc == DM_OK) {
        rc = dm_rows_add(&writer->rows, dm_follow_fleet(writer->follow), kind,
                         id, what, writer->place.number + 1, err);
    }

    if (rc == DM_OK && dm_writer_is_full(writer)) {
        rc = dm_writer_cut(writer, err);
    }

    return rc == DM_OK ? DM_OK : dm_writer_fails(writer, DM_ERROR);
}


static int
dm_writer_is_full(const dm_writer_t *writer)
{
    const dm_wire_t  *w;

    w = &writer->changes.w;

    return writer->changes.n == DM_FLEET_CHANGES
           || (size_t) (w->last - w->pos) < DM_WRITER_CHANGE
           || dm_writer_now() - writer->heard >= DM_WRITER_SILENT;
}


/* appends what was gathered; nobody sees it before the engine commits */
static int
dm_writer_cut(dm_writer_t *writer, dm_err_t *err)
{
    int               rc;
    size_t            len;
    dm_fleet_place_t  place;
    unsigned char     digest[DM_FLEET_HASH], head[DM_FLEET_HEAD_MAX];

    rc = dm_store_digest(writer->store, digest, err);

    if (rc == DM_OK) {
        rc = dm_fleet_entry_write(dm_follow_fleet(writer->follow),
                                  writer->signer, &writer->place, digest,
                                  dm_fleet_changed(&writer->changes),
                                  writer->entry, &writer->entry_len, &place,
                                  err);
    }

    if (rc == DM_OK) {
        rc = dm_writer_head(writer, &place, digest, head, &len, err);
    }

    if (rc == DM_OK) {
        rc = dm_engine_append(writer->engine, writer->place.number,
                              (dm_str_t) { head, len },
                              (dm_str_t) { writer->entry, writer->entry_len },
                              writer->rows.row, writer->rows.n, err);

        if (rc != DM_OK) {
            dm_writer_say(err, "; nothing was changed");
        }
    }

    if (rc == DM_OK) {
        rc = dm_store_ring_put(writer->store, place.number,
                               (dm_str_t) { writer->entry, writer->entry_len },
                               err);
    }

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    writer->place = place;
    writer->entries++;
    writer->heard = dm_writer_now();

    return dm_writer_start(writer, err);
}


static int
dm_writer_head(dm_writer_t *writer, const dm_fleet_place_t *place,
    const unsigned char *digest, unsigned char *out, size_t *len,
    dm_err_t *err)
{
    int                  rc;
    dm_fleet_head_t      head;
    dm_fleet_position_t  position;

    rc = dm_store_position(writer->store, &position, err);

    if (rc != DM_OK) {
        return rc;
    }

    /* root, realm and the key of beats stay as they are */

    head = *dm_follow_head(writer->follow);
    head.place = *place;
    head.accounts = position.accounts;
    memcpy(head.digest, digest, DM_FLEET_HASH);

    rc = dm_fleet_head_write(dm_follow_fleet(writer->follow), writer->signer,
                             &head, out, len, err);

    OPENSSL_cleanse(&head, sizeof(dm_fleet_head_t));
    OPENSSL_cleanse(&position, sizeof(dm_fleet_position_t));

    return rc;
}


static int
dm_writer_commit(dm_store_t *store, void *data, dm_err_t *err)
{
    int           rc;
    dm_writer_t  *writer;

    writer = data;
    rc = DM_OK;

    if (writer->changes.n != 0) {
        rc = dm_writer_cut(writer, err);
    }

    if (rc == DM_OK) {
        rc = dm_store_set_place(store, &writer->place, err);
    }

    if (rc == DM_OK && writer->entries != 0) {
        rc = dm_writer_settle(writer, err);
    }

    return rc == DM_OK ? DM_OK : dm_writer_fails(writer, rc);
}


/*
 * Commits the engine, and finds out what became of that.  DM_OK: all is in
 * force; DM_DECLINED: nobody knows; else nothing was changed.
 */
static int
dm_writer_settle(dm_writer_t *writer, dm_err_t *err)
{
    int               rc;
    dm_engine_head_t  head;

    rc = dm_engine_commit(writer->engine, &head, err);
    writer->open = 0;

    if (rc == DM_DECLINED) {
        rc = dm_engine_resolve(writer->engine, writer->place.number,
                               (dm_str_t) { writer->entry, writer->entry_len },
                               &head, err);

        if (rc == DM_ERROR || rc == DM_INVALID) {
            rc = DM_DECLINED;
        }
    }

    if (rc == DM_OK) {
        rc = dm_writer_judge(writer, &head, err);
    }

    if (rc == DM_OK) {
        writer->end = DM_WRITER_AHEAD;

    } else if (rc == DM_DECLINED) {
        writer->end = DM_WRITER_UNKNOWN;
        dm_writer_say(err, "; it is not known whether the change is in force: "
                      "before it is made once more, look with \"dm-account "
                      "show\" when the engine can be reached again");

    } else {
        dm_writer_say(err, "; nothing was changed: try again");
    }

    return rc;
}


/*
 * The engine says that it is done, and shows a head: it is believed where the
 * authority has signed that this head is behind our entry.
 */
static int
dm_writer_judge(dm_writer_t *writer, dm_engine_head_t *octets, dm_err_t *err)
{
    int              rc, same;
    dm_fleet_head_t  head;

    rc = dm_fleet_head_read(dm_follow_fleet(writer->follow), octets->head,
                            octets->head_len, &head, err);

    if (rc != DM_OK) {
        return DM_DECLINED;
    }

    same = dm_fleet_same_place(&head.place, &writer->place);

    if (!same && head.place.number > writer->place.number) {
        rc = dm_writer_is_there(writer, err);

    } else if (!same) {
        dm_err_set(err, "the engine says that entry %llu is committed, and "
                   "shows a head at %llu that is not behind it",
                   (unsigned long long) writer->place.number,
                   (unsigned long long) head.place.number);
        rc = DM_DECLINED;
    }

    OPENSSL_cleanse(&head, sizeof(dm_fleet_head_t));

    return rc;
}


/* others were there since: DM_OK, or DM_DECLINED */
static int
dm_writer_is_there(dm_writer_t *writer, dm_err_t *err)
{
    int               rc;
    dm_writer_seen_t  seen;

    seen = (dm_writer_seen_t) { writer, 0 };

    rc = dm_engine_entries(writer->engine, writer->place.number, 1,
                           dm_writer_see, &seen, err);

    if (rc == DM_OK && seen.same) {
        return DM_OK;
    }

    if (rc == DM_OK) {
        dm_err_set(err, "the engine says that entry %llu is committed, and has "
                   "another one there", (unsigned long long)
                   writer->place.number);
    }

    return DM_DECLINED;
}


static int
dm_writer_see(uint64_t number, unsigned char *octets, size_t len, void *data)
{
    dm_writer_t       *writer;
    dm_writer_seen_t  *seen;

    seen = data;
    writer = seen->writer;

    seen->same = (number == writer->place.number && len == writer->entry_len
                  && memcmp(octets, writer->entry, len) == 0);

    return DM_OK;
}


static void
dm_writer_finish(dm_store_t *store, int done, void *data)
{
    dm_writer_t  *writer;

    (void) store;

    writer = data;

    if (writer->open) {
        dm_engine_abort(writer->engine);
        writer->open = 0;
    }

    if (done) {
        writer->end = DM_WRITER_DONE;
    }

    OPENSSL_cleanse(writer->text, sizeof(writer->text));
}


static int
dm_writer_fails(dm_writer_t *writer, int rc)
{
    writer->failed = 1;

    /* the store has a meaning of its own for this, when it begins */

    return rc == DM_DECLINED && writer->end != DM_WRITER_UNKNOWN ? DM_ERROR
                                                                 : rc;
}


static void
dm_writer_say(dm_err_t *err, const char *more)
{
    size_t  len;

    if (err == NULL) {
        return;
    }

    len = strnlen(err->text, sizeof(err->text));

    if (len + strlen(more) < sizeof(err->text)) {
        memcpy(err->text + len, more, strlen(more) + 1);
    }
}


static int64_t
dm_writer_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
