/*
 * dm_fleet_row_read and dm_account_unpack: what can be read is written the same
 * again, so that an account has one form and one share of the sum.
 */

#include "dm_fleet_row.h"
#include "fuzz_fleet.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t          len;
    dm_fleet_t     *fleet;
    dm_account_t    account;
    unsigned char  *copy, key[DM_FLEET_KEY], again[DM_RECORD_MAX];
    dm_fleet_row_t  row;

    fleet = fuzz_fleet();
    copy = fuzz_copy(data, size);
    memset(key, 0, sizeof(key));

    /* the key of that account, if it is one */

    if (size > 1 + 8 + 1
        && dm_account_unpack(&account, copy + 1 + 8, size - 1 - 8 - 1, NULL)
           == DM_OK)
    {
        fuzz_must(dm_fleet_key(fleet, account.id, key) == DM_OK);
    }

    if (dm_fleet_row_read(fleet, (dm_str_t) { key, sizeof(key) }, copy, size,
                          &row, &account, NULL)
        == DM_OK)
    {
        fuzz_inside(account.id, copy, size);
        fuzz_inside(row.octets, copy, size);

        fuzz_must(dm_account_pack(&account, again, &len, NULL) == DM_OK);
        fuzz_must(dm_str_eq((dm_str_t) { again, len }, row.octets));
    }

    free(copy);

    return 0;
}
