/* The command line of dm-replica */

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm_hex.h"
#include "dm_version.h"
#include "common/output.h"
#include "common/process.h"
#include "fleet/engine.h"
#include "replica/options.h"


#define DM_OPTIONS_POLL      5          /* s */
#define DM_OPTIONS_POLL_MAX  3600
#define DM_OPTIONS_MESSAGE   1024


enum {
    DM_OPT_STORE = 0x100,
    DM_OPT_KEY,
    DM_OPT_AUTHORITY,
    DM_OPT_ENGINE,
    DM_OPT_BEAT,
    DM_OPT_READY,
    DM_OPT_EXPECT,
    DM_OPT_OWNER,
    DM_OPT_USER,
    DM_OPT_POLL,
    DM_OPT_ONCE,
    DM_OPT_ANEW,
    DM_OPT_SYSLOG,
    DM_OPT_JSON,
    DM_OPT_HELP,
    DM_OPT_VERSION
};


static int dm_options_set(dm_replica_options_t *options, int opt,
    const char *value);
static int dm_options_flag(dm_replica_options_t *options, int opt);
static int dm_options_poll(dm_replica_options_t *options, const char *value);
static int dm_options_expect(dm_replica_options_t *options,
    const char *value);
static int dm_options_usage(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
static void dm_options_help(void);


static const struct option  dm_options[] = {
    { "store", required_argument, NULL, DM_OPT_STORE },
    { "key", required_argument, NULL, DM_OPT_KEY },
    { "authority", required_argument, NULL, DM_OPT_AUTHORITY },
    { "engine", required_argument, NULL, DM_OPT_ENGINE },
    { "beat", required_argument, NULL, DM_OPT_BEAT },
    { "ready", required_argument, NULL, DM_OPT_READY },
    { "expect", required_argument, NULL, DM_OPT_EXPECT },
    { "owner", required_argument, NULL, DM_OPT_OWNER },
    { "user", required_argument, NULL, DM_OPT_USER },
    { "poll", required_argument, NULL, DM_OPT_POLL },
    { "once", no_argument, NULL, DM_OPT_ONCE },
    { "bootstrap", no_argument, NULL, DM_OPT_ANEW },
    { "syslog", no_argument, NULL, DM_OPT_SYSLOG },
    { "json", no_argument, NULL, DM_OPT_JSON },
    { "help", no_argument, NULL, DM_OPT_HELP },
    { "version", no_argument, NULL, DM_OPT_VERSION },
    { NULL, 0, NULL, 0 }
};


int
dm_replica_options(dm_replica_options_t *options, int argc, char **argv)
{
    int  opt, rc;

    memset(options, 0, sizeof(dm_replica_options_t));

    options->store = dm_process_env("DM_SEC_STORE", DM_DEFAULT_STORE);
    options->key = dm_process_env("DM_SEC_STORE_KEY", DM_DEFAULT_KEY);
    options->authority = DM_DEFAULT_AUTHORITY;
    options->engine = dm_process_env("DM_SEC_ENGINE", DM_ENGINE_NODE);
    options->owner = DM_DEFAULT_WORKERS;
    options->poll = DM_OPTIONS_POLL;

    while ((opt = getopt_long(argc, argv, ":", dm_options, NULL)) != -1) {

        if (opt == '?' || opt == ':') {
            return dm_options_usage("option \"%s\" is unknown, or needs a "
                                    "value, or takes none", argv[optind - 1]);
        }

        rc = dm_options_set(options, opt, optarg);

        if (rc != DM_REPLICA_DONE) {
            return rc;
        }
    }

    if (optind != argc) {
        return dm_options_usage("too many arguments");
    }

    return DM_REPLICA_DONE;
}


static int
dm_options_set(dm_replica_options_t *options, int opt, const char *value)
{
    switch (opt) {

    case DM_OPT_STORE:
        options->store = value;
        return DM_REPLICA_DONE;

    case DM_OPT_KEY:
        options->key = value;
        return DM_REPLICA_DONE;

    case DM_OPT_AUTHORITY:
        options->authority = value;
        return DM_REPLICA_DONE;

    case DM_OPT_ENGINE:
        options->engine = value;
        return DM_REPLICA_DONE;

    case DM_OPT_BEAT:
        options->beat = value;
        return DM_REPLICA_DONE;

    case DM_OPT_READY:
        options->ready = value;
        return DM_REPLICA_DONE;

    case DM_OPT_OWNER:
        options->owner = value;
        return DM_REPLICA_DONE;

    case DM_OPT_USER:
        options->user = value;
        return DM_REPLICA_DONE;

    case DM_OPT_EXPECT:
        return dm_options_expect(options, value);

    case DM_OPT_POLL:
        return dm_options_poll(options, value);

    default:
        return dm_options_flag(options, opt);
    }
}


static int
dm_options_flag(dm_replica_options_t *options, int opt)
{
    switch (opt) {

    case DM_OPT_ONCE:
        options->once = 1;
        return DM_REPLICA_DONE;

    case DM_OPT_ANEW:
        options->anew = 1;
        return DM_REPLICA_DONE;

    case DM_OPT_SYSLOG:
        options->syslog = 1;
        return DM_REPLICA_DONE;

    case DM_OPT_JSON:
        options->json = 1;
        return DM_REPLICA_DONE;

    case DM_OPT_VERSION:
        printf("dm-replica %s\n", DM_VERSION);
        return DM_REPLICA_SHOWN;

    default: /* DM_OPT_HELP */
        dm_options_help();
        return DM_REPLICA_SHOWN;
    }
}


static int
dm_options_poll(dm_replica_options_t *options, const char *value)
{
    char           *end;
    unsigned long   n;

    n = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end != '\0' || n == 0
        || n > DM_OPTIONS_POLL_MAX)
    {
        return dm_options_usage("--poll needs seconds, from 1 to %d: \"%s\" "
                                "is none", DM_OPTIONS_POLL_MAX, value);
    }

    options->poll = (unsigned) n;

    return DM_REPLICA_DONE;
}


/* "SEQ:CHAIN", as "dm-account replicate status" prints them of another node */
static int
dm_options_expect(dm_replica_options_t *options, const char *value)
{
    char       *end;
    size_t      len;
    dm_str_t    hex;
    unsigned long long  n;

    n = strtoull(value, &end, 10);

    hex = (dm_str_t) { (const unsigned char *) end + 1, 0 };
    hex.len = *end == ':' ? strlen(end + 1) : 0;

    if (value[0] < '0' || value[0] > '9' || hex.len != 2 * DM_FLEET_HASH
        || dm_hex_read(hex, options->expect.chain, DM_FLEET_HASH, &len)
           != DM_OK)
    {
        return dm_options_usage("--expect needs the number of an entry, a "
                                "colon and the %d hexadecimal digits of its "
                                "chain, as \"dm-account replicate status\" "
                                "prints them on another node",
                                2 * DM_FLEET_HASH);
    }

    options->expect.number = (uint64_t) n;
    options->expects = 1;

    return DM_REPLICA_DONE;
}


static int
dm_options_usage(const char *fmt, ...)
{
    char     text[DM_OPTIONS_MESSAGE];
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    dm_out_line(stderr, "dm-replica: %s; see \"dm-replica --help\"", text);

    return DM_REPLICA_USAGE;
}


static void
dm_options_help(void)
{
    printf("usage: dm-replica [OPTION ...]\n"
           "\n"
           "Keeps the account store of this machine the same as those of its "
           "fleet.\n"
           "\n"
           "  --store PATH      the store, default $DM_SEC_STORE or\n"
           "                    %s\n"
           "  --key FILE        its key file, default $DM_SEC_STORE_KEY or\n"
           "                    %s\n"
           "  --authority FILE  the public key that entries are signed with,\n"
           "                    default %s\n"
           "  --engine CONNINFO\n"
           "                    PostgreSQL, as libpq reads it, default\n"
           "                    $DM_SEC_ENGINE or \"%s\",\n"
           "                    which $PGSERVICEFILE defines, default\n"
           "                    %s\n",
           DM_DEFAULT_STORE, DM_DEFAULT_KEY, DM_DEFAULT_AUTHORITY,
           DM_ENGINE_NODE, DM_ENGINE_SERVICES);

    printf("  --beat FILE       the key of beats: writes one where the last\n"
           "                    is older than 5 seconds\n"
           "  --ready FILE      is there while this machine has the state of\n"
           "                    the fleet, or had it a minute ago\n"
           "  --expect N:CHAIN  the place of another node, without which the\n"
           "                    engine is not believed\n"
           "  --poll SECONDS    looks at least so often, default %d\n"
           "  --once            comes to the head and ends\n"
           "  --bootstrap       gives up what is here and reads all from the\n"
           "                    engine, also where that is an older state\n"
           "  --owner USER[:GROUP]\n"
           "  --user USER       of a store that is made, as of init: whose\n"
           "                    workers read it, and whose it is\n"
           "  --syslog          logs there, and not to stderr\n"
           "  --json            the result of --once, and log lines, in JSON\n"
           "  --help\n"
           "  --version\n"
           "\n"
           "Where no store is, one is made, which root must do.  Started as\n"
           "root it becomes the user whose store it is.\n"
           "\n"
           "Exits with 0 when done, 1 when refused, 2 when misused.\n"
           "\n"
           "example:\n"
           "  dm-replica --once\n",
           DM_OPTIONS_POLL);
}
