/*
 * The keys of a fleet, and its place in the log.  docs/fleet.md tells what each
 * key does, and what the octets of entries, rows, heads and beats are.
 *
 * Who reads any of these takes them from nobody's hands: DM_INVALID is whatever
 * is wrong with them, and err says what; nothing of them is to be believed.
 * DM_ERROR is a failure of ours alone.
 */

#ifndef DM_FLEET_H
#define DM_FLEET_H


#include "dm.h"
#include "dm_account.h"
#include "dm_fleet_place.h"
#include "dm_fleet_sign.h"
#include "dm_fleet_sum.h"
#include "dm_mac.h"
#include "dm_wire.h"


#define DM_FLEET_KEY  DM_MAC_SIZE       /* octets of a row's key */


typedef struct {
    unsigned char         store_id[DM_FLEET_ID];
    dm_sealer_t          *entries;
    dm_sealer_t          *rows;
    dm_sealer_t          *roots;
    dm_fleet_verifier_t  *authority;    /* NULL: nothing is verified by it */

    unsigned char         root[DM_FLEET_ROOT];
    dm_mac_t             *names;        /* NULL: the root is not known yet */
    dm_fleet_adder_t     *adder;        /* NULL, too */
} dm_fleet_t;


/*
 * Of the store with that id and these keys, where the authority has these
 * public keys; NULL: they are not known.  NULL with err.
 */
dm_fleet_t *dm_fleet_new(const dm_keys_t *keys, const unsigned char *store_id,
    const dm_keys_t *authority, dm_err_t *err);

/* wipes; NULL is accepted */
void dm_fleet_free(dm_fleet_t *fleet);

/* makes it known with root[DM_FLEET_ROOT].  DM_OK or DM_ERROR with err */
int dm_fleet_use_root(dm_fleet_t *fleet, const unsigned char *root,
    dm_err_t *err);

/* the place before the first entry.  DM_OK or DM_ERROR */
int dm_fleet_start(const dm_fleet_t *fleet, dm_fleet_place_t *place);

/* 1 if both are the same, else 0 */
int dm_fleet_same_place(const dm_fleet_place_t *a, const dm_fleet_place_t *b);

/*
 * The key of the row of the account with that id, into out[DM_FLEET_KEY].
 * DM_OK or DM_ERROR.
 */
int dm_fleet_key(const dm_fleet_t *fleet, dm_str_t id, unsigned char *out);

/* 1 if so many octets, which are to be this fleet's, follow; else w is bad */
int dm_fleet_get_id(const dm_fleet_t *fleet, dm_wire_t *w);

/*
 * Signs what w has behind octets, which is where it began, and puts that
 * behind it.  DM_OK or DM_ERROR.
 */
int dm_fleet_put_sign(dm_wire_t *w, dm_fleet_signer_t *signer, dm_str_t label,
    unsigned char *octets);

/*
 * Verifies that the rest of w is a signature of what is before it.  DM_OK,
 * DM_DECLINED or DM_ERROR.
 */
int dm_fleet_get_sign(dm_wire_t *w, dm_fleet_verifier_t *verifier,
    dm_str_t label, unsigned char *octets);


#endif /* DM_FLEET_H */
