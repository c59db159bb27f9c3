/* dm-account replicate init: a store is published, and follows from then on */

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "dm_fleet_row.h"
#include "account/audit.h"
#include "account/beat_key.h"
#include "account/cli_store.h"
#include "account/keyfile.h"
#include "account/replicate.h"
#include "account/user.h"
#include "common/json.h"
#include "common/output.h"
#include "common/progress.h"


#define DM_INIT_AUTHORITY  "a1"         /* the id of the key that is made */


typedef struct {
    dm_replicate_t   *rep;
    int               follows;          /* it did before */
    uint64_t          rows;
    dm_progress_t     progress;
    dm_beat_key_t     beats;
    dm_store_next_t   at;
    unsigned char     key[DM_FLEET_KEY];
    unsigned char     body[DM_FLEET_ROW_MAX];
} dm_publish_t;


static int dm_publish_authority(dm_replicate_t *rep);
static int dm_publish_public(dm_replicate_t *rep);
static int dm_publish_open(dm_publish_t *pub);
static int dm_publish_start(dm_publish_t *pub);
static int dm_publish_head(dm_publish_t *pub);
static int dm_publish_send(dm_publish_t *pub);
static int dm_publish_row(dm_engine_row_t *row, void *data);
static int dm_publish_keep(dm_publish_t *pub);
static int dm_publish_done(dm_publish_t *pub);


int
dm_replicate_init(dm_replicate_t *rep)
{
    int            rc;
    dm_cli_t      *cli;
    dm_publish_t   pub;

    cli = rep->cli;

    memset(&pub, 0, sizeof(dm_publish_t));
    pub.rep = rep;

    /* keys are root's matter, and the store is its user's */

    rc = dm_publish_authority(rep);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_beat_key_start(&pub.beats, dm_authority_beat_path(),
                          dm_user_is_other(cli->store_path), &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    rc = dm_publish_open(&pub);

    if (rc == DM_CLI_DONE) {
        rc = dm_publish_head(&pub);
    }

    if (rc == DM_CLI_DONE && dm_beat_key_put(&pub.beats, &cli->err) != DM_OK) {
        rc = dm_cli_refuse(cli, DM_CODE_AUTHORITY, "%s", cli->err.text);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_publish_send(&pub);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_publish_keep(&pub);
    }

    dm_beat_key_stop(&pub.beats);

    if (rc == DM_CLI_DONE) {
        rc = dm_publish_done(&pub);
    }

    OPENSSL_cleanse(&pub, sizeof(dm_publish_t));

    return rc;
}


/* the keys that are there, or new ones */
static int
dm_publish_authority(dm_replicate_t *rep)
{
    int        rc;
    dm_cli_t  *cli;

    cli = rep->cli;

    if (access(cli->store_path, F_OK) == -1) {
        return dm_cli_refuse(cli, DM_CODE_NO_STORE, "there is no store at "
                             "\"%s\": make one with \"dm-account init\", or "
                             "name it with --store", cli->store_path);
    }

    if (access(dm_authority_key_path(), F_OK) == -1) {
        rc = dm_keyfile_add(&rep->seeds, DM_INIT_AUTHORITY, &cli->err);

        if (rc == DM_OK) {
            rc = dm_keyfile_create(dm_authority_key_path(), &rep->seeds,
                                   &cli->err);
        }

        if (rc != DM_OK) {
            return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "%s", cli->err.text);
        }
    }

    if (dm_keys_read(dm_authority_key_path(), &rep->seeds, &cli->err) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "%s", cli->err.text);
    }

    rc = dm_replicate_signer(rep);

    if (rc == DM_CLI_DONE) {
        rc = dm_publish_public(rep);
    }

    return rc == DM_CLI_DONE ? dm_replicate_keys(rep, 0) : rc;
}


/* its public half, for each node */
static int
dm_publish_public(dm_replicate_t *rep)
{
    dm_cli_t   *cli;
    dm_keys_t   keys;

    cli = rep->cli;

    if (access(dm_authority_public_path(), F_OK) == 0) {
        return DM_CLI_DONE;
    }

    memset(&keys, 0, sizeof(dm_keys_t));
    keys.n = 1;

    if (dm_fleet_signer_public(rep->signer, &keys.key[0]) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "the authority's key cannot "
                             "be used: OpenSSL failed");
    }

    if (dm_keyfile_create(dm_authority_public_path(), &keys, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "%s", cli->err.text);
    }

    if (chmod(dm_authority_public_path(), 0644) == -1) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "cannot set the mode of "
                             "\"%s\": %s", dm_authority_public_path(),
                             strerror(errno));
    }

    return DM_CLI_DONE;
}


static int
dm_publish_open(dm_publish_t *pub)
{
    int              rc;
    dm_cli_t        *cli;
    dm_replicate_t  *rep;

    rep = pub->rep;
    cli = rep->cli;
    cli->apart = 1;

    rc = dm_cli_open(cli, DM_STORE_WRITE);

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_fleet(rep);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_connect(rep);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    if (dm_store_follows(cli->store, &pub->follows, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    if (pub->follows && !rep->replace) {
        return dm_cli_refuse(cli, DM_CODE_FOLLOWS, "store \"%s\" follows a log "
                             "already: --replace publishes it anew, in the "
                             "place of what the engine has",
                             cli->store_path);
    }

    return pub->follows ? DM_CLI_DONE : dm_publish_start(pub);
}


static int
dm_publish_start(dm_publish_t *pub)
{
    int                rc;
    dm_cli_t          *cli;
    dm_replicate_t    *rep;
    unsigned char      root[DM_FLEET_ROOT];
    dm_fleet_place_t   place;

    rep = pub->rep;
    cli = rep->cli;

    if (RAND_bytes(root, DM_FLEET_ROOT) != 1
        || dm_fleet_start(rep->fleet, &place) != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "OpenSSL failed");
    }

    rc = dm_store_start_following(cli->store, root, &place, &cli->err);

    OPENSSL_cleanse(root, sizeof(root));

    return rc == DM_OK ? DM_CLI_DONE
                       : dm_cli_refuse(cli, dm_code_of_store(rc), "%s",
                                       cli->err.text);
}


static int
dm_publish_head(dm_publish_t *pub)
{
    dm_key_t            beat;
    dm_cli_t           *cli;
    dm_str_t            realm;
    dm_replicate_t     *rep;
    dm_fleet_head_t    *head;
    dm_fleet_signer_t  *signer;

    rep = pub->rep;
    cli = rep->cli;
    head = &rep->head;

    if (dm_store_position(cli->store, &rep->position, &cli->err) != DM_OK
        || dm_store_digest(cli->store, head->digest, &cli->err) != DM_OK
        || dm_fleet_use_root(rep->fleet, rep->position.root, &cli->err)
           != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s", cli->err.text);
    }

    /* beats are verified by the public half of their key, in the head */

    if (dm_fleet_beat_key(&rep->seeds.key[0], dm_store_meta(cli->store)->id,
                          &pub->beats.key)
        != DM_OK
        || (signer = dm_fleet_signer_new(&pub->beats.key)) == NULL)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "OpenSSL failed");
    }

    if (dm_fleet_signer_public(signer, &beat) != DM_OK) {
        dm_fleet_signer_free(signer);
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "OpenSSL failed");
    }

    dm_fleet_signer_free(signer);

    realm = dm_store_meta(cli->store)->realm;

    head->place = rep->position.place;
    head->accounts = rep->position.accounts;
    memcpy(head->beats, beat.key, DM_FLEET_PUBLIC);
    memcpy(head->root, rep->position.root, DM_FLEET_ROOT);
    memcpy(head->realm, realm.data, realm.len);
    head->realm_len = realm.len;

    if (dm_fleet_head_write(rep->fleet, rep->signer, head, rep->octets.head,
                            &rep->octets.head_len, &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


static int
dm_publish_send(dm_publish_t *pub)
{
    int              rc;
    dm_cli_t        *cli;
    dm_str_t         head;
    dm_replicate_t  *rep;

    rep = pub->rep;
    cli = rep->cli;

    rc = dm_engine_install(rep->engine, &cli->err);

    if (rc != DM_OK) {
        return dm_replicate_refuse(rep, rc);
    }

    dm_progress_start(&pub->progress, !cli->json);

    head = (dm_str_t) { rep->octets.head, rep->octets.head_len };

    rc = dm_engine_publish(rep->engine, rep->head.place.number, head,
                           dm_publish_row, pub, (unsigned) rep->replace,
                           &cli->err);

    dm_progress_clear(&pub->progress);

    if (rc == DM_EXISTS) {
        return dm_cli_refuse(cli, DM_CODE_STORE_EXISTS, "something was "
                             "published in that engine already: --replace "
                             "puts this store in its place, or name another "
                             "database");
    }

    return rc == DM_OK ? DM_CLI_DONE : dm_replicate_refuse(rep, rc);
}


static int
dm_publish_row(dm_engine_row_t *row, void *data)
{
    int              rc;
    size_t           len;
    dm_cli_t        *cli;
    dm_publish_t    *pub;
    dm_account_t     account;
    unsigned char    octets[DM_RECORD_MAX];

    pub = data;
    cli = pub->rep->cli;

    rc = dm_store_next(cli->store, &pub->at, &account, &cli->err);

    if (rc != DM_OK) {
        return rc;
    }

    rc = dm_account_pack(&account, octets, &len, &cli->err);

    if (rc == DM_OK) {
        rc = dm_fleet_row_write(pub->rep->fleet, account.id,
                                (dm_str_t) { octets, len },
                                pub->rep->head.place.number, pub->key,
                                pub->body, &row->body.len, &cli->err);
        OPENSSL_cleanse(octets, len);
    }

    dm_account_wipe(&account);

    row->key = (dm_str_t) { pub->key, DM_FLEET_KEY };
    row->body.data = pub->body;

    pub->rows++;
    dm_progress_show(&pub->progress, pub->rows, pub->rep->head.accounts,
                     pub->rows, "accounts", "");

    return rc == DM_OK ? DM_OK : DM_ERROR;
}


/* it follows what is published; killed before, it is published anew */
static int
dm_publish_keep(dm_publish_t *pub)
{
    int        rc;
    dm_cli_t  *cli;

    cli = pub->rep->cli;

    if (pub->follows) {
        dm_store_abort(cli->store);
        cli->writing = 0;
        return DM_CLI_DONE;
    }

    rc = dm_cli_written(cli);

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_STORE_FAILED, "%s; the engine has "
                             "the store, but it does not follow: run this "
                             "again with --replace", cli->err.text);
    }

    cli->changed = 1;

    return DM_CLI_DONE;
}


static int
dm_publish_done(dm_publish_t *pub)
{
    char             place[DM_PLACE_TEXT];
    dm_cli_t        *cli;
    dm_replicate_t  *rep;

    rep = pub->rep;
    cli = rep->cli;

    dm_replicate_place(&rep->head.place, place);

    (void) snprintf(cli->note, sizeof(cli->note), "published=%llu",
                    (unsigned long long) rep->head.accounts);
    dm_cli_audit(cli);

    if (cli->json) {
        return dm_cli_show(cli, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s}",
                                          "result", "published",
                                          "store", cli->store_path,
                                          "accounts",
                                          (json_int_t) rep->head.accounts,
                                          "expect", place,
                                          "authority", dm_authority_key_path(),
                                          "public", dm_authority_public_path(),
                                          "beats", dm_authority_beat_path()));
    }

    dm_out_line(stdout, "published \"%s\": %llu accounts; each change of it "
                "goes through the log from now on", cli->store_path,
                (unsigned long long) rep->head.accounts);
    dm_out_line(stdout, "for each node: \"%s\" and \"%s\"", cli->key_path,
                dm_authority_public_path());
    dm_out_line(stdout, "for a writer: \"%s\", too, which is to be kept apart",
                dm_authority_key_path());
    dm_out_line(stdout, "for who beats: \"%s\"", dm_authority_beat_path());
    dm_out_line(stdout, "a new node proves what it is shown by --expect %s",
                place);

    return DM_CLI_DONE;
}
