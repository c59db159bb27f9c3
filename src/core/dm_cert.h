/* The keys under which a certificate finds its account */

#ifndef DM_CERT_H
#define DM_CERT_H


#include <openssl/x509.h>

#include "dm.h"
#include "dm_account.h"


/* kinds of keys, and their form in the store */
typedef enum {
    DM_CERT_FINGERPRINT,    /* sha256:HEX, of the DER, lower case */
    DM_CERT_ISSUER_SERIAL,  /* issuer-serial:DN#HEX, serial in lower-case hex
                               without leading zeros */
    DM_CERT_SAN,            /* san:URI:..., san:DNS:... (in lower case) */
    DM_CERT_SUBJECT         /* subject:DN */
} dm_cert_kind_t;

/*
 * So many URIs and DNS names are looked at: more than a device has ever been
 * seen with, and as many look-ups of what nobody has take some 0.9 ms, which
 * is what the handshake takes that brought the certificate.
 */
#define DM_CERT_NAMES_MAX  128


/*
 * The URIs and DNS names of a certificate, in its order; they lie in the
 * certificate, which must stay.
 */
typedef struct {
    const unsigned char  *p;
    const unsigned char  *last;
    unsigned              n;        /* so many were there */
} dm_cert_names_t;


/*
 * DNs are RFC 2253 as X509_NAME_print_ex() writes it with XN_FLAG_RFC2253
 * & ~ASN1_STRFLGS_ESC_MSB: like nginx's $ssl_client_s_dn, but with UTF-8 as
 * it is, where nginx writes "\C3\BC".
 */


/*
 * Writes the n-th key (from 0) of that kind into out[DM_CERT_KEY_MAX], with
 * no terminating NUL.  Only DM_CERT_SAN has more than one: those of
 * dm_cert_names_next().
 *
 * DM_OK; DM_DECLINED: no (further) such key: an empty DN, a key too long,
 * or the end of the names; DM_INVALID: this one has an embedded NUL, another
 * control character or what its type does not allow, is a negative serial
 * number, or a name that is empty or too long: it must never match, go on
 * with the next; DM_ERROR.
 */
int dm_cert_key(X509 *cert, dm_cert_kind_t kind, unsigned n,
    unsigned char *out, size_t *len);

/*
 * Begins with the names of a certificate.  It has none where the extension is
 * not as RFC 5280 wants it: there twice, or not in DER.
 */
void dm_cert_names(X509 *cert, dm_cert_names_t *names);

/*
 * Writes the key of the next URI or DNS name into out[DM_CERT_KEY_MAX], which
 * takes no memory, and for all of them no longer than to read the extension
 * once.  The same results as of dm_cert_key(), but for DM_ERROR; DM_DECLINED
 * also behind DM_CERT_NAMES_MAX of them.
 */
int dm_cert_names_next(dm_cert_names_t *names, unsigned char *out,
    size_t *len);

/* how many URIs and DNS names it has, those that are not looked at too */
unsigned dm_cert_names_count(X509 *cert);

/*
 * Brings a key as a person writes it into the form above: prefixes in their
 * case, hex in lower case without colons, a serial number without leading
 * zeros, DNS names in lower case, "\C3\BC" in a DN as UTF-8, "\22" as "\"".
 * A DN that OpenSSL would not print so (the slash form, a space after a comma),
 * and "\xHH", which is of a log, could never match and is refused.  out has
 * room for in.len.  DM_OK, or DM_INVALID with err.
 */
int dm_cert_key_canonical(dm_str_t in, unsigned char *out, size_t *len,
    dm_err_t *err);

/*
 * The subject in the form above, without a prefix, into out[max]; the same
 * results as dm_cert_key().
 */
int dm_cert_subject(X509 *cert, unsigned char *out, size_t max, size_t *len);


#endif /* DM_CERT_H */
