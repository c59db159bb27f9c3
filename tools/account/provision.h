/* The DM Account MO of one account, or of a list of them */

#ifndef DM_ACCOUNT_PROVISION_H
#define DM_ACCOUNT_PROVISION_H

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "account/cli_store.h"


typedef struct {
    dm_cli_t    *cli;
    int          tnds;
    const char  *server_id;                 /* each may be NULL */
    const char  *server_uri;
    const char  *server_name;
    const char  *psk_identity;
    const char  *cert_path;
    const char  *key_path;
    const char  *list;                      /* of accounts, or NULL */
    const char  *output;                    /* for a list */
    int          by_name;                   /* it has names, not ids */

    X509        *cert;
    EVP_PKEY    *key;
    json_t      *data;                      /* in Base64 */
    json_t      *secret;                    /* NULL: the device has it */
} dm_provision_t;


/*
 * Takes the PSK of the account into data and secret, which were NULL.  DM_OK;
 * DM_INVALID with err: it has none, or too many; DM_ERROR.
 */
int dm_provision_psk(dm_provision_t *pro, const dm_account_t *account,
    dm_err_t *err);

/* the MO as JSON, a new reference; NULL: out of memory */
json_t *dm_provision_json(const dm_provision_t *pro);

/* writes the MO as XML */
void dm_provision_tnds(FILE *out, const dm_provision_t *pro);

/* does it for all accounts of pro->list, or for none */
int dm_provision_list(dm_provision_t *pro);


#endif /* DM_ACCOUNT_PROVISION_H */
