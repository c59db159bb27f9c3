/*
 * Writes the log of a fleet for t/fleet_follow.t and t/fleet_bootstrap.t, as
 * fast as the engine takes it: account K of version V is always the same.  A
 * line of its standard input is a command, a line of its standard output the
 * answer, "ok ..." or "no ...".
 *
 *   keys DIR           writes the keys of the fleet there
 *   open CONNINFO
 *   init N             makes schema and roles, and publishes N accounts
 *   append E C         E entries of C changes each, in one transaction
 *   active K, disable K, del K
 *                      an entry that does that to account K
 *   swap K L           an entry in which K and L exchange their names
 *   beat SECONDS       a beat, of a time so many seconds ago
 *   save N, back N     what this program knows, kept and taken again; N is 0
 *                      or 1
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fleet/engine.h"


#define WRITER_MAX  2100000


typedef struct {
    unsigned  version;              /* 0: it is not there */
    unsigned  name;                 /* the number in its name */
    unsigned  disabled;
} device_t;

typedef struct {
    dm_fleet_place_t  place;
    uint64_t          accounts;
    dm_fleet_sum_t    sum;
    unsigned          next;         /* the one that append changes */
    unsigned          devices;
} fleet_t;


static const unsigned char  store_id[DM_FLEET_ID] = "store of a fleet";
static const unsigned char  root[DM_FLEET_ROOT] =
    "32 octets that nobody ever knows";

static fleet_t             now, saved[2];
static device_t           *device, *saved_device[2];
static dm_keys_t           keys, boss, beats, boss_public;
static dm_fleet_t         *fleet;
static dm_fleet_signer_t  *signer, *beater;
static dm_engine_t        *engine;
static dm_err_t            err;

/* of the entry that is made */
static unsigned char       changed[DM_FLEET_CHANGES_MAX];
static unsigned char       entry[DM_FLEET_ENTRY_MAX];
static dm_fleet_changes_t  changes;
static dm_engine_row_t     row[DM_FLEET_CHANGES];
static unsigned char       row_key[DM_FLEET_CHANGES][DM_FLEET_KEY];
static unsigned char       row_body[DM_FLEET_CHANGES][2048];
static unsigned            rows, published;


static void
fatal(const char *what)
{
    printf("no %s: %s\n", what, err.text);
    exit(1);
}


static void
must(int rc, const char *what)
{
    if (rc != DM_OK) {
        fatal(what);
    }
}


static void
key_of(dm_keys_t *out, const char *id, unsigned char octet)
{
    memset(out, 0, sizeof(dm_keys_t));
    out->n = 1;
    (void) snprintf(out->key[0].id, sizeof(out->key[0].id), "%s", id);
    memset(out->key[0].key, octet, DM_KEY_SIZE);
}


static void
prepare(void)
{
    key_of(&keys, "k1", 1);
    key_of(&boss, "boss", 2);
    key_of(&beats, "boss", 0);
    memset(&boss_public, 0, sizeof(boss_public));
    boss_public.n = 1;

    must(dm_fleet_beat_key(&boss.key[0], store_id, &beats.key[0]), "beats");

    signer = dm_fleet_signer_new(&boss.key[0]);
    beater = dm_fleet_signer_new(&beats.key[0]);
    must(dm_fleet_signer_public(signer, &boss_public.key[0]), "public");

    fleet = dm_fleet_new(&keys, store_id, &boss_public, &err);

    if (fleet == NULL) {
        fatal("fleet");
    }

    must(dm_fleet_use_root(fleet, root, &err), "root");
    must(dm_fleet_start(fleet, &now.place), "start");

    device = calloc(WRITER_MAX, sizeof(device_t));
    saved_device[0] = calloc(WRITER_MAX, sizeof(device_t));
    saved_device[1] = calloc(WRITER_MAX, sizeof(device_t));

    if (device == NULL || saved_device[0] == NULL || saved_device[1] == NULL) {
        fatal("memory");
    }
}


static void
write_key(const char *dir, const char *name, const dm_keys_t *key, mode_t mode)
{
    int    i;
    char   path[4096];
    FILE  *f;

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");

    if (f == NULL) {
        fatal(path);
    }

    (void) fprintf(f, "%s ", key->key[0].id);

    for (i = 0; i < DM_KEY_SIZE; i++) {
        (void) fprintf(f, "%02x", key->key[0].key[i]);
    }

    (void) fprintf(f, "\n");
    (void) fclose(f);
    (void) chmod(path, mode);
}


/* what account k is now, packed into out[DM_RECORD_MAX] */
static dm_str_t
pack(unsigned k, unsigned char *out)
{
    char             id[32], name[32];
    size_t           len;
    dm_account_t     account;
    const device_t  *it;

    it = &device[k];

    (void) snprintf(id, sizeof(id), "device-%07u", k);
    (void) snprintf(name, sizeof(name), "name-%07u", it->name);

    memset(&account, 0, sizeof(account));
    account.id = (dm_str_t) { (unsigned char *) id, strlen(id) };
    account.name = (dm_str_t) { (unsigned char *) name, strlen(name) };
    account.state = it->disabled ? DM_DISABLED : DM_ACTIVE;
    account.revision = it->version;
    account.changed = 1700000000;
    account.ngroups = 1;
    account.group[0] = dm_str("devices");
    account.has_ha1[DM_MD5] = 1;
    account.has_ha1[DM_SHA256] = 1;
    memset(account.ha1[DM_MD5], (int) it->version, 16);
    memset(account.ha1[DM_SHA256], (int) k, 32);

    must(dm_account_pack(&account, out, &len, &err), "pack");

    return (dm_str_t) { out, len };
}


static dm_str_t
id_of(unsigned k)
{
    static char  id[32];

    (void) snprintf(id, sizeof(id), "device-%07u", k);

    return (dm_str_t) { (unsigned char *) id, strlen(id) };
}


/* counts account k in (1) or out (-1) */
static void
count(unsigned k, int n)
{
    dm_str_t       packed;
    unsigned char  octets[DM_RECORD_MAX];

    if (device[k].version == 0) {
        return;
    }

    packed = pack(k, octets);

    must(n > 0 ? dm_fleet_add(fleet->adder, &now.sum, packed)
               : dm_fleet_remove(fleet->adder, &now.sum, packed), "sum");

    now.accounts += (uint64_t) n;
}


static void
begin_entry(void)
{
    memset(&changes, 0, sizeof(changes));
    changes.time = (int64_t) time(NULL);
    changes.user = dm_str("tester");
    changes.host = dm_str("here");
    changes.verb = dm_str("test");
    rows = 0;

    must(dm_fleet_changes(&changes, changed, sizeof(changed), &err),
         "changes");
}


/* adds what account k is now to the entry */
static void
add_change(unsigned k)
{
    size_t         len;
    dm_str_t       packed;
    unsigned char  octets[DM_RECORD_MAX];

    row[rows].key = (dm_str_t) { row_key[rows], DM_FLEET_KEY };
    row[rows].body = (dm_str_t) { NULL, 0 };

    if (device[k].version == 0) {
        must(dm_fleet_change(&changes, DM_FLEET_DEL, id_of(k), &err), "del");
        must(dm_fleet_key(fleet, id_of(k), row_key[rows]), "key");

    } else {
        packed = pack(k, octets);
        must(dm_fleet_change(&changes, DM_FLEET_PUT, packed, &err), "put");
        must(dm_fleet_row_write(fleet, id_of(k), packed,
                                now.place.number + 1, row_key[rows],
                                row_body[rows], &len, &err), "row");
        row[rows].body = (dm_str_t) { row_body[rows], len };
    }

    rows++;
}


static void
make_head(unsigned char *out, size_t *len)
{
    dm_key_t         public;
    dm_fleet_head_t  head;

    memset(&head, 0, sizeof(head));
    head.place = now.place;
    head.accounts = now.accounts;
    must(dm_fleet_sum_digest(&now.sum, head.digest), "digest");
    must(dm_fleet_signer_public(beater, &public), "beats");
    memcpy(head.beats, public.key, DM_FLEET_PUBLIC);
    memcpy(head.root, root, DM_FLEET_ROOT);
    head.realm_len = 5;
    memcpy(head.realm, "fleet", 5);

    must(dm_fleet_head_write(fleet, signer, &head, out, len, &err), "head");
}


static void
append_entry(void)
{
    size_t            len, head_len;
    uint64_t          before;
    unsigned char     digest[DM_FLEET_HASH], head[DM_FLEET_HEAD_MAX];
    dm_fleet_place_t  place;

    must(dm_fleet_sum_digest(&now.sum, digest), "digest");
    must(dm_fleet_entry_write(fleet, signer, &now.place, digest,
                              dm_fleet_changed(&changes), entry, &len, &place,
                              &err), "entry");

    before = now.place.number;
    now.place = place;
    make_head(head, &head_len);

    must(dm_engine_append(engine, before, (dm_str_t) { head, head_len },
                          (dm_str_t) { entry, len }, row, rows, &err),
         "append");
}


static void
lock(void)
{
    dm_engine_head_t  head;

    must(dm_engine_lock(engine, &head, &err), "lock");
}


static void
commit(void)
{
    int               i;
    dm_engine_head_t  head;

    must(dm_engine_commit(engine, &head, &err), "commit");

    printf("ok %llu ", (unsigned long long) now.place.number);

    for (i = 0; i < DM_FLEET_HASH; i++) {
        printf("%02x", now.place.chain[i]);
    }

    printf(" %llu\n", (unsigned long long) now.accounts);
}


static int
next_row(dm_engine_row_t *out, void *data)
{
    size_t         len;
    unsigned char  octets[DM_RECORD_MAX];

    (void) data;

    if (published == now.devices) {
        return DM_DECLINED;
    }

    published++;

    must(dm_fleet_row_write(fleet, id_of(published), pack(published, octets),
                            0, row_key[0], row_body[0], &len, &err), "row");

    out->key = (dm_str_t) { row_key[0], DM_FLEET_KEY };
    out->body = (dm_str_t) { row_body[0], len };

    return DM_OK;
}


static void
init(unsigned n)
{
    size_t         len;
    unsigned       k;
    unsigned char  head[DM_FLEET_HEAD_MAX];

    must(dm_engine_install(engine, &err), "install");

    for (k = 1; k <= n; k++) {
        device[k] = (device_t) { 1, k, 0 };
        count(k, 1);
    }

    now.devices = n;
    published = 0;
    make_head(head, &len);

    must(dm_engine_publish(engine, 0, (dm_str_t) { head, len }, next_row, NULL,
                           0, &err), "publish");

    printf("ok %u\n", n);
}


static void
append(unsigned entries, unsigned n)
{
    unsigned  k;

    lock();

    while (entries-- > 0) {
        begin_entry();

        for (k = 0; k < n; k++) {
            now.next = now.next % now.devices + 1;
            count(now.next, -1);

            if (device[now.next].version == 0) {
                device[now.next].name = now.next;
            }

            device[now.next].version++;
            count(now.next, 1);
            add_change(now.next);
        }

        append_entry();
    }

    commit();
}


static void
change(unsigned k, int disabled, int gone)
{
    lock();
    begin_entry();
    count(k, -1);

    if (device[k].version == 0) {
        device[k].name = k;
    }

    device[k].disabled = (unsigned) disabled;
    device[k].version = gone ? 0 : device[k].version + 1;

    if (!gone && k > now.devices) {
        now.devices = k;
    }

    count(k, 1);
    add_change(k);
    append_entry();
    commit();
}


/* by way of a name that nobody has, as a writer does */
static void
swap(unsigned k, unsigned l)
{
    unsigned        i;
    const unsigned  of[3] = { k, l, k };
    const unsigned  name[3] = { WRITER_MAX + k, device[k].name,
                                device[l].name };

    lock();
    begin_entry();

    for (i = 0; i < 3; i++) {
        count(of[i], -1);
        device[of[i]].version++;
        device[of[i]].name = name[i];
        count(of[i], 1);
        add_change(of[i]);
    }

    /* a row is in an append once: the last is what holds */

    row[0] = row[2];
    rows = 2;

    append_entry();
    commit();
}


static void
beat(long ago)
{
    size_t            len;
    dm_fleet_beat_t   is;
    dm_engine_head_t  head;
    unsigned char     octets[DM_FLEET_BEAT_MAX];

    is.place = now.place;
    is.time = (int64_t) time(NULL) - ago;

    must(dm_engine_head(engine, &head, &err), "head");
    must(dm_fleet_beat_write(fleet, beater, &is, octets, &len, &err), "beat");
    must(dm_engine_beat(engine, (dm_str_t) { head.beat, head.beat_len },
                        (dm_str_t) { octets, len }, &err), "beat");

    printf("ok %lld\n", (long long) is.time);
}


static void
call(const char *name, const char *rest)
{
    char      *end;
    unsigned   a, b;

    a = (unsigned) strtoul(rest, &end, 10);
    b = (unsigned) strtoul(end, NULL, 10);

    if (strcmp(name, "keys") == 0) {
        write_key(rest, "store.key", &keys, 0600);
        write_key(rest, "authority.key", &boss, 0600);
        write_key(rest, "authority.pub", &boss_public, 0644);
        write_key(rest, "beat.key", &beats, 0600);
        printf("ok\n");

    } else if (strcmp(name, "open") == 0) {
        dm_engine_close(engine);
        must(dm_engine_open(&engine, rest, "writer", &err), "open");
        printf("ok\n");

    } else if (strcmp(name, "init") == 0) {
        init(a);

    } else if (strcmp(name, "append") == 0) {
        append(a, b);

    } else if (strcmp(name, "active") == 0) {
        change(a, 0, 0);

    } else if (strcmp(name, "disable") == 0) {
        change(a, 1, 0);

    } else if (strcmp(name, "del") == 0) {
        change(a, 0, 1);

    } else if (strcmp(name, "swap") == 0) {
        swap(a, b);

    } else if (strcmp(name, "beat") == 0) {
        beat(strtol(rest, NULL, 10));

    } else if (strcmp(name, "save") == 0) {
        saved[a & 1] = now;
        memcpy(saved_device[a & 1], device, WRITER_MAX * sizeof(device_t));
        printf("ok\n");

    } else if (strcmp(name, "back") == 0) {
        now = saved[a & 1];
        memcpy(device, saved_device[a & 1], WRITER_MAX * sizeof(device_t));
        printf("ok\n");

    } else {
        printf("no such command: %s\n", name);
    }
}


int
main(void)
{
    char  line[4096], *rest;

    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    prepare();

    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        rest = strchr(line, ' ');

        if (rest != NULL) {
            *rest++ = '\0';
        }

        call(line, rest == NULL ? "" : rest);
    }

    dm_engine_close(engine);

    return 0;
}
