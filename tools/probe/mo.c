/* The DM Account MO of a device, as JSON: what dm-account provision writes */

#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "probe/mo.h"


#define DM_MO_URN  "urn:oma:mo:oma-dm-dmacc:"


/* octets that were Base64 */
typedef struct {
    unsigned char  *data;
    size_t          len;
    size_t          size;
} dm_mo_octets_t;


static int dm_mo_read_root(dm_mo_t *mo, const json_t *root, dm_err_t *err);
static const json_t *dm_mo_node(const json_t *root);
static const json_t *dm_mo_instance(const json_t *data);
static int dm_mo_read_node(dm_mo_t *mo, const json_t *node, dm_err_t *err);
static int dm_mo_read_data(dm_mo_t *mo, const json_t *trsp, dm_err_t *err);
static int dm_mo_read_secret(dm_mo_t *mo, const json_t *trsp, dm_err_t *err);
static int dm_mo_key(dm_mo_t *mo, const dm_mo_octets_t *octets,
    dm_err_t *err);
static int dm_mo_octets(const json_t *value, dm_mo_octets_t *octets,
    const char *what, dm_err_t *err);
static int dm_mo_decode(const char *text, size_t len,
    dm_mo_octets_t *octets);
static void dm_mo_free(dm_mo_octets_t *octets);


int
dm_mo_read(dm_mo_t *mo, const unsigned char *data, size_t len, dm_err_t *err)
{
    int           rc;
    json_t       *root;
    json_error_t  error;

    memset(mo, 0, sizeof(dm_mo_t));

    /* jansson quotes what it stumbles over, which may be a secret */
    root = json_loadb((const char *) data, len, JSON_REJECT_DUPLICATES,
                      &error);

    if (root == NULL) {
        dm_err_set(err, "it is no JSON, from line %d on", error.line);
        return DM_INVALID;
    }

    rc = dm_mo_read_root(mo, root, err);

    json_decref(root);

    if (rc != DM_OK) {
        dm_mo_wipe(mo);
    }

    return rc;
}


void
dm_mo_wipe(dm_mo_t *mo)
{
    X509_free(mo->cert);
    EVP_PKEY_free(mo->key);
    OPENSSL_cleanse(mo, sizeof(dm_mo_t));
}


static int
dm_mo_read_root(dm_mo_t *mo, const json_t *root, dm_err_t *err)
{
    const json_t  *node, *trsp;

    node = dm_mo_node(root);

    if (node == NULL) {
        dm_err_set(err, "it is no MO in JSON whose ClientURI begins with "
                   "\"" DM_MO_URN "\": \"dm-account provision ID\" writes "
                   "one");
        return DM_INVALID;
    }

    if (dm_mo_read_node(mo, node, err) != DM_OK) {
        return DM_INVALID;
    }

    trsp = json_object_get(json_object_get(node, "Auth"), "Trsp");

    if (!json_is_object(trsp)) {
        dm_err_set(err, "it has no Auth/Trsp, and so no credentials");
        return DM_INVALID;
    }

    if (dm_mo_read_data(mo, trsp, err) != DM_OK) {
        return DM_INVALID;
    }

    return dm_mo_read_secret(mo, trsp, err);
}


/* the one node in MOData of the first MO that is a DM account */
static const json_t *
dm_mo_node(const json_t *root)
{
    size_t         i;
    const char    *uri;
    const json_t  *mo;

    for (i = 0; i < json_array_size(root); i++) {
        mo = json_array_get(root, i);
        uri = json_string_value(json_object_get(mo, "ClientURI"));

        if (uri != NULL && strncmp(uri, DM_MO_URN, strlen(DM_MO_URN)) == 0) {
            return dm_mo_instance(json_object_get(mo, "MOData"));
        }
    }

    return NULL;
}


static const json_t *
dm_mo_instance(const json_t *data)
{
    void  *iter;

    if (json_object_size(data) != 1) {
        return NULL;
    }

    iter = json_object_iter((json_t *) data);

    return json_is_object(json_object_iter_value(iter))
               ? json_object_iter_value(iter) : NULL;
}


static int
dm_mo_read_node(dm_mo_t *mo, const json_t *node, dm_err_t *err)
{
    size_t         len;
    const json_t  *uri;

    uri = json_object_get(node, "SrvURI");

    if (uri == NULL) {
        return DM_OK;
    }

    len = json_string_length(uri);

    if (len == 0 || len >= sizeof(mo->uri)
        || strlen(json_string_value(uri)) != len)
    {
        dm_err_set(err, "SrvURI is not a string of 1 to %zu octets",
                   sizeof(mo->uri) - 1);
        return DM_INVALID;
    }

    memcpy(mo->uri, json_string_value(uri), len + 1);

    return DM_OK;
}


/* a certificate is DER; what is none is the identity of a PSK */
static int
dm_mo_read_data(dm_mo_t *mo, const json_t *trsp, dm_err_t *err)
{
    int                   rc;
    dm_str_t              identity;
    dm_mo_octets_t        octets;
    const unsigned char  *p;

    rc = dm_mo_octets(json_object_get(trsp, "Data"), &octets,
                      "Auth/Trsp/Data", err);

    if (rc != DM_OK) {
        return rc;
    }

    p = octets.data;
    mo->cert = d2i_X509(NULL, &p, (long) octets.len);
    ERR_clear_error();

    if (mo->cert != NULL && p == octets.data + octets.len) {
        dm_mo_free(&octets);
        return DM_OK;
    }

    X509_free(mo->cert);
    mo->cert = NULL;

    identity = (dm_str_t) { octets.data, octets.len };

    rc = dm_text_check(identity, DM_PSK_IDENTITY_MAX, "Auth/Trsp/Data, which "
                       "is no certificate and so a PSK identity,", err);

    if (rc == DM_OK) {
        mo->has_psk = 1;
        memcpy(mo->psk.identity, octets.data, octets.len);
    }

    dm_mo_free(&octets);

    return rc;
}


static int
dm_mo_read_secret(dm_mo_t *mo, const json_t *trsp, dm_err_t *err)
{
    int             rc;
    const json_t   *secret;
    dm_mo_octets_t  octets;

    secret = json_object_get(trsp, "Secret");

    if (secret == NULL && mo->cert != NULL) {
        return DM_OK;
    }

    rc = dm_mo_octets(secret, &octets, "Auth/Trsp/Secret", err);

    if (rc != DM_OK) {
        return rc;
    }

    if (mo->cert != NULL) {
        rc = dm_mo_key(mo, &octets, err);

    } else if (octets.len < DM_PSK_MIN || octets.len > DM_PSK_MAX) {
        dm_err_set(err, "Auth/Trsp/Secret is not a PSK of %d to %d octets",
                   DM_PSK_MIN, DM_PSK_MAX);
        rc = DM_INVALID;

    } else {
        memcpy(mo->psk.key.data, octets.data, octets.len);
        mo->psk.key.len = octets.len;
    }

    dm_mo_free(&octets);

    return rc;
}


static int
dm_mo_key(dm_mo_t *mo, const dm_mo_octets_t *octets, dm_err_t *err)
{
    const unsigned char  *p;

    p = octets->data;
    mo->key = d2i_AutoPrivateKey(NULL, &p, (long) octets->len);

    if (mo->key == NULL || X509_check_private_key(mo->cert, mo->key) != 1) {
        ERR_clear_error();
        dm_err_set(err, "Auth/Trsp/Secret is not the private key of the "
                   "certificate in Auth/Trsp/Data");
        return DM_INVALID;
    }

    return DM_OK;
}


/* reads octets in Base64; on DM_OK the caller frees them */
static int
dm_mo_octets(const json_t *value, dm_mo_octets_t *octets, const char *what,
    dm_err_t *err)
{
    size_t  len;

    len = json_string_length(value);

    if (len == 0) {
        dm_err_set(err, "%s is missing, or empty", what);
        return DM_INVALID;
    }

    octets->size = len + 1;
    octets->data = OPENSSL_zalloc(octets->size);

    if (octets->data == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    if (dm_mo_decode(json_string_value(value), len, octets) != DM_OK) {
        dm_mo_free(octets);
        dm_err_set(err, "%s is not Base64", what);
        return DM_INVALID;
    }

    return DM_OK;
}


/* RFC 4648, section 4: as it would be written again */
static int
dm_mo_decode(const char *text, size_t len, dm_mo_octets_t *octets)
{
    int             n, same;
    unsigned char  *again;

    if (len % 4 != 0 || strlen(text) != len) {
        return DM_INVALID;
    }

    n = EVP_DecodeBlock(octets->data, (const unsigned char *) text,
                        (int) len);

    if (n <= 0) {
        return DM_INVALID;
    }

    octets->len = (size_t) n - (text[len - 1] == '=')
                             - (text[len - 2] == '=');

    again = OPENSSL_malloc(len + 1);

    if (again == NULL) {
        return DM_INVALID;
    }

    (void) EVP_EncodeBlock(again, octets->data, (int) octets->len);
    same = (CRYPTO_memcmp(again, text, len) == 0);

    OPENSSL_clear_free(again, len + 1);

    return same && octets->len > 0 ? DM_OK : DM_INVALID;
}


static void
dm_mo_free(dm_mo_octets_t *octets)
{
    OPENSSL_clear_free(octets->data, octets->size);
}
