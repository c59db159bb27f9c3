/* The store key, and AES-256-GCM under it */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm_mac.h"
#include "dm_hex.h"
#include "dm_seal.h"


#define DM_SEAL_IV   12
#define DM_SEAL_TAG  16

/* octets of the length of a part that is bound, and of those that are gathered
   before they are hashed */
#define DM_SEAL_LENGTH  8
#define DM_SEAL_GATHER  512

/* two lines of an id, a space, 64 digits and CR LF or LF are less */
#define DM_KEY_FILE_MAX  256


/*
 * A context is set up with its key once, each value then sets only the IV:
 * the key schedule would cost more than opening a record does.
 */
struct dm_sealer_s {
    EVP_CIPHER      *cipher;
    unsigned         n;
    unsigned         used;                  /* its index seals */
    dm_str_t         id[DM_KEYS];           /* into id_text */
    unsigned char    id_text[DM_KEYS][DM_KEY_ID_MAX + 1];
    EVP_CIPHER_CTX  *seal[DM_KEYS];
    EVP_CIPHER_CTX  *open[DM_KEYS];
};


/* DM_OK: whom the file's owner and mode let in may be let in */
typedef int (*dm_keys_judge_t)(const struct stat *sb, const char *path,
    dm_err_t *err);


static int dm_keys_read_file(const char *path, dm_keys_judge_t judge,
    dm_keys_t *keys, dm_err_t *err);
static int dm_keys_load(const char *path, dm_keys_judge_t judge,
    unsigned char *text, size_t *len, dm_err_t *err);
static int dm_keys_load_fd(int fd, const char *path, dm_keys_judge_t judge,
    unsigned char *text, size_t *len, dm_err_t *err);
static int dm_keys_closed(const struct stat *sb, const char *path,
    dm_err_t *err);
static int dm_keys_fixed(const struct stat *sb, const char *path,
    dm_err_t *err);
static int dm_keys_parse(const unsigned char *p, const unsigned char *last,
    dm_keys_t *keys);
static const unsigned char *dm_key_parse(const unsigned char *p,
    const unsigned char *last, dm_key_t *key);
static int dm_key_id_char(unsigned char c);
static int dm_sealer_init(dm_sealer_t *sealer, const dm_keys_t *keys);
static unsigned dm_sealer_find(const dm_sealer_t *sealer, dm_str_t id);
static int dm_seal_bind(EVP_CIPHER_CTX *ctx, const dm_str_t *ad, size_t n);
static unsigned char *dm_seal_gather(unsigned char *p, dm_str_t part);
static int dm_seal_update(EVP_CIPHER_CTX *ctx, unsigned char *out,
    const unsigned char *in, size_t len);


int
dm_keys_read(const char *path, dm_keys_t *keys, dm_err_t *err)
{
    return dm_keys_read_file(path, dm_keys_closed, keys, err);
}


int
dm_keys_read_public(const char *path, dm_keys_t *keys, dm_err_t *err)
{
    return dm_keys_read_file(path, dm_keys_fixed, keys, err);
}


static int
dm_keys_read_file(const char *path, dm_keys_judge_t judge, dm_keys_t *keys,
    dm_err_t *err)
{
    int            rc;
    size_t         len, mark;
    unsigned char  text[DM_KEY_FILE_MAX];

    memset(keys, 0, sizeof(dm_keys_t));

    rc = dm_keys_load(path, judge, text, &len, err);
    mark = (rc == DM_OK) ? dm_text_mark(text, len) : 0;

    if (rc == DM_OK
        && dm_keys_parse(text + mark, text + dm_text_end(text, len), keys)
           != DM_OK)
    {
        dm_err_set(err, "key file \"%s\" must have one or two lines, each a "
                   "key id of its own (at most %d of A-Z a-z 0-9 . _ -), a "
                   "space and %d hexadecimal digits: line %u has not", path,
                   DM_KEY_ID_MAX, 2 * DM_KEY_SIZE, keys->n + 1);
        rc = DM_INVALID;
    }

    if (rc != DM_OK) {
        dm_keys_wipe(keys);
    }

    OPENSSL_cleanse(text, sizeof(text));

    return rc;
}


void
dm_keys_wipe(dm_keys_t *keys)
{
    OPENSSL_cleanse(keys, sizeof(dm_keys_t));
}


int
dm_keys_badge(const dm_keys_t *keys, uint64_t *badge)
{
    int             rc;
    dm_mac_t       *mac;
    dm_str_t        part[2];
    unsigned        i;
    uint64_t        one;
    unsigned char   out[DM_MAC_SIZE];

    *badge = 0;

    /* processes of older versions say "mark": theirs must be the same badge */

    part[0] = dm_str("dm-sec mark");

    for (i = 0; i < keys->n; i++) {
        part[1].data = (const unsigned char *) keys->key[i].id;
        part[1].len = strlen(keys->key[i].id);

        mac = dm_mac_new(keys->key[i].key);
        rc = mac == NULL ? DM_ERROR : dm_mac_parts(mac, part, 2, out);
        dm_mac_free(mac);

        if (rc != DM_OK) {
            return DM_ERROR;
        }

        memcpy(&one, out, sizeof(one));
        *badge ^= one;
    }

    return DM_OK;
}


static int
dm_keys_load(const char *path, dm_keys_judge_t judge, unsigned char *text,
    size_t *len, dm_err_t *err)
{
    int  fd, rc;

    /* do not block: a FIFO at that path must not hang whoever starts nginx */

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
    if (fd == -1) {
        dm_err_set(err, "key file \"%s\" cannot be opened: %s", path,
                   strerror(errno));
        return DM_INVALID;
    }

    rc = dm_keys_load_fd(fd, path, judge, text, len, err);

    close(fd);

    return rc;
}


static int
dm_keys_load_fd(int fd, const char *path, dm_keys_judge_t judge,
    unsigned char *text, size_t *len, dm_err_t *err)
{
    ssize_t      n;
    struct stat  sb;

    if (fstat(fd, &sb) == -1) {
        dm_err_set(err, "key file \"%s\" cannot be examined: %s", path,
                   strerror(errno));
        return DM_ERROR;
    }

    if (!S_ISREG(sb.st_mode)) {
        dm_err_set(err, "key file \"%s\" is not a regular file", path);
        return DM_INVALID;
    }

    if (judge(&sb, path, err) != DM_OK) {
        return DM_INVALID;
    }

    n = read(fd, text, DM_KEY_FILE_MAX);
    if (n == -1) {
        dm_err_set(err, "key file \"%s\" cannot be read: %s", path,
                   strerror(errno));
        return DM_ERROR;
    }

    *len = (size_t) n;

    return DM_OK;
}


/*
 * Root may let a group read its file, as a secret of a container is given to
 * who has no root there; whoever else has the file may let in nobody.
 */
static int
dm_keys_closed(const struct stat *sb, const char *path, dm_err_t *err)
{
    if (sb->st_uid != 0 && sb->st_mode & (S_IRWXG|S_IRWXO)) {
        dm_err_set(err, "key file \"%s\" is open to its group or to others: "
                   "chmod it to 600, and think of the key as known", path);
        return DM_INVALID;
    }

    if (sb->st_uid == 0 && sb->st_mode & (S_IWGRP|S_IXGRP|S_IRWXO)) {
        dm_err_set(err, "key file \"%s\" is open to others, or for its group "
                   "to do more than read it: chmod it to 600, or to 640 for a "
                   "group that needs it, and think of the key as known", path);
        return DM_INVALID;
    }

    return DM_OK;
}


/* of public keys: nobody else may change them */
static int
dm_keys_fixed(const struct stat *sb, const char *path, dm_err_t *err)
{
    if ((sb->st_uid != 0 && sb->st_uid != geteuid())
        || sb->st_mode & (S_IWGRP|S_IWOTH))
    {
        dm_err_set(err, "key file \"%s\" can be changed by others: give it to "
                   "root, chmod it to 644, and compare it with the "
                   "authority's", path);
        return DM_INVALID;
    }

    return DM_OK;
}


/* keys->n is the number of good lines before the bad one */
static int
dm_keys_parse(const unsigned char *p, const unsigned char *last,
    dm_keys_t *keys)
{
    do {
        if (keys->n == DM_KEYS) {
            return DM_INVALID;
        }

        p = dm_key_parse(p, last, &keys->key[keys->n]);

        if (p == NULL) {
            return DM_INVALID;
        }

        if (keys->n == 1 && strcmp(keys->key[0].id, keys->key[1].id) == 0) {
            return DM_INVALID;
        }

        keys->n++;

    } while (p < last);

    return DM_OK;
}


/* reads a line "ID HEX64"; the start of the next one, or NULL if it is none */
static const unsigned char *
dm_key_parse(const unsigned char *p, const unsigned char *last, dm_key_t *key)
{
    size_t    i;
    dm_str_t  hex;

    for (i = 0; i < DM_KEY_ID_MAX && p < last && dm_key_id_char(*p); i++) {
        key->id[i] = (char) *p++;
    }

    key->id[i] = '\0';

    if (i == 0 || p == last || *p++ != ' ') {
        return NULL;
    }

    if ((size_t) (last - p) < 2 * DM_KEY_SIZE) {
        return NULL;
    }

    hex = (dm_str_t) { p, 2 * DM_KEY_SIZE };
    p += hex.len;

    if (dm_hex_read(hex, key->key, DM_KEY_SIZE, &i) != DM_OK) {
        return NULL;
    }

    if (p < last && *p == '\r') {
        p++;
    }

    if (p < last && *p++ != '\n') {
        return NULL;
    }

    return p;
}


static int
dm_key_id_char(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}


dm_sealer_t *
dm_sealer_new(const dm_keys_t *keys, dm_err_t *err)
{
    dm_sealer_t  *sealer;

    sealer = calloc(1, sizeof(dm_sealer_t));

    if (sealer == NULL || dm_sealer_init(sealer, keys) != DM_OK) {
        dm_err_set(err, "AES-256-GCM cannot be set up: no key was given, "
                   "memory is short, or OpenSSL's default provider is not "
                   "loaded");
        dm_sealer_free(sealer);
        return NULL;
    }

    return sealer;
}


static int
dm_sealer_init(dm_sealer_t *sealer, const dm_keys_t *keys)
{
    unsigned  i;

    if (keys->n == 0 || keys->n > DM_KEYS) {
        return DM_ERROR;
    }

    sealer->n = keys->n;
    sealer->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);

    if (sealer->cipher == NULL) {
        return DM_ERROR;
    }

    for (i = 0; i < keys->n; i++) {
        sealer->id[i].data = sealer->id_text[i];
        sealer->id[i].len = strlen(keys->key[i].id);
        memcpy(sealer->id_text[i], keys->key[i].id, sealer->id[i].len);

        sealer->seal[i] = EVP_CIPHER_CTX_new();
        sealer->open[i] = EVP_CIPHER_CTX_new();

        if (sealer->seal[i] == NULL || sealer->open[i] == NULL
            || !EVP_EncryptInit_ex2(sealer->seal[i], sealer->cipher,
                                    keys->key[i].key, NULL, NULL)
            || !EVP_DecryptInit_ex2(sealer->open[i], sealer->cipher,
                                    keys->key[i].key, NULL, NULL))
        {
            return DM_ERROR;
        }
    }

    return DM_OK;
}


void
dm_sealer_free(dm_sealer_t *sealer)
{
    unsigned  i;

    if (sealer == NULL) {
        return;
    }

    for (i = 0; i < DM_KEYS; i++) {
        EVP_CIPHER_CTX_free(sealer->seal[i]);
        EVP_CIPHER_CTX_free(sealer->open[i]);
    }

    EVP_CIPHER_free(sealer->cipher);
    free(sealer);
}


int
dm_sealer_use(dm_sealer_t *sealer, dm_str_t id)
{
    unsigned  i;

    i = dm_sealer_find(sealer, id);

    if (i == sealer->n) {
        return DM_DECLINED;
    }

    sealer->used = i;

    return DM_OK;
}


int
dm_sealer_has(const dm_sealer_t *sealer, dm_str_t id)
{
    return dm_sealer_find(sealer, id) != sealer->n;
}


dm_str_t
dm_sealer_key(const dm_sealer_t *sealer)
{
    return sealer->id[sealer->used];
}


int
dm_sealed_key(dm_str_t sealed, dm_str_t *id)
{
    if (sealed.len < 1 || sealed.len < (size_t) sealed.data[0] + 1) {
        return DM_INVALID;
    }

    id->data = sealed.data + 1;
    id->len = sealed.data[0];

    return DM_OK;
}


int
dm_sealer_seal(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t plain, unsigned char *out, size_t *outlen)
{
    int              rest;
    dm_str_t         id;
    unsigned char   *iv, *p;
    EVP_CIPHER_CTX  *ctx;

    ctx = sealer->seal[sealer->used];
    id = dm_sealer_key(sealer);

    out[0] = (unsigned char) id.len;
    memcpy(out + 1, id.data, id.len);

    iv = out + 1 + id.len;
    p = iv + DM_SEAL_IV;

    /* a random IV may be used 2^32 times under one key: more than any store */

    if (RAND_bytes(iv, DM_SEAL_IV) != 1
        || !EVP_EncryptInit_ex2(ctx, NULL, NULL, iv, NULL)
        || dm_seal_bind(ctx, ad, n) != DM_OK
        || dm_seal_update(ctx, p, plain.data, plain.len) != DM_OK)
    {
        return DM_ERROR;
    }

    p += plain.len;

    if (!EVP_EncryptFinal_ex(ctx, p, &rest)
        || !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, DM_SEAL_TAG, p))
    {
        return DM_ERROR;
    }

    *outlen = (size_t) (p - out) + DM_SEAL_TAG;

    return DM_OK;
}


int
dm_sealer_open(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t sealed, unsigned char *out, size_t *outlen)
{
    int                   rest;
    size_t                head, len;
    dm_str_t              id;
    unsigned              i;
    unsigned char         tag[DM_SEAL_TAG], *p;
    EVP_CIPHER_CTX       *ctx;
    const unsigned char  *iv;

    if (dm_sealed_key(sealed, &id) != DM_OK) {
        return DM_INVALID;
    }

    head = 1 + id.len + DM_SEAL_IV;

    if (sealed.len < head + DM_SEAL_TAG) {
        return DM_INVALID;
    }

    i = dm_sealer_find(sealer, id);
    if (i == sealer->n) {
        return DM_INVALID;
    }

    ctx = sealer->open[i];
    iv = sealed.data + 1 + id.len;
    len = sealed.len - head - DM_SEAL_TAG;
    memcpy(tag, sealed.data + head + len, DM_SEAL_TAG);

    /*
     * OpenSSL decrypts onto the same octets or onto others, but not onto
     * some that overlap: to the same place first, then to the front.
     */

    p = out + head;

    if (!EVP_DecryptInit_ex2(ctx, NULL, NULL, iv, NULL)
        || dm_seal_bind(ctx, ad, n) != DM_OK
        || dm_seal_update(ctx, p, sealed.data + head, len) != DM_OK
        || !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, DM_SEAL_TAG, tag))
    {
        OPENSSL_cleanse(out, sealed.len);
        return DM_ERROR;
    }

    if (!EVP_DecryptFinal_ex(ctx, p + len, &rest)) {
        OPENSSL_cleanse(out, sealed.len);
        return DM_DECLINED;
    }

    memmove(out, p, len);
    OPENSSL_cleanse(out + len, sealed.len - len);
    *outlen = len;

    return DM_OK;
}


/* its index, or n */
static unsigned
dm_sealer_find(const dm_sealer_t *sealer, dm_str_t id)
{
    unsigned  i;

    for (i = 0; i < sealer->n; i++) {
        if (dm_str_eq(sealer->id[i], id)) {
            break;
        }
    }

    return i;
}


/*
 * Binds the parts, each with its length, so that no octet can move to the next.
 * They are gathered first: a call costs more than it takes to hash a part.
 */
static int
dm_seal_bind(EVP_CIPHER_CTX *ctx, const dm_str_t *ad, size_t n)
{
    size_t          i, k;
    unsigned char   buf[DM_SEAL_GATHER], *p, *last;

    p = buf;
    last = buf + sizeof(buf) - DM_SEAL_LENGTH;

    for (i = 0; i < n; i++) {

        for (k = 0; k < DM_SEAL_LENGTH; k++) {
            *p++ = (unsigned char) ((uint64_t) ad[i].len >> (8 * k));
        }

        if (p <= last && ad[i].len <= (size_t) (last - p)) {
            p = dm_seal_gather(p, ad[i]);
            continue;
        }

        if (dm_seal_update(ctx, NULL, buf, (size_t) (p - buf)) != DM_OK
            || dm_seal_update(ctx, NULL, ad[i].data, ad[i].len) != DM_OK)
        {
            return DM_ERROR;
        }

        p = buf;
    }

    return dm_seal_update(ctx, NULL, buf, (size_t) (p - buf));
}


static unsigned char *
dm_seal_gather(unsigned char *p, dm_str_t part)
{
    if (part.len > 0) {
        memcpy(p, part.data, part.len);
    }

    return p + part.len;
}


/* out NULL: associated data */
static int
dm_seal_update(EVP_CIPHER_CTX *ctx, unsigned char *out,
    const unsigned char *in, size_t len)
{
    int  n;

    if (len == 0) {
        return DM_OK;
    }

    if (len > INT_MAX || !EVP_CipherUpdate(ctx, out, &n, in, (int) len)) {
        return DM_ERROR;
    }

    return DM_OK;
}
