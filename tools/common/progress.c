/* The progress of a long job, on a terminal, and the turns that it gives */

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/progress.h"


#define DM_PROGRESS_SHOW   250              /* ms between two */
#define DM_PROGRESS_PAUSE  1000000          /* ns */


static int64_t dm_progress_ms(void);


void
dm_progress_start(dm_progress_t *progress, int shown)
{
    progress->terminal = shown && isatty(STDERR_FILENO);
    progress->started = dm_progress_ms();
    progress->shown = progress->started;
}


static int64_t
dm_progress_ms(void)
{
    struct timespec  now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


void
dm_progress_show(dm_progress_t *progress, uint64_t part, uint64_t whole,
    uint64_t n, const char *what, const char *more)
{
    int64_t  now;

    if (!progress->terminal) {
        return;
    }

    now = dm_progress_ms();

    if (now - progress->shown < DM_PROGRESS_SHOW) {
        return;
    }

    progress->shown = now;
    whole = whole == 0 ? 1 : whole;

    (void) fprintf(stderr, "\r%llu %%, %llu %s, %llu %s/s%s\033[K",
                   (unsigned long long) (part * 100 / whole),
                   (unsigned long long) n, what,
                   (unsigned long long) (n * 1000
                       / (uint64_t) (now - progress->started + 1)),
                   what, more);
}


void
dm_progress_now(dm_progress_t *progress)
{
    progress->shown = 0;
}


void
dm_progress_clear(const dm_progress_t *progress)
{
    if (progress->terminal) {
        (void) fprintf(stderr, "\r\033[K");
    }
}


void
dm_progress_give_way(void)
{
    struct timespec  pause;

    /*
     * Let a process that waits for the lock wake up before it is taken again.
     */

    pause = (struct timespec) { 0, DM_PROGRESS_PAUSE };
    (void) nanosleep(&pause, NULL);
}
