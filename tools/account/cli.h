/*
 * The frame of each verb of dm-account: its context, its options, and the
 * telling of errors.
 */

#ifndef DM_ACCOUNT_CLI_H
#define DM_ACCOUNT_CLI_H


#include <getopt.h>
#include <jansson.h>
#include <string.h>
#include <sys/types.h>

#include <openssl/x509.h>

#include "dm_store_count.h"
#include "dm_store_write.h"
#include "account/code.h"


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
    DM_OPT_NAMED_NAME,             /* those that name an account: named.h */
    DM_OPT_NAMED_PSK,
    DM_OPT_NAMED_CERT_KEY,
    DM_OPT_NAMED_CERT,
    DM_OPT_DRY_RUN,
    DM_OPT_VERB = 0x110,
    DM_OPT_MANY = 0x1000
};

/* the end of each verb's table of options */
#define DM_CLI_OPTIONS                                                        \
    { "json", no_argument, NULL, DM_OPT_JSON },                               \
    { "help", no_argument, NULL, DM_OPT_HELP },                               \
    { NULL, 0, NULL, 0 }


/* of a verb that changes accounts: dm_cli_commit() heeds it */
#define DM_CLI_DRY_RUN                                                        \
    { "dry-run", no_argument, NULL, DM_OPT_DRY_RUN }

#define DM_CLI_HELP_DRY_RUN                                                   \
    "  --dry-run              do all but write: say what would be done\n"


#define DM_CLI_MESSAGE_MAX  2048    /* octets; a longer message is cut */
#define DM_CLI_USER_MAX     256
#define DM_WAITS_WHO        64      /* octets: "process 1234" */


typedef struct dm_verb_s       dm_verb_t;
typedef struct dm_authority_s  dm_authority_t;


/* the account as the command line names it, see named.h */
typedef struct {
    int               opt;                  /* DM_OPT_NAMED_...; 0: by its ID */
    const char       *value;                /* as it is written there */
    X509             *cert;                 /* that of DM_OPT_NAMED_CERT */
    dm_str_t          key;                  /* to look for */
    unsigned char     buf[DM_CERT_KEY_MAX]; /* where that may lie */
} dm_named_t;


/* a line of dm-account batch */
typedef struct {
    dm_code_e         code;                 /* of what was refused */
    json_t           *result;               /* of what was not */
    const char       *password;             /* given in it, or NULL */
    const char       *psk;                  /* in hex */
    int               written;              /* in the open transaction */
} dm_cli_line_t;


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

    dm_named_t        named;
    dm_str_t          id;                   /* canonical, in id_buf; of an */
    unsigned char     id_buf[DM_ID_MAX];    /* account that was looked up */

    int               batch;                /* opens with DM_STORE_BATCH */
    int               import;               /* or with DM_STORE_IMPORT */
    dm_store_t       *store;
    dm_store_mode_t   mode;                 /* that it is open in */
    dm_keys_t         keys;                 /* to open it to be written later */
    int               writing;              /* a transaction is open */
    int               changed;              /* one was committed */
    int               newer_told;           /* a newer version wrote before */
    dm_challenge_t    challenge;            /* of Digest, when one began */
    int               same;                 /* nothing had to be changed */
    int               dry_run;
    int               hasty;                /* it does not wait for a writer: */
    char              beside[DM_WAITS_WHO]; /* this one; "": there is none */
    int               here;                 /* for this node alone: --here */
    int               apart;                /* a store that follows is changed
                                               without its log */
    dm_authority_t   *authority;            /* NULL: it was not read */
    dm_cli_line_t    *line;                 /* NULL: no batch */
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

/* looks whether nothing is left of the command line behind the options */
int dm_cli_no_operand(dm_cli_t *cli, int argc);


/*
 * Tell an error on stderr and return DM_CLI_REFUSED or DM_CLI_USAGE, whose code
 * is DM_CODE_USAGE.  Nothing else refuses.
 */
int dm_cli_refuse(const dm_cli_t *cli, dm_code_e code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int dm_cli_usage(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* warns of a password of the file path that begins or ends with a blank */
void dm_cli_warn_blank(const dm_cli_t *cli, const char *path,
    dm_str_t password);

/* tells on stderr what is no error */
void dm_cli_warn(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The status of a verb that has printed its result, rc being that of
 * dm_json_print().
 */
int dm_cli_printed(const dm_cli_t *cli, int rc);

/*
 * Writes out what was printed.  DM_CLI_DONE, or DM_CLI_REFUSED where not all of
 * it could be: it says whether the change was made by then.
 */
int dm_cli_shown(const dm_cli_t *cli);

/*
 * Prints what a verb did to cli->id, a reference that it gives up, with
 * "changed" and "dry_run" in it; and the same for people, to stand behind what
 * was done.
 */
int dm_cli_result(const dm_cli_t *cli, json_t *json);

/* the same of what is done to all of a store, without "changed" */
int dm_cli_outcome(const dm_cli_t *cli, json_t *json);

/* prints json as it is, which may be NULL where there was no memory */
int dm_cli_show(const dm_cli_t *cli, json_t *json);
const char *dm_cli_remark(const dm_cli_t *cli);

/* 1 if accounts were disabled beside another writer, see cli_store.h; else 0 */
int dm_cli_is_beside(const dm_cli_t *cli);


#endif /* DM_ACCOUNT_CLI_H */
