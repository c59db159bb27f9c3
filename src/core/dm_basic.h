/* Basic credentials of an Authorization header, RFC 7617 */

#ifndef DM_BASIC_H
#define DM_BASIC_H


#include "dm.h"


#define DM_BASIC_MAX  1024      /* octets of Base64 that are looked at */


typedef struct {
    dm_str_t       name;
    dm_str_t       password;                /* secret */
    unsigned char  buf[DM_BASIC_MAX];       /* both point into it */
} dm_basic_t;


/*
 * Parses the value of an Authorization header.  DM_OK, and the caller wipes
 * basic; DM_DECLINED: another scheme; DM_INVALID: no scheme, as dm_scheme.h
 * says, no token68, not canonical Base64 (RFC 4648, section 4, with its
 * padding), longer than DM_BASIC_MAX, no colon, an empty name, a control
 * character in name or password (NUL too, RFC 7617, section 2); err says
 * which, without the value; DM_ERROR.  Whatever fails, basic is wiped.
 */
int dm_basic_parse(dm_basic_t *basic, dm_str_t value, dm_err_t *err);


#endif /* DM_BASIC_H */
