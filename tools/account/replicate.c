/* dm-account replicate: its steps, and what they have in common */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "dm_hex.h"
#include "account/cli_store.h"
#include "account/replicate.h"
#include "account/verbs.h"
#include "common/input.h"


/* the entries that the engine keeps for nodes that are away */
#define DM_REPLICATE_KEEP  10000


enum {
    DM_OPT_ENGINE = DM_OPT_VERB,
    DM_OPT_REPLACE,
    DM_OPT_FROM,
    DM_OPT_KEEP,
    DM_OPT_FORGET
};


typedef struct {
    const char  *name;
    int        (*run)(dm_replicate_t *rep);
    int          replace;                   /* 1: it has that option */
    int          from;
    int          prune;                     /* --keep and --forget */
} dm_step_t;


static int dm_replicate_run(dm_cli_t *cli, int argc, char **argv);
static const dm_step_t *dm_replicate_step(const char *name);
static int dm_replicate_options(dm_replicate_t *rep, const dm_step_t *step,
    int argc, char **argv);
static int dm_replicate_option(dm_replicate_t *rep, const dm_step_t *step,
    int opt);
static void dm_replicate_end(dm_replicate_t *rep);


static const dm_step_t  dm_replicate_steps[] = {
    { "init", dm_replicate_init, 1, 0, 0 },
    { "status", dm_replicate_status, 0, 0, 0 },
    { "log", dm_replicate_log, 0, 1, 0 },
    { "repair", dm_replicate_repair, 0, 0, 0 },
    { "prune", dm_replicate_prune, 0, 0, 1 },
    { NULL, NULL, 0, 0, 0 }
};


static const struct option  dm_replicate_opts[] = {
    { "engine", required_argument, NULL, DM_OPT_ENGINE },
    { "replace", no_argument, NULL, DM_OPT_REPLACE },
    { "from", required_argument, NULL, DM_OPT_FROM },
    { "keep", required_argument, NULL, DM_OPT_KEEP },
    { "forget", required_argument, NULL, DM_OPT_FORGET },
    DM_CLI_OPTIONS
};


const dm_verb_t  dm_verb_replicate = {
    "replicate",
    "init | status | log | repair | prune [OPTION ...]",
    "publish a store to other nodes, and look after its log",

    "init makes the authority's key, if there is none, and schema and roles\n"
    "in the engine, and publishes all accounts there: from then on each\n"
    "change goes through the log, from any machine that has that key.\n"
    "status says how far each node is. log is the audit trail: who changed\n"
    "what, and where; each entry is verified. repair puts entries back that\n"
    "the engine has lost, of the last 10000 that this store has seen. prune\n"
    "deletes entries that all nodes have from the engine.\n"
    "\n"
    "  --engine CONNINFO  the engine, as libpq has it, default\n"
    "                     $DM_SEC_ENGINE, or service=dm-sec-writer where the\n"
    "                     authority's key is, or else service=dm-sec-node\n"
    "  --replace          of init: in the place of what was published before;\n"
    "                     nodes that are elsewhere must bootstrap anew\n"
    "  --from NUMBER      of log: from that entry on\n"
    "  --keep NUMBER      of prune: keep so many entries, default 10000\n"
    "  --forget NODE      of prune: do not wait any more for that node, which\n"
    "                     is gone for good\n"
    "\n"
    "The authority's key is $DM_SEC_AUTHORITY, default\n"
    DM_AUTHORITY_KEY ", its public half, which each node\n"
    "needs, $DM_SEC_AUTHORITY_PUBLIC, default " DM_DEFAULT_AUTHORITY ".\n"
    "Beats are signed with $DM_SEC_BEAT, default " DM_AUTHORITY_BEAT ".\n"
    "\n"
    "example:\n"
    "  dm-account replicate status\n",

    dm_replicate_opts,
    dm_replicate_run
};


static int
dm_replicate_run(dm_cli_t *cli, int argc, char **argv)
{
    int               rc;
    const dm_step_t  *step;
    dm_replicate_t   *rep;

    step = argc < 2 ? NULL : dm_replicate_step(argv[1]);

    if (step == NULL) {

        /* options alone, of which --help is one */

        if (dm_cli_getopt(cli, ":", dm_replicate_opts, argc, argv) == -1) {
            return cli->status;
        }

        return dm_cli_usage(cli, "init, status, log, repair or prune is "
                            "needed first");
    }

    rep = calloc(1, sizeof(dm_replicate_t));

    if (rep == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "out of memory");
    }

    rep->cli = cli;
    rep->keep = DM_REPLICATE_KEEP;

    rc = dm_replicate_options(rep, step, argc - 1, argv + 1);

    if (rc == DM_CLI_DONE) {
        rc = step->run(rep);
    }

    dm_replicate_end(rep);

    return rc;
}


static const dm_step_t *
dm_replicate_step(const char *name)
{
    const dm_step_t  *step;

    for (step = dm_replicate_steps; step->name != NULL; step++) {

        if (strcmp(step->name, name) == 0) {
            return step;
        }
    }

    return NULL;
}


static int
dm_replicate_options(dm_replicate_t *rep, const dm_step_t *step, int argc,
    char **argv)
{
    int        rc, opt;
    dm_cli_t  *cli;

    cli = rep->cli;

    while ((opt = dm_cli_getopt(cli, ":", dm_replicate_opts, argc, argv)) > 0)
    {
        rc = dm_replicate_option(rep, step, opt);

        if (rc != DM_CLI_DONE) {
            return rc;
        }
    }

    if (opt == -1) {
        return cli->status;
    }

    if (rep->conninfo == NULL) {
        rep->conninfo = dm_authority_conninfo(
            access(dm_authority_key_path(), F_OK) == 0);
    }

    return dm_cli_no_operand(cli, argc);
}


static int
dm_replicate_option(dm_replicate_t *rep, const dm_step_t *step, int opt)
{
    uint64_t   *n;
    dm_cli_t   *cli;

    cli = rep->cli;

    if ((opt == DM_OPT_REPLACE && !step->replace)
        || (opt == DM_OPT_FROM && !step->from)
        || ((opt == DM_OPT_KEEP || opt == DM_OPT_FORGET) && !step->prune))
    {
        return dm_cli_usage(cli, "that is no option of replicate %s",
                            step->name);
    }

    switch (opt) {

    case DM_OPT_ENGINE:
        (void) dm_authority_conninfo(1);
        rep->conninfo = optarg;
        return DM_CLI_DONE;

    case DM_OPT_REPLACE:
        rep->replace = 1;
        return DM_CLI_DONE;

    case DM_OPT_FORGET:
        rep->forget = optarg;
        return DM_CLI_DONE;

    default: /* DM_OPT_FROM, DM_OPT_KEEP */
        n = opt == DM_OPT_FROM ? &rep->from : &rep->keep;

        return dm_input_number(optarg, INT64_MAX, n, &cli->err) == DM_OK
               ? DM_CLI_DONE
               : dm_cli_usage(cli, "--%s: %s", opt == DM_OPT_FROM ? "from"
                                                                  : "keep",
                              cli->err.text);
    }
}


static void
dm_replicate_end(dm_replicate_t *rep)
{
    dm_engine_close(rep->engine);
    dm_fleet_signer_free(rep->signer);
    dm_fleet_free(rep->fleet);
    dm_keys_wipe(&rep->keys);
    dm_keys_wipe(&rep->seeds);

    OPENSSL_cleanse(rep, sizeof(dm_replicate_t));
    free(rep);
}


int
dm_replicate_keys(dm_replicate_t *rep, int sign)
{
    dm_cli_t  *cli;

    cli = rep->cli;

    if (dm_keys_read(cli->key_path, &rep->keys, &cli->err) != DM_OK) {
        return dm_cli_refuse(cli, DM_CODE_KEY_UNUSABLE, "%s", cli->err.text);
    }

    if (dm_keys_read_public(dm_authority_public_path(), &rep->public,
                            &cli->err)
        != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "%s: it comes from the "
                             "machine where \"dm-account replicate init\" "
                             "made it", cli->err.text);
    }

    if (sign
        && dm_keys_read(dm_authority_key_path(), &rep->seeds, &cli->err)
           != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_AUTHORITY, "%s: this takes the "
                             "authority's key", cli->err.text);
    }

    return DM_CLI_DONE;
}


int
dm_replicate_signer(dm_replicate_t *rep)
{
    rep->signer = dm_fleet_signer_new(&rep->seeds.key[0]);

    return rep->signer != NULL
           ? DM_CLI_DONE
           : dm_cli_refuse(rep->cli, DM_CODE_SYSTEM, "the authority's key "
                           "cannot be used: OpenSSL failed");
}


int
dm_replicate_fleet(dm_replicate_t *rep)
{
    dm_cli_t  *cli;

    cli = rep->cli;

    rep->fleet = dm_fleet_new(&rep->keys, dm_store_meta(cli->store)->id,
                              &rep->public, &cli->err);

    if (rep->fleet == NULL) {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    return DM_CLI_DONE;
}


int
dm_replicate_open(dm_replicate_t *rep, dm_store_mode_t mode)
{
    int        rc;
    dm_cli_t  *cli;

    cli = rep->cli;
    cli->apart = 1;

    rc = dm_cli_open(cli, mode);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_store_position(cli->store, &rep->position, &cli->err);

    if (rc == DM_DECLINED || (rc == DM_OK && !rep->position.follows)) {
        return dm_cli_refuse(cli, DM_CODE_FOLLOWS, "store \"%s\" follows no "
                             "log: \"dm-account replicate init\" publishes "
                             "it, and on other machines dm-replica gets it",
                             cli->store_path);
    }

    if (rc != DM_OK) {
        return dm_cli_refuse(cli, dm_code_of_store(rc), "%s", cli->err.text);
    }

    rc = dm_replicate_fleet(rep);

    if (rc == DM_CLI_DONE
        && dm_fleet_use_root(rep->fleet, rep->position.root, &cli->err)
           != DM_OK)
    {
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "%s", cli->err.text);
    }

    return rc;
}


int
dm_replicate_connect(dm_replicate_t *rep)
{
    int  rc;

    rc = dm_engine_open(&rep->engine, rep->conninfo, "dm-account",
                        &rep->cli->err);

    return rc == DM_OK ? DM_CLI_DONE : dm_replicate_refuse(rep, rc);
}


int
dm_replicate_look(dm_replicate_t *rep)
{
    int  rc;

    rc = dm_engine_head(rep->engine, &rep->octets, &rep->cli->err);

    return rc == DM_OK ? dm_replicate_prove(rep) : dm_replicate_refuse(rep, rc);
}


int
dm_replicate_prove(dm_replicate_t *rep)
{
    int        rc;
    dm_cli_t  *cli;

    cli = rep->cli;

    if (rep->octets.head_len == 0) {
        return dm_cli_refuse(cli, DM_CODE_ENGINE, "the engine has no state of "
                             "this store: nothing was published there, or "
                             "another database is meant");
    }

    rc = dm_fleet_head_read(rep->fleet, rep->octets.head,
                            rep->octets.head_len, &rep->head, &cli->err);

    return rc == DM_OK ? DM_CLI_DONE : dm_replicate_refuse(rep, rc);
}


int
dm_replicate_refuse(const dm_replicate_t *rep, int rc)
{
    return dm_cli_refuse(rep->cli, rc == DM_DECLINED ? DM_CODE_NOT_KNOWN
                                                     : DM_CODE_ENGINE,
                         "%s", rep->cli->err.text);
}


void
dm_replicate_place(const dm_fleet_place_t *place, char *text)
{
    int  n;

    n = snprintf(text, DM_PLACE_TEXT, "%llu:",
                 (unsigned long long) place->number);

    dm_replicate_hash(place->chain, text + n);
}


void
dm_replicate_hash(const unsigned char *hash, char *text)
{
    dm_hex_text((dm_str_t) { hash, DM_FLEET_HASH }, text);
}
