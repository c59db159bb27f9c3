/* dm_fleet_entry_read and dm_fleet_next, behind whatever number it says */

#include "dm_fleet_entry.h"
#include "fuzz_fleet.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 rc;
    unsigned            n;
    dm_wire_t           w;
    dm_fleet_t         *fleet;
    dm_account_t        account;
    unsigned char      *copy;
    dm_fleet_entry_t    entry;
    dm_fleet_place_t    before;
    dm_fleet_change_t   change;

    fleet = fuzz_fleet();
    copy = fuzz_copy(data, size);

    /* the place that it is to be at is the one that it says */

    memset(&before, 0, sizeof(before));
    dm_wire_init(&w, copy, size);
    (void) dm_wire_take(&w, 1 + DM_FLEET_ID);
    before.number = dm_wire_get(&w, 8) - 1;

    if (dm_fleet_entry_read(fleet, &before, copy, size, &entry, NULL)
        == DM_OK)
    {
        fuzz_must(entry.place.number == before.number + 1);
        fuzz_inside(entry.changes.user, copy, size);
        fuzz_inside(entry.changes.verb, copy, size);

        n = 0;

        while ((rc = dm_fleet_next(&entry.changes, &change, NULL)) == DM_OK) {
            fuzz_inside((dm_str_t) { change.data, change.len }, copy, size);
            fuzz_must(change.len > 0 && ++n <= DM_FLEET_CHANGES);

            if (change.kind == DM_FLEET_PUT) {
                (void) dm_account_unpack(&account, change.data, change.len,
                                         NULL);
            }
        }

        fuzz_must(rc == DM_INVALID || n == entry.changes.n);
    }

    free(copy);

    return 0;
}
