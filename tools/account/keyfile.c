/* The key file as dm-account writes it */

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "account/keyfile.h"


#define DM_KEYFILE_NEW   ".new"
#define DM_KEYFILE_LINE  (DM_KEY_ID_MAX + 1 + 2 * DM_KEY_SIZE + 1)


static int dm_keyfile_exchange(const char *path, const struct stat *old,
    const dm_keys_t *keys);
static int dm_keyfile_keep_at(const char *path, const struct stat *owner,
    const dm_keys_t *keys);
static int dm_keyfile_write(int fd, const dm_keys_t *keys);
static int dm_keyfile_text(const dm_keys_t *keys, char *text, size_t size);
static int dm_keyfile_sync_parent(const char *path);


int
dm_keyfile_add(dm_keys_t *keys, const char *id, dm_err_t *err)
{
    if (keys->n == DM_KEYS) {
        dm_err_set(err, "a key file has at most %d keys", DM_KEYS);
        return DM_ERROR;
    }

    memmove(&keys->key[1], &keys->key[0], sizeof(dm_key_t));
    memset(&keys->key[0], 0, sizeof(dm_key_t));

    (void) snprintf(keys->key[0].id, sizeof(keys->key[0].id), "%s", id);
    keys->n++;

    if (RAND_priv_bytes(keys->key[0].key, DM_KEY_SIZE) != 1) {
        dm_err_set(err, "cannot make a key: the library has no random "
                   "numbers");
        return DM_ERROR;
    }

    return DM_OK;
}


int
dm_keyfile_check(const dm_keys_t *keys, dm_err_t *err)
{
    size_t    len;
    unsigned  i;

    static const char  chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789._-";

    if (keys->n == 0 || keys->n > DM_KEYS) {
        dm_err_set(err, "a key file has 1 to %d keys", DM_KEYS);
        return DM_INVALID;
    }

    for (i = 0; i < keys->n; i++) {
        len = strnlen(keys->key[i].id, sizeof(keys->key[i].id));

        if (len == 0 || len == sizeof(keys->key[i].id)
            || strspn(keys->key[i].id, chars) != len)
        {
            dm_err_set(err, "a key file has no such key id");
            return DM_INVALID;
        }
    }

    return DM_OK;
}


int
dm_keyfile_create(const char *path, const dm_keys_t *keys, dm_err_t *err)
{
    int  fd;

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd == -1 && errno == EEXIST) {
        return DM_EXISTS;
    }

    if (fd == -1) {
        dm_err_set_made(err, "key file", path);
        return DM_ERROR;
    }

    /* a store whose key did not reach the disk could never be opened again */

    if (dm_keyfile_write(fd, keys) == -1
        || dm_keyfile_sync_parent(path) == -1)
    {
        dm_err_set(err, "cannot write the key file \"%s\": %s", path,
                   strerror(errno));
        (void) unlink(path);
        return DM_ERROR;
    }

    return DM_OK;
}


int
dm_keyfile_replace(const char *path, const dm_keys_t *keys, dm_err_t *err)
{
    char         real[PATH_MAX];
    struct stat  old;

    if (realpath(path, real) == NULL || stat(real, &old) == -1
        || dm_keyfile_exchange(real, &old, keys) == -1)
    {
        dm_err_set(err, "cannot replace the key file \"%s\": %s; where it is a "
                   "secret that was mounted, name a copy of it with --key, and "
                   "make the next secret of that", path, strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}


/* puts a new file with keys in the place of the old: 0, or -1 with errno */
static int
dm_keyfile_exchange(const char *path, const struct stat *old,
    const dm_keys_t *keys)
{
    int   fd, saved;
    char  temp[PATH_MAX + sizeof(DM_KEYFILE_NEW)];

    (void) snprintf(temp, sizeof(temp), "%s" DM_KEYFILE_NEW, path);

    /* remove what a process left that was killed here */
    (void) unlink(temp);

    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd == -1) {
        return -1;
    }

    if (fchown(fd, old->st_uid, old->st_gid) == -1
        || fchmod(fd, old->st_mode & 07777) == -1)
    {
        saved = errno;
        (void) close(fd);
        goto failed;
    }

    if (dm_keyfile_write(fd, keys) == -1 || rename(temp, path) == -1) {
        saved = errno;
        goto failed;
    }

    return dm_keyfile_sync_parent(path);

failed:

    (void) unlink(temp);
    errno = saved;

    return -1;
}


int
dm_keyfile_keep(const char *path, const dm_key_t *key, char *kept,
    dm_err_t *err)
{
    int          rc, i, n;
    char         when[DM_KEYFILE_KEPT], real[PATH_MAX];
    time_t       now;
    struct tm    tm;
    dm_keys_t    keys;
    struct stat  owner;

    now = time(NULL);
    (void) gmtime_r(&now, &tm);
    (void) strftime(when, sizeof(when), ".old-%Y%m%dT%H%M%SZ", &tm);

    if (realpath(path, real) == NULL || stat(real, &owner) == -1) {
        dm_err_set(err, "key file \"%s\" cannot be examined: %s", path,
                   strerror(errno));
        return DM_ERROR;
    }

    memset(&keys, 0, sizeof(dm_keys_t));
    keys.key[0] = *key;
    keys.n = 1;

    n = snprintf(kept, PATH_MAX + DM_KEYFILE_KEPT, "%s%s", real, when);
    rc = dm_keyfile_keep_at(kept, &owner, &keys);

    /* another key may have been kept in the same second */
    for (i = 2; rc == -1 && errno == EEXIST && i <= 9; i++) {
        (void) snprintf(kept + n, sizeof("-9"), "-%d", i);
        rc = dm_keyfile_keep_at(kept, &owner, &keys);
    }

    dm_keys_wipe(&keys);

    if (rc == -1) {
        dm_err_set(err, "the old key cannot be kept in \"%s\": %s", kept,
                   strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}


/*
 * Makes a file with keys: 0, or -1 with errno, and then it is not there unless
 * it was before.
 */
static int
dm_keyfile_keep_at(const char *path, const struct stat *owner,
    const dm_keys_t *keys)
{
    int  fd, saved;

    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd == -1) {
        return -1;
    }

    if (fchown(fd, owner->st_uid, owner->st_gid) == -1) {
        saved = errno;
        (void) close(fd);

    } else if (dm_keyfile_write(fd, keys) == -1
               || dm_keyfile_sync_parent(path) == -1)
    {
        saved = errno;

    } else {
        return 0;
    }

    (void) unlink(path);
    errno = saved;

    return -1;
}


/* writes keys to fd, syncs it and closes it: 0, or -1 with errno */
static int
dm_keyfile_write(int fd, const dm_keys_t *keys)
{
    int      rc, saved;
    char     text[DM_KEYS * DM_KEYFILE_LINE + 1];
    size_t   len;
    ssize_t  n;

    rc = dm_keyfile_text(keys, text, sizeof(text));

    if (rc == 0) {
        len = strlen(text);
        n = write(fd, text, len);

        if (n != (ssize_t) len) {
            errno = n == -1 ? errno : ENOSPC;
            rc = -1;
        }
    }

    OPENSSL_cleanse(text, sizeof(text));

    if (rc == 0) {
        rc = fsync(fd);
    }

    saved = errno;

    if (close(fd) == -1 && rc == 0) {
        return -1;
    }

    errno = saved;

    return rc;
}


static int
dm_keyfile_text(const dm_keys_t *keys, char *text, size_t size)
{
    size_t    len;
    unsigned  i;

    len = 0;

    for (i = 0; i < keys->n; i++) {
        len += (size_t) snprintf(text + len, size - len, "%s ",
                                 keys->key[i].id);

        if (OPENSSL_buf2hexstr_ex(text + len, size - len, NULL,
                                  keys->key[i].key, DM_KEY_SIZE, '\0')
            != 1)
        {
            errno = ENOMEM;
            return -1;
        }

        len += 2 * DM_KEY_SIZE;
        len += (size_t) snprintf(text + len, size - len, "\n");
    }

    return 0;
}


static int
dm_keyfile_sync_parent(const char *path)
{
    int   fd, rc, saved;
    char  copy[PATH_MAX];

    (void) snprintf(copy, sizeof(copy), "%s", path);

    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    rc = fsync(fd);
    saved = errno;
    (void) close(fd);
    errno = saved;

    return rc;
}
