/* A device with an account, as bench/Fleet.pm made it, and its credentials */

#ifndef BENCH_DEVICE_H
#define BENCH_DEVICE_H


#include <stddef.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>


#define DEVICE_HEADER  512          /* octets of an Authorization, with NUL */


typedef struct {
    unsigned   account;
    char       name[32];
    char       ha1[2][65];          /* of MD5 and of SHA-256 */
    int        has_nonce;           /* of the server; else one of noughts */
    char       nonce[128];
    unsigned   nc;
} device_t;


typedef enum {
    DEVICE_RIGHT,
    DEVICE_WRONG,                   /* the password */
    DEVICE_FORGED                   /* the nonce */
} device_truth_t;


/* becomes that account's, without a nonce */
void device_set(device_t *device, unsigned account);

/* the number that bench/devices.c gave the certificate for a name */
unsigned device_common_name(X509 *cert);

/* a callback of OpenSSL's, for an SSL with a device_t as its app data */
unsigned device_psk(SSL *ssl, const char *hint, char *identity,
    unsigned max_identity, unsigned char *key, unsigned max_key);

/* the nonce of a challenge, if there is one: whether it is the first */
int device_challenged(device_t *device, const char *header);

/* each writes a line "Authorization", with its end, of DEVICE_HEADER at most */

void device_basic(unsigned account, device_truth_t truth, char *out);

/* RFC 7616, section 3.4.1, with the nonce that the device has */
void device_digest(device_t *device, int sha256, const char *method,
    const char *uri, device_truth_t truth, char *out);


#endif /* BENCH_DEVICE_H */
