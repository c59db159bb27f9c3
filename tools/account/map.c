/* The file of --id-map: the accounts of the users of another system */

#define _GNU_SOURCE     /* qsort_r() */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm_account.h"
#include "account/lines.h"
#include "account/map.h"
#include "common/input.h"


#define DM_MAP_MIN   4096   /* octets of text, and lines, at the start */
#define DM_MAP_TOLD  3      /* lines that are named */


static int dm_map_read_lines(dm_map_t *map, dm_lines_t *lines,
    dm_err_t *err);
static int dm_map_add(dm_map_t *map, dm_str_t line, uint64_t number,
    dm_err_t *err);
static void *dm_map_grow(void *p, size_t *size, size_t need, size_t item);
static int dm_map_sort(dm_map_t *map, dm_err_t *err);
static int dm_map_order(const void *a, const void *b, void *map);
static int dm_map_compare(dm_str_t a, dm_str_t b);
static dm_str_t dm_map_user(const dm_map_t *map, const dm_map_line_t *line);
static dm_str_t dm_map_id(const dm_map_t *map, const dm_map_line_t *line);
static void dm_map_keep_first(const dm_map_line_t **first, size_t n,
    const dm_map_line_t *line);


int
dm_map_read(dm_map_t *map, const char *path,
    int (*check)(dm_str_t user, dm_err_t *err), dm_err_t *err)
{
    int          rc;
    dm_lines_t  *lines;

    memset(map, 0, sizeof(dm_map_t));
    map->check = check;
    map->path = path;

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

        if (rc == DM_OK && !dm_lines_is_comment(line)) {
            rc = dm_map_add(map, line, lines->number, &why);
        }

        if (rc != DM_OK) {
            dm_err_set(err, "\"%s\" line %llu: %s", lines->path,
                       (unsigned long long) lines->number, why.text);
            return rc;
        }
    }
}


static int
dm_map_add(dm_map_t *map, dm_str_t line, uint64_t number, dm_err_t *err)
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
        || dm_text_check_shown(user, "the user", err) != DM_OK
        || dm_input_not_mangled(user, "the user", err) != DM_OK
        || dm_account_check_id(id, err) != DM_OK
        || dm_text_check_shown(id, "the id", err) != DM_OK
        || dm_input_not_mangled(id, "the id", err) != DM_OK)
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

    map->line[map->nlines++] = (dm_map_line_t) {
        map->len, number, (uint16_t) user.len, (uint16_t) id.len, 0
    };

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
            dm_err_set(err, "the id map has user \"%.*s\" twice, in lines %llu "
                       "and %llu: keep one of the two", (int) user.len,
                       (const char *) user.data,
                       (unsigned long long) map->line[i - 1].number,
                       (unsigned long long) map->line[i].number);
            return DM_INVALID;
        }
    }

    return DM_OK;
}


static int
dm_map_order(const void *a, const void *b, void *map)
{
    int                   rc;
    const dm_map_line_t  *one, *two;

    one = a;
    two = b;

    rc = dm_map_compare(dm_map_user(map, one), dm_map_user(map, two));

    return rc != 0 ? rc
                   : (one->number > two->number) - (one->number < two->number);
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
dm_map_find(dm_map_t *map, dm_str_t user, dm_str_t *id)
{
    int     rc;
    size_t  low, high, i;

    low = 0;
    high = map->nlines;

    while (low < high) {
        i = low + (high - low) / 2;
        rc = dm_map_compare(user, dm_map_user(map, &map->line[i]));

        if (rc == 0) {
            map->line[i].used = 1;
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
dm_map_warn_unused(const dm_map_t *map, const dm_cli_t *cli)
{
    int                   len;
    char                  text[DM_CLI_MESSAGE_MAX];
    size_t                i, k, n;
    dm_str_t              user;
    const dm_map_line_t  *first[DM_MAP_TOLD];

    n = 0;

    for (i = 0; i < map->nlines; i++) {
        if (!map->line[i].used) {
            dm_map_keep_first(first, n < DM_MAP_TOLD ? n : DM_MAP_TOLD,
                              &map->line[i]);
            n++;
        }
    }

    if (n == 0) {
        return;
    }

    len = 0;

    for (k = 0; k < n && k < DM_MAP_TOLD; k++) {
        user = dm_map_user(map, first[k]);
        len += snprintf(text + len, sizeof(text) - (size_t) len,
                        "%sline %llu \"%.*s\"", k == 0 ? "" : ", ",
                        (unsigned long long) first[k]->number,
                        dm_cli_arg(user));
    }

    dm_cli_warn(cli, "%zu %s of the id map \"%s\" %s not used, as no user of "
                "the file is called so: %s%s", n, n == 1 ? "line" : "lines",
                map->path, n == 1 ? "was" : "were", text,
                n > DM_MAP_TOLD ? ", ..." : "");
}


/* puts the line among the n first of those so far, by their numbers */
static void
dm_map_keep_first(const dm_map_line_t **first, size_t n,
    const dm_map_line_t *line)
{
    size_t  k;

    for (k = n; k > 0 && first[k - 1]->number > line->number; k--) {
        if (k < DM_MAP_TOLD) {
            first[k] = first[k - 1];
        }
    }

    if (k < DM_MAP_TOLD) {
        first[k] = line;
    }
}


void
dm_map_free(dm_map_t *map)
{
    free(map->text);
    free(map->line);
}
