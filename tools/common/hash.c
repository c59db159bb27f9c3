/* Password hashes of crypt(3) and htpasswd: named, looked at, verified */

#include <crypt.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "common/hash.h"


#define DM_HASH_SHA1         20     /* octets */
#define DM_HASH_BCRYPT_COST  10     /* below that it is tried too quickly */


typedef struct {
    const char  *prefix;
    const char  *name;
    size_t       tail;      /* characters behind the last "$", 0: refused */
    int          weak;
} dm_hash_scheme_t;


static const dm_hash_scheme_t *dm_hash_find(dm_str_t hash);
static int dm_hash_is_whole(dm_str_t hash, const dm_hash_scheme_t *scheme);
static int dm_hash_decode_sha(dm_str_t hash, unsigned char *out,
    size_t *len);
static int dm_hash_verify_sha(const unsigned char *sha, size_t len,
    const dm_secret_t *password, dm_err_t *err);
static int dm_hash_verify_crypt(dm_str_t hash, const dm_secret_t *password,
    dm_err_t *err);


/* the first that fits; {SHA} and {SSHA} have no "$" and are decoded */
static const dm_hash_scheme_t  dm_hash_schemes[] = {
    { "$y$", "yescrypt", 43, 0 },
    { "$2b$", "bcrypt", 53, 0 },
    { "$2y$", "bcrypt", 53, 0 },
    { "$6$", "sha512crypt", 86, 0 },
    { "$apr1$", "apr1", 22, 1 },
    { "{SHA}", "SHA", 0, 1 },
    { "{SSHA}", "SSHA", 0, 1 },
    { "$2", "bcrypt of an old kind", 0, 0 },
    { "$gy$", "gost-yescrypt", 0, 0 },
    { "$7$", "scrypt", 0, 0 },
    { "$5$", "sha256crypt", 0, 0 },
    { "$1$", "md5crypt", 0, 1 },
    { "", "DES crypt or unknown", 0, 1 }
};


const char *
dm_hash_scheme(dm_str_t hash)
{
    return hash.len == 0 ? NULL : dm_hash_find(hash)->name;
}


static const dm_hash_scheme_t *
dm_hash_find(dm_str_t hash)
{
    size_t                   len;
    const dm_hash_scheme_t  *scheme;

    for (scheme = dm_hash_schemes; /* void */ ; scheme++) {
        len = strlen(scheme->prefix);

        if (hash.len >= len && memcmp(hash.data, scheme->prefix, len) == 0) {
            return scheme;
        }
    }
}


int
dm_hash_check(dm_str_t hash, dm_err_t *err)
{
    int                      rc;
    size_t                   len;
    unsigned char            sha[DM_CRYPT_MAX];
    const dm_hash_scheme_t  *scheme;

    scheme = dm_hash_find(hash);
    rc = dm_hash_decode_sha(hash, sha, &len);

    OPENSSL_cleanse(sha, sizeof(sha));

    if (rc == DM_DECLINED && scheme->tail == 0) {
        dm_err_set(err, "a password hash of the scheme %s is not kept, for "
                   "it must begin with $y$, $2b$, $2y$, $6$, $apr1$, {SHA} "
                   "or {SSHA}: set a password instead", scheme->name);
        return DM_INVALID;
    }

    if (rc == DM_OK
        || (rc == DM_DECLINED && dm_hash_is_whole(hash, scheme)))
    {
        return DM_OK;
    }

    dm_err_set(err, "the %s password hash is not whole: no password would "
               "be right", scheme->name);

    return DM_INVALID;
}


static int
dm_hash_is_whole(dm_str_t hash, const dm_hash_scheme_t *scheme)
{
    size_t         i, start;
    unsigned char  ch;

    if (hash.len > DM_CRYPT_MAX
        || hash.len <= strlen(scheme->prefix) + scheme->tail)
    {
        return 0;
    }

    start = hash.len - scheme->tail;

    if (hash.data[start - 1] != '$') {
        return 0;
    }

    for (i = start; i < hash.len; i++) {
        ch = hash.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '.' || ch == '/'))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * {SHA} and {SSHA}: the SHA-1 and then the salt into out[DM_CRYPT_MAX].
 * DM_OK; DM_DECLINED: it is another scheme; DM_INVALID.
 */
static int
dm_hash_decode_sha(dm_str_t hash, unsigned char *out, size_t *len)
{
    int       n;
    size_t    i;
    dm_str_t  base64;

    if (hash.len == 0 || hash.data[0] != '{'
        || *dm_hash_find(hash)->prefix != '{')
    {
        return DM_DECLINED;
    }

    i = hash.data[2] == 'S' ? sizeof("{SSHA}") - 1 : sizeof("{SHA}") - 1;
    base64 = (dm_str_t) { hash.data + i, hash.len - i };

    if (base64.len == 0 || base64.len % 4 != 0 || hash.len > DM_CRYPT_MAX) {
        return DM_INVALID;
    }

    n = EVP_DecodeBlock(out, base64.data, (int) base64.len);

    /* OpenSSL counts what the padding stands for */

    for (i = base64.len; i > 0 && base64.data[i - 1] == '='; i--) {
        n--;
    }

    if (n < DM_HASH_SHA1
        || (n == DM_HASH_SHA1) != (hash.data[2] == 'H'))
    {
        ERR_clear_error();
        return DM_INVALID;
    }

    *len = (size_t) n;

    return DM_OK;
}


int
dm_hash_is_weak(dm_str_t hash)
{
    int                      cost;
    const dm_hash_scheme_t  *scheme;

    scheme = dm_hash_find(hash);

    if (scheme->weak || strcmp(scheme->name, "bcrypt") != 0) {
        return scheme->weak;
    }

    /* $2y$05$: htpasswd's own default is 5 */
    cost = 10 * (hash.data[4] - '0') + (hash.data[5] - '0');

    return cost < DM_HASH_BCRYPT_COST;
}


int
dm_hash_verify(dm_str_t hash, const dm_secret_t *password, dm_err_t *err)
{
    int            rc;
    size_t         len;
    unsigned char  sha[DM_CRYPT_MAX];

    rc = dm_hash_decode_sha(hash, sha, &len);

    if (rc == DM_OK) {
        rc = dm_hash_verify_sha(sha, len, password, err);

    } else {
        rc = dm_hash_verify_crypt(hash, password, err);
    }

    OPENSSL_cleanse(sha, sizeof(sha));

    if (rc == DM_DECLINED) {
        dm_err_set(err, "the password is wrong");
    }

    return rc;
}


static int
dm_hash_verify_sha(const unsigned char *sha, size_t len,
    const dm_secret_t *password, dm_err_t *err)
{
    int            rc;
    size_t         salt;
    unsigned char  made[DM_HASH_SHA1];
    unsigned char  salted[DM_PASSWORD_MAX + DM_CRYPT_MAX];

    salt = len - DM_HASH_SHA1;

    memcpy(salted, password->data, password->len);
    memcpy(salted + password->len, sha + DM_HASH_SHA1, salt);

    rc = EVP_Digest(salted, password->len + salt, made, NULL, EVP_sha1(),
                    NULL);

    OPENSSL_cleanse(salted, sizeof(salted));

    if (rc != 1) {
        dm_err_set(err, "cannot hash the password with SHA-1: the library "
                   "failed");
        return DM_ERROR;
    }

    return CRYPTO_memcmp(made, sha, sizeof(made)) == 0 ? DM_OK : DM_DECLINED;
}


static int
dm_hash_verify_crypt(dm_str_t hash, const dm_secret_t *password,
    dm_err_t *err)
{
    int                rc;
    char               setting[DM_CRYPT_MAX + 1];
    const char        *made;
    struct crypt_data  data;

    memset(&data, 0, sizeof(struct crypt_data));

    memcpy(setting, hash.data, hash.len);
    setting[hash.len] = '\0';

    made = crypt_r((const char *) password->data, setting, &data);

    if (made == NULL || made[0] == '*') {
        dm_err_set(err, "its password hash is of the scheme %s, which "
                   "libcrypt cannot verify; nginx verifies apr1 itself",
                   dm_hash_scheme(hash));
        rc = DM_ERROR;

    } else {
        rc = (strlen(made) == hash.len
              && CRYPTO_memcmp(made, setting, hash.len) == 0)
             ? DM_OK : DM_DECLINED;
    }

    OPENSSL_cleanse(&data, sizeof(struct crypt_data));
    OPENSSL_cleanse(setting, sizeof(setting));

    return rc;
}
