/* Workers that read while a tool writes: see dm_store_slot.h */

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dm_store_write_internal.h"


/* more are waited for one after the other */
#define DM_WAIT_SLOTS  128

#define DM_WAIT_NAP    200000           /* ns */
#define DM_LEAVE_NAP   20000000


/* slots with an odd counter */
typedef struct {
    unsigned  n;
    int       fd[DM_WAIT_SLOTS];
    uint64_t  counter[DM_WAIT_SLOTS];
} dm_wait_t;


static int dm_wait_collect(const dm_slot_seen_t *seen, void *data);
static void dm_wait_prune(dm_wait_t *wait);
static int dm_wait_is_over(const dm_wait_t *wait, unsigned i);
static void dm_wait_end(dm_wait_t *wait);
static int dm_left_collect(const dm_slot_seen_t *seen, void *data);
static uint64_t dm_wait_now(void);
static void dm_wait_nap(long ns);


void
dm_store_wait_readers(dm_store_t *store)
{
    int        full;
    uint64_t   start, spent;
    dm_wait_t  wait;

    start = dm_wait_now();

    /* look who reads only when the last commit is there for all to see */

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    do {
        wait.n = 0;
        (void) dm_slots_walk(store->path, dm_wait_collect, &wait, NULL);
        full = (wait.n == DM_WAIT_SLOTS);

        for ( ;; ) {
            dm_wait_prune(&wait);
            spent = dm_wait_now() - start;

            if (wait.n == 0 || spent >= store->patience) {
                break;
            }

            dm_wait_nap(DM_WAIT_NAP);
        }

        dm_wait_end(&wait);

    } while (full && spent < store->patience);

    /* a worker that stands still must not hold up each of 1000 transactions */

    store->patience -= spent < store->patience ? (unsigned) spent
                                               : store->patience;

    if (store->patience < DM_STORE_HASTE) {
        store->patience = DM_STORE_HASTE;
    }
}


static int
dm_wait_collect(const dm_slot_seen_t *seen, void *data)
{
    dm_wait_t  *wait;

    wait = data;

    if (!seen->alive || seen->content.counter % 2 == 0
        || wait->n == DM_WAIT_SLOTS)
    {
        return DM_OK;
    }

    wait->fd[wait->n] = fcntl(seen->fd, F_DUPFD_CLOEXEC, 0);
    wait->counter[wait->n] = seen->content.counter;

    if (wait->fd[wait->n] != -1) {
        wait->n++;
    }

    return DM_OK;
}


static void
dm_wait_prune(dm_wait_t *wait)
{
    unsigned  i;

    for (i = 0; i < wait->n; /* void */) {

        if (!dm_wait_is_over(wait, i)) {
            i++;
            continue;
        }

        close(wait->fd[i]);
        wait->n--;
        wait->fd[i] = wait->fd[wait->n];
        wait->counter[i] = wait->counter[wait->n];
    }
}


/* 1 if the look-up has ended, or its process; else 0 */
static int
dm_wait_is_over(const dm_wait_t *wait, unsigned i)
{
    dm_slot_content_t  content;

    if (dm_slot_read(wait->fd[i], &content) != DM_OK) {
        return 1;
    }

    return content.counter != wait->counter[i]
           || !dm_slot_alive(wait->fd[i]);
}


static void
dm_wait_end(dm_wait_t *wait)
{
    while (wait->n > 0) {
        close(wait->fd[--wait->n]);
    }
}


int
dm_store_left(const char *path, unsigned ms, dm_store_pids_t *pids,
    dm_err_t *err)
{
    int       rc;
    uint64_t  start;

    start = dm_wait_now();

    for ( ;; ) {
        memset(pids, 0, sizeof(dm_store_pids_t));

        rc = dm_slots_walk(path, dm_left_collect, pids, err);

        if (rc != DM_OK || pids->n == 0 || dm_wait_now() - start >= ms) {
            return rc;
        }

        dm_wait_nap(DM_LEAVE_NAP);
    }
}


static int
dm_left_collect(const dm_slot_seen_t *seen, void *data)
{
    if (seen->alive) {
        dm_store_add_slot(data, seen);
    }

    return DM_OK;
}


/* ms */
static uint64_t
dm_wait_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}


static void
dm_wait_nap(long ns)
{
    struct timespec  ts;

    ts.tv_sec = 0;
    ts.tv_nsec = ns;
    (void) nanosleep(&ts, NULL);
}
