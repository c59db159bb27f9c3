/* Connecting to the engine, and the bounds of a session */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fleet/engine_internal.h"


#define ENGINE_OLDEST     140000        /* PostgreSQL that is known to work */
#define ENGINE_PATIENCE   30000         /* ms */


/* unless conninfo has others: a host that is gone is found by these */
static const char *const  engine_defaults[][2] = {
    { "connect_timeout", "5" },
    { "keepalives_idle", "10" },
    { "keepalives_interval", "5" },
    { "keepalives_count", "3" },
    { "tcp_user_timeout", "20000" }
};

/*
 * The bounds of all that the session does, in ms; a tighter one of the role or
 * of conninfo stays.  Whoever commits waits for the standby, if there is one,
 * also where the server's own default is not to.
 */
static const char  engine_session[] =
    "SELECT set_config(b.name, b.most::text, false) FROM (SELECT name, most,"
    "     (SELECT s.setting FROM pg_catalog.pg_settings s"
    "         WHERE s.name = v.name)::bigint AS now"
    "     FROM (VALUES ('lock_timeout', 10000),"
    "         ('idle_in_transaction_session_timeout', 10000),"
    "         ('client_connection_check_interval', 5000),"
    "         ('statement_timeout', 600000)) AS v (name, most)) AS b"
    " WHERE b.now = 0 OR b.now > b.most;"
    "SELECT set_config('search_path', 'pg_catalog, pg_temp', false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('synchronous_commit',"
    "     CASE current_setting('synchronous_commit') WHEN 'remote_apply'"
    "         THEN 'remote_apply' ELSE 'on' END, false);"
    "SELECT current_setting('synchronous_standby_names') <> ''";


static int engine_session_begin(dm_engine_t *engine, dm_err_t *err);
static int engine_options(const char *conninfo, const char *name,
    PQconninfoOption **options, dm_err_t *err);
static int engine_way(const PQconninfoOption *options, dm_err_t *err);
static int engine_network(const char *hosts, const char *addresses,
    char *first, size_t size);
static PGconn *engine_dial(const PQconninfoOption *options);
static const char *engine_option(const PQconninfoOption *options,
    const char *name);
static void engine_notice(void *data, const PGresult *result);


int
dm_engine_open(dm_engine_t **out, const char *conninfo, const char *name,
    dm_err_t *err)
{
    int           rc;
    dm_engine_t  *engine;

    *out = NULL;

    engine = calloc(1, sizeof(dm_engine_t));

    if (engine == NULL || (engine->conninfo = strdup(conninfo)) == NULL
        || (engine->name = strdup(name)) == NULL)
    {
        dm_err_set(err, "no memory for the connection to the engine");
        dm_engine_close(engine);
        return DM_ERROR;
    }

    engine->patience = ENGINE_PATIENCE;

    rc = dm_engine_connect(engine, err);
    if (rc != DM_OK) {
        dm_engine_close(engine);
        return rc;
    }

    *out = engine;

    return DM_OK;
}


void
dm_engine_close(dm_engine_t *engine)
{
    if (engine == NULL) {
        return;
    }

    PQfinish(engine->conn);
    free(engine->conninfo);
    free(engine->name);
    free(engine);
}


void
dm_engine_patience(dm_engine_t *engine, int ms)
{
    engine->patience = ms;
}


void
dm_engine_about(dm_engine_t *engine, dm_engine_about_t *about)
{
    const PGconn  *conn;

    conn = engine->conn;

    about->version = PQserverVersion(conn);
    about->host = PQhost(conn);
    about->port = PQport(conn);
    about->user = PQuser(conn);
    about->database = PQdb(conn);
    about->tls = conn == NULL ? NULL
                              : PQsslAttribute(engine->conn, "protocol");
    about->standby = engine->standby;
}


int
dm_engine_connect(dm_engine_t *engine, dm_err_t *err)
{
    int                rc;
    char               line[512];
    PQconninfoOption  *options;

    PQfinish(engine->conn);
    engine->conn = NULL;
    engine->listening = 0;
    engine->ended = 0;

    rc = engine_options(engine->conninfo, engine->name, &options, err);
    if (rc != DM_OK) {
        return rc;
    }

    rc = engine_way(options, err);

    if (rc == DM_OK) {
        engine->conn = engine_dial(options);
    }

    PQconninfoFree(options);

    if (rc != DM_OK) {
        return rc;
    }

    if (PQstatus(engine->conn) != CONNECTION_OK) {
        dm_engine_line(PQerrorMessage(engine->conn), line, sizeof(line));
        dm_err_set(err, "the engine cannot be reached: %s", line);
        PQfinish(engine->conn);
        engine->conn = NULL;
        return DM_ERROR;
    }

    rc = engine_session_begin(engine, err);

    if (rc != DM_OK) {
        PQfinish(engine->conn);
        engine->conn = NULL;
    }

    return rc;
}


/*
 * With all that conninfo, its service, the environment and libpq's defaults
 * say.  Only libpq can tell, of a connection that was begun: it has sent
 * nothing then.
 */
static int
engine_options(const char *conninfo, const char *name,
    PQconninfoOption **options, dm_err_t *err)
{
    char               *said, line[512];
    PGconn             *conn;
    PQconninfoOption   *parsed;
    const char *const   keyword[] = { "fallback_application_name", "dbname",
                                      NULL };
    const char *const   value[] = { name, conninfo, NULL };

    parsed = PQconninfoParse(conninfo, &said);

    if (parsed == NULL) {
        dm_engine_line(said == NULL ? "no memory" : said, line, sizeof(line));
        dm_err_set(err, "the engine's conninfo is wrong: %s", line);
        PQfreemem(said);
        return DM_INVALID;
    }

    PQconninfoFree(parsed);

    conn = PQconnectStartParams(keyword, value, 1);
    *options = PQconninfo(conn);

    if (*options == NULL) {
        dm_err_set(err, "no memory for the connection to the engine");
        PQfinish(conn);
        return DM_ERROR;
    }

    /* such as a service that is not there: then no host is known, nor asked */

    if (PQstatus(conn) == CONNECTION_BAD
        && engine_option(*options, "sslmode") == NULL)
    {
        dm_engine_line(PQerrorMessage(conn), line, sizeof(line));
        dm_err_set(err, "the engine's conninfo is wrong: %s", line);
        PQfinish(conn);
        PQconninfoFree(*options);
        return DM_INVALID;
    }

    PQfinish(conn);

    return DM_OK;
}


/* whoever is between must neither read nor write: TLS, and the server's name */
static int
engine_way(const PQconninfoOption *options, dm_err_t *err)
{
    char         host[256];
    const char  *mode;

    if (!engine_network(engine_option(options, "host"),
                        engine_option(options, "hostaddr"), host,
                        sizeof(host)))
    {
        return DM_OK;
    }

    mode = engine_option(options, "sslmode");

    if (mode != NULL && strcmp(mode, "verify-full") == 0) {
        return DM_OK;
    }

    dm_err_set(err, "the engine at \"%s\" is reached over a network, where"
        " sslmode=%s is not enough: its conninfo must have"
        " sslmode=verify-full, and sslrootcert=FILE with the CA of its"
        " certificate", host, mode == NULL ? "" : mode);
    return DM_INVALID;
}


/* 1 if any of the hosts is not the directory of a socket; the first such */
static int
engine_network(const char *hosts, const char *addresses, char *first,
    size_t size)
{
    size_t  n, m;

    hosts = hosts == NULL ? "" : hosts;
    addresses = addresses == NULL ? "" : addresses;

    for ( ;; ) {
        n = strcspn(hosts, ",");
        m = strcspn(addresses, ",");

        if (m > 0) {
            (void) snprintf(first, size, "%.*s", (int) m, addresses);
            return 1;
        }

        if (n > 0 && hosts[0] != '/' && hosts[0] != '@') {
            (void) snprintf(first, size, "%.*s", (int) n, hosts);
            return 1;
        }

        if (hosts[n] == '\0' && addresses[m] == '\0') {
            return 0;
        }

        hosts += n + (hosts[n] == ',');
        addresses += m + (addresses[m] == ',');
    }
}


static PGconn *
engine_dial(const PQconninfoOption *options)
{
    size_t        n, i;
    PGconn       *conn;
    const char  **keyword, **value;

    for (n = 0; options[n].keyword != NULL; n++) {
        /* void */
    }

    /* two of ours, and the end */

    keyword = calloc(2 * (n + 3), sizeof(char *));
    if (keyword == NULL) {
        return NULL;
    }

    value = keyword + n + 3;

    for (n = 0; options->keyword != NULL; options++) {
        keyword[n] = options->keyword;
        value[n] = options->val;

        /* the service has been read, and would be read again */

        if (strcmp(options->keyword, "service") == 0
            || strcmp(options->keyword, "gssencmode") == 0
            || strcmp(options->keyword, "client_encoding") == 0)
        {
            continue;
        }

        for (i = 0; i < sizeof(engine_defaults) / sizeof(engine_defaults[0]);
             i++)
        {
            if (value[n] == NULL
                && strcmp(keyword[n], engine_defaults[i][0]) == 0)
            {
                value[n] = engine_defaults[i][1];
            }
        }

        n += value[n] != NULL;
    }

    /* a session that GSSAPI protects would be none of TLS */

    keyword[n] = "gssencmode";
    value[n++] = "disable";
    keyword[n] = "client_encoding";
    value[n++] = "UTF8";
    keyword[n] = NULL;
    value[n] = NULL;

    conn = PQconnectdbParams(keyword, value, 0);
    free(keyword);

    return conn;
}


static const char *
engine_option(const PQconninfoOption *options, const char *name)
{
    for ( /* void */ ; options->keyword != NULL; options++) {
        if (strcmp(options->keyword, name) == 0) {
            return options->val;
        }
    }

    return NULL;
}


static int
engine_session_begin(dm_engine_t *engine, dm_err_t *err)
{
    int                      rc;
    PGresult                *result;
    socklen_t                len;
    struct sockaddr_storage  peer;

    len = sizeof(peer);

    if (getpeername(PQsocket(engine->conn), (struct sockaddr *) &peer, &len)
        != 0 || (peer.ss_family != AF_UNIX && !PQsslInUse(engine->conn)))
    {
        dm_err_set(err, "the connection to the engine has no TLS");
        return DM_INVALID;
    }

    if (PQserverVersion(engine->conn) < ENGINE_OLDEST) {
        dm_err_set(err, "the engine is PostgreSQL %d: at least 14 is needed",
            PQserverVersion(engine->conn) / 10000);
        return DM_INVALID;
    }

    PQsetNoticeReceiver(engine->conn, engine_notice, engine);

    if (PQsetnonblocking(engine->conn, 1) != 0) {
        return dm_engine_lose(engine, "connecting", "it stays blocking", err);
    }

    rc = dm_engine_run(engine, "the bounds of the session", engine_session,
        NULL, &result, err);

    if (rc == DM_OK) {
        engine->standby = PQntuples(result) == 1
                          && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
        PQclear(result);
    }

    return rc;
}


/* a warning of COMMIT is that it did not wait for the standby */
static void
engine_notice(void *data, const PGresult *result)
{
    const char   *severity, *said;
    dm_engine_t  *engine;

    engine = data;

    severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    said = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (severity == NULL || said == NULL || strcmp(severity, "NOTICE") == 0
        || strcmp(severity, "INFO") == 0 || strcmp(severity, "LOG") == 0
        || strcmp(severity, "DEBUG") == 0)
    {
        return;
    }

    if (dm_engine_is(result, "25P03")) {
        engine->ended = 1;
    }

    engine->warned = 1;
    dm_engine_line(said, engine->warning, sizeof(engine->warning));
}
