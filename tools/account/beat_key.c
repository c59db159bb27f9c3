/* The file of the key of beats */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/beat_key.h"
#include "account/keyfile.h"


static void dm_beat_key_serve(dm_beat_key_t *beats, int fd);
static int dm_beat_key_make(const dm_beat_key_t *beats, dm_err_t *err);
static int dm_beat_key_ended(dm_err_t *err);


int
dm_beat_key_start(dm_beat_key_t *beats, const char *path, int apart,
    dm_err_t *err)
{
    int  fd[2];

    memset(beats, 0, sizeof(dm_beat_key_t));
    beats->path = path;
    beats->fd = -1;

    if (!apart) {
        return DM_OK;
    }

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1) {
        return dm_beat_key_ended(err);
    }

    beats->pid = fork();

    if (beats->pid == 0) {
        close(fd[0]);
        dm_beat_key_serve(beats, fd[1]);
        _exit(0);
    }

    close(fd[1]);
    beats->fd = fd[0];

    return beats->pid == -1 ? dm_beat_key_ended(err) : DM_OK;
}


/* one key, in the form of a key, and one answer */
static void
dm_beat_key_serve(dm_beat_key_t *beats, int fd)
{
    ssize_t   n;
    dm_err_t  err;

    do {
        n = recv(fd, &beats->key, sizeof(dm_key_t), 0);
    } while (n == -1 && errno == EINTR);

    if (n != (ssize_t) sizeof(dm_key_t)) {
        return;
    }

    beats->key.id[DM_KEY_ID_MAX] = '\0';
    memset(&err, 0, sizeof(dm_err_t));

    if (dm_beat_key_make(beats, &err) == DM_OK) {
        err.text[0] = '\0';
    }

    (void) send(fd, &err, sizeof(dm_err_t), MSG_NOSIGNAL);

    OPENSSL_cleanse(&beats->key, sizeof(dm_key_t));
}


static int
dm_beat_key_make(const dm_beat_key_t *beats, dm_err_t *err)
{
    int        rc;
    dm_keys_t  keys, there;

    memset(&keys, 0, sizeof(dm_keys_t));
    keys.n = 1;
    keys.key[0] = beats->key;

    rc = dm_keyfile_check(&keys, err);

    if (rc == DM_OK) {
        rc = dm_keyfile_create(beats->path, &keys, err);
    }

    if (rc == DM_EXISTS) {
        rc = dm_keys_read(beats->path, &there, err);

        if (rc == DM_OK
            && (strcmp(there.key[0].id, keys.key[0].id) != 0
                || CRYPTO_memcmp(there.key[0].key, keys.key[0].key,
                                 DM_KEY_SIZE) != 0))
        {
            dm_err_set(err, "\"%s\" is there and has the key of beats of "
                       "another store or authority: move it away, or name "
                       "another file with DM_SEC_BEAT", beats->path);
            rc = DM_ERROR;
        }

        dm_keys_wipe(&there);
    }

    dm_keys_wipe(&keys);

    return rc == DM_OK ? DM_OK : DM_ERROR;
}


int
dm_beat_key_put(dm_beat_key_t *beats, dm_err_t *err)
{
    ssize_t   n;
    dm_err_t  said;

    if (beats->fd == -1) {
        return dm_beat_key_make(beats, err);
    }

    if (send(beats->fd, &beats->key, sizeof(dm_key_t), MSG_NOSIGNAL)
        != (ssize_t) sizeof(dm_key_t))
    {
        return dm_beat_key_ended(err);
    }

    do {
        n = recv(beats->fd, &said, sizeof(dm_err_t), 0);
    } while (n == -1 && errno == EINTR);

    if (n != (ssize_t) sizeof(dm_err_t)) {
        return dm_beat_key_ended(err);
    }

    if (said.text[0] != '\0') {
        said.text[sizeof(said.text) - 1] = '\0';
        dm_err_set(err, "%s", said.text);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_beat_key_ended(dm_err_t *err)
{
    dm_err_set(err, "the process that makes the key of beats cannot be had: "
               "%s", strerror(errno));

    return DM_ERROR;
}


void
dm_beat_key_stop(dm_beat_key_t *beats)
{
    if (beats->fd != -1) {
        close(beats->fd);
        (void) waitpid(beats->pid, NULL, 0);
        beats->fd = -1;
    }

    OPENSSL_cleanse(&beats->key, sizeof(dm_key_t));
}
