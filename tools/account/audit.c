/* Lines for syslog: who did, or was refused, what with dm-account */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "account/audit.h"
#include "common/output.h"


#define DM_AUDIT_SOCKET  "/dev/log"
#define DM_AUDIT_QUOTED  "\"\\"
#define DM_AUDIT_DOTS    3

/* octets of an escaped value, which is cut there */
#define DM_AUDIT_VALUE   1024


static void dm_audit_hide(const dm_cli_t *cli, const char *word);
static void dm_audit_write(const dm_cli_t *cli, const char *what,
    const char *reason);
static void dm_audit_reach(const dm_cli_t *cli);
static int dm_audit_connect(void);


void
dm_cli_who(dm_cli_t *cli)
{
    const char     *name;
    struct passwd  *pw;

    cli->uid = getuid();

    /* anybody can set it; of root it tells who became root */
    name = cli->uid == 0 ? getenv("SUDO_USER") : NULL;

    if (name == NULL) {
        pw = getpwuid(cli->uid);
        name = (pw == NULL) ? "-" : pw->pw_name;
    }

    dm_out_escape(cli->user, sizeof(cli->user), dm_cli_str(name),
                  DM_AUDIT_QUOTED);
}


void
dm_cli_audit(const dm_cli_t *cli)
{
    dm_audit_write(cli, cli->note, NULL);
}


void
dm_cli_audit_end(const dm_cli_t *cli, int status, int argc, char **argv)
{
    int          i;
    const char  *value;

    /* a secret may stand where the name of its file belongs */

    for (i = 1; i < argc; i++) {
        dm_audit_hide(cli, argv[i]);

        value = argv[i][0] == '-' ? strchr(argv[i], '=') : NULL;

        if (value != NULL) {
            dm_audit_hide(cli, value + 1);
        }
    }

    switch (status) {

    case DM_CLI_REFUSED:
        dm_audit_write(cli, "refused", cli->said);
        break;

    case DM_CLI_USAGE:
        dm_audit_write(cli, "misused", cli->said);
        break;

    default:
        break;
    }
}


/*
 * Takes a word of the command line out of what was said, where it is quoted,
 * also where the message was cut in it.  The account and the store are known.
 */
static void
dm_audit_hide(const dm_cli_t *cli, const char *word)
{
    char    *p;
    size_t   n, rest;

    if (dm_str_eq(cli->id, dm_cli_str(word))
        || (cli->named.opt != 0 && strcmp(cli->named.value, word) == 0)
        || strcmp(cli->store_path, word) == 0)
    {
        return;
    }

    for (p = strchr(cli->said, '"'); p != NULL; p = strchr(p, '"')) {
        p++;
        rest = strlen(p);
        n = strlen(word);

        if (n > rest) {
            n = rest;
        }

        if (n == 0 || strncmp(p, word, n) != 0 || (p[n] != '"' && n != rest)) {
            continue;
        }

        memset(p, '.', n);

        if (n > DM_AUDIT_DOTS) {
            memmove(p + DM_AUDIT_DOTS, p + n, rest - n + 1);
            n = DM_AUDIT_DOTS;
        }

        p += n;
    }
}


static void
dm_audit_write(const dm_cli_t *cli, const char *what, const char *reason)
{
    char  id[4 * DM_ID_MAX + 1], store[DM_AUDIT_VALUE], why[DM_AUDIT_VALUE];

    dm_audit_reach(cli);

    dm_out_escape(id, sizeof(id), cli->id.len ? cli->id : dm_str("-"),
                  DM_AUDIT_QUOTED);
    dm_out_escape(store, sizeof(store), dm_cli_str(cli->store_path),
                  DM_AUDIT_QUOTED);
    dm_out_escape(why, sizeof(why), dm_cli_str(reason ? reason : ""),
                  DM_AUDIT_QUOTED);

    openlog("dm-account", LOG_PID, LOG_AUTHPRIV);

    syslog(reason ? LOG_WARNING : LOG_NOTICE,
           "user=\"%s\" uid=%u verb=%s id=\"%s\" store=\"%s\"%s%s%s%s%s",
           cli->user, (unsigned) cli->uid,
           cli->verb ? cli->verb->name : "-", id, store,
           *what ? " " : "", what,
           reason ? " reason=\"" : "", why, reason ? "\"" : "");

    closelog();
}


/* syslog() itself tells nobody that nobody listens */
static void
dm_audit_reach(const dm_cli_t *cli)
{
    int         rc;
    static int  told;

    rc = told ? 0 : dm_audit_connect();

    if (rc == 0) {
        return;
    }

    told = 1;

    dm_cli_warn(cli, "syslog cannot be had at %s (%s): nothing of this is "
                "logged", DM_AUDIT_SOCKET, strerror(rc));
}


/* tries whether syslog takes lines: 0, or an errno */
static int
dm_audit_connect(void)
{
    int                 fd, rc;
    struct sockaddr_un  address;

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1) {
        return errno;
    }

    memset(&address, 0, sizeof(struct sockaddr_un));
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, DM_AUDIT_SOCKET, sizeof(DM_AUDIT_SOCKET));

    rc = connect(fd, (struct sockaddr *) &address, sizeof(address)) == -1
         ? errno : 0;

    (void) close(fd);

    /* a stream, which syslog() tries next */
    return rc == EPROTOTYPE ? 0 : rc;
}
