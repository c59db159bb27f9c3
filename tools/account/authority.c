/* The log that a change goes through in a store that follows one */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account/authority.h"
#include "common/process.h"
#include "fleet/writer.h"


struct dm_authority_s {
    int           seeds_rc;
    int           public_rc;
    dm_keys_t     seeds;                    /* the first signs */
    dm_keys_t     public;
    dm_err_t      err;                      /* what is wrong with either */
    char          user[DM_FLEET_TEXT_MAX + 1];
    char          host[DM_FLEET_TEXT_MAX + 1];
    dm_writer_t  *writer;                   /* NULL: none */
};


static int dm_authority_write(dm_cli_t *cli);
static int dm_dry_begin(dm_store_t *store, void *data, dm_err_t *err);
static int dm_dry_change(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t id,
    dm_str_t what, void *data, dm_err_t *err);
static int dm_dry_commit(dm_store_t *store, void *data, dm_err_t *err);
static void dm_dry_end(dm_store_t *store, int done, void *data);


/* a log that takes everything, and keeps nothing: a dry run commits nothing */
static const dm_store_log_t  dm_dry_log = {
    dm_dry_begin,
    dm_dry_change,
    dm_dry_commit,
    dm_dry_end
};


void
dm_authority_read(dm_cli_t *cli)
{
    dm_authority_t  *authority;

    if (cli->authority != NULL) {
        return;
    }

    authority = calloc(1, sizeof(dm_authority_t));

    if (authority == NULL) {
        return;
    }

    cli->authority = authority;

    authority->public_rc = dm_keys_read_public(dm_authority_public_path(),
                                               &authority->public,
                                               &authority->err);

    if (access(dm_authority_key_path(), F_OK) == -1 && errno == ENOENT) {
        authority->seeds_rc = DM_DECLINED;
        return;
    }

    authority->seeds_rc = dm_keys_read(dm_authority_key_path(),
                                       &authority->seeds, &authority->err);
}


int
dm_authority_use(dm_cli_t *cli)
{
    int              rc, follows;
    dm_authority_t  *authority;

    rc = dm_store_follows(cli->store, &follows, &cli->err);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, dm_code_of_store(rc), "%s", cli->err.text);
    }

    if (!follows) {
        return DM_CLI_DONE;
    }

    if (cli->dry_run) {
        dm_store_follow(cli->store, &dm_dry_log, NULL);
        return DM_CLI_DONE;
    }

    authority = cli->authority;

    if (authority == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    if (authority->seeds_rc == DM_DECLINED) {
        return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "store \"%s\" follows a "
                             "log, through which its changes go, and that "
                             "takes the authority's key, which is not at "
                             "\"%s\": make the change on a machine that has "
                             "it; " DM_AUTHORITY_HERE, cli->store_path,
                             dm_authority_key_path());
    }

    if (authority->seeds_rc != DM_OK || authority->public_rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "store \"%s\" follows a "
                             "log, through which its changes go, and the "
                             "authority's keys cannot be used: %s; "
                             DM_AUTHORITY_HERE, cli->store_path,
                             authority->err.text);
    }

    return dm_authority_write(cli);
}


static int
dm_authority_write(dm_cli_t *cli)
{
    int                rc;
    dm_authority_t    *authority;
    dm_writer_conf_t   conf;

    authority = cli->authority;

    (void) snprintf(authority->user, sizeof(authority->user), "%s", cli->user);
    dm_authority_host(authority->host, sizeof(authority->host));

    conf = (dm_writer_conf_t) {
        dm_authority_conninfo(1), &cli->keys, &authority->public,
        &authority->seeds.key[0], authority->user, authority->host,
        cli->verb->name
    };

    rc = dm_writer_new(&authority->writer, cli->store, &conf, &cli->err);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, rc == DM_INVALID ? DM_CODE_AUTHORITY
                                                   : DM_CODE_SYSTEM,
                             "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


void
dm_authority_leave(dm_cli_t *cli)
{
    if (cli->authority != NULL) {
        dm_writer_free(cli->authority->writer);
        cli->authority->writer = NULL;
    }
}


void
dm_authority_end(dm_cli_t *cli)
{
    dm_authority_leave(cli);

    if (cli->authority != NULL) {
        dm_keys_wipe(&cli->authority->seeds);
        free(cli->authority);
        cli->authority = NULL;
    }
}


dm_code_e
dm_authority_code(const dm_cli_t *cli)
{
    const dm_writer_t  *writer;

    writer = cli->authority == NULL ? NULL : cli->authority->writer;

    if (writer == NULL || !dm_writer_failed(writer)) {
        return DM_CODE_STORE_FAILED;
    }

    return dm_writer_end(writer) == DM_WRITER_UNKNOWN ? DM_CODE_NOT_KNOWN
                                                      : DM_CODE_ENGINE;
}


int
dm_authority_ahead(const dm_cli_t *cli)
{
    return cli->authority != NULL && cli->authority->writer != NULL
           && dm_writer_end(cli->authority->writer) == DM_WRITER_AHEAD;
}


const char *
dm_authority_key_path(void)
{
    return dm_process_env("DM_SEC_AUTHORITY", DM_AUTHORITY_KEY);
}


const char *
dm_authority_public_path(void)
{
    return dm_process_env("DM_SEC_AUTHORITY_PUBLIC", DM_DEFAULT_AUTHORITY);
}


const char *
dm_authority_beat_path(void)
{
    return dm_process_env("DM_SEC_BEAT", DM_AUTHORITY_BEAT);
}


const char *
dm_authority_conninfo(int writes)
{
    /* libpq's own name for the file; what it names it says itself */

    (void) setenv("PGSERVICEFILE", DM_ENGINE_SERVICES, 0);

    return dm_process_env("DM_SEC_ENGINE", writes ? DM_ENGINE_WRITER
                                                  : DM_ENGINE_NODE);
}


void
dm_authority_host(char *host, size_t size)
{
    if (gethostname(host, size) == -1) {
        (void) snprintf(host, size, "-");
    }

    host[size - 1] = '\0';
}


static int
dm_dry_begin(dm_store_t *store, void *data, dm_err_t *err)
{
    (void) store;
    (void) data;
    (void) err;

    return DM_OK;
}


static int
dm_dry_change(dm_store_t *store, dm_fleet_kind_t kind, dm_str_t id,
    dm_str_t what, void *data, dm_err_t *err)
{
    (void) store;
    (void) kind;
    (void) id;
    (void) what;
    (void) data;
    (void) err;

    return DM_OK;
}


static int
dm_dry_commit(dm_store_t *store, void *data, dm_err_t *err)
{
    (void) store;
    (void) data;

    dm_err_set(err, "a dry run changes nothing");

    return DM_ERROR;
}


static void
dm_dry_end(dm_store_t *store, int done, void *data)
{
    (void) store;
    (void) done;
    (void) data;
}
