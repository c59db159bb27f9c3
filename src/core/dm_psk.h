/* Pre-shared keys of TLS, RFC 4279 and RFC 8446 */

#ifndef DM_PSK_H
#define DM_PSK_H


#include "dm.h"
#include "dm_account.h"


#define DM_PSK_TAG_SIZE  16
#define DM_PSK_MARK_MAX  (1 + DM_PSK_TAG_SIZE + DM_PSK_IDENTITY_MAX)


/*
 * The mark of a TLS session: what it keeps of the key that it was made with,
 * for as long as it is resumed.  It is
 *
 *     format (1) | tag (16) | identity (1 to 128)
 *
 * where the tag is the start of SHA-256(label ":" store id ":" key): the same
 * in every worker, after a reload and on every node with this store, and
 * another as soon as the key is another.  Who reads it learns the key no
 * sooner than from the session's own secrets.
 */
typedef struct {
    dm_str_t              identity;
    const unsigned char  *tag;              /* [DM_PSK_TAG_SIZE] */
} dm_psk_mark_t;


/* the account's key of that identity; NULL: it has none */
const dm_psk_t *dm_psk_find(const dm_account_t *account, dm_str_t identity);

/*
 * Writes the mark of a session that is made with psk, of an account of the
 * store store_id[DM_STORE_ID_SIZE], into out[DM_PSK_MARK_MAX].  DM_OK or
 * DM_ERROR.
 */
int dm_psk_mark(const dm_psk_t *psk, const unsigned char *store_id,
    unsigned char *out, size_t *outlen);

/* reads a mark, whose parts point into data.  DM_OK or DM_INVALID */
int dm_psk_read_mark(dm_psk_mark_t *mark, const unsigned char *data,
    size_t len);

/*
 * Compares the key that made a session with the one that the account has now,
 * in constant time.  DM_OK: it is the same; DM_DECLINED: the account has
 * another key under the identity, or none; DM_ERROR.
 */
int dm_psk_match(const dm_psk_mark_t *mark, const dm_account_t *account,
    const unsigned char *store_id);

/*
 * 1 if a pre_shared_key extension's data (RFC 8446, section 4.2.11) has an
 * identity that could be one of an account; 0: it has tickets alone, or is
 * malformed.
 */
int dm_psk_offered(const unsigned char *data, size_t len);


#endif /* DM_PSK_H */
