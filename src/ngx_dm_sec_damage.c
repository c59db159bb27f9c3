/*
 * The store that is to blame for a death.
 *
 * LMDB believes what it has mapped: a damaged page can lead it to where there
 * is nothing, and each worker in its turn to its death.  The first one that
 * dies so writes into the zone which store it was.  Then no worker reads that
 * store until another one stands in its place, or "dm-account check" has found
 * it whole.  A signal that somebody sent is no such death.
 */

#include "ngx_dm_sec_damage.h"
#include "ngx_dm_sec_zone.h"

#include <pthread.h>


static void ngx_dm_sec_damage_handler(int signo, siginfo_t *info,
    void *context);
static void ngx_dm_sec_damage_blame(void);
static ngx_uint_t ngx_dm_sec_damage_same(ngx_dm_sec_damage_t *damage,
    dm_store_stamp_t *stamp);


/* a worker dies of one of these where it reads what is not there */
static const int  ngx_dm_sec_damage_signals[] = { SIGSEGV, SIGBUS, SIGABRT };

#define NGX_DM_SEC_DAMAGE_SIGNALS                                             \
    (sizeof(ngx_dm_sec_damage_signals) / sizeof(ngx_dm_sec_damage_signals[0]))


static struct {
    ngx_dm_sec_damage_t    *shared;     /* in the zone; NULL: none yet */
    dm_store_stamp_t        stamp;      /* of what was looked at last */
    volatile sig_atomic_t   inside;     /* the store's file is being read */
    pthread_t               thread;     /* that does so */
    ngx_uint_t              installed;

    /* the handlers of others, such as a sanitizer */
    struct sigaction        before[NGX_DM_SEC_DAMAGE_SIGNALS];
} ngx_dm_sec_damage;


void
ngx_dm_sec_damage_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    struct sigaction  action;

    if (ngx_dm_sec_damage.installed) {
        return;
    }

    ngx_dm_sec_damage.installed = 1;
    ngx_dm_sec_damage.thread = pthread_self();

    ngx_memzero(&action, sizeof(struct sigaction));
    action.sa_sigaction = ngx_dm_sec_damage_handler;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);

    for (i = 0; i < NGX_DM_SEC_DAMAGE_SIGNALS; i++) {
        if (sigaction(ngx_dm_sec_damage_signals[i], &action,
                      &ngx_dm_sec_damage.before[i])
            == -1)
        {
            ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                          "dm_sec: sigaction() failed");
        }
    }
}


ngx_int_t
ngx_dm_sec_damage_look(ngx_dm_sec_main_conf_t *dmcf, ngx_log_t *log)
{
    ngx_dm_sec_damage_t  *damage;

    damage = &ngx_dm_sec_zone_shared(dmcf)->damage;

    ngx_dm_sec_damage.shared = damage;

    /* a store that is not there is told of where it is opened */

    (void) dm_store_stamp((char *) dmcf->store.data, &ngx_dm_sec_damage.stamp);

    if (!ngx_dm_sec_damage_here()) {
        return NGX_OK;
    }

    if (ngx_atomic_cmp_set(&damage->said, 0, 1)) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "dm_sec: a process died while it read store \"%V\": "
                      "requests that need it are answered 503 until it is "
                      "replaced by a backup, or until \"dm-account check\" "
                      "finds it whole", &dmcf->store);
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_dm_sec_damage_here(void)
{
    ngx_dm_sec_damage_t  *damage;

    damage = ngx_dm_sec_damage.shared;

    return damage && damage->blamed
           && ngx_dm_sec_damage_same(damage, &ngx_dm_sec_damage.stamp);
}


ngx_uint_t
ngx_dm_sec_damage_there(ngx_dm_sec_main_conf_t *dmcf)
{
    dm_store_stamp_t      stamp;
    ngx_dm_sec_damage_t  *damage;

    damage = &ngx_dm_sec_zone_shared(dmcf)->damage;

    return damage->blamed
           && dm_store_stamp((char *) dmcf->store.data, &stamp) == DM_OK
           && ngx_dm_sec_damage_same(damage, &stamp);
}


static ngx_uint_t
ngx_dm_sec_damage_same(ngx_dm_sec_damage_t *damage, dm_store_stamp_t *stamp)
{
    return damage->stamp.dev == stamp->dev
           && damage->stamp.ino == stamp->ino
           && damage->stamp.born == stamp->born
           && damage->stamp.checked == stamp->checked;
}


void
ngx_dm_sec_damage_enter(void)
{
    ngx_dm_sec_damage.inside = 1;
}


void
ngx_dm_sec_damage_leave(void)
{
    ngx_dm_sec_damage.inside = 0;
}


/* only what may be done in any place: the process dies of it all the same */
static void
ngx_dm_sec_damage_handler(int signo, siginfo_t *info, void *context)
{
    ngx_uint_t  i, own;

    /* the kernel's, or abort() of this process */

    own = info->si_code > 0
          || (signo == SIGABRT && info->si_pid == getpid());

    if (own
        && ngx_dm_sec_damage.inside
        && pthread_equal(pthread_self(), ngx_dm_sec_damage.thread))
    {
        ngx_dm_sec_damage_blame();
    }

    for (i = 0; i < NGX_DM_SEC_DAMAGE_SIGNALS; i++) {
        if (ngx_dm_sec_damage_signals[i] == signo) {
            (void) sigaction(signo, &ngx_dm_sec_damage.before[i], NULL);
        }
    }

    /* a fault happens again by itself; a signal that was sent does not */

    if (info->si_code <= 0) {
        (void) raise(signo);
    }
}


static void
ngx_dm_sec_damage_blame(void)
{
    ngx_dm_sec_damage_t  *damage;

    damage = ngx_dm_sec_damage.shared;

    if (damage == NULL || ngx_dm_sec_damage_here()) {
        return;
    }

    damage->blamed = 0;
    ngx_memory_barrier();

    damage->stamp = ngx_dm_sec_damage.stamp;
    damage->said = 0;

    ngx_memory_barrier();
    damage->blamed = 1;
}
