/* dm_mo_read: the DM Account MO of a device, in JSON */

#include "probe/mo.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dm_mo_t   mo;
    dm_err_t  err;

    if (dm_mo_read(&mo, data, size, &err) != DM_OK) {
        fuzz_must(mo.cert == NULL && mo.key == NULL && !mo.has_psk);
        return 0;
    }

    fuzz_must(memchr(mo.uri, '\0', sizeof(mo.uri)) != NULL);
    fuzz_must(mo.has_psk != (mo.cert != NULL));
    fuzz_must(mo.cert != NULL || mo.key == NULL);

    fuzz_must(!mo.has_psk
              || (mo.psk.key.len >= DM_PSK_MIN
                  && mo.psk.key.len <= DM_PSK_MAX
                  && memchr(mo.psk.identity, '\0', sizeof(mo.psk.identity))
                     != NULL));

    dm_mo_wipe(&mo);

    return 0;
}
