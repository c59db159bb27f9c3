/* Password hashes of crypt(3) and htpasswd: named, looked at, verified */

#include <crypt.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "dm_digest.h"
#include "dm_password.h"
#include "dm_password_other.h"


#define DM_PASSWORD_SHA1         20     /* octets */
#define DM_PASSWORD_MD5          16

/* below these a password is tried too quickly; the rounds are the default */
#define DM_PASSWORD_BCRYPT_LEAST  10
#define DM_PASSWORD_ROUNDS_LEAST  5000

/*
 * Above these one verification takes more than about a second or more than
 * 128 MB, and who sends any password to such an account keeps all others
 * waiting.  The defaults are far below: 5, 5000 rounds and 16 MB.
 */
#define DM_PASSWORD_BCRYPT_MOST  14
#define DM_PASSWORD_ROUNDS_MOST  1000000
#define DM_PASSWORD_SCRYPT_MOST  (128u << 20)       /* octets, as of $y$jCT$ */

/* crypt(3) makes no others */
#define DM_PASSWORD_ROUNDS       "rounds="
#define DM_PASSWORD_ROUNDS_MIN   1000
#define DM_PASSWORD_ROUNDS_MAX   999999999
#define DM_PASSWORD_BCRYPT_MIN   4
#define DM_PASSWORD_BCRYPT_MAX   31

#define DM_PASSWORD_APR1         "$apr1$"
#define DM_PASSWORD_APR1_SALT    8      /* characters at most */
#define DM_PASSWORD_APR1_TEXT    22     /* characters of the hash */
#define DM_PASSWORD_APR1_ROUNDS  1000

#define DM_PASSWORD_BCRYPT_SALT  22     /* characters */

/* twice a password, and the salt and the rest, which a hash has room for */
#define DM_PASSWORD_INPUT        (2 * DM_PASSWORD_MAX + DM_CRYPT_MAX)


typedef enum {
    DM_PASSWORD_NONE,       /* refused, but for what is decoded */
    DM_PASSWORD_SALT,       /* $1$salt$... */
    DM_PASSWORD_SHA,        /* $5$salt$... and $5$rounds=N$salt$... */
    DM_PASSWORD_BCRYPT,     /* $2b$NN$... */
    DM_PASSWORD_YESCRYPT
} dm_password_form_e;


typedef struct {
    const char          *prefix;
    const char          *name;
    dm_password_form_e   form;
    int                  weak;
    size_t               salt;      /* characters at most; 0: libcrypt's */
    size_t               tail;      /* characters behind the last "$" */
} dm_password_kind_t;


/* the octets that are hashed */
typedef struct {
    unsigned char  data[DM_PASSWORD_INPUT];
    size_t         len;
} dm_password_input_t;


static const dm_password_kind_t *dm_password_find(dm_str_t hash);
static int dm_password_is_whole(dm_str_t hash,
    const dm_password_kind_t *kind);
static int dm_password_is_padded(const unsigned char *tail,
    const dm_password_kind_t *kind);
static int dm_password_is_setting(dm_str_t setting,
    const dm_password_kind_t *kind);
static int dm_password_is_known(dm_str_t hash,
    const dm_password_kind_t *kind);
static int dm_password_is_number(dm_str_t text, uint64_t min, uint64_t max);
static int dm_password_rounds(dm_str_t setting, dm_str_t *rounds);
static uint64_t dm_password_cost(dm_str_t hash,
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
    { "$y$", "yescrypt", DM_PASSWORD_YESCRYPT, 0, 0, 43 },
    { "$2b$", "bcrypt", DM_PASSWORD_BCRYPT, 0, 0, 53 },
    { "$2y$", "bcrypt", DM_PASSWORD_BCRYPT, 0, 0, 53 },
    { "$2a$", "bcrypt", DM_PASSWORD_BCRYPT, 0, 0, 53 },
    { "$6$", "sha512crypt", DM_PASSWORD_SHA, 0, 16, 86 },
    { "$5$", "sha256crypt", DM_PASSWORD_SHA, 0, 16, 43 },
    { "$1$", "md5crypt", DM_PASSWORD_SALT, 1, 8, 22 },
    { DM_PASSWORD_APR1, "apr1", DM_PASSWORD_SALT, 1, DM_PASSWORD_APR1_SALT,
      DM_PASSWORD_APR1_TEXT },
    { "{SHA}", "SHA", DM_PASSWORD_NONE, 1, 0, 0 },
    { "{SSHA}", "SSHA", DM_PASSWORD_NONE, 1, 0, 0 },
    { "", "unknown", DM_PASSWORD_NONE, 1, 0, 0 }
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

    if (rc == DM_DECLINED && kind->form == DM_PASSWORD_NONE) {
        dm_err_set(err, "the password hash %s; those are kept that begin with "
                   "$y$, $2a$, $2b$, $2y$, $6$, $5$, $1$, $apr1$, {SHA} or "
                   "{SSHA}: for another set a password",
                   dm_password_other(hash));
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
                   "of %d for bcrypt, %d rounds for sha256crypt and "
                   "sha512crypt and %u MB for yescrypt; set a password "
                   "instead", kind->name,
                   DM_PASSWORD_BCRYPT_MOST, DM_PASSWORD_ROUNDS_MOST,
                   DM_PASSWORD_SCRYPT_MOST >> 20);
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_password_is_whole(dm_str_t hash, const dm_password_kind_t *kind)
{
    size_t    i, len, start;
    dm_str_t  setting;

    len = strlen(kind->prefix);

    if (hash.len > DM_CRYPT_MAX || hash.len <= len + kind->tail) {
        return 0;
    }

    start = hash.len - kind->tail;

    if (hash.data[start - 1] != '$') {
        return 0;
    }

    for (i = start; i < hash.len; i++) {
        if (dm_password_digit64(hash.data[i]) == 64) {
            return 0;
        }
    }

    setting = (dm_str_t) { hash.data + len, start - 1 - len };

    return dm_password_is_padded(hash.data + start, kind)
           && dm_password_is_setting(setting, kind)
           && dm_password_is_known(hash, kind);
}


/*
 * Returns 1 if the bits that stand for nothing are 0 in what is behind the last
 * "$".  Else no password has this hash, for crypt(3) makes none such.
 */
static int
dm_password_is_padded(const unsigned char *tail,
    const dm_password_kind_t *kind)
{
    unsigned       unused;
    unsigned char  last;

    last = tail[kind->tail - 1];

    /* of 16 octets of salt, and of 23 of the hash, in an alphabet of its own */

    if (kind->form == DM_PASSWORD_BCRYPT) {
        return strchr(".Oeu", tail[DM_PASSWORD_BCRYPT_SALT - 1]) != NULL
               && strchr(".CGKOSWaeimquy26", last) != NULL;
    }

    unused = (unsigned) (kind->tail * 6 % 8);

    return dm_password_digit64(last) < 1u << (6 - unused);
}


/* 1 if cost, rounds and salt before the last "$" are such as crypt(3) makes */
static int
dm_password_is_setting(dm_str_t setting, const dm_password_kind_t *kind)
{
    dm_str_t  rounds;

    if (kind->form == DM_PASSWORD_BCRYPT) {
        return setting.len == 2
               && dm_password_is_number(setting, DM_PASSWORD_BCRYPT_MIN,
                                        DM_PASSWORD_BCRYPT_MAX);
    }

    if (kind->form == DM_PASSWORD_SHA
        && dm_password_rounds(setting, &rounds) == DM_OK)
    {
        if (rounds.len == 0 || rounds.data[0] == '0'
            || !dm_password_is_number(rounds, DM_PASSWORD_ROUNDS_MIN,
                                      DM_PASSWORD_ROUNDS_MAX)
            || rounds.data + rounds.len == setting.data + setting.len)
        {
            return 0;
        }

        setting.len -= (size_t) (rounds.data - setting.data) + rounds.len + 1;
        setting.data = rounds.data + rounds.len + 1;
    }

    return kind->salt == 0
           || (setting.len <= kind->salt
               && memchr(setting.data, '$', setting.len) == NULL);
}


/* 1 if libcrypt knows it: it may have been built with fewer kinds */
static int
dm_password_is_known(dm_str_t hash, const dm_password_kind_t *kind)
{
    int   rc;
    char  setting[DM_CRYPT_MAX + 1];

    if (strcmp(kind->prefix, DM_PASSWORD_APR1) == 0) {
        return 1;
    }

    memcpy(setting, hash.data, hash.len);
    setting[hash.len] = '\0';

    rc = crypt_checksalt(setting);

    OPENSSL_cleanse(setting, sizeof(setting));

    return rc != CRYPT_SALT_INVALID && rc != CRYPT_SALT_METHOD_DISABLED;
}


static int
dm_password_is_number(dm_str_t text, uint64_t min, uint64_t max)
{
    size_t    i;
    uint64_t  n;

    i = 0;
    n = dm_password_number(text, &i);

    return i == text.len && n >= min && n <= max;
}


/* the text between "rounds=" and "$".  DM_OK or DM_DECLINED: there is none */
static int
dm_password_rounds(dm_str_t setting, dm_str_t *rounds)
{
    size_t                n;
    const unsigned char  *dollar;

    n = sizeof(DM_PASSWORD_ROUNDS) - 1;

    if (setting.len < n || memcmp(setting.data, DM_PASSWORD_ROUNDS, n) != 0) {
        return DM_DECLINED;
    }

    *rounds = (dm_str_t) { setting.data + n, setting.len - n };
    dollar = memchr(rounds->data, '$', rounds->len);

    if (dollar != NULL) {
        rounds->len = (size_t) (dollar - rounds->data);
    }

    return DM_OK;
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
    const dm_password_kind_t  *kind;

    kind = dm_password_find(hash);

    switch (kind->form) {

    /* htpasswd's own default is 5 */
    case DM_PASSWORD_BCRYPT:
        return dm_password_cost(hash, kind) < DM_PASSWORD_BCRYPT_LEAST;

    case DM_PASSWORD_SHA:
        return dm_password_cost(hash, kind) < DM_PASSWORD_ROUNDS_LEAST;

    default:
        return kind->weak;
    }
}


/* of bcrypt, or the rounds of sha256crypt and sha512crypt */
static uint64_t
dm_password_cost(dm_str_t hash, const dm_password_kind_t *kind)
{
    size_t    i;
    dm_str_t  rounds;

    i = strlen(kind->prefix);
    hash = (dm_str_t) { hash.data + i, hash.len - i };
    i = 0;

    if (kind->form == DM_PASSWORD_BCRYPT) {
        return dm_password_number(hash, &i);
    }

    return dm_password_rounds(hash, &rounds) == DM_OK
           ? dm_password_number(rounds, &i) : DM_PASSWORD_ROUNDS_LEAST;
}


int
dm_password_is_costly(dm_str_t hash)
{
    size_t                     i;
    unsigned                   n, r;
    const dm_password_kind_t  *kind;

    kind = dm_password_find(hash);
    i = strlen(kind->prefix);

    if (kind->form == DM_PASSWORD_BCRYPT) {
        return dm_password_cost(hash, kind) > DM_PASSWORD_BCRYPT_MOST;
    }

    if (kind->form == DM_PASSWORD_SHA) {
        return dm_password_cost(hash, kind) > DM_PASSWORD_ROUNDS_MOST;
    }

    if (kind->form != DM_PASSWORD_YESCRYPT) {
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
