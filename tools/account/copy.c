/* A store that is copied, by its user where root runs it */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dm_store_follow.h"
#include "account/authority.h"
#include "account/copy.h"
#include "account/user.h"


static int dm_copy_fill(int fd, int disabled, void *data, dm_err_t *err);
static int dm_copy_child(dm_copy_t *copy, int fd, int disabled);
static int dm_copy_check(dm_cli_t *cli, const char *dir);
static void dm_copy_damage(const dm_err_t *what, void *data);


int
dm_copy_prepare(dm_copy_t *copy)
{
    void  *seen;

    if (!dm_user_is_other(copy->from)) {
        return dm_copy_open(copy);
    }

    seen = mmap(NULL, sizeof(dm_copy_seen_t), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (seen == MAP_FAILED) {
        return dm_cli_refuse(copy->cli, DM_CODE_SYSTEM, "out of memory");
    }

    copy->seen = seen;

    return DM_CLI_DONE;
}


int
dm_copy_open(dm_copy_t *copy)
{
    int        rc;
    dm_cli_t  *cli;

    cli = copy->cli;

    if (!copy->restore) {
        return dm_cli_open(cli, DM_STORE_READ);
    }

    dm_cli_guard(cli, SIGSEGV);
    dm_cli_guard(cli, SIGABRT);

    /* nobody else has a backup open: no lock file is made in it */
    rc = dm_cli_open_at(cli, copy->from, DM_STORE_PEEK);

    return rc == DM_CLI_DONE ? dm_copy_check(cli, copy->from) : rc;
}


int
dm_copy_make(dm_copy_t *copy, const char *path, const char *like)
{
    int        rc;
    dm_cli_t  *cli;

    cli = copy->cli;

    if (copy->seen == NULL) {
        rc = dm_store_copy(cli->store, path, like, &copy->whose, copy->put,
                           &cli->err);

    } else if (dm_user_is_other(copy->from)
               && dm_user_parent(cli, path, 0) != DM_CLI_DONE)
    {
        return DM_CLI_REFUSED;

    } else {
        rc = dm_store_receive(path, like, &copy->whose, dm_copy_fill, copy,
                              copy->put, &cli->err);
    }

    if (rc == DM_OK) {
        return DM_CLI_DONE;
    }

    /* the child has told it on stderr itself */

    if (copy->seen != NULL && copy->seen->said[0] != '\0') {
        (void) snprintf(cli->said, DM_CLI_MESSAGE_MAX, "%.*s",
                        DM_CLI_MESSAGE_MAX - 1, copy->seen->said);
        return DM_CLI_REFUSED;
    }

    return dm_cli_refuse(cli, dm_code_of_store(rc), "%s", cli->err.text);
}


static int
dm_copy_fill(int fd, int disabled, void *data, dm_err_t *err)
{
    int         status;
    pid_t       pid;
    dm_copy_t  *copy;

    copy = data;
    pid = fork();

    if (pid == 0) {
        _exit(dm_copy_child(copy, fd, disabled));
    }

    if (pid == -1 || waitpid(pid, &status, 0) == -1) {
        dm_err_set(err, "cannot make a process for the store's user: %s",
                   strerror(errno));
        return DM_ERROR;
    }

    if (!WIFEXITED(status) || WEXITSTATUS(status) != DM_CLI_DONE) {
        dm_err_set(err, "\"%s\" cannot be copied", copy->from);
        return DM_ERROR;
    }

    return DM_OK;
}


static int
dm_copy_child(dm_copy_t *copy, int fd, int disabled)
{
    int                     rc;
    dm_cli_t               *cli;
    dm_copy_seen_t         *seen;
    const dm_store_meta_t  *meta;

    cli = copy->cli;
    seen = copy->seen;
    cli->said = seen->said;

    rc = dm_copy_open(copy);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_store_send(cli->store, fd, disabled, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    meta = dm_store_meta(cli->store);

    seen->accounts = meta->accounts;
    memcpy(seen->realm, meta->realm.data, meta->realm.len);

    dm_cli_close(cli);

    return DM_CLI_DONE;
}


static int
dm_copy_check(dm_cli_t *cli, const char *dir)
{
    int       follows;
    uint64_t  damages;

    if (dm_store_check(cli->store, NULL, dm_copy_damage, cli, &damages,
                       &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    if (damages != 0) {
        return dm_cli_refuse(cli, DM_CODE_STORE_DAMAGED, "backup \"%s\" is "
                             "damaged, and the store is left as it is", dir);
    }

    /* changes of it would be on this machine alone, and nobody would notice */

    if (dm_store_follows(cli->store, &follows, &cli->err) == DM_OK && !follows
        && access(dm_authority_public_path(), F_OK) == 0)
    {
        dm_cli_warn(cli, "backup \"%s\" is of a store that follows no log, "
                    "and this machine is of a fleet: what is changed in it is "
                    "changed here alone, until \"dm-replica --bootstrap\" has "
                    "made it what the others are", dir);
    }

    return DM_CLI_DONE;
}


static void
dm_copy_damage(const dm_err_t *what, void *data)
{
    (void) dm_cli_refuse(data, DM_CODE_STORE_DAMAGED, "damage: %s",
                         what->text);
}
