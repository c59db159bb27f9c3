/* dm-account upgrade: the store is copied and changed */

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account/upgrade.h"
#include "account/user.h"
#include "account/waits.h"


static int dm_upgrade_backup(dm_upgrade_t *up);
static int dm_upgrade_fill(int fd, int disabled, void *data, dm_err_t *err);
static int dm_upgrade_start(dm_upgrade_t *up, int fd, int disabled);
static int dm_upgrade_finish(dm_upgrade_t *up, int go_on);
static int dm_upgrade_writer(dm_upgrade_t *up, int fd, int disabled);
static int dm_upgrade_open(dm_upgrade_t *up);
static int dm_upgrade_hear(int fd);


/*
 * A process of the store's user takes the lock of the writers, and only then
 * looks, copies and writes: what others have changed meanwhile is in the copy.
 * It goes on from the copy to the change when this process, which may be
 * root's, has put the copy in its place.
 */
int
dm_upgrade_change(dm_upgrade_t *up)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, up->talk) == -1) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "no socket can be made: %s",
                             strerror(errno));
    }

    if (up->keep != 0 && (up->step[DM_UPGRADE_COUNTERS]
                          || up->step[DM_UPGRADE_VERSION]))
    {
        rc = dm_upgrade_backup(up);

    } else {
        rc = dm_upgrade_start(up, -1, -1) == DM_OK ? DM_CLI_DONE
                                                   : DM_CLI_REFUSED;
    }

    rc = dm_upgrade_finish(up, rc == DM_CLI_DONE) == DM_CLI_DONE
         ? rc : DM_CLI_REFUSED;

    if (up->seen->idle) {
        /* another one has done it while this one waited */
        up->step[DM_UPGRADE_DISABLED] = 0;
        up->aside[0] = '\0';
        return dm_upgrade_judge(up);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    cli->changed = 1;

    /* an older copy is given up when there is nothing more that can fail */

    if (up->aside[0] != '\0') {
        dm_old_prune(cli, up->copies, up->keep, up->removed);
    }

    return dm_upgrade_judge(up);
}


/* the store stays what it is as long as there is no copy of it */
static int
dm_upgrade_backup(dm_upgrade_t *up)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;

    dm_old_sweep(up->copies);
    dm_old_name(up->copies, up->aside, sizeof(up->aside));

    if (dm_user_is_other(up->path)) {
        rc = dm_user_parent(cli, up->aside, 0);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    rc = dm_store_receive(up->aside, up->path, NULL, dm_upgrade_fill, up, NULL,
                          &cli->err);

    if (rc == DM_OK) {
        return DM_CLI_DONE;
    }

    up->aside[0] = '\0';

    if (up->seen->idle) {
        return DM_CLI_REFUSED;
    }

    if (up->seen->said[0] == '\0') {
        (void) dm_cli_refuse(cli, dm_code_of_store(rc), "%s", cli->err.text);
    }

    dm_cli_warn(cli, "the accounts are as they were; where no copy can stand "
                "beside the store, copy it elsewhere with \"dm-account "
                "backup DIR\", and then \"dm-account upgrade --keep 0\" makes "
                "none: it removes nothing, but only that backup leads back");

    return DM_CLI_REFUSED;
}


static int
dm_upgrade_fill(int fd, int disabled, void *data, dm_err_t *err)
{
    dm_upgrade_t  *up;

    up = data;

    if (dm_upgrade_start(up, fd, disabled) == DM_OK) {
        return DM_OK;
    }

    dm_err_set(err, "\"%s\" cannot be copied", up->path);

    return DM_ERROR;
}


/* DM_OK: the process waits before its change; DM_ERROR: it ends, or is none */
static int
dm_upgrade_start(dm_upgrade_t *up, int fd, int disabled)
{
    up->pid = fork();

    if (up->pid == 0) {
        (void) close(up->talk[0]);
        _exit(dm_upgrade_writer(up, fd, disabled));
    }

    (void) close(up->talk[1]);
    up->talk[1] = -1;

    if (up->pid == -1) {
        up->pid = 0;
        (void) dm_cli_refuse(up->cli, DM_CODE_SYSTEM, "cannot make a process "
                             "for the store's user: %s", strerror(errno));
        return DM_ERROR;
    }

    return dm_upgrade_hear(up->talk[0]);
}


/* lets it change the store, or has it leave all as it is, and sees it end */
static int
dm_upgrade_finish(dm_upgrade_t *up, int go_on)
{
    int  status;

    /* where it is gone, its status says so */

    if (go_on) {
        (void) send(up->talk[0], "", 1, MSG_NOSIGNAL);
    }

    (void) close(up->talk[0]);

    if (up->talk[1] != -1) {
        (void) close(up->talk[1]);
    }

    if (up->pid == 0) {
        return DM_CLI_REFUSED;
    }

    if (waitpid(up->pid, &status, 0) == -1) {
        return dm_cli_refuse(up->cli, DM_CODE_SYSTEM, "the process that "
                             "changes the store is lost: %s",
                             strerror(errno));
    }

    return go_on || up->seen->said[0] != '\0' ? dm_upgrade_failed(up, status)
                                              : DM_CLI_DONE;
}


/* one transaction, which begins by counting what was not counted */
static int
dm_upgrade_writer(dm_upgrade_t *up, int fd, int disabled)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;
    cli->said = up->seen->said;

    rc = dm_upgrade_open(up);

    if (rc != DM_CLI_DONE || up->seen->idle) {
        return rc;
    }

    if (fd != -1
        && dm_store_send(cli->store, fd, disabled, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    if (send(up->talk[1], "", 1, MSG_NOSIGNAL) != 1
        || dm_upgrade_hear(up->talk[1]) != DM_OK)
    {
        return DM_CLI_DONE;
    }

    /* the copy is on the disk by now, and who was disabled meanwhile is not */

    if (disabled != -1
        && dm_store_send_disabled(cli->store, disabled, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    rc = dm_cli_begin(cli);

    if (rc == DM_CLI_DONE) {
        dm_store_sign(cli->store);
        rc = dm_cli_commit(cli);
    }

    dm_cli_close(cli);

    return rc;
}


/* opens the store to be changed by nobody else, and looks once more */
static int
dm_upgrade_open(dm_upgrade_t *up)
{
    int        rc;
    dm_cli_t  *cli;

    cli = up->cli;

    cli->apart = 1;

    rc = dm_cli_open_at(cli, up->path, DM_STORE_WRITE);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    dm_waits_begin(cli);
    rc = dm_store_hold(cli->store, &cli->err);
    dm_waits_end();

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    rc = dm_upgrade_see(up);

    if (rc == DM_CLI_DONE) {
        rc = dm_upgrade_judge(up);
    }

    up->step[DM_UPGRADE_DISABLED] = !dm_upgrade_has(up, "disabled");
    up->seen->idle = (rc == DM_CLI_DONE && !dm_upgrade_changes(up));

    return rc;
}


/* DM_OK: the other process goes on; DM_ERROR: it has ended, or gives up */
static int
dm_upgrade_hear(int fd)
{
    char     octet;
    ssize_t  n;

    do {
        n = read(fd, &octet, 1);
    } while (n == -1 && errno == EINTR);

    return n == 1 ? DM_OK : DM_ERROR;
}
