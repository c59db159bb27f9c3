/* Password hashes of crypt(3) and htpasswd: named, looked at, verified */

#ifndef DM_COMMON_HASH_H
#define DM_COMMON_HASH_H

#include "common/secret.h"


/* "yescrypt", "bcrypt", ... of a hash; NULL if it is empty */
const char *dm_hash_scheme(dm_str_t hash);

/*
 * Whether a hash from elsewhere can be an account's: nginx verifies its
 * scheme, and it has all its characters.  DM_OK or DM_INVALID.
 */
int dm_hash_check(dm_str_t hash, dm_err_t *err);

/* 1 if it is so quickly tried that whoever has it has the password, else 0 */
int dm_hash_is_weak(dm_str_t hash);

/* DM_OK, DM_DECLINED: another password's, or DM_ERROR */
int dm_hash_verify(dm_str_t hash, const dm_secret_t *password,
    dm_err_t *err);


#endif /* DM_ACCOUNT_HASH_H */
