/* dm_psk_offered: the identities of a pre_shared_key extension */

#include "dm_psk.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int  offered;

    offered = dm_psk_offered(data, size);

    fuzz_must(offered == 0 || offered == 1);

    /* nothing is shorter that has an identity */

    if (offered) {
        fuzz_must(size >= 2 + 2 + 1 + 4);
    }

    return 0;
}
