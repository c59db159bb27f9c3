/* dm_psk_read_mark: what a TLS session says of its pre-shared key */

#include "dm_psk.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dm_psk_mark_t  mark;

    if (dm_psk_read_mark(&mark, data, size) != DM_OK) {
        return 0;
    }

    fuzz_inside(mark.identity, data, size);
    fuzz_inside((dm_str_t) { mark.tag, DM_PSK_TAG_SIZE }, data, size);

    fuzz_must(dm_account_check_psk_identity(mark.identity, NULL) == DM_OK);

    return 0;
}
