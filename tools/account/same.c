/* The question whether a change changes anything */

#include <string.h>

#include <openssl/crypto.h>

#include "account/same.h"


static int dm_same_within(const dm_str_t *a, unsigned na, const dm_str_t *b,
    unsigned nb);
static int dm_same_secrets(const dm_account_t *a, const dm_account_t *b);
static int dm_same_secret(dm_str_t a, dm_str_t b);
static int dm_same_ha1s(const dm_account_t *a, const dm_account_t *b);
static int dm_same_psks(const dm_account_t *a, const dm_account_t *b);


int
dm_same_account(const dm_account_t *a, const dm_account_t *b)
{
    return dm_str_eq(a->id, b->id)
           && dm_str_eq(a->name, b->name)
           && a->state == b->state
           && a->not_before == b->not_before
           && a->not_after == b->not_after
           && a->unlocks == b->unlocks
           && dm_same_strings(a->group, a->ngroups, b->group, b->ngroups)
           && dm_same_strings(a->cert_key, a->ncert_keys, b->cert_key,
                              b->ncert_keys)
           && dm_same_secrets(a, b);
}


int
dm_same_change(const dm_store_t *store, const dm_account_t *old,
    const dm_account_t *account)
{
    if (account->state == DM_DISABLED && dm_store_is_contested(store)) {
        return 0;
    }

    return dm_same_account(old, account);
}


static int
dm_same_secrets(const dm_account_t *a, const dm_account_t *b)
{
    return dm_same_ha1s(a, b) && dm_same_secret(a->crypt, b->crypt)
           && dm_same_psks(a, b);
}


int
dm_same_strings(const dm_str_t *a, unsigned na, const dm_str_t *b,
    unsigned nb)
{
    return na == nb && dm_same_within(a, na, b, nb)
           && dm_same_within(b, nb, a, na);
}


/* 1 if b has each string of a */
static int
dm_same_within(const dm_str_t *a, unsigned na, const dm_str_t *b, unsigned nb)
{
    unsigned  i, j;

    for (i = 0; i < na; i++) {

        for (j = 0; j < nb && !dm_str_eq(a[i], b[j]); j++) { /* void */ }

        if (j == nb) {
            return 0;
        }
    }

    return 1;
}


static int
dm_same_secret(dm_str_t a, dm_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}


static int
dm_same_ha1s(const dm_account_t *a, const dm_account_t *b)
{
    int       same;
    unsigned  i;

    same = 1;

    for (i = 0; i < DM_NALGORITHMS; i++) {
        same &= (a->has_ha1[i] == b->has_ha1[i])
                && (!a->has_ha1[i]
                    || CRYPTO_memcmp(a->ha1[i], b->ha1[i],
                                     dm_digest_size((dm_algorithm_t) i)) == 0);
    }

    return same;
}


/* in either order: an identity is there once, and the number is the same */
static int
dm_same_psks(const dm_account_t *a, const dm_account_t *b)
{
    unsigned  i, j;

    for (i = 0; i < a->npsks; i++) {

        for (j = 0; j < b->npsks; j++) {
            if (dm_str_eq(a->psk[i].identity, b->psk[j].identity)) {
                break;
            }
        }

        if (j == b->npsks || !dm_same_secret(a->psk[i].key, b->psk[j].key)) {
            return 0;
        }
    }

    return a->npsks == b->npsks;
}
