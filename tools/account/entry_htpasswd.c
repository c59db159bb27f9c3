/* A line of an htpasswd file as an entry, read as nginx reads it */
#include "dm_password.h"
#include "account/entry.h"


static int dm_htpasswd_is_plain(dm_str_t hash);
static int dm_htpasswd_secret(dm_entry_t *entry, dm_str_t hash,
    dm_err_t *err);


static const dm_str_t  dm_htpasswd_plain = {
    (const unsigned char *) "{PLAIN}", 7
};


int
dm_entry_parse_htpasswd(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err)
{
    int       rc;
    dm_str_t  user, hash;

    rc = dm_entry_has_user(line, file, err);

    if (rc != DM_OK) {
        return rc;
    }

    user = dm_entry_until_colon(line);
    hash.data = user.data + user.len + 1;
    hash.len = (user.len < line.len) ? line.len - user.len - 1 : 0;

    /* a password may end as no hash does, and Apache knows none */

    if (!dm_htpasswd_is_plain(hash)
        && dm_entry_is_whole(line, file, err) != DM_OK)
    {
        return DM_INVALID;
    }

    if (user.len == line.len) {
        dm_err_set(err, "it is not USER:HASH: there is no colon");
        return DM_INVALID;
    }

    /* a second colon begins a comment */
    hash = dm_entry_until_colon(hash);

    if (dm_entry_set_user(entry, user, &file->map, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_htpasswd_secret(entry, hash, err);
}


static int
dm_htpasswd_is_plain(dm_str_t hash)
{
    dm_str_t  head;

    head = (dm_str_t) { hash.data, dm_htpasswd_plain.len };

    return hash.len >= head.len && dm_str_eq(head, dm_htpasswd_plain);
}


static int
dm_htpasswd_secret(dm_entry_t *entry, dm_str_t hash, dm_err_t *err)
{
    dm_str_t  password;

    if (dm_htpasswd_is_plain(hash)) {
        password.data = hash.data + dm_htpasswd_plain.len;
        password.len = hash.len - dm_htpasswd_plain.len;

        if (dm_entry_check_ends(password, "the password", err) != DM_OK) {
            return DM_INVALID;
        }

        return dm_entry_set_password(entry, password, err);
    }

    if (dm_entry_check_ends(hash, "the hash", err) != DM_OK
        || dm_password_check(hash, err) != DM_OK)
    {
        return DM_INVALID;
    }

    entry->account.crypt = hash;
    entry->has |= DM_ENTRY_CRYPT;

    return DM_OK;
}
