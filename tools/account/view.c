/* dm-account show, list: accounts without their secrets */

#include <stdio.h>
#include <time.h>

#include "dm_password.h"
#include "account/named.h"
#include "account/verbs.h"
#include "common/input.h"
#include "common/json.h"
#include "common/output.h"


#define DM_VIEW_DAYS_MAX  36500
#define DM_VIEW_DAY       86400

/* an account's credentials, as bits */
#define DM_VIEW_BASIC     0x01
#define DM_VIEW_DIGEST    0x02
#define DM_VIEW_X509      0x04
#define DM_VIEW_PSK       0x08


enum {
    DM_OPT_STATE = DM_OPT_VERB,
    DM_OPT_GROUP,
    DM_OPT_EXPIRED,
    DM_OPT_EXPIRING,
    DM_OPT_LACKS,
    DM_OPT_METHOD
};


/* a filter for list: an account must pass all that is set */
typedef struct {
    dm_cli_t        *cli;
    int64_t          now;

    int              by_state;
    dm_state_t       state;
    int              by_group;
    dm_str_t         group;
    int              expired;
    int              expiring;
    int64_t          until;
    int              by_lacks;
    dm_algorithm_t   lacks;
    unsigned         method;                /* a bit, 0: any */
} dm_view_filter_t;


static int dm_view_show(dm_cli_t *cli, int argc, char **argv);
static void dm_view_text(const dm_account_t *account, int denied);
static void dm_view_strings(const char *title, const dm_str_t *str,
    unsigned n);
static void dm_view_digest(const dm_account_t *account);
static void dm_view_psks(const dm_account_t *account);
static void dm_view_when(const char *title, int64_t t);

static int dm_view_list(dm_cli_t *cli, int argc, char **argv);
static int dm_view_one(dm_cli_t *cli, dm_view_filter_t *filter);
static int dm_view_option(dm_cli_t *cli, dm_view_filter_t *filter, int opt,
    const char *value);
static int dm_view_state(dm_cli_t *cli, dm_view_filter_t *filter,
    const char *value);
static int dm_view_expiring(dm_cli_t *cli, dm_view_filter_t *filter,
    const char *value);
static int dm_view_lacks(dm_cli_t *cli, dm_view_filter_t *filter,
    const char *value);
static int dm_view_method(dm_cli_t *cli, dm_view_filter_t *filter,
    const char *value);
static int dm_view_line(const dm_account_t *account, void *data);
static int dm_view_wanted(const dm_account_t *account,
    const dm_view_filter_t *filter);
static int dm_view_in_group(const dm_account_t *account, dm_str_t group);
static unsigned dm_view_methods(const dm_account_t *account);
static void dm_view_columns(const dm_account_t *account);
static void dm_view_method_column(unsigned methods);
static void dm_view_column(dm_str_t str, size_t width);


static const struct {
    const char  *name;
    unsigned     bit;
} dm_view_method_names[] = {
    { "basic", DM_VIEW_BASIC },
    { "digest", DM_VIEW_DIGEST },
    { "x509", DM_VIEW_X509 },
    { "psk", DM_VIEW_PSK },
    { NULL, 0 }
};


static const struct option  dm_view_show_opts[] = {
    DM_NAMED_OPTIONS,
    DM_CLI_OPTIONS
};


static const struct option  dm_view_list_opts[] = {
    DM_NAMED_OPTIONS,
    { "state", required_argument, NULL, DM_OPT_STATE },
    { "group", required_argument, NULL, DM_OPT_GROUP },
    { "expired", no_argument, NULL, DM_OPT_EXPIRED },
    { "expiring", required_argument, NULL, DM_OPT_EXPIRING },
    { "lacks", required_argument, NULL, DM_OPT_LACKS },
    { "method", required_argument, NULL, DM_OPT_METHOD },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_show = {
    "show",
    "ID",
    "show an account, without its secrets",

    DM_NAMED_HELP
    "example:\n"
    "  dm-account show IMEI:493005100592800\n",

    dm_view_show_opts,
    dm_view_show
};


const dm_verb_t  dm_verb_list = {
    "list",
    "[OPTION ...]",
    "list accounts, one a line, without their secrets",

    "  --state STATE          active or disabled ones\n"
    "  --group GROUP          those in the group\n"
    "  --expired              those whose validity is over\n"
    "  --expiring DAYS        those whose validity ends within so many days\n"
    "  --lacks ALGORITHM      those with Digest credentials, but none for\n"
    "                         MD5, SHA-256 or SHA-512-256\n"
    "  --method METHOD        those with a credential for basic, digest,\n"
    "                         x509 or psk\n"
    DM_NAMED_HELP
    "With several options all must hold. A line has the ID, name, state,\n"
    "methods, end of validity and groups; \"-\" stands for none.\n"
    "\n"
    "example:\n"
    "  dm-account list --state active --expiring 30\n",

    dm_view_list_opts,
    dm_view_list
};


static int
dm_view_show(dm_cli_t *cli, int argc, char **argv)
{
    int         rc, denied;
    json_t     *json;
    dm_found_t  found;

    rc = dm_named_only(cli, argc, argv);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_named_find(cli, &found);

    denied = (rc == DM_CLI_DONE && dm_cli_is_denied(cli));

    if (rc == DM_CLI_DONE && cli->json) {
        json = dm_json_account(&found.account);

        if (denied) {
            (void) json_object_set_new(json, "here", json_true());
        }

        rc = dm_cli_show(cli, json);

    } else if (rc == DM_CLI_DONE) {
        dm_view_text(&found.account, denied);
    }

    dm_cli_wipe(&found);

    return rc;
}


static void
dm_view_text(const dm_account_t *account, int denied)
{
    const char  *scheme;

    scheme = dm_password_scheme(account->crypt);

    dm_out_line(stdout, "id          %.*s", dm_cli_arg(account->id));
    dm_out_line(stdout, "name        %.*s", dm_cli_arg(account->name));
    printf("state       %s%s\n", account->state == DM_ACTIVE ? "active"
                                                            : "disabled",
           denied ? ", on this node alone" : "");
    dm_view_strings("groups", account->group, account->ngroups);
    dm_view_when("not before", account->not_before);
    dm_view_when("not after", account->not_after);
    dm_view_digest(account);
    printf("crypt       %s\n", scheme ? scheme : "-");
    dm_view_psks(account);
    dm_view_strings("cert keys", account->cert_key, account->ncert_keys);
    dm_view_when("changed", account->changed);
}


/* prints a line for each string, since DNs hold commas */
static void
dm_view_strings(const char *title, const dm_str_t *str, unsigned n)
{
    unsigned  i;

    if (n == 0) {
        printf("%-11s -\n", title);
    }

    for (i = 0; i < n; i++) {
        dm_out_line(stdout, "%-11s %.*s", i == 0 ? title : "",
                    dm_cli_arg(str[i]));
    }
}


static void
dm_view_digest(const dm_account_t *account)
{
    unsigned     i;
    const char  *before;

    printf("digest      ");
    before = "";

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (account->has_ha1[i]) {
            printf("%s%s", before, dm_digest_name(i));
            before = ", ";
        }
    }

    printf("%s\n", *before ? "" : "-");
}


static void
dm_view_psks(const dm_account_t *account)
{
    unsigned  i;
    dm_str_t  identity[DM_PSKS];

    for (i = 0; i < account->npsks; i++) {
        identity[i] = account->psk[i].identity;
    }

    dm_view_strings("psk", identity, account->npsks);
}


static void
dm_view_when(const char *title, int64_t t)
{
    char  text[DM_TIME_MAX];

    if (t == 0) {
        printf("%-11s -\n", title);
        return;
    }

    dm_json_time(t, text);
    printf("%-11s %s\n", title, text);
}


static int
dm_view_list(dm_cli_t *cli, int argc, char **argv)
{
    int               opt, rc;
    dm_view_filter_t  filter;

    memset(&filter, 0, sizeof(dm_view_filter_t));
    filter.cli = cli;
    filter.now = (int64_t) time(NULL);

    while ((opt = dm_cli_getopt(cli, ":", dm_view_list_opts, argc, argv))
           > 0)
    {
        rc = dm_view_option(cli, &filter, opt, optarg);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    if (opt == -1) {
        return cli->status;
    }

    rc = dm_named_filter(cli, argc);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_cli_open(cli, DM_STORE_READ);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_named_is(cli)) {
        return dm_view_one(cli, &filter);
    }

    cli->err.text[0] = '\0';

    if (dm_store_walk(cli->store, dm_view_line, NULL, &filter, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


/* the line of an account that is looked up, and not searched */
static int
dm_view_one(dm_cli_t *cli, dm_view_filter_t *filter)
{
    int         rc;
    dm_found_t  found;

    rc = dm_named_lookup(cli, &found);

    if (rc == DM_OK && dm_view_line(&found.account, filter) != DM_OK) {
        (void) dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
        rc = DM_ERROR;
    }

    dm_cli_wipe(&found);

    return rc == DM_ERROR ? DM_CLI_REFUSED : DM_CLI_DONE;
}


static int
dm_view_option(dm_cli_t *cli, dm_view_filter_t *filter, int opt,
    const char *value)
{
    switch (opt) {

    case DM_OPT_STATE:
        return dm_view_state(cli, filter, value);

    case DM_OPT_GROUP:
        filter->by_group = 1;
        filter->group = dm_cli_str(value);
        return DM_CLI_DONE;

    case DM_OPT_EXPIRED:
        filter->expired = 1;
        return DM_CLI_DONE;

    case DM_OPT_EXPIRING:
        return dm_view_expiring(cli, filter, value);

    case DM_OPT_LACKS:
        return dm_view_lacks(cli, filter, value);

    default: /* DM_OPT_METHOD */
        return dm_view_method(cli, filter, value);
    }
}


static int
dm_view_state(dm_cli_t *cli, dm_view_filter_t *filter, const char *value)
{
    filter->by_state = 1;

    if (strcmp(value, "active") == 0) {
        filter->state = DM_ACTIVE;
        return DM_CLI_DONE;
    }

    if (strcmp(value, "disabled") == 0) {
        filter->state = DM_DISABLED;
        return DM_CLI_DONE;
    }

    return dm_cli_usage(cli, "--state: \"%s\" is neither \"active\" nor "
                        "\"disabled\"", value);
}


static int
dm_view_expiring(dm_cli_t *cli, dm_view_filter_t *filter, const char *value)
{
    uint64_t  days;

    if (dm_input_number(value, DM_VIEW_DAYS_MAX, &days, &cli->err) != DM_OK) {
        return dm_cli_usage(cli, "--expiring: %s", cli->err.text);
    }

    filter->expiring = 1;
    filter->until = filter->now + (int64_t) days * DM_VIEW_DAY;

    return DM_CLI_DONE;
}


static int
dm_view_lacks(dm_cli_t *cli, dm_view_filter_t *filter, const char *value)
{
    filter->by_lacks = 1;

    if (dm_digest_by_name(dm_cli_str(value), &filter->lacks) != DM_OK) {
        return dm_cli_usage(cli, "--lacks: \"%s\" is none of MD5, SHA-256 "
                            "and SHA-512-256", value);
    }

    return DM_CLI_DONE;
}


static int
dm_view_method(dm_cli_t *cli, dm_view_filter_t *filter, const char *value)
{
    unsigned  i;

    for (i = 0; dm_view_method_names[i].name; i++) {
        if (strcmp(value, dm_view_method_names[i].name) == 0) {
            filter->method = dm_view_method_names[i].bit;
            return DM_CLI_DONE;
        }
    }

    return dm_cli_usage(cli, "--method: \"%s\" is none of basic, digest, "
                        "x509 and psk", value);
}


static int
dm_view_line(const dm_account_t *account, void *data)
{
    dm_view_filter_t  *filter;

    filter = data;

    if (!dm_view_wanted(account, filter)) {
        return DM_OK;
    }

    if (!filter->cli->json) {
        dm_view_columns(account);
        return DM_OK;
    }

    if (dm_json_print(dm_json_account(account)) != DM_OK) {
        dm_err_set(&filter->cli->err, "\"%.*s\" cannot be written as JSON",
                   dm_cli_arg(account->id));
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_view_wanted(const dm_account_t *account, const dm_view_filter_t *filter)
{
    int64_t  ends;

    ends = account->not_after;

    if (filter->by_state && account->state != filter->state) {
        return 0;
    }

    if (filter->by_group && !dm_view_in_group(account, filter->group)) {
        return 0;
    }

    if (filter->expired && (ends == 0 || ends >= filter->now)) {
        return 0;
    }

    if (filter->expiring
        && (ends == 0 || ends < filter->now || ends > filter->until))
    {
        return 0;
    }

    if (filter->by_lacks
        && (account->has_ha1[filter->lacks]
            || !(dm_view_methods(account) & DM_VIEW_DIGEST)))
    {
        return 0;
    }

    return !filter->method || (dm_view_methods(account) & filter->method);
}


static int
dm_view_in_group(const dm_account_t *account, dm_str_t group)
{
    unsigned  i;

    for (i = 0; i < account->ngroups; i++) {
        if (dm_str_eq(account->group[i], group)) {
            return 1;
        }
    }

    return 0;
}


static unsigned
dm_view_methods(const dm_account_t *account)
{
    unsigned  i, methods;

    methods = 0;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        if (account->has_ha1[i]) {
            methods |= DM_VIEW_BASIC | DM_VIEW_DIGEST;
        }
    }

    if (account->crypt.len != 0) {
        methods |= DM_VIEW_BASIC;
    }

    if (account->ncert_keys != 0) {
        methods |= DM_VIEW_X509;
    }

    if (account->npsks != 0) {
        methods |= DM_VIEW_PSK;
    }

    return methods;
}


static void
dm_view_columns(const dm_account_t *account)
{
    char       ends[DM_TIME_MAX];
    unsigned   i;

    dm_view_column(account->id, 24);
    dm_view_column(account->name, 20);
    dm_view_column(dm_cli_str(account->state == DM_ACTIVE ? "active"
                                                          : "disabled"), 8);
    dm_view_method_column(dm_view_methods(account));

    ends[0] = '-';
    ends[1] = '\0';

    if (account->not_after != 0) {
        dm_json_time(account->not_after, ends);
    }

    dm_view_column(dm_cli_str(ends), 20);

    for (i = 0; i < account->ngroups; i++) {
        dm_out(stdout, "%s%.*s", i == 0 ? "" : ",",
               dm_cli_arg(account->group[i]));
    }

    printf("%s\n", i == 0 ? "-" : "");
}


static void
dm_view_method_column(unsigned methods)
{
    char      text[32];
    size_t    len;
    unsigned  i;

    len = 0;
    text[len++] = '-';
    text[len] = '\0';

    for (i = 0; dm_view_method_names[i].name; i++) {
        if (methods & dm_view_method_names[i].bit) {
            len += (size_t) snprintf(text + len, sizeof(text) - len, ",%s",
                                     dm_view_method_names[i].name);
        }
    }

    /* past the "-" and the first comma */
    dm_view_column(dm_cli_str(len == 1 ? text : text + 2), 21);
}


/* padded to width characters, not octets */
static void
dm_view_column(dm_str_t str, size_t width)
{
    char    text[4 * DM_ID_MAX + 1];
    size_t  n;

    dm_out_escape(text, sizeof(text), str, "");
    n = dm_out_width(text);

    printf("%s%*s", text, n < width ? (int) (width - n) + 2 : 2, "");
}
