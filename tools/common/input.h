/* Files and values that a person hands to dm-account or to dm-probe */

#ifndef DM_COMMON_INPUT_H
#define DM_COMMON_INPUT_H


#include <openssl/evp.h>
#include <openssl/x509.h>

#include "dm_account.h"


/*
 * Reads all of a file, "-" being stdin.  DM_OK; DM_INVALID with err: it cannot
 * be read, or has size octets or more.  The caller wipes buf.
 */
int dm_input_read(const char *path, unsigned char *buf, size_t size,
    size_t *len, dm_err_t *err);

/*
 * Looks at the start of the text of the file path.  DM_OK; DM_INVALID with
 * err: it is UTF-16, or UTF-32.
 */
int dm_input_not_utf16(const char *path, const unsigned char *text,
    size_t len, dm_err_t *err);

/*
 * 1 if text begins or ends with what looks like nothing: a blank, a tab or
 * what is DM_TEXT_MISLEADING, else 0.
 */
int dm_input_blank_ends(dm_str_t text);

/*
 * Writes into hint, behind what says that nobody is called text, that this has
 * something which nobody sees; "" where it has not.  Returns hint->text.
 */
const char *dm_input_unseen(dm_str_t text, dm_err_t *hint);

/*
 * Looks whether a spreadsheet has made another value of a number, also of one
 * behind a scheme: 4.93005E+14, 493005100592800.0, ="493005100592800".  DM_OK,
 * or DM_INVALID and err starts with what.
 */
int dm_input_not_mangled(dm_str_t text, const char *what, dm_err_t *err);

/*
 * The certificate in a PEM or DER file, of several in one file the first;
 * NULL with err.
 */
X509 *dm_input_x509(const char *path, dm_err_t *err);

/* the private key in a PEM or DER file, not encrypted; NULL with err */
EVP_PKEY *dm_input_private_key(const char *path, dm_err_t *err);

/*
 * The key sha256:HEX of the certificate in a file into out[DM_CERT_KEY_MAX],
 * and how many URIs and DNS names it has.  DM_OK, DM_INVALID, DM_ERROR.
 */
int dm_input_cert(const char *path, unsigned char *out, size_t *len,
    unsigned *names, dm_err_t *err);

/*
 * Brings a certificate key as a person writes it into its one form, into
 * out[DM_CERT_KEY_MAX].  DM_OK or DM_INVALID.
 */
int dm_input_cert_key(const char *value, unsigned char *out, size_t *len,
    dm_err_t *err);

/*
 * Reads a time, RFC 3339 in UTC without fractions; "" is 0.  DM_OK or
 * DM_INVALID.
 */
int dm_input_time(const char *text, int64_t *t, dm_err_t *err);

/*
 * Reads a number of octets, with k, m, g or t for powers of 1024.  DM_OK or
 * DM_INVALID.
 */
int dm_input_size(const char *text, uint64_t *size, dm_err_t *err);

/* reads a number, decimal, 0 to max.  DM_OK or DM_INVALID */
int dm_input_number(const char *text, uint64_t max, uint64_t *n,
    dm_err_t *err);


#endif /* DM_COMMON_INPUT_H */
