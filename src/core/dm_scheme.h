/* The scheme of an Authorization header, RFC 7235, section 2.1 */

#ifndef DM_SCHEME_H
#define DM_SCHEME_H


#include "dm.h"


/* a bit for each octet that is a tchar, RFC 7230, section 3.2.6 */
extern const uint32_t  dm_tokens[8];

#define dm_is_token(c)  (dm_tokens[(c) >> 5] >> ((c) & 31) & 1)


/*
 * Looks whether the credentials are of a scheme, in any case.  DM_OK;
 * DM_DECLINED: of another scheme, or there are none; DM_INVALID: what begins
 * them is no token, or no space follows it: another reader could take them for
 * any scheme.
 */
int dm_scheme_match(dm_str_t value, dm_str_t scheme, dm_err_t *err);


#endif /* DM_SCHEME_H */
