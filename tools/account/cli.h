/*
 * The frame of each verb of dm-account: its context, its options, and the
 * telling of errors.
 */

#ifndef DM_ACCOUNT_CLI_H
#define DM_ACCOUNT_CLI_H


#include <getopt.h>
#include <string.h>
#include <sys/types.h>

#include "dm_store_write.h"


#define DM_DEFAULT_STORE  "/var/lib/dm-sec/store"
#define DM_DEFAULT_KEY    "/etc/dm-sec/store.key"


/* exit statuses, and what most functions here return: DONE is "go on" */
#define DM_CLI_DONE     0
#define DM_CLI_REFUSED  1
#define DM_CLI_USAGE    2

/* no exit statuses: what to print, and then DONE */
#define DM_CLI_HELP     3
#define DM_CLI_VERSION  4


/*
 * Values of long options, above any character.  A verb's own begin at
 * DM_OPT_VERB, at most 48 of them; DM_OPT_MANY marks those that may repeat.
 */
enum {
    DM_OPT_JSON = 0x100,
    DM_OPT_HELP,
    DM_OPT_SECRET,
    DM_OPT_VERB = 0x110,
    DM_OPT_MANY = 0x1000
};

/* the end of each verb's table of options */
#define DM_CLI_OPTIONS                                                        \
    { "json", no_argument, NULL, DM_OPT_JSON },                               \
    { "help", no_argument, NULL, DM_OPT_HELP },                               \
    { NULL, 0, NULL, 0 }


#define DM_CLI_MESSAGE_MAX  2048    /* octets; a longer message is cut */
#define DM_CLI_USER_MAX     256


typedef struct dm_verb_s  dm_verb_t;


typedef struct {
    const char       *store_path;
    const char       *key_path;
    int               json;

    uid_t             uid;                  /* runs it, for syslog */
    char              user[DM_CLI_USER_MAX];
    char             *said;                 /* the last that was refused */

    const dm_verb_t  *verb;                 /* NULL before it is known */
    int               status;               /* of dm_cli_getopt() at its end */
    uint64_t          seen;                 /* options so far, as bits */

    dm_str_t          id;                   /* canonical, in id_buf */
    unsigned char     id_buf[DM_ID_MAX];

    dm_store_t       *store;
    int               writing;              /* a transaction is open */
    uint64_t          reserve;              /* room that it shall have */
    char              note[256];            /* for syslog, beside the id */
    dm_err_t          err;
} dm_cli_t;


struct dm_verb_s {
    const char           *name;
    const char           *args;             /* "ID [OPTION ...]" */
    const char           *summary;          /* one line */
    const char           *help;             /* each option, an example */
    const struct option  *options;
    int                 (*run)(dm_cli_t *cli, int argc, char **argv);
};


static inline dm_str_t
dm_cli_str(const char *s)
{
    return (dm_str_t) { (const unsigned char *) s, strlen(s) };
}


/* the two arguments of "%.*s" */
#define dm_cli_arg(s)  (int) (s).len, (const char *) (s).data


/*
 * The next option of the verb, its argument in optarg; 0 after the last one;
 * -1 if the verb must end now and return cli->status.
 */
int dm_cli_getopt(dm_cli_t *cli, const char *shorts,
    const struct option *options, int argc, char **argv);

/*
 * These read the rest of the command line behind the options: nothing, or one
 * ID, brought into cli->id.
 */
int dm_cli_no_operand(dm_cli_t *cli, int argc);
int dm_cli_id_operand(dm_cli_t *cli, int argc, char **argv);

/* reads the options of a verb that has none of its own, then one ID */
int dm_cli_only_id(dm_cli_t *cli, int argc, char **argv);


/* tell an error on stderr and return DM_CLI_REFUSED or DM_CLI_USAGE */
int dm_cli_refuse(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int dm_cli_usage(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* tells on stderr what is no error */
void dm_cli_warn(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The status of a verb that has made its change, rc being the result of
 * dm_json_print().
 */
int dm_cli_printed(const dm_cli_t *cli, int rc);


#endif /* DM_ACCOUNT_CLI_H */
