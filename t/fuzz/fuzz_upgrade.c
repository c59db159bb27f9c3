/* dm_upgrade: Upgrade, Connection, and a connection's first octets */

#include "dm_upgrade.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int           star;
    dm_str_t      value;
    dm_upgrade_t  upgrade;

    value = (dm_str_t) { data, size };
    memset(&upgrade, 0, sizeof(upgrade));

    dm_upgrade_read(&upgrade, value, DM_TLSV1_2);

    if (upgrade.version) {
        fuzz_inside(upgrade.token, data, size);
        fuzz_must(upgrade.token.len == sizeof("TLS/1.x") - 1);
    }

    (void) dm_upgrade_connection(value);

    star = dm_upgrade_star(data, size);

    fuzz_must(star != -1 || size < DM_UPGRADE_STAR_LEN);
    fuzz_must(star != 1 || data[DM_UPGRADE_STAR] == '*');

    return 0;
}
