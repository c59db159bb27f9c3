/* Passwords and pre-shared keys: read, made, hashed, verified */

#ifndef DM_COMMON_SECRET_H
#define DM_COMMON_SECRET_H

#include "dm_account.h"
#include "dm_password.h"


#define DM_PASSWORD_MADE    24      /* base32 characters: 120 bits */
#define DM_PSK_MADE         32      /* octets */


/* a password or a key; data has a NUL after len octets */
typedef struct {
    size_t         len;
    unsigned char  data[DM_PASSWORD_MAX + 1];
} dm_secret_t;


/*
 * Read a secret from a file, "-" being stdin, less one final newline, and the
 * ^Z that DOS may have behind it.  A key is hex there; a password has no
 * control character (RFC 7617, section 2).  DM_OK, DM_INVALID or DM_ERROR; the
 * caller wipes secret.
 */
int dm_secret_read_password(const char *path, dm_secret_t *secret,
    dm_err_t *err);
int dm_secret_read_psk(const char *path, dm_secret_t *secret, dm_err_t *err);

/* the same of a text that somebody gave: no newline is taken off */
int dm_secret_take_password(const char *text, dm_secret_t *secret,
    dm_err_t *err);
int dm_secret_take_psk(const char *text, dm_secret_t *secret, dm_err_t *err);

/* make a random one.  DM_OK or DM_ERROR */
int dm_secret_make_password(dm_secret_t *secret, dm_err_t *err);
int dm_secret_make_psk(dm_secret_t *secret, dm_err_t *err);

/* writes it in lower-case hex, with a NUL, into out[2 * DM_PSK_MAX + 1] */
void dm_secret_psk_hex(const dm_secret_t *secret, char *out);

/* a yescrypt hash of the password into out[DM_CRYPT_MAX], a C string */
int dm_secret_crypt(const dm_secret_t *password, char *out, dm_err_t *err);

/* sets all the account's HA1s from its name; drops its crypt hash */
int dm_secret_set_ha1(dm_account_t *account, dm_str_t realm,
    const dm_secret_t *password, dm_err_t *err);

/* the index of the account's PSK of that identity, or npsks */
unsigned dm_secret_find_psk(const dm_account_t *account, dm_str_t identity);

/*
 * Gives the account's PSK of that identity another key, or adds it.  DM_OK, or
 * DM_INVALID: the account holds DM_PSKS others.
 */
int dm_secret_set_psk(dm_account_t *account, dm_str_t identity, dm_str_t key,
    dm_err_t *err);

/*
 * DM_OK: it is the account's password by each of its hashes, and *by names the
 * strongest; DM_DECLINED: it is not, the hashes disagree, or the account has
 * none, err says which; DM_ERROR.
 */
int dm_secret_verify(const dm_account_t *account, dm_str_t realm,
    const dm_secret_t *password, const char **by, dm_err_t *err);


#endif /* DM_COMMON_SECRET_H */
