/* Device identities: IMEI:, ESN:, MEID:, urn:uuid:, or opaque */

#include <string.h>

#include "dm_devid.h"


static const dm_str_t *dm_devid_prefix(dm_str_t id);


int
dm_devid_canonical(dm_str_t id, unsigned char *out)
{
    size_t           i;
    const dm_str_t  *prefix;

    if (id.len == 0 || id.len > DM_DEVID_MAX) {
        return DM_INVALID;
    }

    for (i = 0; i < id.len; i++) {
        if (id.data[i] < 0x20 || id.data[i] == 0x7f) {
            return DM_INVALID;
        }
    }

    memcpy(out, id.data, id.len);

    prefix = dm_devid_prefix(id);

    if (prefix != NULL) {
        memcpy(out, prefix->data, prefix->len);
    }

    return DM_OK;
}


size_t
dm_devid_scheme(dm_str_t id)
{
    const dm_str_t  *prefix;

    prefix = dm_devid_prefix(id);

    return prefix == NULL ? 0 : prefix->len;
}


static const dm_str_t *
dm_devid_prefix(dm_str_t id)
{
    size_t                 i;
    dm_str_t               head;
    static const dm_str_t  prefix[] = {
        { (const unsigned char *) "IMEI:", 5 },
        { (const unsigned char *) "ESN:", 4 },
        { (const unsigned char *) "MEID:", 5 },
        { (const unsigned char *) "urn:uuid:", 9 }
    };

    for (i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
        if (id.len < prefix[i].len) {
            continue;
        }

        head.data = id.data;
        head.len = prefix[i].len;

        if (dm_str_ieq(head, prefix[i])) {
            return &prefix[i];
        }
    }

    return NULL;
}
