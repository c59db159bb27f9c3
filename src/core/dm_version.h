/* Versions of the module and of the tools, as a store has them */

#ifndef DM_VERSION_H
#define DM_VERSION_H

#include "dm.h"


#define DM_VERSION_MAX    15        /* octets, [A-Za-z0-9.+~-] */

/* the first whose dm-account writes its version into a store */
#define DM_VERSION_SIGNS  "0.2.0"


/*
 * Reads the version that the octets begin with, which may be none, into
 * version[DM_VERSION_MAX + 1]; a later one may write more behind its own.
 */
void dm_version_read(char *version, dm_str_t octets);

/*
 * Compares a version with this one: below 0 if it is older, as "" is, above 0
 * if it is newer, else 0.
 */
int dm_version_compare(const char *version);


#endif /* DM_VERSION_H */
