/* dm-account add, set: does to an account what was asked */

#include "dm_devid.h"
#include "account/apply.h"
#include "account/named.h"
#include "common/input.h"


static int dm_apply_start(dm_cli_t *cli, dm_edit_t *edit, dm_found_t *found);
static int dm_apply_name(dm_cli_t *cli, dm_edit_t *edit,
    dm_account_t *account);
static int dm_apply_default_name(dm_cli_t *cli, dm_account_t *account);
static void dm_apply_fields(const dm_edit_t *edit, dm_account_t *account);
static int dm_apply_groups(dm_cli_t *cli, const dm_edit_t *edit,
    dm_account_t *account);
static int dm_apply_password(dm_cli_t *cli, dm_edit_t *edit,
    dm_account_t *account);
static int dm_apply_psks(dm_cli_t *cli, dm_edit_t *edit,
    dm_account_t *account);
static int dm_apply_certs(dm_cli_t *cli, dm_edit_t *edit,
    dm_account_t *account);
static unsigned dm_apply_find(const dm_str_t *list, unsigned n,
    dm_str_t wanted);


int
dm_apply_edit(dm_cli_t *cli, dm_edit_t *edit, dm_found_t *found)
{
    int            rc;
    dm_account_t  *account;

    rc = dm_apply_start(cli, edit, found);

    if (rc != DM_CLI_DONE || edit->present) {
        return rc;
    }

    account = &found->account;

    rc = dm_apply_name(cli, edit, account);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    dm_apply_fields(edit, account);

    rc = dm_apply_groups(cli, edit, account);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_apply_password(cli, edit, account);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_apply_psks(cli, edit, account);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_apply_certs(cli, edit, account);
}


static int
dm_apply_start(dm_cli_t *cli, dm_edit_t *edit, dm_found_t *found)
{
    int  rc;

    if (!edit->add) {
        rc = dm_named_find(cli, found);
        edit->before = found->account;

        return rc;
    }

    rc = dm_cli_lookup(cli, DM_BY_ID, cli->id, found);

    if (rc == DM_ERROR) {
        return DM_CLI_REFUSED;
    }

    if (rc == DM_OK && edit->if_absent) {
        edit->present = 1;
        return DM_CLI_DONE;
    }

    if (rc == DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_EXISTS, "there is an account "
                             "\"%.*s\" already: change it with \"dm-account "
                             "set\"", dm_cli_arg(cli->id));
    }

    memset(found, 0, sizeof(dm_found_t));
    found->account.id = cli->id;

    return DM_CLI_DONE;
}


static int
dm_apply_name(dm_cli_t *cli, dm_edit_t *edit, dm_account_t *account)
{
    dm_str_t  name;

    if (edit->name == NULL) {
        return edit->add ? dm_apply_default_name(cli, account) : DM_CLI_DONE;
    }

    name = dm_cli_str(edit->name);

    if (!edit->add && dm_str_eq(name, account->name)) {
        return DM_CLI_DONE;
    }

    if (edit->password.len == 0 && dm_account_has_ha1(account)) {
        return dm_cli_refuse(cli, DM_CODE_PASSWORD_NEEDED, "the password of "
                             "\"%.*s\" is kept as hashes that hold its name "
                             "\"%.*s\": to rename it, give a password too, "
                             "with --password-file or --generate-password",
                             dm_cli_arg(cli->id), dm_cli_arg(account->name));
    }

    account->name = name;

    return DM_CLI_DONE;
}


static int
dm_apply_default_name(dm_cli_t *cli, dm_account_t *account)
{
    int         rc;
    size_t      scheme;
    dm_str_t    name;
    dm_found_t  other;

    scheme = dm_devid_scheme(account->id);
    name.data = account->id.data + scheme;
    name.len = account->id.len - scheme;

    if (memchr(name.data, ':', name.len) != NULL) {
        return dm_cli_refuse(cli, DM_CODE_INVALID, "a user name has no colon, "
                             "so \"%.*s\" cannot be its own: give one with "
                             "--name", dm_cli_arg(name));
    }

    rc = dm_cli_lookup(cli, DM_BY_NAME, name, &other);

    if (rc == DM_OK) {
        (void) dm_cli_refuse(cli, DM_CODE_TAKEN, "the name \"%.*s\", which "
                             "\"%.*s\" would get, is that of account "
                             "\"%.*s\": give another with --name",
                             dm_cli_arg(name), dm_cli_arg(account->id),
                             dm_cli_arg(other.account.id));
    }

    dm_cli_wipe(&other);

    if (rc != DM_DECLINED) {
        return DM_CLI_REFUSED;
    }

    account->name = name;

    return DM_CLI_DONE;
}


static void
dm_apply_fields(const dm_edit_t *edit, dm_account_t *account)
{
    unsigned  i;

    if (edit->not_before) {
        account->not_before = edit->starts;
    }

    if (edit->not_after) {
        account->not_after = edit->ends;
    }

    if (edit->disabled) {
        account->state = DM_DISABLED;
    }

    if (edit->group.n == 0) {
        return;
    }

    account->ngroups = 0;

    for (i = 0; i < edit->group.n && edit->group.value[i][0] != '\0'; i++) {
        account->group[account->ngroups++] = dm_cli_str(edit->group.value[i]);
    }
}


/* a group that it has, or has not, may be added, or dropped, all the same */
static int
dm_apply_groups(dm_cli_t *cli, const dm_edit_t *edit, dm_account_t *account)
{
    unsigned  i, n;
    dm_str_t  group;

    for (n = 0; n < edit->drop_group.n; n++) {
        group = dm_cli_str(edit->drop_group.value[n]);
        i = dm_apply_find(account->group, account->ngroups, group);

        if (i < account->ngroups) {
            account->ngroups--;
            memmove(account->group + i, account->group + i + 1,
                    (account->ngroups - i) * sizeof(dm_str_t));
        }
    }

    for (n = 0; n < edit->add_group.n; n++) {
        group = dm_cli_str(edit->add_group.value[n]);
        i = dm_apply_find(account->group, account->ngroups, group);

        if (i == DM_GROUPS) {
            return dm_cli_refuse(cli, DM_CODE_LIMIT, "\"%.*s\" would be in "
                                 "more than %d groups: drop some with "
                                 "--drop-group", dm_cli_arg(account->id),
                                 DM_GROUPS);
        }

        if (i == account->ngroups) {
            account->group[account->ngroups++] = group;
        }
    }

    return DM_CLI_DONE;
}


static int
dm_apply_password(dm_cli_t *cli, dm_edit_t *edit, dm_account_t *account)
{
    if (edit->password.len == 0) {
        return DM_CLI_DONE;
    }

    if (edit->slow_hash) {
        memset(account->has_ha1, 0, sizeof(account->has_ha1));
        account->crypt = dm_cli_str(edit->crypt);
        return DM_CLI_DONE;
    }

    if (dm_secret_set_ha1(account, dm_store_meta(cli->store)->realm,
                          &edit->password, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


static int
dm_apply_psks(dm_cli_t *cli, dm_edit_t *edit, dm_account_t *account)
{
    unsigned  i, n;
    dm_str_t  identity;

    for (n = 0; n < edit->drop_psk.n; n++) {
        identity = dm_cli_str(edit->drop_psk.value[n]);
        i = dm_secret_find_psk(account, identity);

        if (i == account->npsks) {
            return dm_cli_refuse(cli, DM_CODE_NOT_HELD, "\"%.*s\" has no PSK "
                                 "identity \"%.*s\" to drop",
                                 dm_cli_arg(account->id),
                                 dm_cli_arg(identity));
        }

        account->psk[i] = account->psk[--account->npsks];
    }

    if (edit->psk_identity == NULL) {
        return DM_CLI_DONE;
    }

    if (dm_secret_set_psk(account, dm_cli_str(edit->psk_identity),
                          (dm_str_t) { edit->psk.data, edit->psk.len },
                          &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_LIMIT, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


static int
dm_apply_certs(dm_cli_t *cli, dm_edit_t *edit, dm_account_t *account)
{
    unsigned       i, n;
    dm_str_t       key;
    dm_edit_key_t  drop;

    for (n = 0; n < edit->drop_cert_key.n; n++) {

        /* one that could not be bound any more can still be dropped */

        key = dm_cli_str(edit->drop_cert_key.value[n]);
        i = dm_apply_find(account->cert_key, account->ncert_keys, key);

        if (i < account->ncert_keys) {
            account->cert_key[i] = account->cert_key[--account->ncert_keys];
            continue;
        }

        if (dm_input_cert_key(edit->drop_cert_key.value[n], drop.data,
                              &drop.len, &cli->err)
            != DM_OK)
        {
            return dm_cli_refuse(cli, DM_CODE_INVALID, "%s", cli->err.text);
        }

        key = (dm_str_t) { drop.data, drop.len };
        i = dm_apply_find(account->cert_key, account->ncert_keys, key);

        if (i == account->ncert_keys) {
            return dm_cli_refuse(cli, DM_CODE_NOT_HELD, "\"%.*s\" has no "
                                 "certificate key \"%.*s\" to drop",
                                 dm_cli_arg(account->id), dm_cli_arg(key));
        }

        account->cert_key[i] = account->cert_key[--account->ncert_keys];
    }

    for (n = 0; n < edit->nkeys; n++) {
        key = (dm_str_t) { edit->key[n].data, edit->key[n].len };
        i = dm_apply_find(account->cert_key, account->ncert_keys, key);

        if (i == DM_CERT_KEYS) {
            return dm_cli_refuse(cli, DM_CODE_LIMIT, "\"%.*s\" would hold "
                                 "more than %d certificate bindings: drop "
                                 "some with --drop-cert-key",
                                 dm_cli_arg(account->id), DM_CERT_KEYS);
        }

        if (i == account->ncert_keys) {
            account->cert_key[account->ncert_keys++] = key;
        }
    }

    return DM_CLI_DONE;
}


/* its index, or n */
static unsigned
dm_apply_find(const dm_str_t *list, unsigned n, dm_str_t wanted)
{
    unsigned  i;

    for (i = 0; i < n; i++) {
        if (dm_str_eq(list[i], wanted)) {
            break;
        }
    }

    return i;
}


int
dm_cli_password(const dm_cli_t *cli, const char *path, dm_secret_t *secret,
    dm_err_t *err)
{
    if (cli->line != NULL && cli->line->password != NULL) {
        return dm_secret_take_password(cli->line->password, secret, err);
    }

    return dm_secret_read_password(path, secret, err);
}


int
dm_cli_psk(const dm_cli_t *cli, const char *path, dm_secret_t *secret,
    dm_err_t *err)
{
    if (cli->line != NULL && cli->line->psk != NULL) {
        return dm_secret_take_psk(cli->line->psk, secret, err);
    }

    return dm_secret_read_psk(path, secret, err);
}
