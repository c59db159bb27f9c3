/* A line of a file of PSKs as an entry: of stunnel or of GnuTLS */

#define _GNU_SOURCE     /* memrchr() */
#include "dm_hex.h"
#include "account/entry.h"


static int dm_psk_key(dm_entry_t *entry, dm_str_t hex, dm_err_t *err);


int
dm_entry_parse_psk(dm_entry_t *entry, dm_str_t line,
    const dm_entry_file_t *file, dm_err_t *err)
{
    dm_str_t              id, identity;
    const unsigned char  *colon;

    if (line.len == 0) {
        return DM_DECLINED;
    }

    /* an identity may have colons, as a DevID has, and hex has none */

    colon = memrchr(line.data, ':', line.len);

    if (colon == NULL) {
        dm_err_set(err, "it is not IDENTITY:KEY: there is no colon");
        return DM_INVALID;
    }

    identity = (dm_str_t) { line.data, (size_t) (colon - line.data) };

    if (identity.len > 0 && identity.data[0] == '#') {
        dm_err_set(err, "it begins with \"#\", behind which GnuTLS has the "
                   "identity in hex, and stunnel not: write the identity "
                   "itself, or give it to \"dm-account add\"");
        return DM_INVALID;
    }

    if (dm_account_check_psk_identity(identity, err) != DM_OK
        || dm_psk_key(entry, (dm_str_t) { colon + 1, line.len - identity.len
                                                     - 1 }, err)
           != DM_OK)
    {
        return DM_INVALID;
    }

    entry->account.npsks = 1;
    entry->account.psk[0].identity = identity;
    entry->has |= DM_ENTRY_ONE_PSK;

    if (dm_map_find(&file->map, identity, &id) == DM_OK) {
        return dm_entry_set_id(entry, id, err);
    }

    entry->by = DM_BY_PSK;

    return dm_entry_set_id(entry, identity, err);
}


static int
dm_psk_key(dm_entry_t *entry, dm_str_t hex, dm_err_t *err)
{
    dm_str_t  *key;

    key = &entry->account.psk[0].key;
    key->data = entry->psk[0];

    if (dm_hex_read(hex, entry->psk[0], DM_PSK_MAX, &key->len) != DM_OK
        || key->len < DM_PSK_MIN)
    {
        dm_err_set(err, "the key is not %d to %d octets in hex; one that "
                   "stunnel takes as text must be written in hex first",
                   DM_PSK_MIN, DM_PSK_MAX);
        return DM_INVALID;
    }

    return DM_OK;
}
