/* Password hashes of crypt(3) and htpasswd: named, looked at, verified */

#include <crypt.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "dm_digest.h"
#include "dm_password.h"


#define DM_PASSWORD_SHA1         20     /* octets */
#define DM_PASSWORD_MD5          16
#define DM_PASSWORD_BCRYPT_COST  10     /* below it is tried too quickly */

/*
 * Above these one verification takes more than about a second or more than
 * 128 MB, and who sends any password to such an account keeps all others
 * waiting.  The defaults are far below: 5, 5000 rounds and 16 MB.
 */
#define DM_PASSWORD_BCRYPT_MOST  14
#define DM_PASSWORD_SHA512_MOST  1000000            /* rounds */
#define DM_PASSWORD_SCRYPT_MOST  (128u << 20)       /* octets, as of $y$jCT$ */

#define DM_PASSWORD_APR1         "$apr1$"
#define DM_PASSWORD_APR1_SALT    8      /* characters at most */
#define DM_PASSWORD_APR1_TEXT    22     /* characters of the hash */
#define DM_PASSWORD_APR1_ROUNDS  1000

/* twice a password, and the salt and the rest, which a hash has room for */
#define DM_PASSWORD_INPUT        (2 * DM_PASSWORD_MAX + DM_CRYPT_MAX)


typedef struct {
    const char  *prefix;
    const char  *name;
    size_t       tail;      /* characters behind the last "$", 0: refused */
    int          weak;
} dm_password_kind_t;


/* the octets that are hashed */
typedef struct {
    unsigned char  data[DM_PASSWORD_INPUT];
    size_t         len;
} dm_password_input_t;


static const dm_password_kind_t *dm_password_find(dm_str_t hash);
static int dm_password_is_whole(dm_str_t hash,
    const dm_password_kind_t *kind);
static uint64_t dm_password_number(dm_str_t text, size_t *i);
static unsigned dm_password_digit64(unsigned char ch);
static int dm_password_decode_sha(dm_str_t hash, unsigned char *out,
    size_t *len);
static int dm_password_match_sha(dm_str_t hash, dm_str_t password);
static int dm_password_match_apr1(dm_str_t hash, dm_str_t password);
static int dm_password_apr1(dm_str_t salt, dm_str_t password,
    unsigned char *out);
static int dm_password_apr1_start(dm_str_t salt, dm_str_t password,
    unsigned char *out);
static int dm_password_apr1_round(unsigned i, dm_str_t salt,
    dm_str_t password, unsigned char *hash);
static void dm_password_add(dm_password_input_t *input, const void *data,
    size_t len);
static int dm_password_md5(dm_password_input_t *input, unsigned char *out);
static void dm_password_base64(const unsigned char *hash, char *out);
static int dm_password_match_crypt(dm_str_t hash, dm_str_t password);


/* the first that fits; {SHA} and {SSHA} have no "$" and are decoded */
static const dm_password_kind_t  dm_password_kinds[] = {
    { "$y$", "yescrypt", 43, 0 },
    { "$2b$", "bcrypt", 53, 0 },
    { "$2y$", "bcrypt", 53, 0 },
    { "$6$", "sha512crypt", 86, 0 },
    { DM_PASSWORD_APR1, "apr1", 22, 1 },
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
dm_password_scheme(dm_str_t hash)
{
    return hash.len == 0 ? NULL : dm_password_find(hash)->name;
}


static const dm_password_kind_t *
dm_password_find(dm_str_t hash)
{
    size_t                   len;
    const dm_password_kind_t  *kind;

    for (kind = dm_password_kinds; /* void */ ; kind++) {
        len = strlen(kind->prefix);

        if (hash.len >= len && memcmp(hash.data, kind->prefix, len) == 0) {
            return kind;
        }
    }
}


int
dm_password_check(dm_str_t hash, dm_err_t *err)
{
    int                      rc;
    size_t                   len;
    unsigned char            sha[DM_CRYPT_MAX];
    const dm_password_kind_t  *kind;

    kind = dm_password_find(hash);
    rc = dm_password_decode_sha(hash, sha, &len);

    OPENSSL_cleanse(sha, sizeof(sha));

    if (rc == DM_DECLINED && kind->tail == 0) {
        dm_err_set(err, "a password hash of the scheme %s is not kept, for "
                   "it must begin with $y$, $2b$, $2y$, $6$, $apr1$, {SHA} "
                   "or {SSHA}: set a password instead", kind->name);
        return DM_INVALID;
    }

    if (rc == DM_INVALID
        || (rc == DM_DECLINED && !dm_password_is_whole(hash, kind)))
    {
        dm_err_set(err, "the %s password hash is not whole: no password would "
                   "be right", kind->name);
        return DM_INVALID;
    }

    if (dm_password_is_costly(hash)) {
        dm_err_set(err, "the %s password hash is not kept, for whoever sends "
                   "its name would keep a server busy with it: at most a cost "
                   "of %d for bcrypt, %d rounds for sha512crypt and %u MB for "
                   "yescrypt; set a password instead", kind->name,
                   DM_PASSWORD_BCRYPT_MOST, DM_PASSWORD_SHA512_MOST,
                   DM_PASSWORD_SCRYPT_MOST >> 20);
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_password_is_whole(dm_str_t hash, const dm_password_kind_t *kind)
{
    size_t         i, start;
    unsigned char  ch;

    if (hash.len > DM_CRYPT_MAX
        || hash.len <= strlen(kind->prefix) + kind->tail)
    {
        return 0;
    }

    start = hash.len - kind->tail;

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
dm_password_decode_sha(dm_str_t hash, unsigned char *out, size_t *len)
{
    int       n;
    size_t    i;
    dm_str_t  base64;

    if (hash.len == 0 || hash.data[0] != '{'
        || *dm_password_find(hash)->prefix != '{')
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

    if (n < DM_PASSWORD_SHA1
        || (n == DM_PASSWORD_SHA1) != (hash.data[2] == 'H'))
    {
        ERR_clear_error();
        return DM_INVALID;
    }

    *len = (size_t) n;

    return DM_OK;
}


int
dm_password_is_weak(dm_str_t hash)
{
    int                      cost;
    const dm_password_kind_t  *kind;

    kind = dm_password_find(hash);

    if (kind->weak || strcmp(kind->name, "bcrypt") != 0) {
        return kind->weak;
    }

    /* $2y$05$: htpasswd's own default is 5 */
    cost = 10 * (hash.data[4] - '0') + (hash.data[5] - '0');

    return cost < DM_PASSWORD_BCRYPT_COST;
}


int
dm_password_is_costly(dm_str_t hash)
{
    size_t                     i;
    unsigned                   n, r;
    const dm_password_kind_t  *kind;

    kind = dm_password_find(hash);
    i = strlen(kind->prefix);

    if (strcmp(kind->name, "bcrypt") == 0) {
        return dm_password_number(hash, &i) > DM_PASSWORD_BCRYPT_MOST;
    }

    if (strcmp(kind->name, "sha512crypt") == 0) {
        n = sizeof("rounds=") - 1;

        if (hash.len < i + n || memcmp(hash.data + i, "rounds=", n) != 0) {
            return 0;
        }

        i += n;

        return dm_password_number(hash, &i) > DM_PASSWORD_SHA512_MOST;
    }

    if (strcmp(kind->name, "yescrypt") != 0) {
        return 0;
    }

    /* flavour, log2(N) and r in a character each, as crypt_gensalt(3) has it */

    if (hash.len < i + 4 || hash.data[i + 3] != '$') {
        return 1;
    }

    n = dm_password_digit64(hash.data[i + 1]) + 1;
    r = dm_password_digit64(hash.data[i + 2]) + 1;

    return n > 32 || r > 48
           || ((uint64_t) 128 * r << n) > DM_PASSWORD_SCRYPT_MOST;
}


/* reads decimal digits from *i on, and moves *i behind them */
static uint64_t
dm_password_number(dm_str_t text, size_t *i)
{
    uint64_t  n;

    for (n = 0; *i < text.len; (*i)++) {

        if (text.data[*i] < '0' || text.data[*i] > '9') {
            break;
        }

        if (n < UINT32_MAX) {
            n = 10 * n + (uint64_t) (text.data[*i] - '0');
        }
    }

    return n;
}


/* the value of a character of crypt(3)'s Base64; 64: it is none */
static unsigned
dm_password_digit64(unsigned char ch)
{
    const char  *p;

    static const char  digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz";

    p = ch == '\0' ? NULL : strchr(digits, ch);

    return p == NULL ? 64 : (unsigned) (p - digits);
}


int
dm_password_verify(dm_str_t hash, dm_str_t password, dm_err_t *err)
{
    int                        rc;
    dm_str_t                   used;
    const dm_password_kind_t  *kind;

    kind = dm_password_find(hash);

    /*
     * No hash is made of a longer one; verify it cut, to refuse it as slowly.
     */

    used = password;

    if (used.len > DM_PASSWORD_MAX) {
        used.len = DM_PASSWORD_MAX;
    }

    if (hash.len > DM_CRYPT_MAX) {
        rc = DM_ERROR;

    } else if (*kind->prefix == '{') {
        rc = dm_password_match_sha(hash, used);

    } else if (strcmp(kind->prefix, DM_PASSWORD_APR1) == 0) {
        rc = dm_password_match_apr1(hash, used);

    } else {
        rc = dm_password_match_crypt(hash, used);
    }

    if (rc == DM_OK && used.len != password.len) {
        rc = DM_DECLINED;
    }

    if (rc == DM_DECLINED) {
        dm_err_set(err, "the password is wrong");

    } else if (rc != DM_OK) {
        dm_err_set(err, "its password hash is of the scheme %s, which cannot "
                   "be verified: it is not whole, or the library failed",
                   kind->name);
    }

    return rc;
}


/* DM_OK, DM_DECLINED or DM_ERROR, and so do those below */
static int
dm_password_match_sha(dm_str_t hash, dm_str_t password)
{
    int                  rc;
    size_t               len;
    unsigned char        sha[DM_CRYPT_MAX], made[DM_PASSWORD_SHA1];
    dm_password_input_t  input;

    if (dm_password_decode_sha(hash, sha, &len) != DM_OK) {
        return DM_ERROR;
    }

    input.len = 0;
    dm_password_add(&input, password.data, password.len);
    dm_password_add(&input, sha + DM_PASSWORD_SHA1, len - DM_PASSWORD_SHA1);

    rc = DM_ERROR;

    if (EVP_Digest(input.data, input.len, made, NULL, EVP_sha1(), NULL) == 1) {
        rc = CRYPTO_memcmp(made, sha, sizeof(made)) == 0 ? DM_OK
                                                         : DM_DECLINED;
    }

    OPENSSL_cleanse(&input, sizeof(input));
    OPENSSL_cleanse(made, sizeof(made));
    OPENSSL_cleanse(sha, sizeof(sha));

    return rc;
}


/* Apache's: md5crypt, with a name of its own among what is hashed */
static int
dm_password_match_apr1(dm_str_t hash, dm_str_t password)
{
    int                   rc;
    char                  text[DM_PASSWORD_APR1_TEXT];
    dm_str_t              salt;
    unsigned char         made[DM_PASSWORD_MD5];
    const unsigned char  *dollar;

    salt.data = hash.data + sizeof(DM_PASSWORD_APR1) - 1;
    salt.len = hash.len - (sizeof(DM_PASSWORD_APR1) - 1);

    dollar = memchr(salt.data, '$', salt.len);

    if (dollar == NULL
        || dollar - salt.data > DM_PASSWORD_APR1_SALT
        || hash.data + hash.len - dollar - 1 != DM_PASSWORD_APR1_TEXT)
    {
        return DM_ERROR;
    }

    salt.len = (size_t) (dollar - salt.data);

    rc = dm_password_apr1(salt, password, made);

    if (rc == DM_OK) {
        dm_password_base64(made, text);

        rc = CRYPTO_memcmp(text, dollar + 1, sizeof(text)) == 0 ? DM_OK
                                                                : DM_DECLINED;
    }

    OPENSSL_cleanse(made, sizeof(made));
    OPENSSL_cleanse(text, sizeof(text));

    return rc;
}


static int
dm_password_apr1(dm_str_t salt, dm_str_t password, unsigned char *out)
{
    unsigned  i;

    if (dm_password_apr1_start(salt, password, out) != DM_OK) {
        return DM_ERROR;
    }

    for (i = 0; i < DM_PASSWORD_APR1_ROUNDS; i++) {
        if (dm_password_apr1_round(i, salt, password, out) != DM_OK) {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


static int
dm_password_apr1_start(dm_str_t salt, dm_str_t password, unsigned char *out)
{
    int                  rc;
    size_t               n;
    dm_password_input_t  input;

    input.len = 0;
    dm_password_add(&input, password.data, password.len);
    dm_password_add(&input, salt.data, salt.len);
    dm_password_add(&input, password.data, password.len);

    rc = dm_password_md5(&input, out);

    if (rc == DM_OK) {
        dm_password_add(&input, password.data, password.len);
        dm_password_add(&input, DM_PASSWORD_APR1,
                        sizeof(DM_PASSWORD_APR1) - 1);
        dm_password_add(&input, salt.data, salt.len);

        /* add as many octets of the first hash as the password has */

        for (n = password.len; n > DM_PASSWORD_MD5; n -= DM_PASSWORD_MD5) {
            dm_password_add(&input, out, DM_PASSWORD_MD5);
        }

        dm_password_add(&input, out, n);

        /* a bit of its length is a NUL, or the password's first octet */

        for (n = password.len; n > 0; n >>= 1) {
            dm_password_add(&input, n & 1 ? (const void *) ""
                                          : password.data, 1);
        }

        rc = dm_password_md5(&input, out);
    }

    OPENSSL_cleanse(&input, sizeof(input));

    return rc;
}


static int
dm_password_apr1_round(unsigned i, dm_str_t salt, dm_str_t password,
    unsigned char *hash)
{
    int                  rc;
    dm_str_t             first, last, made;
    dm_password_input_t  input;

    made = (dm_str_t) { hash, DM_PASSWORD_MD5 };
    first = i % 2 ? password : made;
    last = i % 2 ? made : password;

    input.len = 0;
    dm_password_add(&input, first.data, first.len);

    if (i % 3) {
        dm_password_add(&input, salt.data, salt.len);
    }

    if (i % 7) {
        dm_password_add(&input, password.data, password.len);
    }

    dm_password_add(&input, last.data, last.len);

    rc = dm_password_md5(&input, hash);

    OPENSSL_cleanse(&input, sizeof(input));

    return rc;
}


static void
dm_password_add(dm_password_input_t *input, const void *data, size_t len)
{
    memcpy(input->data + input->len, data, len);
    input->len += len;
}


/* the input is empty afterwards */
static int
dm_password_md5(dm_password_input_t *input, unsigned char *out)
{
    int  rc;

    rc = EVP_Digest(input->data, input->len, out, NULL, dm_digest_md(DM_MD5),
                    NULL);
    input->len = 0;

    return rc == 1 ? DM_OK : DM_ERROR;
}


/* six bits a character, the lowest first, of octets in crypt(3)'s own order */
static void
dm_password_base64(const unsigned char *hash, char *out)
{
    size_t    i, n;
    uint32_t  bits;

    static const char  digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz";

    static const unsigned char  order[][3] = {
        { 0, 6, 12 }, { 1, 7, 13 }, { 2, 8, 14 }, { 3, 9, 15 }, { 4, 10, 5 }
    };

    for (i = 0; i <= sizeof(order) / sizeof(order[0]); i++) {

        if (i < sizeof(order) / sizeof(order[0])) {
            bits = (uint32_t) hash[order[i][0]] << 16
                   | (uint32_t) hash[order[i][1]] << 8 | hash[order[i][2]];
            n = 4;

        } else {
            bits = hash[11];
            n = 2;
        }

        for ( /* void */ ; n > 0; n--) {
            *out++ = digits[bits & 0x3f];
            bits >>= 6;
        }
    }
}


static int
dm_password_match_crypt(dm_str_t hash, dm_str_t password)
{
    int                rc;
    char               setting[DM_CRYPT_MAX + 1];
    char               text[DM_PASSWORD_MAX + 1];
    const char        *made;
    struct crypt_data  data;

    memset(&data, 0, sizeof(struct crypt_data));

    memcpy(setting, hash.data, hash.len);
    setting[hash.len] = '\0';

    memcpy(text, password.data, password.len);
    text[password.len] = '\0';

    made = crypt_r(text, setting, &data);

    /* crypt_r() says "*0" of a hash that it does not know */

    if (made == NULL || made[0] == '*') {
        rc = DM_ERROR;

    } else {
        rc = (strlen(made) == hash.len
              && CRYPTO_memcmp(made, setting, hash.len) == 0)
             ? DM_OK : DM_DECLINED;
    }

    OPENSSL_cleanse(&data, sizeof(struct crypt_data));
    OPENSSL_cleanse(setting, sizeof(setting));
    OPENSSL_cleanse(text, sizeof(text));

    return rc;
}
