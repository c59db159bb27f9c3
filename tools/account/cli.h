/*
 * What every verb of dm-account shares: its context, its options, the store,
 * and how results, errors and changes are told.
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

/* what ends each table of options */
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

    uid_t             uid;                  /* who runs it, for syslog */
    char              user[DM_CLI_USER_MAX];
    char             *said;                 /* the last that was refused */

    const dm_verb_t  *verb;                 /* NULL before it is known */
    int               status;               /* why dm_cli_getopt() ended */
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


/* an account and the record that it points into */
typedef struct {
    dm_account_t      account;
    size_t            len;
    unsigned char     record[DM_RECORD_MAX];
} dm_found_t;


static inline dm_str_t
dm_cli_str(const char *s)
{
    return (dm_str_t) { (const unsigned char *) s, strlen(s) };
}


/* for "%.*s" */
#define dm_cli_arg(s)  (int) (s).len, (const char *) (s).data


/*
 * The next option of the verb, its argument in optarg; 0 after the last one;
 * -1 if the verb must end now and return cli->status.
 */
int dm_cli_getopt(dm_cli_t *cli, const char *shorts,
    const struct option *options, int argc, char **argv);

/* what stands after the options: nothing, or one ID, brought into cli->id */
int dm_cli_no_operand(dm_cli_t *cli, int argc);
int dm_cli_id_operand(dm_cli_t *cli, int argc, char **argv);

/* for verbs without options of their own: reads them, then one ID */
int dm_cli_only_id(dm_cli_t *cli, int argc, char **argv);


/* opens the store; with DM_STORE_WRITE a transaction too */
int dm_cli_open(dm_cli_t *cli, dm_store_mode_t mode);

/*
 * Opens the store at another path, and begins no transaction.  Root reads the
 * key, and then becomes the store's user for good: see user.h.
 * What only root can read or write is opened before.
 */
int dm_cli_open_at(dm_cli_t *cli, const char *path, dm_store_mode_t mode);

/*
 * A page of a mapped file cannot fail, there is a signal instead: SIGBUS where
 * the disk is full or the file was cut short (each opened store is guarded
 * from it), SIGSEGV or SIGABRT in LMDB where it is damaged.  From here on the
 * process says so and exits.
 */
void dm_cli_guard(const dm_cli_t *cli, int sig);

/* the account cli->id; the caller wipes found in any case */
int dm_cli_find(dm_cli_t *cli, dm_found_t *found);

/* tells that there is no account cli->id: DM_CLI_REFUSED */
int dm_cli_absent(const dm_cli_t *cli);

/* dm_store_lookup(), and DM_ERROR is told: DM_OK, DM_DECLINED or DM_ERROR */
int dm_cli_lookup(dm_cli_t *cli, dm_store_index_t index, dm_str_t key,
    dm_found_t *found);

void dm_cli_wipe(dm_found_t *found);

/* puts the account and ends the transaction as dm_cli_commit() does */
int dm_cli_put(dm_cli_t *cli, const dm_account_t *account);

/* commits the transaction and tells syslog */
int dm_cli_commit(dm_cli_t *cli);

/* who runs this: before anything else */
void dm_cli_who(dm_cli_t *cli);

/*
 * Tells syslog who did what to cli->id, with cli->note, and at the end of a
 * run that it was refused or misused, and why, without the words of the command
 * line.  Where syslog cannot be had, that is said on stderr, once.
 */
void dm_cli_audit(const dm_cli_t *cli);
void dm_cli_audit_end(const dm_cli_t *cli, int status, int argc,
    char **argv);

/* ends a transaction that was not committed, closes the store */
void dm_cli_close(dm_cli_t *cli);


/* tell an error on stderr and return DM_CLI_REFUSED or DM_CLI_USAGE */
int dm_cli_refuse(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int dm_cli_usage(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* tells on stderr what is no error */
void dm_cli_warn(const dm_cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* for rc of dm_json_print(), when the change is already made */
int dm_cli_printed(const dm_cli_t *cli, int rc);


/* the verbs */
extern const dm_verb_t  dm_verb_init;
extern const dm_verb_t  dm_verb_add;
extern const dm_verb_t  dm_verb_set;
extern const dm_verb_t  dm_verb_disable;
extern const dm_verb_t  dm_verb_enable;
extern const dm_verb_t  dm_verb_unlock;
extern const dm_verb_t  dm_verb_del;
extern const dm_verb_t  dm_verb_show;
extern const dm_verb_t  dm_verb_list;
extern const dm_verb_t  dm_verb_verify;
extern const dm_verb_t  dm_verb_import;
extern const dm_verb_t  dm_verb_export;
extern const dm_verb_t  dm_verb_check;
extern const dm_verb_t  dm_verb_backup;
extern const dm_verb_t  dm_verb_restore;
extern const dm_verb_t  dm_verb_rekey;
extern const dm_verb_t  dm_verb_provision;


#endif /* DM_ACCOUNT_CLI_H */
