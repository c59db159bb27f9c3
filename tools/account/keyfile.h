/* The key file as dm-account writes it */

#ifndef DM_ACCOUNT_KEYFILE_H
#define DM_ACCOUNT_KEYFILE_H

#include "dm_seal.h"


/* puts a random key with that id before those of keys.  DM_OK or DM_ERROR */
int dm_keyfile_add(dm_keys_t *keys, const char *id, dm_err_t *err);

/*
 * Looks whether a key file can hold keys, wherever they are from.  DM_OK or
 * DM_INVALID.
 */
int dm_keyfile_check(const dm_keys_t *keys, dm_err_t *err);

/*
 * Makes the file, closed to all others and on the disk when this returns.
 * DM_OK; DM_EXISTS: there is one; DM_ERROR: there is none.
 */
int dm_keyfile_create(const char *path, const dm_keys_t *keys, dm_err_t *err);

/*
 * Exchanges the file for one with the keys, at once: who reads it, or cuts the
 * power, finds the one or the other.  Owner and mode stay.  DM_OK or DM_ERROR.
 */
int dm_keyfile_replace(const char *path, const dm_keys_t *keys,
    dm_err_t *err);

/*
 * The suffix that dm_keyfile_keep() makes: ".old-", a time in UTC, maybe a
 * number.
 */
#define DM_KEYFILE_KEPT  sizeof(".old-20270131T000000Z-9")

/*
 * Keeps a key that leaves the file: as a key file of its own beside it, closed
 * to all others, with the owner of the file, and on the disk when this
 * returns.  Its path is put into kept[PATH_MAX + DM_KEYFILE_KEPT].  DM_OK or
 * DM_ERROR.
 */
int dm_keyfile_keep(const char *path, const dm_key_t *key, char *kept,
    dm_err_t *err);


#endif /* DM_ACCOUNT_KEYFILE_H */
