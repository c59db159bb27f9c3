/* dm_cert: keys of a certificate in DER, and keys as a person writes them */

#include "dm_cert.h"
#include "fuzz.h"


/* each is found from the first on */
#define FUZZ_CERT_NAMES  16


static void fuzz_certificate(const uint8_t *data, size_t size);
static void fuzz_written(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_certificate(data, size);
    fuzz_written(data, size);

    return 0;
}


static void
fuzz_certificate(const uint8_t *data, size_t size)
{
    int             rc;
    X509           *cert;
    size_t          len;
    unsigned        kind, n;
    unsigned char   key[DM_CERT_KEY_MAX];

    cert = d2i_X509(NULL, &data, (long) size);

    if (cert == NULL) {
        return;
    }

    for (kind = DM_CERT_FINGERPRINT; kind <= DM_CERT_SUBJECT; kind++) {
        for (n = 0; n <= FUZZ_CERT_NAMES; n++) {
            rc = dm_cert_key(cert, (dm_cert_kind_t) kind, n, key, &len);

            if (rc != DM_OK) {
                continue;
            }

            fuzz_must(len <= sizeof(key));
            fuzz_must(dm_account_check_cert_key((dm_str_t) { key, len }, NULL)
                      == DM_OK);
        }
    }

    X509_free(cert);
}


/* what is in the form of the store stays as it is */
static void
fuzz_written(const uint8_t *data, size_t size)
{
    size_t          len, again;
    unsigned char  *once, *twice;

    once = malloc(size ? size : 1);
    twice = malloc(size ? size : 1);
    fuzz_must(once != NULL && twice != NULL);

    if (dm_cert_key_canonical((dm_str_t) { data, size }, once, &len, NULL)
        == DM_OK)
    {
        fuzz_must(len <= size);
        fuzz_must(dm_cert_key_canonical((dm_str_t) { once, len }, twice,
                                        &again, NULL)
                  == DM_OK);
        fuzz_must(len == again && memcmp(once, twice, len) == 0);
    }

    free(once);
    free(twice);
}
