/* Password hashes of crypt(3) and htpasswd: named, looked at, verified */

#ifndef DM_PASSWORD_H
#define DM_PASSWORD_H


#include "dm.h"
#include "dm_account.h"


#define DM_PASSWORD_MAX  511      /* octets of one, as of crypt(3) */


/* "yescrypt", "bcrypt", ... of a hash; NULL if it is empty */
const char *dm_password_scheme(dm_str_t hash);

/*
 * Looks whether an account can have a hash from elsewhere: nginx verifies its
 * scheme, it has all its characters, and it is not costly.  DM_OK or
 * DM_INVALID.
 */
int dm_password_check(dm_str_t hash, dm_err_t *err);

/* 1 if the hash is so quickly tried that it gives its password away, else 0 */
int dm_password_is_weak(dm_str_t hash);

/*
 * 1 if one verification takes so much time or memory that whoever knows a name
 * could keep a server from its other work with it, else 0.  Who verifies for a
 * stranger asks this before.
 */
int dm_password_is_costly(dm_str_t hash);

/*
 * Compares a password of any length, without NUL, with a hash.  DM_OK: it is
 * the password's; DM_DECLINED: another's, or the password is longer than
 * DM_PASSWORD_MAX, which takes as long to find; DM_ERROR: the scheme of the
 * hash is unknown, or the library failed.  dm_digest_init() comes before.
 */
int dm_password_verify(dm_str_t hash, dm_str_t password, dm_err_t *err);


#endif /* DM_PASSWORD_H */
