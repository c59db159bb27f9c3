/* A device with an account, as bench/Fleet.pm made it, and its credentials */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common.h"
#include "device.h"


static void
hash_hex(const EVP_MD *md, const char *text, char *out)
{
    unsigned       i, n;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (EVP_Digest(text, strlen(text), hash, &n, md, NULL) != 1) {
        die("no such hash:", EVP_MD_get0_name(md));
    }

    for (i = 0; i < n; i++) {
        *out++ = "0123456789abcdef"[hash[i] >> 4];
        *out++ = "0123456789abcdef"[hash[i] & 15];
    }

    *out = '\0';
}


void
device_set(device_t *device, unsigned account)
{
    char  secret[64];

    device->account = account;
    device->nc = 0;

    (void) snprintf(device->name, sizeof(device->name), "device%06u", account);
    (void) snprintf(secret, sizeof(secret), "%s:bench:password%06u",
                    device->name, account);
    hash_hex(EVP_md5(), secret, device->ha1[0]);
    hash_hex(EVP_sha256(), secret, device->ha1[1]);

    device->has_nonce = 0;
    (void) snprintf(device->nonce, sizeof(device->nonce), "%032u", 0u);
}


unsigned
device_common_name(X509 *cert)
{
    int                 i;
    const X509_NAME    *subject;
    const ASN1_STRING  *name;

    subject = X509_get_subject_name(cert);
    i = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (i < 0) {
        die("no common name in", "a certificate");
    }

    name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));

    /* OpenSSL puts a NUL behind the octets of a string */

    return (unsigned) strtoul((const char *) ASN1_STRING_get0_data(name),
                              NULL, 10);
}


unsigned
device_psk(SSL *ssl, const char *hint, char *identity, unsigned max_identity,
    unsigned char *key, unsigned max_key)
{
    char       text[16];
    unsigned   len;
    device_t  *device;

    (void) hint;

    device = SSL_get_app_data(ssl);

    (void) snprintf(identity, max_identity, "psk%06u", device->account);
    (void) snprintf(text, sizeof(text), "key%06u", device->account);

    if (max_key < 32
        || EVP_Digest(text, strlen(text), key, &len, EVP_sha256(), NULL) != 1)
    {
        die("no", "SHA-256");
    }

    return len;
}


void
device_basic(unsigned account, device_truth_t truth, char *out)
{
    int            len;
    char           plain[48];
    unsigned char  base64[80];

    len = snprintf(plain, sizeof(plain), "device%06u:%s%06u", account,
                   truth == DEVICE_RIGHT ? "password" : "Password", account);
    (void) EVP_EncodeBlock(base64, (unsigned char *) plain, len);
    (void) snprintf(out, DEVICE_HEADER, "Authorization: Basic %s\r\n", base64);
}


int
device_challenged(device_t *device, const char *header)
{
    const char  *p;

    p = strstr(header, "nonce=\"");

    if (device->has_nonce
        || p == NULL
        || sscanf(p, "nonce=\"%127[^\"]", device->nonce) != 1)
    {
        return 0;
    }

    device->has_nonce = 1;
    device->nc = 0;

    return 1;
}


void
device_digest(device_t *device, int sha256, const char *method,
    const char *uri, device_truth_t truth, char *out)
{
    char           ha2[65], response[65], text[320], nonce[128], *p;
    const EVP_MD  *md;

    md = sha256 ? EVP_sha256() : EVP_md5();
    memcpy(nonce, device->nonce, sizeof(nonce));

    if (truth == DEVICE_FORGED) {
        p = nonce + strlen(nonce) / 2;
        *p = (*p == 'a') ? 'b' : 'a';
    }

    (void) snprintf(text, sizeof(text), "%s:%s", method, uri);
    hash_hex(md, text, ha2);
    (void) snprintf(text, sizeof(text), "%s:%s:%08x:c:auth:%s",
                    device->ha1[sha256], nonce, ++device->nc, ha2);
    hash_hex(md, text, response);

    if (truth == DEVICE_WRONG) {
        response[0] = (response[0] == 'a') ? 'b' : 'a';
    }

    (void) snprintf(out, DEVICE_HEADER, "Authorization: Digest "
                    "username=\"%s\", realm=\"bench\", nonce=\"%s\", "
                    "uri=\"%s\", algorithm=%s, qop=auth, nc=%08x, "
                    "cnonce=\"c\", response=\"%s\"\r\n", device->name, nonce,
                    uri, sha256 ? "SHA-256" : "MD5", device->nc, response);
}
