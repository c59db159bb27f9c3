/* The counters of all workers, and what each process says of itself */

#include "ngx_dm_sec_counts.h"

#include "dm_suite.h"


#define ngx_dm_sec_counts_at(sh, i)                                           \
    ((ngx_dm_sec_counts_t *) ((sh)->counts + (i) * NGX_DM_SEC_COUNTS_SIZE))

#define ngx_dm_sec_process_at(sh, i)                                          \
    ((ngx_dm_sec_process_t *) ((sh)->processes                                \
                               + (i) * NGX_DM_SEC_PROCESS_SIZE))


static ngx_dm_sec_process_t *ngx_dm_sec_process_claim(
    ngx_dm_sec_main_conf_t *dmcf);
static ngx_uint_t ngx_dm_sec_process_lives(ngx_atomic_uint_t pid);


_Static_assert(sizeof(ngx_dm_sec_process_t) <= NGX_DM_SEC_PROCESS_SIZE,
               "two processes would share a line");


/* this process, and the zone that it has a place in */
static struct {
    ngx_dm_sec_process_t   now;
    ngx_dm_sec_shared_t   *sh;
    ngx_dm_sec_process_t  *place;       /* NULL: there was none */
} ngx_dm_sec_own;


ngx_uint_t
ngx_dm_sec_counts_version(int number)
{
    unsigned    bit;
    ngx_uint_t  i;

    bit = dm_version_by_number(number);

    for (i = 0; i < DM_VERSIONS && bit != 1u << i; i++) { /* void */ }

    return i;
}


ngx_dm_sec_counts_t *
ngx_dm_sec_counts(ngx_dm_sec_shared_t *sh)
{
    return ngx_dm_sec_counts_at(sh, ngx_worker % sh->ncounts);
}


void
ngx_dm_sec_counts_sum(ngx_dm_sec_shared_t *sh, ngx_dm_sec_counts_t *sum)
{
    ngx_uint_t     i, n;
    ngx_atomic_t  *from, *to;

    ngx_memzero(sum, sizeof(ngx_dm_sec_counts_t));

    to = (ngx_atomic_t *) sum;

    for (i = 0; i < sh->ncounts; i++) {
        from = (ngx_atomic_t *) ngx_dm_sec_counts_at(sh, i);

        for (n = 0;
             n < offsetof(ngx_dm_sec_counts_t, recent) / sizeof(*to);
             n++)
        {
            to[n] += from[n];
        }
    }
}


uint64_t
ngx_dm_sec_counts_recent(ngx_dm_sec_shared_t *sh, ngx_uint_t minutes)
{
    uint64_t    sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; i < sh->ncounts; i++) {
        sum += ngx_dm_sec_recent_sum(&ngx_dm_sec_counts_at(sh, i)->recent,
                                     minutes);
    }

    return sum;
}


void
ngx_dm_sec_process_store(ngx_uint_t open)
{
    ngx_dm_sec_own.now.store = open;
    ngx_dm_sec_process_enter();
}


void
ngx_dm_sec_process_hash(ngx_uint_t running, ngx_uint_t waiting)
{
    ngx_dm_sec_own.now.hash_running = running;
    ngx_dm_sec_own.now.hash_waiting = waiting;
    ngx_dm_sec_process_enter();
}


void
ngx_dm_sec_process_enter(void)
{
    ngx_dm_sec_main_conf_t  *dmcf;

    dmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_dm_sec_module);

    if (dmcf == NULL || dmcf->zone == NULL) {
        return;
    }

    /* a process that has no master gets another zone at a reload */

    if (ngx_dm_sec_own.sh != ngx_dm_sec_zone_shared(dmcf)) {
        ngx_dm_sec_own.sh = ngx_dm_sec_zone_shared(dmcf);
        ngx_dm_sec_own.place = ngx_dm_sec_process_claim(dmcf);
    }

    if (ngx_dm_sec_own.place) {
        *ngx_dm_sec_own.place = ngx_dm_sec_own.now;
    }
}


/* NULL: all places are taken, by more processes than anybody needs */
static ngx_dm_sec_process_t *
ngx_dm_sec_process_claim(ngx_dm_sec_main_conf_t *dmcf)
{
    ngx_uint_t             i;
    ngx_dm_sec_shared_t   *sh;
    ngx_dm_sec_process_t  *process, *found;

    sh = ngx_dm_sec_zone_shared(dmcf);
    found = NULL;
    ngx_dm_sec_own.now.pid = ngx_pid;

    ngx_dm_sec_zone_lock(dmcf);

    for (i = 0; i < sh->nprocesses; i++) {
        process = ngx_dm_sec_process_at(sh, i);

        if (process->pid != (ngx_atomic_uint_t) ngx_pid
            && ngx_dm_sec_process_lives(process->pid))
        {
            continue;
        }

        /* one that was killed leaves here, before its pid comes again */

        process->pid = 0;

        if (found == NULL) {
            found = process;
        }
    }

    if (found) {
        *found = ngx_dm_sec_own.now;
    }

    ngx_dm_sec_zone_unlock(dmcf);

    return found;
}


static ngx_uint_t
ngx_dm_sec_process_lives(ngx_atomic_uint_t pid)
{
    return pid && (kill((ngx_pid_t) pid, 0) == 0 || ngx_errno == NGX_EPERM);
}


void
ngx_dm_sec_process_leave(void)
{
    if (ngx_dm_sec_own.place) {
        ngx_dm_sec_own.place->pid = 0;
        ngx_dm_sec_own.place = NULL;
    }
}


void
ngx_dm_sec_processes(ngx_dm_sec_main_conf_t *dmcf, ngx_dm_sec_processes_t *sum)
{
    ngx_uint_t             i;
    ngx_dm_sec_shared_t   *sh;
    ngx_dm_sec_process_t  *process;

    ngx_memzero(sum, sizeof(ngx_dm_sec_processes_t));

    ngx_dm_sec_process_enter();

    sh = ngx_dm_sec_zone_shared(dmcf);

    for (i = 0; i < sh->nprocesses; i++) {
        process = ngx_dm_sec_process_at(sh, i);

        if (!ngx_dm_sec_process_lives(process->pid)) {
            continue;
        }

        sum->processes++;
        sum->stores += process->store;
        sum->hash_running += process->hash_running;
        sum->hash_waiting += process->hash_waiting;
    }
}
