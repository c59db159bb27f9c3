/*
 * dm_account_decode: a record whose seal is right, whatever is in it.  In the
 * place of dm_seal, which would let nothing through, is what stands below.
 */

#include "dm_account.h"
#include "dm_seal.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dm_err_t        err;
    dm_account_t    account;
    unsigned char  *record;

    static const unsigned char  store_id[DM_STORE_ID_SIZE];

    record = malloc(size ? size : 1);
    fuzz_must(record != NULL);

    if (size) {
        memcpy(record, data, size);
    }

    if (dm_account_decode(&account, record, size, NULL, store_id, &err)
        == DM_OK)
    {
        fuzz_inside(account.id, record, size);
        fuzz_inside(account.name, record, size);
        fuzz_inside(account.crypt, record, size);

        fuzz_must(dm_account_check(&account, &err) == DM_OK);
    }

    free(record);

    return 0;
}


int
dm_sealer_open(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t sealed, unsigned char *out, size_t *outlen)
{
    (void) sealer;
    (void) ad;
    (void) n;

    if (sealed.len < DM_SEAL_OVERHEAD) {
        return DM_INVALID;
    }

    *outlen = sealed.len - DM_SEAL_OVERHEAD;
    memmove(out, sealed.data, *outlen);

    return DM_OK;
}


int
dm_sealer_seal(dm_sealer_t *sealer, const dm_str_t *ad, size_t n,
    dm_str_t plain, unsigned char *out, size_t *outlen)
{
    (void) sealer;
    (void) ad;
    (void) n;
    (void) plain;
    (void) out;
    (void) outlen;

    return DM_ERROR;
}


int
dm_sealed_key(dm_str_t sealed, dm_str_t *id)
{
    (void) sealed;
    (void) id;

    return DM_INVALID;
}
