/* An import: what it is told, and the lines of its file */

#ifndef DM_ACCOUNT_IMPORT_H
#define DM_ACCOUNT_IMPORT_H

#include "account/cli_store.h"
#include "account/entry_csv.h"
#include "account/lines.h"
#include "account/made.h"
#include "common/progress.h"


/* a transaction of --keep-going is no longer, for other writers wait for it */
#define DM_IMPORT_BATCH        1000
#define DM_IMPORT_BATCH_BYTES  (256 * 1024)


typedef struct {
    const char  *name;
    int        (*parse)(dm_entry_t *entry, dm_str_t line,
                   dm_entry_file_t *file, dm_err_t *err);

    /* looks what can be a user in --id-map; NULL: lines have an id */
    int        (*user)(dm_str_t user, dm_err_t *err);

    /*
     * Octets of the store that an octet of the file can become: the shortest
     * line that has a password makes about 310, and pages may be half full.
     */
    unsigned     growth;

    /* the same where a password is made for a line that has none; 0: all do */
    unsigned     generate;
} dm_import_format_t;


typedef struct {
    dm_cli_t                  *cli;
    const char                *path;
    const char                *map_path;
    const char                *realm;
    const dm_import_format_t  *format;
    int                        update;
    int                        keep_going;

    uint64_t                   added;
    uint64_t                   updated;
    uint64_t                   same;            /* of those: not written */
    uint64_t                   kept;            /* and left disabled */
    uint64_t                   bad;

    unsigned                   batch_added;     /* since the last commit */
    unsigned                   batch_updated;
    unsigned                   batch_same;
    uint64_t                   line;            /* that is told */
    uint64_t                   batch_line;      /* at the last commit */
    uint64_t                   batch_offset;

    dm_progress_t              progress;

    dm_entry_file_t            file;
    dm_seen_t                  seen;
    dm_lines_t                 lines;
    dm_entry_t                 entry;
    dm_found_t                 found;
    dm_made_t                  made;
} dm_import_t;


/*
 * Reads the file, which is open, into the store, within whose first transaction
 * it is; prints what came of it.  DM_CLI_DONE, or DM_CLI_REFUSED and it was
 * told.
 */
int dm_import_file(dm_import_t *im);


#endif /* DM_ACCOUNT_IMPORT_H */
