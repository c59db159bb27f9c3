/* Passwords and pre-shared keys: read, made, hashed, verified */

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "dm_hex.h"
#include "dm_password.h"
#include "common/input.h"
#include "common/secret.h"


static int dm_secret_read(const char *path, dm_secret_t *secret,
    dm_err_t *err);
static int dm_secret_decode_hex(const dm_secret_t *hex, dm_secret_t *secret,
    dm_err_t *err);
static int dm_secret_verify_ha1(const dm_account_t *account, dm_str_t realm,
    dm_str_t pw, const char **by, dm_err_t *err);
static int dm_secret_verify_one(const dm_account_t *account,
    dm_algorithm_t alg, dm_str_t realm, dm_str_t pw);


int
dm_secret_read_password(const char *path, dm_secret_t *secret, dm_err_t *err)
{
    int       rc;
    dm_str_t  password;

    rc = dm_secret_read(path, secret, err);

    if (rc != DM_OK) {
        return rc;
    }

    password = (dm_str_t) { secret->data, secret->len };

    return dm_text_check(password, DM_PASSWORD_MAX, "the password", err);
}


/* reads a secret; one newline at its end is an editor's, and does not count */
static int
dm_secret_read(const char *path, dm_secret_t *secret, dm_err_t *err)
{
    int             rc;
    size_t          len, skip;
    unsigned char  *text;
    unsigned char   buf[DM_PASSWORD_MAX + 7];

    rc = dm_input_read(path, buf, sizeof(buf), &len, err);

    if (rc == DM_OK) {
        rc = dm_input_not_utf16(path, buf, len, err);
    }

    if (rc != DM_OK) {
        goto done;
    }

    skip = dm_text_mark(buf, len);
    text = buf + skip;
    len = dm_text_end(text, len - skip);

    if (len > 0 && text[len - 1] == '\n') {
        len--;

        if (len > 0 && text[len - 1] == '\r') {
            len--;
        }
    }

    if (len > DM_PASSWORD_MAX) {
        dm_err_set(err, "the secret in \"%s\" is longer than %d octets", path,
                   DM_PASSWORD_MAX);
        rc = DM_INVALID;
        goto done;
    }

    memcpy(secret->data, text, len);
    secret->data[len] = '\0';
    secret->len = len;

done:

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


int
dm_secret_read_psk(const char *path, dm_secret_t *secret, dm_err_t *err)
{
    int          rc;
    dm_secret_t  hex;

    rc = dm_secret_read(path, &hex, err);

    if (rc == DM_OK) {
        rc = dm_secret_decode_hex(&hex, secret, err);
    }

    OPENSSL_cleanse(&hex, sizeof(dm_secret_t));

    return rc;
}


int
dm_secret_take_password(const char *text, dm_secret_t *secret, dm_err_t *err)
{
    dm_str_t  password;

    password = (dm_str_t) { (const unsigned char *) text, strlen(text) };

    if (dm_text_check(password, DM_PASSWORD_MAX, "the password", err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    memcpy(secret->data, text, password.len + 1);
    secret->len = password.len;

    return DM_OK;
}


int
dm_secret_take_psk(const char *text, dm_secret_t *secret, dm_err_t *err)
{
    int          rc;
    dm_secret_t  hex;

    rc = dm_secret_take_password(text, &hex, err);

    if (rc == DM_OK) {
        rc = dm_secret_decode_hex(&hex, secret, err);
    }

    OPENSSL_cleanse(&hex, sizeof(dm_secret_t));

    return rc;
}


static int
dm_secret_decode_hex(const dm_secret_t *hex, dm_secret_t *secret,
    dm_err_t *err)
{
    dm_str_t  digits;

    digits = (dm_str_t) { hex->data, hex->len };

    if (dm_hex_read(digits, secret->data, DM_PSK_MAX, &secret->len) != DM_OK
        || secret->len < DM_PSK_MIN)
    {
        dm_err_set(err, "the PSK file must hold %d to %d octets in hex and "
                   "nothing else, no blank either", DM_PSK_MIN, DM_PSK_MAX);
        return DM_INVALID;
    }

    secret->data[secret->len] = '\0';

    return DM_OK;
}


int
dm_secret_make_password(dm_secret_t *secret, dm_err_t *err)
{
    size_t  i;

    static const char  base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    if (RAND_priv_bytes(secret->data, DM_PASSWORD_MADE) != 1) {
        dm_err_set(err, "the library has no random numbers");
        return DM_ERROR;
    }

    for (i = 0; i < DM_PASSWORD_MADE; i++) {
        secret->data[i] = (unsigned char) base32[secret->data[i] & 0x1f];
    }

    secret->data[i] = '\0';
    secret->len = i;

    return DM_OK;
}


int
dm_secret_make_psk(dm_secret_t *secret, dm_err_t *err)
{
    if (RAND_priv_bytes(secret->data, DM_PSK_MADE) != 1) {
        dm_err_set(err, "the library has no random numbers");
        return DM_ERROR;
    }

    secret->data[DM_PSK_MADE] = '\0';
    secret->len = DM_PSK_MADE;

    return DM_OK;
}


void
dm_secret_psk_hex(const dm_secret_t *secret, char *out)
{
    dm_hex_text((dm_str_t) { secret->data, secret->len }, out);
}


int
dm_secret_crypt(const dm_secret_t *password, char *out, dm_err_t *err)
{
    int                rc;
    char               setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char        *hash;
    struct crypt_data  data;

    memset(&data, 0, sizeof(struct crypt_data));

    /* no salt given: libxcrypt takes it from the system */
    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting))
        == NULL)
    {
        dm_err_set(err, "libcrypt cannot make a yescrypt salt");
        return DM_ERROR;
    }

    rc = DM_OK;
    hash = crypt_r((const char *) password->data, setting, &data);

    if (hash == NULL || hash[0] == '*'
        || snprintf(out, DM_CRYPT_MAX, "%s", hash) >= DM_CRYPT_MAX)
    {
        dm_err_set(err, "libcrypt cannot make a yescrypt hash: it needs "
                   "16 MB of memory");
        rc = DM_ERROR;
    }

    OPENSSL_cleanse(&data, sizeof(struct crypt_data));

    return rc;
}


int
dm_secret_set_ha1(dm_account_t *account, dm_str_t realm,
    const dm_secret_t *password, dm_err_t *err)
{
    dm_str_t        pw;
    dm_algorithm_t  alg;

    pw = (dm_str_t) { password->data, password->len };

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        if (dm_digest_ha1(alg, account->name, realm, pw, account->ha1[alg])
            != DM_OK)
        {
            dm_err_set(err, "cannot hash the password with %s: the library "
                       "failed", dm_digest_name(alg));
            return DM_ERROR;
        }

        account->has_ha1[alg] = 1;
    }

    account->crypt.len = 0;

    return DM_OK;
}


unsigned
dm_secret_find_psk(const dm_account_t *account, dm_str_t identity)
{
    unsigned  i;

    for (i = 0; i < account->npsks; i++) {
        if (dm_str_eq(account->psk[i].identity, identity)) {
            break;
        }
    }

    return i;
}


int
dm_secret_set_psk(dm_account_t *account, dm_str_t identity, dm_str_t key,
    dm_err_t *err)
{
    unsigned  i;

    i = dm_secret_find_psk(account, identity);

    if (i == DM_PSKS) {
        dm_err_set(err, "\"%.*s\" holds %d PSKs already: drop one with "
                   "\"dm-account set --drop-psk\"", (int) account->id.len,
                   (const char *) account->id.data, DM_PSKS);
        return DM_INVALID;
    }

    if (i == account->npsks) {
        account->npsks++;
    }

    account->psk[i] = (dm_psk_t) { identity, key };

    return DM_OK;
}


int
dm_secret_verify(const dm_account_t *account, dm_str_t realm,
    const dm_secret_t *password, const char **by, dm_err_t *err)
{
    dm_str_t  pw;

    pw = (dm_str_t) { password->data, password->len };

    if (dm_account_has_ha1(account)) {
        return dm_secret_verify_ha1(account, realm, pw, by, err);
    }

    if (account->crypt.len == 0) {
        dm_err_set(err, "the account has no password");
        return DM_DECLINED;
    }

    *by = dm_password_scheme(account->crypt);

    return dm_password_verify(account->crypt, pw, err);
}


/* by all that there are: a server may ask for any; *by is the strongest */
static int
dm_secret_verify_ha1(const dm_account_t *account, dm_str_t realm, dm_str_t pw,
    const char **by, dm_err_t *err)
{
    int          rc;
    unsigned     alg;
    const char  *name, *right, *wrong;

    right = NULL;
    wrong = NULL;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {

        if (!account->has_ha1[alg]) {
            continue;
        }

        name = dm_digest_name((dm_algorithm_t) alg);
        *by = name;

        rc = dm_secret_verify_one(account, (dm_algorithm_t) alg, realm, pw);

        if (rc == DM_ERROR) {
            dm_err_set(err, "cannot hash the password with %s: the library "
                       "failed", name);
            return DM_ERROR;
        }

        if (rc == DM_OK) {
            right = name;

        } else {
            wrong = name;
        }
    }

    if (wrong == NULL) {
        return DM_OK;
    }

    if (right == NULL) {
        dm_err_set(err, "the password is wrong");

    } else {
        dm_err_set(err, "by %s it is right, by %s wrong: the hashes of the "
                   "account are of different passwords, so give it a new one",
                   right, wrong);
    }

    return DM_DECLINED;
}


/* DM_OK, DM_DECLINED or DM_ERROR */
static int
dm_secret_verify_one(const dm_account_t *account, dm_algorithm_t alg,
    dm_str_t realm, dm_str_t pw)
{
    int            rc;
    unsigned char  ha1[DM_HASH_MAX];

    if (dm_digest_ha1(alg, account->name, realm, pw, ha1) != DM_OK) {
        return DM_ERROR;
    }

    rc = CRYPTO_memcmp(ha1, account->ha1[alg], dm_digest_size(alg));

    OPENSSL_cleanse(ha1, sizeof(ha1));

    return rc == 0 ? DM_OK : DM_DECLINED;
}
