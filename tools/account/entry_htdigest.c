/* A line of an htdigest file as an entry, of Apache or of lighttpd */

#include <openssl/crypto.h>

#include "dm_hex.h"
#include "account/entry.h"


typedef struct {
    dm_str_t  user;
    dm_str_t  realm;
    dm_str_t  hash;
    dm_str_t  rest;                         /* behind the hash and a colon */
} dm_htdigest_t;


static int dm_htdigest_hash(dm_entry_t *entry, const dm_htdigest_t *part,
    dm_err_t *err);
static int dm_htdigest_algorithm(const dm_htdigest_t *part, size_t size,
    dm_algorithm_t *alg, dm_err_t *err);
static int dm_htdigest_split(dm_str_t line, dm_str_t ours,
    dm_htdigest_t *part);


int
dm_entry_parse_htdigest(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err)
{
    int            rc;
    dm_htdigest_t  part;

    rc = dm_entry_has_user(line, file, err);

    if (rc != DM_OK) {
        return rc;
    }

    if (dm_entry_is_whole(line, file, err) != DM_OK) {
        return DM_INVALID;
    }

    if (dm_htdigest_split(line, file->realm, &part) != DM_OK) {
        dm_err_set(err, "it is not USER:REALM:HASH: a colon is missing");
        return DM_INVALID;
    }

    if (file->one_realm && !dm_str_eq(part.realm, file->realm)) {
        return DM_DECLINED;
    }

    rc = dm_htdigest_hash(entry, &part, err);

    if (rc != DM_OK) {
        return rc;
    }

    if (!dm_str_eq(part.realm, file->realm)) {
        dm_err_set(err, "its realm is \"%.*s\", that of the store \"%.*s\", "
                   "and a hash is right only for its own; --realm passes such "
                   "lines over", dm_cli_arg(part.realm),
                   dm_cli_arg(file->realm));
        return DM_INVALID;
    }

    return dm_entry_set_user(entry, part.user, &file->map, err);
}


static int
dm_htdigest_hash(dm_entry_t *entry, const dm_htdigest_t *part, dm_err_t *err)
{
    int             rc;
    size_t          len;
    unsigned char   hash[DM_HASH_MAX];
    dm_algorithm_t  alg;

    if (dm_entry_check_ends(part->hash, "the hash", err) != DM_OK) {
        return DM_INVALID;
    }

    if (dm_hex_read(part->hash, hash, DM_HASH_MAX, &len) != DM_OK
        || (len != dm_digest_size(DM_MD5) && len != dm_digest_size(DM_SHA256)))
    {
        dm_err_set(err, "the hash has something else than 32 hexadecimal "
                   "digits, or 64 for SHA-256");
        return DM_INVALID;
    }

    rc = dm_htdigest_algorithm(part, len, &alg, err);

    if (rc == DM_OK) {
        memcpy(entry->account.ha1[alg], hash, len);
        entry->account.has_ha1[alg] = 1;
        entry->has |= DM_ENTRY_ONE_HA1;
    }

    OPENSSL_cleanse(hash, sizeof(hash));

    return rc;
}


/*
 * Finds the algorithm of a hash of that size.  lighttpd may have the userhash
 * of the same algorithm behind it, which alone tells its SHA-512-256 from
 * SHA-256.  To Apache all that is there is a comment.
 */
static int
dm_htdigest_algorithm(const dm_htdigest_t *part, size_t size,
    dm_algorithm_t *alg, dm_err_t *err)
{
    size_t         len;
    unsigned char  made[DM_HASH_MAX], userhash[DM_HASH_MAX];

    *alg = size == dm_digest_size(DM_MD5) ? DM_MD5 : DM_SHA256;

    if (dm_hex_read(part->rest, userhash, DM_HASH_MAX, &len) != DM_OK
        || len != size)
    {
        return DM_OK;
    }

    for (*alg = 0; *alg < DM_NALGORITHMS; (*alg)++) {

        if (dm_digest_size(*alg) != size) {
            continue;
        }

        if (dm_digest_userhash(*alg, part->user, part->realm, made) != DM_OK) {
            dm_err_set(err, "cannot make the userhash: the library failed");
            return DM_ERROR;
        }

        if (memcmp(made, userhash, size) == 0) {
            return DM_OK;
        }
    }

    dm_err_set(err, "the userhash behind the hash is not that of its user and "
               "realm: correct it, or leave it out");

    return DM_INVALID;
}


/* a realm with colons is known only if it is the store's */
static int
dm_htdigest_split(dm_str_t line, dm_str_t ours, dm_htdigest_t *part)
{
    dm_str_t  rest;

    part->user = dm_entry_until_colon(line);

    if (part->user.len == line.len) {
        return DM_INVALID;
    }

    rest.data = line.data + part->user.len + 1;
    rest.len = line.len - part->user.len - 1;
    part->realm = (dm_str_t) { rest.data, ours.len };

    if (rest.len <= ours.len || rest.data[ours.len] != ':'
        || !dm_str_eq(part->realm, ours))
    {
        part->realm = dm_entry_until_colon(rest);
    }

    if (part->realm.len == rest.len) {
        return DM_INVALID;
    }

    rest.data += part->realm.len + 1;
    rest.len -= part->realm.len + 1;
    part->hash = dm_entry_until_colon(rest);
    part->rest.data = rest.data + part->hash.len;
    part->rest.len = rest.len - part->hash.len;

    if (part->rest.len > 0) {
        part->rest.data++;
        part->rest.len--;
    }

    return DM_OK;
}
