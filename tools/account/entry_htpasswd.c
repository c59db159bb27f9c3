/* A line of an htpasswd file as an entry, read as nginx reads it */
#include "dm_password.h"
#include "account/entry.h"


static int dm_htpasswd_secret(dm_entry_t *entry, dm_str_t hash,
    dm_err_t *err);


int
dm_entry_parse_htpasswd(dm_entry_t *entry, dm_str_t line,
    const dm_entry_file_t *file, dm_err_t *err)
{
    dm_str_t  user, hash;

    if (line.len == 0 || line.data[0] == '#') {
        return DM_DECLINED;
    }

    user = dm_entry_until_colon(line);

    if (user.len == line.len) {
        dm_err_set(err, "it is not USER:HASH: there is no colon");
        return DM_INVALID;
    }

    /* a second colon begins a comment */
    hash = dm_entry_until_colon((dm_str_t) { user.data + user.len + 1,
                                                line.len - user.len - 1 });

    if (dm_entry_set_user(entry, user, &file->map, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_htpasswd_secret(entry, hash, err);
}


static int
dm_htpasswd_secret(dm_entry_t *entry, dm_str_t hash, dm_err_t *err)
{
    dm_str_t  head, plain;

    plain = dm_str("{PLAIN}");
    head = (dm_str_t) { hash.data, plain.len };

    if (hash.len >= plain.len && dm_str_eq(head, plain)) {
        return dm_entry_set_password(entry,
                                     (dm_str_t) { hash.data + plain.len,
                                                  hash.len - plain.len },
                                     err);
    }

    if (dm_password_check(hash, err) != DM_OK) {
        return DM_INVALID;
    }

    entry->account.crypt = hash;
    entry->has |= DM_ENTRY_CRYPT;

    return DM_OK;
}
