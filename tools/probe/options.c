/* The command line of dm-probe */

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "dm_devid.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"
#include "probe/client.h"
#include "probe/options.h"


#define DM_OPTIONS_TIMEOUT      10          /* s */
#define DM_OPTIONS_LIMIT        300
#define DM_OPTIONS_SECONDS_MAX  86400
#define DM_OPTIONS_MESSAGE_MAX  1024


enum {
    DM_OPT_ACCOUNT = 0x100,
    DM_OPT_USER,
    DM_OPT_PASSWORD_FILE,
    DM_OPT_PSK_IDENTITY,
    DM_OPT_PSK_FILE,
    DM_OPT_CERT,
    DM_OPT_PRIVATE_KEY,
    DM_OPT_DEVICE_ID,
    DM_OPT_CACERT,
    DM_OPT_PLAIN_URL,
    DM_OPT_ECHO,
    DM_OPT_TIMEOUT,
    DM_OPT_LIMIT,
    DM_OPT_JSON,
    DM_OPT_JUNIT,
    DM_OPT_VERBOSE,
    DM_OPT_HELP,
    DM_OPT_VERSION,
    DM_OPT_SECRET
};


static int dm_options_parse(dm_options_t *options, int argc, char **argv);
static int dm_options_set(dm_options_t *options, int opt, char *value);
static int dm_options_flag(dm_options_t *options, int opt);
static int dm_options_bad(const dm_options_t *options, int argc, char **argv,
    int opt);
static int dm_options_seconds(dm_options_t *options, const char *name,
    const char *value, int64_t *ms);
static int dm_options_account(dm_options_t *options, const char *path);
static int dm_options_take(dm_options_t *options, dm_mo_t *mo);
static int dm_options_settle(dm_options_t *options);
static int dm_options_check_pairs(const dm_options_t *options);
static int dm_options_check_stdin(const dm_options_t *options);
static int dm_options_check_texts(dm_options_t *options);
static int dm_options_load(dm_options_t *options);
static int dm_options_load_cert(dm_options_t *options);
static int dm_options_addresses(dm_options_t *options);
static int dm_options_usage(const dm_options_t *options, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void dm_options_say(const dm_options_t *options, const char *fmt,
    va_list args, const char *more);
static void dm_options_help(void);


static const struct option  dm_options[] = {
    { "account", required_argument, NULL, DM_OPT_ACCOUNT },
    { "user", required_argument, NULL, DM_OPT_USER },
    { "password-file", required_argument, NULL, DM_OPT_PASSWORD_FILE },
    { "psk-identity", required_argument, NULL, DM_OPT_PSK_IDENTITY },
    { "psk-file", required_argument, NULL, DM_OPT_PSK_FILE },
    { "cert", required_argument, NULL, DM_OPT_CERT },
    { "private-key", required_argument, NULL, DM_OPT_PRIVATE_KEY },
    { "device-id", required_argument, NULL, DM_OPT_DEVICE_ID },
    { "cacert", required_argument, NULL, DM_OPT_CACERT },
    { "plain-url", required_argument, NULL, DM_OPT_PLAIN_URL },
    { "echo", no_argument, NULL, DM_OPT_ECHO },
    { "timeout", required_argument, NULL, DM_OPT_TIMEOUT },
    { "limit", required_argument, NULL, DM_OPT_LIMIT },
    { "json", no_argument, NULL, DM_OPT_JSON },
    { "junit", no_argument, NULL, DM_OPT_JUNIT },
    { "verbose", no_argument, NULL, DM_OPT_VERBOSE },
    { "help", no_argument, NULL, DM_OPT_HELP },
    { "version", no_argument, NULL, DM_OPT_VERSION },
    { "password", optional_argument, NULL, DM_OPT_SECRET },
    { "psk", optional_argument, NULL, DM_OPT_SECRET },
    { NULL, 0, NULL, 0 }
};


int
dm_options_read(dm_options_t *options, int argc, char **argv)
{
    int  rc;

    memset(options, 0, sizeof(dm_options_t));

    options->probe.timeout = DM_OPTIONS_TIMEOUT * 1000;
    options->probe.deadline = DM_OPTIONS_LIMIT * 1000;

    rc = dm_options_parse(options, argc, argv);

    if (rc == DM_PROBE_DONE) {
        rc = dm_options_settle(options);
    }

    if (rc == DM_PROBE_DONE) {
        rc = dm_options_load(options);
    }

    options->probe.deadline += dm_probe_now();

    return rc;
}


void
dm_options_wipe(dm_options_t *options)
{
    X509_free(options->probe.cert);
    EVP_PKEY_free(options->probe.key);
    OPENSSL_cleanse(options, sizeof(dm_options_t));
}


static int
dm_options_parse(dm_options_t *options, int argc, char **argv)
{
    int  opt, rc;

    while ((opt = getopt_long(argc, argv, ":", dm_options, NULL)) != -1) {

        if (opt == '?' || opt == ':') {
            return dm_options_bad(options, argc, argv, opt);
        }

        rc = dm_options_set(options, opt, optarg);

        if (rc != DM_PROBE_DONE) {
            return rc;
        }
    }

    if (optind < argc) {
        options->url = argv[optind++];
    }

    if (optind < argc) {
        return dm_options_usage(options, "one URL at a time; options are "
                                "written with \"--\"");
    }

    return DM_PROBE_DONE;
}


static int
dm_options_set(dm_options_t *options, int opt, char *value)
{
    switch (opt) {

    case DM_OPT_ACCOUNT:
        return dm_options_account(options, value);

    case DM_OPT_USER:
        options->probe.user = value;
        return DM_PROBE_DONE;

    case DM_OPT_PASSWORD_FILE:
        options->password_file = value;
        return DM_PROBE_DONE;

    case DM_OPT_PSK_IDENTITY:
        options->psk_identity = value;
        return DM_PROBE_DONE;

    case DM_OPT_PSK_FILE:
        options->psk_file = value;
        return DM_PROBE_DONE;

    case DM_OPT_CERT:
        options->cert_file = value;
        return DM_PROBE_DONE;

    case DM_OPT_PRIVATE_KEY:
        options->key_file = value;
        return DM_PROBE_DONE;

    case DM_OPT_DEVICE_ID:
        options->probe.device_id = value;
        return DM_PROBE_DONE;

    case DM_OPT_CACERT:
        options->probe.cacert = value;
        return DM_PROBE_DONE;

    case DM_OPT_PLAIN_URL:
        options->plain_url = value;
        return DM_PROBE_DONE;

    case DM_OPT_TIMEOUT:
        return dm_options_seconds(options, "--timeout", value,
                                  &options->probe.timeout);

    case DM_OPT_LIMIT:
        return dm_options_seconds(options, "--limit", value,
                                  &options->probe.deadline);

    default:
        return dm_options_flag(options, opt);
    }
}


static int
dm_options_flag(dm_options_t *options, int opt)
{
    switch (opt) {

    case DM_OPT_ECHO:
        options->probe.echo = 1;
        return DM_PROBE_DONE;

    case DM_OPT_JSON:
        options->json = 1;
        return DM_PROBE_DONE;

    case DM_OPT_JUNIT:
        options->junit = 1;
        return DM_PROBE_DONE;

    case DM_OPT_VERBOSE:
        options->verbose = 1;
        return DM_PROBE_DONE;

    case DM_OPT_HELP:
        dm_options_help();
        return DM_PROBE_HELP;

    case DM_OPT_VERSION:
        printf("dm-probe %s\n", DM_VERSION);
        return DM_PROBE_HELP;

    default: /* DM_OPT_SECRET */
        return dm_options_usage(options, "secrets never come from the "
                                "command line, where others can read them: "
                                "write --password-file FILE or --psk-file "
                                "FILE (\"-\" is stdin)");
    }
}


static int
dm_options_bad(const dm_options_t *options, int argc, char **argv, int opt)
{
    int          len;
    const char  *arg;

    /* say nothing behind "=", which may have been meant as a secret */
    arg = (optind > 0 && optind <= argc) ? argv[optind - 1] : "";
    len = (int) strcspn(arg, "=");

    if (opt == ':') {
        return dm_options_usage(options, "option \"%.*s\" needs a value", len,
                                arg);
    }

    return dm_options_usage(options, "unknown or ambiguous option \"%.*s\", "
                            "or one that takes no value", len, arg);
}


static int
dm_options_seconds(dm_options_t *options, const char *name,
    const char *value, int64_t *ms)
{
    uint64_t  n;

    if (dm_input_number(value, DM_OPTIONS_SECONDS_MAX, &n, &options->err)
        != DM_OK
        || n == 0)
    {
        return dm_options_usage(options, "%s: write seconds, 1 to %d", name,
                                DM_OPTIONS_SECONDS_MAX);
    }

    *ms = (int64_t) n * 1000;

    return DM_PROBE_DONE;
}


static int
dm_options_account(dm_options_t *options, const char *path)
{
    int             rc;
    size_t          len, mark;
    dm_mo_t         mo;
    unsigned char  *data;

    data = OPENSSL_malloc(DM_MO_MAX);

    if (data == NULL) {
        return dm_options_usage(options, "out of memory");
    }

    rc = dm_input_read(path, data, DM_MO_MAX, &len, &options->err);

    if (rc != DM_OK) {
        OPENSSL_clear_free(data, DM_MO_MAX);
        return dm_options_usage(options, "%s", options->err.text);
    }

    mark = dm_text_mark(data, len);
    len = dm_text_end(data, len);
    rc = dm_mo_read(&mo, data + mark, len - mark, &options->err);

    OPENSSL_clear_free(data, DM_MO_MAX);

    if (rc != DM_OK) {
        return dm_options_usage(options, "--account \"%s\": %s", path,
                                options->err.text);
    }

    rc = dm_options_take(options, &mo);

    dm_mo_wipe(&mo);

    return rc;
}


/* moves from mo to options, which free it, what dm-probe needs */
static int
dm_options_take(dm_options_t *options, dm_mo_t *mo)
{
    if ((mo->has_psk && options->probe.psk != NULL)
        || (mo->cert != NULL && options->probe.cert != NULL))
    {
        return dm_options_usage(options, "--account: one with a key and one "
                                "with a certificate, no more");
    }

    if (mo->uri[0] != '\0') {
        memcpy(options->account_url, mo->uri, sizeof(mo->uri));
    }

    if (mo->has_psk) {
        options->psk = mo->psk;
        options->probe.psk = &options->psk;
    }

    if (mo->cert != NULL) {
        options->probe.cert = mo->cert;
        options->probe.key = mo->key;
        mo->cert = NULL;
        mo->key = NULL;
    }

    return DM_PROBE_DONE;
}


static int
dm_options_settle(dm_options_t *options)
{
    int  rc;

    if (options->json && options->junit) {
        return dm_options_usage(options, "--json and --junit exclude each "
                                "other");
    }

    rc = dm_options_check_pairs(options);

    if (rc == DM_PROBE_DONE) {
        rc = dm_options_check_stdin(options);
    }

    if (rc == DM_PROBE_DONE) {
        rc = dm_options_check_texts(options);
    }

    return rc == DM_PROBE_DONE ? dm_options_addresses(options) : rc;
}


static int
dm_options_check_pairs(const dm_options_t *options)
{
    if ((options->probe.user == NULL) != (options->password_file == NULL)) {
        return dm_options_usage(options, "--user and --password-file need "
                                "each other");
    }

    if ((options->psk_identity == NULL) != (options->psk_file == NULL)) {
        return dm_options_usage(options, "--psk-identity and --psk-file need "
                                "each other");
    }

    if (options->psk_identity != NULL && options->probe.psk != NULL) {
        return dm_options_usage(options, "--psk-identity: the file of "
                                "--account has one already");
    }

    if (options->cert_file != NULL && options->probe.cert != NULL) {
        return dm_options_usage(options, "--cert: the file of --account has "
                                "one already");
    }

    if ((options->cert_file != NULL) != (options->key_file != NULL)
        && (options->probe.cert == NULL || options->probe.key != NULL))
    {
        return dm_options_usage(options, "--cert and --private-key need each "
                                "other");
    }

    if (options->probe.user == NULL && options->psk_identity == NULL
        && options->cert_file == NULL && options->probe.psk == NULL
        && options->probe.cert == NULL)
    {
        return dm_options_usage(options, "without credentials there is "
                                "nothing to try: write --account, --user, "
                                "--psk-identity or --cert");
    }

    return DM_PROBE_DONE;
}


static int
dm_options_check_stdin(const dm_options_t *options)
{
    size_t       i;
    unsigned     n;
    const char  *paths[] = {
        options->password_file, options->psk_file, options->cert_file,
        options->key_file
    };

    n = 0;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        n += (paths[i] != NULL && strcmp(paths[i], "-") == 0);
    }

    if (n > 1) {
        return dm_options_usage(options, "only one option can read stdin "
                                "(\"-\")");
    }

    return DM_PROBE_DONE;
}


static int
dm_options_check_texts(dm_options_t *options)
{
    size_t       i;
    dm_str_t     text;

    const struct {
        const char  *value;
        size_t       max;
        const char  *what;
    } texts[] = {
        { options->probe.user, DM_NAME_MAX, "--user" },
        { options->probe.device_id, DM_DEVID_MAX, "--device-id" },
        { options->psk_identity, DM_PSK_IDENTITY_MAX, "--psk-identity" }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {

        if (texts[i].value == NULL) {
            continue;
        }

        text.data = (const unsigned char *) texts[i].value;
        text.len = strlen(texts[i].value);

        if (dm_text_check(text, texts[i].max, texts[i].what, &options->err)
            != DM_OK)
        {
            return dm_options_usage(options, "%s", options->err.text);
        }
    }

    if (options->probe.user != NULL
        && strchr(options->probe.user, ':') != NULL)
    {
        return dm_options_usage(options, "--user: a name has no colon");
    }

    return DM_PROBE_DONE;
}


static int
dm_options_addresses(dm_options_t *options)
{
    const char  *url;
    dm_probe_t  *probe;

    probe = &options->probe;
    url = options->url;

    if (url == NULL && options->account_url[0] != '\0') {
        url = options->account_url;
    }

    if (url == NULL) {
        return dm_options_usage(options, "a URL is needed, or an account "
                                "with SrvURI");
    }

    if (dm_client_address(&probe->server, url, "https", &options->err)
        != DM_OK)
    {
        return dm_options_usage(options, "%s", options->err.text);
    }

    if (options->plain_url != NULL
        && dm_client_address(&probe->plain, options->plain_url, "http",
                             &options->err)
           != DM_OK)
    {
        return dm_options_usage(options, "--plain-url: %s",
                                options->err.text);
    }

    return DM_PROBE_DONE;
}


static int
dm_options_load(dm_options_t *options)
{
    dm_probe_t  *probe;

    probe = &options->probe;

    if (options->password_file != NULL
        && dm_secret_read_password(options->password_file, &probe->password,
                                   &options->err)
           != DM_OK)
    {
        return dm_options_usage(options, "%s", options->err.text);
    }

    if (options->psk_file != NULL) {
        if (dm_secret_read_psk(options->psk_file, &options->psk.key,
                               &options->err)
            != DM_OK)
        {
            return dm_options_usage(options, "%s", options->err.text);
        }

        (void) snprintf(options->psk.identity, sizeof(options->psk.identity),
                        "%s", options->psk_identity);
        probe->psk = &options->psk;
    }

    /* libcurl would take its absence for a certificate that is not trusted */

    if (probe->cacert != NULL && strcmp(probe->cacert, "-") == 0) {
        return dm_options_usage(options, "--cacert does not read stdin");
    }

    if (probe->cacert != NULL) {
        X509_free(dm_input_x509(probe->cacert, &options->err));

        if (options->err.text[0] != '\0') {
            return dm_options_usage(options, "--cacert: %s",
                                    options->err.text);
        }
    }

    return dm_options_load_cert(options);
}


static int
dm_options_load_cert(dm_options_t *options)
{
    dm_probe_t  *probe;

    probe = &options->probe;

    if (options->cert_file != NULL) {
        probe->cert = dm_input_x509(options->cert_file, &options->err);

        if (probe->cert == NULL) {
            return dm_options_usage(options, "%s", options->err.text);
        }

        if (strcmp(options->cert_file, "-") != 0) {
            probe->chain = options->cert_file;
        }
    }

    if (options->key_file != NULL) {
        probe->key = dm_input_private_key(options->key_file, &options->err);

        if (probe->key == NULL) {
            return dm_options_usage(options, "%s", options->err.text);
        }
    }

    if (probe->key != NULL
        && X509_check_private_key(probe->cert, probe->key) != 1)
    {
        ERR_clear_error();
        return dm_options_usage(options, "the private key is not that of the "
                                "certificate");
    }

    return DM_PROBE_DONE;
}


void
dm_options_tell(const dm_options_t *options, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    dm_options_say(options, fmt, args, "");
    va_end(args);
}


static int
dm_options_usage(const dm_options_t *options, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    dm_options_say(options, fmt, args, "; see \"dm-probe --help\"");
    va_end(args);

    return DM_PROBE_USAGE;
}


/* a message quotes its user: what could drive a terminal is replaced */
static void
dm_options_say(const dm_options_t *options, const char *fmt, va_list args,
    const char *more)
{
    char    text[DM_OPTIONS_MESSAGE_MAX + 64];
    size_t  len;

    (void) vsnprintf(text, DM_OPTIONS_MESSAGE_MAX, fmt, args);

    len = strlen(text);
    (void) snprintf(text + len, sizeof(text) - len, "%s", more);

    if (options->json) {
        dm_json_error(NULL, text);
        return;
    }

    dm_out_line(stderr, "dm-probe: %s", text);
}


static void
dm_options_help(void)
{
    printf("usage: dm-probe [OPTION ...] [URL]\n"
"\n"
"Is a DM client of the server at URL (https://...), with each version of TLS,\n"
"each cipher suite and each method of authentication, and prints the table of\n"
"\"Security for DM Session\": PASS, FAIL or SKIP for each of its 21 rows, and\n"
"for what must not work. Take credentials that were made for such tests.\n"
"\n"
"credentials, any of them:\n"
"  --account FILE       the DM Account MO of a device in JSON, with a key or\n"
"                       a certificate, as \"dm-account provision\" writes it;\n"
"                       SrvURI is the URL if none is given; may be repeated\n"
"  --user NAME          for Basic and Digest\n"
"  --password-file FILE\n"
"  --psk-identity ID    for TLS-PSK; the file has the key in hex\n"
"  --psk-file FILE\n"
"  --cert FILE          the client's certificate, PEM with its chain or DER,\n"
"  --private-key FILE   and its key, not encrypted\n"
"  --device-id ID       sent as OMADM-DevID\n"
"\n"
"the server:\n"
"  --cacert FILE        the CA of its certificate, PEM; default the system's\n"
"  --echo               its answer repeats the head of the request that\n"
"                       reached it, with DM-TLS-Protocol, DM-TLS-Cipher and\n"
"                       DM-Auth-Method: by these the client's rows are judged\n"
"  --plain-url URL      where it takes plain HTTP (http://...): not the given\n"
"                       password is sent there, but one of nobody\n"
"  --timeout SECONDS    of each request, default 10\n"
"  --limit SECONDS      of all together, default 300\n"
"\n"
"output:\n"
"  --json               one object, also for errors\n"
"  --junit              for pipelines that read JUnit files\n"
"  --verbose            each try below its row\n"
"  --help\n"
"  --version\n"
"\n"
"\"-\" as a file is stdin. Proxies that the environment names are not used.\n"
"\n"
"Exits with 0 when each mandatory row is passed and nothing works that must\n"
"not, 1 when not, 2 when misused. An optional row that fails counts where a\n"
"row that is passed requires it (PSK-TLS all six suites). A mandatory row for\n"
"which there are no credentials counts as failed; rows of the client without\n"
"--echo do not, nor does plain HTTP without --plain-url.\n"
"\n"
"example:\n"
"  dm-probe --cacert ca.crt --account dmacc.json \\\n"
"      --user device1 --password-file password.txt \\\n"
"      https://dm.example.com/dmclient/dm20\n");
}
