/*
 * The store key, and AES-256-GCM under it.  A sealed value is
 *
 *     key id length (1) | key id | IV (12) | ciphertext | tag (16)
 *
 * and is bound to associated data that is not part of it.
 */

#ifndef DM_SEAL_H
#define DM_SEAL_H


#include "dm.h"


#define DM_KEYS          2      /* two are in force during a rekey */
#define DM_KEY_ID_MAX    16     /* octets, [A-Za-z0-9._-] */
#define DM_KEY_SIZE      32
#define DM_SEAL_OVERHEAD (1 + DM_KEY_ID_MAX + 12 + 16)


typedef struct {
    char           id[DM_KEY_ID_MAX + 1];
    unsigned char  key[DM_KEY_SIZE];
} dm_key_t;

/*
 * Keys: each opens; the first seals, but a store, which has a key that seals,
 * is brought to it by rekey.
 */
typedef struct {
    unsigned  n;
    dm_key_t  key[DM_KEYS];
} dm_keys_t;

typedef struct dm_sealer_s  dm_sealer_t;


/*
 * Reads a key file: one or two lines "ID HEX64".  Refuses a file that is not
 * regular, that is open to the world, or that a group can write, or, unless it
 * is root's, read.  DM_OK, DM_INVALID or DM_ERROR; the buffers it used are
 * wiped.  The caller wipes keys.
 */
int dm_keys_read(const char *path, dm_keys_t *keys, dm_err_t *err);

/*
 * The same of public keys, which all may read: refuses a file that others than
 * root and this process's user can change.
 */
int dm_keys_read_public(const char *path, dm_keys_t *keys, dm_err_t *err);

void dm_keys_wipe(dm_keys_t *keys);

/*
 * Makes a number by which others see which keys a process has: it differs from
 * that of other keys, is the same in whatever order they are, and tells
 * nothing else of them.  DM_OK or DM_ERROR.
 */
int dm_keys_badge(const dm_keys_t *keys, uint64_t *badge);


/* NULL if OpenSSL fails; the sealer keeps its own copy of the keys */
dm_sealer_t *dm_sealer_new(const dm_keys_t *keys, dm_err_t *err);

/* wipes; NULL is accepted */
void dm_sealer_free(dm_sealer_t *sealer);

/*
 * From now on the key of that id seals; until now it was the first.  DM_OK, or
 * DM_DECLINED: the sealer has no such key.
 */
int dm_sealer_use(dm_sealer_t *sealer, dm_str_t id);

/* 1 if the sealer has the key of that id, else 0 */
int dm_sealer_has(const dm_sealer_t *sealer, dm_str_t id);

/* the id of the key that seals, as long as the sealer is there */
dm_str_t dm_sealer_key(const dm_sealer_t *sealer);

/*
 * Reads the id of the key that sealed the octets, as they say themselves.
 * DM_OK, or DM_INVALID: they are too short.
 */
int dm_sealed_key(dm_str_t sealed, dm_str_t *id);

/*
 * Seals plain, bound to the n parts of ad in order.  out has room for
 * plain.len + DM_SEAL_OVERHEAD.  DM_OK or DM_ERROR.
 */
int dm_sealer_seal(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t plain, unsigned char *out, size_t *outlen);

/*
 * Opens sealed into out, which may be sealed.data itself and has room for
 * sealed.len.  DM_OK; DM_DECLINED if it was not sealed under one of the keys
 * with this ad; DM_INVALID if it is too short or names a key that is not
 * here; DM_ERROR.
 */
int dm_sealer_open(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t sealed, unsigned char *out, size_t *outlen);


#endif /* DM_SEAL_H */
