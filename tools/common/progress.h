/* The progress of a long job, on a terminal, and the turns that it gives */

#ifndef DM_COMMON_PROGRESS_H
#define DM_COMMON_PROGRESS_H


#include <stdint.h>


typedef struct {
    int      terminal;                      /* 1: it is shown */
    int64_t  started;                       /* ms */
    int64_t  shown;
} dm_progress_t;


/* begins; shown 0: nothing is shown, not even on a terminal */
void dm_progress_start(dm_progress_t *progress, int shown);

/*
 * Shows part of whole as per cent, n of what and how many a second, and then
 * more; often called, seldom shown.
 */
void dm_progress_show(dm_progress_t *progress, uint64_t part, uint64_t whole,
    uint64_t n, const char *what, const char *more);

/* dm_progress_show() will show, whenever it was last */
void dm_progress_now(dm_progress_t *progress);

/* makes room for a message */
void dm_progress_clear(const dm_progress_t *progress);

/*
 * Lets a process that waits for the store take its turn, between transactions.
 */
void dm_progress_give_way(void);


#endif /* DM_COMMON_PROGRESS_H */
