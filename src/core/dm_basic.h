/* Basic credentials of an Authorization header, RFC 7617 */

#ifndef DM_BASIC_H
#define DM_BASIC_H


#include "dm.h"
#include "dm_malformed.h"


#define DM_BASIC_MAX  1024      /* octets of Base64 that are looked at */


typedef struct {
    dm_str_t       name;
    dm_str_t       password;                /* secret */
    unsigned char  buf[DM_BASIC_MAX];       /* both point into it */
    dm_malformed_t malformed;               /* where it is not DM_OK: how */
} dm_basic_t;


/*
 * Parses the value of an Authorization header.  DM_OK, and the caller wipes
 * basic; DM_DECLINED: another scheme; DM_ERROR; else err says what is wrong,
 * without the value.
 *
 * DM_INVALID: another reader could read it in another way, or it can only be
 * an attack: no scheme, as dm_scheme.h says, a blank, a comma or a control
 * character in what follows it, longer than DM_BASIC_MAX, a control character
 * in name or password (NUL too, RFC 7617, section 2).
 *
 * DM_USELESS: nothing follows the scheme, it is not canonical Base64 (RFC
 * 4648, section 4), with all of its padding or none, or has no colon, or no
 * name.
 *
 * Whatever fails, basic is wiped, but for malformed.
 */
int dm_basic_parse(dm_basic_t *basic, dm_str_t value, dm_err_t *err);


#endif /* DM_BASIC_H */
