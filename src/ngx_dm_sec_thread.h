/* Threads of a worker, which are there from the first job on */

#ifndef NGX_DM_SEC_THREAD_H
#define NGX_DM_SEC_THREAD_H


#include "ngx_dm_sec.h"


/* a piece of work for a thread; it stays where it is until done is called */
typedef struct {
    ngx_queue_t    queue;
    void         (*run)(void *data);        /* in the thread */
    void         (*done)(void *data);       /* after it, in the worker's own */
    void          *data;
} ngx_dm_sec_thread_job_t;


/*
 * Hands a job to a thread that has none, or to a new one: there are never more
 * threads than there were jobs at a time.  NGX_OK; or NGX_ERROR, logged, if
 * there is no thread and none can be started.
 *
 * nginx's own pools start their threads with the worker.  But once a process
 * has had a second thread, each malloc() takes a lock and each system call
 * looks for a cancellation, which makes all its requests 2 % dearer: workers
 * that never see a slow hash are spared that.
 */
ngx_int_t ngx_dm_sec_thread_post(ngx_dm_sec_thread_job_t *job);

/* waits for the jobs that threads are at, and ends all threads */
void ngx_dm_sec_thread_exit_process(void);


#endif /* NGX_DM_SEC_THREAD_H */
