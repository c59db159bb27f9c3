/* Workers that have the store open, of whom none shall lose it */

#include <stdio.h>

#include "account/readers.h"
#include "dm_store_access.h"


int
dm_readers_keep(const dm_cli_t *cli, const char *path,
    const dm_store_owner_t *owner, dm_store_become_t become)
{
    char               text[DM_STORE_LOSERS_LEN];
    dm_err_t           err;
    dm_store_losers_t  losers;

    if (dm_store_losers(path, owner, become, &losers, &err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", err.text);
    }

    if (losers.pids.n == 0) {
        return DM_CLI_DONE;
    }

    dm_store_write_losers(text, &losers);

    return dm_cli_refuse(cli, DM_CODE_IN_USE, "%s store \"%s\" open and "
                         "could not open it as one for %s: nothing is "
                         "changed; stop that nginx first%s", text, path,
                         dm_access_who(owner->reader, owner->readers),
                         become == DM_STORE_REPLACED
                         ? ", or leave out --owner"
                         : ", or let both have a group, and name that: "
                           "--owner USER:GROUP");
}
