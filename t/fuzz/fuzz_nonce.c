/* dm_nonce_open: a nonce as it came back; none but our own may open */

#include "dm_nonce.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dm_nonce_t  nonce;

    static dm_mac_t             *mac;
    static const unsigned char   secret[DM_MAC_SIZE] = { 1, 2, 3 };

    if (mac == NULL) {
        mac = dm_mac_new(secret);
        fuzz_must(mac != NULL);
    }

    fuzz_must(dm_nonce_open(mac, (dm_str_t) { data, size }, &nonce)
              == DM_DECLINED);

    return 0;
}
