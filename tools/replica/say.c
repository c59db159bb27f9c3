/* All that dm-replica says: its log, to systemd, and in the ready file */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/output.h"
#include "replica/say.h"


#define DM_SAY_MAX     2048             /* octets of a line */
#define DM_SAY_STATUS  256


static void dm_say_json(dm_say_level_t level, const char *text);


static const dm_replica_options_t  *dm_say_options;
static int                          dm_say_is_ready;

/* where to notify; found at the start, for a handler of a signal */
static struct sockaddr_un           dm_say_address;
static socklen_t                    dm_say_length;

static const char *const  dm_say_level[] = {
    "error", "warn", "notice", "info"
};


void
dm_say_init(const dm_replica_options_t *options)
{
    size_t       len;
    const char  *path;

    dm_say_options = options;

    if (options->syslog) {
        openlog("dm-replica", LOG_PID, LOG_DAEMON);
    }

    path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@')) {
        return;
    }

    len = strlen(path);

    if (len >= sizeof(dm_say_address.sun_path)) {
        return;
    }

    dm_say_address.sun_family = AF_UNIX;
    memcpy(dm_say_address.sun_path, path, len);

    if (path[0] == '@') {
        dm_say_address.sun_path[0] = '\0';
    }

    dm_say_length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len);
}


void
dm_say(dm_say_level_t level, const char *fmt, ...)
{
    char       text[DM_SAY_MAX], plain[DM_SAY_MAX], when[32];
    time_t     now;
    va_list    args;
    struct tm  tm;

    static const int  priority[] = {
        LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO
    };

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (dm_say_options != NULL && dm_say_options->syslog) {
        dm_out_escape(plain, sizeof(plain),
                      (dm_str_t) { (const unsigned char *) text,
                                   strlen(text) },
                      "");
        syslog(priority[level], "%s", plain);
        return;
    }

    if (dm_say_options != NULL && dm_say_options->json) {
        dm_say_json(level, text);
        return;
    }

    /* as nginx's error log has it */

    now = time(NULL);
    when[0] = '\0';

    if (localtime_r(&now, &tm) != NULL) {
        (void) strftime(when, sizeof(when), "%Y/%m/%d %H:%M:%S", &tm);
    }

    dm_out_line(stderr, "%s [%s] %d: dm-replica: %s", when,
                dm_say_level[level], (int) getpid(), text);
}


static void
dm_say_json(dm_say_level_t level, const char *text)
{
    char     when[DM_TIME_MAX];
    json_t  *line;

    dm_json_time((int64_t) time(NULL), when);

    line = json_pack("{s:s, s:s, s:o}", "time", when,
                     "level", dm_say_level[level],
                     "message", dm_json_text(text));

    (void) dm_json_put(stderr, line);
    (void) fflush(stderr);
}


void
dm_say_notify(const char *what)
{
    int  fd, saved;

    if (dm_say_length == 0) {
        return;
    }

    saved = errno;
    fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0);

    if (fd != -1) {
        (void) sendto(fd, what, strlen(what), MSG_NOSIGNAL,
                      (const struct sockaddr *) &dm_say_address,
                      dm_say_length);
        (void) close(fd);
    }

    errno = saved;
}


void
dm_say_status(const char *text)
{
    char  line[DM_SAY_STATUS + sizeof("STATUS=")];

    (void) snprintf(line, sizeof(line), "STATUS=%.*s", DM_SAY_STATUS, text);

    line[strcspn(line, "\n")] = '\0';

    dm_say_notify(line);
}


void
dm_say_ready(int ready)
{
    int          fd;
    const char  *path;

    path = dm_say_options->ready;

    if (path == NULL) {
        return;
    }

    if (!ready) {
        dm_say_unready();
        dm_say_is_ready = 0;
        return;
    }

    if (dm_say_is_ready) {
        return;
    }

    /* it is empty: only that it is there tells something */

    fd = open(path, O_WRONLY|O_CREAT|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK, 0644);

    if (fd == -1) {
        dm_say(DM_SAY_ERROR, "ready file \"%s\" cannot be made: %s", path,
               strerror(errno));
        return;
    }

    (void) fchmod(fd, 0644);
    (void) close(fd);

    dm_say_is_ready = 1;
}


void
dm_say_unready(void)
{
    if (dm_say_options->ready != NULL) {
        (void) unlink(dm_say_options->ready);
    }
}
