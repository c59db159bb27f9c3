/* A line of a file of PSKs as an entry: of stunnel or of GnuTLS */

#define _GNU_SOURCE     /* memrchr() */

#include <openssl/crypto.h>

#include "dm_hex.h"
#include "account/entry.h"
#include "account/lines.h"


static int dm_psk_is_comment(dm_str_t line);
static int dm_psk_split(dm_str_t line, dm_str_t *identity, dm_str_t *key);
static int dm_psk_identity(dm_entry_t *entry, dm_str_t *identity,
    dm_err_t *err);
static int dm_psk_key(dm_entry_t *entry, dm_str_t hex, dm_err_t *err);
static size_t dm_psk_octets(dm_str_t hex, unsigned char *out);


int
dm_entry_parse_psk(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err)
{
    dm_str_t  id, identity, key;

    if (dm_lines_is_blank(line) || dm_psk_is_comment(line)) {
        return DM_DECLINED;
    }

    if (dm_psk_split(line, &identity, &key) != DM_OK) {
        dm_err_set(err, "it is not IDENTITY:KEY: there is no colon");
        return DM_INVALID;
    }

    if (dm_psk_identity(entry, &identity, err) != DM_OK
        || dm_psk_key(entry, key, err) != DM_OK)
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


/*
 * Returns 1 for a line that begins with "#" and has no key, which GnuTLS passes
 * over.  With one, GnuTLS reads it as an identity in hex.
 */
static int
dm_psk_is_comment(dm_str_t line)
{
    size_t                len;
    dm_str_t              hex;
    unsigned char         key[DM_PSK_MAX];
    const unsigned char  *colon;

    if (line.data[0] != '#') {
        return 0;
    }

    colon = memrchr(line.data, ':', line.len);

    if (colon == NULL) {
        return 1;
    }

    hex.data = colon + 1;
    hex.len = line.len - (size_t) (hex.data - line.data);

    if (dm_hex_read(hex, key, DM_PSK_MAX, &len) != DM_OK) {
        return 1;
    }

    OPENSSL_cleanse(key, sizeof(key));

    return 0;
}


/*
 * An identity may have colons, as a DevID has, so that the key is behind the
 * last one.  To stunnel it is behind the first one, and may have some between
 * its octets: it does if what is behind the last one is too short for a key.
 */
static int
dm_psk_split(dm_str_t line, dm_str_t *identity, dm_str_t *key)
{
    const unsigned char  *first, *last;

    first = memchr(line.data, ':', line.len);
    last = memrchr(line.data, ':', line.len);

    if (first == NULL) {
        return DM_INVALID;
    }

    key->data = last + 1;
    key->len = line.len - (size_t) (key->data - line.data);

    if (key->len < 2 * DM_PSK_MIN) {
        key->data = first + 1;
        key->len = line.len - (size_t) (key->data - line.data);

        if (dm_psk_octets(*key, NULL) > 0) {
            last = first;
        }
    }

    *identity = (dm_str_t) { line.data, (size_t) (last - line.data) };
    key->data = last + 1;
    key->len = line.len - identity->len - 1;

    return DM_OK;
}


/* in hex behind a "#", as GnuTLS's psktool writes one that has a colon */
static int
dm_psk_identity(dm_entry_t *entry, dm_str_t *identity, dm_err_t *err)
{
    size_t    len;
    dm_str_t  hex;

    if (identity->len > 0 && identity->data[0] == '#') {
        hex = (dm_str_t) { identity->data + 1, identity->len - 1 };

        if (dm_hex_read(hex, entry->identity, DM_PSK_IDENTITY_MAX, &len)
            != DM_OK
            || len == 0)
        {
            dm_err_set(err, "it begins with \"#\", behind which GnuTLS has an "
                       "identity in hex, and this is none");
            return DM_INVALID;
        }

        *identity = (dm_str_t) { entry->identity, len };
    }

    if (dm_account_check_psk_identity(*identity, err) != DM_OK
        || dm_entry_check_ends(*identity, "the identity", err) != DM_OK)
    {
        return DM_INVALID;
    }

    return DM_OK;
}


static int
dm_psk_key(dm_entry_t *entry, dm_str_t hex, dm_err_t *err)
{
    dm_str_t  *key;

    if (dm_entry_check_ends(hex, "the key", err) != DM_OK) {
        return DM_INVALID;
    }

    key = &entry->account.psk[0].key;
    key->data = entry->psk[0];

    key->len = dm_psk_octets(hex, entry->psk[0]);

    if (key->len < DM_PSK_MIN || key->len > DM_PSK_MAX) {
        dm_err_set(err, "the key is not %d to %d octets in hex; one that "
                   "stunnel takes as text must be written in hex first, and "
                   "one with colons stands behind an identity that has none",
                   DM_PSK_MIN, DM_PSK_MAX);
        return DM_INVALID;
    }

    return DM_OK;
}


/*
 * Reads octets in hex, with or without a colon between two, and no more than
 * out[DM_PSK_MAX] holds, which may be NULL.  Their number, 0: they are none.
 */
static size_t
dm_psk_octets(dm_str_t hex, unsigned char *out)
{
    int                   octet;
    size_t                n;
    const unsigned char  *p, *last;

    n = 0;
    last = hex.data + hex.len;

    for (p = hex.data; last - p >= 2; p += (*p == ':')) {
        octet = dm_hex_octet(p);

        if (octet == -1) {
            return 0;
        }

        if (out != NULL && n < DM_PSK_MAX) {
            out[n] = (unsigned char) octet;
        }

        n++;
        p += 2;

        if (p == last) {
            return n;
        }
    }

    return 0;
}
