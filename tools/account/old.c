/* Stores of before, which lie beside the one in force */

#define _GNU_SOURCE     /* strptime() */

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "account/old.h"
#include "account/user.h"
#include "common/json.h"
#include "common/output.h"


#define DM_OLD_TIME  "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T"              \
                     "[0-9][0-9][0-9][0-9][0-9][0-9]Z"

/* mkdtemp() makes them */
#define DM_OLD_TEMP    ".[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]"                   \
                       "[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]"

/* octets of a quote within quotes, and of the end */
#define DM_OLD_QUOTES  6

#define DM_OLD_FORMAT  ".%Y%m%dT%H%M%SZ"


static int dm_old_find(const char *path, const char *suffix, glob_t *found);
static int dm_old_is_store(const char *path);
static void dm_old_remove(dm_cli_t *cli, const char *path, json_t *removed);
static void dm_old_word(char *to, size_t size, const char *word);


int
dm_old_keep(const dm_cli_t *cli, const char *value, unsigned *keep)
{
    char  *end;

    *keep = (unsigned) strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end != '\0' || end - value > 4) {
        return dm_cli_usage(cli, "--keep: a number of stores, 0 to 9999");
    }

    return DM_CLI_DONE;
}


void
dm_old_sweep(const char *path)
{
    size_t  i;
    glob_t  found;

    /* a thing found by its name may be exchanged by whoever changes names */

    if (!dm_user_is_alone(path) || dm_old_find(path, DM_OLD_TEMP, &found) != 0)
    {
        return;
    }

    for (i = 0; i < found.gl_pathc; i++) {
        dm_store_sweep(found.gl_pathv[i]);
    }

    globfree(&found);
}


void
dm_old_name(const char *path, char *name, size_t size)
{
    size_t       i, len;
    glob_t       found;
    time_t       time_of, at;
    struct tm    tm;
    const char  *end;
    struct stat  sb;

    len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }

    (void) snprintf(name, size, "%.*s", (int) len, path);

    time_of = time(NULL);

    /*
     * The newest is the last by name, also where two are of one second or the
     * clock went back.
     */

    if (dm_old_find(path, "", &found) == 0) {

        for (i = 0; i < found.gl_pathc; i++) {
            memset(&tm, 0, sizeof(struct tm));
            end = strptime(found.gl_pathv[i] + len, DM_OLD_FORMAT, &tm);

            if (end == NULL || *end != '\0'
                || !dm_old_is_store(found.gl_pathv[i]))
            {
                continue;
            }

            at = timegm(&tm);

            if (at >= time_of) {
                time_of = at + 1;
            }
        }

        globfree(&found);
    }

    for ( ;; ) {
        (void) gmtime_r(&time_of, &tm);
        (void) strftime(name + len, size - len, DM_OLD_FORMAT, &tm);

        if (lstat(name, &sb) == -1) {
            return;
        }

        time_of++;
    }
}


void
dm_old_prune(dm_cli_t *cli, const char *path, unsigned keep, json_t *removed)
{
    size_t  i, n;
    glob_t  found;

    if (dm_old_find(path, "", &found) != 0) {
        return;
    }

    /* they are in the order of their times */

    n = 0;

    for (i = found.gl_pathc; i-- > 0; /* void */ ) {

        if (dm_old_is_store(found.gl_pathv[i]) && n++ >= keep) {
            dm_old_remove(cli, found.gl_pathv[i], removed);
        }
    }

    globfree(&found);
}


/* finds names beside path of that form; not 0: there are none */
static int
dm_old_find(const char *path, const char *suffix, glob_t *found)
{
    char         pattern[2 * PATH_MAX + sizeof(DM_OLD_TIME)
                             + sizeof(DM_OLD_TEMP)];
    size_t       n;
    const char  *p;

    n = 0;

    /* the path itself is no pattern */

    for (p = path; *p != '\0' && n < 2 * PATH_MAX - 2; p++) {

        if (strchr("*?[\\", *p) != NULL) {
            pattern[n++] = '\\';
        }

        pattern[n++] = *p;
    }

    while (n > 1 && pattern[n - 1] == '/') {
        n--;
    }

    (void) snprintf(pattern + n, sizeof(pattern) - n, "." DM_OLD_TIME "%s",
                    suffix);

    return glob(pattern, 0, NULL, found);
}


static int
dm_old_is_store(const char *path)
{
    char         data[PATH_MAX + sizeof("/data.mdb")];
    struct stat  sb;

    (void) snprintf(data, sizeof(data), "%s/data.mdb", path);

    return lstat(path, &sb) == 0 && S_ISDIR(sb.st_mode)
           && lstat(data, &sb) == 0;
}


static void
dm_old_remove(dm_cli_t *cli, const char *path, json_t *removed)
{
    dm_store_pids_t  pids;

    if (dm_store_left(path, 0, &pids, &cli->err) == DM_OK && pids.n != 0) {
        dm_cli_warn(cli, "\"%s\", an old store, is kept: %u processes have it "
                    "open", path, pids.n);
        return;
    }

    if (dm_store_remove(path, &cli->err) != DM_OK) {
        dm_cli_warn(cli, "%s", cli->err.text);
        return;
    }

    (void) json_array_append_new(removed, dm_json_text(path));
}


void
dm_old_print_back(const dm_cli_t *cli, const char *path, const char *copy)
{
    char  aside[4 * PATH_MAX], store[4 * PATH_MAX], key[4 * PATH_MAX];
    char  full[PATH_MAX];

    store[0] = '\0';
    key[0] = '\0';

    dm_old_word(aside, sizeof(aside), copy);

    if (strcmp(cli->store_path, DM_DEFAULT_STORE) != 0) {
        dm_old_word(store, sizeof(store), path);
    }

    if (strcmp(cli->key_path, DM_DEFAULT_KEY) != 0) {
        dm_old_word(key, sizeof(key),
                    cli->key_path[0] != '/'
                    && realpath(cli->key_path, full) != NULL ? full
                                                        : cli->key_path);
    }

    dm_out_line(stdout, "to go back: dm-account %s%s%s%s%s%srestore %s",
                store[0] ? "--store " : "", store, store[0] ? " " : "",
                key[0] ? "--key " : "", key, key[0] ? " " : "", aside);
}


/* a word that has more than letters, digits and the like stands in quotes */
static void
dm_old_word(char *to, size_t size, const char *word)
{
    char  *p, *last;

    if (word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789_./:@%+,-")]
        == '\0')
    {
        (void) snprintf(to, size, "%s", word);
        return;
    }

    p = to;
    last = to + size - DM_OLD_QUOTES;
    *p++ = '\'';

    for ( /* void */ ; *word != '\0' && p < last; word++) {

        /* ends the quotes, and begins them anew behind it */

        if (*word == '\'') {
            *p++ = '\'';
            *p++ = '\\';
            *p++ = '\'';
        }

        *p++ = *word;
    }

    *p++ = '\'';
    *p = '\0';
}
