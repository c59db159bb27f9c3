/* A line of an import, whatever its format */

#ifndef DM_ACCOUNT_ENTRY_H
#define DM_ACCOUNT_ENTRY_H


#include <jansson.h>

#include "account/cli_store.h"
#include "account/map.h"
#include "account/seen.h"
#include "common/secret.h"


/* the fields that a line may name; an account keeps those that it does not */
#define DM_ENTRY_ID          0x0001
#define DM_ENTRY_NAME        0x0002
#define DM_ENTRY_STATE       0x0004
#define DM_ENTRY_GROUPS      0x0008
#define DM_ENTRY_NOT_BEFORE  0x0010
#define DM_ENTRY_NOT_AFTER   0x0020
#define DM_ENTRY_DIGEST      0x0040
#define DM_ENTRY_CRYPT       0x0080
#define DM_ENTRY_PSK         0x0100
#define DM_ENTRY_CERT_KEYS   0x0200
#define DM_ENTRY_PASSWORD    0x0400
#define DM_ENTRY_ONE_HA1     0x0800         /* no other of digest */
#define DM_ENTRY_ONE_PSK     0x1000         /* beside another */


/* the parts of an import that the reading of a line needs */
typedef struct {
    dm_map_t        map;                    /* the file of --id-map */
    dm_str_t        realm;                  /* the store's */
    int             one_realm;              /* lines of others do not count */
    int             first;                  /* all lines before were passed */
    int             ended;                  /* no line behind is to be read */
    uint64_t        number;                 /* of the line */
    int             mark;                   /* a byte order mark begins it */
    struct dm_columns_s  *columns;          /* of a CSV file, see entry_csv.h */
} dm_entry_file_t;


typedef struct {
    unsigned          has;                  /* DM_ENTRY_ bits */
    dm_account_t      account;              /* the fields named */
    dm_store_index_t  by;                   /* an update looks for this first,
                                               and then for the id */
    dm_secret_t       password;

    json_t           *json;                 /* strings point into it */
    unsigned char     id[DM_ID_MAX];
    unsigned char     psk[DM_PSKS][DM_PSK_MAX];
    unsigned char     identity[DM_PSK_IDENTITY_MAX];
    unsigned char     cert_key[DM_CERT_KEYS][DM_CERT_KEY_MAX];
} dm_entry_t;


/*
 * Parse a line into an entry, which points into the line, the map and itself,
 * and which the caller wipes in any case.  DM_OK; DM_DECLINED: there is no
 * account in the line; DM_INVALID, and err says what is wrong, without any
 * secret; DM_ERROR: with the whole file, so that no line of it is to be read.
 * Where what is wrong leaves open which of the next lines begin an account,
 * file->ended is 1, too: they may be a part of this one.
 */
int dm_entry_parse_jsonl(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err);
int dm_entry_parse_csv(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err);
int dm_entry_parse_htpasswd(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err);
int dm_entry_parse_htdigest(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err);
int dm_entry_parse_psk(dm_entry_t *entry, dm_str_t line,
    dm_entry_file_t *file, dm_err_t *err);

/* sets what the fields of entry->json, an object, say.  DM_OK or DM_INVALID */
int dm_entry_from_json(dm_entry_t *entry, dm_err_t *err);

/* sets the id in its canonical form.  DM_OK or DM_INVALID */
int dm_entry_set_id(dm_entry_t *entry, dm_str_t id, dm_err_t *err);

/*
 * Sets the name, and the id that the map says; where it says nothing, the
 * account is the one of that name, or a new one with the name as its id.
 * DM_OK or DM_INVALID.
 */
int dm_entry_set_user(dm_entry_t *entry, dm_str_t user, dm_map_t *map,
    dm_err_t *err);

/* sets the password in clear.  DM_OK or DM_INVALID */
int dm_entry_set_password(dm_entry_t *entry, dm_str_t password,
    dm_err_t *err);

/* str up to its first colon, or all of it */
dm_str_t dm_entry_until_colon(dm_str_t str);

/*
 * Looks whether a line of an htpasswd or htdigest file has a user.  DM_OK;
 * DM_DECLINED: it is blank, or a comment; DM_INVALID: a comment that servers
 * read differently.
 */
int dm_entry_has_user(dm_str_t line, dm_entry_file_t *file, dm_err_t *err);

/*
 * Looks whether such a line, which is not empty, ends where it ends to each
 * server.  DM_OK, or DM_INVALID, and the file has ended.
 */
int dm_entry_is_whole(dm_str_t line, dm_entry_file_t *file, dm_err_t *err);

/*
 * Looks whether str neither begins nor ends with a blank, as far as
 * dm_input_blank_ends() calls it so.  DM_OK, or DM_INVALID and err starts with
 * what.
 */
int dm_entry_check_ends(dm_str_t str, const char *what, dm_err_t *err);

/*
 * Makes found the account that the entry asks for: a new one, or with update
 * the one that is there, changed.  Where a line that is seen set what the entry
 * sets, it is DM_INVALID; an account of which it set another part is changed
 * without update, too.  The caller wipes found in any case.  *added is 1 if it
 * is new, 0 if it was there and -1 if a line that is seen made or changed it.
 * DM_OK, DM_INVALID, DM_EXISTS or DM_ERROR.
 */
int dm_entry_apply(const dm_entry_t *entry, dm_store_t *store, int update,
    const dm_seen_t *seen, dm_found_t *found, int *added, dm_err_t *err);

/*
 * Puts the account that was made so into the store, and what the entry of that
 * line has set of it into seen.  *same is 1 if the account was so already, and
 * then it is not written; NULL: it is new.  DM_OK, DM_INVALID, DM_EXISTS or
 * DM_ERROR.
 */
int dm_entry_put(const dm_entry_t *entry, dm_store_t *store,
    const dm_account_t *account, uint64_t line, dm_seen_t *seen, int *same,
    dm_err_t *err);

void dm_entry_wipe(dm_entry_t *entry);


#endif /* DM_ACCOUNT_ENTRY_H */
