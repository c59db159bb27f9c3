/* The wishes of dm-account add and set for an account, and their fulfilment */

#ifndef DM_ACCOUNT_APPLY_H
#define DM_ACCOUNT_APPLY_H

#include "account/cli_store.h"
#include "common/secret.h"


/* arguments of an option that may repeat, no more than an account has groups */
typedef struct {
    unsigned      n;
    const char   *value[DM_GROUPS];
} dm_edit_list_t;


typedef struct {
    size_t         len;
    unsigned char  data[DM_CERT_KEY_MAX];
} dm_edit_key_t;


/* the wishes of the command line, and the secrets that they led to */
typedef struct {
    int             add;                    /* set if 0 */

    const char     *name;
    const char     *password_file;
    int             generate_password;
    int             slow_hash;
    const char     *psk_identity;
    const char     *psk_file;
    int             generate_psk;
    const char     *not_before;
    const char     *not_after;
    int             disabled;
    int             if_absent;
    int             present;                /* and so it is left as it is */

    dm_edit_list_t  drop_psk;
    dm_edit_list_t  cert;
    dm_edit_list_t  cert_key;
    dm_edit_list_t  drop_cert_key;
    dm_edit_list_t  group;
    dm_edit_list_t  add_group;
    dm_edit_list_t  drop_group;

    int64_t         starts;
    int64_t         ends;
    unsigned        nkeys;
    dm_edit_key_t   key[DM_CERT_KEYS];
    dm_secret_t     password;               /* len 0: none */
    dm_secret_t     psk;
    char            crypt[DM_CRYPT_MAX];

    dm_account_t    before;                 /* as set found it */
} dm_edit_t;


/* a secret of the line of a batch, or else of a file: see secret.h */
int dm_cli_password(const dm_cli_t *cli, const char *path,
    dm_secret_t *secret, dm_err_t *err);
int dm_cli_psk(const dm_cli_t *cli, const char *path, dm_secret_t *secret,
    dm_err_t *err);

/*
 * Makes found the account cli->id as edit wants it: a new one or the one that
 * is there.  It points into edit and the command line.  The caller wipes found
 * in any case.
 */
int dm_apply_edit(dm_cli_t *cli, dm_edit_t *edit, dm_found_t *found);


#endif /* DM_ACCOUNT_APPLY_H */
