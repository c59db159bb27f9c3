/* The last entries of the log, kept in the store */

#include <string.h>

#include "dm_store_write_ring.h"
#include "dm_store_write_internal.h"
#include "dm_wire.h"


#define DM_RING_KEY  8


static int dm_ring_open(dm_store_t *store, unsigned flags, MDB_dbi *ring,
    dm_err_t *err);
static int dm_ring_drop(dm_store_t *store, MDB_dbi ring, uint64_t number,
    uint64_t *octets, dm_err_t *err);
static int dm_ring_oldest(MDB_cursor *cursor, uint64_t number,
    uint64_t octets, MDB_val *value);
static int dm_ring_load(dm_store_t *store, MDB_dbi ring, uint64_t number,
    MDB_val *value, dm_err_t *err);
static void dm_ring_key(uint64_t number, unsigned char *key);
static uint64_t dm_ring_number(const MDB_val *key);


int
dm_store_ring_put(dm_store_t *store, uint64_t number, dm_str_t entry,
    dm_err_t *err)
{
    int            rc;
    MDB_dbi        ring;
    MDB_val        key, value;
    uint64_t       octets;
    dm_wire_t      w;
    unsigned char  name[DM_RING_KEY], sum[8];

    rc = dm_ring_open(store, MDB_CREATE, &ring, err);

    if (rc == DM_OK) {
        rc = dm_ring_load(store, ring, 0, &value, err);
    }

    if (rc == DM_ERROR) {
        return DM_ERROR;
    }

    octets = 0;

    if (rc == DM_OK) {
        dm_wire_init(&w, value.mv_data, value.mv_size);
        octets = dm_wire_get(&w, 8);
    }

    /* one that is there already is counted, too: never too few */

    dm_ring_key(number, name);
    key = (MDB_val) { sizeof(name), name };
    value = (MDB_val) { entry.len, (void *) entry.data };

    rc = mdb_put(store->write, ring, &key, &value, 0);

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be written", err);
    }

    octets += entry.len;

    if (dm_ring_drop(store, ring, number, &octets, err) != DM_OK) {
        return DM_ERROR;
    }

    dm_ring_key(0, name);
    dm_wire_init(&w, sum, sizeof(sum));
    dm_wire_put(&w, 8, octets);
    value = (MDB_val) { sizeof(sum), sum };

    rc = mdb_put(store->write, ring, &key, &value, 0);

    return rc == 0 ? DM_OK
                   : dm_store_fail(store, rc, "cannot be written", err);
}


static int
dm_ring_drop(dm_store_t *store, MDB_dbi ring, uint64_t number,
    uint64_t *octets, dm_err_t *err)
{
    int          rc;
    MDB_val      value;
    MDB_cursor  *cursor;

    rc = mdb_cursor_open(store->write, ring, &cursor);

    if (rc != 0) {
        return dm_store_fail(store, rc, "cannot be read", err);
    }

    while ((rc = dm_ring_oldest(cursor, number, *octets, &value)) == 0) {

        *octets -= value.mv_size < *octets ? value.mv_size : *octets;

        rc = mdb_cursor_del(cursor, 0);

        if (rc != 0) {
            break;
        }
    }

    mdb_cursor_close(cursor);

    return rc == MDB_NOTFOUND
           ? DM_OK : dm_store_fail(store, rc, "cannot be written", err);
}


/* stands on the oldest one if it is to go; else MDB_NOTFOUND */
static int
dm_ring_oldest(MDB_cursor *cursor, uint64_t number, uint64_t octets,
    MDB_val *value)
{
    int            rc;
    MDB_val        key;
    uint64_t       oldest;
    unsigned char  name[DM_RING_KEY];

    dm_ring_key(1, name);
    key = (MDB_val) { sizeof(name), name };

    rc = mdb_cursor_get(cursor, &key, value, MDB_SET_RANGE);

    if (rc != 0) {
        return rc;
    }

    oldest = dm_ring_number(&key);

    return oldest != number && (number - oldest >= DM_RING_ENTRIES
                                || octets > DM_RING_OCTETS)
           ? 0 : MDB_NOTFOUND;
}


int
dm_store_ring_get(dm_store_t *store, uint64_t number, unsigned char *out,
    size_t size, size_t *len, dm_err_t *err)
{
    int      rc;
    MDB_dbi  ring;
    MDB_val  value;

    rc = dm_ring_open(store, 0, &ring, err);

    if (rc == DM_OK) {
        rc = dm_ring_load(store, ring, number, &value, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    if (value.mv_size > size) {
        dm_err_set(err, "entry %llu of the store's ring has %zu octets, and is "
                   "none", (unsigned long long) number, value.mv_size);
        return DM_ERROR;
    }

    memcpy(out, value.mv_data, value.mv_size);
    *len = value.mv_size;

    return DM_OK;
}


/* DM_OK; DM_DECLINED: there is none; DM_ERROR */
static int
dm_ring_open(dm_store_t *store, unsigned flags, MDB_dbi *ring, dm_err_t *err)
{
    int  rc;

    rc = mdb_dbi_open(store->write, DM_STORE_RING, flags, ring);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    return rc == 0 ? DM_OK : dm_store_fail(store, rc,
                                           "cannot open a database", err);
}


/* as that */
static int
dm_ring_load(dm_store_t *store, MDB_dbi ring, uint64_t number, MDB_val *value,
    dm_err_t *err)
{
    int            rc;
    MDB_val        key;
    unsigned char  name[DM_RING_KEY];

    dm_ring_key(number, name);
    key = (MDB_val) { sizeof(name), name };

    rc = mdb_get(store->write, ring, &key, value);

    if (rc == MDB_NOTFOUND) {
        return DM_DECLINED;
    }

    return rc == 0 ? DM_OK : dm_store_fail(store, rc, "cannot be read", err);
}


static void
dm_ring_key(uint64_t number, unsigned char *key)
{
    unsigned  i;

    for (i = DM_RING_KEY; i > 0; i--) {
        key[i - 1] = (unsigned char) number;
        number >>= 8;
    }
}


static uint64_t
dm_ring_number(const MDB_val *key)
{
    unsigned              i;
    uint64_t              number;
    const unsigned char  *octet;

    octet = key->mv_data;
    number = 0;

    for (i = 0; i < DM_RING_KEY && i < key->mv_size; i++) {
        number = number << 8 | octet[i];
    }

    return number;
}
