/* dm-account replicate status, prune: the nodes, and the entries they have */

#include <stdio.h>
#include <time.h>

#include "dm_fleet_state.h"
#include "account/audit.h"
#include "account/cli_store.h"
#include "account/replicate.h"
#include "common/json.h"
#include "common/output.h"


#define DM_STATUS_DASH    "-"

/* seconds after which a node that tells nothing is said to be silent */
#define DM_STATUS_SILENT  60


typedef struct {
    dm_replicate_t  *rep;
    json_t          *nodes;                 /* an array, of JSON */
    int              quiet;                 /* nothing is printed */
    int              lost;                  /* memory is short */
    int64_t          now;
    char             sum[DM_HASH_TEXT];     /* of the head */
    unsigned         n;
    uint64_t         least;                 /* the entry that all nodes have */
    char             least_name[DM_ENGINE_NAME_MAX + 1];
} dm_nodes_t;

/* one node, as it has told */
typedef struct {
    uint64_t     number;
    int64_t      beat;                      /* 0: there was none */
    const char  *state;
    const char  *version;
    const char  *sum;
} dm_node_t;


static int dm_status_look(dm_replicate_t *rep, dm_nodes_t *nodes);
static void dm_status_here(const dm_replicate_t *rep);
static void dm_status_engine(dm_replicate_t *rep);
static int dm_status_head(dm_replicate_t *rep, dm_nodes_t *nodes);
static int dm_status_node(const char *name, dm_str_t said, int64_t at,
    void *data);
static void dm_status_parse(const json_t *json, dm_node_t *node);
static const char *dm_status_text(const json_t *json, const char *key);
static const char *dm_status_sum(const dm_nodes_t *nodes,
    const dm_node_t *node);
static void dm_status_print(const dm_nodes_t *nodes, const char *name,
    const dm_node_t *node, int64_t at);
static void dm_status_keep(dm_nodes_t *nodes, const char *name,
    const dm_node_t *node, int64_t at);
static int64_t dm_status_age(int64_t now, int64_t then);
static int dm_prune_delete(dm_replicate_t *rep, const dm_nodes_t *nodes);


int
dm_replicate_status(dm_replicate_t *rep)
{
    int                 rc;
    char                place[DM_PLACE_TEXT], here[DM_PLACE_TEXT];
    char                sum[DM_HASH_TEXT];
    json_t             *json;
    dm_cli_t           *cli;
    dm_nodes_t          nodes;
    unsigned char       digest[DM_FLEET_HASH];
    dm_engine_about_t   about;

    cli = rep->cli;
    memset(&nodes, 0, sizeof(dm_nodes_t));

    if (cli->json) {
        nodes.quiet = 1;
        nodes.nodes = json_array();
    }

    rc = dm_status_look(rep, &nodes);

    if (rc != DM_CLI_DONE) {
        json_decref(nodes.nodes);
        return rc;
    }

    if (nodes.n == 0 && !cli->json) {
        dm_out_line(stdout, "no node has told of itself yet");
    }

    if (!cli->json) {
        return DM_CLI_DONE;
    }

    if (dm_fleet_sum_digest(&rep->position.sum, digest) != DM_OK) {
        json_decref(nodes.nodes);
        return dm_cli_refuse(cli, DM_CODE_SYSTEM, "OpenSSL failed");
    }

    dm_replicate_place(&rep->head.place, place);
    dm_replicate_place(&rep->position.place, here);
    dm_replicate_hash(digest, sum);

    dm_engine_about(rep->engine, &about);

    json = json_pack("{s:s, s:I, s:s, s:I, s:s, s:I, s:b,"
                     " s:{s:I, s:s, s:I, s:s, s:s, s:I}, s:o}",
                     "result", "status",
                     "number", (json_int_t) rep->head.place.number,
                     "expect", place,
                     "accounts", (json_int_t) rep->head.accounts,
                     "sum", nodes.sum,
                     "oldest", (json_int_t) rep->octets.oldest,
                     "standby", about.standby,
                     "here", "number", (json_int_t) rep->position.place.number,
                     "expect", here,
                     "accounts", (json_int_t) rep->position.accounts,
                     "sum", sum,
                     "state", dm_fleet_state_name(rep->position.state),
                     "beat", (json_int_t) rep->position.beaten,
                     "nodes", nodes.nodes);

    if (nodes.lost) {
        json_decref(json);
        json = NULL;
    }

    return dm_cli_show(cli, json);
}


/* reads this store, the head and the nodes */
static int
dm_status_look(dm_replicate_t *rep, dm_nodes_t *nodes)
{
    int        rc;
    dm_cli_t  *cli;

    cli = rep->cli;

    rc = dm_replicate_keys(rep, 0);

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_open(rep, DM_STORE_READ);
    }

    /* also where the engine cannot be had */

    if (rc == DM_CLI_DONE && !nodes->quiet) {
        dm_status_here(rep);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_replicate_connect(rep);
    }

    if (rc == DM_CLI_DONE) {
        rc = dm_status_head(rep, nodes);
    }

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    rc = dm_engine_nodes(rep->engine, dm_status_node, nodes, &cli->err);

    return rc == DM_OK ? DM_CLI_DONE : dm_replicate_refuse(rep, rc);
}


static void
dm_status_here(const dm_replicate_t *rep)
{
    char                        place[DM_PLACE_TEXT], age[48];
    const dm_fleet_position_t  *is;

    is = &rep->position;
    dm_replicate_place(&is->place, place);

    (void) snprintf(age, sizeof(age), "no beat yet");

    if (is->beaten != 0) {
        (void) snprintf(age, sizeof(age), "a beat %lld s ago", (long long)
                        dm_status_age((int64_t) time(NULL), is->beaten));
    }

    dm_out_line(stdout, "this store: %llu accounts, at %s; %s, %s",
                (unsigned long long) is->accounts, place,
                dm_fleet_state_name(is->state), age);
}


static void
dm_status_engine(dm_replicate_t *rep)
{
    dm_engine_about_t  about;

    dm_engine_about(rep->engine, &about);

    dm_out_line(stdout, "engine: PostgreSQL %d.%d at %s, %s, as \"%s\"; %s",
                about.version / 10000, about.version % 10000, about.host,
                about.tls != NULL ? about.tls : "its socket", about.user,
                about.standby ? "it waits for a standby"
                : "it waits for no standby: a failover may lose what was told "
                  "as done");
}


static int
dm_status_head(dm_replicate_t *rep, dm_nodes_t *nodes)
{
    int   rc;
    char  place[DM_PLACE_TEXT];

    rc = dm_replicate_look(rep);

    if (rc != DM_CLI_DONE) {
        return rc;
    }

    nodes->rep = rep;
    nodes->now = (int64_t) time(NULL);
    nodes->least = rep->head.place.number;
    dm_replicate_hash(rep->head.digest, nodes->sum);

    if (nodes->quiet) {
        return DM_CLI_DONE;
    }

    dm_status_engine(rep);

    dm_replicate_place(&rep->head.place, place);

    dm_out_line(stdout, "log: %llu accounts, at %s",
                (unsigned long long) rep->head.accounts, place);

    return DM_CLI_DONE;
}


static int
dm_status_node(const char *name, dm_str_t said, int64_t at, void *data)
{
    json_t      *json;
    dm_node_t    node;
    dm_nodes_t  *nodes;

    nodes = data;

    json = json_loadb((const char *) said.data, said.len, 0, NULL);
    dm_status_parse(json, &node);

    nodes->n++;

    if (node.number < nodes->least) {
        nodes->least = node.number;
        (void) snprintf(nodes->least_name, sizeof(nodes->least_name), "%s",
                        name);
    }

    if (nodes->nodes != NULL) {
        dm_status_keep(nodes, name, &node, at);

    } else if (!nodes->quiet) {
        dm_status_print(nodes, name, &node, at);
    }

    json_decref(json);

    return DM_OK;
}


/* of one that tells something else nothing is known */
static void
dm_status_parse(const json_t *json, dm_node_t *node)
{
    json_int_t  n;

    n = json_integer_value(json_object_get(json, "number"));
    node->number = n > 0 ? (uint64_t) n : 0;

    n = json_integer_value(json_object_get(json, "beat"));
    node->beat = n > 0 ? (int64_t) n : 0;

    node->state = dm_status_text(json, "state");
    node->version = dm_status_text(json, "version");
    node->sum = dm_status_text(json, "sum");
}


static const char *
dm_status_text(const json_t *json, const char *key)
{
    const char  *text;

    text = json_string_value(json_object_get(json, key));

    return text == NULL ? DM_STATUS_DASH : text;
}


/* the sum at another number is another one, and tells nothing */
static const char *
dm_status_sum(const dm_nodes_t *nodes, const dm_node_t *node)
{
    if (node->number != nodes->rep->head.place.number) {
        return DM_STATUS_DASH;
    }

    return strcmp(node->sum, nodes->sum) == 0 ? "equal" : "DIFFERENT";
}


static void
dm_status_print(const dm_nodes_t *nodes, const char *name,
    const dm_node_t *node, int64_t at)
{
    char  age[32];

    if (nodes->n == 1) {
        dm_out_line(stdout, "%-20s %12s %8s %-13s %-9s %-8s %s", "node",
                    "number", "age", "state", "sum", "version", "told");
    }

    (void) snprintf(age, sizeof(age), DM_STATUS_DASH);

    if (node->beat != 0) {
        (void) snprintf(age, sizeof(age), "%lld s", (long long)
                        dm_status_age(nodes->now, node->beat));
    }

    dm_out_line(stdout, "%-20s %12llu %8s %-13s %-9s %-8s %lld s ago", name,
                (unsigned long long) node->number, age,
                dm_status_age(nodes->now, at) > DM_STATUS_SILENT
                ? "silent" : node->state,
                dm_status_sum(nodes, node), node->version,
                (long long) dm_status_age(nodes->now, at));
}


static void
dm_status_keep(dm_nodes_t *nodes, const char *name, const dm_node_t *node,
    int64_t at)
{
    json_t      *json, *age, *equal;
    const char  *sum;

    sum = dm_status_sum(nodes, node);

    age = node->beat == 0 ? json_null()
          : json_integer((json_int_t) dm_status_age(nodes->now, node->beat));
    equal = strcmp(sum, DM_STATUS_DASH) == 0 ? json_null()
            : json_boolean(strcmp(sum, "equal") == 0);

    json = json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:b}",
                     "node", dm_json_text(name),
                     "number", (json_int_t) node->number,
                     "age", age, "state", dm_json_text(node->state),
                     "sum_equal", equal,
                     "version", dm_json_text(node->version),
                     "told", (json_int_t) dm_status_age(nodes->now, at),
                     "silent", dm_status_age(nodes->now, at)
                               > DM_STATUS_SILENT);

    if (json_array_append_new(nodes->nodes, json) == -1) {
        nodes->lost = 1;
    }
}


/* clocks of several machines are not quite the same */
static int64_t
dm_status_age(int64_t now, int64_t then)
{
    return now > then ? now - then : 0;
}


int
dm_replicate_prune(dm_replicate_t *rep)
{
    int         rc;
    dm_cli_t   *cli;
    dm_nodes_t  nodes;

    cli = rep->cli;
    memset(&nodes, 0, sizeof(dm_nodes_t));

    if (rep->forget != NULL) {
        rc = dm_replicate_connect(rep);

        if (rc != DM_CLI_DONE) {
            return rc;
        }

        rc = dm_engine_forget(rep->engine, rep->forget, &cli->err);

        if (rc == DM_DECLINED) {
            return dm_cli_refuse(cli, DM_CODE_INVALID, "no node \"%s\" has "
                                 "told of itself: \"dm-account replicate "
                                 "status\" lists them", rep->forget);
        }

        if (rc != DM_OK) {
            return dm_replicate_refuse(rep, rc);
        }

        dm_engine_close(rep->engine);
        rep->engine = NULL;
    }

    nodes.quiet = 1;

    rc = dm_status_look(rep, &nodes);

    return rc == DM_CLI_DONE ? dm_prune_delete(rep, &nodes) : rc;
}


static int
dm_prune_delete(dm_replicate_t *rep, const dm_nodes_t *nodes)
{
    int        rc;
    uint64_t   before, n;
    dm_cli_t  *cli;

    cli = rep->cli;

    /* this store is one of them, too */

    before = nodes->least < rep->position.place.number
             ? nodes->least : rep->position.place.number;
    before++;

    if (rep->head.place.number < rep->keep) {
        before = 0;

    } else if (before > rep->head.place.number - rep->keep + 1) {
        before = rep->head.place.number - rep->keep + 1;
    }

    n = 0;

    if (before > 1) {
        rc = dm_engine_prune(rep->engine, before, &n, &cli->err);

        if (rc != DM_OK) {
            return dm_replicate_refuse(rep, rc);
        }
    }

    (void) snprintf(cli->note, sizeof(cli->note), "pruned=%llu before=%llu",
                    (unsigned long long) n, (unsigned long long) before);
    dm_cli_audit(cli);

    if (cli->json) {
        return dm_cli_show(cli, json_pack("{s:s, s:I, s:I, s:I, s:s}",
                                          "result", "pruned",
                                          "deleted", (json_int_t) n,
                                          "before", (json_int_t) before,
                                          "least", (json_int_t) nodes->least,
                                          "node", nodes->least_name));
    }

    dm_out_line(stdout, "deleted %llu entries; what is kept begins at %llu",
                (unsigned long long) n,
                (unsigned long long) (n != 0 ? before : rep->octets.oldest));

    if (nodes->least_name[0] != '\0') {
        dm_out_line(stdout, "the node that is farthest behind is \"%s\", at "
                    "%llu", nodes->least_name,
                    (unsigned long long) nodes->least);
    }

    return DM_CLI_DONE;
}
