/* dm-account add, set: the fields and credentials of an account */

#include <stdio.h>

#include <openssl/crypto.h>

#include "dm_cert.h"
#include "account/apply.h"
#include "account/named.h"
#include "account/same.h"
#include "account/verbs.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"


enum {
    DM_OPT_NAME = DM_OPT_VERB,
    DM_OPT_PASSWORD_FILE,
    DM_OPT_GENERATE_PASSWORD,
    DM_OPT_SLOW_HASH,
    DM_OPT_PSK_IDENTITY,
    DM_OPT_PSK_FILE,
    DM_OPT_GENERATE_PSK,
    DM_OPT_NOT_BEFORE,
    DM_OPT_NOT_AFTER,
    DM_OPT_DISABLED,
    DM_OPT_DROP_PSK,
    DM_OPT_CERT,
    DM_OPT_CERT_KEY,
    DM_OPT_DROP_CERT_KEY,
    DM_OPT_GROUP,
    DM_OPT_ADD_GROUP,
    DM_OPT_DROP_GROUP,
    DM_OPT_IF_ABSENT
};


static int dm_edit_run(dm_cli_t *cli, int argc, char **argv);
static int dm_edit_steps(dm_cli_t *cli, dm_edit_t *edit, int argc,
    char **argv);

static int dm_edit_put(dm_cli_t *cli, const dm_edit_t *edit,
    const dm_account_t *account);
static int dm_edit_options(dm_cli_t *cli, dm_edit_t *edit, int argc,
    char **argv);
static int dm_edit_option(dm_cli_t *cli, dm_edit_t *edit, int opt,
    const char *value);
static int dm_edit_push(dm_cli_t *cli, dm_edit_list_t *list,
    const char *value);
static int dm_edit_check(dm_cli_t *cli, const dm_edit_t *edit);
static int dm_edit_check_lists(dm_cli_t *cli, const dm_edit_t *edit);
static int dm_edit_both(const dm_edit_list_t *one, const dm_edit_list_t *two);
static int dm_edit_check_secrets(dm_cli_t *cli, const dm_edit_t *edit);
static unsigned dm_edit_stdin(const dm_edit_t *edit);

static int dm_edit_load(dm_cli_t *cli, dm_edit_t *edit);
static int dm_edit_load_secrets(const dm_cli_t *cli, dm_edit_t *edit,
    dm_err_t *err);
static int dm_edit_load_certs(dm_cli_t *cli, dm_edit_t *edit);
static int dm_edit_load_keys(dm_edit_t *edit, dm_err_t *err);

static void dm_edit_note(dm_cli_t *cli, const dm_edit_t *edit,
    const dm_account_t *account);
static int dm_edit_done(dm_cli_t *cli, const dm_edit_t *edit, dm_str_t name);
static int dm_edit_done_json(dm_cli_t *cli, const dm_edit_t *edit,
    dm_str_t name, const char *psk);
static const char *dm_edit_result(const dm_edit_t *edit);
static int dm_edit_shows(const dm_cli_t *cli, int made);


#define DM_EDIT_HELP_PASSWORD                                                 \
    "  --password-file FILE   the password, less one final newline\n"         \
    "  --generate-password    make a password and print it, once\n"           \
    "  --slow-hash            keep only a yescrypt hash of the password:\n"   \
    "                         it serves Basic, and no Digest\n"

#define DM_EDIT_HELP_PSK                                                      \
    "  --psk-identity I       a TLS PSK identity, with one of:\n"             \
    "  --psk-file FILE        its key in hex, 16 to 64 octets\n"              \
    "  --generate-psk         make a key of 32 octets and print it, once\n"

#define DM_EDIT_HELP_CERT                                                     \
    "  --cert FILE            bind a certificate (PEM or DER) by its\n"       \
    "                         SHA-256 fingerprint; may repeat\n"              \
    "  --cert-key KEY         bind sha256:HEX, issuer-serial:DN#HEX,\n"       \
    "                         san:URI:..., san:DNS:... or subject:DN;\n"      \
    "                         may repeat\n"

#define DM_EDIT_HELP_FIELDS                                                   \
    "  --not-before TIME      valid from then on, as\n"                       \
    "                         2027-01-31T00:00:00Z\n"                         \
    "  --not-after TIME       valid until then\n"

#define DM_EDIT_HELP_FILE                                                     \
    "\n"                                                                      \
    "A FILE of \"-\" is stdin, for one option at most.\n"

#define DM_EDIT_OPTIONS                                                       \
    { "name", required_argument, NULL, DM_OPT_NAME },                         \
    { "password-file", required_argument, NULL, DM_OPT_PASSWORD_FILE },       \
    { "generate-password", no_argument, NULL, DM_OPT_GENERATE_PASSWORD },     \
    { "slow-hash", no_argument, NULL, DM_OPT_SLOW_HASH },                     \
    { "psk-identity", required_argument, NULL, DM_OPT_PSK_IDENTITY },         \
    { "psk-file", required_argument, NULL, DM_OPT_PSK_FILE },                 \
    { "generate-psk", no_argument, NULL, DM_OPT_GENERATE_PSK },               \
    { "cert", required_argument, NULL, DM_OPT_CERT | DM_OPT_MANY },           \
    { "cert-key", required_argument, NULL, DM_OPT_CERT_KEY | DM_OPT_MANY },   \
    { "group", required_argument, NULL, DM_OPT_GROUP | DM_OPT_MANY },         \
    { "not-before", required_argument, NULL, DM_OPT_NOT_BEFORE },             \
    { "not-after", required_argument, NULL, DM_OPT_NOT_AFTER },               \
    { "disabled", no_argument, NULL, DM_OPT_DISABLED },                       \
    { "password", optional_argument, NULL, DM_OPT_SECRET },                   \
    { "psk", optional_argument, NULL, DM_OPT_SECRET }


static const struct option  dm_edit_add_opts[] = {
    DM_EDIT_OPTIONS,
    { "if-absent", no_argument, NULL, DM_OPT_IF_ABSENT },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


static const struct option  dm_edit_set_opts[] = {
    DM_NAMED_BY_OPTIONS,
    DM_EDIT_OPTIONS,
    { "drop-psk", required_argument, NULL, DM_OPT_DROP_PSK | DM_OPT_MANY },
    { "drop-cert-key", required_argument, NULL,
      DM_OPT_DROP_CERT_KEY | DM_OPT_MANY },
    { "add-group", required_argument, NULL, DM_OPT_ADD_GROUP | DM_OPT_MANY },
    { "drop-group", required_argument, NULL,
      DM_OPT_DROP_GROUP | DM_OPT_MANY },
    DM_CLI_DRY_RUN,
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_add = {
    "add",
    "ID [OPTION ...]",
    "add an account",

    "  --name NAME            user name for Basic and Digest, without a\n"
    "                         colon; by default the ID without its scheme\n"
    DM_EDIT_HELP_PASSWORD
    DM_EDIT_HELP_PSK
    DM_EDIT_HELP_CERT
    "  --group GROUP          put it in a group; may repeat\n"
    DM_EDIT_HELP_FIELDS
    "  --disabled             add it disabled\n"
    "  --if-absent            done, too, where there is such an account:\n"
    "                         it stays as it is\n"
    DM_CLI_HELP_DRY_RUN
    DM_EDIT_HELP_FILE
    "\n"
    "example:\n"
    "  dm-account add IMEI:493005100592800 --generate-password --group lab\n",

    dm_edit_add_opts,
    dm_edit_run
};


const dm_verb_t  dm_verb_set = {
    "set",
    "ID OPTION ...",
    "change an account; what is not named stays as it is",

    DM_NAMED_BY_HELP
    "  --name NAME            user name for Basic and Digest, without a\n"
    "                         colon; a new one needs a new password too\n"
    DM_EDIT_HELP_PASSWORD
    DM_EDIT_HELP_PSK
    "                         (a key that identity I has is replaced)\n"
    "  --drop-psk I           remove a PSK; two can be held, so that a\n"
    "                         device can move from one to the other\n"
    DM_EDIT_HELP_CERT
    "  --drop-cert-key KEY    remove such a binding; may repeat\n"
    "  --group GROUP          may repeat: the groups named replace those it\n"
    "                         was in; '' alone leaves it in none\n"
    "  --add-group GROUP      may repeat: it is in this one beside the others\n"
    "  --drop-group GROUP     may repeat: it is not in this one\n"
    DM_EDIT_HELP_FIELDS
    "                         ('' removes a limit)\n"
    "  --disabled             as dm-account disable\n"
    DM_CLI_HELP_DRY_RUN
    DM_EDIT_HELP_FILE
    "\n"
    "example:\n"
    "  dm-account set IMEI:493005100592800 --psk-identity dev7-2027 \\\n"
    "      --generate-psk --drop-psk dev7-2025\n",

    dm_edit_set_opts,
    dm_edit_run
};


static int
dm_edit_run(dm_cli_t *cli, int argc, char **argv)
{
    int        rc;
    dm_edit_t  edit;

    memset(&edit, 0, sizeof(dm_edit_t));
    edit.add = (cli->verb == &dm_verb_add);

    rc = dm_edit_steps(cli, &edit, argc, argv);

    OPENSSL_cleanse(&edit, sizeof(dm_edit_t));

    return rc;
}


static int
dm_edit_steps(dm_cli_t *cli, dm_edit_t *edit, int argc, char **argv)
{
    int         rc;
    dm_found_t  found;

    rc = dm_edit_options(cli, edit, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    /* read this before the store is locked: stdin may take its time */
    rc = dm_edit_load(cli, edit);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_apply_edit(cli, edit, &found);

    if (rc == DM_CLI_DONE && edit->present) {
        cli->same = 1;
        rc = dm_cli_commit(cli);

        if (rc == DM_CLI_DONE) {
            rc = dm_edit_done(cli, edit, found.account.name);
        }

    } else if (rc == DM_CLI_DONE) {
        dm_edit_note(cli, edit, &found.account);
        rc = dm_edit_put(cli, edit, &found.account);
    }

    dm_cli_wipe(&found);

    return rc;
}


/* a secret that nobody has got must not be in force: it leaves first */
static int
dm_edit_put(dm_cli_t *cli, const dm_edit_t *edit, const dm_account_t *account)
{
    int  rc;

    if (!edit->generate_password && !edit->generate_psk) {
        rc = dm_cli_put(cli, account);

        return rc == DM_CLI_DONE ? dm_edit_done(cli, edit, account->name) : rc;
    }

    rc = dm_cli_change(cli, account);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_edit_done(cli, edit, account->name);

    if (rc == DM_CLI_DONE) {
        rc = dm_cli_shown(cli);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_commit(cli);

    if (rc != DM_CLI_DONE) {
        dm_cli_warn(cli, "what was shown may not be in force: \"dm-account "
                    "verify\" and \"show\" tell");
    }

    return rc;
}


static int
dm_edit_options(dm_cli_t *cli, dm_edit_t *edit, int argc, char **argv)
{
    int  opt, rc;

    for ( ;; ) {
        opt = dm_cli_getopt(cli, ":", cli->verb->options, argc, argv);

        if (opt == -1) {
            return cli->status;
        }

        if (opt == 0) {
            break;
        }

        rc = dm_edit_option(cli, edit, opt & ~DM_OPT_MANY, optarg);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    rc = dm_edit_check(cli, edit);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    return dm_named_operand(cli, argc, argv);
}


static int
dm_edit_option(dm_cli_t *cli, dm_edit_t *edit, int opt, const char *value)
{
    switch (opt) {

    case DM_OPT_NAME:
        edit->name = value;
        break;

    case DM_OPT_PASSWORD_FILE:
        edit->password_file = value;
        break;

    case DM_OPT_GENERATE_PASSWORD:
        edit->generate_password = 1;
        break;

    case DM_OPT_SLOW_HASH:
        edit->slow_hash = 1;
        break;

    case DM_OPT_PSK_IDENTITY:
        edit->psk_identity = value;
        break;

    case DM_OPT_PSK_FILE:
        edit->psk_file = value;
        break;

    case DM_OPT_GENERATE_PSK:
        edit->generate_psk = 1;
        break;

    case DM_OPT_NOT_BEFORE:
        edit->not_before = value;
        break;

    case DM_OPT_NOT_AFTER:
        edit->not_after = value;
        break;

    case DM_OPT_DISABLED:
        edit->disabled = 1;
        break;

    case DM_OPT_DROP_PSK:
        return dm_edit_push(cli, &edit->drop_psk, value);

    case DM_OPT_CERT:
        return dm_edit_push(cli, &edit->cert, value);

    case DM_OPT_CERT_KEY:
        return dm_edit_push(cli, &edit->cert_key, value);

    case DM_OPT_DROP_CERT_KEY:
        return dm_edit_push(cli, &edit->drop_cert_key, value);

    case DM_OPT_ADD_GROUP:
        return dm_edit_push(cli, &edit->add_group, value);

    case DM_OPT_DROP_GROUP:
        return dm_edit_push(cli, &edit->drop_group, value);

    case DM_OPT_IF_ABSENT:
        edit->if_absent = 1;
        break;

    default: /* DM_OPT_GROUP */
        return dm_edit_push(cli, &edit->group, value);
    }

    return DM_CLI_DONE;
}


static int
dm_edit_push(dm_cli_t *cli, dm_edit_list_t *list, const char *value)
{
    if (list->n == DM_GROUPS) {
        return dm_cli_usage(cli, "an option is repeated more than %d times",
                            DM_GROUPS);
    }

    list->value[list->n++] = value;

    return DM_CLI_DONE;
}


static int
dm_edit_check(dm_cli_t *cli, const dm_edit_t *edit)
{
    if (!edit->add && cli->seen == 0) {
        return dm_cli_usage(cli, "nothing to set: name what to change");
    }

    if (edit->cert.n + edit->cert_key.n > DM_CERT_KEYS) {
        return dm_cli_usage(cli, "an account holds at most %d certificate "
                            "bindings", DM_CERT_KEYS);
    }

    if (dm_edit_check_lists(cli, edit) != DM_CLI_DONE) {
        return DM_CLI_USAGE;
    }

    return dm_edit_check_secrets(cli, edit);
}


static int
dm_edit_check_lists(dm_cli_t *cli, const dm_edit_t *edit)
{
    unsigned  i;

    for (i = 0; i < edit->group.n; i++) {
        if (edit->group.value[i][0] == '\0' && edit->group.n > 1) {
            return dm_cli_usage(cli, "--group '' means no group and stands "
                                "alone");
        }
    }

    if (edit->group.n != 0 && edit->add_group.n + edit->drop_group.n != 0) {
        return dm_cli_usage(cli, "--group names all groups: --add-group and "
                            "--drop-group exclude it");
    }

    if (dm_edit_both(&edit->add_group, &edit->drop_group)) {
        return dm_cli_usage(cli, "--add-group and --drop-group name the same "
                            "group");
    }

    if (dm_edit_both(&edit->cert_key, &edit->drop_cert_key)) {
        return dm_cli_usage(cli, "--cert-key and --drop-cert-key name the "
                            "same key");
    }

    return DM_CLI_DONE;
}


/* 1 if a value is in both lists, else 0 */
static int
dm_edit_both(const dm_edit_list_t *one, const dm_edit_list_t *two)
{
    unsigned  i, j;

    for (i = 0; i < one->n; i++) {
        for (j = 0; j < two->n; j++) {
            if (strcmp(one->value[i], two->value[j]) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


static int
dm_edit_check_secrets(dm_cli_t *cli, const dm_edit_t *edit)
{
    if (edit->password_file && edit->generate_password) {
        return dm_cli_usage(cli, "--password-file and --generate-password "
                            "exclude each other");
    }

    if (edit->slow_hash && !edit->password_file && !edit->generate_password) {
        return dm_cli_usage(cli, "--slow-hash needs --password-file or "
                            "--generate-password");
    }

    if (edit->psk_file && edit->generate_psk) {
        return dm_cli_usage(cli, "--psk-file and --generate-psk exclude each "
                            "other");
    }

    if (edit->psk_identity && !edit->psk_file && !edit->generate_psk) {
        return dm_cli_usage(cli, "--psk-identity needs --psk-file or "
                            "--generate-psk");
    }

    if ((edit->psk_file || edit->generate_psk) && !edit->psk_identity) {
        return dm_cli_usage(cli, "a PSK needs --psk-identity");
    }

    if (dm_edit_stdin(edit) + (unsigned) dm_named_is_stdin(cli) > 1) {
        return dm_cli_usage(cli, "only one option can read stdin (\"-\")");
    }

    return DM_CLI_DONE;
}


/* counts the options that want stdin */
static unsigned
dm_edit_stdin(const dm_edit_t *edit)
{
    unsigned  i, n;

    n = 0;

    if (edit->password_file && strcmp(edit->password_file, "-") == 0) {
        n++;
    }

    if (edit->psk_file && strcmp(edit->psk_file, "-") == 0) {
        n++;
    }

    for (i = 0; i < edit->cert.n; i++) {
        n += (strcmp(edit->cert.value[i], "-") == 0);
    }

    return n;
}


static int
dm_edit_load(dm_cli_t *cli, dm_edit_t *edit)
{
    if (edit->not_before
        && dm_input_time(edit->not_before, &edit->starts, &cli->err) != DM_OK)
    {
        return dm_cli_usage(cli, "--not-before: %s", cli->err.text);
    }

    if (edit->not_after
        && dm_input_time(edit->not_after, &edit->ends, &cli->err) != DM_OK)
    {
        return dm_cli_usage(cli, "--not-after: %s", cli->err.text);
    }

    if (dm_edit_load_certs(cli, edit) != DM_OK
        || dm_edit_load_secrets(cli, edit, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    if (dm_edit_load_keys(edit, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_INVALID, "%s", cli->err.text);
    }

    if (edit->password_file) {
        dm_cli_warn_blank(cli, edit->password_file,
                          (dm_str_t) { edit->password.data,
                                       edit->password.len });
    }

    return DM_CLI_DONE;
}


static int
dm_edit_load_secrets(const dm_cli_t *cli, dm_edit_t *edit,
    dm_err_t *err)
{
    int  rc;

    rc = DM_OK;

    if (edit->password_file) {
        rc = dm_cli_password(cli, edit->password_file, &edit->password, err);

    } else if (edit->generate_password) {
        rc = dm_secret_make_password(&edit->password, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    if (edit->psk_file) {
        rc = dm_cli_psk(cli, edit->psk_file, &edit->psk, err);

    } else if (edit->generate_psk) {
        rc = dm_secret_make_psk(&edit->psk, err);
    }

    if (rc != DM_OK) {
        return rc;
    }

    if (edit->slow_hash) {
        return dm_secret_crypt(&edit->password, edit->crypt, err);
    }

    return DM_OK;
}


static int
dm_edit_load_certs(dm_cli_t *cli, dm_edit_t *edit)
{
    int             rc;
    unsigned        i, names;
    dm_edit_key_t  *key;

    for (i = 0; i < edit->cert.n; i++) {
        key = &edit->key[edit->nkeys++];

        rc = dm_input_cert(edit->cert.value[i], key->data, &key->len, &names,
                           &cli->err);

        if (rc != DM_OK) {
            return rc;
        }

        if (names > DM_CERT_NAMES_MAX) {
            dm_cli_warn(cli, "certificate \"%s\" has %u URIs and DNS names, "
                        "of which nginx looks at the first %d: the others "
                        "find no account", edit->cert.value[i], names,
                        DM_CERT_NAMES_MAX);
        }
    }

    return DM_OK;
}


static int
dm_edit_load_keys(dm_edit_t *edit, dm_err_t *err)
{
    int             rc;
    unsigned        i;
    dm_edit_key_t  *key;

    for (i = 0; i < edit->cert_key.n; i++) {
        key = &edit->key[edit->nkeys++];

        rc = dm_input_cert_key(edit->cert_key.value[i], key->data, &key->len,
                               err);

        if (rc != DM_OK) {
            return rc;
        }
    }

    return DM_OK;
}


/*
 * Notes for syslog which fields set changes; of secrets only that they are
 * given.
 */
static void
dm_edit_note(dm_cli_t *cli, const dm_edit_t *edit,
    const dm_account_t *account)
{
    int                  len;
    size_t               i;
    const dm_account_t  *old;

    old = &edit->before;

    const struct {
        const char  *name;
        int          changed;
    } fields[] = {
        { "name", !dm_str_eq(account->name, old->name) },
        { "password", edit->password.len != 0 },
        { "psk", edit->psk_identity != NULL || edit->drop_psk.n != 0 },
        { "cert_keys", !dm_same_strings(account->cert_key,
                                        account->ncert_keys, old->cert_key,
                                        old->ncert_keys) },
        { "groups", !dm_same_strings(account->group, account->ngroups,
                                     old->group, old->ngroups) },
        { "state", account->state != old->state },
        { "not_before", account->not_before != old->not_before },
        { "not_after", account->not_after != old->not_after }
    };

    if (edit->add) {
        return;
    }

    len = snprintf(cli->note, sizeof(cli->note), "changed=");

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].changed) {
            len += snprintf(cli->note + len, sizeof(cli->note) - (size_t) len,
                            "%s%s", cli->note[len - 1] == '=' ? "" : ",",
                            fields[i].name);
        }
    }

    if (cli->note[len - 1] == '=') {
        (void) snprintf(cli->note, sizeof(cli->note), "changed=-");
    }
}


/* the one time that a generated secret is shown */
static int
dm_edit_done(dm_cli_t *cli, const dm_edit_t *edit, dm_str_t name)
{
    int   rc;
    char  psk[2 * DM_PSK_MAX + 1];

    psk[0] = '\0';

    if (edit->generate_psk) {
        dm_secret_psk_hex(&edit->psk, psk);
    }

    rc = DM_CLI_DONE;

    if (cli->json) {
        rc = dm_edit_done_json(cli, edit, name, psk);

    } else {
        dm_out_line(stdout, "%s \"%.*s\", name \"%.*s\"%s",
                    dm_edit_result(edit), dm_cli_arg(cli->id),
                    dm_cli_arg(name), dm_cli_remark(cli));

        if (dm_edit_shows(cli, edit->generate_password)) {
            printf("password: %s\n", (const char *) edit->password.data);
        }

        if (dm_edit_shows(cli, edit->generate_psk)) {
            printf("psk key:  %s\n", psk);
        }
    }

    OPENSSL_cleanse(psk, sizeof(psk));

    return rc;
}


static int
dm_edit_done_json(dm_cli_t *cli, const dm_edit_t *edit, dm_str_t name,
    const char *psk)
{
    int      failed;
    json_t  *json;

    json = json_pack("{s:s, s:o, s:o}",
                     "result", dm_edit_result(edit),
                     "id", dm_json_str(cli->id), "name", dm_json_str(name));
    failed = 0;

    if (dm_edit_shows(cli, edit->generate_password)) {
        failed |= json_object_set_new(json, "password",
                          json_string((const char *) edit->password.data));
    }

    if (dm_edit_shows(cli, edit->generate_psk)) {
        failed |= json_object_set_new(json, "psk",
                          json_pack("[{s:s, s:s}]",
                                    "identity", edit->psk_identity,
                                    "key", psk));
    }

    if (failed) {
        json_decref(json);
        json = NULL;
    }

    return dm_cli_result(cli, json);
}


static const char *
dm_edit_result(const dm_edit_t *edit)
{
    if (edit->present) {
        return "present";
    }

    return edit->add ? "added" : "set";
}


/* a secret that was made, but is not kept, is not shown */
static int
dm_edit_shows(const dm_cli_t *cli, int made)
{
    return made && !cli->same && !cli->dry_run;
}
