/*
 * The child that reads the store for the master.
 *
 * It has the workers' user and opens the store as they do, so what it cannot
 * read they could not either.  It may be killed by what it reads, or be in the
 * hands of whoever wrote that: the parent waits for so long and no longer, and
 * believes nothing of the answer that it has not looked at.
 */

#include "ngx_dm_sec_peek.h"
#include "ngx_dm_sec_groups.h"
#include "dm_store_access.h"
#include "dm_store_holders.h"

#include <poll.h>
#include <sys/resource.h>
#if (NGX_HAVE_PR_SET_DUMPABLE)
#include <sys/prctl.h>
#endif


#define NGX_DM_SEC_PEEK_WAIT  10        /* s */


/* one write() of it is whole or none: it fits into a pipe */
typedef struct {
    ngx_uint_t         ok;
    dm_challenge_t     challenge;
    ngx_uint_t         counted;
    dm_store_counts_t  counts;
    u_char             nobody[NGX_DM_SEC_GROUPS_MAX / 8];
    size_t             realm_len;
    u_char             realm[DM_REALM_MAX];
    u_char             writer[DM_VERSION_MAX + 1];
    dm_err_t           err;             /* where not ok */
} ngx_dm_sec_peek_t;


_Static_assert(sizeof(ngx_dm_sec_peek_t) <= 4096, "longer than PIPE_BUF");


/* of the configuration that is being read */
static struct {
    ngx_core_conf_t       *ccf;
    ngx_shm_zone_init_pt   init;        /* of the zone */
} ngx_dm_sec_peek_later;


static ngx_int_t ngx_dm_sec_peek_fork(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_peek_t *peek);
static ngx_int_t ngx_dm_sec_peek_wait(int fd, ngx_dm_sec_peek_t *peek);
static void ngx_dm_sec_peek_end(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_pid_t pid, ngx_int_t rc);
static ngx_int_t ngx_dm_sec_peek_take(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_peek_t *peek);
static const char *ngx_dm_sec_peek_hint(ngx_conf_t *cf);
static ngx_uint_t ngx_dm_sec_peek_is_default(ngx_conf_t *cf);
static ngx_int_t ngx_dm_sec_peek_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_dm_sec_peek_child(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, int fd);
static void ngx_dm_sec_peek_alone(void);
static int ngx_dm_sec_peek_become(ngx_conf_t *cf,
    ngx_dm_sec_main_conf_t *dmcf, dm_err_t *err);
static void ngx_dm_sec_peek_spare(ngx_dm_sec_main_conf_t *dmcf, ngx_uid_t uid,
    ngx_gid_t gid);
static void ngx_dm_sec_peek_read(ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_peek_t *peek);


ngx_int_t
ngx_dm_sec_peek(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf)
{
    sigset_t            set, old;
    ngx_int_t           rc;
    ngx_dm_sec_peek_t   peek;

    /* nginx's handler takes every child for one of its own */

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);

    if (sigprocmask(SIG_BLOCK, &set, &old) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "dm_sec: sigprocmask() failed");
        return NGX_ERROR;
    }

    rc = ngx_dm_sec_peek_fork(cf, dmcf, &peek);

    if (sigprocmask(SIG_SETMASK, &old, NULL) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      "dm_sec: sigprocmask() failed");
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_dm_sec_peek_take(cf, dmcf, &peek);
}


/* NGX_OK, and the child has answered; NGX_ERROR, logged */
static ngx_int_t
ngx_dm_sec_peek_fork(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_peek_t *peek)
{
    int        fd[2];
    ngx_int_t  rc;
    ngx_pid_t  pid;

    if (ngx_dm_sec_groups_collect(cf, dmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (pipe2(fd, O_CLOEXEC) == -1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "dm_sec: pipe2() failed");
        return NGX_ERROR;
    }

    pid = fork();

    if (pid == 0) {
        (void) close(fd[0]);
        ngx_dm_sec_peek_child(cf, dmcf, fd[1]);
        _exit(0);
    }

    if (pid == -1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "dm_sec: fork() failed");
    }

    (void) close(fd[1]);

    if (pid == -1) {
        (void) close(fd[0]);
        return NGX_ERROR;
    }

    rc = ngx_dm_sec_peek_wait(fd[0], peek);

    (void) close(fd[0]);

    ngx_dm_sec_peek_end(cf, dmcf, pid, rc);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* NGX_OK; NGX_AGAIN: no answer in time; NGX_DECLINED: none; NGX_ERROR */
static ngx_int_t
ngx_dm_sec_peek_wait(int fd, ngx_dm_sec_peek_t *peek)
{
    int              rc;
    time_t           end;
    ssize_t          n;
    struct pollfd    p;
    struct timespec  now;

    end = 0;

    for ( ;; ) {
        if (clock_gettime(CLOCK_MONOTONIC, &now) == -1) {
            return NGX_ERROR;
        }

        if (end == 0) {
            end = now.tv_sec + NGX_DM_SEC_PEEK_WAIT;
        }

        if (now.tv_sec >= end) {
            return NGX_AGAIN;
        }

        p.fd = fd;
        p.events = POLLIN;

        rc = poll(&p, 1, (int) (end - now.tv_sec) * 1000);

        if (rc == 0 || (rc == -1 && errno == EINTR)) {
            continue;
        }

        n = (rc == -1) ? -1 : read(fd, peek, sizeof(ngx_dm_sec_peek_t));

        if (n == -1 && errno != EINTR) {
            return NGX_ERROR;
        }

        if (n != -1) {
            return n == sizeof(ngx_dm_sec_peek_t) ? NGX_OK : NGX_DECLINED;
        }
    }
}


/* ends the child and, where rc is not NGX_OK, says what became of it */
static void
ngx_dm_sec_peek_end(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_pid_t pid, ngx_int_t rc)
{
    int        status;
    ngx_pid_t  dead;

    /* one that died by itself keeps its own status */

    (void) kill(pid, SIGKILL);

    do {
        dead = waitpid(pid, &status, 0);
    } while (dead == -1 && errno == EINTR);

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: store \"%V\" could not be read in %d seconds: "
                      "does another process hold its locks?", &dmcf->store,
                      NGX_DM_SEC_PEEK_WAIT);
        return;
    }

    if (rc == NGX_DECLINED && dead == pid && WIFSIGNALED(status)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: reading store \"%V\" ended by signal %d: its "
                      "file is damaged: see what \"dm-account check\" says, "
                      "or restore a backup", &dmcf->store, WTERMSIG(status));
        return;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "dm_sec: the process that reads store \"%V\" gave no answer",
                  &dmcf->store);
}


/* believes the child after a look at what it says */
static ngx_int_t
ngx_dm_sec_peek_take(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    ngx_dm_sec_peek_t *peek)
{
    char       *p;
    ngx_str_t   realm;

    if (!peek->ok) {
        peek->err.text[sizeof(peek->err.text) - 1] = '\0';

        for (p = peek->err.text; *p; p++) {
            if ((u_char) *p < 0x20 || *p == 0x7f) {
                *p = '?';
            }
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "dm_sec: %s%s",
                      peek->err.text, ngx_dm_sec_peek_hint(cf));
        return NGX_ERROR;
    }

    realm.data = peek->realm;
    realm.len = peek->realm_len;

    if (realm.len > sizeof(peek->realm)
        || dm_text_check(ngx_dm_sec_set_dm_str(realm), DM_REALM_MAX,
                         "the realm", &peek->err)
           != DM_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "dm_sec: the realm of store \"%V\" is none",
                      &dmcf->store);
        return NGX_ERROR;
    }

    dm_version_read(dmcf->writer, (dm_str_t) { peek->writer, DM_VERSION_MAX });

    dmcf->challenge = peek->challenge;
    dmcf->counted = peek->counted;
    dmcf->counts = peek->counts;

    dmcf->nobody = ngx_pnalloc(cf->pool, sizeof(peek->nobody));
    if (dmcf->nobody == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dmcf->nobody, peek->nobody, sizeof(peek->nobody));

    dmcf->realm.len = realm.len;
    dmcf->realm.data = ngx_pstrdup(cf->pool, &realm);

    if (dmcf->realm.data == NULL) {
        return NGX_ERROR;
    }

    /* the zones are made when all is read, and can still refuse it */

    if (ngx_dm_sec_peek_is_default(cf)) {
        ngx_dm_sec_peek_later.ccf = (ngx_core_conf_t *)
                           ngx_get_conf(cf->cycle->conf_ctx, ngx_core_module);
        ngx_dm_sec_peek_later.init = dmcf->zone->init;
        dmcf->zone->init = ngx_dm_sec_peek_init_zone;
    }

    return NGX_OK;
}


/* the rest of what is said where the store cannot be read */
static const char *
ngx_dm_sec_peek_hint(ngx_conf_t *cf)
{
    if (geteuid() != 0) {
        return "; that is who runs this nginx: whether the workers of one that "
               "root starts can read it, only root's \"nginx -t\" can ask";
    }

    if (ngx_dm_sec_peek_is_default(cf)) {
        return "; that is nginx's own default: \"user\", if there is one, is "
               "to be written before http";
    }

    return "";
}


/* 1 if the workers' user was not yet said where http ends, else 0 */
static ngx_uint_t
ngx_dm_sec_peek_is_default(ngx_conf_t *cf)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    return geteuid() == 0 && ccf->master != 0
           && ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT;
}


/*
 * Looks whether the store was read as those who will read it: a "user" behind
 * http, or an nginx that was built with another default, makes them others.
 */
static ngx_int_t
ngx_dm_sec_peek_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    struct group     *grp;
    struct passwd    *pwd;
    ngx_core_conf_t  *ccf;

    ccf = ngx_dm_sec_peek_later.ccf;
    pwd = getpwnam(NGX_USER);
    grp = getgrnam(NGX_GROUP);

    if (ccf->master != 0
        && (pwd == NULL || grp == NULL || pwd->pw_uid != ccf->user
            || grp->gr_gid != ccf->group))
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "dm_sec: the store was read as user \"%s\", and the "
                      "workers will have another, \"%s\": write \"user\" "
                      "before http", NGX_USER, ccf->username);
        return NGX_ERROR;
    }

    return ngx_dm_sec_peek_later.init(shm_zone, data);
}


/* ends without what nginx and the libraries do at the end of a process */
static void
ngx_dm_sec_peek_child(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf, int fd)
{
    ngx_dm_sec_peek_t  peek;

    ngx_memzero(&peek, sizeof(ngx_dm_sec_peek_t));

    ngx_dm_sec_peek_alone();

    if (ngx_dm_sec_peek_become(cf, dmcf, &peek.err) == DM_OK) {
        ngx_dm_sec_peek_read(dmcf, &peek);
    }

    _exit(write(fd, &peek, sizeof(ngx_dm_sec_peek_t)) == -1);
}


/* leaves signals to nobody, sets an end, and keeps its memory to itself */
static void
ngx_dm_sec_peek_alone(void)
{
    ngx_uint_t     i;
    sigset_t       set;
    struct rlimit  none;

    static const int  signals[] = {
        SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE,
        SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL
    };

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void) signal(signals[i], SIG_DFL);
    }

    sigemptyset(&set);
    (void) sigprocmask(SIG_SETMASK, &set, NULL);

    (void) alarm(NGX_DM_SEC_PEEK_WAIT);

    none.rlim_cur = 0;
    none.rlim_max = 0;
    (void) setrlimit(RLIMIT_CORE, &none);

#if (NGX_HAVE_PR_SET_DUMPABLE)
    (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}


/* becomes the workers' user, as nginx will choose it when all is read */
static int
ngx_dm_sec_peek_become(ngx_conf_t *cf, ngx_dm_sec_main_conf_t *dmcf,
    dm_err_t *err)
{
    char             *name;
    ngx_uid_t         uid;
    ngx_gid_t         gid;
    struct group     *grp;
    struct passwd    *pwd;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    /* a process without workers keeps its user */

    if (geteuid() != 0 || ccf->master == 0) {
        return DM_OK;
    }

    name = ccf->username;
    uid = ccf->user;
    gid = ccf->group;

    if (uid == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        pwd = getpwnam(NGX_USER);
        grp = getgrnam(NGX_GROUP);

        if (pwd == NULL || grp == NULL) {
            dm_err_set(err, "there is no user \"%s\" with group \"%s\" to read "
                       "the store: write \"user\" before http", NGX_USER,
                       NGX_GROUP);
            return DM_INVALID;
        }

        name = NGX_USER;
        uid = pwd->pw_uid;
        gid = grp->gr_gid;
    }

    ngx_dm_sec_peek_spare(dmcf, uid, gid);

    if (setgid(gid) == -1 || initgroups(name, gid) == -1 || setuid(uid) == -1)
    {
        dm_err_set(err, "the store cannot be read as user \"%s\": %s", name,
                   strerror(errno));
        return DM_ERROR;
    }

    return DM_OK;
}


/* no advice shall take the store from workers who have it */
static void
ngx_dm_sec_peek_spare(ngx_dm_sec_main_conf_t *dmcf, ngx_uid_t uid,
    ngx_gid_t gid)
{
    struct stat        sb;
    dm_store_owner_t   owner;
    dm_store_losers_t  losers;
    static char        text[DM_STORE_LOSERS_LEN];

    if (stat((char *) dmcf->store.data, &sb) == -1) {
        return;
    }

    owner = (dm_store_owner_t) { sb.st_uid, sb.st_gid, uid, gid };

    if (dm_store_losers((char *) dmcf->store.data, &owner, DM_STORE_CHANGED,
                        &losers, NULL)
        == DM_OK
        && losers.pids.n != 0)
    {
        dm_store_write_losers(text, &losers);
        dm_access_spare(text);
    }
}


static void
ngx_dm_sec_peek_read(ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_peek_t *peek)
{
    int                     rc;
    dm_store_t             *store;
    const dm_store_meta_t  *meta;

    if (dm_store_open(&store, (char *) dmcf->store.data, DM_STORE_SERVE,
                      dmcf->keys, &peek->err)
        != DM_OK)
    {
        return;
    }

    rc = dm_store_count(store, ngx_time(), &peek->counts, &peek->err);

    peek->counted = (rc == DM_OK);
    peek->ok = (rc != DM_ERROR);

    meta = dm_store_meta(store);

    if (!peek->counted) {
        peek->counts.hashes[1 << DM_MD5] = meta->lacks_sha256;
        peek->counts.hashes[1 << DM_SHA256] = meta->lacks_md5;
    }

    peek->challenge = dm_store_suits(meta, peek->counted ? &peek->counts
                                                         : NULL);
    peek->realm_len = meta->realm.len;
    ngx_memcpy(peek->realm, meta->realm.data, meta->realm.len);
    ngx_memcpy(peek->writer, meta->writer, sizeof(peek->writer));

    ngx_dm_sec_groups_count(dmcf, store, peek->nobody);

    dm_store_close(store);
}
