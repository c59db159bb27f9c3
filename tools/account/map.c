/* The file of --id-map: the accounts of the users of another system */

#define _GNU_SOURCE     /* qsort_r() */

#include <stdlib.h>
#include <string.h>

#include "dm_account.h"
#include "account/lines.h"
#include "account/map.h"


#define DM_MAP_MIN  4096    /* octets of text, and lines, at the start */


static int dm_map_read_lines(dm_map_t *map, dm_lines_t *lines,
    dm_err_t *err);
static int dm_map_add(dm_map_t *map, dm_str_t line, dm_err_t *err);
static void *dm_map_grow(void *p, size_t *size, size_t need, size_t item);
static int dm_map_sort(dm_map_t *map, dm_err_t *err);
static int dm_map_order(const void *a, const void *b, void *map);
static int dm_map_compare(dm_str_t a, dm_str_t b);
static dm_str_t dm_map_user(const dm_map_t *map, const dm_map_line_t *line);
static dm_str_t dm_map_id(const dm_map_t *map, const dm_map_line_t *line);


int
dm_map_read(dm_map_t *map, const char *path,
    int (*check)(dm_str_t user, dm_err_t *err), dm_err_t *err)
{
    int          rc;
    dm_lines_t  *lines;

    memset(map, 0, sizeof(dm_map_t));
    map->check = check;

    lines = malloc(sizeof(dm_lines_t));

    if (lines == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    rc = dm_lines_open(lines, path, err);

    if (rc == DM_OK) {
        rc = dm_map_read_lines(map, lines, err);
    }

    dm_lines_close(lines);
    free(lines);

    return rc == DM_OK ? dm_map_sort(map, err) : rc;
}


static int
dm_map_read_lines(dm_map_t *map, dm_lines_t *lines, dm_err_t *err)
{
    int       rc;
    dm_err_t  why;
    dm_str_t  line;

    for ( ;; ) {
        rc = dm_lines_next(lines, &line, &why);

        if (rc == DM_DECLINED) {
            return DM_OK;
        }

        if (rc == DM_OK && line.len > 0) {
            rc = dm_map_add(map, line, &why);
        }

        if (rc != DM_OK) {
            dm_err_set(err, "\"%s\" line %llu: %s", lines->path,
                       (unsigned long long) lines->number, why.text);
            return rc;
        }
    }
}


static int
dm_map_add(dm_map_t *map, dm_str_t line, dm_err_t *err)
{
    void                 *text, *lines;
    dm_str_t              user, id;
    const unsigned char  *tab;

    tab = memchr(line.data, '\t', line.len);

    if (tab == NULL) {
        dm_err_set(err, "a user, a TAB and an id are needed");
        return DM_INVALID;
    }

    user = (dm_str_t) { line.data, (size_t) (tab - line.data) };
    id = (dm_str_t) { tab + 1, line.len - user.len - 1 };

    if (map->check(user, err) != DM_OK
        || dm_account_check_id(id, err) != DM_OK)
    {
        return DM_INVALID;
    }

    text = dm_map_grow(map->text, &map->size, map->len + user.len + id.len,
                       1);
    lines = dm_map_grow(map->line, &map->max, map->nlines + 1,
                        sizeof(dm_map_line_t));

    map->text = text == NULL ? map->text : text;
    map->line = lines == NULL ? map->line : lines;

    if (text == NULL || lines == NULL) {
        dm_err_set(err, "out of memory");
        return DM_ERROR;
    }

    map->line[map->nlines++] = (dm_map_line_t) { map->len, user.len, id.len };

    memcpy(map->text + map->len, user.data, user.len);
    memcpy(map->text + map->len + user.len, id.data, id.len);
    map->len += user.len + id.len;

    return DM_OK;
}


/* grows to twice the size, more than a line needs; NULL: no memory */
static void *
dm_map_grow(void *p, size_t *size, size_t need, size_t item)
{
    size_t  n;

    if (need <= *size) {
        return p;
    }

    n = *size == 0 ? DM_MAP_MIN : 2 * *size;
    p = reallocarray(p, n, item);

    if (p != NULL) {
        *size = n;
    }

    return p;
}


static int
dm_map_sort(dm_map_t *map, dm_err_t *err)
{
    size_t    i;
    dm_str_t  user;

    /* an empty file has no lines at all, which qsort_r() does not take */

    if (map->nlines == 0) {
        return DM_OK;
    }

    qsort_r(map->line, map->nlines, sizeof(dm_map_line_t), dm_map_order, map);

    for (i = 1; i < map->nlines; i++) {
        user = dm_map_user(map, &map->line[i]);

        if (dm_str_eq(user, dm_map_user(map, &map->line[i - 1]))) {
            dm_err_set(err, "the id map has user \"%.*s\" twice",
                       (int) user.len, (const char *) user.data);
            return DM_INVALID;
        }
    }

    return DM_OK;
}


static int
dm_map_order(const void *a, const void *b, void *map)
{
    return dm_map_compare(dm_map_user(map, a), dm_map_user(map, b));
}


static int
dm_map_compare(dm_str_t a, dm_str_t b)
{
    int  rc;

    rc = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    if (rc != 0) {
        return rc;
    }

    return (a.len > b.len) - (a.len < b.len);
}


static dm_str_t
dm_map_user(const dm_map_t *map, const dm_map_line_t *line)
{
    return (dm_str_t) { map->text + line->user, line->user_len };
}


static dm_str_t
dm_map_id(const dm_map_t *map, const dm_map_line_t *line)
{
    return (dm_str_t) { map->text + line->user + line->user_len,
                        line->id_len };
}


int
dm_map_find(const dm_map_t *map, dm_str_t user, dm_str_t *id)
{
    int     rc;
    size_t  low, high, i;

    low = 0;
    high = map->nlines;

    while (low < high) {
        i = low + (high - low) / 2;
        rc = dm_map_compare(user, dm_map_user(map, &map->line[i]));

        if (rc == 0) {
            *id = dm_map_id(map, &map->line[i]);
            return DM_OK;
        }

        if (rc < 0) {
            high = i;

        } else {
            low = i + 1;
        }
    }

    return DM_DECLINED;
}


void
dm_map_free(dm_map_t *map)
{
    free(map->text);
    free(map->line);
}
