/* dm_fleet_head_read and dm_fleet_beat_read */

#include "dm_fleet_head.h"
#include "fuzz_fleet.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            len;
    dm_fleet_t       *fleet;
    unsigned char    *copy, again[DM_FLEET_HEAD_MAX];
    dm_fleet_beat_t   beat;
    dm_fleet_head_t   head;

    fleet = fuzz_fleet();
    copy = fuzz_copy(data, size);

    if (dm_fleet_head_read(fleet, copy, size, &head, NULL) == DM_OK) {
        fuzz_must(dm_fleet_head_write(fleet, NULL, &head, again, &len, NULL)
                  == DM_OK);
        fuzz_must(len == size);
    }

    if (dm_fleet_beat_read(fleet, NULL, copy, size, &beat, NULL) == DM_OK) {
        fuzz_must(dm_fleet_beat_write(fleet, NULL, &beat, again, &len, NULL)
                  == DM_OK);
        fuzz_must(len == size);
    }

    free(copy);

    return 0;
}
