/* dm_hello: extensions of a ClientHello */

#include "dm_hello.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         i, len;
    unsigned char  name[DM_SERVERNAME_MAX];

    if (dm_hello_servername(data, size, name, &len) == DM_OK) {
        fuzz_must(len != 0 && len <= sizeof(name));

        for (i = 0; i < len; i++) {
            fuzz_must(name[i] > ' ' && name[i] != 0x7f && name[i] != ':');
            fuzz_must(!(name[i] >= 'A' && name[i] <= 'Z'));
        }
    }

    fuzz_must(dm_hello_highest_version(data, size) <= 0xffff);

    return 0;
}
