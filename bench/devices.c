/*
 * usage: devices CA_CERTIFICATE CA_KEY KEY NUMBER ...
 *
 * Prints, for each number, a line with it and with the SHA-256 fingerprint of
 * the certificate that follows: the number is its common name, KEY its key.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common.h"


const char  bench_name[] = "devices";


static EVP_PKEY *
read_key(const char *file)
{
    BIO       *bio;
    EVP_PKEY  *key;

    bio = BIO_new_file(file, "r");
    key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    if (key == NULL) {
        die("cannot read", file);
    }

    BIO_free(bio);

    return key;
}


static X509 *
read_certificate(const char *file)
{
    BIO   *bio;
    X509  *cert;

    bio = BIO_new_file(file, "r");
    cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

    if (cert == NULL) {
        die("cannot read", file);
    }

    BIO_free(bio);

    return cert;
}


static X509 *
make_certificate(const char *number, EVP_PKEY *key, X509 *ca,
    EVP_PKEY *ca_key)
{
    X509       *cert;
    X509_NAME  *name;

    cert = X509_new();
    name = X509_NAME_new();

    if (cert == NULL
        || name == NULL
        || X509_set_version(cert, X509_VERSION_3) != 1
        || ASN1_INTEGER_set(X509_get_serialNumber(cert),
                            strtol(number, NULL, 10) + 1) != 1
        || X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL
        || X509_gmtime_adj(X509_getm_notAfter(cert), 86400) == NULL
        || X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *) number,
                                      -1, -1, 0) != 1
        || X509_set_subject_name(cert, name) != 1
        || X509_set_issuer_name(cert, X509_get_subject_name(ca)) != 1
        || X509_set_pubkey(cert, key) != 1
        || X509_sign(cert, ca_key, EVP_sha256()) <= 0)
    {
        die("cannot make certificate", number);
    }

    X509_NAME_free(name);

    return cert;
}


static void
print_certificate(const char *number, X509 *cert)
{
    unsigned       i, len;
    unsigned char  hash[EVP_MAX_MD_SIZE];

    if (X509_digest(cert, EVP_sha256(), hash, &len) != 1) {
        die("cannot hash certificate", number);
    }

    printf("%s ", number);

    for (i = 0; i < len; i++) {
        printf("%02x", hash[i]);
    }

    printf("\n");

    if (PEM_write_X509(stdout, cert) != 1) {
        die("cannot write certificate", number);
    }
}


int
main(int argc, char **argv)
{
    int        i;
    X509      *ca, *cert;
    EVP_PKEY  *ca_key, *key;

    if (argc < 5) {
        die("usage: devices", "CA_CERTIFICATE CA_KEY KEY NUMBER ...");
    }

    ca = read_certificate(argv[1]);
    ca_key = read_key(argv[2]);
    key = read_key(argv[3]);

    for (i = 4; i < argc; i++) {
        cert = make_certificate(argv[i], key, ca, ca_key);
        print_certificate(argv[i], cert);
        X509_free(cert);
    }

    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    X509_free(ca);

    return 0;
}
