/* The account that a command line names: by its ID, or by another key of it */

#include <stdio.h>

#include <openssl/x509.h>

#include "dm_cert.h"
#include "dm_devid.h"
#include "account/named.h"
#include "common/input.h"
#include "common/output.h"


/* the kinds of names that an account has */
static const struct {
    dm_store_index_t  by;
    int               opt;
    const char       *title;
    const char       *its;
} dm_named_kinds[] = {
    { DM_BY_ID, 0, "ID", "the ID" },
    { DM_BY_NAME, DM_OPT_NAMED_NAME, "user name", "the user name" },
    { DM_BY_PSK, DM_OPT_NAMED_PSK, "PSK identity", "a PSK identity" },
    { DM_BY_CERT, DM_OPT_NAMED_CERT_KEY, "certificate key",
      "a certificate key" }
};

#define DM_NAMED_KINDS  (sizeof(dm_named_kinds) / sizeof(dm_named_kinds[0]))


/* the first key of a certificate by which there is an account, and its id */
typedef struct {
    size_t         key_len;
    size_t         id_len;
    unsigned char  key[DM_CERT_KEY_MAX];
    unsigned char  id[DM_ID_MAX];
} dm_named_first_t;


static size_t dm_named_kind(const dm_cli_t *cli);
static const char *dm_named_spelt(const dm_cli_t *cli, int opt);
static int dm_named_read(dm_cli_t *cli);
static int dm_named_needed(const dm_cli_t *cli);
static int dm_named_by_cert(dm_cli_t *cli, dm_found_t *found);
static int dm_named_try(dm_cli_t *cli, int rc, dm_named_first_t *first,
    dm_found_t *found);
static void dm_named_hint(dm_cli_t *cli, char *hint, size_t size);
static size_t dm_named_mistaken(dm_cli_t *cli, dm_str_t text,
    dm_found_t *found);


/* the row of what names the account */
static size_t
dm_named_kind(const dm_cli_t *cli)
{
    size_t  kind;

    for (kind = 0; kind < DM_NAMED_KINDS - 1; kind++) {
        if (dm_named_kinds[kind].opt == cli->named.opt) {
            break;
        }
    }

    return kind;
}


int
dm_named_operand(dm_cli_t *cli, int argc, char **argv)
{
    dm_str_t  id;

    if (dm_named_is(cli)) {
        return optind == argc ? dm_named_read(cli)
                              : dm_cli_usage(cli, "the account is named "
                                             "twice: one way is enough");
    }

    if (optind == argc) {
        return dm_named_needed(cli);
    }

    cli->named.value = argv[optind++];
    id = dm_cli_str(cli->named.value);

    if (optind != argc) {
        return dm_cli_usage(cli, "one ID at a time; options are written "
                            "with \"--\"");
    }

    if (dm_account_check_id(id, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_INVALID, "%s", cli->err.text);
    }

    if (dm_devid_canonical(id, cli->id_buf) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_INVALID, "the ID is not 1 to %d "
                             "octets without control characters",
                             DM_DEVID_MAX);
    }

    cli->id = (dm_str_t) { cli->id_buf, id.len };

    return DM_CLI_DONE;
}


int
dm_named_filter(dm_cli_t *cli, int argc)
{
    int  rc;

    rc = dm_cli_no_operand(cli, argc);

    if (rc != DM_CLI_DONE || !dm_named_is(cli)) {
        return rc;
    }

    return dm_named_read(cli);
}


int
dm_named_is(const dm_cli_t *cli)
{
    return cli->named.opt != 0;
}


int
dm_named_is_stdin(const dm_cli_t *cli)
{
    return cli->named.opt == DM_OPT_NAMED_CERT
           && strcmp(cli->named.value, "-") == 0;
}


/* reads the value of the option */
static int
dm_named_read(dm_cli_t *cli)
{
    dm_named_t  *named;

    named = &cli->named;

    if (named->opt == DM_OPT_NAMED_CERT) {
        named->cert = dm_input_x509(named->value, &cli->err);

        if (named->cert == NULL) {
            return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
        }

        return DM_CLI_DONE;
    }

    named->key = dm_cli_str(named->value);

    if (named->opt != DM_OPT_NAMED_CERT_KEY) {
        return DM_CLI_DONE;
    }

    if (dm_input_cert_key(named->value, named->buf, &named->key.len,
                          &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_INVALID, "%s", cli->err.text);
    }

    named->key.data = named->buf;

    return DM_CLI_DONE;
}


/* tells that nothing names an account */
static int
dm_named_needed(const dm_cli_t *cli)
{
    const char  *name;

    name = dm_named_spelt(cli, DM_OPT_NAMED_NAME);

    if (name == NULL) {
        return dm_cli_usage(cli, "an account's ID is needed");
    }

    if (strncmp(name, "by-", 3) == 0) {
        return dm_cli_usage(cli, "an account's ID is needed; to name it in "
                            "another way write --by-name, --by-psk-identity, "
                            "--by-cert-key or --by-cert");
    }

    return dm_cli_usage(cli, "an account's ID is needed, or --name, "
                        "--psk-identity, --cert-key or --cert");
}


/* the option as the verb has it, without its "--"; NULL: it has none */
static const char *
dm_named_spelt(const dm_cli_t *cli, int opt)
{
    const struct option  *option;

    for (option = cli->verb->options; option->name != NULL; option++) {
        if (option->val == opt) {
            return option->name;
        }
    }

    return NULL;
}


int
dm_named_only(dm_cli_t *cli, int argc, char **argv)
{
    if (dm_cli_getopt(cli, ":", cli->verb->options, argc, argv) != 0) {
        return cli->status;
    }

    return dm_named_operand(cli, argc, argv);
}


int
dm_named_find(dm_cli_t *cli, dm_found_t *found)
{
    int  rc;

    rc = dm_named_lookup(cli, found);

    if (rc == DM_ERROR) {
        return DM_CLI_REFUSED;
    }

    return rc == DM_OK ? DM_CLI_DONE : dm_named_absent(cli);
}


int
dm_named_lookup(dm_cli_t *cli, dm_found_t *found)
{
    int               rc;
    dm_store_index_t  by;

    if (!dm_named_is(cli)) {
        return dm_cli_lookup(cli, DM_BY_ID, cli->id, found);
    }

    by = dm_named_kinds[dm_named_kind(cli)].by;

    if (cli->named.cert != NULL) {
        rc = dm_named_by_cert(cli, found);

    } else {
        rc = dm_cli_lookup(cli, by, cli->named.key, found);
    }

    if (rc == DM_OK) {
        memcpy(cli->id_buf, found->account.id.data, found->account.id.len);
        cli->id = (dm_str_t) { cli->id_buf, found->account.id.len };
    }

    return rc;
}


/*
 * Looks for each key that a certificate has, whichever of them nginx looks
 * for: all that are bound must be of one account.
 */
static int
dm_named_by_cert(dm_cli_t *cli, dm_found_t *found)
{
    int               rc;
    size_t            i;
    dm_named_t       *named;
    dm_cert_names_t   names;
    dm_named_first_t  first;

    static const dm_cert_kind_t  kinds[] = {
        DM_CERT_FINGERPRINT, DM_CERT_ISSUER_SERIAL, DM_CERT_SUBJECT
    };

    named = &cli->named;
    named->key.data = named->buf;
    first.key_len = 0;

    dm_cert_names(named->cert, &names);

    do {
        rc = dm_cert_names_next(&names, named->buf, &named->key.len);

        if (dm_named_try(cli, rc, &first, found) != DM_OK) {
            return DM_ERROR;
        }
    } while (rc != DM_DECLINED);

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        rc = dm_cert_key(named->cert, kinds[i], 0, named->buf,
                         &named->key.len);

        if (dm_named_try(cli, rc, &first, found) != DM_OK) {
            return DM_ERROR;
        }
    }

    if (first.key_len == 0) {
        return DM_DECLINED;
    }

    return dm_cli_lookup(cli, DM_BY_CERT,
                         (dm_str_t) { first.key, first.key_len }, found);
}


/*
 * Looks for a key, rc being what the writing of it returned, and keeps the
 * first that an account is bound to.  DM_OK; DM_ERROR, which is told.
 */
static int
dm_named_try(dm_cli_t *cli, int rc, dm_named_first_t *first,
    dm_found_t *found)
{
    dm_str_t     id;
    dm_named_t  *named;

    named = &cli->named;

    if (rc == DM_ERROR) {
        (void) dm_cli_refuse(cli, DM_CODE_SYSTEM, "a key of certificate "
                             "\"%s\" cannot be made: OpenSSL failed",
                             named->value);
        return DM_ERROR;
    }

    if (rc != DM_OK) {
        return DM_OK;
    }

    rc = dm_cli_lookup(cli, DM_BY_CERT, named->key, found);

    if (rc != DM_OK) {
        return rc == DM_DECLINED ? DM_OK : DM_ERROR;
    }

    id = found->account.id;

    if (first->key_len == 0) {
        memcpy(first->key, named->buf, named->key.len);
        memcpy(first->id, id.data, id.len);

        first->key_len = named->key.len;
        first->id_len = id.len;
    }

    if (dm_str_eq(id, (dm_str_t) { first->id, first->id_len })) {
        return DM_OK;
    }

    (void) dm_cli_refuse(cli, DM_CODE_TAKEN, "certificate \"%s\" has keys of "
                         "two accounts, %.*s of \"%.*s\" and %.*s of "
                         "\"%.*s\": name the account by one of them with --%s",
                         named->value, (int) first->key_len,
                         (const char *) first->key, (int) first->id_len,
                         (const char *) first->id, dm_cli_arg(named->key),
                         dm_cli_arg(id),
                         dm_named_spelt(cli, DM_OPT_NAMED_CERT_KEY));

    return DM_ERROR;
}


int
dm_named_absent(dm_cli_t *cli)
{
    char       hint[DM_CLI_MESSAGE_MAX];
    dm_err_t   unseen;
    dm_code_e  code;

    code = DM_CODE_NO_ACCOUNT;
    hint[0] = '\0';

    if (cli->beside[0] != '\0') {
        code = DM_CODE_NOT_YET;
        (void) snprintf(hint, sizeof(hint), " yet; %s writes to the store, "
                        "and what it adds is there when it has ended: try "
                        "again then", cli->beside);

    } else if (cli->named.cert == NULL) {
        dm_named_hint(cli, hint, sizeof(hint));
    }

    if (cli->named.cert != NULL) {
        return dm_cli_refuse(cli, code, "no account is bound to a key of "
                             "certificate \"%s\"%s", cli->named.value, hint);
    }

    if (dm_named_is(cli)) {
        return dm_cli_refuse(cli, code, "no account has the %s \"%s\"%s%s",
                             dm_named_kinds[dm_named_kind(cli)].title,
                             cli->named.value, hint,
                             dm_input_unseen(dm_cli_str(cli->named.value),
                                             &unseen));
    }

    if (hint[0] != '\0') {
        return dm_cli_refuse(cli, code, "there is no account \"%s\"%s",
                             cli->named.value, hint);
    }

    if (dm_input_unseen(cli->id, &unseen)[0] != '\0') {
        return dm_cli_refuse(cli, DM_CODE_NO_ACCOUNT, "there is no account "
                             "\"%.*s\"%s", dm_cli_arg(cli->id), unseen.text);
    }

    return dm_cli_refuse(cli, DM_CODE_NO_ACCOUNT, "there is no account "
                         "\"%.*s\": see \"dm-account list\", or make it with "
                         "\"dm-account add\"", dm_cli_arg(cli->id));
}


/* says whose name of another kind it is, if somebody's */
static void
dm_named_hint(dm_cli_t *cli, char *hint, size_t size)
{
    size_t          kind;
    dm_str_t        text;
    const char     *spelt, *before;
    dm_found_t      found;
    unsigned char   plain[DM_CERT_KEY_MAX];

    before = "";
    text = dm_cli_str(cli->named.value);
    kind = dm_named_mistaken(cli, text, &found);

    if (kind == DM_NAMED_KINDS && text.len <= sizeof(plain)) {
        before = "with \\xHH as in a log, ";
        text = (dm_str_t) { plain, dm_out_unescape(text, plain) };

        if (text.len < strlen(cli->named.value)) {
            kind = dm_named_mistaken(cli, text, &found);
        }
    }

    if (kind != DM_NAMED_KINDS) {
        spelt = kind == 0 ? NULL
                          : dm_named_spelt(cli, dm_named_kinds[kind].opt);

        (void) snprintf(hint, size, ": %sthat is %s of \"%.*s\": write "
                        "%s%s%sits ID", before, dm_named_kinds[kind].its,
                        dm_cli_arg(found.account.id), spelt ? "--" : "",
                        spelt ? spelt : "", spelt ? ", or " : "");
    }

    dm_cli_wipe(&found);
}


/*
 * Looks for an account that has text as a name of any kind: the kind, or
 * DM_NAMED_KINDS where there is none, or none that can be read.
 */
static size_t
dm_named_mistaken(dm_cli_t *cli, dm_str_t text, dm_found_t *found)
{
    size_t  kind;

    for (kind = 0; kind < DM_NAMED_KINDS; kind++) {
        if (dm_named_as(cli, dm_named_kinds[kind].by, text, found) == DM_OK) {
            break;
        }
    }

    return kind;
}


int
dm_named_as(dm_cli_t *cli, dm_store_index_t by, dm_str_t text,
    dm_found_t *found)
{
    int            rc;
    dm_err_t       err;
    dm_str_t       key;
    unsigned char  buf[DM_CERT_KEY_MAX];

    rc = DM_OK;
    key = text;

    if (text.len > sizeof(buf)) {
        return DM_DECLINED;
    }

    if (by == DM_BY_ID) {
        rc = dm_devid_canonical(text, buf);
        key.data = buf;

    } else if (by == DM_BY_CERT) {
        rc = dm_cert_key_canonical(text, buf, &key.len, &err);
        key.data = buf;
    }

    if (rc != DM_OK) {
        return DM_DECLINED;
    }

    return dm_store_lookup(cli->store, by, key, found->record, &found->len,
                           &found->account, &err);
}
