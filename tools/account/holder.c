/* Root's half of a rekey */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/holder.h"


typedef enum {
    DM_HOLDER_READ,
    DM_HOLDER_REPLACE,
    DM_HOLDER_RETIRE
} dm_holder_what_e;


/* a question to the process, and its answer */
typedef struct {
    dm_holder_what_e  what;
    int               rc;
    dm_keys_t         keys;
    dm_err_t          err;
    char              kept[PATH_MAX + DM_KEYFILE_KEPT];
} dm_holder_message_t;


static void dm_holder_serve(const char *path, int fd);
static void dm_holder_do(const char *path, dm_holder_message_t *message);
static int dm_holder_retire_at(const char *path, const dm_keys_t *keys,
    char *kept, dm_err_t *err);
static int dm_holder_ask(dm_holder_t *holder, dm_holder_message_t *message);


int
dm_holder_start(dm_holder_t *holder, const char *path, int apart,
    dm_err_t *err)
{
    int    pair[2];
    pid_t  pid;

    holder->path = path;
    holder->fd = -1;

    if (!apart) {
        return DM_OK;
    }

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1) {
        dm_err_set(err, "cannot make a process for the key file: %s",
                   strerror(errno));
        return DM_ERROR;
    }

    pid = fork();

    if (pid == 0) {
        (void) close(pair[0]);
        dm_holder_serve(path, pair[1]);
        _exit(0);
    }

    (void) close(pair[1]);

    if (pid == -1) {
        dm_err_set(err, "cannot make a process for the key file: %s",
                   strerror(errno));
        (void) close(pair[0]);
        return DM_ERROR;
    }

    holder->fd = pair[0];

    return DM_OK;
}


void
dm_holder_stop(dm_holder_t *holder)
{
    if (holder->fd != -1) {
        (void) close(holder->fd);
        holder->fd = -1;
    }
}


/*
 * Answers questions until there are no more.  Signals are ignored: this
 * process ends when the other one does, and not in the middle of an answer.
 */
static void
dm_holder_serve(const char *path, int fd)
{
    dm_holder_message_t  message;

    (void) signal(SIGINT, SIG_IGN);
    (void) signal(SIGTERM, SIG_IGN);
    (void) signal(SIGPIPE, SIG_IGN);

    while (recv(fd, &message, sizeof(message), 0)
           == (ssize_t) sizeof(message))
    {
        dm_holder_do(path, &message);

        if (send(fd, &message, sizeof(message), 0) == -1) {
            break;
        }
    }

    OPENSSL_cleanse(&message, sizeof(message));
}


static void
dm_holder_do(const char *path, dm_holder_message_t *message)
{
    switch (message->what) {

    case DM_HOLDER_READ:
        message->rc = dm_keys_read(path, &message->keys, &message->err);
        return;

    case DM_HOLDER_REPLACE:
        message->rc = dm_keyfile_check(&message->keys, &message->err);

        if (message->rc == DM_OK) {
            message->rc = dm_keyfile_replace(path, &message->keys,
                                             &message->err);
        }

        return;

    default: /* DM_HOLDER_RETIRE */
        message->rc = dm_keyfile_check(&message->keys, &message->err);

        if (message->rc == DM_OK) {
            message->rc = dm_holder_retire_at(path, &message->keys,
                                              message->kept, &message->err);
        }
    }
}


static int
dm_holder_retire_at(const char *path, const dm_keys_t *keys, char *kept,
    dm_err_t *err)
{
    int        rc;
    dm_keys_t  first;

    if (keys->n != DM_KEYS) {
        dm_err_set(err, "there is no key to take out of \"%s\"", path);
        return DM_ERROR;
    }

    if (dm_keyfile_keep(path, &keys->key[1], kept, err) != DM_OK) {
        return DM_ERROR;
    }

    memset(&first, 0, sizeof(dm_keys_t));
    first.key[0] = keys->key[0];
    first.n = 1;

    rc = dm_keyfile_replace(path, &first, err);

    dm_keys_wipe(&first);

    if (rc != DM_OK) {
        (void) unlink(kept);
    }

    return rc;
}


int
dm_holder_read(dm_holder_t *holder, dm_keys_t *keys, dm_err_t *err)
{
    int                  rc;
    dm_holder_message_t  message;

    memset(&message, 0, sizeof(message));
    message.what = DM_HOLDER_READ;

    rc = dm_holder_ask(holder, &message);

    *keys = message.keys;
    *err = message.err;

    OPENSSL_cleanse(&message, sizeof(message));

    return rc;
}


int
dm_holder_replace(dm_holder_t *holder, const dm_keys_t *keys, dm_err_t *err)
{
    int                  rc;
    dm_holder_message_t  message;

    memset(&message, 0, sizeof(message));
    message.what = DM_HOLDER_REPLACE;
    message.keys = *keys;

    rc = dm_holder_ask(holder, &message);

    *err = message.err;

    OPENSSL_cleanse(&message, sizeof(message));

    return rc;
}


int
dm_holder_retire(dm_holder_t *holder, const dm_keys_t *keys, char *kept,
    dm_err_t *err)
{
    int                  rc;
    dm_holder_message_t  message;

    memset(&message, 0, sizeof(message));
    message.what = DM_HOLDER_RETIRE;
    message.keys = *keys;

    rc = dm_holder_ask(holder, &message);

    *err = message.err;

    if (rc == DM_OK) {
        memcpy(kept, message.kept, sizeof(message.kept));
    }

    OPENSSL_cleanse(&message, sizeof(message));

    return rc;
}


static int
dm_holder_ask(dm_holder_t *holder, dm_holder_message_t *message)
{
    if (holder->fd == -1) {
        dm_holder_do(holder->path, message);
        return message->rc;
    }

    if (send(holder->fd, message, sizeof(*message), MSG_NOSIGNAL) == -1
        || recv(holder->fd, message, sizeof(*message), 0)
           != (ssize_t) sizeof(*message))
    {
        dm_err_set(&message->err, "the process that has the key file \"%s\" "
                   "is gone", holder->path);
        return DM_ERROR;
    }

    return message->rc;
}
