/* Entries of the log, and the changes in them */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_fleet_entry.h"


#define DM_FLEET_ENTRY_VERSION  1

/* parts of the associated data */
#define DM_FLEET_ENTRY_BOUND    5


static int dm_fleet_texts(const dm_fleet_changes_t *changes, dm_err_t *err);
static void dm_fleet_entry_bind(dm_str_t *ad, const dm_fleet_t *fleet,
    const unsigned char *number, const unsigned char *chain,
    const unsigned char *digest);
static int dm_fleet_entry_chain(const unsigned char *before, dm_str_t octets,
    dm_fleet_place_t *place);
static int dm_fleet_entry_get(dm_fleet_t *fleet,
    const dm_fleet_place_t *before, const dm_fleet_place_t *place,
    unsigned char *data, size_t len, dm_fleet_entry_t *entry, dm_err_t *err);
static int dm_fleet_entry_prove(dm_fleet_t *fleet, uint64_t number,
    const dm_fleet_place_t *place, dm_str_t octets, dm_wire_t *sign,
    dm_fleet_entry_t *entry, dm_err_t *err);
static int dm_fleet_entry_judge(const dm_fleet_place_t *before,
    const dm_fleet_entry_t *entry, dm_err_t *err);
static int dm_fleet_entry_open(dm_fleet_t *fleet, dm_fleet_entry_t *entry,
    const unsigned char *number, dm_str_t sealed, dm_err_t *err);
static int dm_fleet_changes_read(dm_fleet_changes_t *changes,
    unsigned char *data, size_t len, dm_err_t *err);


int
dm_fleet_changes(dm_fleet_changes_t *changes, unsigned char *out,
    size_t size, dm_err_t *err)
{
    dm_wire_t  *w;

    if (dm_fleet_texts(changes, err) != DM_OK) {
        return DM_INVALID;
    }

    w = &changes->w;
    dm_wire_init(w, out, size < DM_FLEET_CHANGES_MAX ? size
                                                     : DM_FLEET_CHANGES_MAX);

    dm_wire_put(w, 8, (uint64_t) changes->time);
    dm_wire_put_str(w, 1, changes->user);
    dm_wire_put_str(w, 1, changes->host);
    dm_wire_put_str(w, 1, changes->verb);

    changes->n = 0;
    changes->done = 0;
    changes->start = out;
    changes->count = w->pos;

    dm_wire_put(w, 2, 0);

    if (w->bad) {
        dm_err_set(err, "there is no room for changes in %zu octets", size);
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_fleet_texts(const dm_fleet_changes_t *changes, dm_err_t *err)
{
    if (dm_text_check(changes->user, DM_FLEET_TEXT_MAX, "the user", err)
           != DM_OK
        || dm_text_check(changes->host, DM_FLEET_TEXT_MAX, "the host", err)
           != DM_OK
        || dm_text_check(changes->verb, DM_FLEET_TEXT_MAX, "the verb", err)
           != DM_OK)
    {
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_fleet_change(dm_fleet_changes_t *changes, dm_fleet_kind_t kind,
    dm_str_t what, dm_err_t *err)
{
    size_t      bytes;
    dm_wire_t  *w;

    w = &changes->w;
    bytes = kind == DM_FLEET_PUT ? 2 : 1;

    if (what.len == 0
        || what.len > (kind == DM_FLEET_PUT ? DM_RECORD_MAX : DM_ID_MAX))
    {
        dm_err_set(err, "a change has %zu octets", what.len);
        return DM_INVALID;
    }

    if (changes->n == DM_FLEET_CHANGES
        || (size_t) (w->last - w->pos) < 1 + bytes + what.len)
    {
        return DM_DECLINED;
    }

    dm_wire_put(w, 1, (uint64_t) kind);
    dm_wire_put_str(w, bytes, what);

    changes->n++;
    changes->count[0] = (unsigned char) changes->n;
    changes->count[1] = (unsigned char) (changes->n >> 8);

    return DM_OK;
}


dm_str_t
dm_fleet_changed(const dm_fleet_changes_t *changes)
{
    return (dm_str_t) { changes->start,
                        (size_t) (changes->w.pos - changes->start) };
}


int
dm_fleet_entry_write(dm_fleet_t *fleet, dm_fleet_signer_t *signer,
    const dm_fleet_place_t *before, const unsigned char *digest,
    dm_str_t changes, unsigned char *out, size_t *outlen,
    dm_fleet_place_t *place, dm_err_t *err)
{
    size_t          len;
    dm_str_t        ad[DM_FLEET_ENTRY_BOUND];
    dm_wire_t       w;
    unsigned char  *number, *chain, *sum, *length;

    if (changes.len > DM_FLEET_CHANGES_MAX) {
        dm_err_set(err, "an entry has %zu octets of changes, at most %d are "
                   "allowed", changes.len, DM_FLEET_CHANGES_MAX);
        return DM_ERROR;
    }

    dm_wire_init(&w, out, DM_FLEET_ENTRY_MAX);

    dm_wire_put(&w, 1, DM_FLEET_ENTRY_VERSION);
    dm_wire_put_octets(&w, fleet->store_id, DM_FLEET_ID);
    number = w.pos;
    dm_wire_put(&w, 8, before->number + 1);
    chain = w.pos;
    dm_wire_put_octets(&w, before->chain, DM_FLEET_HASH);
    sum = w.pos;
    dm_wire_put_octets(&w, digest, DM_FLEET_HASH);

    dm_fleet_entry_bind(ad, fleet, number, chain, sum);

    length = dm_wire_take(&w, 4);

    if (dm_sealer_seal(fleet->entries, ad, DM_FLEET_ENTRY_BOUND, changes,
                       w.pos, &len)
        != DM_OK)
    {
        dm_err_set(err, "an entry cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    w.last = length + 4;
    w.pos = length;
    dm_wire_put(&w, 4, len);
    w.last = out + DM_FLEET_ENTRY_MAX;
    (void) dm_wire_take(&w, len);

    place->number = before->number + 1;

    if (dm_fleet_put_sign(&w, signer, dm_str("dm-sec fleet entry"), out)
        != DM_OK
        || dm_fleet_entry_chain(chain, (dm_str_t) { out,
                                                 (size_t) (w.pos - out) },
                                place)
           != DM_OK)
    {
        dm_err_set(err, "an entry cannot be signed: OpenSSL failed");
        return DM_ERROR;
    }

    *outlen = (size_t) (w.pos - out);

    return DM_OK;
}


static void
dm_fleet_entry_bind(dm_str_t *ad, const dm_fleet_t *fleet,
    const unsigned char *number, const unsigned char *chain,
    const unsigned char *digest)
{
    ad[0] = dm_str("dm-sec fleet entry");
    ad[1] = (dm_str_t) { fleet->store_id, DM_FLEET_ID };
    ad[2] = (dm_str_t) { number, 8 };
    ad[3] = (dm_str_t) { chain, DM_FLEET_HASH };
    ad[4] = (dm_str_t) { digest, DM_FLEET_HASH };
}


static int
dm_fleet_entry_chain(const unsigned char *before, dm_str_t octets,
    dm_fleet_place_t *place)
{
    dm_str_t  part[3];

    part[0] = dm_str("dm-sec fleet chain");
    part[1] = (dm_str_t) { before, DM_FLEET_HASH };
    part[2] = octets;

    return dm_fleet_hash(part, 3, place->chain);
}


int
dm_fleet_entry_before(dm_str_t octets, dm_fleet_place_t *before, dm_err_t *err)
{
    dm_wire_t       w;
    unsigned char  *chain;

    dm_wire_init(&w, (unsigned char *) octets.data, octets.len);

    (void) dm_wire_take(&w, 1 + DM_FLEET_ID);
    before->number = dm_wire_get(&w, 8) - 1;
    chain = dm_wire_take(&w, DM_FLEET_HASH);

    if (chain == NULL) {
        dm_err_set(err, "an entry has %zu octets, and is none", octets.len);
        return DM_INVALID;
    }

    memcpy(before->chain, chain, DM_FLEET_HASH);

    return DM_OK;
}


int
dm_fleet_entry_place(const dm_fleet_place_t *before, dm_str_t octets,
    dm_fleet_place_t *place)
{
    dm_fleet_place_t  is;

    if (dm_fleet_entry_before(octets, &is, NULL) != DM_OK
        || !dm_fleet_same_place(&is, before))
    {
        return DM_DECLINED;
    }

    place->number = before->number + 1;

    return dm_fleet_entry_chain(before->chain, octets, place);
}


int
dm_fleet_entry_read(dm_fleet_t *fleet, const dm_fleet_place_t *before,
    unsigned char *data, size_t len, dm_fleet_entry_t *entry, dm_err_t *err)
{
    return dm_fleet_entry_read_at(fleet, before, NULL, data, len, entry, err);
}


int
dm_fleet_entry_read_at(dm_fleet_t *fleet, const dm_fleet_place_t *before,
    const dm_fleet_place_t *place, unsigned char *data, size_t len,
    dm_fleet_entry_t *entry, dm_err_t *err)
{
    int  rc;

    memset(entry, 0, sizeof(dm_fleet_entry_t));

    rc = dm_fleet_entry_get(fleet, before, place, data, len, entry, err);

    if (rc != DM_OK && len > 0) {
        OPENSSL_cleanse(data, len);
    }

    return rc;
}


/* place NULL: its own signature proves it */
static int
dm_fleet_entry_get(dm_fleet_t *fleet, const dm_fleet_place_t *before,
    const dm_fleet_place_t *place, unsigned char *data, size_t len,
    dm_fleet_entry_t *entry, dm_err_t *err)
{
    int             rc;
    unsigned        version;
    dm_str_t        sealed;
    dm_wire_t       w;
    unsigned char  *number, *chain, *digest;

    dm_wire_init(&w, data, len <= DM_FLEET_ENTRY_MAX ? len : 0);

    version = (unsigned) dm_wire_get(&w, 1);
    (void) dm_fleet_get_id(fleet, &w);
    number = w.pos;
    entry->place.number = dm_wire_get(&w, 8);
    chain = dm_wire_take(&w, DM_FLEET_HASH);
    digest = dm_wire_take(&w, DM_FLEET_HASH);
    sealed = dm_wire_get_str(&w, 4);

    if (w.bad || version != DM_FLEET_ENTRY_VERSION) {
        dm_err_set(err, "entry %llu is not whole, not of this store or not of "
                   "version %d, which is all that this program reads",
                   (unsigned long long) before->number + 1,
                   DM_FLEET_ENTRY_VERSION);
        return DM_INVALID;
    }

    entry->before.number = entry->place.number - 1;
    memcpy(entry->before.chain, chain, DM_FLEET_HASH);
    memcpy(entry->digest, digest, DM_FLEET_HASH);

    rc = dm_fleet_entry_prove(fleet, before->number + 1, place,
                              (dm_str_t) { data, len }, &w, entry, err);

    if (rc == DM_OK) {
        rc = dm_fleet_entry_judge(before, entry, err);
    }

    return rc == DM_OK ? dm_fleet_entry_open(fleet, entry, number, sealed, err)
                       : rc;
}


/* sets the chain of its place, too; number is for messages */
static int
dm_fleet_entry_prove(dm_fleet_t *fleet, uint64_t number,
    const dm_fleet_place_t *place, dm_str_t octets, dm_wire_t *sign,
    dm_fleet_entry_t *entry, dm_err_t *err)
{
    int  rc;

    rc = place != NULL ? DM_OK
         : dm_fleet_get_sign(sign, fleet->authority,
                             dm_str("dm-sec fleet entry"),
                             (unsigned char *) octets.data);

    if (rc == DM_DECLINED) {
        dm_err_set(err, "entry %llu is not signed by the authority whose key "
                   "this store has", (unsigned long long) number);
        return DM_INVALID;
    }

    if (rc != DM_OK
        || dm_fleet_entry_chain(entry->before.chain, octets, &entry->place)
           != DM_OK)
    {
        dm_err_set(err, "entry %llu cannot be verified: OpenSSL failed",
                   (unsigned long long) number);
        return DM_ERROR;
    }

    if (place != NULL && !dm_fleet_same_place(place, &entry->place)) {
        dm_err_set(err, "entry %llu is another one than the authority has "
                   "signed behind it", (unsigned long long) number);
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_fleet_entry_judge(const dm_fleet_place_t *before,
    const dm_fleet_entry_t *entry, dm_err_t *err)
{
    if (entry->before.number != before->number) {
        dm_err_set(err, "entry %llu stands where %llu is to be",
                   (unsigned long long) entry->place.number,
                   (unsigned long long) before->number + 1);
        return DM_INVALID;
    }

    if (!dm_fleet_same_place(before, &entry->before)) {
        dm_err_set(err, "entry %llu follows another entry %llu than the one "
                   "that is here: the log was forked",
                   (unsigned long long) entry->place.number,
                   (unsigned long long) before->number);
        return DM_DECLINED;
    }

    return DM_OK;
}


static int
dm_fleet_entry_open(dm_fleet_t *fleet, dm_fleet_entry_t *entry,
    const unsigned char *number, dm_str_t sealed, dm_err_t *err)
{
    int             rc;
    size_t          len;
    dm_str_t        ad[DM_FLEET_ENTRY_BOUND];
    unsigned char  *plain;

    /* to be opened in place, whence number alone is still the entry's own */

    dm_fleet_entry_bind(ad, fleet, number, entry->before.chain,
                        entry->digest);

    plain = (unsigned char *) sealed.data;

    rc = dm_sealer_open(fleet->entries, ad, DM_FLEET_ENTRY_BOUND, sealed,
                        plain, &len);

    if (rc == DM_ERROR) {
        dm_err_set(err, "entry %llu cannot be opened: OpenSSL failed",
                   (unsigned long long) entry->place.number);
        return DM_ERROR;
    }

    if (rc != DM_OK) {
        dm_err_set(err, "entry %llu does not open with the keys of this "
                   "store: it was sealed with another",
                   (unsigned long long) entry->place.number);
        return DM_INVALID;
    }

    return dm_fleet_changes_read(&entry->changes, plain, len, err);
}


static int
dm_fleet_changes_read(dm_fleet_changes_t *changes, unsigned char *data,
    size_t len, dm_err_t *err)
{
    dm_wire_t  *w;

    w = &changes->w;
    dm_wire_init(w, data, len);

    changes->time = (int64_t) dm_wire_get(w, 8);
    changes->user = dm_wire_get_str(w, 1);
    changes->host = dm_wire_get_str(w, 1);
    changes->verb = dm_wire_get_str(w, 1);
    changes->count = w->pos;
    changes->n = (unsigned) dm_wire_get(w, 2);
    changes->start = data;

    if (w->bad || changes->n > DM_FLEET_CHANGES) {
        dm_err_set(err, "the changes of an entry are not whole");
        return DM_INVALID;
    }

    return dm_fleet_texts(changes, err);
}


int
dm_fleet_next(dm_fleet_changes_t *changes, dm_fleet_change_t *change,
    dm_err_t *err)
{
    dm_str_t    what;
    unsigned    kind;
    dm_wire_t  *w;

    w = &changes->w;

    if (changes->done == changes->n && w->pos == w->last) {
        return DM_DECLINED;
    }

    kind = dm_wire_get_max(w, DM_FLEET_DEL);
    what = dm_wire_get_str(w, kind == DM_FLEET_PUT ? 2 : 1);

    if (changes->done == changes->n || w->bad || kind == 0 || what.len == 0) {
        dm_err_set(err, "the changes of an entry are not whole");
        return DM_INVALID;
    }

    changes->done++;
    change->kind = (dm_fleet_kind_t) kind;
    change->data = (unsigned char *) what.data;
    change->len = what.len;

    return DM_OK;
}
