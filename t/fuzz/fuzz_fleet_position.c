/* dm_fleet_position_read: what can be read is written the same again */

#include "dm_fleet_position.h"
#include "fuzz_fleet.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               len;
    unsigned char        again[DM_FLEET_POSITION_MAX];
    dm_fleet_position_t  position;

    static char                 sealer;     /* nobody looks into it */
    static const unsigned char  store_id[DM_FLEET_ID];

    if (dm_fleet_position_read(&position, (dm_str_t) { data, size },
                               (dm_sealer_t *) &sealer, store_id, NULL)
        == DM_OK)
    {
        fuzz_must(dm_fleet_position_write(&position, (dm_sealer_t *) &sealer,
                                          store_id, again, &len, NULL)
                  == DM_OK);
        fuzz_must(len == size && memcmp(again, data, size - 1) == 0);
    }

    return 0;
}
