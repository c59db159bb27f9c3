/* dm-account provision: what a device needs to know of its account */

#include <stdio.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "dm_cert.h"
#include "account/audit.h"
#include "account/named.h"
#include "account/provision.h"
#include "account/verbs.h"
#include "common/input.h"
#include "common/json.h"
#include "common/secret.h"
#include "common/xml.h"


#define DM_PROVISION_MO        "urn:oma:mo:oma-dm-dmacc:1.2"
#define DM_PROVISION_NODE      "DMAcc"
#define DM_PROVISION_TEXT_MAX  1024


enum {
    DM_OPT_FORMAT = DM_OPT_VERB,
    DM_OPT_PSK_IDENTITY,
    DM_OPT_CERT,
    DM_OPT_PRIVATE_KEY,
    DM_OPT_SERVER_ID,
    DM_OPT_SERVER_URI,
    DM_OPT_SERVER_NAME,
    DM_OPT_LIST,
    DM_OPT_BY_NAME,
    DM_OPT_OUTPUT
};


static int dm_provision_run(dm_cli_t *cli, int argc, char **argv);
static int dm_provision_steps(dm_provision_t *pro, int argc, char **argv);

static int dm_provision_options(dm_provision_t *pro, int argc, char **argv);
static int dm_provision_option(dm_provision_t *pro, int opt,
    const char *value);
static int dm_provision_format(dm_provision_t *pro, const char *name);
static int dm_provision_check(dm_provision_t *pro);
static int dm_provision_check_list(const dm_provision_t *pro);
static int dm_provision_check_text(dm_provision_t *pro, const char *value,
    const char *what);
static int dm_provision_has_secret(const dm_provision_t *pro);
static int dm_provision_load(dm_provision_t *pro);

static int dm_provision_one(dm_provision_t *pro, const dm_account_t *account);
static int dm_provision_cert(dm_provision_t *pro,
    const dm_account_t *account);
static int dm_provision_is_bound(X509 *cert, const dm_account_t *account);
static int dm_provision_holds(const dm_account_t *account, dm_str_t key);
static int dm_provision_encode_cert(dm_provision_t *pro);
static int dm_provision_encode_key(dm_provision_t *pro);
static json_t *dm_provision_base64(const unsigned char *data, size_t len);

static int dm_provision_set(json_t *object, const char *name,
    const char *value);
static void dm_provision_open(FILE *out, const char *name, const char *type);
static void dm_provision_leaf(FILE *out, const char *name,
    const char *format, const char *type, const char *value);


static const struct option  dm_provision_opts[] = {
    { "format", required_argument, NULL, DM_OPT_FORMAT },
    { "psk-identity", required_argument, NULL, DM_OPT_PSK_IDENTITY },
    { "cert", required_argument, NULL, DM_OPT_CERT },
    { "private-key", required_argument, NULL, DM_OPT_PRIVATE_KEY },
    { "server-id", required_argument, NULL, DM_OPT_SERVER_ID },
    { "server-uri", required_argument, NULL, DM_OPT_SERVER_URI },
    { "server-name", required_argument, NULL, DM_OPT_SERVER_NAME },
    { "list", required_argument, NULL, DM_OPT_LIST },
    { "by-name", no_argument, NULL, DM_OPT_BY_NAME },
    { "output", required_argument, NULL, DM_OPT_OUTPUT },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_provision = {
    "provision",
    "ID [OPTION ...] | --list FILE --output FILE [OPTION ...]",
    "write the DM Account MO that the device gets, with its secret",

    "  --format FORMAT     json, the serialization of DM 2.0 (the default),\n"
    "                      or tnds, XML of DM 1.2 and later\n"
    "  --psk-identity I    which PSK, where the account holds two\n"
    "  --cert FILE         for TLS with a certificate: that of the device,\n"
    "                      which must be bound to the account\n"
    "  --private-key FILE  its key; without it the device has made its own,\n"
    "                      and Auth/Trsp/Secret is left out\n"
    "  --server-id ID      SrvID, SrvURI and Name of the MO; what is not\n"
    "  --server-uri URI    given is left out, for whoever delivers the MO\n"
    "  --server-name NAME\n"
    "  --list FILE         for many accounts: an id a line, or lines of JSON\n"
    "                      with an \"id\"; \"-\" is stdin\n"
    "  --by-name           the lines are user names, or have a \"name\"\n"
    "  --output FILE       for --list: gets a line of JSON for each account,\n"
    "                      with \"id\", \"name\" and \"mo\", the MO as for\n"
    "                      one, with tnds a string; a new file with\n"
    "                      mode 0600, or \"-\" for stdout, which is then no\n"
    "                      terminal. Where a line is bad there is no FILE\n"
    "\n"
    "Auth/Trsp/Data is the PSK identity or the certificate in DER form, and\n"
    "Auth/Trsp/Secret the PSK or the private key in PKCS #8 form, both in\n"
    "Base64. A secret is not written to a terminal.\n"
    "\n"
    "example:\n"
    "  (umask 077; dm-account provision IMEI:493005100592800 \\\n"
    "      --server-id dm.example.com \\\n"
    "      --server-uri https://dm.example.com/dmclient/dm20 >dmacc.json)\n"
    "  dm-account provision --list ids.txt --output dmaccs.jsonl\n",

    dm_provision_opts,
    dm_provision_run
};


static int
dm_provision_run(dm_cli_t *cli, int argc, char **argv)
{
    int             rc;
    dm_provision_t  pro;

    memset(&pro, 0, sizeof(dm_provision_t));
    pro.cli = cli;

    rc = dm_provision_steps(&pro, argc, argv);

    X509_free(pro.cert);
    EVP_PKEY_free(pro.key);
    json_decref(pro.data);
    json_decref(pro.secret);

    return rc;
}


static int
dm_provision_steps(dm_provision_t *pro, int argc, char **argv)
{
    int         rc;
    dm_cli_t   *cli;
    dm_found_t  found;

    cli = pro->cli;

    rc = dm_provision_options(pro, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (pro->list != NULL) {
        return dm_provision_list(pro);
    }

    rc = dm_provision_load(pro);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_named_find(cli, &found);

    if (rc == DM_CLI_DONE) {
        rc = pro->cert == NULL ? dm_provision_one(pro, &found.account)
                               : dm_provision_cert(pro, &found.account);
    }

    dm_cli_wipe(&found);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (pro->secret != NULL) {
        dm_cli_audit(cli);
    }

    if (!pro->tnds) {
        return dm_cli_printed(cli, dm_json_print(dm_provision_json(pro)));
    }

    dm_provision_tnds(stdout, pro);

    return DM_CLI_DONE;
}


static int
dm_provision_options(dm_provision_t *pro, int argc, char **argv)
{
    int  opt, rc;

    for ( ;; ) {
        opt = dm_cli_getopt(pro->cli, ":", dm_provision_opts, argc, argv);

        if (opt == -1) {
            return pro->cli->status;
        }

        if (opt == 0) {
            break;
        }

        rc = dm_provision_option(pro, opt, optarg);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    rc = dm_provision_check(pro);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = pro->list != NULL ? dm_cli_no_operand(pro->cli, argc)
                           : dm_named_operand(pro->cli, argc, argv);

    if (rc != DM_CLI_DONE
        || (pro->output != NULL && strcmp(pro->output, "-") != 0))
    {
        return rc;
    }

    if (dm_provision_has_secret(pro) && isatty(STDOUT_FILENO)) {
        return dm_cli_refuse(pro->cli, DM_CODE_TERMINAL, "secrets are not "
                             "shown on a terminal: write them to a file, see "
                             "\"dm-account provision --help\"");
    }

    return DM_CLI_DONE;
}


static int
dm_provision_option(dm_provision_t *pro, int opt, const char *value)
{
    switch (opt) {

    case DM_OPT_FORMAT:
        return dm_provision_format(pro, value);

    case DM_OPT_PSK_IDENTITY:
        pro->psk_identity = value;
        return DM_CLI_DONE;

    case DM_OPT_CERT:
        pro->cert_path = value;
        return DM_CLI_DONE;

    case DM_OPT_PRIVATE_KEY:
        pro->key_path = value;
        return DM_CLI_DONE;

    case DM_OPT_SERVER_ID:
        pro->server_id = value;
        return dm_provision_check_text(pro, value, "--server-id");

    case DM_OPT_SERVER_URI:
        pro->server_uri = value;
        return dm_provision_check_text(pro, value, "--server-uri");

    case DM_OPT_SERVER_NAME:
        pro->server_name = value;
        return dm_provision_check_text(pro, value, "--server-name");

    case DM_OPT_LIST:
        pro->list = value;
        return DM_CLI_DONE;

    case DM_OPT_BY_NAME:
        pro->by_name = 1;
        return DM_CLI_DONE;

    default: /* DM_OPT_OUTPUT */
        pro->output = value;
        return DM_CLI_DONE;
    }
}


static int
dm_provision_format(dm_provision_t *pro, const char *name)
{
    pro->tnds = (strcmp(name, "tnds") == 0);

    if (!pro->tnds && strcmp(name, "json") != 0) {
        return dm_cli_usage(pro->cli, "--format: \"%s\" is neither json nor "
                            "tnds", name);
    }

    return DM_CLI_DONE;
}


static int
dm_provision_check(dm_provision_t *pro)
{
    dm_cli_t  *cli;

    cli = pro->cli;

    if (pro->list != NULL || pro->output != NULL || pro->by_name) {
        return dm_provision_check_list(pro);
    }

    if (pro->tnds && cli->json) {
        return dm_cli_usage(cli, "--json and --format tnds exclude each "
                            "other");
    }

    if (pro->psk_identity != NULL && pro->cert_path != NULL) {
        return dm_cli_usage(cli, "--psk-identity and --cert exclude each "
                            "other");
    }

    if (pro->key_path != NULL && pro->cert_path == NULL) {
        return dm_cli_usage(cli, "--private-key needs --cert");
    }

    if (pro->key_path != NULL && strcmp(pro->key_path, "-") == 0
        && strcmp(pro->cert_path, "-") == 0)
    {
        return dm_cli_usage(cli, "only one option can read stdin (\"-\")");
    }

    return DM_CLI_DONE;
}


static int
dm_provision_check_list(const dm_provision_t *pro)
{
    if (pro->list == NULL || pro->output == NULL) {
        return dm_cli_usage(pro->cli, "--list and --output need each other");
    }

    if (pro->psk_identity != NULL || pro->cert_path != NULL
        || pro->key_path != NULL)
    {
        return dm_cli_usage(pro->cli, "--psk-identity, --cert and "
                            "--private-key are of one account, and not for "
                            "--list");
    }

    return DM_CLI_DONE;
}


/* U+FFFE and U+FFFF are not known to XML */
static int
dm_provision_check_text(dm_provision_t *pro, const char *value,
    const char *what)
{
    if (dm_text_check(dm_cli_str(value), DM_PROVISION_TEXT_MAX, what,
                      &pro->cli->err)
           != DM_OK
        || dm_text_check_shown(dm_cli_str(value), what, &pro->cli->err)
           != DM_OK)
    {
        return dm_cli_usage(pro->cli, "%s", pro->cli->err.text);
    }

    if (strstr(value, "\xef\xbf\xbe") != NULL
        || strstr(value, "\xef\xbf\xbf") != NULL)
    {
        return dm_cli_usage(pro->cli, "%s has a character that XML does not "
                            "know", what);
    }

    return DM_CLI_DONE;
}


static int
dm_provision_has_secret(const dm_provision_t *pro)
{
    return pro->cert_path == NULL || pro->key_path != NULL;
}


static int
dm_provision_load(dm_provision_t *pro)
{
    dm_cli_t  *cli;

    cli = pro->cli;

    if (pro->cert_path == NULL) {
        return DM_CLI_DONE;
    }

    pro->cert = dm_input_x509(pro->cert_path, &cli->err);

    if (pro->cert == NULL) {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    if (pro->key_path == NULL) {
        return DM_CLI_DONE;
    }

    pro->key = dm_input_private_key(pro->key_path, &cli->err);

    if (pro->key == NULL) {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "%s", cli->err.text);
    }

    if (X509_check_private_key(pro->cert, pro->key) != 1) {
        return dm_cli_refuse(cli, DM_CODE_BAD_FILE, "the private key in "
                             "\"%s\" is not that of the certificate in \"%s\"",
                             pro->key_path, pro->cert_path);
    }

    return DM_CLI_DONE;
}


static int
dm_provision_one(dm_provision_t *pro, const dm_account_t *account)
{
    dm_cli_t  *cli;

    cli = pro->cli;

    if (dm_provision_psk(pro, account, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_NOT_HELD, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


int
dm_provision_psk(dm_provision_t *pro, const dm_account_t *account,
    dm_err_t *err)
{
    unsigned         i;
    const dm_psk_t  *psk;

    i = 0;

    if (account->npsks == 0) {
        dm_err_set(err, "\"%.*s\" has no PSK: give it one with \"dm-account "
                   "set\", or name the certificate of the device with --cert",
                   dm_cli_arg(account->id));
        return DM_INVALID;
    }

    if (pro->psk_identity == NULL && account->npsks > 1) {
        dm_err_set(err, "\"%.*s\" holds %u PSKs: say which with "
                   "--psk-identity", dm_cli_arg(account->id), account->npsks);
        return DM_INVALID;
    }

    if (pro->psk_identity != NULL) {
        i = dm_secret_find_psk(account, dm_cli_str(pro->psk_identity));
    }

    if (i == account->npsks) {
        dm_err_set(err, "\"%.*s\" has no PSK identity \"%s\"",
                   dm_cli_arg(account->id), pro->psk_identity);
        return DM_INVALID;
    }

    psk = &account->psk[i];
    pro->data = dm_provision_base64(psk->identity.data, psk->identity.len);
    pro->secret = dm_provision_base64(psk->key.data, psk->key.len);

    if (pro->data == NULL || pro->secret == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_provision_cert(dm_provision_t *pro, const dm_account_t *account)
{
    if (!dm_provision_is_bound(pro->cert, account)) {
        return dm_cli_refuse(pro->cli, DM_CODE_NOT_HELD, "the certificate in "
                             "\"%s\" is not bound to \"%.*s\": bind it with "
                             "\"dm-account set --cert\"", pro->cert_path,
                             dm_cli_arg(account->id));
    }

    if (dm_provision_encode_cert(pro) != DM_OK
        || (pro->key != NULL && dm_provision_encode_key(pro) != DM_OK))
    {
        return dm_cli_refuse(pro->cli, DM_CODE_SYSTEM, "the certificate or "
                             "its key cannot be written: the library failed");
    }

    return DM_CLI_DONE;
}


static int
dm_provision_is_bound(X509 *cert, const dm_account_t *account)
{
    int             rc;
    dm_str_t        key;
    unsigned        n;
    dm_cert_kind_t  kind;
    unsigned char   buf[DM_CERT_KEY_MAX];

    key.data = buf;

    for (kind = DM_CERT_FINGERPRINT; kind <= DM_CERT_SUBJECT; kind++) {

        for (n = 0; n == 0 || kind == DM_CERT_SAN; n++) {
            rc = dm_cert_key(cert, kind, n, buf, &key.len);

            if (rc == DM_OK && dm_provision_holds(account, key)) {
                return 1;
            }

            if (rc == DM_DECLINED || rc == DM_ERROR) {
                break;
            }
        }
    }

    return 0;
}


static int
dm_provision_holds(const dm_account_t *account, dm_str_t key)
{
    unsigned  i;

    for (i = 0; i < account->ncert_keys; i++) {
        if (dm_str_eq(account->cert_key[i], key)) {
            return 1;
        }
    }

    return 0;
}


static int
dm_provision_encode_cert(dm_provision_t *pro)
{
    int             len;
    unsigned char  *der;

    der = NULL;
    len = i2d_X509(pro->cert, &der);

    if (len <= 0) {
        return DM_ERROR;
    }

    pro->data = dm_provision_base64(der, (size_t) len);
    OPENSSL_free(der);

    return pro->data == NULL ? DM_ERROR : DM_OK;
}


static int
dm_provision_encode_key(dm_provision_t *pro)
{
    int                   len;
    unsigned char        *der;
    PKCS8_PRIV_KEY_INFO  *info;

    info = EVP_PKEY2PKCS8(pro->key);

    if (info == NULL) {
        return DM_ERROR;
    }

    der = NULL;
    len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);

    if (len <= 0) {
        return DM_ERROR;
    }

    pro->secret = dm_provision_base64(der, (size_t) len);
    OPENSSL_clear_free(der, (size_t) len);

    return pro->secret == NULL ? DM_ERROR : DM_OK;
}


static json_t *
dm_provision_base64(const unsigned char *data, size_t len)
{
    char    *text;
    size_t   size;
    json_t  *json;

    size = (len + 2) / 3 * 4 + 1;
    text = OPENSSL_malloc(size);

    if (text == NULL) {
        return NULL;
    }

    (void) EVP_EncodeBlock((unsigned char *) text, data, (int) len);

    json = json_string(text);
    OPENSSL_clear_free(text, size);

    return json;
}


json_t *
dm_provision_json(const dm_provision_t *pro)
{
    int      failed;
    json_t  *node, *trsp;

    node = json_object();
    trsp = json_object();

    failed = dm_provision_set(node, "SrvID", pro->server_id)
             | dm_provision_set(node, "SrvURI", pro->server_uri)
             | dm_provision_set(node, "Name", pro->server_name)
             | json_object_set(trsp, "Data", pro->data);

    if (pro->secret != NULL) {
        failed |= json_object_set(trsp, "Secret", pro->secret);
    }

    failed |= json_object_set_new(node, "Auth",
                                  json_pack("{s:o}", "Trsp", trsp));

    if (failed) {
        json_decref(node);
        node = NULL;
    }

    return json_pack("[{s:s, s:{s:o}}]",
                     "ClientURI", DM_PROVISION_MO "//",
                     "MOData", DM_PROVISION_NODE, node);
}


static int
dm_provision_set(json_t *object, const char *name, const char *value)
{
    if (value == NULL) {
        return 0;
    }

    return json_object_set_new(object, name, json_string(value));
}


/* binary values are written as Base64 there, for which the format is "b64" */
void
dm_provision_tnds(FILE *out, const dm_provision_t *pro)
{
    static const char  binary[] = "application/octet-stream";

    (void) fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<MgmtTree xmlns=\"syncml:dmddf1.2\">\n"
                   "<VerDTD>1.2</VerDTD>\n");

    dm_provision_open(out, DM_PROVISION_NODE, DM_PROVISION_MO);

    dm_provision_leaf(out, "SrvID", "chr", "text/plain", pro->server_id);
    dm_provision_leaf(out, "SrvURI", "chr", "text/plain", pro->server_uri);
    dm_provision_leaf(out, "Name", "chr", "text/plain", pro->server_name);

    dm_provision_open(out, "Auth", "");
    dm_provision_open(out, "Trsp", "");

    dm_provision_leaf(out, "Data", "b64", binary,
                      json_string_value(pro->data));
    dm_provision_leaf(out, "Secret", "b64", binary,
                      json_string_value(pro->secret));

    (void) fprintf(out, "</Node>\n</Node>\n</Node>\n</MgmtTree>\n");
}


static void
dm_provision_open(FILE *out, const char *name, const char *type)
{
    (void) fprintf(out, "<Node>\n<NodeName>%s</NodeName>\n"
                   "<RTProperties><Format><node/></Format>"
                   "<Type><DDFName>%s</DDFName></Type></RTProperties>\n",
                   name, type);
}


/* value NULL: there is no such node */
static void
dm_provision_leaf(FILE *out, const char *name, const char *format,
    const char *type, const char *value)
{
    if (value == NULL) {
        return;
    }

    (void) fprintf(out, "<Node>\n<NodeName>%s</NodeName>\n"
                   "<RTProperties><Format><%s/></Format>"
                   "<Type><MIME>%s</MIME></Type></RTProperties>\n<Value>",
                   name, format, type);

    dm_xml_put(out, value);

    (void) fprintf(out, "</Value>\n</Node>\n");
}
