/* A line of an htdigest file as an entry */
#include "dm_hex.h"
#include "account/entry.h"


static int dm_htdigest_split(dm_str_t rest, dm_str_t ours, dm_str_t *realm,
    dm_str_t *hash);


int
dm_entry_parse_htdigest(dm_entry_t *entry, dm_str_t line,
    const dm_entry_file_t *file, dm_err_t *err)
{
    size_t         len;
    dm_str_t       user, realm, hash;
    dm_account_t  *account;

    account = &entry->account;

    if (line.len == 0 || line.data[0] == '#') {
        return DM_DECLINED;
    }

    user = dm_entry_until_colon(line);

    if (user.len == line.len
        || dm_htdigest_split((dm_str_t) { user.data + user.len + 1,
                                          line.len - user.len - 1 },
                             file->realm, &realm, &hash)
           != DM_OK)
    {
        dm_err_set(err, "it is not USER:REALM:HASH: a colon is missing");
        return DM_INVALID;
    }

    if (file->one_realm && !dm_str_eq(realm, file->realm)) {
        return DM_DECLINED;
    }

    if (dm_hex_read(hash, account->ha1[DM_MD5], DM_HASH_MAX, &len) != DM_OK
        || len != dm_digest_size(DM_MD5))
    {
        dm_err_set(err, "the hash has something else than 32 hexadecimal "
                   "digits");
        return DM_INVALID;
    }

    if (!dm_str_eq(realm, file->realm)) {
        dm_err_set(err, "its realm is \"%.*s\", that of the store \"%.*s\", "
                   "and a hash is right only for its own; --realm passes such "
                   "lines over", dm_cli_arg(realm), dm_cli_arg(file->realm));
        return DM_INVALID;
    }

    account->has_ha1[DM_MD5] = 1;
    entry->has |= DM_ENTRY_MD5;

    return dm_entry_set_user(entry, user, &file->map, err);
}


/* a realm with colons is known only if it is the store's */
static int
dm_htdigest_split(dm_str_t rest, dm_str_t ours, dm_str_t *realm,
    dm_str_t *hash)
{
    *realm = (dm_str_t) { rest.data, ours.len };

    if (rest.len <= ours.len || rest.data[ours.len] != ':'
        || !dm_str_eq(*realm, ours))
    {
        *realm = dm_entry_until_colon(rest);
    }

    if (realm->len == rest.len) {
        return DM_INVALID;
    }

    hash->data = rest.data + realm->len + 1;
    hash->len = rest.len - realm->len - 1;

    return DM_OK;
}
