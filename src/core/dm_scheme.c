/* The scheme of an Authorization header, RFC 7235, section 2.1 */

#include "dm_scheme.h"


const uint32_t  dm_tokens[8] = {
    0x00000000, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0
};


int
dm_scheme_match(dm_str_t value, dm_str_t scheme, dm_err_t *err)
{
    size_t    i;
    dm_str_t  token;

    for (i = 0; i < value.len && dm_is_token(value.data[i]); i++) {
        /* void */
    }

    if (value.len && (i == 0 || (i < value.len && value.data[i] != ' '))) {
        dm_err_set(err, "the scheme of the credentials does not end with a "
                   "space, at octet %zu of the header", i + 1);
        return DM_INVALID;
    }

    token.data = value.data;
    token.len = i;

    return dm_str_ieq(token, scheme) ? DM_OK : DM_DECLINED;
}
