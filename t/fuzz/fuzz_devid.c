/* dm_devid_canonical: OMADM-DevID */

#include "dm_devid.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char  once[DM_DEVID_MAX], twice[DM_DEVID_MAX];

    if (dm_devid_canonical((dm_str_t) { data, size }, once) != DM_OK) {
        return 0;
    }

    fuzz_must(size != 0 && size <= DM_DEVID_MAX);
    fuzz_must(dm_devid_scheme((dm_str_t) { data, size }) <= size);

    fuzz_must(dm_devid_canonical((dm_str_t) { once, size }, twice) == DM_OK);
    fuzz_must(memcmp(once, twice, size) == 0);

    return 0;
}
