/* Versions of the module and of the tools, as a store has them */

#include <string.h>

#include "dm_version.h"


#define DM_VERSION_NUMBERS  3

/* no number of a version is as great */
#define DM_VERSION_MOST     1000000


_Static_assert(sizeof(DM_VERSION) - 1 <= DM_VERSION_MAX, "it is too long");


static int dm_version_is(unsigned char c);
static void dm_version_numbers(const char *version, unsigned *n);


void
dm_version_read(char *version, dm_str_t octets)
{
    size_t  i;

    for (i = 0; i < octets.len && i < DM_VERSION_MAX; i++) {

        if (!dm_version_is(octets.data[i])) {
            break;
        }

        version[i] = (char) octets.data[i];
    }

    version[i] = '\0';
}


static int
dm_version_is(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z')
           || (c != '\0' && strchr(".+~-", c) != NULL);
}


int
dm_version_compare(const char *version)
{
    unsigned  i, theirs[DM_VERSION_NUMBERS], ours[DM_VERSION_NUMBERS];

    if (strcmp(version, DM_VERSION) == 0) {
        return 0;
    }

    dm_version_numbers(version, theirs);
    dm_version_numbers(DM_VERSION, ours);

    for (i = 0; i < DM_VERSION_NUMBERS; i++) {

        if (theirs[i] != ours[i]) {
            return theirs[i] < ours[i] ? -1 : 1;
        }
    }

    /* the same numbers with something behind them */

    return -1;
}


/* reads "1.2.3"; a number that is not there is 0 */
static void
dm_version_numbers(const char *version, unsigned *n)
{
    unsigned  i;

    memset(n, 0, DM_VERSION_NUMBERS * sizeof(unsigned));

    for (i = 0; i < DM_VERSION_NUMBERS; version++) {

        if (*version == '.') {
            i++;

        } else if (*version >= '0' && *version <= '9') {
            n[i] = n[i] % DM_VERSION_MOST * 10 + (unsigned) (*version - '0');

        } else {
            return;
        }
    }
}
