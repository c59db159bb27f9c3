/*
 * An account and its record.  A record is
 *
 *     clear part | sealed part
 *
 * The clear part holds everything but secrets and says which there are; the
 * sealed part (dm_seal.h) holds HA1s, the password hash and PSKs, and its tag
 * covers the store's id and the whole clear part, also where there is no
 * secret: who lacks the store key cannot change a state, a group or a binding.
 */

#ifndef DM_ACCOUNT_H
#define DM_ACCOUNT_H


#include "dm.h"
#include "dm_digest.h"
#include "dm_seal.h"


#define DM_ID_MAX          255      /* octets */
#define DM_NAME_MAX        255
#define DM_GROUP_MAX       64
#define DM_GROUPS          32
#define DM_CERT_KEY_MAX    1024
#define DM_CERT_KEYS       8
#define DM_CRYPT_MAX       384
#define DM_PSK_IDENTITY_MAX  128
#define DM_PSK_MIN         16
#define DM_PSK_MAX         64
#define DM_PSKS            2

#define DM_RECORD_MAX      16384    /* holds the largest account there is */
#define DM_STORE_ID_SIZE   16       /* the octets of a store's own id */


typedef enum {
    DM_ACTIVE = 0,
    DM_DISABLED
} dm_state_t;


typedef struct {
    dm_str_t       identity;
    dm_str_t       key;                     /* secret */
} dm_psk_t;


/* every dm_str_t points into the record that it was decoded from */
typedef struct {
    dm_str_t       id;
    dm_str_t       name;
    dm_state_t     state;
    int64_t        not_before;              /* seconds since 1970, 0: none */
    int64_t        not_after;

    uint64_t       revision;                /* grows with each change */
    int64_t        changed;                 /* seconds since 1970 */
    uint32_t       unlocks;                 /* dm-account unlock, so far */

    unsigned       ngroups;
    dm_str_t       group[DM_GROUPS];
    unsigned       ncert_keys;
    dm_str_t       cert_key[DM_CERT_KEYS];

    unsigned       has_ha1[DM_NALGORITHMS]; /* 0 or 1 */
    unsigned char  ha1[DM_NALGORITHMS][DM_HASH_MAX];    /* secret */
    dm_str_t       crypt;                   /* secret; len 0: none */
    unsigned       npsks;
    dm_psk_t       psk[DM_PSKS];
} dm_account_t;


/*
 * These look whether a field may stand in an account: DM_OK, or DM_INVALID
 * with err.  Every border (command line, import, decode) asks them, and
 * nothing else.
 */
int dm_account_check_id(dm_str_t id, dm_err_t *err);
int dm_account_check_name(dm_str_t name, dm_err_t *err);
int dm_account_check_group(dm_str_t group, dm_err_t *err);
int dm_account_check_cert_key(dm_str_t key, dm_err_t *err);
int dm_account_check_psk_identity(dm_str_t identity, dm_err_t *err);
int dm_account_check(const dm_account_t *account, dm_err_t *err);

/*
 * Looks at the texts of account that old (NULL: nothing) does not have: each
 * must look like what it is, see dm_text_check_shown(), but for the keys of
 * certificates.  The borders that write ask this too.  DM_OK or DM_INVALID.
 */
int dm_account_check_new(const dm_account_t *account, const dm_account_t *old,
    dm_err_t *err);

/*
 * Writes the record into out[DM_RECORD_MAX], for the store with the id
 * store_id[DM_STORE_ID_SIZE].  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_account_encode(const dm_account_t *account, dm_sealer_t *sealer,
    const unsigned char *store_id, unsigned char *out, size_t *outlen,
    dm_err_t *err);

/*
 * Decodes the record and opens its sealed part in place, with no allocation:
 * account points into record, which must outlive it.  Every length and every
 * field is checked.  DM_OK, or DM_ERROR: the record is damaged, or was changed
 * by somebody without the key, and err says which.
 */
int dm_account_decode(dm_account_t *account, unsigned char *record,
    size_t len, dm_sealer_t *sealer, const unsigned char *store_id,
    dm_err_t *err);

/*
 * Writes all that a record holds into out[DM_RECORD_MAX], secrets too, sealed
 * by nothing: an account has one such form, the same in each store.  The caller
 * wipes it.  DM_OK, DM_INVALID or DM_ERROR.
 */
int dm_account_pack(const dm_account_t *account, unsigned char *out,
    size_t *outlen, dm_err_t *err);

/*
 * The way back: account points into octets, and every length and every field
 * is checked.  DM_OK, or DM_INVALID: they are no account; nothing is wiped.
 */
int dm_account_unpack(dm_account_t *account, unsigned char *octets,
    size_t len, dm_err_t *err);

/*
 * Lets account, which was decoded from record, point into a copy of that
 * record.
 */
void dm_account_move(dm_account_t *account, const unsigned char *record,
    const unsigned char *copy);

/*
 * Reads the id of the key that sealed the record, as the record says itself:
 * nothing is opened.  DM_OK, or DM_INVALID: the record is damaged.
 */
int dm_account_sealed_key(unsigned char *record, size_t len, dm_str_t *id);

/*
 * 1 if the account has an HA1 of any algorithm, and if it has one but none for
 * alg, so that Digest with alg cannot serve it; else 0.
 */
int dm_account_has_ha1(const dm_account_t *account);
int dm_account_lacks(const dm_account_t *account, dm_algorithm_t alg);

/* wipes the secrets held in the struct itself (not those in its record) */
void dm_account_wipe(dm_account_t *account);


#endif /* DM_ACCOUNT_H */
