/* Device identities: IMEI:, ESN:, MEID:, urn:uuid:, or opaque */

#ifndef DM_DEVID_H
#define DM_DEVID_H


#include "dm.h"


#define DM_DEVID_MAX  255       /* octets */


/*
 * The one form of a device identity: a known scheme's prefix in its own case
 * ("IMEI:", "urn:uuid:"), the rest as it is; anything else is opaque and
 * stays.  out has room for id.len.  DM_OK, or DM_INVALID: empty, longer than
 * DM_DEVID_MAX, or with a control character.
 */
int dm_devid_canonical(dm_str_t id, unsigned char *out);

/* octets of the scheme prefix with its colon, 0 for an opaque identity */
size_t dm_devid_scheme(dm_str_t id);


#endif /* DM_DEVID_H */
