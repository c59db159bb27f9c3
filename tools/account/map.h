/* The file of --id-map: the accounts of the users of another system */

#ifndef DM_ACCOUNT_MAP_H
#define DM_ACCOUNT_MAP_H

#include "account/cli.h"


typedef struct {
    size_t          user;                   /* its start in text */
    uint64_t        number;                 /* of the line, from 1 */
    uint16_t        user_len;
    uint16_t        id_len;                 /* follows the user */
    unsigned        used;                   /* it was found */
} dm_map_line_t;


typedef struct {
    const char     *path;
    size_t          len;
    size_t          size;
    unsigned char  *text;

    size_t          nlines;
    size_t          max;
    dm_map_line_t  *line;                   /* sorted by users */

    int           (*check)(dm_str_t user, dm_err_t *err);
} dm_map_t;


/*
 * Reads a file of lines "user TAB id"; comments do not count, check says
 * what can be a user.  DM_OK, or DM_INVALID, DM_ERROR with err; dm_map_free()
 * in any case.
 */
int dm_map_read(dm_map_t *map, const char *path,
    int (*check)(dm_str_t user, dm_err_t *err), dm_err_t *err);

/* DM_OK and the user's id; DM_DECLINED: the map says nothing of it */
int dm_map_find(dm_map_t *map, dm_str_t user, dm_str_t *id);

/* warns of lines that were never found: how many, and the first three */
void dm_map_warn_unused(const dm_map_t *map, const dm_cli_t *cli);

void dm_map_free(dm_map_t *map);


#endif /* DM_ACCOUNT_MAP_H */
