/* Protocol versions, cipher suites and the named lists of them */

#ifndef DM_SUITE_H
#define DM_SUITE_H


#include <openssl/ssl.h>

#include "dm.h"


/* versions, as bits */
#define DM_SSLV3     0x01
#define DM_TLSV1     0x02
#define DM_TLSV1_1   0x04
#define DM_TLSV1_2   0x08
#define DM_TLSV1_3   0x10

#define DM_VERSIONS  5


/* bits for the ways in which the server of a suite authenticates */
#define DM_AUTH_RSA    0x01
#define DM_AUTH_ECDSA  0x02
#define DM_AUTH_PSK    0x04     /* a PSK callback (beside RSA for RSA_PSK) */
#define DM_AUTH_ANY    0x08     /* TLS 1.3: any certificate */


typedef struct {
    uint16_t     id;            /* IANA, as on the wire */
    const char  *iana;          /* "TLS_RSA_WITH_AES_128_CBC_SHA" */
    const char  *openssl;       /* "AES128-SHA", for cipher strings */
    unsigned     versions;      /* DM_TLSV1 | ... that can negotiate it */
    unsigned     auth;          /* DM_AUTH_RSA | ... */
} dm_suite_t;


/*
 * Asks the library for its suites.  A later call adds what a provider loaded
 * since (legacy has RC4) brings; what was returned before stays valid.
 * DM_OK or DM_ERROR.
 */
int dm_suite_init(dm_err_t *err);

/*
 * Loads the legacy provider, which has RC4, for the rest of the process, and
 * asks the library again.  Nothing is done where it is there already.  DM_OK
 * or DM_ERROR.
 */
int dm_suite_load_legacy(dm_err_t *err);

/* the bit of a name ("TLSv1.1"), 0 if there is none such */
unsigned dm_version_by_name(dm_str_t name);

/* the bit of a number (TLS1_1_VERSION), 0 if there is none such */
unsigned dm_version_by_number(int number);

/* "TLSv1.1", the name that SSL_get_version() uses; NULL for no single bit */
const char *dm_version_name(unsigned bit);

/* TLS1_1_VERSION; 0 for no single bit */
int dm_version_number(unsigned bit);

/* the bits that this OpenSSL can negotiate, once dm_suite_init() asked it */
unsigned dm_version_available(void);

/*
 * A suite by its IANA name ("SSL_..." is accepted for "TLS_..."), by its
 * OpenSSL name, or by its number.  NULL if this library cannot do it, or if
 * it is NULL, EXPORT, anonymous or with MD5: those do not exist here.
 */
const dm_suite_t *dm_suite_by_name(dm_str_t name);
const dm_suite_t *dm_suite_by_id(uint16_t id);

/* the suites that there are: the n-th, from 0, NULL past the last; and back */
const dm_suite_t *dm_suite_at(size_t n);
size_t dm_suite_index(const dm_suite_t *suite);

/* 1 if the standard or IANA knows the name but it is forbidden (NULL, EXPORT,
   anonymous), for a better message; else 0 */
int dm_suite_forbidden(dm_str_t name);

/* 1: RC4 or 3DES, which are served on SSL 3.0 sessions only; else 0 */
int dm_suite_weak(const dm_suite_t *suite);
int dm_suite_weak_cipher(const SSL_CIPHER *cipher);

/*
 * The IANA names of a list ("DM-X509"), NULL-terminated and in its order of
 * preference, whether the library can do them or not; NULL if there is no
 * such list.
 */
const char *const *dm_suite_list(dm_str_t name);


/*
 * A profile: versions and lists.  NULL if there is none such.
 */
typedef struct {
    const char         *name;
    unsigned            versions;
    const char *const  *lists;      /* NULL-terminated list names */
} dm_profile_t;

const dm_profile_t *dm_profile_by_name(dm_str_t name);


#endif /* DM_SUITE_H */
