/* Secrets that an import makes, and the file that gets them */

#include <stdio.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "account/audit.h"
#include "account/made.h"
#include "common/json.h"


static json_t *dm_made_json(const dm_made_t *made,
    const dm_account_t *account);


int
dm_made_check(const dm_made_t *made, const dm_cli_t *cli,
    const char *format, int keep_going)
{
    if (made->on && format != NULL) {
        return dm_cli_usage(cli, "%s is not for %s, whose lines have secrets",
                            dm_made_option(made), format);
    }

    if (made->on && keep_going) {
        return dm_cli_usage(cli, "%s and --keep-going exclude each other: "
                            "secrets are made for all of a file",
                            dm_made_option(made));
    }

    if (made->on != (made->path != NULL)) {
        return dm_cli_usage(cli, "%s and --output need each other",
                            dm_made_option(made));
    }

    if (dm_made_is_stdout(made) && isatty(STDOUT_FILENO)) {
        return dm_cli_refuse(cli, DM_CODE_TERMINAL, "secrets are not shown on "
                             "a terminal: write them to a file");
    }

    return DM_CLI_DONE;
}


const char *
dm_made_option(const dm_made_t *made)
{
    return made->psks ? "--generate-psks" : "--generate-passwords";
}


int
dm_made_secrets(dm_made_t *made, dm_account_t *account, dm_str_t realm,
    dm_err_t *err)
{
    if (made->passwords && !dm_account_has_ha1(account)
        && account->crypt.len == 0 && account->npsks == 0
        && (dm_secret_make_password(&made->password, err) != DM_OK
            || dm_secret_set_ha1(account, realm, &made->password, err)
               != DM_OK))
    {
        return DM_ERROR;
    }

    if (!made->psks || account->npsks != 0) {
        return DM_OK;
    }

    if (dm_secret_make_psk(&made->psk, err) != DM_OK) {
        return DM_ERROR;
    }

    return dm_secret_set_psk(account, account->id,
                             (dm_str_t) { made->psk.data, made->psk.len },
                             err);
}


void
dm_made_wipe(dm_made_t *made)
{
    OPENSSL_cleanse(&made->password, sizeof(dm_secret_t));
    OPENSSL_cleanse(&made->psk, sizeof(dm_secret_t));
}


int
dm_made_put(dm_made_t *made, const dm_account_t *account, dm_err_t *err)
{
    if (made->password.len == 0 && made->psk.len == 0) {
        return DM_OK;
    }

    return dm_sink_put(&made->sink, dm_made_json(made, account), err);
}


/* in the form that import takes; NULL: out of memory */
static json_t *
dm_made_json(const dm_made_t *made, const dm_account_t *account)
{
    int      failed;
    char     key[2 * DM_PSK_MAX + 1];
    json_t  *json;

    json = json_pack("{s:o, s:o}", "id", dm_json_str(account->id),
                     "name", dm_json_str(account->name));
    failed = (json == NULL);

    if (made->password.len != 0) {
        failed |= json_object_set_new(json, "password",
                          json_string((const char *) made->password.data));
    }

    if (made->psk.len != 0) {
        dm_secret_psk_hex(&made->psk, key);
        failed |= json_object_set_new(json, "psk",
                          json_pack("[{s:o, s:s}]",
                                    "identity", dm_json_str(account->id),
                                    "key", key));
        OPENSSL_cleanse(key, sizeof(key));
    }

    if (failed) {
        json_decref(json);
        return NULL;
    }

    return json;
}


int
dm_made_keep(dm_made_t *made, dm_cli_t *cli)
{
    if (!made->on) {
        return DM_CLI_DONE;
    }

    /* say it before the first of them leaves */

    (void) snprintf(cli->note, sizeof(cli->note), "generated=%llu",
                    (unsigned long long) made->sink.lines);
    dm_cli_audit(cli);

    if (dm_sink_keep(&made->sink, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_OUTPUT_FAILED, "%s; nothing is "
                             "imported", cli->err.text);
    }

    return DM_CLI_DONE;
}


/*
 * After a commit that fails nobody knows whether it was made, and a secret that
 * is in force must not be lost.
 */
int
dm_made_committed(const dm_made_t *made, const dm_cli_t *cli, int rc)
{
    if (made->on && rc != DM_CLI_DONE) {
        dm_cli_warn(cli, "\"%s\" is kept: \"dm-account %s\" tells whether its "
                    "secrets are in force", made->path,
                    made->passwords ? "verify" : "export --secrets");
    }

    return rc;
}


int
dm_made_is_stdout(const dm_made_t *made)
{
    return made->path != NULL && strcmp(made->path, "-") == 0;
}
