/* A line of an import, applied to an account */

#include <openssl/crypto.h>

#include "dm_devid.h"
#include "dm_store_write.h"
#include "account/entry.h"
#include "account/same.h"
#include "common/input.h"


static int dm_entry_find(const dm_entry_t *entry, dm_store_t *store,
    int update, const dm_seen_t *seen, dm_found_t *found, int *added,
    dm_err_t *err);
static int dm_entry_same(dm_store_t *store, const dm_account_t *account,
    int *same, dm_err_t *err);
static dm_str_t dm_entry_part(const dm_entry_t *entry);
static int dm_entry_is_new(const dm_entry_t *entry, dm_str_t id,
    const dm_seen_t *seen, dm_err_t *err);
static int dm_entry_find_first(const dm_entry_t *entry, dm_store_t *store,
    dm_found_t *found, dm_err_t *err);
static int dm_entry_apply_name(const dm_entry_t *entry,
    dm_account_t *account, const dm_seen_t *seen, int added, dm_err_t *err);
static int dm_entry_may_rename(const dm_entry_t *entry,
    const dm_account_t *account, const dm_seen_t *seen, dm_err_t *err);
static int dm_entry_default_name(dm_account_t *account, dm_err_t *err);
static int dm_entry_keeps_ha1(const dm_entry_t *entry,
    const dm_account_t *account);
static void dm_entry_apply_fields(const dm_entry_t *entry,
    dm_account_t *account);
static void dm_entry_apply_ha1(const dm_account_t *from,
    dm_account_t *account, const dm_seen_t *seen);
static void dm_entry_drop_ha1(dm_account_t *account, const dm_seen_t *seen);
static int dm_entry_apply_password(const dm_entry_t *entry,
    dm_account_t *account, dm_str_t realm, dm_err_t *err);


int
dm_entry_set_id(dm_entry_t *entry, dm_str_t id, dm_err_t *err)
{
    if (dm_account_check_id(id, err) != DM_OK) {
        return DM_INVALID;
    }

    if (dm_devid_canonical(id, entry->id) != DM_OK) {
        dm_err_set(err, "the id has a control character");
        return DM_INVALID;
    }

    entry->account.id = (dm_str_t) { entry->id, id.len };
    entry->has |= DM_ENTRY_ID;

    return DM_OK;
}


int
dm_entry_set_user(dm_entry_t *entry, dm_str_t user, dm_map_t *map,
    dm_err_t *err)
{
    dm_str_t  id;

    if (dm_account_check_name(user, err) != DM_OK) {
        return DM_INVALID;
    }

    entry->account.name = user;
    entry->has |= DM_ENTRY_NAME;

    if (dm_map_find(map, user, &id) == DM_OK) {
        return dm_entry_set_id(entry, id, err);
    }

    entry->by = DM_BY_NAME;

    return dm_entry_set_id(entry, user, err);
}


int
dm_entry_set_password(dm_entry_t *entry, dm_str_t password, dm_err_t *err)
{
    if (dm_text_check(password, DM_PASSWORD_MAX, "the password", err)
        != DM_OK)
    {
        return DM_INVALID;
    }

    memcpy(entry->password.data, password.data, password.len);
    entry->password.data[password.len] = '\0';
    entry->password.len = password.len;
    entry->has |= DM_ENTRY_PASSWORD;

    return DM_OK;
}


dm_str_t
dm_entry_until_colon(dm_str_t str)
{
    const unsigned char  *colon;

    colon = memchr(str.data, ':', str.len);

    if (colon != NULL) {
        str.len = (size_t) (colon - str.data);
    }

    return str;
}


int
dm_entry_has_user(dm_str_t line, dm_entry_file_t *file, dm_err_t *err)
{
    size_t  i;

    for (i = 0; i < line.len; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t') {
            break;
        }
    }

    if (i == line.len) {
        return DM_DECLINED;
    }

    /* Apache does not count the blanks before it, and no name begins so */

    if (line.data[i] != '#') {
        return DM_OK;
    }

    return dm_entry_is_whole(line, file, err) == DM_OK ? DM_DECLINED
                                                       : DM_INVALID;
}


int
dm_entry_is_whole(dm_str_t line, dm_entry_file_t *file, dm_err_t *err)
{
    if (line.data[line.len - 1] == '\\') {
        dm_err_set(err, "it ends with \"\\\", for which Apache takes the next "
                   "line as a part of it, and nginx does not: take the \"\\\" "
                   "out");
        file->ended = 1;
        return DM_INVALID;
    }

    return DM_OK;
}


int
dm_entry_check_ends(dm_str_t str, const char *what, dm_err_t *err)
{
    if (dm_input_blank_ends(str)) {

        if (dm_text_check_shown(str, what, err) != DM_OK) {
            return DM_INVALID;
        }

        dm_err_set(err, "%s begins or ends with a blank, which some readers "
                   "of such a file count as a part of it, and others do not: "
                   "take it out", what);
        return DM_INVALID;
    }

    return DM_OK;
}


void
dm_entry_wipe(dm_entry_t *entry)
{
    json_decref(entry->json);

    OPENSSL_cleanse(&entry->account, sizeof(dm_account_t));
    OPENSSL_cleanse(&entry->password, sizeof(dm_secret_t));
    OPENSSL_cleanse(entry->psk, sizeof(entry->psk));

    entry->json = NULL;
    entry->has = 0;
    entry->by = DM_BY_ID;
}


int
dm_entry_apply(const dm_entry_t *entry, dm_store_t *store, int update,
    const dm_seen_t *seen, dm_found_t *found, int *added, dm_err_t *err)
{
    int            rc;
    dm_account_t  *account;

    rc = dm_entry_find(entry, store, update, seen, found, added, err);

    if (rc != DM_OK) {
        return rc;
    }

    account = &found->account;

    rc = dm_entry_is_new(entry, account->id, seen, err);

    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_entry_apply_name(entry, account, seen, *added, err);

    if (rc != DM_OK) {
        return rc;
    }

    dm_entry_apply_fields(entry, account);

    if (entry->has & DM_ENTRY_ONE_HA1) {
        dm_entry_apply_ha1(&entry->account, account, seen);
    }

    if ((entry->has & DM_ENTRY_ONE_PSK)
        && dm_secret_set_psk(account, entry->account.psk[0].identity,
                             entry->account.psk[0].key, err)
           != DM_OK)
    {
        return DM_INVALID;
    }

    if (dm_seen_line(seen, account->id, dm_str("")) != 0) {
        *added = -1;
    }

    return dm_entry_apply_password(entry, account,
                                   dm_store_meta(store)->realm, err);
}


int
dm_entry_put(const dm_entry_t *entry, dm_store_t *store,
    const dm_account_t *account, uint64_t line, dm_seen_t *seen, int *same,
    dm_err_t *err)
{
    int       rc;
    dm_str_t  part;

    rc = dm_entry_same(store, account, same, err);

    if (rc == DM_DECLINED) {
        rc = dm_store_put(store, account, err);
    }

    if (rc == DM_EXISTS) {
        dm_seen_tell(seen, store, account, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    part = dm_entry_part(entry);
    rc = dm_seen_add(seen, account->id, part, line, err);

    if (rc == DM_OK && part.len > 0) {
        rc = dm_seen_add(seen, account->id, dm_str(""), line, err);
    }

    return rc;
}


/* DM_OK: it is there as it is; DM_DECLINED: it is to be written; DM_ERROR */
static int
dm_entry_same(dm_store_t *store, const dm_account_t *account, int *same,
    dm_err_t *err)
{
    int         rc;
    dm_found_t  found;

    if (same == NULL) {
        return DM_DECLINED;
    }

    rc = dm_store_lookup(store, DM_BY_ID, account->id, found.record,
                         &found.len, &found.account, err);

    *same = (rc == DM_OK && dm_same_change(store, &found.account, account));

    dm_account_wipe(&found.account);
    OPENSSL_cleanse(found.record, found.len);

    if (rc != DM_OK) {
        return rc;
    }

    return *same ? DM_OK : DM_DECLINED;
}


/* the part that it sets, if other lines of a file may set others, or "" */
static dm_str_t
dm_entry_part(const dm_entry_t *entry)
{
    dm_algorithm_t  alg;

    if (entry->has & DM_ENTRY_ONE_PSK) {
        return entry->account.psk[0].identity;
    }

    if (entry->has & DM_ENTRY_ONE_HA1) {
        for (alg = 0; alg < DM_NALGORITHMS; alg++) {
            if (entry->account.has_ha1[alg]) {
                return dm_cli_str(dm_digest_name(alg));
            }
        }
    }

    return dm_str("");
}


static int
dm_entry_is_new(const dm_entry_t *entry, dm_str_t id, const dm_seen_t *seen,
    dm_err_t *err)
{
    dm_str_t  part;
    uint64_t  line;

    part = dm_entry_part(entry);
    line = dm_seen_line(seen, id, part);

    if (line == 0) {
        return DM_OK;
    }

    dm_err_set(err, "it is of %s%.*s%saccount \"%.*s\", as line %llu is: keep "
               "one of the two", part.len > 0 ? "\"" : "", dm_cli_arg(part),
               part.len > 0 ? "\" of " : "", dm_cli_arg(id),
               (unsigned long long) line);

    return DM_INVALID;
}


static int
dm_entry_find(const dm_entry_t *entry, dm_store_t *store, int update,
    const dm_seen_t *seen, dm_found_t *found, int *added, dm_err_t *err)
{
    int       rc;
    dm_str_t  id;

    id = entry->account.id;
    *added = 0;
    found->len = 0;

    if (update && entry->by != DM_BY_ID) {
        rc = dm_entry_find_first(entry, store, found, err);

        if (rc != DM_DECLINED) {
            return rc;
        }
    }

    rc = dm_store_has(store, id, err);

    if (rc == DM_DECLINED) {
        *added = 1;
        found->len = 0;
        memset(&found->account, 0, sizeof(dm_account_t));
        found->account.id = id;
        return DM_OK;
    }

    if (rc == DM_OK && !update && dm_seen_line(seen, id, dm_str("")) == 0) {
        dm_err_set(err, "there is an account \"%.*s\" already: to change it, "
                   "import with --update", dm_cli_arg(id));
        return DM_EXISTS;
    }

    if (rc != DM_OK) {
        return DM_ERROR;
    }

    return dm_store_lookup(store, DM_BY_ID, id, found->record, &found->len,
                           &found->account, err);
}


/* DM_OK, DM_DECLINED: nobody has it, or DM_ERROR */
static int
dm_entry_find_first(const dm_entry_t *entry, dm_store_t *store,
    dm_found_t *found, dm_err_t *err)
{
    dm_str_t  key;

    key = entry->by == DM_BY_PSK ? entry->account.psk[0].identity
                                 : entry->account.name;

    return dm_store_lookup(store, entry->by, key, found->record, &found->len,
                           &found->account, err);
}


static int
dm_entry_apply_name(const dm_entry_t *entry, dm_account_t *account,
    const dm_seen_t *seen, int added, dm_err_t *err)
{
    dm_str_t  name;

    if (!(entry->has & DM_ENTRY_NAME)) {
        return added ? dm_entry_default_name(account, err) : DM_OK;
    }

    name = entry->account.name;

    if (dm_str_eq(name, account->name)) {
        return DM_OK;
    }

    if (!added && dm_entry_may_rename(entry, account, seen, err) != DM_OK) {
        return DM_INVALID;
    }

    if (dm_entry_keeps_ha1(entry, account)) {
        dm_err_set(err, "the password of \"%.*s\" is kept as hashes that hold "
                   "its name \"%.*s\": to rename it, give a password too",
                   dm_cli_arg(account->id), dm_cli_arg(account->name));
        return DM_INVALID;
    }

    /* the other hashes hold the old name */

    memset(account->has_ha1, 0, sizeof(account->has_ha1));
    account->name = name;

    return DM_OK;
}


/*
 * Looks whether the line says both which account it is and the name, and no
 * line before it is of this account.  DM_OK or DM_INVALID.
 */
static int
dm_entry_may_rename(const dm_entry_t *entry, const dm_account_t *account,
    const dm_seen_t *seen, dm_err_t *err)
{
    uint64_t  line;

    line = dm_seen_line(seen, account->id, dm_str(""));

    if (line != 0) {
        dm_err_set(err, "account \"%.*s\" has the name \"%.*s\", from line "
                   "%llu: keep one of the two", dm_cli_arg(account->id),
                   dm_cli_arg(account->name), (unsigned long long) line);
        return DM_INVALID;
    }

    if (entry->by == DM_BY_NAME) {
        dm_err_set(err, "there is an account \"%.*s\" with the name \"%.*s\": "
                   "where \"%.*s\" is its new name, say so with --id-map",
                   dm_cli_arg(account->id), dm_cli_arg(account->name),
                   dm_cli_arg(entry->account.name));
        return DM_INVALID;
    }

    return DM_OK;
}


/* takes the name from the id; dm_store_put() will see whether it is free */
static int
dm_entry_default_name(dm_account_t *account, dm_err_t *err)
{
    size_t    scheme;
    dm_str_t  name;

    scheme = dm_devid_scheme(account->id);
    name.data = account->id.data + scheme;
    name.len = account->id.len - scheme;

    if (memchr(name.data, ':', name.len) != NULL) {
        dm_err_set(err, "a user name has no colon, so \"%.*s\" cannot be its "
                   "own: give it a \"name\"", dm_cli_arg(name));
        return DM_INVALID;
    }

    account->name = name;

    return DM_OK;
}


static int
dm_entry_keeps_ha1(const dm_entry_t *entry, const dm_account_t *account)
{
    return dm_account_has_ha1(account)
           && !(entry->has & (DM_ENTRY_PASSWORD|DM_ENTRY_DIGEST
                              |DM_ENTRY_ONE_HA1))
           && entry->account.crypt.len == 0;
}


static void
dm_entry_apply_fields(const dm_entry_t *entry, dm_account_t *account)
{
    const dm_account_t  *from;

    from = &entry->account;

    if (entry->has & DM_ENTRY_STATE) {
        account->state = from->state;
    }

    if (entry->has & DM_ENTRY_NOT_BEFORE) {
        account->not_before = from->not_before;
    }

    if (entry->has & DM_ENTRY_NOT_AFTER) {
        account->not_after = from->not_after;
    }

    if (entry->has & DM_ENTRY_GROUPS) {
        account->ngroups = from->ngroups;
        memcpy(account->group, from->group, sizeof(account->group));
    }

    if (entry->has & DM_ENTRY_PSK) {
        account->npsks = from->npsks;
        memcpy(account->psk, from->psk, sizeof(account->psk));
    }

    if (entry->has & DM_ENTRY_CERT_KEYS) {
        account->ncert_keys = from->ncert_keys;
        memcpy(account->cert_key, from->cert_key, sizeof(account->cert_key));
    }

    /* either replaces the other */

    if ((entry->has & DM_ENTRY_DIGEST) || from->crypt.len > 0) {
        memcpy(account->has_ha1, from->has_ha1, sizeof(account->has_ha1));
        memcpy(account->ha1, from->ha1, sizeof(account->ha1));
    }

    if ((entry->has & DM_ENTRY_CRYPT) || dm_account_has_ha1(from)) {
        account->crypt = from->crypt;
    }
}


/*
 * Sets the one HA1 that there is.  Only one that the account has already says
 * that the password is the same; with any other the hashes that are there may
 * be of an old one, and go.
 */
static void
dm_entry_apply_ha1(const dm_account_t *from, dm_account_t *account,
    const dm_seen_t *seen)
{
    size_t          size;
    dm_algorithm_t  alg;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {

        if (!from->has_ha1[alg]) {
            continue;
        }

        size = dm_digest_size(alg);

        if (account->has_ha1[alg]
            && CRYPTO_memcmp(account->ha1[alg], from->ha1[alg], size) == 0)
        {
            continue;
        }

        dm_entry_drop_ha1(account, seen);

        account->has_ha1[alg] = 1;
        memcpy(account->ha1[alg], from->ha1[alg], size);
    }
}


/* drops the HA1s but for those that lines of the same file have set */
static void
dm_entry_drop_ha1(dm_account_t *account, const dm_seen_t *seen)
{
    dm_str_t        part;
    dm_algorithm_t  alg;

    for (alg = 0; alg < DM_NALGORITHMS; alg++) {
        part = dm_cli_str(dm_digest_name(alg));

        if (dm_seen_line(seen, account->id, part) == 0) {
            account->has_ha1[alg] = 0;
        }
    }
}


static int
dm_entry_apply_password(const dm_entry_t *entry, dm_account_t *account,
    dm_str_t realm, dm_err_t *err)
{
    if (!(entry->has & DM_ENTRY_PASSWORD)) {
        return DM_OK;
    }

    return dm_secret_set_ha1(account, realm, &entry->password, err);
}
