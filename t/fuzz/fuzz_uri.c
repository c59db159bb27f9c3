/* dm_uri: the uri of Digest credentials, a host and a path */

#include "dm_uri.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    part;
    dm_uri_t  uri;
    dm_str_t  host, path;

    /* three parts of the same input, which may be the same octets */

    part = size ? data[0] % (size + 1) : 0;

    host = (dm_str_t) { data, part };
    path = (dm_str_t) { data + part, size - part };

    if (dm_uri_split((dm_str_t) { data, size }, &uri) != DM_OK) {
        return 0;
    }

    fuzz_inside(uri.authority, data, size);
    fuzz_inside(uri.path, data, size);
    fuzz_must(memchr(uri.authority.data, '/', uri.authority.len) == NULL);

    (void) dm_uri_names(&uri, host, path);

    /* it names its own authority and path, or nothing */

    if (dm_uri_names(&uri, uri.authority, uri.path)) {
        fuzz_must(memchr(uri.authority.data, '@', uri.authority.len) == NULL);
    }

    return 0;
}
