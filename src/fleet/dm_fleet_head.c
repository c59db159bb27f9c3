/* The head, which tells the present state, and the beat, which tells its age */

#include <openssl/crypto.h>
#include <string.h>

#include "dm_fleet_head.h"


#define DM_FLEET_HEAD_VERSION  1
#define DM_FLEET_BEAT_VERSION  1

/* parts of the associated data of the root */
#define DM_FLEET_ROOT_BOUND    2


static void dm_fleet_put_place(dm_wire_t *w, const dm_fleet_place_t *place);
static void dm_fleet_get_place(dm_wire_t *w, dm_fleet_place_t *place);
static void dm_fleet_get_octets(dm_wire_t *w, unsigned char *out, size_t len);
static void dm_fleet_root_bind(dm_str_t *ad, const dm_fleet_t *fleet);
static int dm_fleet_get_root(dm_fleet_t *fleet, dm_str_t sealed,
    unsigned char *root, dm_err_t *err);


int
dm_fleet_head_id(dm_str_t octets, unsigned char *id, dm_err_t *err)
{
    if (octets.len < 1 + DM_FLEET_ID
        || octets.data[0] != DM_FLEET_HEAD_VERSION)
    {
        dm_err_set(err, "the head is not whole or not of version %d, which is "
                   "all that this program reads", DM_FLEET_HEAD_VERSION);
        return DM_INVALID;
    }

    memcpy(id, octets.data + 1, DM_FLEET_ID);

    return DM_OK;
}


int
dm_fleet_head_write(dm_fleet_t *fleet, dm_fleet_signer_t *signer,
    const dm_fleet_head_t *head, unsigned char *out, size_t *outlen,
    dm_err_t *err)
{
    size_t         len;
    dm_str_t       ad[DM_FLEET_ROOT_BOUND], root;
    dm_wire_t      w;
    unsigned char  sealed[DM_FLEET_ROOT + DM_SEAL_OVERHEAD];

    root = (dm_str_t) { head->root, DM_FLEET_ROOT };
    dm_fleet_root_bind(ad, fleet);

    if (dm_sealer_seal(fleet->roots, ad, DM_FLEET_ROOT_BOUND, root, sealed,
                       &len)
        != DM_OK)
    {
        dm_err_set(err, "the head cannot be sealed: OpenSSL failed");
        return DM_ERROR;
    }

    dm_wire_init(&w, out, DM_FLEET_HEAD_MAX);

    dm_wire_put(&w, 1, DM_FLEET_HEAD_VERSION);
    dm_wire_put_octets(&w, fleet->store_id, DM_FLEET_ID);
    dm_fleet_put_place(&w, &head->place);
    dm_wire_put(&w, 8, head->accounts);
    dm_wire_put_octets(&w, head->digest, DM_FLEET_HASH);
    dm_wire_put_octets(&w, head->beats, DM_FLEET_PUBLIC);
    dm_wire_put_str(&w, 1, (dm_str_t) { sealed, len });
    dm_wire_put_str(&w, 1, (dm_str_t) { head->realm, head->realm_len });

    if (dm_fleet_put_sign(&w, signer, dm_str("dm-sec fleet head"), out)
        != DM_OK)
    {
        dm_err_set(err, "the head cannot be signed: OpenSSL failed");
        return DM_ERROR;
    }

    *outlen = (size_t) (w.pos - out);

    return DM_OK;
}


static void
dm_fleet_put_place(dm_wire_t *w, const dm_fleet_place_t *place)
{
    dm_wire_put(w, 8, place->number);
    dm_wire_put_octets(w, place->chain, DM_FLEET_HASH);
}


static void
dm_fleet_get_place(dm_wire_t *w, dm_fleet_place_t *place)
{
    place->number = dm_wire_get(w, 8);
    dm_fleet_get_octets(w, place->chain, DM_FLEET_HASH);
}


static void
dm_fleet_get_octets(dm_wire_t *w, unsigned char *out, size_t len)
{
    unsigned char  *p;

    p = dm_wire_take(w, len);

    if (p != NULL) {
        memcpy(out, p, len);
    }
}


static void
dm_fleet_root_bind(dm_str_t *ad, const dm_fleet_t *fleet)
{
    ad[0] = dm_str("dm-sec fleet root");
    ad[1] = (dm_str_t) { fleet->store_id, DM_FLEET_ID };
}


int
dm_fleet_head_read(dm_fleet_t *fleet, unsigned char *data, size_t len,
    dm_fleet_head_t *head, dm_err_t *err)
{
    int        rc;
    dm_str_t   sealed, realm;
    unsigned   version;
    dm_wire_t  w;

    memset(head, 0, sizeof(dm_fleet_head_t));
    dm_wire_init(&w, data, len);

    version = (unsigned) dm_wire_get(&w, 1);
    (void) dm_fleet_get_id(fleet, &w);
    dm_fleet_get_place(&w, &head->place);
    head->accounts = dm_wire_get(&w, 8);
    dm_fleet_get_octets(&w, head->digest, DM_FLEET_HASH);
    dm_fleet_get_octets(&w, head->beats, DM_FLEET_PUBLIC);
    sealed = dm_wire_get_str(&w, 1);
    realm = dm_wire_get_str(&w, 1);

    if (w.bad || version != DM_FLEET_HEAD_VERSION) {
        dm_err_set(err, "the head is not whole, not of this store or not of "
                   "version %d, which is all that this program reads",
                   DM_FLEET_HEAD_VERSION);
        return DM_INVALID;
    }

    rc = dm_fleet_get_sign(&w, fleet->authority, dm_str("dm-sec fleet head"),
                           data);

    if (rc == DM_DECLINED) {
        dm_err_set(err, "the head is not signed by the authority whose key "
                   "this store has");
        return DM_INVALID;
    }

    if (rc != DM_OK) {
        dm_err_set(err, "the head cannot be verified: OpenSSL failed");
        return DM_ERROR;
    }

    head->realm_len = realm.len;
    memcpy(head->realm, realm.data, realm.len);

    return dm_fleet_get_root(fleet, sealed, head->root, err);
}


static int
dm_fleet_get_root(dm_fleet_t *fleet, dm_str_t sealed, unsigned char *root,
    dm_err_t *err)
{
    int            rc;
    size_t         len;
    dm_str_t       ad[DM_FLEET_ROOT_BOUND];
    unsigned char  plain[UINT8_MAX];

    dm_fleet_root_bind(ad, fleet);

    rc = dm_sealer_open(fleet->roots, ad, DM_FLEET_ROOT_BOUND, sealed, plain,
                        &len);

    if (rc == DM_ERROR) {
        dm_err_set(err, "the head cannot be opened: OpenSSL failed");
        return DM_ERROR;
    }

    if (rc == DM_OK && len == DM_FLEET_ROOT) {
        memcpy(root, plain, DM_FLEET_ROOT);
    }

    if (rc == DM_OK) {
        OPENSSL_cleanse(plain, len);
    }

    if (rc != DM_OK || len != DM_FLEET_ROOT) {
        dm_err_set(err, "the head does not open with the keys of this store: "
                   "it was sealed with another");
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_fleet_beat_key(const dm_key_t *authority, const unsigned char *store_id,
    dm_key_t *key)
{
    memcpy(key->id, authority->id, sizeof(key->id));

    return dm_fleet_derive(authority->key, store_id,
                           dm_str("dm-sec fleet beat"), key->key);
}


int
dm_fleet_beat_write(const dm_fleet_t *fleet, dm_fleet_signer_t *signer,
    const dm_fleet_beat_t *beat, unsigned char *out, size_t *outlen,
    dm_err_t *err)
{
    dm_wire_t  w;

    dm_wire_init(&w, out, DM_FLEET_BEAT_MAX);

    dm_wire_put(&w, 1, DM_FLEET_BEAT_VERSION);
    dm_wire_put_octets(&w, fleet->store_id, DM_FLEET_ID);
    dm_fleet_put_place(&w, &beat->place);
    dm_wire_put(&w, 8, (uint64_t) beat->time);

    if (dm_fleet_put_sign(&w, signer, dm_str("dm-sec fleet beat"), out)
        != DM_OK)
    {
        dm_err_set(err, "the beat cannot be signed: OpenSSL failed");
        return DM_ERROR;
    }

    *outlen = (size_t) (w.pos - out);

    return DM_OK;
}


int
dm_fleet_beat_read(const dm_fleet_t *fleet, dm_fleet_verifier_t *verifier,
    unsigned char *data, size_t len, dm_fleet_beat_t *beat, dm_err_t *err)
{
    int        rc;
    unsigned   version;
    dm_wire_t  w;

    memset(beat, 0, sizeof(dm_fleet_beat_t));
    dm_wire_init(&w, data, len);

    version = (unsigned) dm_wire_get(&w, 1);
    (void) dm_fleet_get_id(fleet, &w);
    dm_fleet_get_place(&w, &beat->place);
    beat->time = (int64_t) dm_wire_get(&w, 8);

    if (w.bad || version != DM_FLEET_BEAT_VERSION) {
        dm_err_set(err, "the beat is not whole, not of this store or not of "
                   "version %d, which is all that this program reads",
                   DM_FLEET_BEAT_VERSION);
        return DM_INVALID;
    }

    rc = dm_fleet_get_sign(&w, verifier, dm_str("dm-sec fleet beat"), data);

    if (rc == DM_DECLINED) {
        dm_err_set(err, "the beat is not signed by the key that the head "
                   "names");
        return DM_INVALID;
    }

    if (rc != DM_OK) {
        dm_err_set(err, "the beat cannot be verified: OpenSSL failed");
        return DM_ERROR;
    }

    return DM_OK;
}
