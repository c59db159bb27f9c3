/* dm_basic_parse: Authorization: Basic */

#include "dm_basic.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dm_err_t    err;
    dm_basic_t  basic;

    if (dm_basic_parse(&basic, (dm_str_t) { data, size }, &err) != DM_OK) {
        return 0;
    }

    fuzz_inside(basic.name, basic.buf, sizeof(basic.buf));
    fuzz_inside(basic.password, basic.buf, sizeof(basic.buf));

    fuzz_must(basic.name.len != 0);
    fuzz_must(memchr(basic.name.data, ':', basic.name.len) == NULL);
    fuzz_must(memchr(basic.name.data, '\0', basic.name.len) == NULL);

    return 0;
}
